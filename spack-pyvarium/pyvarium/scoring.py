# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""How near a recipe that was made of metadata comes to one that was written by hand. Pure.

The hand-written one is not the truth: both say what a version asks for in a case, and where they
differ that is counted and told.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean
from typing import (
    Collection,
    DefaultDict,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from packaging.utils import canonicalize_name

from .evaluation import Asked, Difference, asked, count_cells, differences, samples
from .grid import PYTHONS, Cell
from .recipe import Dependency, Existing, ExtraRequirements, Named, Recipe, recipe_name
from .releases import LANGUAGES, Project, Release
from .translation import describe
from .versions import covering, label_of

#: Where recipes are built: the pythons of a Spack that are not deprecated, on these.
USUAL_PLATFORMS = ("linux", "darwin")
#: One target of each platform: hardly a recipe differs between them.
_TARGETS = {"linux": "x86_64", "darwin": "aarch64", "windows": "x86_64"}
#: What the base class brings by itself, and what is compared by other means.
_LEFT_OUT = frozenset(("python", "python-venv", "py-pip", "py-wheel", *LANGUAGES))


class Kind(str, enum.Enum):
    """How a hand-written recipe differs from what was made of the metadata."""

    LACKS = "lacks"
    ADDS = "adds"
    LOOSER = "looser"
    STRICTER = "stricter"
    OTHER = "other range"


@dataclass(frozen=True)
class Score:
    """Counts over (version, cell, dependency), or over what else two recipes have.

    ``found`` are in the one that is judged, ``expected`` in the other, ``common`` in both, and
    ``equal`` those of them that are the same.
    """

    found: int = 0
    expected: int = 0
    common: int = 0
    equal: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.found + other.found,
            self.expected + other.expected,
            self.common + other.common,
            self.equal + other.equal,
        )

    @property
    def precision(self) -> float:
        return self.common / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.common / self.expected if self.expected else 1.0

    @property
    def name_f1(self) -> float:
        return self._f1(self.common)

    @property
    def range_f1(self) -> float:
        return self._f1(self.equal)

    def _f1(self, hits: int) -> float:
        total = self.found + self.expected
        return 2 * hits / total if total else 1.0


@dataclass(frozen=True)
class Pair:
    """What two recipes ask of one dependency, at a version in a cell; None is nothing.

    ``build`` tells that it is needed to build only, and ``also_to_run`` that the other recipe
    needs it to run: that is counted there. ``by_extra`` tells that the metadata asks for it with
    an extra only, which the hand-written recipe has no variant for. ``known`` are the versions
    that the dependency has.
    """

    label: str
    cell: Cell
    name: str
    build: bool
    ours: Optional[Asked]
    theirs: Optional[Asked]
    by_extra: bool = False
    also_to_run: bool = False
    known: Tuple[str, ...] = ()

    @property
    def kind(self) -> Optional[Kind]:
        """How the hand-written recipe differs, over all versions that could be."""
        if self.ours is None or self.theirs is None:
            return Kind.ADDS if self.ours is None else Kind.LACKS
        if self.ours.versions == self.theirs.versions:
            return None
        around = samples([*self.ours.versions, *self.theirs.versions])
        return _range_kind(self.ours, self.theirs, around)

    def is_usual(self, pythons: Collection[str]) -> bool:
        """Whether that is where recipes are mostly built."""
        return self.cell.python in pythons and self.cell.platform in USUAL_PLATFORMS

    @property
    def is_due(self) -> bool:
        """Whether it counts: what is modelled in another way, or counted elsewhere, does not."""
        return not self.by_extra and not self.also_to_run

    @property
    def is_program(self) -> bool:
        """Whether it is no project on the index, as bwa or Java."""
        return self.ours is None and not self.name.startswith("py-")

    @property
    def selects_the_same(self) -> bool:
        """Whether both allow the same of the versions that the dependency has."""
        return (
            self.ours is not None
            and self.theirs is not None
            and _range_kind(self.ours, self.theirs, self.known) is None
        )


@dataclass(frozen=True)
class Departure:
    """Where a hand-written recipe differs in one way: over so many (version, cell)."""

    name: str
    dependency: str
    build: bool
    kind: Kind
    versions: str
    ours: str
    theirs: str
    count: int
    counted: bool = True


@dataclass(frozen=True)
class Tongues:
    """The languages that two recipes ask for at a version, and whether its wheels are compiled."""

    label: str
    ours: Tuple[str, ...]
    theirs: Tuple[str, ...]
    compiled: Optional[bool]


@dataclass(frozen=True)
class Comparison:
    """A hand-written recipe beside the one that is made of the metadata of its versions.

    ``languages`` compares theirs. So does ``evident``, but a hand-written one is taken to ask for
    none at a version whose wheels have nothing compiled, since that is wrong. ``tongues`` are the
    versions where they differ. ``compiled`` and ``by_hand`` compare whether ours, and the
    hand-written one, ask for any with the wheels of the versions that have some. ``cells`` is how
    many cases were searched for the ``differences`` of ours from the metadata.
    """

    name: str
    labels: Tuple[str, ...]
    build_system: str
    pairs: Tuple[Pair, ...]
    languages: Score
    evident: Score
    tongues: Tuple[Tongues, ...]
    compiled: Score
    by_hand: Score
    cells: int
    differences: Tuple[Difference, ...]
    problems: Tuple[str, ...] = ()

    def departures(self, pythons: Collection[str]) -> Tuple[Departure, ...]:
        """Where the two differ in the usual cells."""
        groups: DefaultDict[Tuple[str, bool, Kind, str, str, bool], List[Pair]] = defaultdict(list)
        for one in self.pairs:
            kind = one.kind
            if kind is not None and one.is_usual(pythons):
                ours, theirs = _shown(one.ours), _shown(one.theirs)
                groups[one.name, one.build, kind, ours, theirs, one.is_due].append(one)
        found = (
            Departure(
                name=self.name,
                dependency=dependency,
                build=build,
                kind=kind,
                versions=covering({one.label for one in some}, self.labels) or ":",
                ours=ours,
                theirs=theirs,
                count=len(some),
                counted=counted,
            )
            for (dependency, build, kind, ours, theirs, counted), some in groups.items()
        )
        return tuple(sorted(found, key=lambda one: (one.build, one.dependency, one.versions)))


@dataclass(frozen=True)
class Scored:
    """The recipes of a sample that could be compared, and why others could not.

    ``pythons`` are those that a Spack has and does not call deprecated.
    """

    drawn: Tuple[str, ...]
    compared: Tuple[Comparison, ...]
    notes: Tuple[str, ...]
    pythons: Tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A score over all recipes, and the mean of those of each."""

    what: str
    score: Score
    mean_name_f1: float
    mean_range_f1: float


def rows(scored: Scored) -> Tuple[Row, ...]:
    """The scores by what is counted; the first of each kind is the one to be judged by."""
    found = []
    for build in (False, True):
        kind = "build only" if build else "run"
        wider = "what the other needs to run" if build else "what is an extra"
        anywhere = [[one for one in each.pairs if one.build == build] for each in scored.compared]
        usual = [[one for one in some if one.is_usual(scored.pythons)] for some in anywhere]
        due = [[one for one in some if one.is_due] for some in usual]
        found += [
            _row(kind, due),
            _row(f"{kind}, of the versions there are", due, known=True),
            _row(
                f"{kind}, without programs",
                [[one for one in some if not one.is_program] for some in due],
            ),
            _row(
                f"{kind}, on all pythons and platforms",
                [[one for one in some if one.is_due] for some in anywhere],
            ),
            _row(f"{kind}, and {wider}", usual),
        ]
    return tuple(found)


def _row(what: str, chosen: Sequence[Sequence[Pair]], known: bool = False) -> Row:
    scores = [score(some, known) for some in chosen if some]
    return Row(
        what,
        sum(scores, Score()),
        fmean(one.name_f1 for one in scores) if scores else 1.0,
        fmean(one.range_f1 for one in scores) if scores else 1.0,
    )


def score(some: Collection[Pair], known: bool = False) -> Score:
    """Count; two ranges are equal if all versions say so, or only those that are ``known``."""
    common = [one for one in some if one.ours is not None and one.theirs is not None]
    return Score(
        sum(one.ours is not None for one in some),
        sum(one.theirs is not None for one in some),
        len(common),
        sum(one.selects_the_same if known else one.kind is None for one in common),
    )


def sample(names: Iterable[str], every: int, offset: int) -> Tuple[str, ...]:
    """Every n-th name, in their order."""
    return tuple(sorted(set(names))[offset::every])


def cells(pythons: Iterable[str]) -> Tuple[Cell, ...]:
    return tuple(
        Cell(f"{python}.0", platform, target)
        for python, (platform, target) in product(pythons, _TARGETS.items())
    )


def compare(
    theirs: Existing, project: Project, named: Named, requirements_of: ExtraRequirements
) -> Comparison:
    """Compare a recipe with what would be made of the versions that it has.

    Raises RecipeError where nothing would be.
    """
    extras = {canonicalize_name(extra) for one in project.releases for extra in one.extras}
    ours = describe(project, extras & theirs.variants, named, requirements_of)
    names = _names(project, ours, theirs)
    spoken = tuple(tongues(project, ours, theirs, names))
    return Comparison(
        name=theirs.name,
        labels=tuple(names),
        build_system=theirs.build_system,
        pairs=tuple(pairs(project, ours, theirs, named, cells(PYTHONS))),
        languages=languages(spoken),
        evident=languages(
            replace(one, theirs=()) if one.compiled is False else one for one in spoken
        ),
        tongues=tuple(one for one in spoken if set(one.ours) != set(one.theirs)),
        compiled=compiled(project, ours.dependencies, names),
        by_hand=compiled(project, theirs.dependencies, names.values(), theirs.enabled),
        cells=count_cells(project, ours),
        differences=differences(project, ours, named, requirements_of),
        problems=ours.problems,
    )


def _names(project: Project, ours: Recipe, theirs: Existing) -> Dict[str, str]:
    """The versions that both recipes have, as ours names them and as theirs does."""
    found = {}
    listed = {one.label for one in ours.versions}
    for release in project.releases:
        label = label_of(release.version, release.source.label)
        name = label_of(release.version, release.source.label, theirs.versions)
        if label is not None and label in listed and name is not None and name in theirs.versions:
            found[label] = name
    return found


def pairs(
    project: Project, ours: Recipe, theirs: Existing, named: Named, where: Collection[Cell]
) -> Iterator[Pair]:
    """Compare two recipes in the cells where both of them and the release can be built.

    The variants of the hand-written one are as they are by default, in both. A library that
    is only linked is left out, since no metadata speaks of it.
    """
    names = _names(project, ours, theirs)
    versions: Dict[str, Tuple[str, ...]] = {}
    for release in project.releases:
        label = label_of(release.version, release.source.label)
        if label is None or label not in names:
            continue
        by_extra = _by_extra(release, named)
        for cell in where:
            if not (_runs(ours.dependencies, label, cell, ())) or not (
                _runs(theirs.dependencies, names[label], cell, theirs.enabled)
            ):
                continue
            mine = _counted(ours.dependencies, label, cell, theirs.enabled)
            other = _counted(theirs.dependencies, names[label], cell, theirs.enabled)
            for name, build in sorted(mine.keys() | other.keys()):
                given, wanted = mine.get((name, build)), other.get((name, build))
                known = versions.get(name)
                if known is None:
                    known = versions[name] = _known(name, named)
                extra = given is None and name in by_extra
                to_run = build and ((name, False) in mine or (name, False) in other)
                yield Pair(label, cell, name, build, given, wanted, extra, to_run, known)


def tongues(
    project: Project, ours: Recipe, theirs: Existing, names: Mapping[str, str]
) -> Iterator[Tongues]:
    """The languages of two recipes, over the versions as each of them names them."""
    shown = {label_of(one.version, one.source.label): one.compiled for one in project.releases}
    for label, name in names.items():
        mine = _languages(ours.dependencies, label, theirs.enabled)
        other = _languages(theirs.dependencies, name, theirs.enabled)
        yield Tongues(label, tuple(sorted(mine)), tuple(sorted(other)), shown[label])


def languages(some: Iterable[Tongues]) -> Score:
    """Count the languages that both ask for."""
    total = Score()
    for one in some:
        common = len(set(one.ours) & set(one.theirs))
        total += Score(len(one.ours), len(one.theirs), common, common)
    return total


def compiled(
    project: Project,
    dependencies: Collection[Dependency],
    labels: Collection[str],
    enabled: Collection[str] = (),
) -> Score:
    """Whether a recipe asks for a compiler where the wheels of a version show that it is used."""
    total = Score()
    for release in project.releases:
        label = label_of(release.version, release.source.label, labels)
        if label in labels and label is not None and release.compiled is not None:
            asks = bool(_languages(dependencies, label, enabled))
            both = asks and release.compiled
            total += Score(asks, release.compiled, both, both)
    return total


def _languages(
    dependencies: Collection[Dependency], label: str, enabled: Collection[str]
) -> Set[str]:
    some = [one for one in dependencies if one.is_language]
    return set(asked(some, label, cells(("3.12",))[0], enabled))


def _counted(
    dependencies: Collection[Dependency], label: str, cell: Cell, enabled: Collection[str]
) -> Dict[Tuple[str, bool], Asked]:
    """What is asked for, by its name and whether it is needed to build only."""
    wanted = [
        one
        for one in dependencies
        if one.name not in _LEFT_OUT and ("link" not in one.types or one.name.startswith("py-"))
    ]
    to_run = asked(wanted, label, cell, enabled, ["run"])
    to_build = asked(wanted, label, cell, enabled, ["build"])
    found = {(name, False): one for name, one in to_run.items()}
    found.update({(name, True): one for name, one in to_build.items() if name not in to_run})
    return found


def _runs(
    dependencies: Collection[Dependency], label: str, cell: Cell, enabled: Collection[str]
) -> bool:
    given = asked(dependencies, label, cell, enabled).get("python", Asked())
    return given.selects(cell.python)


def _by_extra(release: Release, named: Named) -> Set[str]:
    """The recipes of what a release requires with an extra only."""
    names: Dict[bool, Set[str]] = {True: set(), False: set()}
    for one in release.requires:
        name = recipe_name(canonicalize_name(one.name), named)
        names["extra" in str(one.marker)].add(name)
    return names[True] - names[False]


def _known(name: str, named: Named) -> Tuple[str, ...]:
    known = named(name[len("py-") :] if name.startswith("py-") else name)
    return known.versions if known else ()


def _range_kind(ours: Asked, theirs: Asked, labels: Iterable[str]) -> Optional[Kind]:
    chosen = {(ours.selects(label), theirs.selects(label)) for label in labels}
    more, fewer = (False, True) in chosen, (True, False) in chosen
    if more and fewer:
        return Kind.OTHER
    return Kind.LOOSER if more else Kind.STRICTER if fewer else None


def _shown(one: Optional[Asked]) -> str:
    if one is None:
        return "none"
    return " and ".join(f"@{text}" for text in sorted(one.versions)) or "any"
