# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read which versions a backend has locked. ``uv.lock``, ``poetry.lock`` and ``pdm.lock`` agree
in this: an array ``package`` of tables with ``name`` and ``version``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Container, Dict, FrozenSet, Mapping, Optional, Set, Tuple
from urllib.parse import unquote

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .backends import MARKS
from .errors import PyvariumError
from .files import read_optional
from .model import Backend, Environment, Pin
from .shims import WHEEL_NAME
from .toml_text import parse, value_at


def path_of(environment: Environment, backend: Optional[Backend]) -> Optional[Path]:
    """Where a backend locks; None for one that does not."""
    mark = MARKS.get(backend) if backend else None
    return environment.path / mark[1] if mark else None


@dataclass(frozen=True)
class Lock:
    """What is locked: the versions, by project, and the file names of shims.

    ``groups`` are those that PDM has locked, and goes on to lock; None where it does not say.
    """

    versions: Mapping[str, FrozenSet[str]]
    shims: FrozenSet[str]
    groups: Optional[FrozenSet[str]] = None

    def holds(self, pin: Pin) -> bool:
        return pin.version in self.versions.get(pin.name, ())

    def stale_shims(self, present: Container[str]) -> Tuple[str, ...]:
        """The projects whose locked shim is not there any more, sorted.

        A backend does not see that by itself: it takes what is locked as it is, and fails when it
        has to install it.
        """
        gone = (name for name in self.shims if name not in present)
        return tuple(sorted({canonicalize_name(name.partition("-")[0]) for name in gone}))


def read_lock(environment: Environment, backend: Optional[Backend]) -> Optional[Lock]:
    """Read the lock of a backend; None where there is none. Raises PyvariumError."""
    path = path_of(environment, backend)
    data = read_optional(path) if path else None
    return None if data is None else parse_lock(data.decode("utf-8", "replace"), str(path))


def parse_lock(text: str, subject: str) -> Lock:
    """Parse a lock; raises PyvariumError where the file is none."""
    versions: Dict[str, Set[str]] = {}
    data = parse(text, subject)
    groups = value_at(data, ("metadata", "groups"))
    try:
        for package in data.get("package", ()):
            found = versions.setdefault(canonicalize_name(package["name"]), set())
            if "version" in package:  # uv: not for a project of dynamic version.
                found.add(str(Version(package["version"])))
    except (KeyError, TypeError, AttributeError, InvalidVersion) as error:
        raise PyvariumError(f"{subject}: is no lock ({error!r}); lock again") from None
    return Lock(
        {name: frozenset(found) for name, found in versions.items()},
        frozenset(WHEEL_NAME.findall(unquote(text))),  # In a URL, ``+`` is quoted.
        None if groups is None else frozenset(map(str, groups)),
    )
