# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a recipe asks for in one case: a version on a python, a platform and a target. Pure.

By this a recipe is compared with the metadata that it was made of, where ``packaging`` decides,
and with other recipes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import (
    Collection,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .grid import PLATFORMS, PYTHONS, Cell, Condition, Grid, grid, values_of
from .recipe import (
    Dependency,
    ExtraRequirements,
    Named,
    Recipe,
    known_recipe,
    no_extra,
    no_recipe,
    recipe_name,
)
from .releases import Project, Release
from .versions import label_of, selects

_FAR = "99999.0.0"


@dataclass(frozen=True)
class Asked:
    """What is asked of a dependency: the version lists that all hold, and the variants."""

    versions: FrozenSet[str] = frozenset()
    variants: FrozenSet[str] = frozenset()

    def selects(self, label: str) -> bool:
        return all(selects(text, label) for text in self.versions)


@dataclass(frozen=True)
class Difference:
    """Where a recipe asks for another thing than the metadata of a release does."""

    label: str
    cell: Cell
    extra: str
    name: str
    expected: str
    found: str


def holds(when: Condition, label: str, cell: Cell, variants: Collection[str]) -> bool:
    """Whether a condition holds for a version in a cell, with variants as ``+x`` or ``x=y``."""
    return (
        not when.other
        and selects(when.versions, label)
        and when.platform in ("", cell.platform)
        and when.target in ("", cell.target)
        and selects(when.python, cell.python)
        and all(
            f"+{one[1:]}" not in variants if one.startswith("~") else one in variants
            for one in when.variants
        )
    )


def asked(
    dependencies: Iterable[Dependency],
    label: str,
    cell: Cell,
    variants: Collection[str] = (),
    types: Collection[str] = ("build", "run"),
) -> Dict[str, Asked]:
    """What a version asks for in a cell, of the dependencies of any of these types."""
    found: Dict[str, Asked] = {}
    for one in dependencies:
        if set(types) & set(one.types) and holds(one.when, label, cell, variants):
            before = found.get(one.name, Asked())
            versions = {one.versions} if one.versions else set()
            found[one.name] = Asked(
                before.versions | versions, before.variants | set(one.variants)
            )
    return found


def implies(given: Asked, versions: str) -> bool:
    """Whether what is asked already selects no version that ``versions`` does not."""
    around = samples([*given.versions, versions])
    return all(selects(versions, label) for label in around if given.selects(label))


def excludes(given: Asked, versions: str) -> bool:
    """Whether no version is both what is asked and what ``versions`` selects."""
    around = samples([*given.versions, versions])
    return not any(selects(versions, label) for label in around if given.selects(label))


def samples(texts: Iterable[str]) -> List[str]:
    """Versions of three numbers, or more where a bound has more, on either side of all bounds.

    The texts are specifiers or version lists.
    """
    found = {(0, 0, 1), (1, 0, 0), tuple(map(int, _FAR.split(".")))}
    for bound in (bound for text in texts for bound in re.findall(r"[0-9]+(?:\.[0-9]+)*", text)):
        numbers = tuple(map(int, bound.split(".")))
        numbers += (0,) * (3 - len(numbers))
        for at in range(len(numbers)):
            for step in (-1, 0, 1):
                number = max(0, numbers[at] + step)
                rest = (0,) * (max(3, at + 1) - at - 1)
                found.add((*numbers[:at], number, *rest))
                found.add((*numbers[:at], number, *numbers[at + 1 :]))
    return [".".join(map(str, numbers)) for numbers in sorted(found)]


def differences(
    project: Project,
    recipe: Recipe,
    named: Named = no_recipe,
    requirements_of: ExtraRequirements = no_extra,
    pythons: Collection[str] = PYTHONS,
) -> Tuple[Difference, ...]:
    """Where a recipe asks for another thing to run than the releases do that it was made of.

    What the recipe itself calls unsaid is passed over.
    """
    found: List[Difference] = []
    for label, release in _listed(project, recipe):
        case = _Case(project.name, release, label, recipe, named, requirements_of)
        found += case.differences(pythons)
    return tuple(found)


def count_cells(project: Project, recipe: Recipe, pythons: Collection[str] = PYTHONS) -> int:
    """In how many cases ``differences`` looks: over the versions."""
    return sum(
        len(cells.cells(cells.all))
        for _, release in _listed(project, recipe)
        for cells in [_grid(release, pythons)]
    )


def _listed(project: Project, recipe: Recipe) -> Iterator[Tuple[str, Release]]:
    labels = {one.label for one in recipe.versions}
    for release in project.releases:
        label = label_of(release.version, release.source.label, labels)
        if label is not None and label in labels:
            yield label, release


def _grid(release: Release, pythons: Collection[str]) -> Grid:
    markers = [one.marker for one in release.requires if one.marker]
    return grid([release.requires_python], markers, pythons, PLATFORMS)


@dataclass(frozen=True)
class _Case:
    """A release, and all that its comparison depends on."""

    project: str
    release: Release
    label: str
    recipe: Recipe
    named: Named
    requirements_of: ExtraRequirements
    unsaid: Set[str] = field(default_factory=set)

    def differences(self, pythons: Collection[str]) -> Iterator[Difference]:
        release = self.release
        cells = _grid(release, pythons)
        unsaid = {one.name for one in self.recipe.unsaid if self.label in one.labels}
        for cell in cells.cells(cells.all):
            python = asked(self.recipe.dependencies, self.label, cell).get("python", Asked())
            runs = release.requires_python.contains(cell.python, prereleases=True)
            if runs != python.selects(cell.python):
                expected = str(release.requires_python)
                yield self.difference(
                    cell, "", "python", expected, ",".join(sorted(python.versions))
                )
            if not runs:
                continue
            for extra in ("", *(one.name for one in self.recipe.variants)):
                on = [f"+{extra}"] if extra in release.extras else []
                found = asked(self.recipe.dependencies, self.label, cell, on, ["run"])
                wanted = self.wanted(cell, extra if on else "")
                for name in sorted((found.keys() | wanted.keys()) - unsaid - {"python"}):
                    yield from self.compared(cell, extra, name, wanted, found)

    def compared(
        self,
        cell: Cell,
        extra: str,
        name: str,
        wanted: Dict[str, Tuple[SpecifierSet, Set[str], Sequence[str]]],
        found: Dict[str, Asked],
    ) -> Iterator[Difference]:
        if name not in found:
            yield self.difference(cell, extra, name, str(wanted[name][0]) or "any", "none")
            return
        texts = found[name].versions
        if name not in wanted:
            yield self.difference(cell, extra, name, "none", ",".join(sorted(texts)) or "any")
            return
        specifier, variants, known = wanted[name]
        label = _disagreed(str(specifier), found[name], tuple(known))
        if label is not None:
            expected = f"{specifier} at {label}"
            yield self.difference(cell, extra, name, expected, ",".join(sorted(texts)))
        elif variants != found[name].variants:
            expected = ",".join(sorted(variants))
            yield self.difference(cell, extra, name, expected, str(sorted(found[name].variants)))

    def difference(
        self, cell: Cell, extra: str, name: str, expected: str, found: str
    ) -> Difference:
        return Difference(self.label, cell, extra, name, expected, found)

    def wanted(
        self, cell: Cell, extra: str
    ) -> Dict[str, Tuple[SpecifierSet, Set[str], Sequence[str]]]:
        """By the name of its recipe: what ``packaging`` says of each requirement."""
        result: Dict[str, Tuple[SpecifierSet, Set[str], Sequence[str]]] = {}
        pending: List[Tuple[Requirement, str]] = [(one, extra) for one in self.release.requires]
        active = {extra}
        while pending:
            one, with_extra = pending.pop()
            extras = {"", with_extra}
            if one.marker is not None and not any(_applies(one, cell, e) for e in extras):
                continue
            project = canonicalize_name(one.name)
            if project == self.project:
                new = {canonicalize_name(other) for other in one.extras} - active
                active |= new
                pending += [(each, other) for other in new for each in self.release.requires]
                continue
            known = known_recipe(project, self.named)
            name = recipe_name(project, self.named)
            before = result.get(name, (SpecifierSet(), set(), ()))
            variants = set()
            for other in map(canonicalize_name, one.extras):
                if known is None or other in known.variants:
                    variants.add(f"+{other}")
                else:
                    inlined = self.requirements_of(project, other) or ()
                    pending += [(each, other) for each in inlined if "extra" in str(each.marker)]
            versions = [label for label in known.versions if _is_final(label)] if known else []
            result[name] = (before[0] & one.specifier, before[1] | variants, versions)
        return result


@lru_cache(maxsize=4096)
def _disagreed(specifier: str, given: Asked, known: Tuple[str, ...]) -> Optional[str]:
    """A version that only one of them selects, of those known or around their bounds."""
    selected = SpecifierSet(specifier)
    for label in known or samples([*given.versions, specifier]):
        if selected.contains(label, prereleases=True) != given.selects(label):
            return label
    return None


def _applies(requirement: Requirement, cell: Cell, extra: str) -> bool:
    return requirement.marker is None or _evaluated(str(requirement.marker), cell, extra)


@lru_cache(maxsize=1 << 16)
def _evaluated(marker: str, cell: Cell, extra: str) -> bool:
    try:
        return bool(Marker(marker).evaluate({**values_of(cell), "extra": extra}))
    except (ValueError, KeyError):
        return False


@lru_cache(maxsize=4096)
def _is_final(label: str) -> bool:
    try:
        return not Version(label).is_prerelease
    except InvalidVersion:
        return False
