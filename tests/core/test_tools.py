# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

import pytest

from pyvarium import host
from pyvarium.errors import PyvariumError
from pyvarium.model import Backend
from pyvarium.settings import Setting
from pyvarium.tools import Installation, Tool, find, install

PYTHON = host.probe(sys.executable).executable
SETUP = "run 'spack pyvarium setup uv PREFIX'"


def script(path: Path, text: str) -> Path:
    """A program that prints this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@dataclass
class Machine:
    """Answers the commands of an installation: a venv is a file, and pip installs ``latest``."""

    latest: str = "1.0"
    without_venv: bool = False
    pip_says: str = ""
    commands: List[str] = field(default_factory=list)

    def __call__(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        self.commands.append(" ".join(command[1:]))
        done = subprocess.CompletedProcess(command, 0, "", "")
        program = Path(command[0])
        if "--version" in command:
            done.stdout = f"uv {program.read_text()} (of some day)\n"
        elif "-c" in command:
            done.returncode = int(self.without_venv)
        elif "venv" in command:
            script(Path(command[-1], "bin", "python"), "")
            Path(command[-1], "pyvenv.cfg").touch()
        elif self.pip_says:
            done.returncode, done.stderr = 1, self.pip_says
        else:
            wanted = command[-1].partition("==")[2]
            (program.parent / "uv").write_text(wanted or self.latest)
        return done


def tree(directory: Path) -> List[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.mark.parametrize(
    ("backend", "says", "version"),
    [
        (Backend.UV, "uv 0.7.2 (8414e9f3d 2025-04-25)", "0.7.2"),
        (Backend.POETRY, "Poetry (version 2.2.0)", "2.2.0"),
        (Backend.PDM, "PDM, version 2.20.0.post1", "2.20.0.post1"),
        (Backend.PIP, "pip 25.1 from /x (python 3.11)", "25.1"),
    ],
)
def test_programs_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Backend, says: str, version: str
) -> None:
    path = script(tmp_path / backend.value, f"echo '{says}'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find(backend, None) == Tool(path, version)


def test_the_configured_program_comes_before_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "uv", "echo uv 0.7.2")
    path = script(tmp_path / "own" / "uv", "echo uv 0.13.8")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find(Backend.UV, Setting(str(path), "scope user")) == Tool(path, "0.13.8")


@pytest.mark.parametrize(
    ("text", "configured", "message"),
    [
        (None, False, f"uv: is not on PATH; install uv 0.6.17 or newer, or {SETUP}"),
        (
            None,
            True,
            "{path}: cannot be run (No such file or directory);"
            f" mend tools.uv in scope user, or {SETUP}",
        ),
        (
            "echo uv 0.6.9",
            False,
            "{path}: is uv 0.6.9, and 0.6.17 or newer is needed;"
            f" install uv 0.6.17 or newer, or {SETUP}",
        ),
        (
            "echo uv 1.0; echo 'uv: not of this Python' >&2; exit 1",
            True,
            f"{{path}}: does not work (uv: not of this Python); mend tools.uv in scope user,"
            f" or {SETUP}",
        ),
        (
            "echo PDM, version 2.20.1",
            True,
            "{path}: does not work (PDM, version 2.20.1);"
            f" mend tools.uv in scope user, or {SETUP}",
        ),
    ],
    ids=["not-on-path", "not-there", "too-old", "broken", "another-program"],
)
def test_programs_that_will_not_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: Optional[str],
    configured: bool,
    message: str,
) -> None:
    path = tmp_path / "uv"
    if text is not None:
        script(path, text)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PyvariumError) as raised:
        find(Backend.UV, Setting(str(path), "scope user") if configured else None)
    assert str(raised.value) == message.format(path=path)


def test_installing_twice_is_once(tmp_path: Path) -> None:
    machine, prefix = Machine("1.0"), tmp_path / "new" / "uv"
    tool = Tool(prefix / "bin/uv", "1.0")
    assert install(Backend.UV, prefix, run=machine) == Installation(tool, new=True)
    assert [command for command in machine.commands if "pip install" in command] == [
        "-m pip install --quiet --no-input --upgrade --prefer-binary uv>=0.6.17"
    ]
    assert json.loads((prefix / "pyvarium.json").read_text()) == {
        "backend": "uv",
        "complete": True,
        "python": PYTHON,
    }
    again = Machine("2.0")
    assert install(Backend.UV, prefix, run=again) == Installation(tool, new=False)
    assert install(Backend.UV, prefix, run=again, version="1") == Installation(tool, new=False)
    assert again.commands == ["--version", "--version"]


def test_another_version_takes_the_place_of_one_that_works(tmp_path: Path) -> None:
    install(Backend.UV, tmp_path, run=Machine())
    before = tree(tmp_path)
    with pytest.raises(PyvariumError, match=r"uv==9.0 could not be installed \(ERROR: none\)"):
        install(Backend.UV, tmp_path, version="9.0", run=Machine(pip_says="ERROR: none\n"))
    assert tree(tmp_path) == before
    tool = Tool(tmp_path / "bin/uv", "9.0")
    assert install(Backend.UV, tmp_path, version="9.0", run=Machine()) == Installation(tool, True)


@pytest.mark.parametrize("what", ["half", "broken"])
def test_what_is_not_whole_is_made_anew(tmp_path: Path, what: str) -> None:
    install(Backend.UV, tmp_path, run=Machine())
    (tmp_path / "notes.txt").write_text("the user's own")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "remains").touch()
    if what == "half":
        record = tmp_path / "pyvarium.json"
        record.write_text(record.read_text().replace("true", "false"))
    else:
        (tmp_path / "bin" / "uv").write_text("nothing")
    tool = Tool(tmp_path / "bin/uv", "2.0")
    assert install(Backend.UV, tmp_path, run=Machine("2.0")) == Installation(tool, new=True)
    assert tree(tmp_path) == [
        *("bin", "bin/python", "bin/uv", "notes.txt", "pyvarium.json", "pyvenv.cfg")
    ]


OTHER = {"pyvarium.json": json.dumps({"backend": "pdm", "python": "/opt/python"})}


@pytest.mark.parametrize(
    ("present", "machine", "options", "message"),
    [
        (
            {"pyvenv.cfg": "home = /usr\n", "bin/uv": ""},
            Machine(),
            {},
            "{prefix}: is there already, for something else; choose another path, or name the"
            " program in it by 'spack pyvarium config tools.uv PATH'",
        ),
        (
            "a file",
            Machine(),
            {},
            "{prefix}/pyvarium.json: cannot be read (Not a directory);"
            " move away what stands there",
        ),
        (
            OTHER,
            Machine(),
            {},
            "{prefix}: was made for pdm and /opt/python; choose another path or remove it",
        ),
        (
            {"pyvarium.json": "{"},
            Machine(),
            {},
            "{prefix}/pyvarium.json: Expecting property name enclosed in double quotes: line 1"
            " column 2 (char 1); remove {prefix}",
        ),
        (
            {},
            Machine(without_venv=True),
            {},
            f"{PYTHON}: cannot make a venv; install what its system splits off as python3-venv,"
            " or name another Python by --python",
        ),
        (
            {},
            Machine(pip_says="WARNING: no route\nERROR: No matching distribution for uv\n"),
            {},
            "{prefix}: uv>=0.6.17 could not be installed (ERROR: No matching distribution for"
            " uv); mend this, or name an index that can be reached by PIP_INDEX_URL",
        ),
        (
            {},
            Machine("0.5.31"),
            {},
            "{prefix}/bin/uv: is uv 0.5.31, and 0.6.17 or newer is needed;"
            " remove the directory and try again",
        ),
        (
            {},
            Machine(),
            {"version": "0.6.16"},
            "uv 0.6.16: is too old; choose 0.6.17 or newer",
        ),
        (
            {},
            Machine(),
            {"version": "newest"},
            "'newest': is not a version; give one such as 1.2.3",
        ),
        (
            {},
            Machine(),
            {"python": "/nowhere/python"},
            "/nowhere/python: No such file or directory; install it or name another",
        ),
    ],
    ids=[
        *("something-else", "file", "other-backend", "broken-record", "no-ensurepip", "no-index"),
        *("old-index", "old", "no-version", "no-python"),
    ],
)
def test_where_nothing_is_installed_nothing_is_changed(
    tmp_path: Path,
    present: Union[str, Dict[str, str]],
    machine: Machine,
    options: Dict[str, Any],
    message: str,
) -> None:
    prefix = tmp_path / "prefix"
    if isinstance(present, str):
        prefix.write_text(present)
    for name, text in present.items() if isinstance(present, dict) else ():
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(text)
    before = tree(tmp_path)
    with pytest.raises(PyvariumError) as raised:
        install(Backend.UV, prefix, run=machine, **options)
    assert (str(raised.value), tree(tmp_path)) == (message.format(prefix=prefix), before)


def test_a_prefix_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    prefix = tmp_path / "file" / "uv"
    with pytest.raises(PyvariumError) as raised:
        install(Backend.UV, prefix, run=Machine())
    assert str(raised.value).startswith(f"{prefix}")


def test_programs_run_apart_from_the_python_that_is_active(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/view")
    path = script(tmp_path / "uv", "echo uv 1.0${PYTHONPATH+.$PYTHONPATH}")
    assert find(Backend.UV, Setting(str(path), "scope user")) == Tool(path, "1.0")
