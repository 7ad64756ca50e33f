# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Unpack an sdist: what is in it lands below one directory, or nothing of it is used.

Only for what cannot be read in memory (see ``archives``): code of it that is to be run.
"""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from .archives import check_zip_member
from .tarball import ArchiveError

#: Of one sdist, unpacked.
_MOST_BYTES = 2 << 30
_MOST_FILES = 100_000

_BROKEN = (
    *(OSError, EOFError, RuntimeError, ValueError, OverflowError),
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)


def unpack(file: IO[bytes], name: str, directory: Path) -> Path:
    """Unpack an sdist into an empty directory, and return the one that all of it is in.

    ``name`` tells the format; the file has to be seekable. Raises ArchiveError.
    """
    try:
        if name.endswith(".zip"):
            _unpack_zip(file, directory)
        else:
            _unpack_tar(file, directory)
    except _BROKEN as error:
        raise ArchiveError(f"it cannot be unpacked ({' '.join(str(error).split())})") from None
    tops = [one for one in directory.iterdir() if one.is_dir() and not one.is_symlink()]
    if len(tops) != 1:
        raise ArchiveError("it is not in one directory")
    return tops[0]


def _unpack_tar(file: IO[bytes], directory: Path) -> None:
    count = _Count()
    with tarfile.open(fileobj=file) as archive:
        for member in archive:
            count.add(member.name, member.size)
            if hasattr(tarfile, "data_filter"):  # PEP 706, in later releases of 3.9 to 3.11 too.
                archive.extract(member, directory, filter="data")
            elif member.isreg() or member.isdir():  # No link can lead out where none is made.
                archive.extract(member, directory, set_attrs=False)


def _unpack_zip(file: IO[bytes], directory: Path) -> None:
    count = _Count()
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            count.add(info.filename, info.file_size)
            check_zip_member(info)
            archive.extract(info, directory)  # A link becomes a file that holds its target.


class _Count:
    """Refuses the members of an archive that are too many, too large, or elsewhere."""

    def __init__(self) -> None:
        self._files = 0
        self._bytes = 0

    def add(self, name: str, size: int) -> None:
        self._files += 1
        self._bytes += size
        if self._files > _MOST_FILES:
            raise ArchiveError(f"it has more than {_MOST_FILES} files")
        if self._bytes > _MOST_BYTES:
            raise ArchiveError(f"it has more than {_MOST_BYTES} bytes")
        if not name:
            raise ArchiveError("it has a member without a name")
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            raise ArchiveError("it has a member that would be outside of its directory")
