# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Which installed distribution a module belongs to, by the paths of its recorded files.

What a distribution calls itself says nothing of what it is imported as; its ``RECORD`` does
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/). Of several
that share a namespace, the one that has the longest part of the module's name is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Tuple

from .distributions import metadata_paths

#: How the file of a module may end, behind its name.
_ENDINGS = (b".py", b".so", b".pyd", b".cpython-", b".abi3", b".pyc", b".pyx")


@dataclass(frozen=True)
class Record:
    """The installed files of one distribution, by its metadata path, a line each."""

    path: Path
    files: bytes

    def has(self, prefix: str) -> bool:
        """Whether a module or package of that name is in it."""
        start = b"\n" + prefix.replace(".", "/").encode("utf-8", "replace")
        return start + b"/" in self.files or any(start + one in self.files for one in _ENDINGS)

    def has_regular(self, prefix: str) -> bool:
        """Whether it is this distribution that the name itself is imported from."""
        start = b"\n" + prefix.replace(".", "/").encode("utf-8", "replace")
        return self.has_package(prefix) or any(start + one in self.files for one in _ENDINGS)

    def has_package(self, prefix: str) -> bool:
        """Whether what is imported by that name is a package of it, and no module."""
        start = b"\n" + prefix.replace(".", "/").encode("utf-8", "replace")
        return start + b"/__init__." in self.files


def read_records(directories: Iterable[Path]) -> Tuple[Record, ...]:
    """The records of all distributions in some site-packages, in the order of ``sys.path``."""
    return tuple(
        Record(path, _read(path))
        for directory in directories
        for path in metadata_paths(directory)
    )


def owner(module: str, records: Sequence[Record]) -> Optional[Tuple[str, Record]]:
    """The distribution that a module comes from, and the part of its name that tells it."""
    parts = module.split(".")
    owners = [one for one in records if one.has(parts[0])]
    if not owners:
        return None
    for length in range(1, len(parts) + 1):
        prefix = ".".join(parts[:length])
        here = [one for one in owners if one.has(prefix)]
        if len(here) == 1 and here[0].has_regular(prefix):
            return prefix, here[0]
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        regular = [one for one in owners if one.has_regular(prefix)]
        here = [one for one in owners if one.has(prefix)] if length == len(parts) else []
        if regular:
            return prefix, _imported(regular, prefix)
        if len(here) == 1:
            return prefix, here[0]
    return None  # Below a namespace, which has nothing but modules, and this one is not there.


def _imported(records: Sequence[Record], prefix: str) -> Record:
    """Of several that have a module, the one that is imported, as by importlib's ``FileFinder``.

    The directories are searched in their order; in one of them a package comes before a module.
    """
    first = [one for one in records if one.path.parent == records[0].path.parent]
    return next((one for one in first if one.has_package(prefix)), first[0])


def _read(path: Path) -> bytes:
    """The recorded files. Older kinds of metadata list them elsewhere, or only what is on top."""
    if path.is_file():
        return b""
    data = _read_file(path / "RECORD")
    if data.count(b"\n") <= data.count(b"dist-info/"):
        # Of an editable install, or without a record: what is on top, or else its own name.
        stem = path.name.partition("-")[0].encode("utf-8", "replace")
        tops = _read_file(path / "top_level.txt").split() or ([] if data else [stem])
        data += b"".join(b"\n%s/__init__.py" % one for one in tops)
    listed = _read_file(path / "installed-files.txt").replace(b"\n../", b"\n")
    found: List[bytes] = [b"\n", data.replace(b'\n"', b"\n"), b"\n", listed]
    return b"".join(found).replace(b"\r", b"")


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # That its metadata cannot be read is told where its version is.
        return b""
