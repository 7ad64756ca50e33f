# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a recipe, also a hand-written one, says otherwise than the metadata of its versions. Pure.

Only what is needed to run is compared: how a project is built is decided by who packages it. So
is whether it works with less than its metadata allows, such as a python that came later.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import DefaultDict, List, Optional, Tuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from .evaluation import Difference, differences
from .recipe import Existing, ExtraRequirements, Listed, Named, Recipe, Variant
from .releases import Project
from .versions import covering


class Kind(str, enum.Enum):
    """How a recipe departs from the metadata."""

    MISSING = "missing"  # It does not depend on what is needed.
    LOOSER = "looser"  # It allows a version that is not allowed.
    STALE = "stale"  # It depends on what is not, or no longer, needed.


@dataclass(frozen=True, order=True)
class Finding:
    """One departure. ``versions`` (empty: all) and ``pythons`` are where it is, ``upstream``
    and ``recipe`` what the two say, and ``extra`` is the extra that asks for it, if one does.
    """

    name: str
    kind: Kind
    dependency: str
    versions: str
    pythons: str
    extra: str
    upstream: str
    recipe: str

    def __str__(self) -> str:
        extra = f" for the extra {self.extra}" if self.extra else ""
        at = f"@{self.versions}" if self.versions else ""
        return (
            f"{self.name}{at}: {self.kind.value}: {self.dependency}{extra} on python"
            f" {self.pythons}; upstream says {self.upstream}, the recipe {self.recipe or 'any'}"
        )


def check(
    existing: Existing, project: Project, named: Named, requirements_of: ExtraRequirements
) -> Tuple[Finding, ...]:
    """Compare a recipe with the metadata of those of its versions that the project has."""
    recipe = _recipe(existing, project)
    groups: DefaultDict[Tuple[Kind, str, str, str, str], List[Difference]] = defaultdict(list)
    always = set()
    for one in differences(project, recipe, named, requirements_of):
        place = (one.label, one.cell, one.name, one.expected, one.found)
        kind = _kind(one)
        if kind is None or (one.extra and place in always):
            continue
        if not one.extra:
            always.add(place)
        groups[kind, one.name, one.extra, one.expected, one.found].append(one)
    found = []
    for (kind, dependency, extra, expected, given), places in groups.items():
        labels = {one.label for one in places}
        pythons = sorted({one.cell.python for one in places}, key=_numbers)
        found.append(
            Finding(
                existing.name,
                kind,
                dependency,
                covering(labels, [one.label for one in recipe.versions]),
                pythons[0] if len(pythons) == 1 else f"{pythons[0]} to {pythons[-1]}",
                extra,
                expected,
                given,
            )
        )
    return tuple(sorted(found))


def _recipe(existing: Existing, project: Project) -> Recipe:
    """A recipe with its default variants, but without those that stand for an extra."""
    extras = {extra for release in project.releases for extra in release.extras}
    base = existing.enabled - {f"+{extra}" for extra in extras}
    dependencies = tuple(
        replace(
            one,
            when=replace(
                one.when,
                variants=tuple(v for v in one.when.variants if v not in base),
            ),
        )
        for one in existing.dependencies
    )
    return Recipe(
        name=existing.name,
        project=project.name,
        summary="",
        homepage="",
        pypi=existing.pypi or "",
        versions=tuple(Listed(label, "") for label in existing.versions),
        variants=tuple(Variant(name) for name in sorted(existing.variants & extras)),
        dependencies=dependencies,
    )


def _kind(one: Difference) -> Optional[Kind]:
    """None where the recipe asks for more than the metadata, which may be known better here."""
    if one.found == "none":
        return Kind.MISSING
    if one.expected == "none":
        # What is no project on the index, such as a library in C, no metadata can ask for.
        return Kind.STALE if one.name.startswith("py-") else None
    specifier, at, label = one.expected.partition(" at ")
    try:
        allowed = SpecifierSet(specifier).contains(label if at else one.cell.python, True)
    except InvalidSpecifier:  # It is about variants.
        return Kind.MISSING
    return None if allowed else Kind.LOOSER


def _numbers(python: str) -> Tuple[int, ...]:
    return tuple(map(int, python.split(".")))
