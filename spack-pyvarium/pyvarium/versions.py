# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Specifiers of PEP 440 as version constraints of Spack's. Pure, and without Spack.

The two order versions differently: in Spack ``1.0`` is older than ``1.0.0``, ``@1.5`` selects all
that begin with 1.5, and ``1.0a1`` is newer than ``1.0``. So a specifier is first translated by its
form, to a range that holds for versions yet to come. Then the range is tried on the versions that
the recipe has; where it selects others than the specifier does, these are listed instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version

#: Branches, in Spack's order: newer than any number. ``spack.version.common``.
_BRANCHES = ("stable", "nightly", "trunk", "head", "master", "main", "develop")
_PRERELEASES = ("alpha", "beta", "rc")
_FINAL = len(_PRERELEASES)
_SEGMENT = re.compile(r"([0-9]+)|([a-zA-Z]+)")

Numbers = Tuple[int, ...]
#: From the first version on, and up to but without the second; None is without a bound.
Range = Tuple[Optional[Numbers], Optional[Numbers]]
#: A version in Spack's order: its release, and whether it is an alpha, beta, rc or final one.
Key = Tuple[Tuple[Tuple[int, int, str], ...], Tuple[int, ...]]

_ALL: Tuple[Range, ...] = ((None, None),)


@dataclass(frozen=True)
class Constraint:
    """What selects versions in a spec, behind its ``@``; an empty text selects any.

    ``selected`` are the versions of the recipe that the specifier asks for, in the order that the
    recipe has. ``expressed`` tells whether the text says what the specifier says, so that it holds
    for further versions too, or lists these versions. Falsy where the recipe has none of them.
    """

    text: str
    selected: Tuple[str, ...]
    expressed: bool

    def __bool__(self) -> bool:
        return bool(self.selected) or (self.expressed and not self.text)


def constraint(specifier: SpecifierSet, labels: Sequence[str]) -> Constraint:
    """Translate a specifier for a recipe that has the versions ``labels``.

    The text selects the same versions as the specifier. Only a branch or a pre-release may be
    selected beyond them, and only where that does not matter: Spack, as installers do, takes
    either only where there is nothing else.
    """
    versions = _parsed(labels)
    try:
        wanted = set(specifier.filter(versions.values()))
    except InvalidVersion:  # Of ``===any`` in packaging 22 to 24.
        wanted = set()
    selected = tuple(label for label in labels if versions.get(label) in wanted)
    if not str(specifier):
        return Constraint("", tuple(labels), True)
    if len(selected) == 1 and any(_is_exact(clause) for clause in specifier):
        return Constraint(f"={selected[0]}", selected, True)
    ranges = _translated(specifier)
    text = translate(specifier)
    if ranges is not None and text is not None:
        passed_over = [label for label in labels if label not in selected]
        if any(not versions[label].is_prerelease for label in selected):
            passed_over = [label for label in passed_over if not _comes_last(label)]
        if all(_holds(ranges, label) for label in selected) and not any(
            _holds(ranges, label) for label in passed_over
        ):
            return Constraint(text, selected, True)
    return Constraint(",".join(f"={label}" for label in reversed(selected)), selected, False)


def translate(specifier: SpecifierSet) -> Optional[str]:
    """Translate a specifier by its form, where no recipe is known; None where Spack cannot say it.

    An empty text selects any version.
    """
    ranges = _translated(specifier)
    if ranges is None:
        return None
    return "" if ranges == _ALL else ",".join(_render(one) for one in ranges)


def _parsed(labels: Iterable[str]) -> Dict[str, Version]:
    versions = {}
    for label in labels:
        try:
            versions[label] = Version(label)
        except InvalidVersion:  # A branch, or a date with dashes: no specifier selects it.
            continue
    return versions


def _translated(specifier: SpecifierSet) -> Optional[Tuple[Range, ...]]:
    """The ranges that a specifier means, None where Spack has no words for it."""
    result = _ALL
    for clause in sorted(specifier, key=str):
        ranges = _clause(clause)
        if ranges is None:
            return None
        result = tuple(both for one in result for other in ranges for both in _both(one, other))
    return result or None


def _is_exact(clause: Specifier) -> bool:
    return clause.operator in ("==", "===") and not clause.version.endswith(".*")


def _clause(clause: Specifier) -> Optional[Tuple[Range, ...]]:
    """PEP 440, "Version specifiers", in the form in which people write ranges for Spack."""
    operator, text = clause.operator, clause.version
    prefix = text.endswith(".*")
    try:
        version = Version(text[:-2] if prefix else text)
    except InvalidVersion:  # Of ``===``, which compares text.
        return None
    release = version.release
    if operator == "<" and version.is_prerelease and not _stripped(version).is_prerelease:
        # ``<2.0a0`` and ``<2.0.dev0`` are how ``<2.0`` is written by those who fear pre-releases.
        version = _stripped(version) if version.pre in (None, ("a", 0)) else version
    if version != Version(".".join(map(str, release))):
        return None
    if operator == "==":
        below, above = (release, _next(release)) if prefix else _exactly(release)
        return ((below, above),)
    if operator == "!=":
        below, above = (release, _next(release)) if prefix else _exactly(release)
        lower: Tuple[Range, ...] = ((None, _trimmed(below)),) if any(below) else ()
        return (*lower, (_trimmed(above), None))
    if operator == "~=":
        return ((_trimmed(release), _next(release[:-1])),)
    if operator == ">=":
        return ((_trimmed(release), None),) if any(release) else _ALL
    if operator == "<":
        return ((None, _trimmed(release)),) if any(release) else ()
    below, above = _exactly(release)
    return ((None, above),) if operator == "<=" else ((_trimmed(above), None),)


def _stripped(version: Version) -> Version:
    return Version(version.base_version)


def _exactly(release: Numbers) -> Tuple[Numbers, Numbers]:
    """The range of one version, however many zeros it is written with: 1.5, 1.5.0."""
    return _trimmed(release), _next((release + (0, 0, 0))[: max(3, len(release))])


def _trimmed(release: Numbers) -> Numbers:
    """Without zeros at the end: 1.2 is older than 1.2.0 in Spack, and the same in PEP 440."""
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    return release


def _next(release: Numbers) -> Numbers:
    return (*release[:-1], release[-1] + 1)


def _both(one: Range, other: Range) -> List[Range]:
    lower = max((bound for bound in (one[0], other[0]) if bound is not None), default=None)
    upper = min((bound for bound in (one[1], other[1]) if bound is not None), default=None)
    return [(lower, upper)] if lower is None or upper is None or lower < upper else []


def _render(one: Range) -> str:
    """As ``from:to``, where Spack means by ``to`` all that begins with it."""
    lower, upper = one
    first = "" if lower is None else ".".join(map(str, lower))
    if upper is None:
        return f"{first}:"
    last = ".".join(map(str, (*upper[:-1], upper[-1] - 1)))
    return last if first == last else f"{first}:{last}"


def _holds(ranges: Iterable[Range], label: str) -> bool:
    """Whether Spack would select this version by these ranges."""
    key = _key(label)
    return any(
        (lower is None or _bound(lower) <= key) and (upper is None or key < _bound(upper))
        for lower, upper in ranges
    )


def _comes_last(label: str) -> bool:
    """Whether Spack takes this version only where there is no other."""
    release, prerelease = _key(label)
    return prerelease[0] != _FINAL or any(kind == 2 for kind, _, _ in release)


def _bound(release: Numbers) -> Key:
    return tuple((1, number, "") for number in release), (_FINAL,)


def _key(label: str) -> Key:
    """Order as Spack does: ``spack.version.version_types.parse_string_components``."""
    segments = _SEGMENT.findall(label)
    prerelease: Tuple[int, ...] = (_FINAL,)
    if len(segments) >= 3 and segments[-2][1] in _PRERELEASES and segments[-1][0]:
        prerelease = (_PRERELEASES.index(segments[-2][1]), int(segments[-1][0]))
        segments = segments[:-2]
    elif len(segments) >= 2 and segments[-1][1] in _PRERELEASES:
        prerelease = (_PRERELEASES.index(segments[-1][1]),)
        segments = segments[:-1]
    return tuple(_component(number, word) for number, word in segments), prerelease


def _component(number: str, word: str) -> Tuple[int, int, str]:
    """A word is older than any number, a branch is newer."""
    if number:
        return (1, int(number), "")
    return (2, _BRANCHES.index(word), "") if word in _BRANCHES else (0, 0, word)
