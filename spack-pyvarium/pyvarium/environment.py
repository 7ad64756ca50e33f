# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read a Spack environment from its directory alone, where there is no Spack to ask.

Only what decides where python imports from: the one key ``view`` of the manifest. A full reading
of ``spack.yaml`` needs Spack, which knows its scopes, includes and variables.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from .errors import FileError
from .files import read_optional
from .model import Environment

DEFAULT_VIEW = Path(".spack-env") / "view"
#: The manifest's ``view`` where it is a plain value; a mapping stands on further lines.
_VIEW = re.compile(r"^\s+view:[ \t]*(?P<value>[^#\s{]+)", re.MULTILINE)


def read_environment(path: Path) -> Environment:
    """Read an environment directory; raises FileError where it is none."""
    path = path.absolute()
    manifest = read_optional(path / "spack.yaml")
    if manifest is None and read_optional(path / "spack.lock") is None:
        raise FileError(
            f"{path}: has neither spack.yaml nor spack.lock; name the directory of an environment"
        )
    return Environment(path, path.name, _views(path, (manifest or b"").decode("utf-8", "replace")))


def named_by(paths: Sequence[Path]) -> Tuple[Path, ...]:
    """The directories that are named, and those of the files that are, each once.

    A file may be any of a repository's: its directory counts if it has both halves.
    """
    found: Dict[Path, None] = {}
    for path in paths:
        if not path.is_file():
            found[path] = None
        elif all((path.parent / name).exists() for name in ("pyproject.toml", "spack.lock")):
            found[path.parent] = None
    return tuple(found)


def _views(path: Path, manifest: str) -> Optional[Tuple[Path, ...]]:
    match = _VIEW.search(manifest)
    value = match["value"].strip("\"'") if match else "true"
    if value == "false":
        return None
    view = path / (DEFAULT_VIEW if value == "true" else value)
    return (view,) if view.is_dir() else None
