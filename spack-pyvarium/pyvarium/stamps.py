# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Tell that files are as they were when they were compared last, without reading them again.

To read some thousand files costs more than all else in a sync, so what git does with its index is
done here: size, times and number of each file are kept, as one digest. Whoever writes to a file
moves its times, also who sets one of them back. A file that changed at the very time it was looked
at has the time of the digest, or a later one, and then the digest is not believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from array import array
from pathlib import Path
from typing import Dict, Iterable, Optional, Sequence, Tuple

from .errors import FileError
from .files import read_optional, write_atomically

#: What a file had when it was written: size, time and number.
Stamp = Tuple[int, int, int]


def stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ino


def moment(file: Path) -> int:
    """What time it is for the file system of a file, which may have a clock of its own.

    In nanoseconds; 0, which is before all, where it does not say.
    """
    try:
        os.utime(file)
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def hold(file: Path) -> bool:
    """Whether all is as it was when the digest in a file was left there."""
    try:
        digest, *watched = file.read_text(encoding="utf-8", errors="surrogateescape").split("\0")
        left = file.stat().st_mtime_ns
    except OSError:
        return False
    now, newest = _digest(watched)
    return now == digest and newest < left


def leave(file: Path, watched: Sequence[str], written: Dict[str, Stamp], since: int) -> None:
    """Keep the digest of files that were compared, or ``written`` anew, ``since`` a moment.

    Where another process has changed one of them meanwhile none is kept. That costs a comparison
    the next time and nothing else, and so does a file that cannot be written.
    """
    if not all(_is_known(path, written, since) for path in watched):
        return
    digest, _ = _digest(watched)
    text = "\0".join((digest, *watched)).encode("utf-8", "surrogateescape")
    with contextlib.suppress(FileError):
        write_atomically(file, text, expected=read_optional(file))


def _is_known(path: str, written: Dict[str, Stamp], since: int) -> bool:
    """Whether a file is as it was compared or written, or is still not there."""
    status = _status(path)
    if path in written:
        return status is not None and stamp(status) == written[path]
    if status is None:
        directory = os.path.dirname(path)
        status = _status(directory)
        if status is None or directory in written:
            return status is not None and stamp(status) == written[directory]
    return max(status.st_mtime_ns, status.st_ctime_ns) < since


def _digest(watched: Iterable[str]) -> Tuple[str, int]:
    """The digest of files, those that are gone too, and the time of the last change to any."""
    numbers = array("q")
    newest = 0
    for path in watched:
        status = _status(path)
        if status is None:
            numbers.append(-1)
            continue
        written, changed = status.st_mtime_ns, status.st_ctime_ns
        numbers.extend((status.st_size, written, changed, status.st_ino & sys.maxsize))
        newest = max(newest, written, changed)
    return hashlib.sha256(numbers.tobytes()).hexdigest(), newest


def _status(path: str) -> Optional[os.stat_result]:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None
