# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Which releases of a project a recipe is to have. Pure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Collection, Dict, Iterable, List, Optional, Sequence, Tuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from .errors import PyvariumError, quoted
from .index import SDIST_SUFFIXES
from .releases import File
from .versions import label_of

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


def select(
    found: Sequence[Candidate],
    versions: Optional[str],
    specifier: Optional[SpecifierSet] = None,
    keep: Collection[str] = (),
) -> Tuple[Candidate, ...]:
    """Those asked for, newest first: ``minor``, ``all``, how many, or a specifier; None is none.

    All that within another ``specifier``. Those that a recipe calls as one to ``keep`` are always
    among them. A pre-release is only where a specifier names one or there is nothing else, as with
    installers. Raises SelectionError where ``versions`` is none of these.
    """
    chosen = () if versions is None else _chosen(found, versions.strip(), specifier)
    return tuple(
        one
        for one in found
        if one in chosen or label_of(one.version, one.source.label, keep) in keep
    )


def _chosen(
    found: Sequence[Candidate], text: str, specifier: Optional[SpecifierSet]
) -> Tuple[Candidate, ...]:
    specifier = specifier or SpecifierSet()
    if text not in (MINOR, ALL) and not text.isdecimal():
        try:
            specifier = specifier & SpecifierSet(text)
        except InvalidSpecifier:
            raise SelectionError(
                f"versions {quoted(text)}: selects none; say '{MINOR}', '{ALL}', a number, or a"
                " specifier such as '>=2,<4'"
            ) from None
    if text.isdecimal() and int(text) == 0:
        raise SelectionError("versions '0': selects none; say how many of the newest to take")
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


def _wheel_order(file: File) -> Tuple[bool, bool, bool, bool, bool, str]:
    """Those first that are for most machines of Spack's: older ones may differ by machine.

    And those for Python 3: where there is another one for Python 2, it requires other things.
    """
    name = file.name
    python = name.split("-")[-3] if name.count("-") > 3 else ""
    return (
        not any(tag[2:3] == "3" for tag in python.split(".")),
        not name.endswith("-none-any.whl"),
        "linux" not in name,
        "x86_64" not in name,
        not file.metadata,
        name,
    )
