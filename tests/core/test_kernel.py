# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Kernels as files, and what one does to variables before it starts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium import kernel
from pyvarium.errors import FileError, PyvariumError
from pyvarium.kernel import Kernel, State
from pyvarium.model import Environment
from pyvarium.variables import HIDING, Action, Change, apply

LIBRARY = "lib/python3.11/site-packages"
CHANGES = (Change("DATA", Action.SET, "/data"), Change("PATH", Action.PREPEND, "/view/bin"))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment with a venv that has ipykernel."""
    path = tmp_path / "My Work"
    (path / ".venv/bin").mkdir(parents=True)
    (path / ".venv/bin/python").symlink_to(sys.executable)
    (path / ".venv" / LIBRARY / "ipykernel-7.0.dist-info").mkdir(parents=True)
    (path / "spack.yaml").write_text("spack: {}\n")
    return Environment(path, path.name, (tmp_path / "view",))


def test_where_jupyter_keeps_kernels() -> None:
    def of(platform: str = "linux", **environ: str) -> str:
        return str(kernel.user_data(environ, Path("/home/me"), platform))

    assert [
        of(),
        of(XDG_DATA_HOME="/xdg"),
        of(XDG_DATA_HOME="/xdg", JUPYTER_DATA_DIR="/own"),
        of(JUPYTER_PLATFORM_DIRS="1"),
        of("darwin", XDG_DATA_HOME="/xdg"),
        of("darwin", JUPYTER_PLATFORM_DIRS="1"),
        of("darwin", JUPYTER_PLATFORM_DIRS="off"),
    ] == [
        "/home/me/.local/share/jupyter",
        "/xdg/jupyter",
        "/own",
        "/home/me/.local/share/jupyter",
        "/home/me/Library/Jupyter",
        "/home/me/Library/Application Support/Jupyter",
        "/home/me/Library/Jupyter",
    ]
    found = kernel.search_path({"JUPYTER_PATH": "/a:/b:"}, Path("/home/me"), "linux")
    assert [str(one.parent) for one in found] == [
        *("/a", "/b", "/home/me/.local/share/jupyter"),
        *("/usr/local/share/jupyter", "/usr/share/jupyter"),
    ]


def test_install_list_and_remove(environment: Environment, tmp_path: Path) -> None:
    name = kernel.default_name(environment)
    change = kernel.plan(environment, CHANGES, tmp_path / "kernels", name)
    assert kernel.write(change)
    assert not kernel.plan(environment, CHANGES, tmp_path / "kernels", name)
    content = json.loads(change.path.read_text())
    start, variables = content["argv"][3:5]
    assert content == {
        "argv": [
            *(str(environment.venv / "bin/python"), "-I", "-c", start, variables),
            *("-f", "{connection_file}"),
        ],
        "display_name": "Python (My Work)",
        "language": "python",
        "metadata": {
            "debugger": True,
            "spack-pyvarium": {
                "digest": kernel.digest(environment),
                "environment": str(environment.path),
            },
        },
    }
    assert json.loads(variables) == [
        ["DATA", "set", "/data", ":"],
        ["PATH", "prepend", "/view/bin", ":"],
        ["VIRTUAL_ENV", "set", str(environment.venv), ":"],
        ["PATH", "prepend", str(environment.venv / "bin"), ":"],
        *([name, "unset", "", ":"] for name in HIDING),
    ]
    expected = Kernel(
        "spack-my-work",
        tmp_path / "kernels/spack-my-work",
        "Python (My Work)",
        environment.path,
        State.READY,
    )
    assert kernel.installed([tmp_path / "none", tmp_path / "kernels"]) == (expected,)
    kernel.write(kernel.plan_removal(tmp_path / "kernels", name))
    assert list((tmp_path / "kernels").iterdir()) == []


def test_what_becomes_of_a_kernel(environment: Environment, tmp_path: Path) -> None:
    def state() -> State:
        (found,) = kernel.installed([tmp_path])
        return found.state

    kernel.write(kernel.plan(environment, (), tmp_path, "one"))
    (environment.path / "spack.yaml").write_text("spack: {view: true}\n")
    assert state() is State.OUTDATED
    (environment.venv / "bin/python").unlink()
    assert state() is State.NO_PYTHON
    (environment.path / "spack.yaml").unlink()
    assert state() is State.NO_ENVIRONMENT


def test_the_view_may_have_ipykernel(environment: Environment, tmp_path: Path) -> None:
    (environment.venv / LIBRARY / "ipykernel-7.0.dist-info").rmdir()
    with pytest.raises(PyvariumError, match="has no ipykernel; run 'spack pyvarium add ipykerne"):
        kernel.plan(environment, (), tmp_path, "one")
    (tmp_path / "view" / LIBRARY / "ipykernel-7.0.dist-info").mkdir(parents=True)
    assert kernel.plan(environment, (), tmp_path, "one")


def test_no_python(environment: Environment, tmp_path: Path) -> None:
    (environment.venv / "bin/python").unlink()
    with pytest.raises(PyvariumError, match="is missing; run 'spack pyvarium install'"):
        kernel.plan(environment, (), tmp_path, "one")


@pytest.mark.parametrize("name", ["", "Big", "a b", "../up", ".", "..", "ümlaut"])
def test_names_that_jupyter_does_not_take(environment: Environment, name: str) -> None:
    with pytest.raises(PyvariumError, match="cannot name a kernel"):
        kernel.plan(environment, (), Path("/kernels"), name)


@pytest.mark.parametrize("name", ["a{prefix}", "a:b"])
def test_paths_that_jupyter_would_break(environment: Environment, name: str) -> None:
    moved = environment.path.rename(environment.path.with_name(name))
    with pytest.raises(PyvariumError, match="move it to another directory"):
        kernel.plan(replace(environment, path=moved), (), Path("/kernels"), "one")


@pytest.mark.parametrize(
    "there",
    [b'{"argv": ["python"]}', b"[]", b"{", b'{"metadata": {"spack-pyvarium": {}}}'],
)
def test_a_kernel_that_is_not_ours(environment: Environment, tmp_path: Path, there: bytes) -> None:
    path = tmp_path / "one" / "kernel.json"
    path.parent.mkdir()
    path.write_bytes(there)
    assert kernel.installed([tmp_path]) == ()
    with pytest.raises(PyvariumError, match="is no kernel of ours; choose another --name"):
        kernel.plan(environment, (), tmp_path, "one")
    with pytest.raises(PyvariumError, match="is no kernel of ours; add --force to remove it"):
        kernel.plan_removal(tmp_path, "one")
    assert kernel.plan(environment, (), tmp_path, "one", force=True)
    kernel.write(kernel.plan_removal(tmp_path, "one", force=True))
    assert not path.parent.exists()


def test_a_kernel_of_another_environment(environment: Environment, tmp_path: Path) -> None:
    kernel.write(kernel.plan(environment, (), tmp_path, "one"))
    other = replace(environment, path=environment.path.rename(tmp_path / "other"))
    with pytest.raises(PyvariumError, match=r"is of .*/My Work; choose another --name"):
        kernel.plan(other, (), tmp_path, "one")
    assert kernel.plan(other, (), tmp_path, "one", force=True)


def test_what_somebody_put_beside_a_kernel_is_kept(
    environment: Environment, tmp_path: Path
) -> None:
    kernel.write(kernel.plan(environment, (), tmp_path, "one"))
    (tmp_path / "one/logo-64x64.png").touch()
    with pytest.raises(FileError, match="is no kernel any more; remove it"):
        kernel.write(kernel.plan_removal(tmp_path, "one"))
    assert [one.name for one in (tmp_path / "one").iterdir()] == ["logo-64x64.png"]
    with pytest.raises(PyvariumError, match="does not exist; 'spack pyvarium kernel list' shows"):
        kernel.plan_removal(tmp_path, "one")


WORDS = st.sampled_from(["/a", "/b", "/c", "{prefix}", "{connection_file}", "$A", "ü b", ""])
NAMES = st.sampled_from(["PATH", "LIST", "WORD", *HIDING])
VALUES = st.lists(WORDS, max_size=3).map(":".join)


@given(
    changes=st.lists(st.builds(Change, NAMES, st.sampled_from(Action), WORDS | VALUES)),
    environ=st.dictionaries(NAMES, VALUES),
)
def test_a_kernel_starts_with_what_the_environment_changes(
    changes: List[Change], environ: Dict[str, str]
) -> None:
    """The same as ``variables.apply``, by the words that Jupyter has replaced what it knows in."""
    environment = Environment(Path("/projects/env"), "work", ())
    content = json.loads(
        kernel.render(environment, Path("/projects/env/.venv/bin/python"), changes, "")
    )
    known = {"connection_file": "/run/k.json", "prefix": "/usr", "resource_dir": "/kernels/one"}
    words = [
        re.sub(r"\{([A-Za-z0-9_]+)\}", lambda match: known.get(match[1], match[0]), word)
        for word in content["argv"]
    ]
    started: List[Any] = []
    scope = {"os": FakeOs(environ, started), "sys": FakeSys(["-c", *words[4:]])}
    program = re.sub(r"^import (os|sys)$", "", words[3], flags=re.MULTILINE)
    exec(program, scope)
    expected = apply(changes, {"PATH": os.defpath, **environ})
    expected = apply([Change("PATH", Action.PREPEND, "/projects/env/.venv/bin")], expected)
    for name in HIDING:
        expected.pop(name, None)
    python = "/projects/env/.venv/bin/python"
    assert started == [
        (
            python,
            [python, "-m", "ipykernel_launcher", "-f", "/run/k.json"],
            {**expected, "VIRTUAL_ENV": "/projects/env/.venv"},
        )
    ]


class FakeOs:
    """As much of ``os`` as the program uses."""

    defpath = os.defpath

    def __init__(self, environ: Dict[str, str], started: List[Any]) -> None:
        self.environ = environ
        self.execve = lambda *arguments: started.append(arguments)


class FakeSys:
    """As much of ``sys`` as the program uses."""

    executable = "/projects/env/.venv/bin/python"

    def __init__(self, argv: List[str]) -> None:
        self.argv = argv


def test_the_program_by_a_real_python(environment: Environment) -> None:
    """Up to the module, which is not there."""
    content = json.loads(kernel.render(environment, environment.venv / "bin/python", (), ""))
    done = subprocess.run(content["argv"], env={}, capture_output=True, text=True)
    assert done.stderr.endswith("No module named ipykernel_launcher\n"), done
