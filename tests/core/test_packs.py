# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import os
import shutil
import stat
from pathlib import Path
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

import made_packs
from made_packs import Member, directory, link, made, usual
from pyvarium import packs
from pyvarium.packs import Directory, File, PackError, parse_manifest, unpack
from pyvarium.tarball import ArchiveError

MACHINE = os.uname().machine


def tree(top: Path) -> Dict[str, Any]:
    """All below a directory: content and mode, target, or None."""
    found: Dict[str, Any] = {}
    for folder, folders, names in os.walk(top):
        for name in (*folders, *names):
            path = Path(folder, name)
            status = path.lstat()
            if path.is_symlink():
                found[str(path.relative_to(top))] = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                mode = stat.S_IMODE(status.st_mode)
                found[str(path.relative_to(top))] = (path.read_bytes(), mode)
            else:
                found[str(path.relative_to(top))] = None
    return found


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty directory as deep as that of the program that unpacks."""
    target = tmp_path / "cache" / ".temporary" / "id"
    target.mkdir(parents=True)
    return target


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("unharmed")
    return outside


PLAIN = made(*usual(**{"data/a": "A", "data/deep/b": "B"}), link("data/l", "../bin"))


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst"])
def test_all_that_a_pack_names_is_unpacked(suffix: str, target: Path, tmp_path: Path) -> None:
    if suffix == ".tar.zst" and shutil.which("zstd") is None:
        pytest.skip("no zstd here")
    pack = PLAIN.write(tmp_path / f"made{suffix}")
    contents = unpack(pack, target, PLAIN.content_id)
    found = tree(target)
    made_files = {
        one.name: (one.data, one.mode) for one in PLAIN.members if one.data or "/a" in one.name
    }
    assert {name: value for name, value in found.items() if isinstance(value, tuple)} == {
        **made_files,
        "pyvarium/id": (f"{PLAIN.content_id}\n".encode(), 0o644),
        "pyvarium/manifest.json": (PLAIN.manifest_bytes, 0o644),
    }
    assert (found["data/l"], found["lower"]) == ("../bin", None)
    assert contents.id == PLAIN.content_id
    assert (target / "data" / "a").stat().st_mtime == 1_700_000_000


def test_a_pack_that_was_packed_again_is_unpacked(target: Path, tmp_path: Path) -> None:
    again = PLAIN.but(order=("rest", "manifest", "id"))
    assert unpack(again.write(tmp_path / "a.tar.gz"), target).id == PLAIN.content_id


def test_names_may_begin_with_a_dot_and_parents_be_members(target: Path, tmp_path: Path) -> None:
    members = [
        Member(f"./{one.name}", one.data, one.kind, one.target, one.mode) for one in usual()
    ]
    again = made().but(members=(directory("./"), directory("./bin/"), *members))
    unpack(again.write(tmp_path / "a.tar.gz"), target)
    assert (target / "bin" / "run_in_env").is_file()


@pytest.mark.parametrize("kind", sorted(made_packs.hostile(Path("/outside"))))
def test_hostile_packs_are_refused(kind: str, target: Path, outside: Path, tmp_path: Path) -> None:
    made_pack = made_packs.hostile(outside)[kind]
    pack = made_pack.write(tmp_path / "a.tar.gz")
    before = {name: value for name, value in tree(tmp_path).items() if "cache" not in name}
    with pytest.raises(PackError) as error:
        unpack(pack, target, made_pack.content_id)
    after = {name: value for name, value in tree(tmp_path).items() if "cache" not in name}
    assert after == before
    assert not any(os.path.islink(path) for path in target.rglob("*"))
    assert str(error.value).startswith(f"{pack}: ") and str(error.value).isprintable()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is neither gzip nor zstd"),
        (b"hello", "it is neither gzip nor zstd"),
        (b"\x1f\x8bhello", "is broken"),
        (b"\x1f\x8b\x08\x10", "is broken"),
    ],
)
def test_what_is_no_pack_is_refused(
    data: bytes, reason: str, target: Path, tmp_path: Path
) -> None:
    pack = tmp_path / "a.tar.gz"
    pack.write_bytes(data)
    with pytest.raises(PackError, match=reason):
        unpack(pack, target)


@given(end=st.integers(0, 2000))
def test_no_part_of_a_pack_is_taken_for_all(end: int, tmp_path_factory: Any) -> None:
    place = tmp_path_factory.mktemp("part")
    whole = PLAIN.write(place / "whole.tar.gz").read_bytes()
    part = place / "part.tar.gz"
    part.write_bytes(whole[: len(whole) * end // 2001])
    (place / "target").mkdir()
    with pytest.raises(PackError):
        unpack(part, place / "target")


def test_another_digest_than_asked_for_is_refused(target: Path, tmp_path: Path) -> None:
    pack = PLAIN.write(tmp_path / "a.tar.gz")
    with pytest.raises(PackError, match="its manifest has another digest than its id says"):
        unpack(pack, target, "0" * 64)


def test_another_machine_is_told(target: Path, tmp_path: Path) -> None:
    pack = made(architecture="s390").write(tmp_path / "a.tar.gz")
    with pytest.raises(PackError, match=f"it is for s390, and this is {MACHINE}"):
        unpack(pack, target)


def test_zstd_needs_something_that_reads_it(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tmp_path / "a.tar.zst"
    pack.write_bytes(made_packs.EMPTY_FRAME)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackError, match="there is no program zstd and no library zstandard"):
        unpack(pack, target)


def test_a_manifest_is_understood() -> None:
    contents = parse_manifest(PLAIN.manifest_bytes)
    assert contents.entries["lower"] == Directory()
    assert isinstance(contents.entries["data/a"], File) and contents.entries["data/a"].size == 1
    assert contents.size == sum(len(one.data) for one in PLAIN.members)


TARGETS = st.lists(st.sampled_from(["..", ".", "a", "b", "c", ""]), min_size=1, max_size=5)


@given(targets=st.dictionaries(st.sampled_from(["a", "b", "a2/c", "a2/b"]), TARGETS, max_size=4))
def test_links_lead_where_the_kernel_says(
    targets: Dict[str, List[str]], tmp_path_factory: Any
) -> None:
    """What is accepted ends below the directory, and what ends elsewhere is not accepted."""
    links = [link(name, "/".join(parts)) for name, parts in targets.items() if any(parts)]
    links = [one for one in links if not one.target.startswith("/")]
    top = Path(os.path.realpath(tmp_path_factory.mktemp("links"))) / "top"
    (top / "a2").mkdir(parents=True)
    for one in links:
        (top / one.name).symlink_to(one.target)
    inside = True
    for one in links:
        try:
            real = Path(os.path.realpath(top / one.name))
            (top / one.name).resolve(strict=True)
        except (OSError, RuntimeError):
            continue  # It leads nowhere, which is no harm.
        inside = inside and (real == top or top in real.parents)
    try:
        parse_manifest(made(*usual(), *links).manifest_bytes)
        accepted = True
    except ArchiveError:
        accepted = False
    assert inside or not accepted


@given(name=st.text(max_size=20))
def test_a_name_is_below_the_directory_or_refused(name: str) -> None:
    try:
        packs.parse_manifest(made(*usual(), Member(name, b"")).manifest_bytes)
    except ArchiveError:
        return
    path = os.path.normpath(f"/top/{name}")
    assert path == f"/top/{name}" and path.startswith("/top/")
