# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read and write files so that no reader, crash or second writer ever meets half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Iterator, Optional

from .errors import FileError

try:
    import fcntl
except ImportError:  # Windows: Spack environments there are not shared between hosts.
    fcntl = None  # type: ignore[assignment]

#: What lets a group, or others, read.
_READABLE = stat.S_IRGRP | stat.S_IROTH

#: Seconds after which what a dead process has left is nobody's.
_ABANDONED = 60.0

#: Seconds to wait for another process that writes to the same environment.
LOCK_TIMEOUT = 60.0


@dataclass(frozen=True)
class FileChange:
    """What a file holds and what it should hold (None: it does not exist); falsy if the same.

    A new file that is ``shared`` can be read by whoever can read the directory that it is in.
    """

    path: Path
    before: Optional[bytes]
    after: Optional[bytes]
    shared: bool = False

    def __bool__(self) -> bool:
        return self.before != self.after

    def write(self) -> bool:
        """Write or remove the file; returns whether that changed anything. Raises FileError."""
        if not self:
            return False
        if self.after is None:
            _remove(self.path)
        else:
            write_atomically(self.path, self.after, expected=self.before, shared=self.shared)
        return True


def read_optional(path: Path) -> Optional[bytes]:
    """The content of a file, None where there is none; raises FileError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise FileError(f"{path}: is a link to nothing; mend or remove it") from None
        return None
    except OSError as error:
        remedy = _remedy(error, "make it readable")
        raise FileError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None


def write_atomically(
    path: Path, data: bytes, *, expected: Optional[bytes], shared: bool = False
) -> None:
    """Replace a file in one step: whoever looks sees all of the old or all of the new.

    Makes a missing directory, keeps mode and group of an existing file and follows a link to the
    file behind it. A new one that is ``shared`` has the readers of its directory. Raises
    FileError, and then the old file stands as it was; also where it no longer holds what was
    ``expected``, as when an editor saved it meanwhile.
    """
    target = Path(os.path.realpath(path))
    temporary = temporary_for(target)
    try:
        mode = _mode_for(target)
        if not mode & 0o222 or (target.exists() and not os.access(target, os.W_OK)):
            raise PermissionError(errno.EACCES, "it is read-only")
        _make_directory(path.parent, shared)
        if shared and not target.exists():
            mode |= target.parent.stat().st_mode & _READABLE
        sweep(target)
        with open_new(temporary) as file:
            file.write(data)
            file.flush()
            _keep_group(file.fileno(), target)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if read_optional(path) != expected:
            raise FileError(f"{path}: was changed by another program meanwhile; try again")
        os.replace(temporary, target)
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written ({error.strerror}); {_remedy(error)}"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # Only there still if the replacement did not happen.


def temporary_for(target: Path) -> Path:
    """The file that is to become another one when it is complete, which nobody else will name.

    Known before it exists, so that whoever is interrupted while it is made can remove it.
    """
    unique = os.urandom(4).hex()
    return target.parent / f".{target.name}.{_host()}.{os.getpid()}.{unique}"


def open_new(path: Path) -> BinaryIO:
    """Open a new file that only its owner may read; raises OSError, also where it exists."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "w+b")


def _host() -> str:
    """This host, as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9-]", "-", os.uname().nodename)[:40]


def sweep(target: Path) -> None:
    """Remove what processes of this host have left behind that were killed while they wrote.

    Another host may have a process of the same number; a container may have the same name, so
    what is younger than a minute stays.
    """
    left = re.compile(rf"\.{re.escape(f'{target.name}.{_host()}')}\.(\d+)\.[a-z0-9_]{{8}}")
    with contextlib.suppress(OSError):
        for name in os.listdir(target.parent):
            match = left.fullmatch(name)
            if match and not _is_running(int(match[1])):
                path = target.parent / name
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # Somebody else's.
        return True
    return True


def share(path: Path, like: Path) -> None:
    """Let whoever can read a directory read what is below a path too, whatever the umask was."""
    for folder, _, names in os.walk(path):
        for one in (folder, *(os.path.join(folder, name) for name in names)):
            if not os.path.islink(one):
                _add_readers(Path(one), like)


def _make_directory(path: Path, shared: bool) -> None:
    if path.is_dir():
        return
    _make_directory(path.parent, shared)
    path.mkdir(exist_ok=True)
    if shared:
        _add_readers(path, path.parent)


def _add_readers(path: Path, like: Path) -> None:
    readers = like.stat().st_mode & _READABLE
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode | readers | (readers >> 2 if mode & stat.S_IXUSR else 0))


def _remove(path: Path) -> None:
    try:
        if not _mode_for(path) & 0o222:
            raise PermissionError(errno.EACCES, "it is read-only")
        path.unlink()
    except OSError as error:
        raise FileError(
            f"{path}: cannot be removed ({error.strerror}); {_remedy(error)}"
        ) from None


@contextlib.contextmanager
def locked(path: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is created; the kernel frees it with the process.

    A POSIX record lock, as Spack's own: it also holds between the clients of an NFS server.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written ({error.strerror}); {_remedy(error)}"
        ) from None
    try:
        acquire(descriptor, path, timeout)
        yield
    finally:
        os.close(descriptor)


def acquire(descriptor: int, path: Path, timeout: float) -> None:
    """Wait for an exclusive lock on an open file; raises FileError."""
    deadline = time.monotonic() + timeout
    while fcntl is not None:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise FileError(
                    f"{path}: cannot be locked ({error.strerror}); mend the file system's locking"
                ) from None
        if time.monotonic() > deadline:
            raise FileError(f"{path}: is locked by another process; try again when it has ended")
        time.sleep(0.05)


def _mode_for(target: Path) -> int:
    """The mode of the file as it is, or that of any file which this process would create."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def _keep_group(descriptor: int, target: Path) -> None:
    """Give a new file the group of the one that it replaces, as far as its writer may."""
    with contextlib.suppress(OSError):  # There is none, or the writer is not in its group.
        group = target.stat().st_gid
        if group != os.fstat(descriptor).st_gid:
            os.fchown(descriptor, -1, group)


def _remedy(error: OSError, otherwise: str = "make it writable") -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on the file system"
    if error.errno in (errno.EISDIR, errno.EEXIST, errno.ENOTDIR):
        return "move away what stands there"
    return otherwise
