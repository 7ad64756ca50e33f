# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The scripts of a pack that set variables, as shells run them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvarium import run_script
from pyvarium.errors import PyvariumError
from pyvarium.pack_manifest import Reference
from pyvarium.variables import Action, Change, apply

SCRIPTS = (run_script.NAME, run_script.SOURCED)
#: What a shell sets by itself.
SHELLS_OWN = {"_", "PWD", "OLDPWD", "SHLVL"}
ODD = "a 'b' \"c\" $HOME `id` \\ * ;& \n é\t"


def written(
    top: Path,
    changes: Sequence[Change] = (),
    path: Sequence[str] = (),
    reference: Optional[Reference] = None,
) -> Path:
    (top / "bin").mkdir(parents=True, exist_ok=True)
    for name in SCRIPTS:
        (top / name).write_bytes(run_script.render(name, changes, path, reference))
        (top / name).chmod(0o755)
    return top


def environ_in(command: List[object], environ: Dict[str, str]) -> Dict[str, str]:
    done = subprocess.run(command, env=environ, capture_output=True)  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, b"")
    entries = [os.fsdecode(one).partition("=") for one in done.stdout.split(b"\0") if one]
    return {name: value for name, _, value in entries if name not in SHELLS_OWN}


def seen(top: Path, **environ: str) -> Dict[str, str]:
    """What a command sees by run_in_env; the same as by sourcing the other script in bash."""
    found = environ_in([top / run_script.NAME, "/usr/bin/env", "-0"], environ)
    bash = shutil.which("bash")
    if bash:
        sourced = [bash, "-c", '. "$0"; exec /usr/bin/env -0', top / run_script.SOURCED]
        assert environ_in(sourced, {"PATH": os.defpath, **environ}) == {
            "PATH": os.defpath,
            **found,
        }
    return found


WORDS = st.lists(
    st.one_of(
        st.sampled_from([*"$'\"`\\\n *?~!#&;|<>(){}[]=:%", "{pack}"]),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=25)
@given(
    value=WORDS, other=WORDS, before=WORDS, separator=st.sampled_from([":", ";", " ", "'", "}"])
)
def test_what_is_set_is_what_is_seen(
    value: str, other: str, before: str, separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changes = [
        Change("SET", Action.SET, value),
        Change("UNSET", Action.UNSET),
        Change("FIRST", Action.PREPEND, value, separator),
        Change("LAST", Action.APPEND, other, separator),
        Change("NEW", Action.APPEND, other, separator),
    ]
    top = written(tmp_path_factory.mktemp("a pack's"), changes)
    environ = {"UNSET": "x", "FIRST": before, "LAST": before}
    found = environ_in([top / run_script.NAME, "/usr/bin/env", "-0"], environ)

    def here(text: str) -> str:
        return text.replace("{pack}", str(top))

    assert {name: found.get(name) for name in ("SET", "UNSET", "FIRST", "LAST", "NEW")} == {
        "SET": here(value),
        "UNSET": None,
        "FIRST": here(value) + (separator + before if before else ""),
        "LAST": (before + separator if before else "") + here(other),
        "NEW": here(other),
    }


def test_as_spack_applies_them(tmp_path: Path) -> None:
    changes = [
        Change("A", Action.SET, ODD),
        Change("B", Action.PREPEND, ODD),
        Change("B", Action.APPEND, "last"),
        Change("C", Action.UNSET),
        Change("D", Action.SET, ""),
    ]
    environ = {"B": ODD[1:], "C": "c"}
    after = apply(changes, environ)
    assert seen(written(tmp_path / "p", changes), **environ) == after


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"], ["busybox", "sh"]])
def test_shells(shell: List[str], tmp_path: Path) -> None:
    """Old shells split what is behind ``export`` at blanks."""
    found = shutil.which(shell[0])
    if found is None:
        pytest.skip(f"no {shell[0]} here")
    changes = [Change("A", Action.SET, ODD), Change("B", Action.PREPEND, "* b", ";")]
    top = written(tmp_path / "p", changes, ["{pack}/python/bin"])
    command: List[object] = [found, *shell[1:], top / run_script.NAME, "/usr/bin/env", "-0"]
    environ = environ_in(command, {"B": "c  d *", "PATH": "/a b:/usr/bin"})
    assert environ == {"A": ODD, "B": "* b;c  d *", "PATH": f"{top}/python/bin:/a b:/usr/bin"}


def test_what_is_removed_from_lists_is_not_set(tmp_path: Path) -> None:
    top = written(tmp_path / "p", [Change("A", Action.REMOVE, "a")])
    assert seen(top, A="a:b") == {"A": "a:b"}


def test_nothing_stands_behind_export() -> None:
    text = run_script.render(run_script.NAME, [Change("A", Action.PREPEND, "a")], ["b"], None)
    lines = [one for one in text.decode().splitlines() if one.startswith("export ")]
    assert lines == ["export A", "export PATH"]


def test_path(tmp_path: Path) -> None:
    top = written(
        tmp_path / "with blank",
        [Change("PATH", Action.PREPEND, "{pack}/lower/libexec")],
        ["{pack}/python/bin", "{pack}/lower/bin"],
    )
    expected = ":".join(f"{top}/{one}" for one in ("python/bin", "lower/bin", "lower/libexec"))
    assert seen(top, PATH="/bin", PYTHONPATH="/x", PYTHONHOME="/y") == {"PATH": f"{expected}:/bin"}


def test_found_by_its_own_path(tmp_path: Path) -> None:
    top = written(tmp_path / "p", [Change("HERE", Action.SET, "{pack}")])
    (tmp_path / "link").symlink_to(top / run_script.NAME)
    (tmp_path / "directory").symlink_to(top)
    for path, cwd in (
        ("bin/run_in_env", top),
        ("./run_in_env", top / "bin"),
        ("../bin/run_in_env", top / "bin"),
        (str(tmp_path / "link"), tmp_path),
        ("./link", tmp_path),
        ("p//bin/run_in_env", tmp_path),
        ("p/./bin/run_in_env", tmp_path),
    ):
        done = subprocess.run([path, "sh", "-c", "echo $HERE"], cwd=cwd, capture_output=True)
        assert (done.stdout.decode(), done.stderr) == (f"{top}\n", b""), path


def test_no_command(tmp_path: Path) -> None:
    assert subprocess.run([written(tmp_path / "p") / run_script.NAME]).returncode == 0


def test_the_command_has_its_words_and_gives_its_code(tmp_path: Path) -> None:
    top = written(tmp_path / "p")
    done = subprocess.run(
        [top / run_script.NAME, "sh", "-c", 'printf "%s|" "$@"; exit 7', "0", ODD, "", "-x"],
        capture_output=True,
    )
    assert (done.returncode, done.stdout.decode()) == (7, f"{ODD}||-x|")
    assert subprocess.run([top / run_script.NAME, "/missing"], stderr=-3).returncode == 127


def test_a_colon_in_the_path_is_told(tmp_path: Path) -> None:
    top = written(tmp_path / "a:b")
    done = subprocess.run([top / run_script.NAME, "true"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {top}: PATH separates directories by the colon in this one; move the pack\n"
    )


@pytest.mark.parametrize("name", ["", "A-B", "1A", "A B", "A;id", "Ä", "A\n"])
def test_names_that_no_shell_can_set(name: str) -> None:
    with pytest.raises(PyvariumError, match="is a name that no shell can set; rename it"):
        run_script.render(run_script.NAME, [Change(name, Action.SET, "a")], (), None)


def test_what_a_reference_needs_is_told(tmp_path: Path) -> None:
    python, view = tmp_path / "it's $HOME/python3", tmp_path / "view"
    top = written(tmp_path / "p", reference=Reference(str(view), str(python)))
    done = subprocess.run([top / run_script.NAME, "true"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.partition("; ")[0]) == (
        1,
        f"error: {python}: is not on this machine, and this pack was made without it"
        " (--lower reference)",
    )
    view.mkdir()
    python.parent.mkdir()
    python.touch()
    assert seen(top, A="a") == {"A": "a"}


def test_a_shell_that_sources_goes_on(tmp_path: Path) -> None:
    """Its user would lose the terminal."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    top = written(tmp_path / "p", reference=Reference("/missing/view", "/missing/python"))
    command = [bash, "-c", '. "$0"; echo on', top / run_script.SOURCED]
    assert subprocess.run(command, capture_output=True).stdout == b"on\n"
