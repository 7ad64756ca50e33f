# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Write module files for environments, and remove them.

An environment is described, a template makes text of the description, and the file is where the
site keeps its module files, or where the user says. All is planned before anything is written.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import files, locks, modulefile, pins, pyproject
from .errors import FileError, PyvariumError
from .files import FileChange
from .layer import installed_distributions
from .lockfile import read_lockfile
from .model import Environment
from .modulefile import Described, Language
from .provided import provided_distributions
from .settings import Defaults
from .sync import choices
from .variables import Change

#: Makes text of a template, by its name, and values.
Render = Callable[[str, Mapping[str, object]], str]

#: As much of a file as shows whether it is ours.
_HEAD = 8192


@dataclass(frozen=True)
class Place:
    """Where a site keeps module files of one language, how it names them, and by which template.

    ``name`` is the site's own wish; ``projection`` is made for specs, and taken where it suits.
    """

    directory: Path
    template: str
    name: Optional[str] = None
    projection: Optional[str] = None


@dataclass(frozen=True)
class Site:
    """What the configuration says of module files; ``languages`` are those that it enables."""

    languages: Tuple[Language, ...]
    places: Mapping[Language, Place]


@dataclass(frozen=True)
class Wish:
    """What the user asked for; ``output`` is a directory in place of the configured roots."""

    languages: Tuple[Language, ...] = ()
    output: Optional[Path] = None
    name: Optional[str] = None
    force: bool = False


@dataclass(frozen=True)
class ModuleFile:
    """A module file, and how it changes; ``directory`` is what ``module use`` takes."""

    environment: Path
    language: Language
    name: str
    directory: Path
    change: FileChange

    @property
    def action(self) -> str:
        """What happens to it, in one word."""
        if not self.change:
            return "kept" if self.change.after is not None else "absent"
        if self.change.after is None:
            return "removed"
        return "created" if self.change.before is None else "changed"

    def unified_diff(self) -> str:
        """The change as ``diff -u`` would show it."""
        path = str(self.change.path)
        before, after = (
            (data or b"").decode("utf-8", "replace").splitlines(keepends=True)
            for data in (self.change.before, self.change.after)
        )
        source = path if self.change.before is not None else "/dev/null"
        target = path if self.change.after is not None else "/dev/null"
        return "".join(difflib.unified_diff(before, after, source, target))


def describe(
    environment: Environment, changes: Tuple[Change, ...], spack: str, defaults: Defaults
) -> Described:
    """Read what a module file tells of an environment; raises PyvariumError."""
    if not (environment.venv / "bin" / "python").exists():
        raise PyvariumError(
            f"{environment.venv}: does not exist or has no python; run 'spack pyvarium sync'"
        )
    lockfile = read_lockfile(environment.lockfile)
    inventory = provided_distributions(environment, lockfile)
    data = files.read_optional(environment.pyproject) or b""
    text, subject = data.decode("utf-8", "replace"), str(environment.pyproject)
    owned = pyproject.owned(text, subject)
    backend, mode = choices(environment, text, owned, defaults)
    found = [("spack.lock", pins.digest(lockfile.nodes))]
    lock = locks.path_of(environment, backend)
    content = files.read_optional(lock) if lock else None
    if lock is not None and content is not None:
        found.append((lock.name, f"sha256:{hashlib.sha256(content).hexdigest()}"))
    upper, _ = installed_distributions(environment)
    return Described(
        path=environment.path,
        environment=environment.name,
        python=inventory.python,
        backend=backend.value if backend else None,
        mode=mode.value,
        spack=spack,
        locks=tuple(found),
        provided=tuple((one.name, one.version) for one in inventory.provided),
        installed=tuple(sorted((one.name, one.version) for one in upper)),
        changes=changes,
    )


def plan(described: Described, site: Site, wish: Wish, render: Render) -> List[ModuleFile]:
    """The module files of an environment as they should be; reads only. Raises PyvariumError.

    Where the name changes with what is in the environment, its former ones are to be removed.
    """
    planned = []
    for language in wish.languages or site.languages:
        place = site.places[language]
        template = _name_template(place, wish, described.tokens)
        name = modulefile.module_name(template, described.tokens)
        values = modulefile.values(described, name, language)
        text = render(place.template, values).rstrip("\n") + "\n"
        directory = wish.output or place.directory
        path = directory / f"{name}{language.suffix}"
        change = FileChange(path, files.read_optional(path), text.encode("utf-8"))
        _refuse_foreign(change, described.path, wish.force)
        planned.append(ModuleFile(described.path, language, name, directory, change))
        former = _ours(described.path, directory, template, language, described.tokens)
        planned += [one for one in former if one.change.path != path]
    return planned


def plan_removal(path: Path, name: str, site: Site, wish: Wish) -> List[ModuleFile]:
    """The module files of an environment, which may be gone, to be removed; raises PyvariumError.

    One that is not ours, or is of another environment, is refused.
    """
    tokens = dict.fromkeys(modulefile.PASSING, modulefile.ANY)
    tokens.update(environment=name, name=name)
    planned = []
    for language in wish.languages or tuple(site.places):
        place = site.places[language]
        directory = wish.output or place.directory
        template = _name_template(place, wish, tokens)
        found = list(_ours(path, directory, template, language, tokens))
        pattern = modulefile.module_name(template, tokens)
        if not found and "*" not in pattern:
            change = _removal(directory / f"{pattern}{language.suffix}")
            _refuse_foreign(change, path, force=False)
        planned += found
    return planned


def refuse_twins(planned: Iterable[ModuleFile]) -> None:
    """Refuse two environments that would have one module file; raises PyvariumError."""
    seen: Dict[Path, Path] = {}
    for one in planned:
        other = seen.setdefault(one.change.path, one.environment)
        if other != one.environment:
            raise PyvariumError(
                f"{one.change.path}: would be the module file of {other} and of"
                f" {one.environment}; write them apart, with --name"
            )


def write(planned: Sequence[ModuleFile]) -> None:
    """Write what is planned; a directory that becomes empty goes too."""
    for one in planned:
        one.change.write()
        if one.change.after is None:
            _remove_empty(one.change.path.parent, one.directory)


def _name_template(place: Place, wish: Wish, tokens: Mapping[str, str]) -> str:
    for template in (wish.name, place.name):
        if template is not None:
            return template
    if place.projection is not None and modulefile.suits(place.projection, tokens):
        return place.projection
    return modulefile.DEFAULT_NAME


def _ours(
    environment: Path,
    directory: Path,
    template: str,
    language: Language,
    tokens: Mapping[str, str],
) -> Iterator[ModuleFile]:
    """The module files of an environment under any name that the template has given it."""
    passing = dict.fromkeys(modulefile.PASSING, modulefile.ANY)
    pattern = modulefile.module_name(template, {**tokens, **passing}) + language.suffix
    for path in sorted(directory.glob(pattern)):
        with contextlib.suppress(FileError):
            change = _removal(path)
            if modulefile.owner((change.before or b"")[:_HEAD]) == str(environment):
                name = str(path.relative_to(directory))
                name = name[: len(name) - len(language.suffix)]
                yield ModuleFile(environment, language, name, directory, change)


def _removal(path: Path) -> FileChange:
    return FileChange(path, files.read_optional(path), None)


def _refuse_foreign(change: FileChange, environment: Path, force: bool) -> None:
    if change.before is None or force:
        return
    owner = modulefile.owner(change.before[:_HEAD])
    if owner is None:
        raise PyvariumError(
            f"{change.path}: is not written by this command; use another --name, or remove it"
        )
    if owner != str(environment):
        raise PyvariumError(
            f"{change.path}: is the module file of {owner}; use another --name, or remove it"
        )


def _remove_empty(directory: Path, root: Path) -> None:
    with contextlib.suppress(OSError):  # It is not empty.
        while directory != root and root in directory.parents:
            os.rmdir(directory)
            directory = directory.parent
