# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

import pyvarium
from made_packs import RUNNER, made, usual
from pyvarium import launch
from pyvarium.errors import PyvariumError
from pyvarium.launch import Wish
from pyvarium.model import Environment
from pyvarium.variables import Action, Change

pytestmark = pytest.mark.programs

CORE = Path(pyvarium.__file__).parents[1]


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """One with a python in its venv and a program in its view."""
    path = tmp_path / "my-env"
    view = path / ".spack-env" / "view"
    for program in (path / ".venv" / "bin" / "python", view / "bin" / "tool"):
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\necho "$0"\n')
        program.chmod(0o755)
    (path / "spack.yaml").write_text("spack:\n  view: true\n")
    return Environment(path, path.name, (view,))


def run(*words: object, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pyvarium", "run", *map(str, words)]
    variables = {**os.environ, "PYTHONPATH": str(CORE), **environ}
    return subprocess.run(command, env=variables, capture_output=True, text=True)


def test_the_variables_are_those_of_activating(environment: Environment) -> None:
    changes = [Change("DATA", Action.SET, "/data"), Change("PATH", Action.PREPEND, "/view/bin")]
    before = {"PATH": "/usr/bin", "PYTHONPATH": "/x", "PYTHONHOME": "/y", "HOME": "/home"}
    venv = environment.path / ".venv"
    assert launch.variables(environment, changes, before) == {
        "PATH": f"{venv}/bin:/view/bin:/usr/bin",
        "HOME": "/home",
        "DATA": "/data",
        "VIRTUAL_ENV": str(venv),
        "VIRTUAL_ENV_PROMPT": "my-env",
    }


def test_an_environment_without_a_venv_is_told(tmp_path: Path) -> None:
    with pytest.raises(PyvariumError, match=r"is missing; run 'spack pyvarium sync'$"):
        launch.variables(Environment(tmp_path, "my-env", None), [], {})


def test_the_runner_gets_what_was_asked_for() -> None:
    words = launch.runner(Wish("DIR", "5"), Path("a.tar.gz"), ["python", "-V"])
    assert words[:2] == ["/bin/sh", str(CORE / "templates" / "pack" / "pyvarium-run")]
    assert words[2:] == [
        *("--unpack-with", sys.executable, str(CORE)),
        *("-u", "DIR", "-w", "5", "-e", "a.tar.gz", "--", "python", "-V"),
    ]
    assert launch.runner(Wish(keep="1", clean=True), None, [])[5:] == ["--keep", "1", "--clean"]
    assert Path(words[1]).samefile(RUNNER)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], []),
        (["--"], []),
        (["a", "--", "b"], ["a", "--", "b"]),
        (["--", "a", "--", "b"], ["a", "--", "b"]),
    ],
)
def test_only_the_first_dashes_are_no_part_of_a_command(
    words: List[str], command: List[str]
) -> None:
    assert launch.plain(words) == command


def test_a_command_runs_in_the_active_environment_or_in_a_named_one(
    environment: Environment, tmp_path: Path
) -> None:
    tool = environment.path / ".spack-env" / "view" / "bin" / "tool"
    for words, variables in (
        (("-e", environment.path, "tool"), {}),
        (("tool",), {"SPACK_ENV": str(environment.path)}),
    ):
        done = run(*words, **variables)
        assert (done.stdout, done.stderr, done.returncode) == (f"{tool}\n", "", 0)
    done = run("-e", environment.path, "--", "sh", "-c", 'printf "[%s]" "$@"', "x", "--", "-e")
    assert done.stdout == "[--][-e]"
    done = run("-e", tmp_path, "true")
    assert "has neither spack.yaml nor spack.lock" in done.stderr and done.returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sh", "-c", "exit 42"], 42, ""),
        (["sh", "-c", "kill -9 $$"], -9, ""),
        (["no-such-program"], 127, "error: no-such-program: not found\n"),
        (["/"], 126, "error: /: cannot be run\n"),
        (["script"], 3, ""),
        ([], 2, "error: run: takes a command, or --clean without one\n"),
    ],
)
def test_exit_codes(words: List[str], code: int, said: str, environment: Environment) -> None:
    script = environment.path / ".venv" / "bin" / "script"  # Without a first line, as a shell's.
    script.write_text("exit 3\n")
    script.chmod(0o755)
    done = run("-e", environment.path, *words)
    assert (done.returncode, done.stderr, done.stdout) == (code, said, "")


def test_a_pack_is_run_and_cleared_away(tmp_path: Path) -> None:
    pack = made(*usual(**{"data/a": "A"}))
    file = pack.write(tmp_path / "a.tar.gz")
    home = tmp_path / "cache" / pack.content_id
    options = ("-e", file, "-u", tmp_path / "cache")
    done = run(*options, "sh", "-c", 'cat "$PYVARIUM_PACK/data/a"; exit 7')
    assert (done.stdout, done.stderr, done.returncode) == ("A", "", 7)
    assert run("-e", home, "cat", home / "data" / "a").stdout == "A"
    assert run("-u", tmp_path / "cache", "--clean").stdout == f"{home}: removed\n"


def test_a_hostile_pack_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    file = made().but(id="0" * 64).write(tmp_path / "a.tar.gz")
    done = run("-e", file, "-u", tmp_path / "cache", "echo", "ran")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr == (
        f"pyvarium-run: {file}: its manifest has another digest than its id says; copy or pack it"
        " again\n"
    )
