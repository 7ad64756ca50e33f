# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Create an environment: its ``spack.yaml`` and its ``pyproject.toml``, then what they ask for.

What another tool's file asks for is divided among the two. A half that is there stays, and is
asked what it needs of the other. Nothing is written before all that was said is understood.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Optional, Sequence, Tuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from . import choice, files, locks, lower, pyproject, sources, spack_api, spack_recipes
from .choice import Choice
from .errors import FileError, PyvariumError
from .files import FileChange
from .lifecycle import (
    Session,
    as_virtual,
    command_for,
    default_backend,
    find_tool,
    install,
    inventory_of,
    read_text,
    refuse,
    with_requires_python,
)
from .lower import Lower
from .markers import environment_of as markers_of
from .model import Backend, Environment, Inventory, Skipped
from .project import Project
from .toml_text import parse, value_at, with_strings, without
from .versions import constraint

MANIFEST = """\
# What Spack installs in this environment; 'spack pyvarium add' chooses what belongs here.
spack:
{lower}  specs:{specs}
  view: true
  concretizer:
    unify: true
"""
EXTERNAL_PYTHON = """\
  packages:
    python:
      buildable: false
"""
EXTERNAL = "external"

#: A spec that YAML reads as it stands; the others are quoted, as what ends with a colon.
_PLAIN = re.compile(r"[A-Za-z][\w.+~=/%^,:@-]*(?<!:)")
#: A spec of python that leaves no choice of the ``X.Y``.
_ONE_PYTHON = re.compile(r"python@=?(\d+\.\d+)(?:\.\d+)*(?:[^\d.:,].*)?")


@dataclass(frozen=True)
class Wish:
    """What a new environment is to be made of.

    A ``project`` is what a source asks for that is read already. With ``lenient`` the index serves
    what no recipe has in the version that is asked for.
    """

    path: Path
    backend: Optional[Backend] = None
    python: Optional[str] = None
    source: Optional[Path] = None
    project: Optional[Project] = None
    lenient: bool = False
    on: Optional[str] = None
    force: bool = False

    @property
    def manifest(self) -> Path:
        return self.path / "spack.yaml"

    @property
    def pyproject(self) -> Path:
        return self.path / "pyproject.toml"

    def keeps(self, path: Path) -> bool:
        """Whether a file of the environment is there and stays."""
        return path.exists() and not self.force


@dataclass(frozen=True)
class Created:
    """A new environment, and where each request of its source is served from.

    ``continuation`` is the command that installs it, where that was left out.
    """

    path: Path
    backend: Backend
    choices: Tuple[Choice, ...]
    skipped: Tuple[Skipped, ...]
    continuation: Optional[str] = None


def create(
    wish: Wish,
    session: Session,
    *,
    skip_install: bool,
    announce: Callable[[Created], object] = lambda _: None,
) -> Created:
    """Create an environment with both halves; raises PyvariumError.

    Where a half is there already it gets the other: a project is then asked for what it needs, as
    any source. Nothing is written before all that was said is understood. What is chosen is
    announced when the files are there, before anything is installed.
    """
    wish = _with_own_source(_checked(wish))
    below = lower.find(wish.on) if wish.on is not None else None
    project = wish.project or Project()
    if wish.source is not None:
        project = sources.read_project(wish.source, spack_api.load_yaml, os.environ)
    if wish.keeps(wish.manifest):
        inventory = inventory_of(Environment(wish.path, wish.path.name, None))
    elif below is not None:
        inventory, python = below.inventory, None
    else:
        python = _python_spec(wish, project)
        version = _ONE_PYTHON.fullmatch(python)
        inventory = Inventory((), (), version[1] if version else None)
    asked = [*project.requirements, *(one for group in project.groups.values() for one in group)]
    markers = markers_of(inventory.python)
    chosen = choice.choose(
        asked,
        spack_recipes.recipes(),
        inventory.provided,
        None,
        markers,
        lenient=wish.lenient,
        native=project.native,
    )
    refuse(chosen)
    backend = wish.backend or default_backend(wish.path, project.pyproject)
    if not skip_install:
        find_tool(backend)

    specs = [*project.specs, *(one.spec for one in chosen if one.spec)]
    specs = [spec for spec in dict.fromkeys(specs) if spack_api.name_of(spec) != "python"]
    if wish.keeps(wish.manifest):
        there = {spack_api.name_of(root) for root in spack_api.roots(wish.path)}
        specs = [spec for spec in specs if spack_api.name_of(spec) not in there]
    text = _project_text(wish, project, chosen, backend)
    try:
        wish.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"{wish.path}: cannot be made ({error.strerror}); choose another directory"
        ) from None
    if wish.force:
        _keep(wish, session)
    _write(wish.pyproject, text)
    if not wish.keeps(wish.manifest):
        asked_for = [*([python] if python else []), *specs]
        _write(wish.manifest, render_manifest(asked_for, wish.python == EXTERNAL, below))
    elif specs:
        spack_api.change_manifest(wish.path, add=specs)
        session.report(f"{wish.manifest}: {', '.join(specs)} added")
    if wish.force:
        _set_aside(wish, backend, session)
    created = Created(wish.path, backend, chosen, project.skipped)
    announce(created)
    if skip_install:
        return replace(created, continuation=command_for(wish.path, "install"))
    install(wish.path, session)
    return created


def _checked(wish: Wish) -> Wish:
    """Refuse what would be lost or contradicts itself; one half may be there."""
    manifest, project = wish.keeps(wish.manifest), wish.keeps(wish.pyproject)
    if manifest and project:
        raise PyvariumError(
            f"{wish.path}: is an environment already; run"
            f" '{command_for(wish.path, 'install')}', or add --force to make it anew"
        )
    if manifest and wish.python is not None:
        raise PyvariumError(
            f"{wish.manifest}: is there already and chooses its python; leave out --python, or"
            " add --force to make it anew"
        )
    if wish.on is not None and (manifest or wish.python is not None):
        raise PyvariumError(
            f"{wish.manifest}: is there already; leave out --on, or add --force to make it anew"
            if manifest
            else f"--on {wish.on}: brings its python; leave out --python"
        )
    if project and wish.source is not None and not _is_same(wish.source, wish.pyproject):
        raise PyvariumError(
            f"{wish.pyproject}: is there already; leave out --from, or add --force to start from"
            f" {wish.source}"
        )
    return wish


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _with_own_source(wish: Wish) -> Wish:
    """A project that gets a manifest is asked what it needs of Spack."""
    if wish.source is None and wish.keeps(wish.pyproject):
        return replace(wish, source=wish.pyproject)
    return wish


def _python_spec(wish: Wish, project: Project) -> str:
    """The python that the environment is for: the user's choice, else one that the source fits."""
    given = [spec for spec in project.specs if spack_api.name_of(spec) == "python"]
    if wish.python is not None and wish.python != EXTERNAL:
        text = wish.python if not wish.python[:1].isdigit() else f"@{wish.python}"
        spec = text if text.startswith("python") else f"python{text}"
        try:
            suits = spack_api.name_of(spec) == "python"
        except PyvariumError:
            suits = False
        if not suits:
            raise PyvariumError(
                f"--python {wish.python}: is no python; give a version such as 3.12, a spec such"
                f" as python@3.12+optimizations, or '{EXTERNAL}'"
            )
        return spec
    if wish.python == EXTERNAL and not spack_api.external_pythons():
        raise PyvariumError(
            f"--python {EXTERNAL}: Spack's configuration names no external python; run"
            " 'spack external find python', or leave the choice to Spack"
        )
    spec = next(iter(given), "python")
    try:
        bounds = SpecifierSet(project.requires_python or "")
    except InvalidSpecifier:
        return spec
    if spec != "python" or not bounds:
        return spec
    recipe = spack_recipes.recipe_named("python")
    found = constraint(bounds, recipe.versions if recipe else ())
    if not found:
        raise PyvariumError(
            f"{wish.source}: asks for python {bounds}, which Spack does not have; widen it, or"
            " choose one by --python"
        )
    return f"python@{found.text}" if found.text else "python"


def render_manifest(
    specs: Sequence[str], external_python: bool, below: Optional[Lower] = None
) -> str:
    """A new manifest of these specs, on top of what is below."""
    lines = "".join(f"\n  - {_quoted(spec)}" for spec in specs) or " []"
    text = MANIFEST.format(specs=lines, lower=below.render() if below else "")
    return text + (EXTERNAL_PYTHON if external_python else "")


def _quoted(spec: str) -> str:
    return spec if _PLAIN.fullmatch(spec) else json.dumps(spec, ensure_ascii=False)


def _project_text(wish: Wish, project: Project, chosen: Sequence[Choice], backend: Backend) -> str:
    """The ``pyproject.toml`` that is there or that the source is, or a new one."""
    subject = str(wish.pyproject)
    # Poetry's own table from before 2.0 says nothing to any other backend.
    usable = project.pyproject is not None and (
        backend is Backend.POETRY
        or value_at(parse(project.pyproject, subject), ("project",)) is not None
    )
    if wish.keeps(wish.pyproject):
        text = read_text(wish.pyproject)
        if not usable:
            raise PyvariumError(
                f"{subject}: has no [project] table, which {backend.value} needs; add one with"
                " name and version, or choose --backend poetry"
            )
        if value_at(parse(text, subject), ("build-system",)) is None:
            text = as_virtual(text, backend, subject)
    elif project.pyproject is not None and usable:
        text = project.pyproject
        if wish.source is None or not _is_same(wish.source, wish.pyproject):
            text = as_virtual(text, backend, subject)  # Its code has stayed behind.
            for keys in (pyproject.GROUP, pyproject.LOCKFILE_DIGEST, pyproject.PINS_DIGEST):
                text = without(text, keys, subject)  # Of another environment.
    else:
        text = as_virtual(_new_project_text(wish, project, chosen), backend, subject)
    return pyproject.with_setting(text, "backend", backend.value, subject)


def _new_project_text(wish: Wish, project: Project, chosen: Sequence[Choice]) -> str:
    subject = str(wish.pyproject)
    text = pyproject.new_text(project.name or wish.path.name, None)
    if project.requires_python and wish.python is None:  # Else it is set by what Spack chooses.
        text = with_requires_python(text, project.requires_python, subject)
    wanted = {one.request for one in chosen if one.requirement is not None}
    lists = {("project", "dependencies"): project.requirements}
    lists.update((("dependency-groups", name), group) for name, group in project.groups.items())
    for keys, asked in lists.items():
        # Quotes of the other kind mean the same in a marker, and need no escapes in TOML.
        own = [str(one).replace('"', "'") for one in asked if str(one) in wanted]
        text = with_strings(text, keys, own, subject) if own else text
    return text


def _keep(wish: Wish, session: Session) -> None:
    """Copy what is made anew; it stands as it is until it is replaced in one step."""
    for path in (one for one in (wish.manifest, wish.pyproject) if one.exists()):
        kept = _free_name(path)
        if path.is_symlink():  # What it leads to is not ours to replace.
            _rename(path, kept)
        else:
            FileChange(kept, None, files.read_optional(path)).write()
            with contextlib.suppress(OSError):
                shutil.copymode(path, kept)
        session.report(f"{path}: the former one is {kept.name}")


def _set_aside(wish: Wish, backend: Backend, session: Session) -> None:
    """Move away what was made from what is made anew."""
    lock = locks.path_of(Environment(wish.path, wish.path.name, ()), backend)
    paths = [wish.path / "spack.lock", *([lock] if lock else [])]
    for path in (one for one in paths if one.exists()):
        kept = _free_name(path)
        _rename(path, kept)
        session.report(f"{path}: the former one is {kept.name}")


def _rename(path: Path, kept: Path) -> None:
    try:
        path.rename(kept)
    except OSError as error:
        raise FileError(
            f"{path}: cannot be renamed ({error.strerror}); make its directory writable"
        ) from None


def _free_name(path: Path) -> Path:
    names = (f"{path.name}.bak{number or ''}" for number in range(1000))
    return next(one for one in map(path.with_name, names) if not os.path.lexists(one))


def _write(path: Path, text: str) -> None:
    FileChange(path, files.read_optional(path), text.encode("utf-8")).write()
