# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The log of automatic sync: one JSON object a line (https://jsonlines.org), for an admin.

Many processes, on several hosts, append to one file; it is opened anew each time, so that it can
be moved away at any time. Nobody waits long for it, and nobody is let down by it: what goes wrong
is a FileError for the caller to take lightly.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import json
import os
import stat
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Iterator, Optional

from . import files
from .errors import FileError
from .model import PinDiff

#: Seconds to wait for other writers. Then it is written all the same: on a local file system that
#: does no harm.
TIMEOUT = 0.5


class Result(str, enum.Enum):
    """What an automatic sync came to."""

    CHANGED = "changed"
    IN_STEP = "in-step"
    LEFT_ALONE = "left-alone"  # The settings do not want a sync there.
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """One automatic sync. ``command`` is Spack's, empty at the end of a script."""

    time: datetime
    host: str
    user: str
    pid: int
    environment: Path
    command: str
    result: Result
    message: str
    diff: PinDiff
    seconds: float
    spack: str
    pyvarium: str


def render(entry: Entry) -> bytes:
    """One line of JSON, in ASCII."""
    answer = {
        "time": entry.time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "host": entry.host,
        "user": entry.user,
        "pid": entry.pid,
        "environment": str(entry.environment),
        "command": entry.command or None,
        "result": entry.result.value,
        "message": entry.message or None,
        "added": {pin.name: pin.version for pin in entry.diff.added},
        "changed": {old.name: [old.version, new.version] for old, new in entry.diff.changed},
        "removed": {pin.name: pin.version for pin in entry.diff.removed},
        "seconds": round(entry.seconds, 3),
        "spack": entry.spack,
        "pyvarium": entry.pyvarium,
    }
    return json.dumps(answer).encode("ascii") + b"\n"


def append(path: Path, line: bytes, timeout: float = TIMEOUT) -> None:
    """Append a line, whole or not at all; raises FileError. The directory has to be there."""
    try:
        with _opened(path, os.O_CREAT) as descriptor:
            locked = _lock(descriptor, path, timeout)
            before = os.fstat(descriptor).st_size
            try:
                _write(descriptor, line)
            except OSError:
                if locked:  # Else another may have written behind it.
                    os.ftruncate(descriptor, before)
                raise
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({_reason(error)})") from None


def fault(path: Path) -> Optional[str]:
    """Why nothing can be appended, if so; writes nothing."""
    try:
        with _opened(path, 0):
            return None
    except FileNotFoundError:
        if os.access(path.parent, os.W_OK | os.X_OK):
            return None
        return f"{path}: cannot be created in {path.parent}"
    except OSError as error:
        return f"{path}: cannot be written ({_reason(error)})"


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """Not what a link leads to, where others can make one, and without waiting for a reader."""
    flags |= os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no file")
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, timeout: float) -> bool:
    """A POSIX record lock: O_APPEND alone does not hold between the clients of an NFS server."""
    with contextlib.suppress(FileError):
        files.acquire(descriptor, path, timeout)
        return True
    return False


def _write(descriptor: int, data: bytes) -> None:
    while data:  # A full disk takes a part first, and refuses the rest.
        data = data[os.write(descriptor, data) :]


def _reason(error: OSError) -> str:
    return "is a link" if error.errno == errno.ELOOP else str(error.strerror)
