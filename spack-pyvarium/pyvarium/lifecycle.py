# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The life of an environment: create it, add to it, take away, lock, install.

Spack concretizes and installs its half, a sync brings the other in step with it, and the backend
locks and installs that one; each does its own work in a process of its own.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

from packaging.utils import canonicalize_name

from . import choice, files, pyproject, sources, spack_api, tools
from .choice import Choice, Source
from .errors import PyvariumError
from .files import FileChange
from .installers import Installer, depends_on
from .lockfile import read_lockfile
from .markers import environment_of as markers_of
from .model import Backend, Environment, Inventory, Skipped
from .project import Project
from .provided import provided_distributions
from .sync import Plan, choices, plan, sync
from .toml_text import parse, value_at, with_value

Report = Callable[[str], None]

MANIFEST = """\
# What Spack installs in this environment. 'spack pyvarium add' chooses what belongs here.
spack:
  specs:{specs}
  view: true
  concretizer:
    unify: true
"""
EXTERNAL_PYTHON = """\
  packages:
    python:
      buildable: false
"""


@dataclass(frozen=True)
class Session:
    """What a command is called with: the options of Spack itself, processes for a build."""

    report: Report
    options: Sequence[str] = ()
    jobs: Optional[int] = None

    def spack(self, path: Path, *arguments: str) -> None:
        self.report(f"spack {' '.join(arguments)}")
        spack_api.run(self.options, path, *arguments)

    def spack_install(self, path: Path) -> None:
        jobs = [f"-j{self.jobs}"] if self.jobs else []
        self.spack(path, "install", *jobs)


@dataclass(frozen=True)
class Wish:
    """What a new environment is to be made of."""

    path: Path
    backend: Optional[Backend] = None
    python: Optional[str] = None
    source: Optional[Path] = None
    force: bool = False


@dataclass(frozen=True)
class Created:
    """A new environment, and where each request of its source is served from."""

    path: Path
    backend: Backend
    choices: Tuple[Choice, ...]
    skipped: Tuple[Skipped, ...]


def create(wish: Wish, session: Session, *, skip_install: bool) -> Created:
    """Create an environment with both halves; raises PyvariumError and then leaves none."""
    _check_unused(wish)
    project = Project()
    if wish.source is not None:
        project = sources.read_project(wish.source, spack_api.load_yaml)
    asked = [*project.requirements, *(one for group in project.groups.values() for one in group)]
    version = re.search(r"\d+\.\d+", wish.python or "")
    markers = markers_of(version[0] if version else None)
    chosen = choice.choose(asked, spack_api.recipes(), (), None, markers) if asked else ()
    _refuse(chosen)
    backend = wish.backend or _default_backend(wish.path)
    if not skip_install:
        _find_tool(backend)

    specs = [*project.specs, *(one.spec for one in chosen if one.spec)]
    manifest, text = _manifest(wish, specs), _project_text(wish, project, chosen, backend)
    wish.path.mkdir(parents=True, exist_ok=True)
    for name, content in (("spack.yaml", manifest), ("pyproject.toml", text)):
        path = wish.path / name
        before = files.read_optional(path)
        if before is not None and before != content.encode() and wish.force:
            path.rename(path.with_name(f"{name}.bak"))
            session.report(f"{path}: the former one is {name}.bak")
            before = None
        FileChange(path, before, content.encode()).write()
    if not skip_install:
        install(wish.path, session, new=True)
    return Created(wish.path, backend, tuple(chosen), project.skipped)


def install(path: Path, session: Session, *, new: bool = False) -> None:
    """Bring both halves from their files to a working environment.

    A ``new`` project is told which pythons it is for, now that Spack's is known.
    """
    environment = spack_api.read_environment(path)
    _installer(environment, session)  # Better missed now than after hours of building.
    session.spack_install(path)
    environment = spack_api.read_environment(path)
    if new:
        _bound_python(environment)
    _sync(environment, session)
    installer = _installer(environment, session)
    installer.lock()
    installer.install()


def lock(environment: Environment, session: Session) -> None:
    """Bring the project in step, and lock what comes from the index against it."""
    installer = _installer(environment, session)
    _sync(environment, session)
    installer.lock()


def lock_differs(environment: Environment, session: Session) -> Optional[str]:
    """Say what is not locked as it is; None if nothing. Writes nothing."""
    changes = plan(environment, spack_api.defaults())
    if changes.pyproject:
        return f"{environment.pyproject}: is not made from this spack.lock"
    if not _installer(environment, session).is_locked():
        return f"{environment.path}: the lock is not made from this pyproject.toml"
    return None


def plan_addition(
    environment: Environment, requests: Sequence[str], forced: Optional[Source]
) -> Tuple[Choice, ...]:
    """Choose for each request; raises PyvariumError where one contradicts what is provided."""
    inventory = _inventory(environment)
    markers = markers_of(inventory.python)
    recipes = spack_api.recipes()
    chosen = choice.choose(requests, recipes, inventory.provided, forced, markers)
    _refuse(chosen)
    return chosen


def add(environment: Environment, chosen: Sequence[Choice], session: Session) -> None:
    """Do what was chosen: Spack's half first, since the other is locked against it."""
    requirements = [str(one.requirement) for one in chosen if one.requirement is not None]
    installer = _installer(environment, session) if requirements else None
    specs = [one.spec for one in chosen if one.spec is not None]
    if specs:
        present = {spack_api.name_of(root) for root in spack_api.roots(environment.path)}
        new = [spec for spec in specs if spack_api.name_of(spec) not in present]
        changed = [spec for spec in specs if spack_api.name_of(spec) in present]

        def change_manifest() -> None:
            if new:
                session.spack(environment.path, "add", *new)
            for spec in changed:
                session.spack(environment.path, "change", spec)

        environment = _change(environment, session, change_manifest)
    if installer is not None:
        _sync(environment, session)
        installer.lock()  # PDM and Poetry look at the group only in a lock that knows it.
        installer.add(requirements)


@dataclass(frozen=True)
class Removal:
    """What a removal takes out of the manifest and out of the project, by name."""

    specs: Tuple[str, ...]
    projects: Tuple[str, ...]


def plan_removal(environment: Environment, names: Sequence[str]) -> Removal:
    """Find each name among the roots of the manifest or what the project depends on.

    Raises PyvariumError for what is in neither, with the reason why it is there all the same.
    """
    roots = {spack_api.name_of(root): root for root in spack_api.roots(environment.path)}
    provided = {one.name: one for one in _inventory(environment).provided}
    specs: List[str] = []
    projects: List[str] = []
    for text in names:
        name = canonicalize_name(text)
        found = provided.get(name)
        spec = found.spec.partition("@")[0] if found else text
        if spec in roots:
            specs.append(roots[spec])
        if depends_on(environment, name):
            projects.append(name)
        elif spec not in roots and found is not None:
            raise PyvariumError(
                f"{text}: {found.spec} provides it as a dependency of another spec;"
                " remove the spec that needs it"
            )
        elif spec not in roots:
            raise PyvariumError(
                f"{text}: is neither in {environment.path / 'spack.yaml'} nor among the"
                f" dependencies in {environment.pyproject}; see 'spack pyvarium status'"
            )
    return Removal(tuple(specs), tuple(projects))


def remove(environment: Environment, removal: Removal, session: Session) -> None:
    """Take out what was planned, from the project first: it may need what Spack provides."""
    if removal.projects:
        _installer(environment, session).remove(removal.projects)
    if removal.specs:

        def change_manifest() -> None:
            session.spack(environment.path, "remove", *removal.specs)

        environment = _change(environment, session, change_manifest)
        _sync(environment, session)
        installer = _installer(environment, session)
        installer.lock()
        installer.install()


def _change(
    environment: Environment, session: Session, change_manifest: Callable[[], None]
) -> Environment:
    """Change the manifest and install; where that fails, the manifest is as it was."""
    names = ("spack.yaml", "spack.lock")
    before = {name: files.read_optional(environment.path / name) for name in names}
    try:
        change_manifest()
        session.spack(environment.path, "concretize")
    except PyvariumError:
        for name, content in before.items():
            path = environment.path / name
            FileChange(path, files.read_optional(path), content).write()
        session.report(f"{environment.path}: spack.yaml and spack.lock are as they were")
        raise
    session.spack_install(environment.path)
    return spack_api.read_environment(environment.path)


def _inventory(environment: Environment) -> Inventory:
    """What is provided; nothing where nothing is concretized."""
    if not environment.lockfile.exists():
        return Inventory((), (), None)
    return provided_distributions(environment, read_lockfile(environment.lockfile))


def _installer(environment: Environment, session: Session) -> Installer:
    """The backend of a project, ready to work; pip where none is chosen."""
    subject = str(environment.pyproject)
    text = (files.read_optional(environment.pyproject) or b"").decode("utf-8")
    backend, _ = choices(environment, text, pyproject.owned(text, subject), spack_api.defaults())
    backend = backend or Backend.PIP
    return Installer(environment, backend, _find_tool(backend), session.report)


def _find_tool(backend: Backend) -> Optional[tools.Tool]:
    if backend is Backend.PIP:
        return None
    return tools.find(backend, spack_api.configured_tool(backend))


def _default_backend(path: Path) -> Backend:
    """What the directory shows, else what is configured, else uv if it is there, else pip."""
    text = (files.read_optional(path / "pyproject.toml") or b"").decode("utf-8", "replace")
    owned = pyproject.owned(text, str(path / "pyproject.toml"))
    found, _ = choices(Environment(path, path.name, ()), text, owned, spack_api.defaults())
    return found or (Backend.UV if shutil.which(Backend.UV.value) else Backend.PIP)


def _check_unused(wish: Wish) -> None:
    """One half may be there, and gets the other."""
    present = [(wish.path / name).exists() for name in ("spack.yaml", "pyproject.toml")]
    if all(present) and not wish.force:
        raise PyvariumError(
            f"{wish.path}: is an environment already; run"
            f" 'spack -D {wish.path} pyvarium install', or add --force to make it anew"
        )


def _refuse(chosen: Sequence[Choice]) -> None:
    refused = [one.reason for one in chosen if one.source is Source.REFUSED]
    if refused:
        raise PyvariumError("; and ".join(refused))


def _manifest(wish: Wish, specs: Sequence[str]) -> str:
    """The manifest that is there, or a new one."""
    present = files.read_optional(wish.path / "spack.yaml")
    if present is not None and not wish.force:
        return present.decode("utf-8")
    external = wish.python == "external"
    python = "python"
    if wish.python and not external:
        python = wish.python if wish.python.startswith("python") else f"python@{wish.python}"
    listed = [python, *(spec for spec in dict.fromkeys(specs) if spec != "python")]
    lines = "".join(f"\n  - {json.dumps(spec, ensure_ascii=False)}" for spec in listed)
    return MANIFEST.format(specs=lines) + (EXTERNAL_PYTHON if external else "")


def _project_text(wish: Wish, project: Project, chosen: Sequence[Choice], backend: Backend) -> str:
    """The ``pyproject.toml`` that is there or that the source is, or a new one."""
    path = wish.path / "pyproject.toml"
    present = files.read_optional(path)
    subject = str(path)
    if present is not None and not wish.force:
        text = present.decode("utf-8")
    elif project.pyproject is not None:
        text = project.pyproject
    else:
        text = pyproject.new_text(project.name or wish.path.name, None)
        if project.requires_python:
            text = with_value(
                text, ("project", "requires-python"), project.requires_python, subject
            )
        wanted = {one.request for one in chosen if one.requirement is not None}
        own = [str(one) for one in project.requirements if str(one) in wanted]
        if own:
            text = with_value(text, ("project", "dependencies"), own, subject)
        for name, group in project.groups.items():
            entries = [str(one) for one in group if str(one) in wanted]
            text = with_value(text, ("dependency-groups", name), entries, subject)
    if backend is Backend.POETRY and value_at(parse(text, subject), ("tool", "poetry")) is None:
        text = with_value(text, ("tool", "poetry", "package-mode"), False, subject)
    return pyproject.with_setting(text, "backend", backend.value, subject)


def _bound_python(environment: Environment) -> None:
    """Say in a project for which pythons it is, where it does not say so."""
    python = plan(environment, spack_api.defaults(), thorough=False).inventory.python
    before = files.read_optional(environment.pyproject) or b""
    text, subject = before.decode("utf-8"), str(environment.pyproject)
    project = value_at(parse(text, subject), ("project",))
    if python is not None and project is not None and "requires-python" not in project:
        bounds = pyproject.python_bounds(python)
        text = with_value(text, ("project", "requires-python"), bounds, subject)
        FileChange(environment.pyproject, before, text.encode()).write()


def _sync(environment: Environment, session: Session) -> Plan:
    """Sync, and say what that changed and what the user has to mend."""
    changes = sync(environment, spack_api.defaults())
    if changes:
        session.report(f"{environment.pyproject}: {changes}")
    for one in changes.skipped:
        if one.fault:
            session.report(f"Warning: {one}")
    return changes
