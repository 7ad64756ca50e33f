# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Compress a stream with all processors, so that the same content gives the same bytes.

Each sink takes the bytes of a tar archive and writes into a file that is at its beginning. No
sink keeps more than a few blocks.
"""

from __future__ import annotations

import concurrent.futures
import importlib
import importlib.util
import os
import shutil
import struct
import subprocess
import zlib
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO, Deque, Optional, Protocol, Sequence, Union

from .errors import PyvariumError

_ZSTD_LEVEL = 3
#: Matches are looked for in the last 128 MB: as far as programs read it without being told to.
_ZSTD_WINDOW = 27
_GZIP_LEVEL = 4
#: What is compressed at once for gzip, and how much of what came before it may refer to.
_BLOCK, _WINDOW = 1 << 20, 1 << 15


class Sink(Protocol):
    """Takes a stream; it is either closed or discarded."""

    def write(self, data: bytes) -> Any: ...

    def close(self) -> None: ...

    def discard(self) -> None:
        """Leave nothing that runs, where the stream came to no end."""


class Gzip:
    """The content of one gzip member (RFC 1952), its blocks compressed in parallel as by pigz.

    The header is the caller's to write.
    """

    def __init__(self, file: BinaryIO, workers: int) -> None:
        self._file = file
        self._pool = concurrent.futures.ThreadPoolExecutor(workers)
        self._waiting: Deque[concurrent.futures.Future[bytes]] = deque()
        self._most = 2 * workers
        self._block = bytearray()
        self._before = b""
        self._crc = 0
        self._size = 0

    def write(self, data: bytes) -> None:
        self._block += data
        while len(self._block) >= _BLOCK:
            block = bytes(self._block[:_BLOCK])
            del self._block[:_BLOCK]
            self._add(block, last=False)

    def close(self) -> None:
        self._add(bytes(self._block), last=True)
        while self._waiting:
            self._file.write(self._waiting.popleft().result())
        self._file.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))
        self._pool.shutdown()

    def discard(self) -> None:
        for future in self._waiting:
            future.cancel()
        self._pool.shutdown()

    def _add(self, block: bytes, *, last: bool) -> None:
        self._crc = zlib.crc32(block, self._crc)
        self._size += len(block)
        self._waiting.append(self._pool.submit(_deflate, block, self._before, last))
        self._before = block[-_WINDOW:]
        while len(self._waiting) > self._most:
            self._file.write(self._waiting.popleft().result())


def _deflate(block: bytes, before: bytes, last: bool) -> bytes:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    data = compressor.compress(block)
    return data + compressor.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


class Program:
    """A program that reads the stream, and writes into the file by itself."""

    def __init__(self, command: Sequence[str], file: Union[BinaryIO, int]) -> None:
        self._command = command
        self._process = subprocess.Popen(
            command, _BLOCK, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.PIPE
        )

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except BrokenPipeError:
            self.close()
            raise PyvariumError(
                f"{' '.join(self._command)}: has read less than all; mend that"
            ) from None

    def close(self) -> None:
        _, said = self._process.communicate()
        if self._process.returncode:
            reason = " ".join(said.decode("utf-8", "replace").split())[-300:]
            raise PyvariumError(f"{' '.join(self._command)}: failed ({reason}); mend that")

    def discard(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


class _Squashfs(Program):
    """The program mksquashfs, after which the root directory has a time of its own."""

    def __init__(self, command: Sequence[str], path: Path, time: int) -> None:
        super().__init__(command, subprocess.DEVNULL)
        self._path = path
        self._time = time

    def close(self) -> None:
        super().close()
        with self._path.open("r+b") as file:
            set_root_time(file, self._time)


def set_root_time(file: BinaryIO, time: int) -> None:
    """Set the time of the root directory of an image whose inodes are not compressed.

    mksquashfs gives it that of now where it reads a tar stream. The superblock has the place of
    its inode (https://dr-emann.github.io/squashfs/squashfs.html).
    """
    file.seek(32)
    root, _, _, _, table = struct.unpack("<5Q", file.read(40))
    block = table + (root >> 16)
    file.seek(block)
    (header,) = struct.unpack("<H", file.read(2))
    if not header & 0x8000:
        raise PyvariumError("mksquashfs: compressed what it was not to; install a newer one")
    file.seek(block + 2 + (root & 0xFFFF) + 8)
    file.write(struct.pack("<I", time))


class _Library:
    """A compressor object of a library, that writes into the file."""

    def __init__(self, compressor: Any, file: BinaryIO) -> None:
        self._compressor = compressor
        self._file = file

    def write(self, data: bytes) -> None:
        self._file.write(self._compressor.compress(data))

    def close(self) -> None:
        self._file.write(self._compressor.flush())

    def discard(self) -> None:
        """Nothing of it runs."""


def zstd(file: BinaryIO, workers: int) -> Sink:
    """A sink that makes a zstd frame by what is there; raises PyvariumError where nothing is.

    Always with at least one worker: the bytes are the same for any number of them but none.
    """
    library = _zstandard()
    if library is not None:
        parameters = library.ZstdCompressionParameters.from_level(
            _ZSTD_LEVEL,
            threads=workers,
            write_checksum=True,
            window_log=_ZSTD_WINDOW,
            enable_ldm=True,
        )
        return _Library(library.ZstdCompressor(compression_params=parameters).compressobj(), file)
    standard = _standard_zstd()
    if standard is not None:
        options = {
            standard.CompressionParameter.compression_level: _ZSTD_LEVEL,
            standard.CompressionParameter.nb_workers: workers,
            standard.CompressionParameter.checksum_flag: 1,
            standard.CompressionParameter.window_log: _ZSTD_WINDOW,
            standard.CompressionParameter.enable_long_distance_matching: 1,
        }
        return _Library(standard.ZstdCompressor(options=options), file)
    program = shutil.which("zstd")
    if program is None:
        raise PyvariumError(
            "zstd: there is no program of this name, nor the library zstandard; install one,"
            " or name a file that ends in .tar.gz"
        )
    words = [f"-{_ZSTD_LEVEL}", f"-T{workers}", f"--long={_ZSTD_WINDOW}"]
    return Program([program, "-q", *words, "-c"], file)


def _zstandard() -> Optional[Any]:
    if importlib.util.find_spec("zstandard") is None:
        return None
    return importlib.import_module("zstandard")


def _standard_zstd() -> Optional[Any]:
    if importlib.util.find_spec("compression") is None:  # Since 3.14.
        return None
    return importlib.import_module("compression.zstd")


def squashfs(path: Path, workers: int, time: int) -> Sink:
    """A sink that makes a squashfs image of a tar stream; raises PyvariumError without program.

    ``time`` is that of the root directory, which is none of the stream.
    """
    program = shutil.which("mksquashfs", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise PyvariumError(
            "mksquashfs: there is no program of this name; install squashfs-tools, or name a file"
            " that ends in .tar.zst or .tar.gz"
        )
    command = [program, "-", str(path), "-tar", "-noappend", "-quiet", "-no-progress"]
    command += ["-comp", "zstd", "-noI", "-all-root", "-mkfs-time", "0", "-root-mode", "755"]
    return _Squashfs([*command, "-processors", str(workers)], path, time)
