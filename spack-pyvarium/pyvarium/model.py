# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The values that pass between the stages of a sync. No behaviour beyond their shape."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional, Tuple

#: The installation prefix of a spec in the store, by DAG hash; ``None`` where it is not installed
#: or nobody can tell.
Locate = Callable[[str], Optional[Path]]


def nowhere(_: str) -> Optional[Path]:
    """Answer for a reader that has files only, and no store to ask."""
    return None


class Backend(str, enum.Enum):
    """The tool that installs from the package index on top of what Spack provides."""

    UV = "uv"
    POETRY = "poetry"
    PDM = "pdm"
    PIP = "pip"


class Mode(str, enum.Enum):
    """How an installer learns what Spack provides."""

    BOUND = "bound"  # Shims are the only source of it: Spack's metadata, Spack's machine.
    PORTABLE = "portable"  # Pins alone: the project also installs from the index, without Spack.


@dataclass(frozen=True)
class Environment:
    """A Spack environment as far as its files and its views go.

    ``views`` are the roots of the views that python imports from; ``None`` means that it is not
    known whether there is one (nothing is on disk and there is no Spack to ask), an empty tuple
    that the environment has none.
    """

    path: Path
    name: str
    views: Optional[Tuple[Path, ...]]
    locate: Locate = field(default=nowhere, compare=False)

    @property
    def lockfile(self) -> Path:
        return self.path / "spack.lock"

    @property
    def pyproject(self) -> Path:
        return self.path / "pyproject.toml"

    @property
    def state(self) -> Path:
        """What is ours, and can be deleted and rebuilt."""
        return self.path / ".spack-env" / "pyvarium"

    @property
    def constraints(self) -> Path:
        return self.state / "constraints.txt"

    @property
    def wheels(self) -> Path:
        """Where the wheels of the shims are."""
        return self.state / "wheels"

    @property
    def venv(self) -> Path:
        return self.path / ".venv"


@dataclass(frozen=True)
class Distribution:
    """An installed distribution, by its own core metadata.

    ``name`` is normalized (PEP 503), ``version`` is a canonical version (PEP 440), ``path`` is the
    ``*.dist-info`` or ``*.egg-info`` as it was found, not resolved.
    """

    name: str
    version: str
    path: Path


@dataclass(frozen=True)
class Provided:
    """A distribution that Spack provides, and the spec that it comes from."""

    name: str
    version: str
    spec: str
    dag_hash: str
    direct: bool
    path: Path


@dataclass(frozen=True)
class Skipped:
    """What could not be used, and why. A ``fault`` wants mending, the rest is for information."""

    subject: str
    reason: str
    fault: bool = False

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"


@dataclass(frozen=True)
class Inventory:
    """What an environment provides, sorted by name, and what was passed over."""

    provided: Tuple[Provided, ...]
    skipped: Tuple[Skipped, ...]
    python: Optional[str]
    """The ``X.Y`` of the python that imports it; ``None`` where nothing shows it."""
    interpreter: Optional[Path] = None
    """That python itself, not one of a venv or view; ``None`` where there is none to be found."""
    site_packages: Tuple[Path, ...] = ()
    """The directories that it imports from."""


@dataclass(frozen=True, order=True)
class Pin:
    """An exact requirement, ``name==version``."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class PinDiff:
    """How the pins differ from those that a file holds; falsy where they do not."""

    added: Tuple[Pin, ...] = ()
    changed: Tuple[Tuple[Pin, Pin], ...] = ()
    removed: Tuple[Pin, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        parts = [f"{pin} added" for pin in self.added]
        parts += [f"{old} -> {new.version}" for old, new in self.changed]
        parts += [f"{pin} removed" for pin in self.removed]
        return ", ".join(parts)

    def counted(self) -> str:
        """The same without names, for where there is little room."""
        kinds = (("added", self.added), ("changed", self.changed), ("removed", self.removed))
        counts = ", ".join(f"{len(which)} {kind}" for kind, which in kinds if which)
        return f"pins of Spack's: {counts}"
