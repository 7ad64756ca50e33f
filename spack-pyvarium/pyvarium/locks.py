# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read which versions a backend has locked. ``uv.lock``, ``poetry.lock`` and ``pdm.lock`` agree
in this: an array ``package`` of tables with ``name`` and ``version``."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Optional, Set

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .backends import MARKS
from .errors import PyvariumError
from .model import Backend, Environment
from .toml_text import parse


def path_of(environment: Environment, backend: Optional[Backend]) -> Optional[Path]:
    """Where a backend locks; None for one that does not."""
    mark = MARKS.get(backend) if backend else None
    return environment.path / mark[1] if mark else None


def parse_lock(text: str, subject: str) -> Mapping[str, Set[str]]:
    """The locked versions, by project; raises PyvariumError where the file is none of a lock."""
    versions: Dict[str, Set[str]] = {}
    try:
        for package in parse(text, subject).get("package", ()):
            found = versions.setdefault(canonicalize_name(package["name"]), set())
            if "version" in package:  # uv: not for a project of dynamic version.
                found.add(str(Version(package["version"])))
    except (KeyError, TypeError, AttributeError, InvalidVersion) as error:
        raise PyvariumError(f"{subject}: is no lock ({error!r}); lock again") from None
    return versions
