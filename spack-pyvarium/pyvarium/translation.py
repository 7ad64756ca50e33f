# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""From the releases of a project to what its recipe says. Pure, and without Spack.

Each requirement of each release holds on some cells of a grid. Equal ones are then covered, over
all versions and cells at once, by as few conditions as can be. Where a release does not run on a
python, it does not matter what is said of it.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import (
    Collection,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from .cover import Claim, conditions
from .errors import RecipeError
from .grid import PLATFORMS, PYTHONS, Cells, Condition, Grid, grid
from .listing import homepage, licenses, listed, pypi_of, usable
from .overlay import contradictions, inherited
from .recipe import (
    BUILD,
    RUN,
    Dependency,
    Existing,
    ExtraRequirements,
    Known,
    Missing,
    Named,
    Recipe,
    Unsaid,
    Variant,
    known_recipe,
    no_extra,
    no_recipe,
    recipe_name,
)
from .releases import LANGUAGES, PROGRAMS, Project, Release
from .versions import constraint, covering, label_of, newest_first, selects, translate

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: ``spack.variant.RESERVED_NAMES``, and what the base class has already.
_RESERVED = frozenset(
    "arch architecture branch commit namespace os patches platform ref tag target"
    " build-system".split()
)
#: What the base class of the recipe depends on by itself.
_BY_BASE_CLASS = frozenset(("pip", "wheel"))
_LEGACY = (Requirement("setuptools"),)
#: Final versions that lie beyond those of any project.
_OLDEST, _NEWEST = "0.0.0.0.0.1", "999999"

#: A requirement and the cells where it holds, or why that cannot be said.
_Line = Union[Tuple[Requirement, Cells], Unsaid]


def describe(
    project: Project,
    extras: Collection[str] = (),
    named: Named = no_recipe,
    requirements_of: ExtraRequirements = no_extra,
    existing: Optional[Existing] = None,
    pythons: Sequence[str] = PYTHONS,
    platforms: Mapping[str, Tuple[str, ...]] = PLATFORMS,
) -> Recipe:
    """Describe a recipe for a project; raises RecipeError if nothing can be said.

    It has a variant for each of the ``extras``. One that extends an ``existing`` recipe has only
    the versions that that one lacks, and what that one does not say of them already.
    """
    if not _NAME.fullmatch(project.name):
        raise RecipeError(f"project {project.name!r}: is not a normalized name; normalize it")
    releases, problems = usable(project, existing)
    cells = _grid(releases, named, requirements_of, pythons, platforms)
    supported = {label: cells.allowing(one.requires_python) for label, one in releases.items()}
    for label in [label for label, some in supported.items() if not some]:
        problems.append(
            f"{project.name} {label}: runs on no python from {pythons[0]} to {pythons[-1]};"
            " the recipe leaves it out"
        )
        del releases[label]
    if not releases:
        raise RecipeError(
            f"{project.name}: has no version that a recipe can have"
            f"{f' ({problems[0]})' if problems else ''}; choose other versions"
        )
    case = _Case(project.name, cells, supported, releases, named, requirements_of, existing)
    variants, strange = case.variants(sorted({canonicalize_name(one) for one in extras}))
    needs, unsaid = case.needs([one.name for one in variants])
    said = case.summed(unsaid)
    problems += strange
    of_all = [f"{project.name}: {problem}" for problem in project.problems]
    for label, one in releases.items():
        problems += [f"{project.name} {label}: {problem}" for problem in one.problems]
    pypi = pypi_of(project.name, releases)
    return Recipe(
        name=existing.name if existing else recipe_name(project.name, named),
        project=project.name,
        summary=next((one.summary for one in releases.values() if one.summary.strip()), ""),
        homepage=homepage(project.name, releases),
        pypi=pypi,
        versions=listed(project.name, existing.pypi if existing else pypi, releases),
        licenses=licenses(releases),
        variants=tuple(one for one in variants if not case.inherits(one.name)),
        dependencies=case.covered(needs),
        unsaid=said,
        missing=case.missing(needs),
        problems=tuple(dict.fromkeys([*of_all, *problems, *map(str, said)])),
        repo=existing.repo if existing else None,
    )


@dataclass(frozen=True)
class _Need:
    """What a version asks for on some cells. On ``free`` ones it does not matter."""

    dependency: Dependency
    label: str
    cells: Cells
    free: Cells = 0
    extra: str = ""
    project: str = ""


@dataclass(frozen=True)
class _Case:
    """The releases, by their version in the recipe and newest first, and what they depend on."""

    project: str
    grid: Grid
    supported: Mapping[str, Cells]
    releases: Mapping[str, Release]
    named: Named
    requirements_of: ExtraRequirements
    existing: Optional[Existing]

    @property
    def labels(self) -> List[str]:
        return [*self.releases, *(self.existing.versions if self.existing else ())]

    def inherits(self, variant: str) -> bool:
        return self.existing is not None and variant in self.existing.variants

    def variants(self, extras: Sequence[str]) -> Tuple[List[Variant], List[str]]:
        """A variant for each extra, and what is wrong with those that can have none."""
        found, problems = [], []
        for extra in extras:
            having = [label for label, one in self.releases.items() if extra in _extras(one)]
            if extra in _RESERVED:
                problems.append(f"{self.project}[{extra}]: Spack has another use for that name")
            elif not having:
                problems.append(f"{self.project}[{extra}]: no version has that extra")
            else:
                found.append(Variant(extra, covering(having, self.labels)))
        return found, problems

    def needs(self, extras: Sequence[str]) -> Tuple[List[_Need], List[Unsaid]]:
        """All that the versions ask for, and what of it cannot be said."""
        needs: List[_Need] = []
        unsaid: List[Unsaid] = []
        for label, release in self.releases.items():
            for one in self._of(label, release, extras):
                if isinstance(one, Unsaid):
                    unsaid.append(one)
                elif one.cells & self.supported[label]:
                    needs.append(one)
        unsaid += [one for need in needs for one in self._contradicted(need)]
        absent = self._absent(needs)
        unsaid += [
            Unsaid(
                need.dependency.name,
                "is needed on Windows only, and there is no recipe for it",
                need.dependency.name,
                (need.label,),
            )
            for need in needs
            if need.dependency.name in absent
        ]
        return [one for one in needs if one.dependency.name not in absent], unsaid

    def _absent(self, needs: Sequence[_Need]) -> FrozenSet[str]:
        """What only Windows needs and no repo has: nobody would make a recipe for it."""
        cells: Dict[str, Cells] = defaultdict(int)
        for need in needs:
            if need.project and known_recipe(need.project, self.named) is None:
                cells[need.dependency.name] |= need.cells & self.supported[need.label]
        windows = self.grid.on("windows")
        return frozenset(name for name, some in cells.items() if not some & ~windows)

    def missing(self, needs: Sequence[_Need]) -> Tuple[Missing, ...]:
        extras: Dict[Tuple[str, str], Set[str]] = defaultdict(set)
        for need in needs:
            if need.project and known_recipe(need.project, self.named) is None:
                variants = {variant[1:] for variant in need.dependency.variants}
                extras[need.project, need.dependency.name] |= variants
        return tuple(
            Missing(project, name, tuple(sorted(some)))
            for (project, name), some in sorted(extras.items())
        )

    def _of(
        self, label: str, release: Release, extras: Sequence[str]
    ) -> Iterator[Union[_Need, Unsaid]]:
        every = self.grid.all
        python = _python_range(self.grid, release.requires_python)
        if python:
            yield _Need(Dependency("python", python), label, every)
        for extra in ("", *(one for one in extras if one in _extras(release))):
            lines = self._lines(label, release, extra, every, frozenset((extra,)))
            yield from self._said(label, lines, RUN, extra)
        build = release.build
        if not build.known:
            reason = f"could not {'all ' if build.requires else ''}be read from the sdist"
            yield Unsaid("build requirements", reason, labels=(label,))
            if not build.requires:
                return
        for name in (*LANGUAGES, *PROGRAMS):
            if name in build.languages or name in build.programs:
                yield _Need(Dependency(name, types=BUILD), label, every)
        lines = self._build_lines(label, release)
        yield from self._said(label, lines, BUILD, "")

    def _lines(
        self, label: str, release: Release, extra: str, within: Cells, seen: FrozenSet[str]
    ) -> Iterator[_Line]:
        """What a release requires: with an extra, but not without it, or with none."""
        for one in release.requires:
            name = canonicalize_name(one.name)
            some = self._due_to(one, extra)
            if some is None:
                yield _unknown(one, label, self._recipe(name))
            elif some & within:
                if name != self.project:
                    yield one, some & within
                for other in map(canonicalize_name, one.extras if name == self.project else ()):
                    if other not in seen:
                        yield from self._lines(
                            label, release, other, some & within, seen | {other}
                        )

    def _due_to(self, requirement: Requirement, extra: str) -> Optional[Cells]:
        some = self.grid.holding(requirement.marker, extra)
        if some is None or not extra:
            return some
        return some & ~(self.grid.holding(requirement.marker) or 0)

    def _build_lines(self, label: str, release: Release) -> Iterator[_Line]:
        requires = release.build.requires
        if not requires and release.build.backend.startswith("setuptools.build_meta"):
            requires = _LEGACY
        for one in requires:
            one = _for_building(one)
            name = canonicalize_name(one.name)
            some = self.grid.holding(one.marker)
            if name in _BY_BASE_CLASS or name == self.project:
                continue
            if some is None:
                yield _unknown(one, label, self._recipe(name))
            else:
                yield one, some

    def _said(
        self,
        label: str,
        lines: Iterable[_Line],
        types: Tuple[str, ...],
        extra: str,
    ) -> Iterator[Union[_Need, Unsaid]]:
        """What a recipe says of these requirements, those of one project on equal cells in one."""
        pending: List[Tuple[Requirement, Cells]] = []
        for line in lines:
            if isinstance(line, Unsaid):
                yield line
            else:
                pending.append(line)
        joined: Dict[Tuple[str, FrozenSet[str], Cells], SpecifierSet] = {}
        inlined: Set[Tuple[str, str, Cells]] = set()
        while pending:
            one, some = pending.pop(0)
            if not some & self.supported[label]:
                continue
            name = canonicalize_name(one.name)
            known = known_recipe(name, self.named)
            if one.url is not None:
                reason = "names its own source, which a recipe cannot take"
                yield Unsaid(f"{one.name} @ {one.url}", reason, self._recipe(name), (label,))
                continue
            variants = set()
            for other in map(canonicalize_name, one.extras):
                if known is None or other in known.variants:
                    variants.add(f"+{other}")
                    continue
                more = self.requirements_of(name, other)
                if more is None:
                    reason = f"{self._recipe(name)} has no variant {other}"
                    yield Unsaid(str(one), reason, labels=(label,))
                elif (name, other, some) not in inlined:
                    inlined.add((name, other, some))
                    for each in more:
                        due = self._due_to(each, other)
                        if due is None:
                            each_name = canonicalize_name(each.name)
                            yield _unknown(each, label, self._recipe(each_name))
                        elif due & some and canonicalize_name(each.name) != self.project:
                            pending.append((each, due & some))
            key = (name, frozenset(variants), some)
            joined[key] = joined.get(key, SpecifierSet()) & one.specifier
        for (project, wanted, some), specifier in joined.items():
            known = known_recipe(project, self.named)
            versions = version_range(specifier, known)
            if versions is None:
                subject = f"{project}{specifier}"
                reason = "no range of Spack's says this"
                yield Unsaid(subject, reason, self._recipe(project), (label,))
                continue
            dependency = Dependency(self._recipe(project), versions, tuple(sorted(wanted)), types)
            free = 0
            if types == BUILD:
                # Spack has one of each in a build, so what is needed to run decides on it.
                to_run = self._to_run(label, project)
                free = to_run if not versions and not wanted else 0
                some &= ~to_run
            yield _Need(dependency, label, some, free, extra, project)

    def _to_run(self, label: str, name: str) -> Cells:
        cells = 0
        for one in self.releases[label].requires:
            if canonicalize_name(one.name) == name:
                cells |= self.grid.holding(one.marker) or 0
        return cells

    def _recipe(self, project: str) -> str:
        return recipe_name(project, self.named)

    def covered(self, needs: Sequence[_Need]) -> Tuple[Dependency, ...]:
        """The fewest dependencies that say all of it, in the order of a recipe."""
        groups: Dict[Tuple[Dependency, str], List[_Need]] = defaultdict(list)
        for need in needs:
            groups[need.dependency, need.extra].append(need)
        found = []
        for (dependency, extra), group in groups.items():
            base = groups.get((dependency, ""), []) if extra else []
            found += [
                replace(dependency, when=when)
                for when in self._conditions(dependency, extra, group, base)
            ]
        order = newest_first(self.labels)
        return tuple(sorted(found, key=lambda one: _position(one, order)))

    def _conditions(
        self, dependency: Dependency, extra: str, group: Sequence[_Need], base: Sequence[_Need]
    ) -> Iterator[Condition]:
        claims: Dict[str, Claim] = {}
        for label, release in self.releases.items():
            unread = dependency.types == BUILD and not release.build.known
            without = bool(extra) and extra not in _extras(release)
            may = self.grid.all if unread or without else ~self.supported[label]
            claims[label] = Claim(may=may)
        for need in group:
            already = self._inherited(need)
            before = claims[need.label]
            must = need.cells & self.supported[need.label] & ~already
            claims[need.label] = Claim(
                before.must | must,
                before.may | need.cells | need.free | already,
                before.said | need.cells,
            )
        for need in base:
            one = claims[need.label]
            claims[need.label] = replace(
                one, must=one.must & ~need.cells, may=one.may | need.cells
            )
        variants = (f"+{extra}",) if extra else ()
        return conditions(self.grid, claims, self.labels, variants)

    def _inherited(self, need: _Need) -> Cells:
        if self.existing is None:
            return 0
        return inherited(
            self.existing, self.grid, need.label, need.dependency, need.cells, need.extra
        )

    def _contradicted(self, need: _Need) -> Iterator[Unsaid]:
        if self.existing is not None:
            yield from contradictions(
                self.existing, self.grid, need.label, need.dependency, need.cells, need.extra
            )

    def summed(self, unsaid: Sequence[Unsaid]) -> Tuple[Unsaid, ...]:
        """What is said of several versions in the same words, once."""
        groups: Dict[Unsaid, Dict[str, None]] = defaultdict(dict)
        for one in unsaid:
            groups[replace(one, labels=(), versions="")].update(dict.fromkeys(one.labels))
        return tuple(
            replace(one, labels=tuple(labels), versions=covering(labels, self.labels))
            for one, labels in groups.items()
        )


def version_range(specifier: SpecifierSet, known: Optional[Known]) -> Optional[str]:
    """What selects the versions of a dependency; None where Spack has no words for it.

    Where its recipe is known, it selects of the versions there just those that the specifier does.
    """
    text = translate(specifier)
    labels = known.versions if known is not None else ()
    found = constraint(specifier, labels)
    if found.selected and found.expressed:
        return found.text
    if found.selected:
        # Open on a side only where the specifier is: else nothing is known of what lies beyond.
        older = [] if specifier.contains(_OLDEST) else ["A"]
        newer = [] if specifier.contains(_NEWEST) else ["develop"]
        return covering(found.selected, [*labels, *older, *newer])
    if text is not None and not (text and any(selects(text, label) for label in labels)):
        return text
    clauses = list(specifier)
    if known is None and len(clauses) == 1 and clauses[0].operator == "==":
        exact = clauses[0].version
        label = None if exact.endswith(".*") else label_of(Version(exact), exact)
        return f"={label}" if label else None
    return None


def _python_range(some: Grid, specifier: SpecifierSet) -> str:
    text = translate(specifier)
    return some.python_range(some.allowing(specifier)) if text is None else text


def _for_building(requirement: Requirement) -> Requirement:
    """A build that was tried with one version only works with newer ones, nearly always."""
    changed = copy.copy(requirement)
    if canonicalize_name(requirement.name) == "oldest-supported-numpy":
        changed.name, changed.specifier = "numpy", SpecifierSet()
        return changed
    changed.specifier = SpecifierSet(
        ",".join(
            f">={one.version.partition('+')[0]}"
            if one.operator == "==" and "*" not in one.version
            else str(one)
            for one in requirement.specifier
        )
    )
    return changed


def _extras(release: Release) -> FrozenSet[str]:
    return frozenset(map(canonicalize_name, release.extras))


def _all_requires(release: Release) -> Tuple[Requirement, ...]:
    return (*release.requires, *release.build.requires)


def _grid(
    releases: Mapping[str, Release],
    named: Named,
    requirements_of: ExtraRequirements,
    pythons: Sequence[str],
    platforms: Mapping[str, Tuple[str, ...]],
) -> Grid:
    requirements = [one for release in releases.values() for one in _all_requires(release)]
    requirements += _inlined(releases.values(), named, requirements_of)
    markers = [one.marker for one in requirements if one.marker is not None]
    specifiers = [one.requires_python for one in releases.values()]
    return grid(specifiers, markers, pythons, platforms)


def _inlined(
    releases: Iterable[Release], named: Named, requirements_of: ExtraRequirements
) -> Iterator[Requirement]:
    """What extras of dependencies require that are no variants of their recipes."""
    pending = [one for release in releases for one in _all_requires(release)]
    seen: Set[Tuple[str, str]] = set()
    while pending:
        one = pending.pop()
        name = canonicalize_name(one.name)
        for extra in map(canonicalize_name, one.extras):
            known = known_recipe(name, named)
            if known is None or extra in known.variants or (name, extra) in seen:
                continue
            seen.add((name, extra))
            more = requirements_of(name, extra) or ()
            yield from more
            pending += more


def _unknown(requirement: Requirement, label: str, name: str) -> Unsaid:
    reason = "no condition of Spack's says this"
    return Unsaid(str(requirement), reason, name, (label,))


def _position(one: Dependency, order: Sequence[str]) -> Tuple[object, ...]:
    """Languages, what is needed to build, python, what is needed to run; the newest first."""
    newest = next(at for at, label in enumerate(order) if selects(one.when.versions, label))
    language = LANGUAGES.index(one.name) if one.name in LANGUAGES else len(LANGUAGES)
    return (
        one.types != BUILD,
        language,
        one.when.variants,
        one.name != "python",
        one.name,
        newest,
        str(one.when),
        one.versions,
    )
