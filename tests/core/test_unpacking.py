# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Dict, Optional

import pytest

from fake_index import bzipped, tar, zipped
from pyvarium import unpacking
from pyvarium.tarball import ArchiveError
from pyvarium.unpacking import unpack

FILES = {"setup.py": "setup()", "src/foo.c": "int x;"}
NAME = "foo-1.0.tar.gz"
#: What Python 3.12 and 3.13 say where a test takes the filter away from them.
WITHOUT_FILTER = "ignore:Python 3.14 will, by default, filter"


def tree(directory: Path) -> Dict[str, str]:
    files = (one for one in directory.rglob("*") if one.is_file())
    return {one.relative_to(directory).as_posix(): one.read_text() for one in files}


def tar_of(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """A tar file with one member more, of any name and kind."""
    raw = io.BytesIO(tar(FILES, compress=bytes))
    with tarfile.open(fileobj=raw, mode="a") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return raw.getvalue()


def refused(path: Path, data: bytes, name: str = NAME) -> Optional[str]:
    """Why an archive is refused; whether or not, nothing is where it may not be."""
    directory = path / "directory"
    directory.mkdir()
    try:
        unpack(io.BytesIO(data), name, directory)
        return None
    except ArchiveError as error:
        return str(error)
    finally:
        assert list(path.iterdir()) == [directory]


@pytest.mark.parametrize(
    ("name", "data"),
    [(NAME, tar(FILES)), ("foo-1.0.tar.bz2", bzipped(FILES)), ("foo-1.0.zip", zipped(FILES))],
    ids=["gz", "bz2", "zip"],
)
def test_unpacked(tmp_path: Path, name: str, data: bytes) -> None:
    top = unpack(io.BytesIO(data), name, tmp_path)
    assert (top.name, tree(top)) == ("foo-1.0", FILES)


OUTSIDE = "it has a member that would be outside of its directory"


@pytest.mark.filterwarnings(WITHOUT_FILTER)
@pytest.mark.parametrize("old_python", [False, True], ids=["filter", "no-filter"])
@pytest.mark.parametrize("name", ["../x", "foo-1.0/../../x", "/tmp/x", "foo-1.0\\..\\x"])
def test_names_that_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, old_python: bool
) -> None:
    if old_python:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    assert refused(tmp_path, tar_of(name)) == OUTSIDE


@pytest.mark.parametrize("name", ["../x", "/tmp/x"])
def test_names_in_a_zip_file(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, zipped({name: ""}, top=""), "foo-1.0.zip") == OUTSIDE


def test_a_member_without_a_name(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        info = zipfile.ZipInfo("x")
        archive.writestr(info, b"")
        info.filename = ""  # As the directory at the end of the file has it then.
    said = "it has a member without a name"
    assert refused(tmp_path, raw.getvalue(), "foo-1.0.zip") == said


KINDS = pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "../../x"),
        (tarfile.LNKTYPE, "../../x"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
    ],
    ids=["absolute", "upwards", "hard", "pipe", "device"],
)


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="PEP 706 is not in this Python")
@KINDS
def test_members_that_are_refused(tmp_path: Path, kind: bytes, target: str) -> None:
    said = refused(tmp_path, tar_of("foo-1.0/x", kind, target))
    assert said is not None and said.startswith("it cannot be unpacked (")


@pytest.mark.filterwarnings(WITHOUT_FILTER)
@KINDS
def test_members_that_an_older_python_passes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes, target: str
) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    assert refused(tmp_path, tar_of("foo-1.0/x", kind, target)) is None
    assert not (tmp_path / "directory" / "foo-1.0" / "x").is_symlink()
    assert tree(tmp_path / "directory" / "foo-1.0") == FILES


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"broken", NAME, "it cannot be unpacked (file could not be opened successfully"),
        (b"broken", "foo-1.0.zip", "it cannot be unpacked (File is not a zip file)"),
        (tar({}), NAME, "it is not in one directory"),
        (tar({"a": ""}, top=""), NAME, "it is not in one directory"),
        (tar({"a/x": "", "b/x": ""}, top=""), NAME, "it is not in one directory"),
    ],
    ids=["broken", "broken-zip", "empty", "no-directory", "two-directories"],
)
def test_what_is_no_sdist(tmp_path: Path, data: bytes, name: str, said: str) -> None:
    assert (refused(tmp_path, data, name) or "").startswith(said)


@pytest.mark.parametrize(
    ("limit", "said"),
    [("_MOST_FILES", "it has more than 1 files"), ("_MOST_BYTES", "it has more than 1 bytes")],
)
@pytest.mark.parametrize(
    ("name", "data"), [(NAME, tar(FILES)), ("foo-1.0.zip", zipped(FILES))], ids=["tar", "zip"]
)
def test_what_is_too_large(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    said: str,
    name: str,
    data: bytes,
) -> None:
    monkeypatch.setattr(unpacking, limit, 1)
    assert refused(tmp_path, data, name) == said
