# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A file of which only those parts are fetched that are read."""

from __future__ import annotations

import io
from typing import Any, Callable

#: The least that is fetched at a time, and the most in all.
_LEAST = 32 << 10
_MOST = 32 << 20


class RangeFile(io.RawIOBase):
    """Reads and seeks in a file of ``size`` bytes, of which the end is there already.

    ``fetch`` returns the bytes from the first number up to but without the second. An archive can
    claim to have a directory of any size, so only so much is fetched; raises OSError beyond it.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, tail: bytes) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._tail = tail
        self._window = (size, b"")
        self._position = 0
        self._fetched = len(tail)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("negative position")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._part(self._position, min(self._position + len(buffer), self._size))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _part(self, start: int, stop: int) -> bytes:
        """What is there of this part at once, at least a byte of it."""
        if start >= stop:
            return b""
        for first, data in ((self._size - len(self._tail), self._tail), self._window):
            if first <= start < first + len(data):
                return data[start - first : stop - first]
        last = min(max(stop, start + _LEAST), self._size - len(self._tail))
        self._fetched += last - start
        if self._fetched > _MOST:
            raise OSError(f"more than {_MOST} bytes of it are asked for")
        self._window = (start, self._fetch(start, last))
        return self._window[1][: stop - start]
