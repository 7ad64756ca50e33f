# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Recipes for projects on the package index: planned as a whole, then written.

A request leads to a new recipe, to one that extends the recipe there is, or to nothing; and what
a new one depends on is followed as far as no repo has it. The network and Spack are parameters.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import (
    Callable,
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

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .errors import FileError, RecipeError
from .files import FileChange, read_optional
from .gathering import ReleasesError
from .recipe import Dependency, Existing, ExtraRequirements, Known, Recipe, directory_name
from .recipe_text import read_generated, render, with_generated
from .releases import File, Project
from .selection import MINOR
from .translation import describe
from .versions import label_of, selects

_EXTRA = re.compile(r"""\bextra == ["']([^"']+)["']""")

ASKED_FOR = "asked for"
#: How far ``recipe create`` follows what a recipe depends on.
NONE, MISSING, OUTDATED = CLOSURES = ("none", "missing", "outdated")


@dataclass(frozen=True)
class Repo:
    """A package repo that recipes are written to; it may have to be made first.

    ``root`` is the directory that Spack is told of, ``packages`` where its recipes are.
    """

    root: Path
    namespace: str
    packages: Path
    configured: bool

    def file(self, name: str) -> Path:
        """The ``package.py`` of a recipe."""
        return self.packages / directory_name(name) / "package.py"


@dataclass(frozen=True)
class Sources:
    """Where recipes and releases are found.

    ``named`` finds the recipe of a project, ``recipe`` one by its own name, and ``existing`` reads
    all of one. ``fetch`` asks the index for the releases of a project that a policy selects within
    a specifier, and for those of some versions beside them. ``amend`` adds what the index does not
    tell to those of which a recipe is made, ``recall`` that of it which was added before.
    """

    named: Callable[[str], Optional[Known]]
    recipe: Callable[[str], Optional[Known]]
    existing: Callable[[str], Existing]
    fetch: Callable[[str, Optional[str], SpecifierSet, FrozenSet[str]], Project]
    amend: Optional[Callable[[Project], Project]] = None
    recall: Callable[[Project], Project] = lambda project: project


@dataclass(frozen=True)
class Options:
    """What ``recipe create`` may be told: which versions, and how far to follow dependencies."""

    versions: str = MINOR
    closure: str = MISSING


@dataclass(frozen=True)
class Planned:
    """A recipe and the file that it goes into.

    ``reason`` says what asked for it, ``sources`` are the sdists of its versions.
    """

    recipe: Recipe
    change: FileChange
    reason: str
    sources: Tuple[File, ...] = ()

    @property
    def action(self) -> str:
        """``created``, ``updated`` or ``kept``."""
        if not self.change:
            return "kept"
        return "created" if self.change.before is None else "updated"

    def unified_diff(self) -> str:
        before = (self.change.before or b"").decode("utf-8", "replace")
        after = (self.change.after or b"").decode()
        name = str(self.change.path)
        lines = difflib.unified_diff(
            before.splitlines(True), after.splitlines(True), f"{name} (now)", f"{name} (then)"
        )
        return "".join(lines)


@dataclass(frozen=True)
class Plan:
    """The recipes to be written, the requests that need none, and what is to be looked at.

    ``refused`` are the requests that nothing is written for: a file is in the way.
    """

    recipes: Tuple[Planned, ...]
    enough: Tuple[str, ...] = ()
    problems: Tuple[str, ...] = ()
    refused: Tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(one.change for one in self.recipes)


@dataclass(frozen=True)
class _Wanted:
    """A project that is to get a recipe: why, with which extras, and in which versions."""

    reason: str
    extras: FrozenSet[str] = frozenset()
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    keep: FrozenSet[str] = frozenset()
    base: Optional[str] = None
    text: Optional[str] = None
    hooks: bool = False


def plan_creation(
    requests: Sequence[Requirement], repo: Repo, sources: Sources, options: Options
) -> Plan:
    """Plan recipes for requests and for what they depend on; raises PyvariumError.

    A recipe that is not ours to change stops no other.
    """
    work = _Work(repo, sources, options)
    refused: List[str] = []
    for request in requests:
        if request.url is not None:
            raise RecipeError(
                f"{request.name}: is asked for by an address; ask for a version on the index"
            )
        try:
            work.want(canonicalize_name(request.name), request.specifier, request.extras)
        except RecipeError as error:
            if len(requests) == 1:
                raise
            refused.append(str(error))
    return replace(work.plan(), refused=tuple(refused))


def plan_update(names: Sequence[str], repo: Repo, sources: Sources, options: Options) -> Plan:
    """Plan anew what recipes of ours in a repo say; raises PyvariumError.

    ``names`` are recipes or projects. Versions that a recipe has are kept.
    """
    work = _Work(repo, sources, options)
    for name in names:
        work.want_again(name)
    return work.plan()


class _Work:
    """Recipes that are described until none of them asks for another one or another variant."""

    def __init__(self, repo: Repo, sources: Sources, options: Options) -> None:
        self.repo = repo
        self.sources = sources
        self.options = options
        self.wanted: Dict[str, _Wanted] = {}
        self.enough: Dict[str, str] = {}
        self.projects: Dict[str, Project] = {}
        self.recipes: Dict[str, Recipe] = {}
        self.failed: Dict[str, str] = {}
        self.complete = False
        self.requirements_of = extra_requirements(replace(sources, fetch=self._fetch))

    def want(self, project: str, specifier: SpecifierSet, extras: Set[str]) -> None:
        """Take up a request of the user."""
        before = self.wanted.get(project)
        asked = frozenset(canonicalize_name(one) for one in extras)
        known = self.sources.named(project)
        name = known.name if known else f"py-{project}"
        path = self.repo.file(name)
        if before is not None:
            self.wanted[project] = replace(
                before,
                extras=before.extras | asked,
                specifier=before.specifier & specifier,
            )
        elif read_optional(path) is not None:
            self._want_file(name, path, asked, specifier)
        elif known is None:
            self.wanted[project] = _Wanted(ASKED_FOR, asked, specifier)
        else:
            self.wanted[project] = _Wanted(ASKED_FOR, asked, specifier, base=known.name)

    def want_again(self, name: str) -> None:
        """Take up a recipe that is ours already, by its name or by its project."""
        known = self.sources.named(canonicalize_name(name))
        candidates = [name, known.name] if known else [name, f"py-{canonicalize_name(name)}"]
        for candidate in candidates:
            path = self.repo.file(candidate)
            if read_optional(path) is not None:
                self._want_file(candidate, path, frozenset(), SpecifierSet())
                return
        raise RecipeError(
            f"recipe {name}: is not in repo {self.repo.namespace} ({self.repo.packages}); name one"
            " that is, or create it"
        )

    def _want_file(
        self, name: str, path: Path, extras: FrozenSet[str], specifier: SpecifierSet
    ) -> None:
        text = _read(path)
        said = read_generated(text, name, str(path))
        self.wanted[said.project] = _Wanted(
            ASKED_FOR,
            extras | said.extras,
            specifier,
            keep=said.labels,
            base=f"{said.repo}.{said.name}" if said.repo else None,
            text=text,
            hooks=said.hooks,
        )

    def plan(self) -> Plan:
        pending = list(self.wanted)
        while pending:
            for project in pending:
                self._try(project)
            pending = self._follow()
        self.complete = True
        for project in list(self.recipes):
            self._describe(project)
        planned = [self._planned(one) for one in sorted(self.recipes)]
        problems = [*self.failed.values()]
        problems += [problem for one in planned for problem in one.recipe.problems]
        problems += list(self._unsatisfiable())
        return Plan(
            tuple(planned),
            tuple(f"{name}: {reason}" for name, reason in sorted(self.enough.items())),
            tuple(dict.fromkeys(problems)),
        )

    def named(self, project: str) -> Optional[Known]:
        """What there is or will be for a project.

        Before all is complete, what will be counts as missing, so that more extras can be asked of
        it.
        """
        known = self.sources.named(project)
        recipe = self.recipes.get(project)
        if recipe is None or not self.complete:
            return known
        variants = frozenset(one.name for one in recipe.variants)
        labels = tuple(one.label for one in recipe.versions)
        if known is None or recipe.repo is None:
            return Known(recipe.name, variants, labels)
        return Known(known.name, known.variants | variants, labels + known.versions)

    def _fetch(
        self, project: str, versions: Optional[str], specifier: SpecifierSet, keep: FrozenSet[str]
    ) -> Project:
        key = f"{project} {versions} {specifier} {sorted(keep)}"
        if key not in self.projects:
            self.projects[key] = self.sources.fetch(project, versions, specifier, keep)
        return self.projects[key]

    def _fetched(self, project: str) -> Project:
        """What is asked for, and what is kept; by default nothing that is older than that."""
        wanted = self.wanted[project]
        specifier = wanted.specifier
        kept = max(_versions(wanted.keep), default=None)
        if kept and self.options.versions == MINOR and _selects(specifier, wanted.keep):
            specifier = specifier & SpecifierSet(f">{kept.public}")
        return self._fetch(project, self.options.versions, specifier, wanted.keep)

    def _try(self, project: str) -> None:
        """Describe a recipe; one that was not asked for may fail, and leaves the others as is."""
        try:
            self._describe(project)
        except (RecipeError, ReleasesError) as error:
            reason = self.wanted[project].reason
            if reason == ASKED_FOR:
                raise
            self.failed[project] = f"{error} ({reason})"

    def _describe(self, project: str) -> None:
        wanted = self.wanted[project]
        fetched = self._fetched(project)
        existing = self.sources.existing(wanted.base) if wanted.base else None
        if existing is not None and _selects(wanted.specifier, existing.versions):
            fetched = _newer(fetched, existing, wanted.keep)
        if existing is not None and not _has_more(fetched, existing):
            newest = existing.versions[0] if existing.versions else "no version"
            self.enough[project] = f"{existing.repo} has {existing.name} up to {newest}"
            return
        if self.sources.amend is not None:
            fetched = self.sources.amend(fetched)
        elif wanted.hooks:
            fetched = self.sources.recall(fetched)
        recipe = describe(fetched, wanted.extras, self.named, self.requirements_of, existing)
        hooks = wanted.hooks or self.sources.amend is not None
        self.recipes[project] = replace(recipe, hooks=hooks)

    def _follow(self) -> List[str]:
        """Want what the recipes depend on, and return what is to be described (again)."""
        changed: Dict[str, None] = {}
        for recipe in list(self.recipes.values()):
            for one in recipe.missing if self.options.closure != NONE else ():
                extras = frozenset(one.extras)
                before = self.wanted.get(one.project)
                if before is None:
                    self.wanted[one.project] = _Wanted(f"needed by {recipe.name}", extras)
                elif extras <= before.extras:
                    continue
                else:
                    self.wanted[one.project] = replace(before, extras=before.extras | extras)
                changed[one.project] = None
        if self.options.closure == OUTDATED:
            for recipe, dependency, _ in self._lacking():
                project = self._project(dependency.name)
                if project is not None and project not in self.wanted:
                    reason = f"needed by {recipe.name} as {dependency.spec}"
                    self.wanted[project] = _Wanted(reason, base=dependency.name)
                    changed[project] = None
        return list(changed)

    def _lacking(self) -> Iterator[Tuple[Recipe, Dependency, Known]]:
        """What the recipes ask of others, and no version of them is."""
        made = {one.name: project for project, one in self.recipes.items()}
        for recipe in self.recipes.values():
            for one in recipe.dependencies:
                project = made.get(one.name)
                known = self.named(project) if project else self.sources.recipe(one.name)
                if known is None or not known.versions or not one.versions:
                    continue
                if not any(selects(one.versions, label) for label in known.versions):
                    yield recipe, one, known

    def _project(self, name: str) -> Optional[str]:
        """The project whose recipe could be extended; None for python, and for what is made."""
        if any(one.name == name for one in self.recipes.values()):
            return None
        project = self.sources.existing(name).project
        known = self.sources.named(project)
        return project if known is not None and known.name == name else None

    def _unsatisfiable(self) -> Iterator[str]:
        for recipe, one, known in self._lacking():
            when = f" when {one.when}" if one.when else ""
            adds = self.options.closure != OUTDATED and self._project(one.name) is not None
            remedy = "; --closure outdated adds one" if adds else ""
            yield (
                f"{recipe.name}: depends on {one.spec}{when}, but no {one.name} is, of which"
                f" the newest is {known.versions[0]}{remedy}"
            )

    def _planned(self, project: str) -> Planned:
        recipe = self.recipes[project]
        wanted = self.wanted[project]
        path = self.repo.file(recipe.name)
        before = wanted.text
        after = render(recipe) if before is None else with_generated(before, recipe)
        old = None if before is None else before.encode()
        change = FileChange(path, old, after.encode(), shared=True)
        digests = {one.sha256 for one in recipe.versions}
        files = (one.source for one in self._fetched(project).releases)
        kept = tuple(one for one in files if one.sha256 in digests)
        return Planned(recipe, change, wanted.reason, kept)


def extra_requirements(sources: Sources) -> ExtraRequirements:
    """How to find what an extra of the newest release of a project requires."""

    def requirements_of(project: str, extra: str) -> Tuple[Requirement, ...]:
        release = sources.fetch(project, "1", SpecifierSet(), frozenset()).releases[0]
        return tuple(one for one in release.requires if _is_of_extra(one, extra))

    return requirements_of


def _is_of_extra(requirement: Requirement, extra: str) -> bool:
    """Whether a requirement is there for an extra; the rest of its marker is left to others."""
    return extra in [canonicalize_name(one) for one in _EXTRA.findall(str(requirement.marker))]


def _newer(project: Project, existing: Existing, keep: FrozenSet[str]) -> Project:
    """The releases that are newer than all that a recipe has, and those to keep."""
    newest = max(_versions(existing.versions), default=None)
    return replace(
        project,
        releases=tuple(
            one
            for one in project.releases
            if newest is None
            or one.version > newest
            or label_of(one.version, one.source.label) in keep
        ),
    )


def _selects(specifier: SpecifierSet, labels: Iterable[str]) -> bool:
    """Whether a recipe has a version that is asked for; older ones are then not missed."""
    return not str(specifier) or any(specifier.contains(one, True) for one in _versions(labels))


def _versions(labels: Iterable[str]) -> Iterator[Version]:
    for label in labels:
        with contextlib.suppress(InvalidVersion):  # A branch.
            yield Version(label)


def _has_more(project: Project, existing: Existing) -> bool:
    labels = {label_of(one.version, one.source.label) for one in project.releases}
    return bool(labels - set(existing.versions) - {None})


def _read(path: Path) -> str:
    try:
        return (read_optional(path) or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: is not UTF-8 at byte {error.start}; mend it") from None
