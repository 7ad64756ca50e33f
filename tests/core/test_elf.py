# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Where an ELF file looks for libraries, changed; the loader of this machine is the judge."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_elves import Compiler, parse, read, said
from pyvarium.elf import (
    DT_NULL,
    DT_RPATH,
    DT_STRSZ,
    DT_STRTAB,
    Elf,
    Kind,
    patched,
    rpath_patches,
    without_debugging,
)

LONG = "/opt/store/linux-x86_64/some-library-1.2.3-abcdefghijklmnopqrstuvwxyz/lib"


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return Compiler(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def library(compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It is where no program looks, but for those that are told."""
    return compiler.library(tmp_path_factory.mktemp("libraries") / "deep" / "libone.so", 41)


@pytest.fixture(scope="module")
def evil(compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiler.library(tmp_path_factory.mktemp("evil") / "libone.so", 666)


def changed(path: Path, rpath: str) -> Path:
    with open(path, "rb") as file:
        patches = rpath_patches(read(path), file, rpath)
    assert patches is not None
    data = path.read_bytes()
    after = patched(data, patches)
    assert len(after) == len(data)
    path.write_bytes(after)
    return path


@pytest.mark.parametrize(
    ("before", "runpath"),
    [(LONG, True), (LONG, False), ("/", True), ("$ORIGIN", False), (None, False)],
)
def test_the_loader_finds_the_library(
    before: Optional[str],
    runpath: bool,
    compiler: Compiler,
    library: Path,
    evil: Path,
    tmp_path: Path,
) -> None:
    """In the place of the former RPATH, or behind the table of strings; as RPATH in any case."""
    program = tmp_path / "bin" / "program"
    compiler.program(program, [library], before, runpath=runpath)
    assert "libone.so" in said(program, "libone.so")
    shutil.copytree(library.parent, tmp_path / "lib")
    changed(program, "$ORIGIN/../lib")
    found = read(program)
    assert (found.rpath, found.is_runpath) == ("$ORIGIN/../lib", False)
    assert said(program, "libone.so") == "41"
    assert said(program, "libone.so", LD_LIBRARY_PATH=str(evil.parent)) == "41"
    (tmp_path / "bin").rename(tmp_path / "moved")
    assert said(tmp_path / "moved" / "program", "libone.so") == "41"


def test_other_tools_read_it_too(compiler: Compiler, library: Path, tmp_path: Path) -> None:
    path = compiler.library(tmp_path / "libtwo.so", 1, [library], LONG)
    changed(path, "$ORIGIN/../lib")
    done = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Library rpath: [$ORIGIN/../lib]" in done.stdout


def test_a_symbol_that_is_the_end_of_the_old_one_stays(
    compiler: Compiler, library: Path, tmp_path: Path
) -> None:
    """Linkers let the end of a string stand for another string."""
    path = compiler.library(tmp_path / "a.so", 7, [library], "/opt/lib", function="lib")
    changed(path, "/a/b/c")
    assert read(path).rpath == "/a/b/c"
    names = subprocess.run(["readelf", "--dyn-syms", "-W", path], capture_output=True, text=True)
    assert " lib\n" in names.stdout


def test_32_bits(compiler: Compiler, tmp_path: Path) -> None:
    try:
        path = compiler.library(tmp_path / "a.so", 1, rpath=LONG, options=["-m32"])
        none = compiler.library(tmp_path / "b.so", 1, options=["-m32"])
    except subprocess.CalledProcessError:
        pytest.skip("this compiler is for 64 bits only")
    changed(path, "$ORIGIN")
    found = read(path)
    assert (found.kind.bits, found.rpath, found.is_runpath) == (32, "$ORIGIN", False)
    with open(none, "rb") as file:
        assert rpath_patches(read(none), file, "$ORIGIN") is None


def image(
    *, spare: int = 3, rpath: Optional[bytes] = None, behind: bytes = bytes(64), order: str = "<"
) -> Tuple[Elf, io.BytesIO]:
    """What is read to find room: a table of segments, a dynamic section and its strings."""
    strings = b"\0" + (rpath + b"\0" if rpath is not None else b"")
    tags = [(DT_STRTAB, 0), (DT_STRSZ, len(strings))]
    if rpath is not None:
        tags.append((DT_RPATH, 1))
    tags += [(DT_NULL, 0)] * spare
    dynamic, table = 56, 56 + 16 * len(tags)
    tags[0] = (DT_STRTAB, 0x1000 + table)
    size = table + len(strings)
    data = struct.pack(f"{order}IIQQQQQQ", 1, 4, 0, 0x1000, 0, size, size, 4096)
    data += b"".join(struct.pack(f"{order}qQ", *one) for one in tags)
    entry = dynamic + 32 if rpath is not None else 0
    elf = Elf(
        Kind(64, order == "<", 62),
        (0, 1),
        (dynamic, 16 * len(tags)),
        rpath=None if rpath is None else rpath.decode(),
        rpath_entry=entry,
        rpath_string=table + 1,
    )
    return elf, io.BytesIO(data + strings + behind)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rpath", [None, b"/a"])
def test_behind_the_strings(order: str, rpath: Optional[bytes]) -> None:
    elf, file = image(order=order, rpath=rpath)
    patches = rpath_patches(elf, file, "$ORIGIN/../lib")
    assert patches is not None
    data = patched(file.getvalue(), patches)
    size = struct.unpack_from(f"{order}QQ", data, 32)
    assert size[0] == size[1]
    assert data[size[0] - 15 : size[0]] == b"$ORIGIN/../lib\0"
    tags = dict(struct.iter_unpack(f"{order}qQ", data[56 : 56 + elf.dynamic[1]]))
    assert 0x1000 + size[0] - 15 == tags[DT_STRTAB] + tags[DT_RPATH]
    assert tags[DT_STRSZ] == tags[DT_RPATH] + 15
    assert tags[DT_NULL] == 0


@pytest.mark.parametrize(
    ("elf", "file"),
    [
        image(behind=b"something else that is there" * 3),
        image(behind=b""),
        image(behind=bytes(14)),
        image(spare=1),
        image(spare=0),
        image(rpath=b"/a", behind=bytes(3)),
    ],
    ids=["taken", "end of the file", "almost", "last entry", "no entry", "end, with a shorter"],
)
def test_no_room(elf: Elf, file: io.BytesIO) -> None:
    assert rpath_patches(elf, file, "$ORIGIN/../lib") is None


def test_no_room_in_the_page() -> None:
    elf, file = image(behind=bytes(9000))
    assert rpath_patches(elf, file, "/" * 5000) is None


@given(
    data=st.binary(max_size=60),
    patches=st.lists(st.tuples(st.integers(0, 70), st.binary(max_size=9)), max_size=4),
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
def test_parts_are_changed_as_the_whole(
    data: bytes, patches: List[Tuple[int, bytes]], cuts: List[int]
) -> None:
    whole = patched(data, tuple(patches))
    assert len(whole) == len(data)
    borders = sorted({0, *(one for one in cuts if one < len(data)), len(data)})
    parts = [
        patched(data[begin:end], tuple(patches), begin) for begin, end in zip(borders, borders[1:])
    ]
    assert b"".join(parts) == whole


@pytest.mark.parametrize("data", [b"", b"text", b"\x7fELF"])
def test_the_reader_of_these_tests(data: bytes) -> None:
    try:
        assert parse(io.BytesIO(data)) is None
    except ValueError:
        assert data.startswith(b"\x7fELF")


@pytest.mark.parametrize("options", [["-g"], ["-g3", "-gz"], ["-g", "-Wl,-s"], []])
def test_what_debuggers_read_is_left_out(
    options: List[str], compiler: Compiler, tmp_path: Path
) -> None:
    """binutils read the rest as what they would leave; the loader loads it."""
    whole = compiler.library(tmp_path / "whole" / "libone.so", 41, options=options)
    with open(whole, "rb") as file:
        data = without_debugging(read(whole), file)
    assert (data is None) == (options[-1:] not in (["-g"], ["-gz"]))
    if data is None:
        return
    slim = tmp_path / "slim" / "libone.so"
    slim.parent.mkdir()
    slim.write_bytes(data)
    slim.chmod(0o755)
    assert len(data) < whole.stat().st_size
    names = [subprocess.check_output(["nm", one], text=True) for one in (whole, slim)]
    assert names[0] == names[1]
    done = subprocess.run(["readelf", "-aW", slim], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\.debug_info +NOBITS +0+ \w+ 0+ ", done.stdout)
    assert said(compiler.program(tmp_path / "run"), slim) == "41"


@given(data=st.binary(max_size=300))
def test_any_bytes_have_no_debugging(data: bytes) -> None:
    elf = Elf(Kind(64, True, 62), (0, 0), (0, 0))
    without_debugging(elf, io.BytesIO(data))
