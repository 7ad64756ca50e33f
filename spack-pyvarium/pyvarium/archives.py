# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read an sdist in memory: which files are in it, and the text of some. Nothing is unpacked.

Members come from an index and are not trusted: no name becomes a path, and nothing is held that is
larger than asked for, whatever an archive says of itself.
"""

from __future__ import annotations

import bz2
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import (
    IO,
    BinaryIO,
    Callable,
    Dict,
    Iterator,
    Mapping,
    Optional,
    Tuple,
    cast,
)

from . import tarball
from .tarball import ArchiveError

#: How much of a file is wanted, by its name below the directory of the sdist; 0 is nothing of it.
Wanted = Callable[[str], int]
#: Whether the texts that were read so far are all that is wanted, asked after each by its name.
Enough = Callable[[str, Mapping[str, str]], bool]

#: Of one sdist: bytes when decompressed, files, bytes held.
_MOST_BYTES = 2 << 30
_MOST_FILES = 100_000
_MOST_HELD = 64 << 20


@dataclass(frozen=True)
class Archive:
    """The files of an sdist by their names below its one directory, and the wanted texts.

    ``whole`` is False where reading ended early because there was enough.
    """

    names: Tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True


def read_archive(
    file: IO[bytes], name: str, wanted: Wanted, enough: Enough = lambda *_: False
) -> Archive:
    """Read an sdist, ``name`` telling its format; raises ArchiveError and what reading raises.

    A zip file has to be seekable. Of two members with one name the last counts, as when unpacked.
    """
    names: Dict[str, None] = {}
    texts: Dict[str, str] = {}
    held = 0
    try:
        for member, read in (
            _zip_members(file) if name.endswith(".zip") else _tar_members(file, name)
        ):
            below = _below_directory(member)
            if below is None:
                continue
            names[below] = None
            if len(names) > _MOST_FILES:
                raise ArchiveError(f"it has more than {_MOST_FILES} files")
            limit = wanted(below)
            if limit:
                data = read(limit)
                held += len(data)
                if held > _MOST_HELD:
                    raise ArchiveError(f"what is wanted of it has more than {_MOST_HELD} bytes")
                texts[below] = data.decode("utf-8", "replace")
                if enough(below, texts):
                    return Archive(tuple(sorted(names)), texts, whole=False)
    except (OSError, EOFError, zlib.error, struct.error, zipfile.BadZipFile) as error:
        raise ArchiveError(f"it is broken ({' '.join(str(error).split())})") from None
    except (
        RuntimeError,
        ValueError,
        OverflowError,
    ) as error:  # Of zipfile: encrypted, and others.
        raise ArchiveError(f"it cannot be read ({' '.join(str(error).split())})") from None
    return Archive(tuple(sorted(names)), texts)


def check_zip_member(info: zipfile.ZipInfo) -> None:
    """Refuse what ``zipfile`` decompresses at once, however large; raises ValueError."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("a member is not compressed as in other archives")


def _below_directory(name: str) -> Optional[str]:
    """The name in the sdist's directory, None for what would not be in it when unpacked."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if len(parts) < 2 or ".." in parts or name.startswith("/") or not name.isprintable():
        return None
    return None if "\\" in name else "/".join(parts[1:])


def _zip_members(file: IO[bytes]) -> Iterator[Tuple[str, Callable[[int], bytes]]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.filename.endswith("/"):  # is_dir() needs a name that is not empty.
                check_zip_member(info)

                def read(limit: int, info: zipfile.ZipInfo = info) -> bytes:
                    with archive.open(info) as member:
                        return member.read(limit)

                yield info.filename, read


def _tar_members(file: IO[bytes], name: str) -> Iterator[Tuple[str, Callable[[int], bytes]]]:
    with bz2.BZ2File(file) if name.endswith(".bz2") else tarball.gunzipped(file) as stream:
        reader = tarball.Reader(cast(BinaryIO, stream), _MOST_BYTES)
        for member in tarball.members(reader):
            if member.is_file:
                yield member.name, lambda limit, size=member.size: reader.take(min(limit, size))  # type: ignore[misc]
