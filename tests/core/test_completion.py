# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The completion in the shells themselves: what is typed, a tab, and what then is run."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Dict, List

import documents
import pytest

from pyvarium import completion
from pyvarium.completion import Argument, Command, Kind, Shell

pytestmark = pytest.mark.programs

SPECIAL = {("config", "key"): ("backend", "mode"), ("remove", "names"): ()}
COMMANDS = tuple(completion.describe(documents.command_parser(), SPECIAL))
BY_KEY = {one.key: one for one in COMMANDS}

#: What is typed before a tab, and what it becomes; each has one completion.
TYPED = (
    ("spack pyvarium stat", "pyvarium status"),
    ("spack -e mine pyvarium ver", "-e mine pyvarium verify"),
    ("spack -c config:debug:true -D work pyvarium kernel ins", "-c config:debug:true -D work"
     " pyvarium kernel install"),
    ("spack pyvarium new --back", "pyvarium new --backend"),
    ("spack pyvarium new --backend poe", "pyvarium new --backend poetry"),
    ("spack pyvarium new --on mi", "pyvarium new --on mine"),
    ("spack -e mine pyvarium remove nu", "-e mine pyvarium remove numpy"),
    ("spack -D work pyvarium remove ri", "-D work pyvarium remove rich-click"),
    ("spack pyvarium analyze --json fi", "pyvarium analyze --json fit.py"),
    ("spack pyvarium config mo", "pyvarium config mode"),
    ("spack pyvarium completion zs", "pyvarium completion zsh"),
    ("spack pyv", "pyvarium"),
    ("spack unins", "uninstall"),  # By what completed it before.
)  # fmt: skip
#: What stands in for Spack's own completion.
BEFORE = {
    Shell.BASH: "_before() { COMPREPLY=($(compgen -W 'uninstall' -- \"$2\")); }\n"
    "complete -o default -F _before spack",
    Shell.ZSH: "autoload -U +X compinit && compinit -D -u\n"
    "_before() { compadd uninstall; }; compdef _before spack",
    Shell.FISH: "complete -c spack -n 'test (count (commandline -opc)) = 1' -f -a uninstall",
}
WORDS = {
    Shell.BASH: ["--norc", "--noprofile", "-i"],
    Shell.ZSH: ["-f", "-i"],
    Shell.FISH: ["--no-config"],
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a named environment and one that is not, each with what is in it."""
    for path in ("environments/mine", "work"):
        state = tmp_path / path / ".spack-env/pyvarium"
        state.mkdir(parents=True)
        (tmp_path / path / "spack.yaml").touch()
        (state / "constraints.txt").write_text("# From Spack.\nnumpy==2.1.3\n")
        library = tmp_path / path / ".venv/lib/python3.11/site-packages"
        (library / "rich_click-1.9.dist-info").mkdir(parents=True)
    (tmp_path / "fit.py").touch()
    return tmp_path


def script(shell: Shell, home: Path) -> Path:
    path = home / "completion"
    path.write_text(completion.render(shell, COMMANDS, home / "environments"))
    return path


def program(shell: Shell) -> str:
    found = shutil.which(shell.value)
    if found is None:
        pytest.skip(f"no {shell.value} here")
    return found


@pytest.mark.parametrize("shell", [Shell.BASH, Shell.ZSH], ids=lambda one: one.value)
def test_a_tab_completes(shell: Shell, home: Path) -> None:
    """In a terminal, with what the shell itself does to the words."""
    begin = home / "begin"
    begin.write_text(
        f"{BEFORE[shell]}\n. {shlex.quote(str(script(shell, home)))}\n"
        'spack() { echo "[ran $*]"; }\n'
    )
    typed = [f". {shlex.quote(str(begin))}\n", *(f"{words}\t\n" for words, _ in TYPED)]
    ran = in_terminal([program(shell), *WORDS[shell]], typed, home)
    assert ran == [completed for _, completed in TYPED]


def in_terminal(command: List[str], lines: List[str], home: Path) -> List[str]:
    """What ``spack`` was run with, when lines are typed one after the other was run."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(home)
        environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "dumb", "PS1": "> "}
        os.execve(command[0], command, environ)
    text, ran = "", []
    try:
        for number, line in enumerate(lines):
            os.write(terminal, line.encode())
            end = time.monotonic() + 20
            while number and len(ran) < number and time.monotonic() < end:
                if select.select([terminal], [], [], 0.1)[0]:
                    text += os.read(terminal, 4096).decode(errors="replace")
                ran = re.findall(r"\[ran ([^\]$]*)\]", text)
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)
        os.close(terminal)
    return [" ".join(one.split()) for one in ran]


def test_fish_completes(home: Path) -> None:
    """It says itself what a tab would propose."""
    lines = [BEFORE[Shell.FISH], f"source {shlex.quote(str(script(Shell.FISH, home)))}"]
    for words, _ in TYPED:
        lines += [f"complete -C {shlex.quote(words)}", "echo =="]
    done = subprocess.run(
        [program(Shell.FISH), *WORDS[Shell.FISH], "-c", "\n".join(lines)],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        cwd=home,
        capture_output=True,
        text=True,
    )
    proposed = [part.split("\t")[0].strip() for part in done.stdout.split("==\n")[:-1]]
    assert (proposed, done.stderr) == ([completed.split()[-1] for _, completed in TYPED], "")


def test_all_that_bash_proposes(home: Path) -> None:
    """Many at once, for a word that is not begun."""
    text = f". {shlex.quote(str(script(Shell.BASH, home)))}\n"
    asked: Dict[str, List[str]] = {
        "spack pyvarium kernel ": ["install", "list", "remove"],
        "spack pyvarium new --backend ": ["pdm", "pip", "poetry", "uv"],
        "spack pyvarium remove ": [],
        "spack -e mine pyvarium remove ": ["numpy", "rich-click"],
        "spack pyvarium add ": [],
    }
    for line in asked:
        text += (
            f"COMP_LINE={shlex.quote(line)}; COMP_POINT=${{#COMP_LINE}};"
            " COMP_WORDS=($COMP_LINE ''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
            ' COMPREPLY=(); __pyvarium_spack; echo "${COMPREPLY[*]}"\n'
        )
    done = subprocess.run(
        [program(Shell.BASH), "--norc", "-c", text], cwd=home, capture_output=True, text=True
    )
    assert [sorted(line.split()) for line in done.stdout.splitlines()] == list(asked.values())


def test_a_command_as_a_value() -> None:
    assert BY_KEY["completion"] == Command(
        ("completion",),
        (),
        (
            Argument(("-h", "--help"), Kind.FLAG, (), "show this help message and exit"),
            Argument((), Kind.CHOICE, ("bash", "zsh", "fish"), "for which shell"),
        ),
    )
    kinds = {(one.key, *arg.names): arg.kind for one in COMMANDS for arg in one.arguments}
    assert kinds[("new", "--from")] is Kind.FILE
    assert kinds[("modulegen",)] is Kind.ENVIRONMENT
    assert kinds[("remove",)] is Kind.DISTRIBUTION
    assert kinds[("setup uv",)] is Kind.DIRECTORY


def test_what_is_quoted(tmp_path: Path) -> None:
    """The place of the environments is text of a user, whatever is in it."""
    path = tmp_path / "it's $(touch ran) `a`"
    (path / "mine").mkdir(parents=True)
    (path / "mine" / "spack.yaml").touch()
    for shell in Shell:
        if shutil.which(shell.value) is None:
            continue
        file = tmp_path / "script"
        file.write_text(completion.render(shell, COMMANDS, path))
        code = f". {shlex.quote(str(file))}; __pyvarium_environments"
        if shell is Shell.ZSH:  # Which proposes instead of printing.
            code = (
                f"compdef() {{ }}; . {shlex.quote(str(file))};"
                " _describe() { print -l -- ${(P)4} }; __pyvarium_environments"
            )
        words = WORDS[shell][:1]
        done = subprocess.run(
            [shell.value, *words, "-c", code], cwd=tmp_path, capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == ("mine\n", ""), shell
    assert not (tmp_path / "ran").exists()
