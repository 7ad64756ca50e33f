# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read a tar file forwards, member by member. Nothing is written, and no name becomes a path.

What is in it comes from elsewhere and is not trusted: nothing is held that is larger than asked
for, whatever a header says. The standard library's ``tarfile`` holds a header of any size, and
takes three times as long over many files.
"""

from __future__ import annotations

import io
import re
import zlib
from typing import IO, Any, BinaryIO, Iterator, List, NamedTuple

from .errors import PyvariumError

_BLOCK = 512
_CHUNK = 256 << 10
_LONGEST_HEADER = 64 << 10

_PLAIN = (b"0", b"\0", b"7")
LINK = b"2"
DIRECTORY = b"5"
#: Plain files, the two kinds of links, devices, directories, pipes.
_KNOWN = (*_PLAIN, b"1", b"2", b"3", b"4", b"5", b"6")
_PAX_RECORD = re.compile(rb"(\d{1,5}) ([^=]+)=")


class ArchiveError(PyvariumError):
    """An archive is broken, or larger than it may be; the message is a part of a sentence."""


class Member(NamedTuple):
    """A member as its headers say it is."""

    name: str
    kind: bytes
    size: int
    target: str
    header: bytes

    @property
    def is_file(self) -> bool:
        # Before POSIX, a directory was told by its name alone.
        return self.kind in _PLAIN and not (self.kind == b"\0" and self.name.endswith("/"))

    @property
    def mode(self) -> int:
        return _number(self.header[100:108])

    @property
    def modified(self) -> int:
        """In seconds since 1970."""
        return _number(self.header[136:148])


class Reader:
    """Reads forwards in what is decompressed, and only so much of it."""

    def __init__(self, stream: BinaryIO, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
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

    def parts(self, size: int) -> Iterator[bytes]:
        """The next bytes, in parts that need not all be held."""
        while size:
            part = self._stream.read(min(size, _CHUNK))
            if not part:
                raise EOFError("it ends early")
            size -= len(part)
            self._count(len(part))
            yield part

    def skip(self, size: int) -> None:
        for _ in self.parts(size):
            pass

    def drain(self) -> None:
        """Read what is behind the last member: its digest is of the whole file."""
        while True:
            part = self._stream.read(_CHUNK)
            if not part:
                return
            self._count(len(part))

    def _count(self, size: int) -> None:
        self.position += size
        if self.position > self._most_bytes:
            raise ArchiveError(f"it has more than {self._most_bytes} bytes")


def members(reader: Reader) -> Iterator[Member]:
    """POSIX.1-1988 (ustar) with what pax and GNU tar add for names that are long.

    What is left of a member's content is skipped when the next one is asked for. Raises
    ArchiveError and EOFError.
    """
    long = _Long()
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
                long = _parse_pax(data, long)
            elif kind == b"L":
                long = long._replace(name=_text(data))
            elif kind == b"K":
                long = long._replace(target=_text(data))
            continue
        if kind not in _KNOWN:
            raise ArchiveError(f"it has a member of the unknown kind {kind.decode('latin-1')!a}")
        member = Member(
            long.name or _ustar_name(header),
            kind,
            size if long.size is None else long.size,
            long.target or _text(header[157:257]),
            header,
        )
        long = _Long()
        if member.is_file:
            end = reader.position + member.size
            yield member
            reader.skip(end - reader.position + -member.size % _BLOCK)
        else:
            yield member


def gunzipped(file: IO[bytes]) -> io.BufferedReader:
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


class _Long(NamedTuple):
    """What stands before a header because it has no room for it."""

    name: str = ""
    size: Any = None
    target: str = ""


def _parse_pax(data: bytes, long: _Long) -> _Long:
    """What the records of pax say, ``length key=value``."""
    while data.strip(b"\0"):
        record = _PAX_RECORD.match(data)
        length = int(record[1]) if record else 0
        if record is None or not record.end() < length <= len(data):
            raise ArchiveError("it is broken (a header has no length)")
        value = data[record.end() : length - 1]
        if record[2] == b"path":
            long = long._replace(name=_text(value))
        elif record[2] == b"linkpath":
            long = long._replace(target=_text(value))
        elif record[2] == b"size":
            size = _number(b"%o\0" % int(value)) if value.isdigit() and len(value) < 16 else None
            long = long._replace(size=size)
        data = data[length:]
    return long


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")
