# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Text files whose paths begin at themselves; first lines are judged by sh and by python."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import shlex
import struct
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvarium import relocation
from pyvarium.relocation import Origins, with_first_line, with_interpreter, with_record

ORIGINS = Origins(
    [("/opt/store/gcc-1-abc", "lower"), ("/opt/py", "python"), ("/opt/view", "lower")],
    lambda name: "missing" not in name,
)
#: The letter has one character in UTF-8 and two in Latin-1.
SAYS = b"import sys\nprint(sys.argv[1:], sys.flags.isolated, len('\xc3\xa9'))\n"
PIP = b"#!/bin/sh\n'''exec' \"/opt/py with blank/bin/python3\" \"$0\" \"$@\"\n' '''\n"
SBANG = b"#!/bin/sh /opt/spack/bin/sbang\n"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a blank in its path, and this python in it."""
    pack = tmp_path_factory.mktemp("packs") / "a pack's $HOME"
    python = pack / relocation.PYTHON
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return pack


def script(pack: Path, before: bytes, name: str = "python/bin/tool") -> Path:
    after = with_first_line(name, before)
    assert after is not None and b"/opt" not in after
    path = pack / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(after)
    path.chmod(0o755)
    return path


def said(path: Union[str, Path], *words: str, cwd: Optional[Path] = None) -> str:
    done = subprocess.run([path, *words], capture_output=True, text=True, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("before", "isolated", "letters"),
    [
        (b"#!/opt/py/bin/python3\n" + SAYS, 0, 1),
        (b"#! /opt/py/bin/python3.11  \n" + SAYS, 0, 1),
        (b"#!/opt/py/bin/python3 -I\n" + SAYS, 1, 1),
        (b"#!/opt/py/bin/python3 -I\n# coding: latin-1\n" + SAYS, 1, 2),
        (b"#!/opt/py/bin/python3\r\n" + SAYS.replace(b"\n", b"\r\n"), 0, 1),
        (b"#!/opt/py/bin/python3\r\n\r\n# a\r\n" + SAYS.replace(b"\n", b"\r\n"), 0, 1),
        (PIP + SAYS, 0, 1),
        (PIP + b"# -*- coding: latin-1 -*-\n" + SAYS, 0, 2),
        (PIP.replace(b"\n", b"\r\n") + SAYS, 0, 1),
        (SBANG + b"#!/opt/py/bin/python3 -I\n" + SAYS, 1, 1),
        (b"#!/opt/py/bin/python3\n\n\n'''It's a \"word\".'''\n" + SAYS, 0, 1),
        (b"#!/opt/py/bin/python3\n# `exit 3` $(exit 3)\n\f\n" + SAYS, 0, 1),
    ],
    ids=[
        *("plain", "blanks", "option", "cookie", "CRLF", "CRLF and blank lines", "pip's form"),
        *("pip's form and cookie", "pip's form and CRLF", "sbang", "docstring", "comments"),
    ],
)
def test_scripts_find_their_python(pack: Path, before: bytes, isolated: int, letters: int) -> None:
    path = script(pack, before)
    assert said(path, "a b", "'") == f"""['a b', "'"] {isolated} {letters}"""


def test_scripts_run_from_anywhere(pack: Path, tmp_path: Path) -> None:
    path = script(pack, b"#!/opt/py/bin/python3\n" + SAYS, "lower/deep/er/tool")
    link, second = tmp_path / "link", tmp_path / "second"
    link.symlink_to(path)
    second.symlink_to("link")
    expected = said(path)
    assert (said(link), said(second)) == (expected, expected)
    assert said("./tool", cwd=path.parent) == expected
    assert subprocess.check_output(["sh", "tool"], cwd=path.parent, text=True).strip() == expected


@pytest.mark.parametrize("between", [b"", b"# A comment.\n", b"\n", b"# coding: utf-8\n\n"])
@pytest.mark.parametrize("quote", [b'"""', b"'''", b'r"""', b"'"])
def test_what_has_to_come_first_still_does(between: bytes, quote: bytes) -> None:
    end = quote.lstrip(b"r")
    before = b"#!/opt/py/bin/python3\n" + between + quote + b"Usage: tool" + end
    before += b"\nfrom __future__ import annotations\n"
    after = with_first_line("bin/tool", before)
    assert after is not None
    compile(after, "tool", "exec")
    assert (ast.get_docstring(ast.parse(after)) or "").endswith("Usage: tool")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#!",
        b"#!/usr/bin/env python3\n",
        b"#!/bin/bash\n",
        b"#!/opt/view/bin/perl -w\n",
        b"#!/opt/py/bin/python3-config\n",
        b"\xef\xbb\xbf#!/opt/py/bin/python3\n",
        b"#!python3\n",
        b"\x7fELF\xff\xfe",
    ],
)
def test_no_script_of_a_python(data: bytes) -> None:
    assert with_first_line("bin/tool", data) is None


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_script_or_none(data: bytes) -> None:
    with_first_line("bin/tool", data)
    with_interpreter(data, ORIGINS)
    after = with_first_line("bin/tool", b"#!/opt/py/bin/python3\n" + data)
    assert after is not None and after.startswith(b"#!/bin/sh\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"#!/opt/view/bin/perl -w\nuse a;\n", b"#!/usr/bin/env perl\nuse a;\n"),
        (b"#!/opt/store/gcc-1-abc/bin/tclsh", b"#!/usr/bin/env tclsh"),
        (SBANG + b"#!/opt/view/bin/perl\nuse a;\n", b"#!/usr/bin/env perl\nuse a;\n"),
        (b"#!/bin/bash\n", None),
        (SBANG + b"#!/bin/bash\n", b"#!/bin/bash\n"),
        (b"#!/opt/view/missing/perl\n", None),
        (b"text", None),
    ],
)
def test_scripts_of_others(before: bytes, after: Optional[bytes]) -> None:
    assert with_interpreter(before, ORIGINS) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("prefix=/opt/view\nlibdir=${prefix}/lib\n", "prefix=@/../..\nlibdir=${prefix}/lib\n"),
        ("Libs: -L/opt/view/lib -la\n", "Libs: -L@/.. -la\n"),
        ("Cflags:-I/opt/view/include\n", "Cflags:-I@/../../include\n"),
        ("Libs: -Wl,-rpath,/opt/view/lib\n", "Libs: -Wl,-rpath,@/..\n"),
        ("-L/opt/view/lib", "-L@/.."),
        ("a=/opt/view/${b}\n", "a=@/../../${b}\n"),
        ("a=/opt/view/lib/\n", "a=@/../\n"),
        ("a=/opt/view2/lib b=/usr/opt/view/lib\n", "a=/opt/view2/lib b=/usr/opt/view/lib\n"),
        ("a=/opt/view/missing\n", "a=/opt/view/missing\n"),
        ("a=/opt/store/gcc-1-abc/lib:/opt/py\n", "a=@/..:@/../../../python\n"),
        ("a=\udcff;/opt/view\n", "a=\udcff;@/../..\n"),
    ],
)
def test_package_configuration(before: str, after: str) -> None:
    expected = after.replace("@", "${pcfiledir}")
    assert relocation.with_package_config("lower/lib/pkgconfig/a.pc", before, ORIGINS) == expected


def test_cmake() -> None:
    before = 'set(a "/opt/view/include;/opt/view/lib/")\n'
    here = "${CMAKE_CURRENT_LIST_DIR}"
    after = f'set(a "{here}/../../../include;{here}/../../")\n'
    assert relocation.with_cmake("lower/lib/cmake/a/a.cmake", before, ORIGINS) == after


CONTEXTS = st.sampled_from(["-I", "-L", "=", ' "', "'", ";", ":", "(", " ", ",", "\n-B", "=-L"])
ROOTS = st.sampled_from([root for root, _ in ORIGINS.roots])
TAILS = st.from_regex(r"(/[a-z.+-]{0,5}){0,3}", fullmatch=True)
ENDS = st.sampled_from(["", " ", '"', "'", ";", ")", "\n", ":", ","])


@settings(max_examples=25)
@given(parts=st.lists(st.tuples(CONTEXTS, ROOTS, TAILS, ENDS), max_size=8))
def test_no_path_of_the_origin_is_left(parts: List[Tuple[str, str, str, str]]) -> None:
    text = "".join(" " + "".join(one) for one in parts)
    everything = Origins(ORIGINS.roots, lambda _: True)
    inside = [one for one in parts if ".." not in one[2]]
    for after in (
        relocation.with_package_config("lower/lib/a.pc", text, everything),
        relocation.with_cmake("lower/lib/a.cmake", text, everything),
        everything.replaced(text, lambda name: f"<{name}>"),
    ):
        left = sum(after.count(root) for root, _ in ORIGINS.roots)
        assert left <= len(parts) - len(inside)


def test_build_variables() -> None:
    before = "build_time_vars = {'A': '-L/opt/py/lib -lm', 'B': 3, 'C': '/usr/lib'}\n"
    after = relocation.with_build_variables(before, ORIGINS)
    values: Dict[str, Dict[str, object]] = {}
    exec(after, values)  # As importing it does.
    top = os.path.dirname(sys.base_prefix)
    expected = {"A": f"-L{top}/python/lib -lm", "B": 3, "C": "/usr/lib"}
    assert values["build_time_vars"] == expected
    plain = "build_time_vars = {'A': '/usr/lib'}\n"
    assert relocation.with_build_variables(plain, ORIGINS) == plain


#: More than json follows.
NESTED = b"[" * 100_000


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"argv": []}', b'{"argv": [1]}', b"\xff", NESTED]
)
def test_no_kernel(data: bytes) -> None:
    assert relocation.with_kernel(data, ORIGINS) == data


def test_kernel() -> None:
    command = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    before = json.dumps({"argv": ["/opt/py/bin/python3", *command], "language": "python"})
    after = json.loads(relocation.with_kernel(before.encode(), ORIGINS))
    assert after == {"argv": ["python", *command], "language": "python"}
    foreign = json.dumps({"argv": ["/usr/bin/R"]}).encode()
    assert relocation.with_kernel(foreign, ORIGINS) == foreign


def test_path_lines() -> None:
    text = "# comment\n\nimport a; a.b()\nimport\tc\n/opt/view/lib  \r\nimportant\n/a\0b\n"
    assert [one for one, is_path in relocation.path_lines(text) if is_path] == [
        "/opt/view/lib",
        "important",
    ]


RECORD = "python/lib/python3.11/site-packages/a-1.dist-info/RECORD"


def test_record() -> None:
    data = b"tool"
    digest = hashlib.sha256(data).hexdigest()
    encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    before = (
        "a.py,sha256=old,1\n../../../bin/tool,sha256=old,9\na-1.dist-info/RECORD,,\n"
        '"a,b.py",sha256=b,2\ngone.py,sha256=c,3\n/abs/gone,,\n"a\u2028b.py",,\n'
    )
    after = (
        f"a.py,sha256=old,1\n../../../bin/tool,sha256={encoded},4\na-1.dist-info/RECORD,,\n"
        '"a,b.py",sha256=b,2\na\u2028b.py,,\n'
    )

    def has(name: str) -> bool:
        return name.startswith("python/") and "gone" not in name

    changed = {"python/bin/tool": (4, digest)}
    assert with_record(RECORD, before.encode(), changed, has).decode() == after


def test_a_record_without_changes_stays() -> None:
    before = b'"a.py",sha256=old,1\r\n'  # Written by somebody with another taste.
    assert with_record(RECORD, before, {}, lambda _: True) == before


@given(data=st.binary(max_size=60))
def test_any_bytes_as_a_record(data: bytes) -> None:
    with_record(RECORD, data, {}, lambda name: len(name) % 2 == 0)


def test_a_broken_record_stays() -> None:
    data = b'a.py,"' + b"x" * 200_000 + b'",\n'
    assert with_record(RECORD, data, {}, lambda _: False) == data


@pytest.mark.parametrize(
    ("data", "local", "editable"),
    [
        (b'{"url": "file:///a%20b", "dir_info": {"editable": true}}', True, "/a b"),
        (b'{"url": "file:///a", "dir_info": {}}', True, None),
        (b'{"url": "file:///a", "dir_info": {"editable": false}}', True, None),
        (b'{"url": "https://example.org/a.whl"}', False, None),
        (b"{", False, None),
        (b"[]", False, None),
        (b"3", False, None),
        (b"\xff", False, None),
        (b"null", False, None),
        (NESTED, False, None),
        (b'{"url": "file:///a%00b", "dir_info": {"editable": true}}', True, None),
    ],
)
def test_direct_url(data: bytes, local: bool, editable: Optional[str]) -> None:
    found = relocation.is_local_url(data), relocation.editable_directory(data)
    assert found == (local, editable)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/__pycache__/b.cpython-311.pyc", "a/b.py"),
        ("__pycache__/b.cpython-311.opt-1.pyc", "b.py"),
        ("a/b.pyc", "a/b.py"),
        ("a/__pycache__/b.py", None),
        ("a/b.so", None),
    ],
)
def test_sources_of_what_is_compiled(name: str, expected: Optional[str]) -> None:
    assert relocation.source_of(name) == expected


CODE = b"code of python"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param((0, 1700, 10), (0, 5, 10), id="valid"),
        pytest.param((0, 1701, 10), (0, 0, 10), id="another time"),
        pytest.param((0, 1700, 11), (0, 0, 11), id="another size"),
        pytest.param((0, 5, 11), (0, 0, 11), id="not valid by chance"),
        pytest.param((1, 1700, 10), (1, 1700, 10), id="by a digest"),
    ],
)
def test_compiled_code_stays_as_valid_as_it_is(
    fields: Tuple[int, int, int], expected: Tuple[int, int, int]
) -> None:
    before, after = (b"\xa7\r\r\n" + struct.pack("<3I", *one) + CODE for one in (fields, expected))
    assert relocation.with_source_time(before, 1700, 10, 5) == after


@given(data=st.binary(max_size=15))
def test_what_is_too_short_for_compiled_code_stays(data: bytes) -> None:
    assert relocation.with_source_time(data, 1700, 10, 5) == data
