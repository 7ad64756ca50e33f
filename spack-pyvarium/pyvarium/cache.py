# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What was fetched once, as plain files in a directory, which can be deleted any time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Optional

from .errors import FileError
from .files import read_optional, write_atomically


class Cache:
    """Keeps bytes by a kind and a key; without a directory it keeps nothing.

    What cannot be read counts as absent. What cannot be written is in hand all the same: the first
    ``failure`` is kept for a report.
    """

    def __init__(self, directory: Optional[Path]) -> None:
        self.directory = directory
        self.failure: Optional[str] = None

    def read(self, kind: str, key: str) -> Optional[bytes]:
        if self.directory is None:
            return None
        try:
            return read_optional(self._path(self.directory, kind, key))
        except FileError:
            return None

    def write(self, kind: str, key: str, data: bytes) -> None:
        if self.directory is None:
            return
        path = self._path(self.directory, kind, key)
        try:
            write_atomically(path, data, expected=read_optional(path))
        except FileError as error:
            self.failure = self.failure or str(error)

    @staticmethod
    def _path(directory: Path, kind: str, key: str) -> Path:
        """No part of a path is taken from a key, which may hold anything."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        return directory / kind / digest[:2] / digest
