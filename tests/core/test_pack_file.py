# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Files of packs as they are written; tar, and what unpacks packs, read them."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import py_compile
import resource
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvarium import pack_file, packs, parts
from pyvarium.errors import FileError, PyvariumError
from pyvarium.files import temporary_for
from pyvarium.members import Member, Tree, gather
from pyvarium.pack_file import Content, Format, format_of, write
from pyvarium.pack_manifest import Bundled, Origin, parse_header, parse_parts

ORIGIN = Origin(os.uname().machine, "glibc 2.36", "3.11", "my-env", "spack-pyvarium 0")
SITE = "python/lib/python3.11/site-packages"
ENDINGS = [".tar.gz", ".tar.zst"]


def quiet(_: str) -> None:
    """Takes a report."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for name, data in {
        "bin/run_in_env": b"#!/bin/sh\n",
        "data/large": bytes(range(256)) * 40,
        "data/empty": b"",
        "data/with blank é": b"text",
        f"{SITE}/a.py": b"a = 1\n",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
        os.utime(source / name, (1_700_000_000.7, 1_700_000_000.7))
    (source / "bin/run_in_env").chmod(0o700)
    (source / "data/link").symlink_to("large")
    (source / "nothing").mkdir()
    return source


def content_of(source: Path) -> Content:
    gathered = gather(Tree(path, path.name) for path in sorted(source.iterdir()))
    return Content(gathered.files, gathered.links, tuple(sorted(gathered.directories)))


@pytest.fixture
def content(source: Path) -> Content:
    return content_of(source)


@pytest.fixture(params=ENDINGS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == ".tar.zst" and shutil.which("zstd") is None:
        pytest.skip("no zstd here")
    return tmp_path / "packs" / f"work{request.param}"


def left(path: Path) -> List[str]:
    return sorted(os.listdir(path.parent))


def test_what_is_written_is_what_is_unpacked(
    path: Path, content: Content, source: Path, tmp_path: Path
) -> None:
    made = write(path, ORIGIN, content, workers=2, report=quiet)
    assert (made.path, made.size, left(path)) == (path, path.stat().st_size, [path.name])
    assert parse_header(path.read_bytes()) == made.pack_id
    top = tmp_path / "a" / "b" / "top"
    top.mkdir(parents=True)
    assert packs.unpack(path, top, made.pack_id).id == made.pack_id
    names = {str(one.relative_to(source)) for one in source.rglob("*")}
    found = {str(one.relative_to(top)) for one in top.rglob("*")}
    assert found == {*names, "pyvarium", "pyvarium/id", "pyvarium/manifest.json"}
    for name in content.files:
        assert (top / name).read_bytes() == (source / name).read_bytes()
        assert (top / name).stat().st_mtime == pack_file.TIME
    assert os.readlink(top / "data/link") == "large"
    assert (top / "bin/run_in_env").stat().st_mode & 0o777 == 0o755


def test_tar_reads_it_under_any_name(path: Path, content: Content) -> None:
    write(path, ORIGIN, content, workers=2, report=quiet)
    for name in ("input", "package.tar.gz", "a.tar.zst"):
        path.replace(path.with_name(name))
        path = path.with_name(name)
        done = subprocess.run(["tar", "-tf", path], capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"pyvarium/manifest.json" in done.stdout.splitlines()


def test_the_size_in_the_header_is_that_of_the_tar(path: Path, content: Content) -> None:
    write(path, ORIGIN, content, workers=1, report=quiet)
    said = int(path.read_bytes().split(b"\n", 2)[1].split()[3])
    program = "gzip" if path.suffix == ".gz" else "zstd"
    with open(path, "rb") as file:
        data = subprocess.check_output([program, "-dcq"], stdin=file)
    assert said == len(data) >= content.size


def test_the_same_bytes(path: Path, content: Content) -> None:
    """Whatever the order in which files were found, the umask, and the number of workers."""
    first = write(path, ORIGIN, content, workers=1, report=quiet)
    before = path.read_bytes()
    shuffled = Content(
        dict(reversed(list(content.files.items()))),
        dict(reversed(list(content.links.items()))),
        tuple(reversed(content.directories)),
    )
    umask = os.umask(0o027)
    try:
        again = write(path, ORIGIN, shuffled, workers=4, report=quiet)
    finally:
        os.umask(umask)
    assert (again.pack_id, path.read_bytes() == before) == (first.pack_id, True)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("part", [20, 1 << 20], ids=["by parts", "at once"])
def test_times_are_no_content(
    path: Path, source: Path, tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was compiled stays valid, or not, as it was: whoever installed it, and when."""
    monkeypatch.setattr(pack_file, "_PART", part)
    site = source / SITE
    found = []
    for time in (1_700_000_000, 1_800_000_000):
        for name in ("a.py", "stale.py"):
            (site / name).write_bytes(b"a = 1\n")
            os.utime(site / name, (time, time))
            py_compile.compile(
                str(site / name), str(site / "__pycache__" / f"{name[:-3]}.x-1.pyc")
            )
        os.utime(site / "stale.py", (time + 1, time + 1))
        write(path, ORIGIN, content_of(source), workers=2, report=quiet)
        found.append(path.read_bytes())
    assert found[0] == found[1]
    top = tmp_path / "top"
    top.mkdir()
    packs.unpack(path, top)
    times = [
        int.from_bytes(
            (top / SITE / "__pycache__" / f"{name}.x-1.pyc").read_bytes()[8:12], "little"
        )
        for name in ("a", "stale")
    ]
    assert times == [(top / SITE / "a.py").stat().st_mtime, 0]


def test_parts_are_archives_of_their_own(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("no zstd here")
    monkeypatch.setattr(parts, "LEAST", 1)
    path = tmp_path / "work.tar.zst"
    write(path, ORIGIN, content, workers=3, report=quiet)
    data = path.read_bytes()
    found = parse_parts(data)
    assert [one.root for one in found] == ["", "data", "pyvarium"]
    ends = [one.offset + one.length for one in found]
    assert ends == [*(one.offset for one in found[1:]), len(data)]
    names: List[str] = []
    for one in found:
        frame = data[one.offset :][: one.length]
        tar = subprocess.run(["zstd", "-dcq"], input=frame, stdout=subprocess.PIPE, check=True)
        assert len(tar.stdout) == one.size
        with tarfile.open(fileobj=io.BytesIO(tar.stdout)) as archive:
            members = archive.getnames()
        assert all(name == one.root or name.startswith(f"{one.root}/") for name in members) or (
            one.root == ""
        )
        names += members
    told = {"pyvarium", "pyvarium/manifest.json", "pyvarium/id"}
    assert len(names) == len(set(names))
    assert set(names) == {*content.files, *content.links, *content.directories, *told}


def test_another_content_is_another_id(path: Path, content: Content, source: Path) -> None:
    first = write(path, ORIGIN, content, workers=1, report=quiet)
    (source / "data/empty").write_bytes(b"x")
    second = write(path, ORIGIN, content_of(source), workers=1, report=quiet)
    (source / "data/empty").chmod(0o755)
    third = write(path, ORIGIN, content_of(source), workers=1, report=quiet)
    assert len({first.pack_id, second.pack_id, third.pack_id}) == 3


def vanish(path: Path) -> None:
    path.unlink()


def shrink(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("part", [100, 1 << 20], ids=["by parts", "at once"])
@pytest.mark.parametrize("happens", [vanish, shrink, grow, become_a_directory])
def test_what_changes_meanwhile(
    happens: Callable[[Path], None],
    part: int,
    path: Path,
    content: Content,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pack_file, "_PART", part)
    path.parent.mkdir()
    path.write_bytes(b"former")
    happens(source / "data/large")
    with pytest.raises(FileError) as error:
        write(path, ORIGIN, content, workers=2, report=quiet)
    assert str(error.value).startswith(f"{source / 'data/large'}: ")
    assert "\n" not in str(error.value) and "; " in str(error.value)
    assert (left(path), path.read_bytes()) == ([path.name], b"former")


@pytest.mark.parametrize("room", [0, 1000])
def test_no_room_leaves_nothing(path: Path, content: Content, room: int, source: Path) -> None:
    (source / "data/large").write_bytes(os.urandom(1 << 18))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(PyvariumError, match="mend that"):
            write(path, ORIGIN, content_of(source), workers=2, report=quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert left(path) == []


def test_what_a_killed_one_has_left_is_removed(path: Path, content: Content) -> None:
    path.parent.mkdir()
    host = temporary_for(path).name.split(".")[-3]
    dead = path.parent / f".{path.name}.{host}.{1 << 22}.abcdefgh"
    others = path.parent / f".{path.name}.elsewhere.1.abcdefgh"
    for one in (dead, others):
        one.write_bytes(b"half")
        os.utime(one, (1, 1))
    write(path, ORIGIN, content, workers=2, report=quiet)
    assert left(path) == sorted([path.name, others.name])


def test_an_interrupt_leaves_nothing(path: Path, content: Content) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, ORIGIN, content, workers=2, report=interrupt)
    assert left(path) == []


def test_an_interrupt_as_the_file_is_made_leaves_nothing(
    path: Path, content: Content, interrupted_opening: None
) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(path, ORIGIN, content, workers=2, report=quiet)
    assert left(path) == []


def test_reports(path: Path, content: Content) -> None:
    said: List[str] = []
    write(path, ORIGIN, content, workers=2, report=said.append)
    assert said[-1] == "100 % of 0 MB packed"


def test_where_nothing_can_be_written(path: Path, content: Content, tmp_path: Path) -> None:
    (tmp_path / "packs").write_bytes(b"")
    with pytest.raises(
        FileError, match=r"work\.tar\.\w+: cannot be written \(.*\); name another$"
    ):
        write(path, ORIGIN, content, workers=1, report=quiet)


def test_a_directory_of_that_name(path: Path, content: Content) -> None:
    path.mkdir(parents=True)
    with pytest.raises(FileError, match=r"cannot be written \(Is a directory\)"):
        write(path, ORIGIN, content, workers=1, report=quiet)
    assert left(path) == [path.name]


def test_large_files_are_changed_by_parts(
    tmp_path: Path, content: Content, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_file, "_PART", 100)
    library = replace(content.files["data/large"], patches=((95, b"-" * 300), (10239, b"!")))
    changed = replace(
        content,
        files={**content.files, "data/large": library},
        bundled=(Bundled("data/large", "liba.so"), Bundled("data/empty", "libb.so")),
    )
    path = tmp_path / "a.tar.gz"
    write(path, ORIGIN, changed, workers=2, report=quiet)
    before = (source / "data/large").read_bytes()
    after = before[:95] + b"-" * 300 + before[395:-1] + b"!"
    with tarfile.open(path) as archive:
        assert archive.extractfile("data/large").read() == after  # type: ignore[union-attr]
        manifest = archive.extractfile("pyvarium/manifest.json").read()  # type: ignore[union-attr]
    contents = packs.parse_manifest(manifest)
    assert contents.entries["data/large"].digest == hashlib.sha256(after).hexdigest()  # type: ignore[union-attr]
    for data in (before, b""):
        assert f'"from-digest":"{hashlib.sha256(data).hexdigest()}"'.encode() in manifest


def test_records_tell_what_is_in_the_pack(tmp_path: Path, content: Content, source: Path) -> None:
    record = f"{SITE}/a-1.dist-info/RECORD"
    (source / record).parent.mkdir()
    (source / record).write_text("a.py,sha256=old,6\ngone.py,,\na-1.dist-info/RECORD,,\n")
    content = content_of(source)
    rewritten = replace(content.files[f"{SITE}/a.py"], data=b"a = 'other'\n", size=12)
    content = replace(content, files={**content.files, f"{SITE}/a.py": rewritten})
    write(tmp_path / "a.tar.gz", ORIGIN, content, workers=2, report=quiet)
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        text = archive.extractfile(record).read().decode()  # type: ignore[union-attr]
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"a = 'other'\n").digest())
    assert text == f"a.py,sha256={digest.decode()[:-1]},12\na-1.dist-info/RECORD,,\n"


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1)


@settings(max_examples=20)
@given(
    files=st.dictionaries(
        st.lists(NAMES.filter(lambda one: one not in (".", "..")), min_size=1, max_size=3).map(
            "/".join
        ),
        st.binary(max_size=600),
        max_size=5,
    ),
)
def test_any_members(files: Dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tar reads is what the manifest says."""
    members = {f"data/{name}": data for name, data in files.items()}
    content = Content(
        {name: Member(name, "", len(data), data=data) for name, data in members.items()}, {}, ()
    )
    path = tmp_path_factory.mktemp("any") / "a.tar.gz"
    write(path, ORIGIN, content, workers=1, report=quiet)
    with tarfile.open(path) as archive:
        found: Dict[str, Any] = {
            one.name: archive.extractfile(one).read()  # type: ignore[union-attr]
            for one in archive.getmembers()
            if one.name.startswith("data/")
        }
    assert found == members


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tar.zst", Format.ZSTD),
        ("a.b.tar.gz", Format.GZIP),
        ("a.tgz", Format.GZIP),
        ("a.sqfs", Format.SQUASHFS),
        ("a.squashfs", Format.SQUASHFS),
    ],
)
def test_formats(name: str, expected: Format) -> None:
    assert format_of(Path("/x", name)) is expected


@pytest.mark.parametrize("name", ["a", "a.zip", ".tar.gz", "a.tar", "a.TAR.GZ", "tar.gz"])
def test_no_format(name: str) -> None:
    with pytest.raises(PyvariumError, match=r"no format ends so; use one of \.tar\.zst, "):
        format_of(Path("/x", name))


@pytest.fixture(autouse=True)
def nothing_runs_on() -> Iterator[None]:
    """No program is left behind by any of these."""
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
