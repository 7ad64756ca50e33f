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
import shutil
import tarfile
import tempfile
import threading
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

from . import compression, files, pack_manifest, parts
from .elf import patched
from .errors import FileError, PyvariumError
from .members import Member
from .pack_manifest import Bundled, Entry, Origin, Part
from .relocation import source_of, with_record, with_source_time

#: What is read at once, of a file or of small ones.
_PART = 1 << 20
#: How many of these may wait to be written.
_AHEAD = 32
#: The time of all that is in a pack: 1980-01-01, as the oldest that zip files have.
TIME = 315532800
#: The part that tells of the others.
_LAST = os.path.dirname(pack_manifest.ID)

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
    temporary = files.temporary_for(path)
    try:
        with _open(temporary, path) as file:
            pack_id = _write(file, temporary, form, origin, content, workers, report)
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


def _open(temporary: Path, path: Path) -> BinaryIO:
    """Open the file that is to become a pack; raises FileError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.sweep(path)
        return files.open_new(temporary)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); name another") from None


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
    writing = _Writing(content, report)
    if form is Format.ZSTD:
        return _write_parts(file, path.parent, writing, origin, workers)
    if form is Format.SQUASHFS:
        sink = compression.squashfs(path, workers, TIME)
    else:
        file.write(pack_manifest.gzip_header("0" * 64, 0))
        file.flush()
        sink = compression.Gzip(file, workers)
    counting = _Counting(sink)
    try:
        writing.put(counting, writing.content, workers)
        pack_id = writing.finish(counting, origin)
        sink.close()
    except BaseException:  # Also where somebody interrupts.
        sink.discard()
        raise
    if form is Format.GZIP:
        file.seek(0)
        file.write(pack_manifest.gzip_header(pack_id, counting.size))
    return pack_id


def _write_parts(
    file: BinaryIO, directory: Path, writing: _Writing, origin: Origin, workers: int
) -> str:
    """Write a pack by parts that are compressed at the same time, into files without a name."""
    content = writing.content
    roots = parts.divide({name: one.size for name, one in content.files.items()})
    divided = _divided(content, roots)
    names = (*divided, _LAST)
    each = max(1, workers // len(divided))
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(tempfile.TemporaryFile(dir=directory)) for _ in names]
        sinks = [_Counting(compression.zstd(one, each)) for one in streams]
        try:
            writing.put_parts(sinks, list(divided.values()), workers)
            pack_id = writing.finish(sinks[-1], origin)
            sinks[-1].close()
        except BaseException:  # Also where somebody interrupts.
            for sink in sinks:
                sink.discard()
            raise
        offset = len(pack_manifest.zstd_header("0" * 64, 0, [Part(name) for name in names]))
        placed = []
        for name, sink, one in zip(names, sinks, streams):
            length = one.seek(0, os.SEEK_END)
            placed.append(Part(name, offset, length, sink.size))
            offset += length
        file.write(pack_manifest.zstd_header(pack_id, sum(one.size for one in sinks), placed))
        for one in streams:
            one.seek(0)
            shutil.copyfileobj(one, file, _PART)
    return pack_id


def _divided(content: Content, roots: Tuple[str, ...]) -> Dict[str, Content]:
    """What goes into each part; directories that are above a part are in the one that it is in."""
    files: Dict[str, Dict[str, Member]] = {root: {} for root in ("", *roots)}
    links: Dict[str, Dict[str, str]] = {root: {} for root in files}
    directories: Dict[str, List[str]] = {root: [] for root in files}
    for name, member in content.files.items():
        files[parts.part_of(name, roots)][name] = member
    for name, target in content.links.items():
        links[parts.part_of(name, roots)][name] = target
    for name in content.directories:
        directories[parts.part_of(name, roots)].append(name)
    return {root: Content(files[root], links[root], tuple(directories[root])) for root in files}


class _Counting:
    """Hands on a stream, and knows how long it is."""

    def __init__(self, sink: compression.Sink) -> None:
        self._sink = sink
        self.close, self.discard = sink.close, sink.discard
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._sink.write(data)


class _Changed(Mapping[str, Tuple[int, str]]):
    """Size and digest of what is in a pack otherwise than here, for the records that name it."""

    def __init__(self, files: Mapping[str, Member]) -> None:
        self._files = files

    def __getitem__(self, name: str) -> Tuple[int, str]:
        member = self._files[name]
        return member.size, hashlib.sha256(_content(member)).hexdigest()

    def __contains__(self, name: object) -> bool:
        return name in self._files and self._files[str(name)].changed

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._files if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Writing:
    """The members of a pack on their way into it, by several threads."""

    def __init__(self, content: Content, report: Report) -> None:
        files = content.files
        timed = {name: _with_source(member, files) for name, member in files.items()}
        self.content = replace(content, files=timed)
        self._given_up = False
        self._changed = _Changed(timed)
        self._report = report
        self._entries: Dict[str, Entry] = {}
        self._size = max(content.size, 1)
        self._done = self._shown = 0
        self._lock = threading.Lock()

    def put(self, sink: _Counting, content: Content, workers: int) -> None:
        """Write members, in an order of their own."""
        for name in sorted(content.directories):
            self._entries[name] = ("d",)
            sink.write(_header(name, tarfile.DIRTYPE, 0o755))
        for name in sorted(content.links):
            self._entries[name] = ("l", content.links[name])
            sink.write(_header(name, tarfile.SYMTYPE, 0o777, target=content.links[name]))
        ordered = sorted(content.files.values(), key=_order)
        for block in _read(map(self._recorded, ordered), workers):
            if self._given_up:
                return
            self._put(sink, block)
            self._tell(sum(member.size for member in block.members))

    def put_parts(
        self, sinks: Sequence[_Counting], divided: Sequence[Content], workers: int
    ) -> None:
        """Write the members of each part into its own sink, several at the same time."""

        def put(sink: _Counting, content: Content) -> None:
            self.put(sink, content, 1)
            sink.close()

        largest_first = sorted(zip(sinks, divided), key=lambda one: -one[1].size)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            try:
                for future in [pool.submit(put, *one) for one in largest_first]:
                    future.result()
            finally:
                self._given_up = True  # Whatever still runs, since one has failed.

    def finish(self, sink: _Counting, origin: Origin) -> str:
        """Write the members that tell of all others, and the end; returns the id."""
        directory = os.path.dirname(pack_manifest.ID)
        self._entries[directory] = ("d",)
        sink.write(_header(directory, tarfile.DIRTYPE, 0o755))
        entries = self._entries
        bundled = [
            replace(one, digest=_digest_here(one, self.content, entries))
            for one in self.content.bundled
        ]
        manifest = pack_manifest.render(origin, entries, bundled)
        pack_id = pack_manifest.identify(manifest)
        last = ((pack_manifest.MANIFEST, manifest), (pack_manifest.ID, f"{pack_id}\n".encode()))
        for name, data in last:
            self._put(sink, _block([Member(name, size=len(data), data=data)]))
        sink.write(bytes(2 * 512))
        return pack_id

    def _recorded(self, member: Member) -> Member:
        """A member as it is, but for a record of others."""
        if not member.name.endswith(".dist-info/RECORD"):
            return member
        before = _content(member)
        data = with_record(member.name, before, self._changed, self.content.__contains__)
        return member if data == before else replace(member, data=data, size=len(data))

    def _put(self, sink: _Counting, block: _Block) -> None:
        sink.write(block.data)
        for member, digest in zip(block.members, block.digests or [_digest(sink, block)]):
            self._entries[member.name] = ("f", member.size, digest, member.mode)

    def _tell(self, size: int) -> None:
        with self._lock:
            self._done += size
            if 4 * self._done // self._size > self._shown:
                self._shown = 4 * self._done // self._size
                self._report(f"{25 * self._shown} % of {self._size / 1e6:.0f} MB packed")


def _digest_here(one: Bundled, content: Content, entries: Mapping[str, Entry]) -> str:
    """The digest of a library as it is on this machine."""
    member = content.files[one.path]
    if not member.changed:
        return str(entries[one.path][2])
    here = Member(one.path, member.path, os.stat(member.path).st_size)
    return hashlib.sha256(_content(here)).hexdigest()


def _with_source(member: Member, files: Mapping[str, Member]) -> Member:
    """Compiled code with the time of its source in it; all else as it is."""
    source = files.get(source_of(member.name) or "")
    if source is None or member.data is not None or member.patches:
        return member
    return replace(member, source=(source.mtime, source.size))


def _order(member: Member) -> Tuple[bool, str, str]:
    """What is asked for by name comes first, then what is alike, which is smaller together."""
    return not member.name.startswith("bin/"), os.path.splitext(member.name)[1], member.name


def _header(name: str, kind: bytes, mode: int, size: int = 0, target: str = "") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size = kind, mode, size
    member.mtime, member.linkname = TIME, target
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
    return _header(member.name, tarfile.REGTYPE, member.mode, member.size)


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
    if member.data is not None:
        yield member.data
        return
    offset = 0
    with _opened(member) as file:
        while offset < member.size:
            part = file.read(_PART)
            if not part:
                break
            yield _changed(member, part, offset)
            offset += len(part)
        if offset != member.size or file.read(1):
            raise _moved(member)


def _content(member: Member) -> bytes:
    if member.data is not None:
        return member.data
    with _opened(member) as file:
        data = file.read()
    if len(data) != member.size:
        raise _moved(member)
    return _changed(member, data)


def _changed(member: Member, part: bytes, offset: int = 0) -> bytes:
    """A part of a file, which begins at ``offset``, as it is to be in the pack."""
    if member.patches:
        return patched(part, member.patches, offset)
    if member.source and not offset:
        return with_source_time(part, *member.source, TIME)
    return part


def _opened(member: Member) -> BinaryIO:
    try:
        return open(member.path, "rb", buffering=0)
    except OSError as error:
        raise FileError(
            f"{member.path}: cannot be read ({error.strerror}); make it readable"
        ) from None


def _moved(member: Member) -> FileError:
    return FileError(f"{member.path}: was changed while it was packed; pack again")
