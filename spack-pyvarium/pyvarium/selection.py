# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Which releases of a project a recipe is to have. Pure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Dict, Iterable, List, Sequence, Tuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from .errors import PyvariumError, quoted
from .index import SDIST_SUFFIXES
from .releases import File

#: The newest of each minor series.
MINOR = "minor"
ALL = "all"


class SelectionError(PyvariumError):
    """What was said of the versions to take is not understood."""


@dataclass(frozen=True)
class Candidate:
    """A release that can be built: its sdist, and its wheels for what they say of it."""

    version: Version
    source: File
    wheels: Tuple[File, ...] = ()


def candidates(files: Iterable[File]) -> Tuple[Candidate, ...]:
    """The releases with an sdist that is not yanked, newest first."""
    sources: Dict[Version, List[File]] = {}
    wheels: Dict[Version, List[File]] = {}
    for file in files:
        if file.yanked is None:
            (wheels if file.is_wheel else sources).setdefault(file.version, []).append(file)
    return tuple(
        Candidate(
            version,
            min(sources[version], key=_sdist_order),
            tuple(sorted(wheels.get(version, ()), key=_wheel_order)),
        )
        for version in sorted(sources, reverse=True)
    )


def select(found: Sequence[Candidate], versions: str) -> Tuple[Candidate, ...]:
    """Those asked for, newest first: ``minor``, ``all``, how many, or a specifier.

    A pre-release is among them only where a specifier names one or there is nothing else, as with
    installers. Raises SelectionError where ``versions`` is none of these.
    """
    text = versions.strip()
    specifier = SpecifierSet()
    if text not in (MINOR, ALL) and not text.isdecimal():
        try:
            specifier = SpecifierSet(text)
        except InvalidSpecifier:
            raise SelectionError(
                f"{quoted(versions)}: does not select versions; say '{MINOR}', '{ALL}', a number,"
                " or a specifier such as '>=2,<4'"
            ) from None
    if text.isdecimal() and int(text) == 0:
        raise SelectionError("0: selects no version; say how many of the newest to take")
    kept = set(specifier.filter([one.version for one in found]))
    if not kept:
        # Of packaging, some releases offer no pre-release where nothing else is asked for.
        kept = set(specifier.filter([one.version for one in found], prereleases=True))
    chosen = tuple(one for one in found if one.version in kept)
    if text == MINOR:
        series = itertools.groupby(chosen, key=_minor)
        return tuple(next(releases) for _, releases in series)
    return chosen[: int(text)] if text.isdecimal() else chosen


def _minor(candidate: Candidate) -> Tuple[int, int, int]:
    version = candidate.version
    return version.epoch, version.major, version.minor


def _sdist_order(file: File) -> Tuple[int, str]:
    return next(at for at, one in enumerate(SDIST_SUFFIXES) if file.name.endswith(one)), file.name


def _wheel_order(file: File) -> Tuple[bool, bool, bool, bool, str]:
    """Those first that are for most machines of Spack's: older ones may differ by machine."""
    name = file.name
    return (
        not name.endswith("-none-any.whl"),
        "linux" not in name,
        "x86_64" not in name,
        not file.metadata,
        name,
    )
