# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Unpack a pack: all that its manifest names, with that content, lands in one directory.

A pack comes from elsewhere and is not trusted. Its manifest, of which the id is the digest, is
read and understood before anything is written; then each member has to be in it. Nothing is
written through a link, since links are made when all else is there.

``templates/pack/pyvarium-run`` calls this where ``spack pyvarium run`` has started it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Dict, Iterator, List, Mapping, Optional, Set, Union, cast

from . import tarball
from .errors import PyvariumError, quoted
from .pack_manifest import parse_parts
from .tarball import ArchiveError, Member, Reader

FORMAT = 1
ID = "pyvarium/id"
MANIFEST = "pyvarium/manifest.json"
#: What runs a command in the environment.
ENTRY = "bin/run_in_env"

_LARGEST_MANIFEST = 64 << 20
#: Of a file, all that tells of its parts.
_LONGEST_HEADER = 16 << 10
#: The longest name, and part of one, that all file systems take.
_LONGEST_NAME = 1024
_LONGEST_PART = 255
#: How many links the kernel follows.
_MOST_LINKS = 40

_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class PackError(PyvariumError):
    """A pack cannot be used; of it, nothing is."""


@dataclass(frozen=True)
class File:
    """A plain file, as the manifest has it."""

    size: int
    digest: str
    mode: int


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Directory:
    """A directory, that may be empty."""


Entry = Union[File, Link, Directory]


@dataclass(frozen=True)
class Contents:
    """What a manifest names, but for itself and the id."""

    id: str
    architecture: str
    entries: Mapping[str, Entry]

    @property
    def size(self) -> int:
        return sum(one.size for one in self.entries.values() if isinstance(one, File))


def main(arguments: List[str]) -> None:
    """Unpack PACK into an empty DIRECTORY; the content has to have an ID, if it is not empty."""
    pack, directory, wanted = arguments
    try:
        unpack(Path(pack), Path(directory), wanted or None)
    except PackError as error:
        sys.exit(f"pyvarium-run: {error}")


def unpack(pack: Path, directory: Path, wanted: Optional[str] = None) -> Contents:
    """Unpack a pack into an empty directory; raises PackError, and then leaves it as it is.

    ``wanted`` is the id that the content has to have.
    """
    try:
        free = shutil.disk_usage(directory).free
        contents, raw = _read_contents(pack, wanted, free)
        machine = os.uname().machine
        if contents.architecture != machine:
            raise ArchiveError(f"it is for {contents.architecture}, and this is {machine}")
        if contents.size > free:
            raise ArchiveError(f"it takes {contents.size} bytes, and {free} are free here")
        with _members(pack, len(raw) + contents.size + _overhead(contents)) as (reader, found):
            _Unpacking(contents, raw, directory, reader).write(found)
    except ArchiveError as error:
        raise PackError(f"{pack}: {error}; copy or pack it again") from None
    except (EOFError, zlib.error, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise PackError(f"{pack}: is broken ({reason}); copy or pack it again") from None
    except OSError as error:
        raise PackError(
            f"{pack}: cannot be unpacked ({error}); mend that, and try again"
        ) from None
    return contents


def parse_manifest(raw: bytes) -> Contents:
    """Understand a manifest; raises ArchiveError for what should not be unpacked."""
    try:
        manifest = json.loads(raw, parse_int=_parse_number)
        if manifest["format"] != FORMAT:
            raise ArchiveError(f"it is of format {quoted(str(manifest['format']))}, not {FORMAT}")
        entries = {name: _parse_entry(value) for name, value in manifest["files"].items()}
        architecture = str(manifest["architecture"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ArchiveError("its manifest cannot be understood") from None
    for name in (*entries, ID, MANIFEST):
        _check_name(name)
        _check_parents(name, entries)
    for name, entry in entries.items():
        if isinstance(entry, Link):
            _check_target(name, entries)
    if not isinstance(entries.get(ENTRY), File) or {ID, MANIFEST} & entries.keys():
        raise ArchiveError(f"its manifest has no {ENTRY}, or itself in it")
    return Contents(hashlib.sha256(raw).hexdigest(), architecture, entries)


def _parse_number(digits: str) -> int:
    if len(digits) > 18:  # Longer ones take time that grows faster than they do.
        raise ValueError
    return int(digits)


def _parse_entry(value: Any) -> Entry:
    kind, *rest = value
    if kind == "f":
        size, digest, mode = rest
        if size < 0 or not _DIGEST.fullmatch(digest) or mode != mode & 0o777:
            raise ValueError
        return File(size, digest, mode)
    if kind == "l":
        (target,) = rest
        if not target or _CONTROL.search(target) or len(target.encode()) > _LONGEST_NAME:
            raise ValueError
        return Link(target)
    if value != ["d"]:
        raise ValueError
    return Directory()


def _check_name(name: str) -> None:
    parts = name.split("/")
    try:
        sound = (
            not any(part in ("", ".", "..") for part in parts)
            and not _CONTROL.search(name)
            and len(name.encode()) <= _LONGEST_NAME
            and all(len(part.encode()) <= _LONGEST_PART for part in parts)
        )
    except UnicodeEncodeError:  # JSON can name half of a pair.
        sound = False
    if not sound:
        raise ArchiveError(f"it has a member {quoted(name)}, which is no name to unpack")


def _check_parents(name: str, entries: Mapping[str, Entry]) -> None:
    above = name.rpartition("/")[0]
    while above:
        if not isinstance(entries.get(above, Directory()), Directory):
            raise ArchiveError(f"it has a member {quoted(name)} below what is no directory")
        above = above.rpartition("/")[0]


def _check_target(name: str, entries: Mapping[str, Entry]) -> None:
    """Follow a link as the kernel would, through other links too; raises ArchiveError."""
    place = name.split("/")[:-1]
    ahead = _steps(name, entries)
    followed = 0
    while ahead:
        part = ahead.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not place:
                raise ArchiveError(f"it has a link {quoted(name)} that leads out of it")
            place.pop()
            continue
        through = "/".join((*place, part))
        if isinstance(entries.get(through), Link):
            followed += 1
            if followed > _MOST_LINKS:
                raise ArchiveError(f"it has a link {quoted(name)} that leads nowhere")
            ahead += _steps(through, entries)
        else:
            place.append(part)


def _steps(name: str, entries: Mapping[str, Entry]) -> List[str]:
    target = cast(Link, entries[name]).target
    if target.startswith("/"):
        raise ArchiveError(f"it has a link {quoted(name)} that leads out of it")
    return target.split("/")[::-1]


def _overhead(contents: Contents) -> int:
    """The most that the headers of a tar file with this content take."""
    return (len(contents.entries) + 100) * 8192


def _read_contents(pack: Path, wanted: Optional[str], most: int) -> tuple[Contents, bytes]:
    """The manifest, from the last part if there are any, else from wherever it is.

    Somebody may have packed it again.
    """
    with open(pack, "rb") as file:
        parts = parse_parts(file.read(_LONGEST_HEADER))
    for offset in (*(one.offset for one in parts[-1:]), 0):
        with _members(pack, most, offset) as (reader, found):
            for member in found:
                if _name_of(member) == MANIFEST and member.is_file:
                    return _parse_checked(reader, member, wanted)
    raise ArchiveError(f"it has no {MANIFEST}: 'spack pyvarium pack' did not make it")


def _parse_checked(
    reader: Reader, member: Member, wanted: Optional[str]
) -> tuple[Contents, bytes]:
    if member.size > _LARGEST_MANIFEST:
        raise ArchiveError(f"it has a manifest of {member.size} bytes")
    raw = reader.take(member.size)
    if wanted not in (None, hashlib.sha256(raw).hexdigest()):
        raise ArchiveError("its manifest has another digest than its id says")
    return parse_manifest(raw), raw


@contextlib.contextmanager
def _members(pack: Path, most: int, offset: int = 0) -> Iterator[tuple[Reader, Iterator[Member]]]:
    with open(pack, "rb", buffering=0) as file:  # A program reads on where we have ended.
        file.seek(offset)
        magic = file.read(4)
        file.seek(offset)
        if magic.startswith(_GZIP):
            stream: contextlib.AbstractContextManager[Any] = tarball.gunzipped(file)
        elif magic.startswith(_ZSTANDARD) or magic[1:] == b"\x2a\x4d\x18":
            stream = _decompressed(file)
        else:
            raise ArchiveError("it is neither gzip nor zstd")
        with stream as decompressed:
            reader = Reader(decompressed, most)
            yield reader, tarball.members(reader)


@contextlib.contextmanager
def _decompressed(file: IO[bytes]) -> Iterator[BinaryIO]:
    """What zstd has compressed: by the program, which is beside us, or by a library."""
    program = shutil.which("zstd")
    if program is None:
        with _library(file) as stream:
            yield stream
        return
    with subprocess.Popen(
        [program, "-dcq"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        yield cast(BinaryIO, process.stdout)
        process.kill()  # What is behind the end, or unread after an error, is not asked for.


def _library(file: IO[bytes]) -> contextlib.AbstractContextManager[BinaryIO]:
    with contextlib.suppress(ImportError):
        from compression import zstd  # type: ignore[import-not-found]  # Since 3.14.

        return cast(BinaryIO, zstd.ZstdFile(file))
    with contextlib.suppress(ImportError):
        import zstandard  # type: ignore[import-not-found]

        decompressor = zstandard.ZstdDecompressor()
        return cast(BinaryIO, decompressor.stream_reader(file, read_across_frames=True))
    raise ArchiveError("it is zstd, and there is no program zstd and no library zstandard")


def _name_of(member: Member) -> str:
    name = member.name[2:] if member.name.startswith("./") else member.name
    return name[:-1] if name.endswith("/") else name


class _Unpacking:
    """The writing of one pack."""

    def __init__(self, contents: Contents, raw: bytes, top: Path, reader: Reader) -> None:
        self._top = top
        self._reader = reader
        self._raw = raw
        self._entries: Dict[str, Entry] = {
            **contents.entries,
            ID: _file_of(f"{contents.id}\n".encode()),
            MANIFEST: _file_of(raw),
        }
        self._implied: Set[str] = {""}  # As './' is called.
        for name in self._entries:
            self._implied.update(_above(name))
        self._made: Set[Path] = {top}

    def write(self, members: Iterator[Member]) -> None:
        seen: Set[str] = set()
        for member in members:
            name = _name_of(member)
            if name in seen:
                raise ArchiveError(f"it has a member {quoted(name)} twice")
            seen.add(name)
            self._write_member(name, member)
        for name, entry in self._entries.items():
            if isinstance(entry, Directory):
                self._make(self._top / name)
            elif name not in seen:
                raise ArchiveError(f"it lacks the member {quoted(name)}")
        for name, entry in self._entries.items():
            if isinstance(entry, Link):
                self._make((self._top / name).parent)
                os.symlink(entry.target, self._top / name)

    def _write_member(self, name: str, member: Member) -> None:
        entry = self._entries.get(name)
        if member.kind == tarball.DIRECTORY and entry is None and name in self._implied:
            entry = Directory()
        if entry is None:
            raise ArchiveError(f"it has a member {quoted(name)} that is not in its manifest")
        if isinstance(entry, File) and member.is_file and member.size == entry.size:
            if member.mode & ~0o777:
                raise ArchiveError(f"it has a member {quoted(name)} with special permissions")
            self._write_file(name, entry, member.modified)
        elif not (
            (isinstance(entry, Directory) and member.kind == tarball.DIRECTORY)
            or (entry == Link(member.target) and member.kind == tarball.LINK)
        ):
            raise ArchiveError(f"it has a member {quoted(name)} that its manifest has otherwise")

    def _write_file(self, name: str, entry: File, modified: int) -> None:
        path = self._top / name
        self._make(path.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        sha256 = hashlib.sha256()
        descriptor = os.open(path, flags, entry.mode)
        try:
            for part in self._reader.parts(entry.size):
                sha256.update(part)
                view = memoryview(part)
                while view:
                    view = view[os.write(descriptor, view) :]
            # By it, python knows whether what it has compiled is still that of the source.
            os.utime(descriptor, (modified, modified))
        finally:
            os.close(descriptor)
        if sha256.hexdigest() != entry.digest:
            raise ArchiveError(f"it has a member {quoted(name)} with another digest")

    def _make(self, directory: Path) -> None:
        if directory not in self._made:
            directory.mkdir(parents=True, exist_ok=True)
            self._made.add(directory)


def _above(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _file_of(data: bytes) -> File:
    return File(len(data), hashlib.sha256(data).hexdigest(), 0o644)
