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
from functools import cache
from itertools import groupby
from typing import Collection, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version

#: Branches, in Spack's order: newer than any number. ``spack.version.common``.
_BRANCHES = ("stable", "nightly", "trunk", "head", "master", "main", "develop")
_PRERELEASES = ("alpha", "beta", "rc")
_FINAL = len(_PRERELEASES)
_SEGMENT = re.compile(r"([0-9]+)|([a-zA-Z]+)")
_NUMBERS = re.compile(r"[0-9]+(\.[0-9]+)*")
_LETTERS = {"a": "alpha", "b": "beta", "rc": "rc"}

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


def label_of(version: Version, written: str, labels: Collection[str] = ()) -> Optional[str]:
    """How a recipe names a version that its file name writes so; None where Spack has no words.

    Spack knows neither epochs nor local versions, and takes ``1.0a1`` for newer than ``1.0``, but
    not ``1.0-alpha1``. Recipes by hand have it all the same: a name of the ``labels`` is taken.
    """
    for name in (written, str(version)):
        if name in labels:
            return name
    if version.epoch or version.local:
        return None
    if _NUMBERS.fullmatch(written) and Version(written) == version:
        return written
    label = ".".join(map(str, version.release))
    if version.pre is not None:
        label += f"-{_LETTERS[version.pre[0]]}{version.pre[1]}"
    if version.post is not None:
        label += f".post{version.post}"
    return label if version.dev is None else f"{label}.dev{version.dev}"


def newest_first(labels: Iterable[str]) -> List[str]:
    """Sort versions as Spack does."""
    return sorted(labels, key=_key, reverse=True)


def covering(
    wanted: Collection[str], labels: Iterable[str], free: Collection[str] = frozenset()
) -> str:
    """Select the ``wanted`` of the versions of a recipe, in as few and short ranges as can be.

    Of those that are ``free`` it does not matter whether they are selected. What begins with the
    oldest version or ends with the newest has no bound there; all other bounds lie between two
    versions that are known. An empty text selects any.
    """
    wanted, free = frozenset(wanted), frozenset(free)
    ordered = sorted(labels, key=_key)
    texts = []
    for inside, group in groupby(
        range(len(ordered)), key=lambda one: ordered[one] in wanted or ordered[one] in free
    ):
        run = list(group)
        hits = [position for position in run if ordered[position] in wanted]
        if inside and hits:
            first = 0 if run[0] == 0 else hits[0]
            last = run[-1] if run[-1] == len(ordered) - 1 else hits[-1]
            texts.append(_spanning(ordered, first, last))
    return ",".join(texts)


def _spanning(ordered: Sequence[str], first: int, last: int) -> str:
    """The shortest text that selects all from the first up to the last, and no neighbour."""
    before = ordered[first - 1] if first else None
    after = ordered[last + 1] if last + 1 < len(ordered) else None
    lower: str = ""
    if before is not None:
        older, newer = _key(before), _key(ordered[first])
        prefixes = (one for one in _prefixes(ordered[first]) if older < _key(one) <= newer)
        lower = next(prefixes, ordered[first])
    if after is None:
        return f"{lower}:" if lower else ""
    for upper in (*_prefixes(ordered[last]), f"{ordered[last]}.0"):
        texts = [f"{lower}:{upper}"]
        if lower and f"{upper}.".startswith(f"{lower}."):
            texts.insert(0, upper)
        for text in texts:
            if (
                selects(text, ordered[first])
                and selects(text, ordered[last])
                and not selects(text, after)
                and not (before is not None and selects(text, before))
            ):
                return text
    return ",".join(f"={label}" for label in ordered[first : last + 1])


def _prefixes(label: str) -> Iterator[str]:
    """1, 1.5 and 1.5.2 of 1.5.2; what is not a number is not cut."""
    numbers = _NUMBERS.match(label)
    parts = numbers[0].split(".") if numbers else []
    prefixes = [".".join(parts[: at + 1]) for at in range(len(parts))]
    yield from (one for one in prefixes if one != label)
    yield label


def selects(text: str, label: str) -> bool:
    """Whether Spack selects a version by a version list, which stands behind an ``@``.

    ``spack.version.version_types.ClosedOpenRange``: from one version on, up to but without the one
    that follows the other.
    """
    return not text or any(_selects(part, _key(label)) for part in text.split(","))


@cache
def _selects(part: str, key: Key) -> bool:
    if part.startswith("="):
        return key == _key(part[1:])
    lower, colon, upper = part.partition(":")
    if not colon:
        upper = lower
    return (not lower or _key(lower) <= key) and (not upper or key < _following(_key(upper)))


def _following(key: Key) -> Key:
    release, prerelease = key
    if prerelease[0] != _FINAL:
        number = prerelease[1] + 1 if len(prerelease) > 1 else 0
        return release, (prerelease[0], number)
    kind, number, word = release[-1]
    if kind == 1:
        return (*release[:-1], (1, number + 1, "")), prerelease
    if kind == 2:
        return (*release[:-1], (2, number + 1, "")), prerelease
    if word.endswith("z"):
        return (*release[:-1], (0, 0, f"{word}A")), prerelease
    last = "a" if word[-1] == "Z" else chr(ord(word[-1]) + 1)
    return (*release[:-1], (0, 0, word[:-1] + last)), prerelease


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
    if version.is_prerelease and version.post is None and operator not in ("==", "==="):
        # It lies between the final versions just below its own: none is equal to it, and as a
        # bound it divides them where its own does. ``<2.0a0`` and ``<2.0.dev0`` are even how
        # ``<2.0`` is written by those who fear pre-releases.
        if operator == "!=":
            return _ALL
        operator = {">": ">=", "<=": "<"}.get(operator, operator)
        version = _stripped(version)
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


@cache
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
