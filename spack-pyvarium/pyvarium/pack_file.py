# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Write the file of a pack: a stream from the files of this machine into a compressed archive.

Nothing in it tells who packed, when, or in which order files were found. Files are read, changed
and hashed by several threads; no more of them than a few is in memory, and of a large one a part.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import enum
import hashlib
import os
import tarfile
import tempfile
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import (
    BinaryIO,
    Callable,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Sequence,
    Tuple,
)

from . import compression, files, pack_manifest
from .elf import patched
from .errors import FileError, PyvariumError
from .members import Member
from .pack_manifest import Bundled, Entry, Origin
from .relocation import with_record

#: What is read at once, of a file or of small ones.
_PART = 1 << 20
#: How many of these may wait to be written.
_AHEAD = 32
#: The time of what has none: 1980-01-01, as the oldest that zip files have.
TIME = 315532800

Report = Callable[[str], None]


class Format(enum.Enum):
    """What kind of file a pack is."""

    ZSTD = "zstd"
    GZIP = "gzip"
    SQUASHFS = "squashfs"


ENDINGS: Mapping[str, Format] = {
    ".tar.zst": Format.ZSTD,
    ".tar.gz": Format.GZIP,
    ".tgz": Format.GZIP,
    ".sqfs": Format.SQUASHFS,
    ".squashfs": Format.SQUASHFS,
}


@dataclass(frozen=True)
class Content:
    """All that goes into a pack, by member name."""

    files: Mapping[str, Member]
    links: Mapping[str, str]
    directories: Tuple[str, ...]
    bundled: Tuple[Bundled, ...] = ()
    """Without digests as yet."""

    @property
    def size(self) -> int:
        return sum(one.size for one in self.files.values())

    def __contains__(self, name: str) -> bool:
        return name in self.files or name in self.links or name in self.directories


@dataclass(frozen=True)
class Written:
    """A pack that was written."""

    path: Path
    pack_id: str
    size: int


def format_of(path: Path) -> Format:
    """The format that a file is to have by the end of its name; raises PyvariumError."""
    for ending, found in ENDINGS.items():
        if path.name.endswith(ending) and path.name != ending:
            return found
    raise PyvariumError(f"{path}: no format ends so; use one of {', '.join(ENDINGS)}")


def write(
    path: Path, origin: Origin, content: Content, *, workers: int, report: Report
) -> Written:
    """Write a pack; the file appears complete or not at all. Raises PyvariumError."""
    form = format_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.sweep(path)
        descriptor, temporary = tempfile.mkstemp(prefix=files.prefix(path), dir=path.parent)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); name another") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            pack_id = _write(file, Path(temporary), form, origin, content, workers, report)
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(file.fileno(), 0o666 & ~umask)
        os.replace(temporary, path)
        return Written(path, pack_id, path.stat().st_size)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); mend that") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # Only there still if the replacement did not happen.


def _write(
    file: BinaryIO,
    path: Path,
    form: Format,
    origin: Origin,
    content: Content,
    workers: int,
    report: Report,
) -> str:
    """Write a pack into an open file and return its id, which is known at the end."""
    blank = "0" * 64
    if form is Format.SQUASHFS:
        sink = compression.squashfs(path, workers, TIME)
        header = None
    else:
        header = pack_manifest.zstd_header if form is Format.ZSTD else pack_manifest.gzip_header
        file.write(header(blank, 0))
        file.flush()
        make = compression.zstd if form is Format.ZSTD else compression.Gzip
        sink = make(file, workers)
    counting = _Counting(sink)
    try:
        pack_id = _write_members(counting, origin, content, workers, report)
        sink.close()
    except BaseException:  # Also where somebody interrupts.
        sink.discard()
        raise
    if header is not None:
        file.seek(0)
        file.write(header(pack_id, counting.size))
    return pack_id


class _Counting:
    """Hands on a stream, and knows how long it is."""

    def __init__(self, sink: compression.Sink) -> None:
        self._sink = sink
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._sink.write(data)


def _write_members(
    sink: _Counting, origin: Origin, content: Content, workers: int, report: Report
) -> str:
    """Write all members, those that tell of others last; returns the id."""
    entries: Dict[str, Entry] = {}
    changed: Dict[str, Tuple[int, str]] = {}
    for name in sorted({*content.directories, os.path.dirname(pack_manifest.ID)}):
        entries[name] = ("d",)
        sink.write(_header(name, tarfile.DIRTYPE, 0o755))
    for name in sorted(content.links):
        entries[name] = ("l", content.links[name])
        sink.write(_header(name, tarfile.SYMTYPE, 0o777, target=content.links[name]))

    def put(blocks: Iterable[_Block]) -> Iterator[Member]:
        for block in blocks:
            sink.write(block.data)
            for member, digest in zip(block.members, block.digests or [_digest(sink, block)]):
                entries[member.name] = ("f", member.size, digest, member.mode)
                yield member

    records: List[Member] = []
    others: List[Member] = []
    for member in sorted(content.files.values(), key=_order):
        (records if member.name.endswith(".dist-info/RECORD") else others).append(member)
    done = shown = 0
    size = max(content.size, 1)
    for member in put(_read(others, workers)):
        if member.changed:
            changed[member.name] = (member.size, str(entries[member.name][2]))
        done += member.size
        if 4 * done // size > shown:
            shown = 4 * done // size
            report(f"{25 * shown} % of {size / 1e6:.0f} MB packed")
    for member in records:
        data = with_record(member.name, _content(member), changed, content.__contains__)
        list(put([_block([replace(member, data=data, size=len(data))])]))
    bundled = [replace(one, digest=_digest_here(one, content, entries)) for one in content.bundled]
    manifest = pack_manifest.render(origin, entries, bundled)
    pack_id = pack_manifest.identify(manifest)
    last = ((pack_manifest.MANIFEST, manifest), (pack_manifest.ID, f"{pack_id}\n".encode()))
    for name, data in last:
        list(put([_block([Member(name, size=len(data), mtime=TIME, data=data)])]))
    sink.write(bytes(2 * 512))
    return pack_id


def _digest_here(one: Bundled, content: Content, entries: Mapping[str, Entry]) -> str:
    """The digest of a library as it is on this machine."""
    member = content.files[one.path]
    if not member.changed:
        return str(entries[one.path][2])
    return hashlib.sha256(_content(replace(member, patches=()))).hexdigest()


def _order(member: Member) -> Tuple[bool, str, str]:
    """What is asked for by name comes first, then what is alike, which is smaller together."""
    return not member.name.startswith("bin/"), os.path.splitext(member.name)[1], member.name


def _header(
    name: str, kind: bytes, mode: int, size: int = 0, mtime: int = TIME, target: str = ""
) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size = kind, mode, size
    member.mtime, member.linkname = mtime, target
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


@dataclass(frozen=True)
class _Block:
    """A piece of a tar archive: members, and of each its digest.

    A large one stands alone, without its content as yet and so without a digest.
    """

    members: Sequence[Member]
    data: bytes
    digests: Sequence[str] = ()


def _block(members: Sequence[Member]) -> _Block:
    """Read some small files."""
    parts: List[bytes] = []
    digests: List[str] = []
    for member in members:
        content = _content(member)
        digests.append(hashlib.sha256(content).hexdigest())
        parts += [_member_header(member), content, bytes(-member.size % 512)]
    return _Block(members, b"".join(parts), digests)


def _member_header(member: Member) -> bytes:
    return _header(member.name, tarfile.REGTYPE, member.mode, member.size, member.mtime)


def _digest(sink: _Counting, block: _Block) -> str:
    """Write a large file by parts; returns its digest."""
    (member,) = block.members
    sha256 = hashlib.sha256()
    for part in _parts(member):
        sink.write(part)
        sha256.update(part)
    sink.write(bytes(-member.size % 512))
    return sha256.hexdigest()


def _read(members: Iterable[Member], workers: int) -> Iterator[_Block]:
    """The members in their order, small ones together and read ahead by several threads."""
    waiting: Deque[concurrent.futures.Future[_Block]] = deque()
    together: List[Member] = []
    size = 0
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for member in members:
            if together and size + member.size > _PART:
                waiting.append(pool.submit(_block, together))
                together, size = [], 0
            while waiting and (len(waiting) > _AHEAD or member.size > _PART):
                yield waiting.popleft().result()
            if member.size > _PART:
                yield _Block([member], _member_header(member))
                continue
            together.append(member)
            size += member.size
        if together:
            waiting.append(pool.submit(_block, together))
        while waiting:
            yield waiting.popleft().result()


def _parts(member: Member) -> Iterator[bytes]:
    """The content of a large file."""
    offset = 0
    with _opened(member) as file:
        while offset < member.size:
            part = file.read(_PART)
            if not part:
                break
            offset += len(part)
            yield patched(part, member.patches, offset - len(part)) if member.patches else part
        if offset != member.size or file.read(1):
            raise _moved(member)


def _content(member: Member) -> bytes:
    if member.data is not None:
        return member.data
    with _opened(member) as file:
        data = file.read()
    if len(data) != member.size:
        raise _moved(member)
    return patched(data, member.patches) if member.patches else data


def _opened(member: Member) -> BinaryIO:
    try:
        return open(member.path, "rb", buffering=0)
    except OSError as error:
        raise FileError(
            f"{member.path}: cannot be read ({error.strerror}); make it readable"
        ) from None


def _moved(member: Member) -> FileError:
    return FileError(f"{member.path}: was changed while it was packed; pack again")
