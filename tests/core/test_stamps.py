# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import os
from pathlib import Path
from typing import Callable, Dict

import pytest

from pyvarium.stamps import Stamp, hold, leave, moment, stamp

AGES = 10**18


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One that was written long ago."""
    path = tmp_path / "directory" / "file"
    path.parent.mkdir()
    path.write_bytes(b"text")
    return path


def leave_later(kept: Path, *watched: Path, written: Dict[str, Stamp], since: int) -> None:
    """Leave the digest at a time that is later than that of the files, for sure."""
    leave(kept, [str(one) for one in watched], written, since)
    if kept.exists():
        status = kept.stat()
        os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))


def overwrite(file: Path) -> None:
    """With as many bytes, and with the times put back."""
    status = file.stat()
    file.write_bytes(b"TEXT")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(file: Path) -> None:
    (file.parent / "new").write_bytes(b"TEXT")
    os.replace(file.parent / "new", file)


CHANGES: Dict[str, Callable[[Path], object]] = {
    "overwritten": overwrite,
    "replaced": replace,
    "removed": os.unlink,
    "moved": lambda file: os.rename(file, f"{file}.old"),
    "longer": lambda file: file.write_bytes(b"longer text"),
    "mode": lambda file: file.chmod(0o600),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_is_noticed(tmp_path: Path, file: Path, change: str) -> None:
    kept = tmp_path / "stamps"
    leave_later(kept, file, written={}, since=AGES * 9)
    assert hold(kept)
    CHANGES[change](file)
    assert not hold(kept)


def test_what_is_missing_is_noticed_when_it_comes(tmp_path: Path, file: Path) -> None:
    kept = tmp_path / "stamps"
    leave_later(kept, file, file.with_name("other"), written={}, since=AGES * 9)
    assert hold(kept)
    file.with_name("other").touch()
    assert not hold(kept)


def test_nothing_is_kept_of_what_changed_meanwhile(tmp_path: Path, file: Path) -> None:
    """Whoever compared it may have read what it was before."""
    kept = tmp_path / "stamps"
    since = moment(file)
    leave(kept, [str(file)], {}, since)
    assert not kept.exists()
    written = {str(file): stamp(file.stat())}
    replace(file)
    leave(kept, [str(file)], written, since)
    assert not kept.exists()
    file.unlink()
    for known in ({}, written):
        leave(kept, [str(file)], known, since)
        assert not kept.exists()


def test_what_was_written_is_known(tmp_path: Path, file: Path) -> None:
    kept = tmp_path / "stamps"
    since = moment(file)
    written = {str(one): stamp(one.stat()) for one in (file, file.parent)}
    leave_later(kept, file, file.with_name("no"), file.parent, written=written, since=since)
    assert hold(kept)


def test_a_file_as_young_as_the_digest_is_not_believed(tmp_path: Path, file: Path) -> None:
    """It may have been changed after it was looked at, within one tick of the clock."""
    kept = tmp_path / "stamps"
    leave_later(kept, file, written={}, since=AGES * 9)
    youngest = max(file.stat().st_mtime_ns, file.stat().st_ctime_ns)
    os.utime(kept, ns=(youngest, youngest))
    assert not hold(kept)
    os.utime(kept, ns=(youngest, youngest + 1))
    assert hold(kept)


def test_a_file_of_the_future_is_not_believed(tmp_path: Path, file: Path) -> None:
    """A clock was put back."""
    os.utime(file, ns=(4 * AGES, 4 * AGES))
    leave_later(tmp_path / "stamps", file, written={}, since=AGES * 9)
    assert not hold(tmp_path / "stamps")


def test_without_a_file_system_to_ask(tmp_path: Path) -> None:
    assert (moment(tmp_path / "no"), hold(tmp_path / "no")) == (0, False)
    (tmp_path / "stamps").write_bytes(b"\xff\0\0\n")
    assert not hold(tmp_path / "stamps")
    leave(tmp_path / "stamps" / "below", [], {}, 0)
