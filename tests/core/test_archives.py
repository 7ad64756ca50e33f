# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import bz2
import contextlib
import gzip
import io
import tarfile
import zipfile
from typing import Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_index import bzipped, tar, zipped
from pyvarium import archives
from pyvarium.archives import Archive, read_archive
from pyvarium.tarball import ArchiveError

FILES = {"setup.py": "setup()", "src/foo.c": "int x;" * 300, "PKG-INFO": "Name: foo"}
READ = Archive(
    ("PKG-INFO", "setup.py", "src/foo.c"), {"setup.py": "setup()", "PKG-INFO": "Name: foo"}
)


def wanted(name: str) -> int:
    return 0 if name.endswith(".c") else 1000


def read(data: bytes, name: str = "foo-1.0.tar.gz") -> Archive:
    return read_archive(io.BytesIO(data), name, wanted)


def header(
    name: str, size: str = "00000000000", kind: bytes = b"0", *, checked: bool = True
) -> bytes:
    """A header of a tar file with what no tool would write."""
    raw = bytearray(512)
    raw[: len(name)] = name.encode()
    raw[124 : 124 + len(size)] = size.encode()
    raw[156:157] = kind
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % (sum(raw) if checked else 1)
    return bytes(raw)


def gz(*parts: bytes) -> bytes:
    return gzip.compress(b"".join(parts) + bytes(1024))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("foo-1.0.tar.gz", tar(FILES)),
        ("foo-1.0.tar.bz2", bzipped(FILES)),
        ("foo-1.0.zip", zipped(FILES)),
        ("foo-1.0.tar.gz", tar(FILES, top="./foo-1.0/")),
        ("foo-1.0.tar.gz", tar(FILES, top="any//")),
    ],
    ids=["gz", "bz2", "zip", "dot", "slashes"],
)
def test_formats(name: str, data: bytes) -> None:
    assert read(data, name) == READ


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(kind: int) -> None:
    name = f"{'directory/' * 14}file"
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=kind) as archive:
        info = tarfile.TarInfo(f"foo/{name}")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    assert read(gzip.compress(raw.getvalue())) == Archive((name,), {name: "abc"})


def test_a_gzip_file_of_several_parts() -> None:
    raw = gzip.decompress(tar(FILES))
    parts = [gzip.compress(raw[at : at + 700]) for at in range(0, len(raw), 700)]
    assert read(b"".join(parts) + bytes(100)) == READ


def test_links_and_directories_are_no_files() -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, kind in (("foo/d", tarfile.DIRTYPE), ("foo/l", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("foo/file"))
    assert read(gzip.compress(raw.getvalue())).names == ("file",)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../up",
        "foo/../../up",
        "foo/..",
        "setup.py",
        "foo/a\nb",
        "foo\\..\\x/y",
        "foo/",
    ],
)
@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_names_that_would_leave_the_directory(name: str, form: str) -> None:
    files: Dict[str, str] = {name: "x", "foo/good": "y"}
    make = {"tar.gz": tar, "zip": zipped}[form]
    found = read(make(files, top=""), f"foo.{form}")
    assert found == Archive(("good",), {"good": "y"})


def test_no_more_is_held_than_wanted() -> None:
    found = read(tar({"setup.py": "x" * 5000, "b": "y" * 700}))
    assert {name: len(text) for name, text in found.texts.items()} == {"setup.py": 1000, "b": 700}


def test_what_is_not_utf_8() -> None:
    assert read(tar({"setup.py": b"\xffx"})).texts == {"setup.py": "\ufffdx"}


def test_the_last_of_two_counts() -> None:
    one, other = (gzip.decompress(tar({"a": text}))[:1024] for text in ("one", "two"))
    assert read(gz(one, other)).texts == {"a": "two"}


def test_there_was_enough() -> None:
    found = read_archive(
        io.BytesIO(tar(FILES)), "foo-1.0.tar.gz", wanted, lambda name, _: name == "setup.py"
    )
    assert found == Archive(("setup.py",), {"setup.py": "setup()"}, whole=False)


BROKEN = {
    "empty": (b"", "it is broken (it ends early)"),
    "no-gzip": (
        b"plain text",
        "it is broken (Error -3 while decompressing data: incorrect header check)",
    ),
    "html": (
        b"<html>",
        "it is broken (Error -3 while decompressing data: incorrect header check)",
    ),
    "no-tar": (gzip.compress(b"x" * 1000), "it is broken (a header has a number that is none)"),
    "short-tar": (gzip.compress(b"x"), "it is broken (it ends early)"),
    "checksum": (
        gz(header("foo/a", checked=False)),
        "it is broken (a header has another checksum)",
    ),
    "number": (
        gz(header("foo/a", "-0000000001")),
        "it is broken (a header has a number that is none)",
    ),
    "kind": (gz(header("foo/a", kind=b"Q")), "it has a member of the unknown kind 'Q'"),
    "long-header": (
        gz(header("foo/a", "77777777777", b"x")),
        "it has a header of 8589934591 bytes",
    ),
    "pax": (
        gz(header("p", "00000000012", b"x"), b"9999 path=".ljust(512, b"\0")),
        "it is broken (a header has no length)",
    ),
    "lies": (gz(header("foo/a", "77777777777")), "it is broken (it ends early)"),
}


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_sdist(data: bytes, message: str) -> None:
    with pytest.raises(ArchiveError) as raised:
        read(data)
    assert str(raised.value) == message


@pytest.mark.parametrize("size", [1, 20, 60, 100])
def test_truncated(size: int) -> None:
    with pytest.raises(ArchiveError, match="it is broken"):
        read(tar(FILES)[:size])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is broken (File is not a zip file)"),
        (zipped(FILES)[:-30], "it is broken (File is not a zip file)"),
        (zipped(FILES).replace(b"setup()", b"sXtXp()"), "it is broken"),
    ],
    ids=["empty", "truncated", "changed"],
)
def test_what_is_no_zip(data: bytes, message: str) -> None:
    if message == "it is broken":
        stored = io.BytesIO()
        with zipfile.ZipFile(stored, "w") as archive:
            archive.writestr("foo/setup.py", "setup()")
        data = stored.getvalue().replace(b"setup()", b"sXtXp()")
        message = "it is broken (Bad CRC-32 for file 'foo/setup.py')"
    with pytest.raises(ArchiveError) as raised:
        read(data, "foo.zip")
    assert str(raised.value) == message


def test_a_zip_with_a_member_without_a_name() -> None:
    data = zipped({"foo/a": "x", "zqzq": ""}, top="").replace(b"zqzq", bytes(4))
    assert read(data, "foo.zip").names == ("a",)


def test_a_zip_that_is_compressed_otherwise() -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("foo/setup.py", bytes(10 << 20))
    with pytest.raises(ArchiveError, match="a member is not compressed as in other archives"):
        read(raw.getvalue(), "foo.zip")


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("_MOST_BYTES", 2000, "it has more than 2000 bytes"),
        ("_MOST_FILES", 2, "it has more than 2 files"),
        ("_MOST_HELD", 10, "what is wanted of it has more than 10 bytes"),
    ],
)
def test_bombs(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str) -> None:
    monkeypatch.setattr(archives, limit, value)
    with pytest.raises(ArchiveError) as raised:
        read(tar(FILES))
    assert str(raised.value) == message


names = st.text("abcde/._-", min_size=1, max_size=120).filter(
    lambda one: one.strip("/.") and ".." not in one.split("/") and not one.endswith("/")
)


@given(st.dictionaries(names, st.binary(max_size=1500), max_size=8))
def test_as_tarfile_reads_it(files: Dict[str, bytes]) -> None:
    data = tar(files)
    found = read_archive(io.BytesIO(data), "foo-1.0.tar.gz", lambda _: 5000)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        expected = {}
        for info in archive:
            parts = [part for part in info.name.split("/") if part not in ("", ".")][1:]
            member = archive.extractfile(info)
            assert member is not None
            expected["/".join(parts)] = member.read().decode("utf-8", "replace")
    assert found == Archive(tuple(sorted(expected)), expected)


@given(st.binary(max_size=2000))
def test_no_bytes_do_harm(data: bytes) -> None:
    for one in (data, gzip.compress(data), bz2.compress(data)):
        for name in ("a.tar.gz", "a.tar.bz2", "a.zip"):
            try:
                read(one, name)
            except ArchiveError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize("form", ["tar.gz", "zip", "tar.bz2"])
@given(st.data())
def test_no_changed_byte_does_harm(form: str, data: st.DataObject) -> None:
    whole = bytearray({"tar.gz": tar, "zip": zipped, "tar.bz2": bzipped}[form](FILES))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ArchiveError):
        read(bytes(whole), f"foo.{form}")
