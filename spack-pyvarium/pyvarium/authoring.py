# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The ``recipe`` commands in a Spack: its repos, its cache, its way to the network.

What is planned is in ``recipes``; here it meets the configured repos and the index, and is
written.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from . import (
    build_hooks,
    checking,
    gathering,
    recipes,
    scoring,
    spack_api,
    spack_recipes,
    spack_repos,
)
from .cache import Cache
from .checking import Finding
from .errors import PyvariumError, RecipeError
from .fetching import Fetcher, index_of
from .files import write_atomically
from .gathering import ReleasesError
from .index import SDIST_SUFFIXES
from .project import without_password
from .recipe import Known
from .recipes import Options, Plan, Repo, Sources
from .releases import File, Project, Release
from .scoring import Comparison, Scored
from .sources import read_project
from .versions import label_of

_ISSUE = re.compile(r"[0-9]+\. ")
_UNSATISFIED = "cannot be satisfied by known versions"

Report = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What the user asks for, beside names: from where, to where, and how far.

    ``hooks`` is whether code of the projects may run, to tell what their builds require.
    """

    repo: Optional[str] = None
    versions: str = "minor"
    closure: str = recipes.MISSING
    offline: bool = False
    hooks: bool = False


def plan_creation(
    words: Sequence[str], files: Sequence[str], extras: Sequence[str], wish: Wish, report: Report
) -> Tuple[Repo, Plan]:
    """Plan recipes for what is asked for by words and in files; raises PyvariumError."""
    requests: List[Requirement] = []
    local: Dict[str, Project] = {}
    for word in words:
        if word.endswith(SDIST_SUFFIXES):
            project = gathering.read_project(Path(word))
            local[project.name] = project
            requests.append(Requirement(project.name))
        elif word.endswith((".toml", ".txt")):
            requests += _requirements_in(Path(word), report)
        else:
            requests.append(_requirement(word))
    requests += [one for file in files for one in _requirements_in(Path(file), report)]
    for one in requests:
        one.extras |= set(extras)
    repo = _repo(wish)
    with spack_repos.in_use(repo):
        options = Options(wish.versions, wish.closure)
        plan = recipes.plan_creation(requests, repo, _sources(wish, report, local), options)
    return repo, plan


def plan_update(names: Sequence[str], wish: Wish, report: Report) -> Tuple[Repo, Plan]:
    """Plan anew what recipes of ours say; raises PyvariumError."""
    repo = _repo(wish)
    with spack_repos.in_use(repo):
        options = Options(wish.versions, wish.closure)
        plan = recipes.plan_update(names, repo, _sources(wish, report), options)
    return repo, plan


def check(
    names: Sequence[str], offline: bool, report: Report
) -> Tuple[Mapping[str, Sequence[Finding]], Tuple[str, ...]]:
    """Compare recipes with what upstream says: findings by recipe, and what cannot be compared.

    ``names`` are recipes or projects. Raises PyvariumError.
    """
    sources = _sources(Wish(offline=offline), report)
    checked: Dict[str, Sequence[Finding]] = {}
    notes: List[str] = []
    for name in names:
        known = sources.recipe(name) or sources.named(canonicalize_name(name))
        if known is None:
            raise PyvariumError(f"{name}: there is no recipe for it; create one")
        existing = sources.existing(known.name)
        if existing.pypi is None and sources.named(existing.project) != known:
            raise PyvariumError(
                f"recipe {known.name}: is of no project on the index; name another"
            )
        fetched = sources.fetch(
            existing.project, None, SpecifierSet(), frozenset(existing.versions)
        )
        labels = {
            label_of(one.version, one.source.label, existing.versions) for one in fetched.releases
        }
        left = [label for label in existing.versions if label not in labels]
        if left:
            notes.append(f"{known.name}: the index has no sdist of {', '.join(left)}")
        notes += [f"{known.name}: {problem}" for problem in fetched.problems]
        of_extra = recipes.extra_requirements(sources)
        checked[known.name] = checking.check(existing, fetched, sources.named, of_extra)
    return checked, tuple(notes)


def score(names: Sequence[str], every: int, offset: int, offline: bool, report: Report) -> Scored:
    """Compare recipes, named or drawn by a rule, with what would be made of their versions.

    Raises PyvariumError.
    """
    sources = _sources(Wish(offline=offline), lambda _: None)
    of_extra = recipes.extra_requirements(sources)
    drawn = tuple(names) or scoring.sample(spack_recipes.names().values(), every, offset)
    compared: List[Comparison] = []
    notes: List[str] = []
    for at, name in enumerate(drawn, start=1):
        report(f"{name} ({at} of {len(drawn)})")
        theirs = sources.existing(name)
        try:
            fetched = sources.fetch(
                theirs.project, None, SpecifierSet(), frozenset(theirs.versions)
            )
            compared.append(scoring.compare(theirs, fetched, sources.named, of_extra))
        except (ReleasesError, RecipeError) as error:
            notes.append(f"{name}: {error}")
    python = spack_recipes.known("python")
    minors = {".".join(label.split(".")[:2]) for label in python.versions}
    return Scored(
        drawn, tuple(compared), tuple(notes), tuple(f"{one}.0" for one in sorted(minors))
    )


def write(repo: Repo, plan: Plan) -> None:
    """Write recipes, into a repo that is made if need be; raises PyvariumError."""
    if plan:
        spack_repos.make(repo)
    for one in plan.recipes:
        one.change.write()


def fill_mirror(plan: Plan, directory: Path, offline: bool, report: Report) -> None:
    """Put the sdists of recipes into a source mirror of Spack's, by their digest.

    What is there is not fetched again. Raises PyvariumError.
    """
    source = fetcher(offline)
    files = {one.sha256: one for planned in plan.recipes for one in planned.sources}
    for sha256, file in sorted(files.items()):
        path = mirror_path(directory, file)
        if path.exists():
            continue
        with source.download(file.url, gathering.LARGEST_SDIST) as stream:
            data = stream.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise PyvariumError(
                f"{file.url}: has another sha256 than the index says; report it to the index"
            )
        write_atomically(path, data, expected=None, shared=True)
        report(f"{file.name}: put into {directory}")


def mirror_path(directory: Path, file: File) -> Path:
    """Where a mirror has a file: ``spack.mirrors.layout.DefaultLayout``."""
    suffix = next(one for one in SDIST_SUFFIXES if file.name.endswith(one))
    digest = str(file.sha256)
    return directory / "_source-cache" / "archive" / digest[:2] / f"{digest}{suffix}"


def audit(repo: Repo, plan: Plan, report: Report) -> bool:
    """Have Spack audit what was written, and report what it finds; whether there is nothing.

    A dependency of which no repo has the version is a problem of the plan already.
    """
    names = [one.recipe.name for one in plan.recipes if one.change]
    if not names:
        return True
    code, said = spack_repos.run(repo, "audit", "packages", *names)
    lines = said.splitlines()
    issues = [line for line in lines if _ISSUE.match(line)]
    if code == 0 or (issues and all(_UNSATISFIED in line for line in issues)):
        return True
    for line in lines:
        report(f"spack audit: {line}")
    return False


def concretize(repo: Repo, plan: Plan) -> Tuple[int, str]:
    """What ``spack spec`` makes of the recipes that were asked for: its exit code and output."""
    names = [one.recipe.name for one in plan.recipes if one.reason == recipes.ASKED_FOR]
    return spack_repos.run(repo, "spec", "-I", *names)


def fetcher(offline: bool) -> Fetcher:
    """What asks the index that the user has named, through Spack and its cache."""
    return Fetcher(
        Cache(spack_repos.cache_directory()),
        index_of(os.environ),
        offline=offline,
        open_url=spack_repos.open_url,
    )


def _repo(wish: Wish) -> Repo:
    return spack_repos.default() if wish.repo is None else spack_repos.find(wish.repo)


def _sources(wish: Wish, report: Report, local: Optional[Mapping[str, Project]] = None) -> Sources:
    source = fetcher(wish.offline)
    names: Dict[str, str] = {}

    @cache
    def named(project: str) -> Optional[Known]:
        name = spack_recipes.name_of(project)
        if name is None:
            if not names:
                names.update(spack_recipes.names())
            name = names.get(project)
        return spack_recipes.known(name) if name else None

    def fetch(
        project: str, versions: Optional[str], specifier: SpecifierSet, keep: FrozenSet[str]
    ) -> Project:
        if local and project in local:
            return local[project]

        def progress(done: int, count: int, _: str) -> None:
            if done == count or done % 10 == 0:
                report(f"{project}: {done} of {count} releases read")

        return gathering.fetch_project(
            project, versions, source, specifier=specifier, keep=keep, progress=progress
        )

    @cache  # Also of what failed: a recipe may be described again.
    def amended(project: str, release: Release) -> Release:
        return build_hooks.amend(project, release, source, os.environ, report=report)

    def amend(project: Project) -> Project:
        releases = tuple(amended(project.name, one) for one in project.releases)
        return replace(project, releases=releases)

    def recall(project: Project) -> Project:
        releases = (build_hooks.recall(one, source.cache) for one in project.releases)
        return replace(project, releases=tuple(releases))

    return Sources(
        named,
        cache(spack_recipes.known_by_name),
        spack_recipes.existing,
        fetch,
        amend=amend if wish.hooks else None,
        recall=recall,
    )


def _requirement(word: str) -> Requirement:
    try:
        return Requirement(word)
    except InvalidRequirement:
        raise PyvariumError(
            f"{without_password(word)}: is not a requirement; write it as 'httpx[http2]>=0.27', or"
            " name a file of them"
        ) from None


def _requirements_in(path: Path, report: Report) -> Iterator[Requirement]:
    project = read_project(path, spack_api.load_yaml)
    for skipped in project.skipped:
        report(f"Warning: {skipped}")
    for one in project.requirements:
        yield Requirement(one) if isinstance(one, str) else one
