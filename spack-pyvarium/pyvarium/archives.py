# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read an sdist in memory: which files are in it, and the text of some. Nothing is unpacked.

Members come from an index and are not trusted: no name becomes a path, and nothing is held that is
larger than asked for, whatever an archive says of itself. The standard library's ``tarfile`` holds
a header of any size, and takes three times as long over the many files of a large sdist.
"""

from __future__ import annotations

import bz2
import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import (
    IO,
    Any,
    BinaryIO,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    cast,
)

from .errors import PyvariumError

#: How much of a file is wanted, by its name below the directory of the sdist; 0 is nothing of it.
Wanted = Callable[[str], int]
#: Whether the texts that were read so far are all that is wanted, asked after each by its name.
Enough = Callable[[str, Mapping[str, str]], bool]

_BLOCK = 512
_CHUNK = 256 << 10
#: Of one sdist: bytes when decompressed, files, bytes held, bytes of a header.
_MOST_BYTES = 2 << 30
_MOST_FILES = 100_000
_MOST_HELD = 64 << 20
_LONGEST_HEADER = 64 << 10

_REGULAR = (b"0", b"\0", b"7")
_LINKS_AND_DIRECTORIES = b"123456"
_PAX_RECORD = re.compile(rb"(\d{1,5}) ([^=]+)=")


class ArchiveError(PyvariumError):
    """An archive is broken, or is larger than any sdist; the message is a part of a sentence."""


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
    """POSIX.1-1988 (ustar) with what pax and GNU tar add for names that are long."""
    with bz2.BZ2File(file) if name.endswith(".bz2") else _gunzipped(file) as stream:
        reader = _Reader(cast(BinaryIO, stream))
        long_name: Optional[str] = None
        long_size: Optional[int] = None
        while True:
            header = reader.take(_BLOCK, or_end=reader.position > 0)
            if not header.strip(b"\0"):
                reader.drain()
                return
            size, kind = _check_header(header), header[156:157]
            if kind in (b"x", b"g", b"L", b"K"):
                if size > _LONGEST_HEADER:
                    raise ArchiveError(f"it has a header of {size} bytes")
                data = reader.take(size)
                reader.skip(-size % _BLOCK)
                if kind == b"x":
                    long_name, long_size = _parse_pax(data, long_name)
                elif kind == b"L":
                    long_name = _text(data)
                continue
            member, size = (
                long_name or _ustar_name(header),
                size if long_size is None else long_size,
            )
            long_name = long_size = None
            if kind in _REGULAR and not (kind == b"\0" and member.endswith("/")):
                end = reader.position + size
                yield member, lambda limit, size=size: reader.take(min(limit, size))  # type: ignore[misc]
                reader.skip(end - reader.position + -size % _BLOCK)
            elif kind not in _LINKS_AND_DIRECTORIES and kind not in _REGULAR:
                raise ArchiveError(
                    f"it has a member of the unknown kind {kind.decode('latin-1')!a}"
                )


def _gunzipped(file: IO[bytes]) -> io.BufferedReader:
    return io.BufferedReader(_Gunzipped(file), _CHUNK)


class _Gunzipped(io.RawIOBase):
    """As ``gzip``, in larger parts: small ones make threads wait for each other at every one."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._member = zlib.decompressobj(wbits=31)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._member.eof:
                self._left = self._left.lstrip(b"\0")  # Padding, as of a tape.
                if not self._left:
                    if not self._fill():
                        return 0
                    continue
                self._member = zlib.decompressobj(wbits=31)
            more = bool(self._left) or self._fill()
            data = self._member.decompress(self._left, len(buffer))
            self._left = self._member.unconsumed_tail or self._member.unused_data
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not more and not self._member.eof:
                raise EOFError("it ends early")

    def _fill(self) -> bool:
        self._left = self._file.read(_CHUNK) or b""
        return bool(self._left)


class _Reader:
    """Reads forwards in what is decompressed, and only so much of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.position = 0

    def take(self, size: int, *, or_end: bool = False) -> bytes:
        parts: List[bytes] = []
        left = size
        while left:
            part = self._stream.read(min(left, _CHUNK))
            if not part:
                if or_end and left == size:
                    return b""
                raise EOFError("it ends early")
            parts.append(part)
            left -= len(part)
            self._count(len(part))
        return b"".join(parts)

    def skip(self, size: int) -> None:
        while size:
            part = self._stream.read(min(size, _CHUNK))
            if not part:
                raise EOFError("it ends early")
            size -= len(part)
            self._count(len(part))

    def drain(self) -> None:
        """Read what is behind the last member: its digest is of the whole file."""
        while True:
            part = self._stream.read(_CHUNK)
            if not part:
                return
            self._count(len(part))

    def _count(self, size: int) -> None:
        self.position += size
        if self.position > _MOST_BYTES:
            raise ArchiveError(f"it has more than {_MOST_BYTES} bytes")


def _check_header(header: bytes) -> int:
    """The size of a member; raises ArchiveError for what is no header."""
    stored = _number(header[148:156])
    if stored != sum(header) - sum(header[148:156]) + 8 * 32:
        raise ArchiveError("it is broken (a header has another checksum)")
    return _number(header[124:136])


def _number(field: bytes) -> int:
    """An octal number, or as GNU tar writes a large one: the first bit set, then binary."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):
        raise ArchiveError("it is broken (a header has a number that is none)")
    return int(digits or b"0", 8)


def _ustar_name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _parse_pax(data: bytes, name: Optional[str]) -> Tuple[Optional[str], Optional[int]]:
    """The path and the size in the records of pax, ``length key=value``."""
    size: Optional[int] = None
    while data.strip(b"\0"):
        record = _PAX_RECORD.match(data)
        length = int(record[1]) if record else 0
        if record is None or not record.end() < length <= len(data):
            raise ArchiveError("it is broken (a header has no length)")
        value = data[record.end() : length - 1]
        if record[2] == b"path":
            name = _text(value)
        elif record[2] == b"size":
            size = _number(b"%o\0" % int(value)) if value.isdigit() and len(value) < 16 else None
        data = data[length:]
    return name, size


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")
