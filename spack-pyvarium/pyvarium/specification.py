# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a specification of Poncho's asks for, as parsed JSON: what to install, and which data.

Its keys are those of ``poncho_package_create`` (``poncho/src/poncho/package_create.py``, and
https://cctools.readthedocs.io/en/latest/poncho/): ``conda`` with ``dependencies``, among them one
mapping ``pip``; the older ``conda`` with ``packages`` and a ``pip`` beside it, or ``conda`` as
that list itself; ``git`` and ``http``. Other keys are passed over, as Poncho does. Ours, which it
passes over in turn, are ``spack`` for specs, ``sha256`` of what is downloaded and ``commit`` of
what is checked out. Nothing is fetched here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Container, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .choice import Recipe
from .conda import parse_environment
from .model import Skipped
from .project import Asked, Project, Read, SourceError, string, strings, table, without_password
from .requirements import parse_lines

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What decides which programs and libraries run, and must not point to data.
_TAKEN = re.compile(r"PATH|HOME|IFS|ENV|BASH_ENV|TMPDIR|LD_.*|DYLD_.*|PYTHON.*|PYVARIUM_.*")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: As ``git check-ref-format`` has it, and nothing that is an option or a range to a command.
_REF = re.compile(r"(?![-./])(?!.*(?:\.\.|//|@\{|/\.))[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])")
_EXACT_PYTHON = re.compile(r"==((\d+)\.(\d+)\.\d+)")
#: ``transport::address`` runs a program of that transport.
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")

_KEYS = frozenset({"conda", "pip", "spack", "git", "http"})
KINDS = ("file", "tar")
COMPRESSIONS = ("gzip", "bzip2", "xz")


@dataclass(frozen=True)
class Repository:
    """A git repository whose files are wanted: at a branch, tag or commit, or as it stands.

    ``commit`` is what it has to be in any case, None where that is not said.
    """

    variable: str
    remote: str
    ref: Optional[str] = None
    commit: Optional[str] = None


@dataclass(frozen=True)
class Download:
    """A file to download; a ``tar`` is unpacked. ``sha256`` is of the file as it comes."""

    variable: str
    url: str
    kind: str = "file"
    compression: Optional[str] = None
    sha256: Optional[str] = None


@dataclass(frozen=True)
class Specification:
    """What is to be installed, and the data that each variable is to name."""

    project: Project
    repositories: Tuple[Repository, ...] = ()
    downloads: Tuple[Download, ...] = ()

    @property
    def variables(self) -> Tuple[str, ...]:
        repositories = tuple(one.variable for one in self.repositories)
        return (*repositories, *(one.variable for one in self.downloads))


def parse_specification(text: str, subject: str, read: Read) -> Specification:
    """Read what a specification asks for; ``read`` is for what it names by ``-r``.

    Raises SourceError, which names the key.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
        raise SourceError(f"{subject}: is not valid JSON ({reason}); mend it") from None
    if not isinstance(data, dict):
        raise SourceError(f'{subject}: is no object of JSON; write it as {{"pip": [...]}}')
    if _KEYS.isdisjoint(data):
        remedy = "give one of " + ", ".join(sorted(_KEYS))
        if "imports" in data:
            remedy = "write it by 'analyze --format poncho'"
        raise SourceError(f"{subject}: asks for nothing; {remedy}")
    skipped: List[Skipped] = []
    listed, lines = _listed(data, subject, skipped)
    project = parse_environment({"dependencies": listed}, Path(subject), read)
    pip = parse_lines(lines, Path(subject), read)
    repositories = tuple(_repository(data, subject, name) for name in table(data, subject, "git"))
    downloads = tuple(_download(data, subject, name) for name in table(data, subject, "http"))
    twice = {one.variable for one in repositories} & {one.variable for one in downloads}
    if twice:
        raise SourceError(
            f"{subject}: {min(twice)} stands under git and under http; name one of them otherwise"
        )
    project = replace(
        project,
        requirements=(*project.requirements, *pip.requirements),
        specs=tuple(dict.fromkeys((*project.specs, *strings(data, subject, "spack")))),
        native=frozenset(map(str, pip.requirements)),
        skipped=(*project.skipped, *pip.skipped, *skipped),
    )
    return Specification(project, repositories, downloads)


def parse_project(text: str, subject: str, read: Read) -> Project:
    """What a specification asks to install, as any source; its data are skipped."""
    specification = parse_specification(text, subject, read)
    reason = "is data, which 'spack pyvarium pack' fetches"
    data = tuple(Skipped(f"{subject}: {one}", reason) for one in specification.variables)
    project = specification.project
    brought = {_project_of(_name_of(spec)) for spec in project.specs}
    return replace(
        project,
        requirements=tuple(one for one in project.requirements if not _is_in(one, brought)),
        skipped=(*project.skipped, *data),
    )


def _name_of(spec: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", spec, maxsplit=1)[0]


def _project_of(name: str) -> str:
    """The project that a recipe most likely brings, by its name alone."""
    return canonicalize_name(name[3:] if name.startswith("py-") else name)


def _is_in(asked: Asked, brought: Container[str]) -> bool:
    """Whether a spec brings all of what is asked for."""
    requirement = Requirement(str(asked))
    plain = not requirement.extras and requirement.url is None
    return plain and canonicalize_name(requirement.name) in brought


def settle(
    project: Project,
    subject: str,
    *,
    recipe_named: Callable[[str], Optional[Recipe]],
    is_known: Callable[[str], bool],
    on_index: Callable[[str], bool],
    pythons: Tuple[str, ...],
) -> Project:
    """Leave out what nobody has and what is asked for twice, each with its reason.

    A spec stands for its project, which an analysis names as well, for Poncho. A release of python
    that is neither built nor there gives way to any other of its feature release.
    """
    skipped: List[Skipped] = []
    specs: List[str] = []
    brought = set()
    bounds = project.requires_python
    exact = _EXACT_PYTHON.fullmatch(bounds or "")
    if exact is not None:
        bounds = f">={exact[2]}.{exact[3]},<{exact[2]}.{int(exact[3]) + 1}"
    for spec in project.specs:
        name = _name_of(spec)
        recipe = recipe_named(name)
        if name == "python":
            if exact and not any(exact[1] in re.split(r"[@=+~ ]", one) for one in pythons):
                reason = f"this Spack has no {exact[1]}; any {exact[2]}.{exact[3]} is taken"
                skipped.append(Skipped(f"{subject}: python", reason))
                spec = f"python@{exact[2]}.{exact[3]}"
        elif recipe is not None:
            brought.add(recipe.project or _project_of(name))
        elif name.startswith("py-"):
            reason = "has no recipe here; its project is taken as pip has it"
            skipped.append(Skipped(f"{subject}: spack: {spec}", reason))
            continue
        specs.append(spec)
    requirements: List[Asked] = []
    for asked in project.requirements:
        name = canonicalize_name(Requirement(str(asked)).name)
        if _is_in(asked, brought):
            continue
        if isinstance(asked, str) and not is_known(name) and not on_index(name):
            reason = "is neither a recipe of Spack's nor on the index; left out"
            skipped.append(Skipped(f"{subject}: {asked}", reason, fault=True))
            continue
        requirements.append(asked)
    return replace(
        project,
        requires_python=bounds,
        requirements=tuple(requirements),
        specs=tuple(specs),
        skipped=(*project.skipped, *skipped),
    )


def _listed(
    data: Mapping[str, Any], subject: str, skipped: List[Skipped]
) -> Tuple[List[str], List[str]]:
    """What Conda is asked for, and what pip."""
    pip = strings(data, subject, "pip")
    if isinstance(data.get("conda"), list):  # The oldest form.
        listed = strings(data, subject, "conda")
    elif "dependencies" in table(data, subject, "conda"):
        within, listed = _dependencies(
            data["conda"]["dependencies"], f"{subject}: conda.dependencies"
        )
        pip = [*within, *pip]
        if "packages" in data["conda"]:
            reason = "is not read where there is conda.dependencies"
            skipped.append(Skipped(f"{subject}: conda.packages", reason))
    else:
        listed = strings(data, subject, "conda", "packages")
    if isinstance(data.get("pinned"), dict) and isinstance(data.get("conda"), dict):
        listed = _with_pins(listed, _pins(data, subject), f"{subject}: pinned.conda", skipped)
    return listed, pip


def _dependencies(found: Any, subject: str) -> Tuple[List[str], List[str]]:
    """What stands among them for pip, and the others."""
    if not isinstance(found, list):
        raise SourceError(f"{subject} is not a list; mend it")
    pip: List[str] = []
    others: List[str] = []
    for number, entry in enumerate(found):
        if isinstance(entry, str):
            others.append(entry)
        elif isinstance(entry, dict) and set(entry) == {"pip"}:
            lines = entry["pip"]
            if not (isinstance(lines, list) and all(isinstance(one, str) for one in lines)):
                raise SourceError(f"{subject}[{number}].pip is not a list of strings; mend it")
            pip += lines
        else:
            raise SourceError(
                f"{subject}[{number}] is neither a string nor an object of pip alone; mend it"
            )
    return pip, others


def _pins(data: Mapping[str, Any], subject: str) -> Dict[str, str]:
    pins = table(data, subject, "pinned", "conda")
    for name, version in pins.items():
        if not isinstance(version, str):
            raise SourceError(f"{subject}: pinned.conda.{name} is not a string; mend it")
    return pins


def _with_pins(
    listed: List[str], pins: Mapping[str, str], subject: str, skipped: List[Skipped]
) -> List[str]:
    """Put the versions that ``pinned`` has to the names that have none of their own."""
    for name in sorted(set(pins) - set(listed)):
        reason = "is not asked for by that name alone; give its version where it is asked for"
        skipped.append(Skipped(f"{subject}.{name}", reason))
    return [f"{one}={pins[one]}" if one in pins else one for one in listed]


def _repository(data: Mapping[str, Any], subject: str, name: str) -> Repository:
    key = _variable(subject, "git", name)
    remote = _address(data, subject, "git", name, "remote")
    if remote.startswith("-") or _HELPER.match(remote):
        raise SourceError(
            f"{key}.remote: {without_password(remote)!a} is no address of a repository; name one"
            " by https, ssh, git or file"
        )
    ref = string(data, subject, "git", name, "ref")
    if ref is not None and not _REF.fullmatch(ref):
        raise SourceError(f"{key}.ref: {ref!a} cannot be a branch, a tag or a commit; mend it")
    commit = _digest(data, subject, ("git", name, "commit"), _COMMIT, "the 40 digits of a commit")
    return Repository(name, remote, ref, commit)


def _download(data: Mapping[str, Any], subject: str, name: str) -> Download:
    key = _variable(subject, "http", name)
    url = _address(data, subject, "http", name, "url")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise SourceError(f"{key}.url: {without_password(url)!a} is not of http or https; mend it")
    kind = string(data, subject, "http", name, "type") or "file"
    compression = string(data, subject, "http", name, "compression")
    for what, value, known in (
        ("type", kind, KINDS),
        ("compression", compression, (None, *COMPRESSIONS)),
    ):
        if value not in known:
            names = ", ".join(filter(None, known))
            raise SourceError(f"{key}.{what}: {value!a} is not known here; choose of {names}")
    sha256 = _digest(data, subject, ("http", name, "sha256"), _SHA256, "the 64 digits of a sha256")
    return Download(name, url, kind, compression, sha256)


def _variable(subject: str, section: str, name: str) -> str:
    """The key of a variable, checked: the name goes into scripts and paths."""
    if not _VARIABLE.fullmatch(name):
        raise SourceError(
            f"{subject}: {section}.{name!a} is no name of a variable; use letters, digits and _"
        )
    if _TAKEN.fullmatch(name):
        raise SourceError(
            f"{subject}: {section}.{name} would change what runs; name the data otherwise"
        )
    return f"{subject}: {section}.{name}"


def _address(data: Mapping[str, Any], subject: str, *keys: str) -> str:
    found = string(data, subject, *keys)
    if found is None:
        raise SourceError(f"{subject}: {'.'.join(keys)} is missing; say where the data are")
    if any(one.isspace() or not one.isprintable() for one in found):
        raise SourceError(f"{subject}: {'.'.join(keys)} has characters of no address; mend it")
    return found


def _digest(
    data: Mapping[str, Any],
    subject: str,
    keys: Tuple[str, ...],
    form: re.Pattern[str],
    what: str,
) -> Optional[str]:
    found = string(data, subject, *keys)
    if found is not None and not form.fullmatch(found.lower()):
        raise SourceError(f"{subject}: {'.'.join(keys)} is not {what}; mend it")
    return found.lower() if found is not None else None
