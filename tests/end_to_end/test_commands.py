# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The commands on real environments: what they print, what they write and how they exit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spacks import PYPROJECT, TOP, Done, NewEnvironment, Spack, write


@pytest.mark.usefixtures("on_newest_spack")
def test_sync(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0")
    spack.with_environ(SPACK_PYVARIUM="off")("-D", environment.path, "install")

    def sync(*options: str, code: int = 0) -> str:
        done = spack("-D", environment.path, "pyvarium", "sync", *options, code=code)
        return done.out

    would = f"{environment.pyproject}: would be changed: tiny==1.0 added\n"
    assert sync("--check", code=3) == would
    assert sync("--dry-run") == would
    diff = sync("--diff")
    assert environment.text == PYPROJECT
    answer = {
        "added": {"tiny": "1.0"},
        "backend": None,
        "changed": {},
        "checked-by": "view",
        "created": False,
        "in-step": False,
        "layer": "made, 1 shims written",
        "mode": "bound",
        "pins": {"tiny": "1.0"},
        "pyproject": str(environment.pyproject),
        "removed": {},
        "skipped": [],
        "written": True,
    }
    assert json.loads(sync("--json")) == answer
    assert [line[1:] for line in diff.splitlines()[3:] if line[0] == "+"] == (
        environment.text[len(PYPROJECT) :].splitlines()
    )
    assert sync() == f"{environment.pyproject}: in step\n"
    in_step = {**answer, "added": {}, "in-step": True, "layer": "in step", "written": False}
    assert json.loads(sync("--check", "--json")) == in_step


def test_status(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0")
    spack("-D", environment.path, "install")
    answer = json.loads(spack("-D", environment.path, "pyvarium", "status", "--json").out)
    [root] = json.loads((environment.path / "spack.lock").read_text())["roots"]
    [path] = environment.view.glob("lib/python*/site-packages/tiny-*")
    assert answer == {
        "distributions": [
            {
                "name": "tiny",
                "version": "1.0",
                "layer": "spack",
                "spec": "py-tiny@1.0",
                "hash": root["hash"],
                "direct": True,
                "path": str(path),
            }
        ],
        "python": path.parent.parent.name.replace("python", ""),
        "skipped": [],
    }


def test_named_environment(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-six@1.16.0", name="environments/mine")
    done = spack("-e", "mine", "install")
    assert done.said == [environment.says("six==1.16.0 added")]
    assert spack("-e", "mine", "pyvarium", "sync", "--check").out == (
        f"{environment.pyproject}: in step\n"
    )


def test_no_environment(spack: Spack) -> None:
    for command in ("sync", "status"):
        assert spack("pyvarium", command, code=1).err == (
            "==> Error: no Spack environment is active; choose one: spack -e NAME pyvarium ...,"
            " spack -D DIR pyvarium ..., or 'spack env activate'\n"
        )


def check(directory: Path) -> Done:
    """Check by files alone, with a Python that knows no Spack."""
    command = [sys.executable, "-m", "pyvarium", "check", str(directory)]
    environ = {**os.environ, "PYTHONPATH": str(TOP / "spack-pyvarium")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("on_newest_spack")
def test_files_only(spack: Spack, new_environment: NewEnvironment) -> None:
    """The same answers as from Spack, and from the two files that a repository holds."""
    environment = new_environment("py-tiny@1.0", "py-six@1.16.0")
    spack("-D", environment.path, "install")
    drifted = environment.text.replace("six==1.16.0", "six==1.15.0")
    copy = spack.root / "copy"
    for text, code, answer, by_digest in (
        (environment.text, 0, "in step", "in step"),
        (
            drifted,
            3,
            "would be changed: six==1.15.0 -> 1.16.0",
            "has other pins than the last sync wrote",
        ),
    ):
        environment.pyproject.write_text(text)
        by_spack = spack("-D", environment.path, "pyvarium", "sync", "--check", code=code)
        expected = Done(code, f"{environment.pyproject}: {answer}\n", "")
        assert (by_spack, check(environment.path)) == (expected, expected)
        for file in (environment.pyproject, environment.path / "spack.lock"):
            write(copy / file.name, file.read_text())
        answer = f"{copy / 'pyproject.toml'}: {by_digest} (by digest: no view here)\n"
        assert check(copy) == Done(code, answer, "")


def test_spack_is_untouched(spack: Spack) -> None:
    """Whatever ran before this: nothing of Spack's own files has changed."""
    command = ["git", "-C", str(spack.host.prefix / "spack"), "status", "--porcelain"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""
