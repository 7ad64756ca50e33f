# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a module file says, how each language quotes it, and what it is called."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Callable, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.errors import PyvariumError
from pyvarium.modulefile import (
    ANY,
    Described,
    Language,
    check_name,
    mark,
    module_name,
    owner,
    quote_lua,
    quote_tcl,
    suits,
    values,
)
from pyvarium.variables import Action, Change

VIEW = Change("PATH", Action.PREPEND, "/e/analysis/.spack-env/view/bin")
WORK = Described(
    path=Path("/e/analysis"),
    environment="work",
    python="3.12",
    backend="uv",
    mode="bound",
    spack="1.1.0",
    locks=(("spack.lock", "sha256:aa"), ("uv.lock", "sha256:bb")),
    provided=(("numpy", "2.1"),),
    installed=(("rich", "13.0"), ("zzz", "1.0")),
    changes=(VIEW,),
)
#: The Tcl of today keeps characters beyond the first plane in its own way.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=40)


def run(program: str, text: str, suffix: str, directory: Path) -> bytes:
    file = directory / f"script{suffix}"
    file.write_bytes(text.encode())
    words = {"tclsh": ["tclsh", "-encoding", "utf-8"], "lua": ["lua"]}[program]
    environ = {"PATH": "/usr/bin:/bin:/usr/local/bin", "LANG": "C.UTF-8"}
    done = subprocess.run([*words, str(file)], capture_output=True, env=environ, check=True)
    return done.stdout


@pytest.mark.skipif(not shutil.which("tclsh"), reason="no tclsh here")
@given(texts=st.lists(TEXTS, max_size=8))
def test_tcl_reads_what_was_quoted(
    texts: List[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each in a list of words, and in the body of a procedure, where braces are counted."""
    words = " ".join(map(quote_tcl, texts))
    script = (
        "fconfigure stdout -translation binary\n"
        f"proc say {{}} {{\n    return [list {words}]\n}}\n"
        f"foreach one [say] {{ puts -nonewline [encoding convertto utf-8 $one]\\x00 }}\n"
        f"if {{[say] ne [list {words}]}} {{ exit 1 }}\n"
    )
    # Tcl writes NUL as two bytes, since it is the end of a text in C.
    expected = "".join(f"{text}\0" for text in texts).encode()
    assert run("tclsh", script, ".tcl", tmp_path_factory.mktemp("tcl")) == expected


@pytest.mark.skipif(not shutil.which("lua"), reason="no lua here")
@given(texts=st.lists(TEXTS, max_size=8))
def test_lua_reads_what_was_quoted(
    texts: List[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    script = "".join(f"io.write({quote_lua(text)}, '\\0')\n" for text in texts)
    expected = "".join(f"{text}\0" for text in texts).encode()
    assert run("lua", script, ".lua", tmp_path_factory.mktemp("lua")) == expected


@pytest.mark.parametrize(
    ("quote", "text", "word"),
    [
        (quote_tcl, 'a "b" $c [d] {e} \\', '"a \\"b\\" \\$c \\[d\\] \\{e\\} \\\\"'),
        (quote_tcl, "a\nb\x1a", '"a\\u000ab\\u001a"'),
        (quote_lua, 'a "b" \\n ]]', '"a \\"b\\" \\\\n ]]"'),
        (quote_lua, "a\nb\x009", '"a\\nb\\0009"'),
        (quote_lua, "é", '"é"'),
    ],
)
def test_quoted(quote: Callable[[str], str], text: str, word: str) -> None:
    assert quote(text) == word


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_file_of_ours_is_known_by_one_line(name: str) -> None:
    """Nothing in a path ends the comment, or goes on after it, and no other program reads it."""
    path = f"/e/{name}"
    line = mark(Path(path))
    assert line.isascii()
    assert line.isprintable()
    for text in (f"#%Module1.0\n## {line}\nputs 1\n", f"-- {line}\nprint(1)\n"):
        assert owner(text.encode()) == str(Path(path))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#%Module1.0\nmodule-whatis x\n",
        b'setenv X 1\n## spack-pyvarium: module file of "/e"\n',
        b"-- spack-pyvarium: module file of /e\n",
        b'-- spack-pyvarium: module file of "\n',
        b'-- spack-pyvarium: module file of "\\x"\n',
        b"\xff\xfe",
    ],
)
def test_other_files_are_not_ours(data: bytes) -> None:
    assert owner(data) is None


@pytest.mark.parametrize(
    ("template", "environment", "name"),
    [
        ("pyvarium/{environment}", "work", "pyvarium/work"),
        ("{environment}/{digest}", "work", f"work/{WORK.tokens['digest']}"),
        ("{name}/{version}", "work", f"work/{WORK.tokens['digest']}"),
        ("{name}-{hash:4}", "work", f"work-{WORK.tokens['digest'][:4]}"),
        ("a/{environment}-{python}", "My Work", "a/My_Work-3.12"),
        ("a/{environment}", "../../etc", "a/_._.._etc"),
        ("a/{environment}", "*", "a/_"),
        ("a/{environment}", "x.lua", "a/x_"),
        ("a/{environment}", "é", "a/_"),
    ],
)
def test_name(template: str, environment: str, name: str) -> None:
    tokens = replace(WORK, environment=environment).tokens
    assert module_name(template, tokens) == name


def test_name_of_any_digest() -> None:
    tokens = {**WORK.tokens, "digest": ANY}
    assert module_name("{environment}/{digest}", tokens) == "work/*"


def test_digest_follows_the_locks() -> None:
    other = replace(WORK, locks=(("spack.lock", "sha256:ab"),))
    assert WORK.tokens["digest"] != other.tokens["digest"]
    assert replace(WORK, spack="2").tokens == WORK.tokens


@pytest.mark.parametrize(
    "template", ["", "/a", "a/", "a//b", "a b", ".a", "../a", "{a}", "{a", "*", "a\n", "{name}$"]
)
def test_templates_that_make_no_name(template: str) -> None:
    with pytest.raises(PyvariumError, match="module name"):
        check_name(template)
    assert not suits(template, WORK.tokens)


def test_which_projections_suit() -> None:
    found = [
        template
        for template in ("{name}", "x/{name}/{version}", "{name}-{compiler.name}", "{version}")
        if suits(template, WORK.tokens)
    ]
    assert found == ["{name}", "x/{name}/{version}"]


def test_values() -> None:
    found = values(WORK, "pyvarium/work", Language.TCL)
    assert found == {
        "mark": 'spack-pyvarium: module file of "/e/analysis"',
        "environment": "work",
        "path": "/e/analysis",
        "venv": "/e/analysis/.venv",
        "name": "pyvarium/work",
        "directory": "pyvarium",
        "family": "pyvarium",
        "whatis": [
            "Name: work",
            "Description: environment with 1 Python distributions of Spack's and 2 of the package"
            " index's on Python 3.12",
            "Path: /e/analysis",
            "Lock: spack.lock sha256:aa",
            "Lock: uv.lock sha256:bb",
            "Provided by Spack: numpy==2.1",
            "Installed from the package index: rich==13.0, zzz==1.0",
        ],
        "help": [
            "work: 1 Python distributions of Spack's and 2 of the package index's",
            "",
            "  path        /e/analysis",
            "  python      3.12",
            "  installer   uv, bound",
            "  Spack       1.1.0",
            "  spack.lock  sha256:aa",
            "  uv.lock     sha256:bb",
            "",
            "Provided by Spack:",
            "  numpy==2.1",
            "",
            "Installed from the package index:",
            "  rich==13.0",
            "  zzz==1.0",
        ],
        "extensions": "numpy/2.1, rich/13.0, zzz/1.0",
        "python": "/e/analysis/.venv/bin/python",
        "missing": "/e/analysis/.venv: is missing or has no python; run 'spack pyvarium sync'",
        "hiding": [
            (
                name,
                f"Warning: pyvarium/work: {name} is set and comes before what this module brings;"
                f" run: unset {name}",
            )
            for name in ("PYTHONPATH", "PYTHONHOME")
        ],
        "changes": [
            {"action": action, "name": name, "value": value, "separator": ":"}
            for action, name, value in (
                ("prepend", "PATH", VIEW.value),
                ("prepend", "PATH", "/e/analysis/.venv/bin"),
                ("set", "VIRTUAL_ENV", "/e/analysis/.venv"),
                ("set", "VIRTUAL_ENV_PROMPT", "work"),
            )
        ],
        "manuals": [],
    }


@pytest.mark.parametrize(
    ("directory", "kept"),
    [
        *((one, False) for one in ("/usr/bin", "/usr/share/man", "/bin", "/usr/local/lib")),
        *((one, True) for one in ("/opt/bin", "/usr/spack/bin", "/usr/local/spack/view/bin")),
    ],
)
def test_directories_of_the_system_are_left_where_they_are(directory: str, kept: bool) -> None:
    change = Change("PATH", Action.PREPEND, directory)
    found = values(replace(WORK, changes=(change,)), "work", Language.LUA)["changes"]
    assert isinstance(found, list)
    assert (directory in [one["value"] for one in found]) == kept


def with_word(text: str) -> Described:
    return replace(WORK, changes=(Change("WORD", Action.SET, text),))


@pytest.mark.parametrize(
    ("described", "languages", "reason"),
    [
        (replace(WORK, path=Path("/e/a:b")), "tcl lua", "PATH separates directories by the colon"),
        (replace(WORK, path=Path("/e/a\nb")), "tcl lua", "can hold its control characters"),
        (replace(WORK, path=Path("/e/\udcff")), "tcl lua", "is not UTF-8"),
        (with_word("a\tb"), "tcl lua", "can hold its control characters"),
        (with_word('"'), "tcl", "use --lang lua"),
        (with_word("\\"), "tcl", "use --lang lua"),
        (with_word("]===]"), "tcl", "use --lang lua"),
        (with_word("a "), "tcl", "use --lang lua"),
        (with_word("$x [y] {z} 'é'"), "", ""),
    ],
)
def test_what_cannot_be_said(described: Described, languages: str, reason: str) -> None:
    refused = []
    for language in Language:
        try:
            values(described, "work", language)
        except PyvariumError as error:
            assert reason in str(error)
            refused.append(language.value)
    assert refused == languages.split()
