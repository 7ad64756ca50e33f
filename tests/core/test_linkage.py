# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Libraries of a pack, found there as they were here; the loader of this machine is the judge."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Sequence

import pytest

from made_elves import Compiler, parse, read, said
from pyvarium import linkage
from pyvarium.elf import patched
from pyvarium.errors import PyvariumError
from pyvarium.linkage import Bundled, Linked, Site, is_of_machine, link, parse_cache, with_links
from pyvarium.members import Gathered, Tree, gather

pytestmark = pytest.mark.programs

PYTHON = "python/bin/python3"
#: A machine without libraries.
NOWHERE = Site({}, ())


@dataclass
class Origin:
    """A python, what it loads, and what these need of elsewhere."""

    root: Path
    compiler: Compiler

    @property
    def python(self) -> Path:
        return self.root / "py" / "bin" / "python3"

    @property
    def module(self) -> Path:
        """What python loads of the view."""
        return self.root / "view" / "lib" / "module.so"

    def library(self, name: str, value: int = 0, **more: object) -> Path:
        return self.compiler.library(self.root / name, value, **more)  # type: ignore[arg-type]

    def gathered(self) -> Gathered:
        return gather([Tree(self.root / "py", "python"), Tree(self.root / "view", "lower")])

    def link(self, site: Site = NOWHERE) -> Linked:
        return link(self.gathered(), parse, PYTHON, site)

    def packed(self, top: Path, site: Site = NOWHERE) -> Linked:
        """Make the members below a directory, and remove all that they come from."""
        gathered = self.gathered()
        linked = link(gathered, parse, PYTHON, site)
        gathered = with_links(gathered, linked)
        for name, member in gathered.files.items():
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(patched(Path(member.path).read_bytes(), member.patches))
            path.chmod(member.mode)
        for name, target in gathered.links.items():
            (top / name).symlink_to(target)
        shutil.rmtree(self.root)
        return linked


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return Compiler(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def python(compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiler.program(tmp_path_factory.mktemp("program") / "python3")


@pytest.fixture
def origin(compiler: Compiler, python: Path, tmp_path: Path) -> Origin:
    """With a python that needs the C library alone."""
    origin = Origin(tmp_path / "origin", compiler)
    origin.python.parent.mkdir(parents=True)
    (origin.root / "view").mkdir()
    shutil.copy(python, origin.python)
    return origin


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path / "a pack"


def value_of(top: Path, name: str = "lower/lib/module.so", **environ: str) -> str:
    return said(top / PYTHON, top / name, **environ)


@pytest.mark.parametrize("runpath", [True, False])
def test_what_is_elsewhere_comes_along(runpath: bool, origin: Origin, top: Path) -> None:
    second = origin.library("far/second/libb.so.2", 2)
    first = origin.library("far/first/liba.so.1", 3, needs=[second], rpath=str(second.parent))
    origin.library(
        "view/lib/module.so", 4, needs=[first], rpath=str(first.parent), runpath=runpath
    )
    linked = origin.packed(top)
    assert linked.bundled == (
        Bundled("lib/liba.so.1", "liba.so.1"),
        Bundled("lib/libb.so.2", "libb.so.2"),
    )
    assert (linked.skipped, linked.unpatched) == ((), {})
    assert read(top / "lower/lib/module.so").rpath == "$ORIGIN/../../lib"
    assert value_of(top) == "9"


def test_no_variable_leads_elsewhere(origin: Origin, top: Path, tmp_path: Path) -> None:
    evil = origin.compiler.library(tmp_path / "evil" / "liba.so", 666)
    first = origin.library("far/liba.so", 3)
    origin.library("view/lib/module.so", 4, needs=[first], rpath=str(first.parent))
    origin.packed(top)
    assert value_of(top, LD_LIBRARY_PATH=str(evil.parent)) == "7"


def test_what_is_in_the_pack_already_is_used(origin: Origin, top: Path) -> None:
    """A view of links: the file is in the store, and its other names are links."""
    real = origin.library("store/a/lib/liba.so.1.2", 3, soname="liba.so.1")
    (real.parent / "liba.so.1").symlink_to(real.name)
    view = origin.root / "view" / "lib"
    view.mkdir()
    for name in ("liba.so.1.2", "liba.so.1"):
        (view / name).symlink_to(real.parent / name)
    origin.library("store/m/module.so", 4, needs=[real], rpath=str(real.parent))
    origin.module.symlink_to(origin.root / "store/m/module.so")
    linked = origin.packed(top)
    assert (linked.bundled, linked.links) == ((), {})
    assert read(top / "lower/lib/module.so").rpath == "$ORIGIN"
    assert value_of(top) == "7"


def test_a_view_may_consist_of_copies(origin: Origin, top: Path) -> None:
    real = origin.library("store/a/lib/liba.so", 3)
    (origin.root / "view/lib").mkdir()
    shutil.copy(real, origin.root / "view/lib/liba.so")
    origin.library("view/lib/module.so", 4, needs=[real], rpath=str(real.parent))
    linked = origin.packed(top)
    assert linked.bundled == ()
    assert value_of(top) == "7"


def test_a_name_that_the_file_itself_has_not(origin: Origin, top: Path) -> None:
    """It is the name by which the loader looks."""
    real = origin.library("view/lib/liba-really.so", 3, soname="liba.so.1")
    (origin.root / "far").mkdir()
    (origin.root / "far/liba.so.1").symlink_to(real)
    origin.library("view/lib/module.so", 4, needs=[real], rpath=str(origin.root / "far"))
    linked = origin.packed(top)
    assert linked.links == {"lower/lib/liba.so.1": "liba-really.so"}
    assert value_of(top) == "7"


def test_two_libraries_of_one_name(origin: Origin, top: Path) -> None:
    for number, name in ((1, "one"), (2, "two")):
        far = origin.library(f"far/{name}/liba.so", number)
        origin.library(f"view/lib/{name}.so", 0, needs=[far], rpath=str(far.parent))
    linked = origin.packed(top)
    assert linked.bundled == (
        Bundled("lib/2/liba.so", "liba.so"),
        Bundled("lib/liba.so", "liba.so"),
    )
    assert [value_of(top, f"lower/lib/{name}.so") for name in ("one", "two")] == ["1", "2"]


@pytest.mark.parametrize("written", ["$ORIGIN/../own", "/nowhere:${ORIGIN}/../own"])
def test_origin_is_where_the_file_is(written: str, origin: Origin, top: Path) -> None:
    own = origin.library("view/own/liba.so", 3)
    origin.library("view/lib/module.so", 4, needs=[own], rpath=written)
    linked = origin.packed(top)
    assert linked.bundled == ()
    assert read(top / "lower/lib/module.so").rpath == "$ORIGIN/../own"
    assert value_of(top) == "7"


def test_what_a_file_loads_by_itself_stays_findable(origin: Origin) -> None:
    """A directory of the pack that it names stays in its RPATH, one of elsewhere does not."""
    origin.library("view/plugins/liba.so", 3)
    origin.library(
        "view/lib/module.so", 4, rpath=f"$ORIGIN/../plugins:{origin.root}/far:$ORIGIN/x"
    )
    gathered = with_links(origin.gathered(), origin.link())
    data = patched(origin.module.read_bytes(), gathered.files["lower/lib/module.so"].patches)
    assert b"\0$ORIGIN/../plugins\0" in data and b"/far" not in data


def test_what_python_has_is_inherited(origin: Origin, top: Path) -> None:
    first = origin.library("far/liba.so", 3)
    origin.library("view/lib/module.so", 4, needs=[first])
    origin.compiler.program(origin.python, [first], str(first.parent), runpath=False)
    linked = origin.packed(top)
    assert linked.bundled == (Bundled("lib/liba.so", "liba.so"),)
    assert read(top / PYTHON).rpath == "$ORIGIN/../../lib"
    assert read(top / "lower/lib/module.so").rpath is None
    assert value_of(top) == "7"


def test_a_runpath_of_python_is_not_inherited(origin: Origin) -> None:
    first = origin.library("far/liba.so", 3)
    other = origin.library("far/libb.so", 3)
    origin.library("view/lib/module.so", 4, needs=[other])
    origin.compiler.program(origin.python, [first], str(first.parent), runpath=True)
    assert [str(one) for one in origin.link().skipped] == [
        f"{origin.module}: needs libb.so, which is not here either"
    ]


def test_what_loads_a_library_passes_its_rpath_on(origin: Origin, top: Path) -> None:
    """Through any number of others."""
    third = origin.library("far/libc3.so", 1)
    second = origin.library("far/libb2.so", 2, needs=[third])
    first = origin.library("far/liba1.so", 3, needs=[second])
    rpath = str(first.parent)
    origin.library("view/lib/module.so", 4, needs=[first], rpath=rpath, runpath=False)
    linked = origin.packed(top)
    assert (linked.skipped, len(linked.bundled)) == ((), 3)
    assert value_of(top) == "10"


def test_a_runpath_is_not_passed_on(origin: Origin) -> None:
    second = origin.library("far/libb2.so", 2)
    first = origin.library("far/liba1.so", 3, needs=[second])
    origin.library("view/lib/module.so", 4, needs=[first], rpath=str(first.parent), runpath=True)
    assert [one.reason for one in origin.link().skipped] == [
        "needs libb2.so, which is not here either"
    ]


def test_the_cache_of_the_machine(origin: Origin, top: Path) -> None:
    far, other = origin.library("far/liba.so", 3), origin.library("default/libb.so", 1)
    origin.library("view/lib/module.so", 4, needs=[far, other])
    site = Site({"liba.so": (str(origin.root / "gone/liba.so"), str(far))}, (str(other.parent),))
    assert len(origin.packed(top, site).bundled) == 2
    assert value_of(top) == "8"


def test_a_library_for_another_machine_is_passed_over(origin: Origin, top: Path) -> None:
    try:
        narrow = origin.library("narrow/liba.so", 666, options=["-m32"])
        origin.library(
            "view/lib32/old.so", 1, needs=[narrow], rpath=str(narrow.parent), options=["-m32"]
        )
    except subprocess.CalledProcessError:
        pytest.skip("this compiler is for 64 bits only")
    (origin.root / "text").mkdir()
    (origin.root / "text/liba.so").write_text("INPUT(-la)")
    wide = origin.library("wide/liba.so", 3)
    rpath = ":".join(str(one.parent) for one in (narrow, origin.root / "text/x", wide))
    origin.library("view/lib/module.so", 4, needs=[wide], rpath=rpath)
    linked = origin.packed(top)
    assert sorted(one.member for one in linked.bundled) == ["lib/2/liba.so", "lib/liba.so"]
    kinds = {name: read(top / name).kind.bits for name in ("lib/liba.so", "lib/2/liba.so")}
    assert sorted(kinds.values()) == [32, 64]
    assert value_of(top) == "7"


def test_the_c_library_stays_on_the_machine(origin: Origin) -> None:
    assert "libc.so.6" in read(origin.python).needed
    assert origin.link(Site({"libc.so.6": ("/lib/libc.so.6",)})).files == {}


def test_an_executable_reaches_what_its_libraries_need(origin: Origin, top: Path) -> None:
    """``lib`` in its RPATH is for those below it that have none."""
    far = origin.library("far/liba.so", 3)
    inner = origin.library("view/lib/libinner.so", 1, needs=[far])
    tool = origin.root / "view/bin/tool"
    rpath = f"{inner.parent}:{far.parent}"
    origin.compiler.program(tool, [inner], rpath, runpath=False)
    origin.packed(top)
    assert said(top / "lower/bin/tool", "libinner.so") == "4"


def test_what_is_right_already_stays(origin: Origin) -> None:
    own = origin.library("view/lib/liba.so", 3)
    origin.library("view/lib/module.so", 4, needs=[own], rpath="$ORIGIN", runpath=False)
    assert "lower/lib/module.so" not in origin.link().patches


def test_what_is_broken_is_told_and_kept(origin: Origin) -> None:
    broken = origin.library("view/lib/broken.so")
    broken.write_bytes(broken.read_bytes()[:300])
    linked = origin.link()
    assert [str(one) for one in linked.skipped] == [f"{broken}: is kept as it is: it is broken"]
    assert "lower/lib/broken.so" not in linked.patches


def test_no_room(origin: Origin) -> None:
    try:
        own = origin.library("view/own/liba.so", 3, options=["-m32"])
        origin.library("view/lib/module.so", 4, needs=[own], options=["-m32"])
    except subprocess.CalledProcessError:
        pytest.skip("this compiler is for 64 bits only")
    linked = origin.link(Site({}, (str(own.parent),)))
    assert linked.unpatched == {"lower/lib/module.so": "$ORIGIN/../own"}


def test_a_python_that_is_no_program(origin: Origin) -> None:
    origin.python.write_text("#!/bin/sh\n" * 10)
    with pytest.raises(PyvariumError, match="python/bin/python3: is no ELF executable; pack on"):
        origin.link()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("libc.so.6", True),
        ("ld-linux-x86-64.so.2", True),
        ("ld-linux-aarch64.so.1", True),
        ("libpthread.so.0", True),
        ("libnss_files.so.2", True),
        ("libcuda.so.1", True),
        ("libnvidia-ml.so.1", True),
        ("libGL.so.1", True),
        ("libEGL.so.1", True),
        ("libcudart.so.12", False),
        ("libcrypt.so.1", False),
        ("libstdc++.so.6", False),
        ("libgcc_s.so.1", False),
        ("libcurl.so.4", False),
        ("libz.so.1", False),
        ("libmpi.so.40", False),
        ("libc.so", False),
    ],
)
def test_of_the_machine(name: str, expected: bool) -> None:
    assert is_of_machine(name) is expected


def test_cache() -> None:
    text = """\
2 libs found in cache `/etc/ld.so.cache'
\tliba.so.1 (libc6,x86-64, hwcap: "avx512_1") => /usr/lib/x/liba.so.1
\tliba.so.1 (libc6) => /usr/lib32/with blank/liba.so.1
Cache generated by: ldconfig (Debian GLIBC 2.36) stable release version 2.36
"""
    expected: Dict[str, Sequence[str]] = {
        "liba.so.1": ("/usr/lib/x/liba.so.1", "/usr/lib32/with blank/liba.so.1")
    }
    assert parse_cache(text) == expected
    assert parse_cache("") == {}


def test_files_by_their_names(origin: Origin) -> None:
    """What can be no ELF file is not opened."""
    library = origin.library("view/lib/liba.so.1.2", 1)
    for name in ("liba.so", "a.py", "tool", "data.bin", "a.txt", "a.so.json"):
        shutil.copy(library, origin.root / "view/lib" / name)
        os.chmod(origin.root / "view/lib" / name, 0o644)
    found, _ = linkage.read_elf_files(origin.gathered(), parse)
    assert sorted(name for name in found if name.startswith("lower/")) == [
        "lower/lib/liba.so",
        "lower/lib/liba.so.1.2",
        "lower/lib/tool",
    ]
