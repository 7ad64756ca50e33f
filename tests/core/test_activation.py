# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The activation scripts, in every shell of this machine that can read them.

A shell shows all its state, activates, deactivates, and shows its state again: both must be equal,
down to the attributes of a variable. All of it happens below a directory with an awkward name.
"""

import re
import shutil
import subprocess
import venv as ordinary
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest

from pyvarium.activation import Shell, render, render_source
from pyvarium.errors import PyvariumError

AWKWARD = "a  b'c\"d$HOME!e*[f]{g}~`h`\\i%n ü é"
#: As it may be shown in a prompt that expands some of it.
HARMLESS = "a  b'c\"d_HOME_e*[f]{g}~_h__i_n ü é"
NAMES = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "SPACK_ENV")
#: What a shell changes by itself, from one command to the next.
RESTLESS = re.compile(
    r"(?:(?:declare|typeset|export)(?: -\S+| \d+)* )?\$?"
    r"(?:_|\?|RANDOM|SRANDOM|SECONDS|LINENO|EPOCH\w+|BASH_\w+|PIPESTATUS|pipestatus|status"
    r"|TTYIDLE|CMD_DURATION|KSH_MATCH|_AST_FEATURES|\.sh\..*)(?:[=\s\[:]|$)"
)


@dataclass(frozen=True)
class Program:
    """A shell, and the command that shows its variables, functions and aliases."""

    command: Tuple[str, ...]
    shell: Shell
    state: str


#: For a shell that has no list of its functions.
ONE_BY_ONE = "; ".join(
    [
        "set; export -p; alias",
        *(
            f"command -v {name} || :"
            for name in (
                "deactivate",
                "_pyvarium_deactivate",
                "_pyvarium_is_exported",
                "_pyvarium_restore",
            )
        ),
    ]
)
FISH = "set --show; functions --all; functions fish_prompt | string match -v '#*'"
PROGRAMS = {
    "dash": Program(("dash",), Shell.SH, ONE_BY_ONE),
    "bash": Program(("bash", "--norc"), Shell.SH, "declare -p; declare -f; alias"),
    "bash-posix": Program(("bash", "--posix"), Shell.SH, "declare -p; declare -f; alias"),
    "zsh": Program(("zsh", "-f"), Shell.SH, "typeset -p; functions; alias"),
    "ksh": Program(("ksh",), Shell.SH, "set; typeset -p; typeset -f; alias"),
    "mksh": Program(("mksh",), Shell.SH, "typeset -p; typeset -f; alias"),
    "yash": Program(("yash",), Shell.SH, "typeset -p; typeset -fp; alias"),
    "busybox": Program(("busybox", "sh"), Shell.SH, ONE_BY_ONE),
    "fish": Program(("fish", "--no-config"), Shell.FISH, FISH),
    "tcsh": Program(("tcsh", "-f"), Shell.CSH, "set; /usr/bin/env; alias"),
    "csh": Program(("csh", "-f"), Shell.CSH, "set; /usr/bin/env; alias"),
}
#: One of each family is enough for ``./test --fast``.
SESSIONS = {
    name: pytest.param(name, marks=[pytest.mark.programs] * (name not in {"bash", "fish", "tcsh"}))
    for name in PROGRAMS
}
POSIX = [SESSIONS[name] for name, program in PROGRAMS.items() if program.shell is Shell.SH]


class Session:
    """What is typed into one shell, and what it answered."""

    def __init__(self, name: str, folder: Path) -> None:
        self.program = PROGRAMS[name]
        if not shutil.which(self.program.command[0]):
            pytest.skip(f"{self.program.command[0]}: is not installed")
        self.shell = self.program.shell
        self.folder = folder / "session"
        self.folder.mkdir()
        self.lines = ["set -eu"] if self.shell is Shell.SH else []

    def type(self, sh: str, fish: Optional[str] = None, csh: Optional[str] = None) -> None:
        by_shell = {Shell.SH: sh, Shell.FISH: fish or sh, Shell.CSH: csh or sh}
        self.lines.append(by_shell[self.shell])

    def set(self, name: str, value: str, exported: bool = True) -> None:
        word = "'" + value.replace("!", r"\!" if self.shell is Shell.CSH else "!") + "'"
        self.type(
            f"unset {name}; {name}={word}{f'; export {name}' if exported else ''}",
            f"set -g{'x' if exported else 'u'} {name} {word}",
            f"setenv {name} {word}" if exported else f"set {name} = {word}",
        )

    def unset(self, name: str) -> None:
        self.type(f"unset {name}", f"set -eg {name}", f"unsetenv {name}")

    def source(self, file: Path) -> None:
        line = self.folder / f"line-{len(self.lines)}"
        line.write_text(render_source(self.shell, file) + "\n", encoding="utf-8")
        name = line.name
        self.type(f'eval "$(/bin/cat {name})"', f"/bin/cat {name} | source", f"eval `cat {name}`")

    def show_state(self, name: str) -> None:
        state = self.program.state
        self.type(
            f"{{ {state}; }} > {name}", f"begin; {state}; end > {name}", f"({state}) > {name}"
        )

    def show_environ(self, name: str) -> None:
        self.type(f"/usr/bin/env -0 > {name}")

    def run(self) -> None:
        """Run it far from the environment's directory, to the end."""
        script = self.folder / "script"
        script.write_text("\n".join([*self.lines, "echo done", ""]), encoding="utf-8")
        done = subprocess.run(
            [*self.program.command, script],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
        )
        self.errors = done.stderr
        self.output = done.stdout.splitlines()
        assert self.output[-1:] == ["done"], done

    def state(self, name: str) -> List[str]:
        text = (self.folder / name).read_text(encoding="utf-8", errors="surrogateescape")
        return sorted(line for line in text.splitlines() if not RESTLESS.match(line))

    def environ(self, name: str) -> Dict[str, str]:
        """The variables that a program sees, as far as they matter here."""
        entries = (self.folder / name).read_text(encoding="utf-8").split("\0")
        pairs = (entry.partition("=") for entry in entries if entry)
        return {key: value for key, _, value in pairs if key in NAMES}


@dataclass(frozen=True)
class Layered:
    """An environment with both layers; the programs in them tell where they are."""

    path: Path

    @property
    def venv(self) -> Path:
        return self.path / ".venv"

    @property
    def bins(self) -> List[Path]:
        return [self.venv / "bin", self.path / ".spack-env" / "view" / "bin"]

    def file(self, shell: Shell) -> Path:
        return self.path / shell.file

    def environ(self, path: str) -> Dict[str, str]:
        """What a program sees where it is active, of those variables that it does not unset."""
        return {
            "PATH": ":".join([*map(str, self.bins), *([path] if path else [])]),
            "VIRTUAL_ENV": str(self.venv),
            "VIRTUAL_ENV_PROMPT": self.path.name,
        }


def layered(path: Path) -> Layered:
    environment = Layered(path)
    for folder in environment.bins:
        folder.mkdir(parents=True)
        (folder / "python").write_text(f"#!/bin/sh\necho {folder.parent.name}\n")
        (folder / "python").chmod(0o755)
    for shell in Shell:
        text = render(shell, environment.venv, environment.bins, path.name)
        environment.file(shell).write_text(text, encoding="utf-8")
    return environment


@pytest.fixture
def environment(tmp_path: Path) -> Layered:
    return layered(tmp_path / AWKWARD)


@pytest.fixture(scope="module")
def ordinary_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ordinary") / "venv"
    ordinary.EnvBuilder(symlinks=True).create(path)
    return path


def activate_ordinary(session: Session, path: Path) -> None:
    scripts = {Shell.SH: "activate", Shell.FISH: "activate.fish", Shell.CSH: "activate.csh"}
    if session.shell is Shell.SH:
        session.type("set +eu")  # It was not written for these.
    if session.shell is Shell.CSH:
        session.type("if (! $?prompt) set prompt = '> '")
    session.source(path / "bin" / scripts[session.shell])


@pytest.fixture(params=SESSIONS.values())
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Session:
    return Session(request.param, tmp_path)


#: How a variable is before: its value and whether it is exported, or None where it is unset.
Settings = Dict[str, Optional[Tuple[str, bool]]]
STATES: Dict[str, Settings] = {
    "unset": {**dict.fromkeys(NAMES[1:]), "PS1": None},
    "empty": {**dict.fromkeys(NAMES[1:], ("", True)), "PS1": ("", False)},
    "set": {
        **dict.fromkeys(NAMES[1:], ("/x  y/lib:!$HOME*:ü", True)),
        "PATH": ("/usr/bin:/x  y:$HOME:/bin", True),
        "PS1": ("a  $ b> ", True),
    },
    "not exported": {
        **dict.fromkeys(NAMES[1:], ("/x", False)),
        "PATH": ("/usr/bin:/bin", False),
        "PS1": ("a> ", False),
    },
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_deactivate_restores_everything(
    session: Session, environment: Layered, state: Settings
) -> None:
    for name, setting in state.items():
        if setting is None:
            session.unset(name)
        elif session.shell is not Shell.CSH or name != "PATH":  # Its path is the list of them.
            session.set(name, *setting)
    session.show_environ("environ-before")
    session.show_state("before")
    session.source(environment.file(session.shell))
    session.show_environ("environ")
    session.show_state("active")
    session.type("deactivate")
    session.show_state("after")
    session.show_environ("environ-after")
    session.run()
    before = session.environ("environ-before")
    path = (state.get("PATH") or ("", False))[0] if session.shell is not Shell.CSH else ""
    expected = environment.environ(path or "/usr/bin:/bin")
    expected.update({"SPACK_ENV": before["SPACK_ENV"]} if "SPACK_ENV" in before else {})
    assert (session.errors, session.environ("environ")) == ("", expected)
    assert session.environ("environ-after") == before
    assert session.state("after") == session.state("before")
    shown = "\n".join(session.state("active"))
    assert ("deactivate" in shown, "_OLD_VIRTUAL_PATH" in shown) == (True, True)


@pytest.mark.parametrize("session", POSIX, indirect=True)  # Others keep a list of their own.
@pytest.mark.parametrize("path", [None, ("", True)], ids=["unset", "empty"])
def test_path_may_be_unset_or_empty(
    session: Session, environment: Layered, path: Optional[Tuple[str, bool]]
) -> None:
    session.unset("PATH")
    if path:
        session.set("PATH", *path)
    session.show_state("before")
    session.source(environment.file(session.shell))
    session.show_environ("environ")
    session.type("deactivate")
    session.show_state("after")
    session.run()
    assert (session.errors, session.environ("environ")) == ("", environment.environ(""))
    assert session.state("after") == session.state("before")


def test_another_activation_undoes_the_first(
    session: Session, environment: Layered, tmp_path: Path
) -> None:
    other = layered(tmp_path / "other")
    session.show_state("before")
    for one in (environment, environment, other, environment, other):
        session.source(one.file(session.shell))
    session.show_environ("environ")
    session.type("deactivate")
    session.show_state("after")
    session.run()
    assert (session.errors, session.environ("environ")) == ("", other.environ("/usr/bin:/bin"))
    assert session.state("after") == session.state("before")


def test_what_a_parent_has_activated_comes_back(session: Session, environment: Layered) -> None:
    """A batch job starts with the variables, and without the function."""
    session.set("VIRTUAL_ENV", "/elsewhere")
    session.set("VIRTUAL_ENV_PROMPT", "elsewhere")
    session.show_state("before")
    session.source(environment.file(session.shell))
    session.show_environ("environ")
    session.type("deactivate")
    session.show_state("after")
    session.run()
    expected = environment.environ("/usr/bin:/bin")
    assert (session.errors, session.environ("environ")) == ("", expected)
    assert session.state("after") == session.state("before")


def test_an_ordinary_venv_is_deactivated(
    session: Session, environment: Layered, ordinary_venv: Path
) -> None:
    """It leaves traces of its own, so what is compared is after it and after both."""
    session.type("PS1='> '", "true", "set prompt = '> '")
    activate_ordinary(session, ordinary_venv)
    session.type("deactivate")
    session.show_state("before")
    activate_ordinary(session, ordinary_venv)
    session.source(environment.file(session.shell))
    session.show_environ("environ")
    session.type("deactivate")
    session.show_state("after")
    session.run()
    expected = environment.environ("/usr/bin:/bin")
    assert (session.errors, session.environ("environ")) == ("", expected)
    assert session.state("after") == session.state("before")


def test_an_ordinary_venv_undoes_ours(
    session: Session, environment: Layered, ordinary_venv: Path
) -> None:
    """As far as it knows of what we set: not of PYTHONPATH, an old one not of the prompt."""
    session.source(environment.file(session.shell))
    activate_ordinary(session, ordinary_venv)
    session.show_environ("over-ours")
    session.type("deactivate")
    session.show_environ("after-it")
    session.source(environment.file(session.shell))
    session.show_environ("again")
    session.type("deactivate")
    session.show_environ("after-us")
    session.run()
    paths = [
        session.environ(name)["PATH"] for name in ("over-ours", "after-it", "again", "after-us")
    ]
    former = "/usr/bin:/bin"
    ours = environment.environ(former)["PATH"]
    assert session.errors == ""
    assert paths == [f"{ordinary_venv}/bin:{former}", former, ours, former]


def test_programs_are_looked_up_anew(session: Session, environment: Layered) -> None:
    former = session.folder / "former" / "bin"
    former.mkdir(parents=True)
    (former / "python").write_text("#!/bin/sh\necho former\n")
    (former / "python").chmod(0o755)
    session.set("PATH", f"{former}:/usr/bin:/bin")
    session.type("python")
    session.source(environment.file(session.shell))
    session.type("python")
    session.type("deactivate")
    session.type("python")
    session.run()
    assert (session.errors, session.output) == ("", ["former", ".venv", "former", "done"])


@pytest.mark.parametrize("disabled", ["", "1"])
def test_prompt(session: Session, environment: Layered, disabled: str) -> None:
    session.set("VIRTUAL_ENV_DISABLE_PROMPT", disabled)
    session.type(
        "PS1='a  > '",
        "function fish_prompt; echo -n status $status'  > '; end",
        "set prompt = 'a  > '",
    )
    show = (
        "printf '<%s>\\n' \"$PS1\"",
        "false; printf '<%s>\\n' (fish_prompt)",
        "printf '<%s>\\n' \"$prompt\"",
    )
    session.source(environment.file(session.shell))
    session.type(*show)
    session.type("deactivate")
    session.type(*show)
    session.run()
    fish = session.shell is Shell.FISH
    former = "status 1  > " if fish else "a  > "
    prefix = "" if disabled else f"({AWKWARD if fish else HARMLESS}) "
    expected = [f"<{prefix}{former}>", f"<{former}>", "done"]
    assert (session.errors, session.output) == ("", expected)


@pytest.mark.parametrize(
    ("name", "expand"),
    [
        ("bash", 'printf "%s\\n" "${PS1@P}"'),
        ("zsh", 'setopt prompt_subst prompt_bang; print -P -r -- "$PS1"'),
    ],
)
def test_prompt_expands_to_itself(
    name: str, expand: str, environment: Layered, tmp_path: Path
) -> None:
    session = Session(name, tmp_path)
    session.type("PS1='> '")
    session.source(environment.file(Shell.SH))
    session.type(expand)
    session.run()
    assert (session.errors, session.output) == ("", [f"({HARMLESS}) > ", "done"])


@pytest.mark.parametrize("session", [*POSIX, SESSIONS["tcsh"], SESSIONS["csh"]], indirect=True)
def test_alias_of_that_name_comes_back(session: Session, environment: Layered) -> None:
    words = "'echo \"alias\"'"
    session.type(f"alias deactivate={words}", csh=f"alias deactivate {words}")
    session.show_state("before")
    session.source(environment.file(session.shell))
    session.source(environment.file(session.shell))
    session.type("deactivate")
    session.show_environ("environ")
    session.show_state("after")
    session.run()
    assert (session.errors, session.environ("environ")) == ("", {"PATH": "/usr/bin:/bin"})
    assert session.state("after") == session.state("before")


def test_universal_variables_are_only_hidden(environment: Layered, tmp_path: Path) -> None:
    session = Session("fish", tmp_path)
    session.program = replace(session.program, command=("fish",))  # Others do not load them.
    session.type("set -Ux PYTHONPATH /u /v; set -Ux VIRTUAL_ENV_DISABLE_PROMPT 1")
    session.show_state("before")
    session.source(environment.file(Shell.FISH))
    session.show_environ("environ")
    session.type("deactivate")
    session.show_environ("environ-after")
    session.show_state("after")
    session.run()
    expected = {**environment.environ("/usr/bin:/bin"), "PYTHONPATH": ""}
    assert (session.errors, session.environ("environ")) == ("", expected)
    former = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/u:/v"}
    assert session.environ("environ-after") == former
    assert session.state("after") == session.state("before")


def test_options_of_zsh(environment: Layered, tmp_path: Path) -> None:
    session = Session("zsh", tmp_path)
    session.type(
        "setopt ksh_arrays sh_word_split rc_quotes warn_create_global err_return no_clobber "
        "csh_null_glob prompt_subst ksh_glob extended_glob glob_subst"
    )
    session.show_state("before")
    session.source(environment.file(Shell.SH))
    session.show_environ("environ")
    session.type("deactivate")
    session.show_state("after")
    session.run()
    expected = environment.environ("/usr/bin:/bin")
    assert (session.errors, session.environ("environ")) == ("", expected)
    assert session.state("after") == session.state("before")


def test_deactivate_needs_no_file(session: Session, environment: Layered) -> None:
    session.show_state("before")
    session.source(environment.file(session.shell))
    session.type("/bin/rm -r ../a*")
    session.type("deactivate")
    session.show_state("after")
    session.run()
    assert (session.errors, environment.path.exists()) == ("", False)
    assert session.state("after") == session.state("before")


def test_missing_venv_changes_nothing(
    session: Session, environment: Layered, tmp_path: Path
) -> None:
    active = layered(tmp_path / "active")
    session.source(active.file(session.shell))
    shutil.rmtree(environment.venv)
    session.type("set +e", "true", "true")
    session.show_state("before")
    session.source(environment.file(session.shell))
    session.type("echo status $?", "echo status $status", "echo status $status")
    session.show_state("after")
    session.run()
    line = f"error: {environment.venv}: is missing or has no python; run spack pyvarium sync\n"
    assert (session.errors, session.output) == (line, ["status 1", "done"])
    assert session.state("after") == session.state("before")


def test_running_it_tells_how_to_use_it(session: Session, environment: Layered) -> None:
    file = environment.file(session.shell)
    done = subprocess.run(
        [*session.program.command, file.name],
        cwd=environment.path,
        capture_output=True,
        encoding="utf-8",
    )
    line = f"error: {file}: has to be sourced; use: {render_source(session.shell, file)}\n"
    assert (done.stderr, done.stdout, done.returncode) == (line, "", 2)


@pytest.mark.parametrize("shell", Shell)
def test_plain_paths_stay_readable(shell: Shell) -> None:
    lines = {
        Shell.SH: ". /sw/my-env/activate.sh",
        Shell.FISH: "source '/sw/my-env/activate.fish'",
        Shell.CSH: "source /sw/my-env/activate.csh",
    }
    assert render_source(shell, Path("/sw/my-env", shell.file)) == lines[shell]


@pytest.mark.parametrize("shell", Shell)
@pytest.mark.parametrize(
    ("venv", "directory", "prompt", "subject"),
    [
        ("/a\nb/.venv", "/bin", "b", r"'/a\nb/.venv'"),
        ("/b/.venv", "/a\rb/bin", "b", r"'/a\rb/bin'"),
        ("/b/.venv", "/bin", "a\x1bb", r"'a\x1bb'"),
        ("/b/.venv", "/a:b/bin", "b", "/a:b/bin"),
    ],
    ids=["line break", "return", "escape", "colon"],
)
def test_refused(shell: Shell, venv: str, directory: str, prompt: str, subject: str) -> None:
    with pytest.raises(PyvariumError) as raised:
        render(shell, Path(venv), [Path(directory)], prompt)
    assert str(raised.value).startswith(f"{subject}: ")
