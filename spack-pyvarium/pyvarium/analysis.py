# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Say where what a source imports comes from: Python, Spack, the venv, an index, or beside it.

What is installed is known by its recorded files; for what is not, the project is a guess. Nothing
is imported or run, and no index is asked.
"""

from __future__ import annotations

import enum
import functools
import gc
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from . import classic
from .distributions import read_distribution, site_packages
from .environment import read_environment
from .errors import FileError, MetadataError, PyvariumError
from .guesses import guess
from .importables import Record, owner, read_records
from .imports import DISPENSABLE, TRIED, Host, Import, Label, Labels
from .layout import Role
from .lockfile import read_lockfile
from .model import Environment, Provided, Skipped
from .project import Asked, Project, without_password
from .provided import provided_distributions
from .scanning import Key, Local, LocalModules, ReadStdin, Scan, Search, Source, scan


class Origin(str, enum.Enum):
    """Where an import comes from."""

    STDLIB = "stdlib"
    SPACK = "spack"
    VENV = "venv"
    INDEX = "index"
    LOCAL = "local"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Wish:
    """What to analyze, and how."""

    paths: Tuple[Path, ...]
    toplevel: bool = False
    function: Optional[str] = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Import names and the projects that the user says they come from."""
    extra: Tuple[str, ...] = ()
    roles: FrozenSet[Role] = frozenset((Role.RUN,))
    """Of which files it is asked for what they need."""


@dataclass(frozen=True)
class Installed:
    """What can be imported in an environment or venv; nothing where there is none.

    ``provided`` are Spack's, by the path of their metadata.
    """

    python: Optional[str] = None
    records: Tuple[Record, ...] = ()
    provided: Mapping[Path, Provided] = field(default_factory=dict)


class Sighting(NamedTuple):
    """One import as it stands in a source; it is needed if the file is not used without it."""

    place: str
    module: str
    labels: Tuple[str, ...]
    """With the role of the file, unless it is to be run."""
    role: Role
    needed: bool
    wanted: bool
    """Whether it is needed in one of the roles that are asked for."""


@dataclass(frozen=True)
class Found:
    """What comes from one place, by the name that is imported.

    ``declared``: it is seen only in scripts that say in a block what they need.
    """

    name: str
    origin: Origin
    project: Optional[str]
    version: Optional[str]
    spec: Optional[str]
    guessed: bool
    declared: bool
    sightings: Tuple[Sighting, ...]

    @property
    def wanted(self) -> bool:
        return any(one.wanted for one in self.sightings)

    @property
    def needed_to(self) -> Tuple[Role, ...]:
        """The roles of the files that need it."""
        roles = {one.role for one in self.sightings if one.needed}
        return tuple(one for one in Role if one in roles)


@dataclass(frozen=True)
class Request:
    """What a block, a notebook or the user asks for by a requirement."""

    requirement: str
    place: str


@dataclass(frozen=True)
class Analysis:
    """What was found, sorted; ``files`` is how many were read."""

    found: Tuple[Found, ...]
    requests: Tuple[Request, ...]
    python: str
    requires_python: Optional[str]
    files: int
    skipped: Tuple[Skipped, ...]


def analyze(wish: Wish, installed: Installed, read_stdin: Optional[ReadStdin] = None) -> Analysis:
    """Analyze sources; raises PyvariumError."""
    collecting = gc.isenabled()
    gc.disable()  # Syntax trees and places are very many objects without any cycle.
    try:
        return _analyze(wish, installed, read_stdin)
    finally:
        if collecting:
            gc.enable()


def _analyze(wish: Wish, installed: Installed, read_stdin: Optional[ReadStdin]) -> Analysis:
    host = _host(installed)
    scanned = scan(
        wish.paths,
        host,
        toplevel=wish.toplevel,
        function=wish.function,
        read_stdin=read_stdin,
    )
    skipped = list(scanned.skipped)
    requests = [Request(str(_requirement(one)), "--extra-pkg") for one in wish.extra]
    for source in scanned.sources:
        for place, text in source.requests:
            try:
                requests.append(Request(str(Requirement(text)), place))
            except InvalidRequirement:
                reason = f"'{without_password(text)[:200]}' is no requirement"
                skipped.append(Skipped(place, reason))
    bounds = sorted({one.requires_python for one in scanned.sources if one.requires_python})
    return Analysis(
        found=_Origins(installed, wish, host).of(scanned),
        requests=tuple(dict.fromkeys(requests)),
        python=".".join(map(str, host.version)),
        requires_python=",".join(bounds) or None,
        files=sum(one.read for one in scanned.sources),
        skipped=tuple(dict.fromkeys(skipped)),
    )


def installed_in(environment: Environment) -> Installed:
    """What an environment has in its two layers; raises PyvariumError."""
    upper = [path for _, path in site_packages(environment.venv)]
    if not environment.lockfile.exists():
        return Installed(_python(environment.venv), read_records(upper))
    inventory = provided_distributions(environment, read_lockfile(environment.lockfile))
    return Installed(
        inventory.python or _python(environment.venv),
        read_records((*upper, *inventory.site_packages)),
        {one.path: one for one in inventory.provided},
    )


def read_installed(directory: Path, environ: Mapping[str, str] = {}) -> Installed:
    """What is installed in an environment or venv, by its directory; raises PyvariumError."""
    try:
        return _read_installed(directory, environ)
    except OSError as error:
        place = error.filename or directory
        raise FileError(
            f"{place}: cannot be read ({error.strerror}); name what you may read"
        ) from None


def _read_installed(directory: Path, environ: Mapping[str, str]) -> Installed:
    if classic.is_venv(directory):
        venv = classic.read_venv(directory, environ)
        places = (*venv.before, *venv.own, *venv.below)
        lower = classic.provided_in((*venv.before, *venv.below))
        return Installed(venv.python, read_records(places), {one.path: one for one in lower})
    if site_packages(directory) and not (directory / "spack.yaml").exists():
        directories = [path for _, path in site_packages(directory)]
        return Installed(_python(directory), read_records(directories))
    try:
        return installed_in(read_environment(directory))
    except FileError as error:
        raise FileError(f"{error}, or of a venv") from None


def chosen_directory(environ: Mapping[str, str]) -> Optional[Path]:
    """The environment, or else the venv, that a shell has activated."""
    if environ.get("SPACK_ENV"):
        return Path(environ["SPACK_ENV"])
    venv = environ.get("VIRTUAL_ENV")
    if not venv:
        return None
    above = Path(venv).parent
    return above if (above / "spack.yaml").exists() else Path(venv)


def parse_mapping(texts: Iterable[str]) -> Dict[str, str]:
    """Parse what is given as ``IMPORT=NAME``; raises PyvariumError."""
    mapping: Dict[str, str] = {}
    for text in texts:
        module, _, project = text.partition("=")
        if not all(part.isidentifier() for part in module.split(".")):
            raise PyvariumError(f"--pkg-mapping {text}: has no import name; write IMPORT=NAME")
        try:
            mapping[module] = canonicalize_name(Requirement(project).name)
        except InvalidRequirement:
            raise PyvariumError(
                f"--pkg-mapping {text}: '{project}' is no project; write IMPORT=NAME"
            ) from None
    return mapping


def parse_roles(texts: Optional[Iterable[str]]) -> FrozenSet[Role]:
    """The roles that are asked for; to run, if none is."""
    return frozenset(map(Role, texts or (Role.RUN,)))


def requirements(analysis: Analysis) -> Tuple[str, ...]:
    """What to ask an installer for, sorted: pins of what is installed, names of what is not.

    A script's block says what it needs, so what it imports is not guessed besides. What is asked
    for by name is taken as it is asked for, unless it is installed.
    """
    wanted: Dict[str, str] = {}
    for request in analysis.requests:
        wanted[canonicalize_name(Requirement(request.requirement).name)] = request.requirement
    for one in analysis.found:
        if one.project is None or not one.wanted or (one.declared and one.guessed):
            continue
        if one.version is not None:
            wanted[one.project] = f"{one.project}=={one.version}"
        else:
            wanted.setdefault(one.project, one.project)
    return tuple(wanted[name] for name in sorted(wanted))


def as_project(path: Path) -> Project:
    """What a script or notebook needs, to start an environment from it; raises PyvariumError."""
    analysis = analyze(Wish((path,)), Installed())
    if not analysis.files:
        raise PyvariumError(f"{analysis.skipped[0]}; name another file")
    skipped = list(analysis.skipped)
    asked: List[Asked] = [Requirement(one) for one in requirements(analysis)]
    for one in analysis.found:
        place = one.sightings[0].place
        if one.origin is Origin.INDEX and not one.wanted:
            labels = ", ".join(one.sightings[0].labels)
            skipped.append(Skipped(place, f"{one.name} is {labels}; add {one.project} yourself"))
        elif one.origin is Origin.UNKNOWN:
            skipped.append(Skipped(place, f"{one.name} is not known; add what brings it"))
    return Project(
        requires_python=analysis.requires_python,
        requirements=tuple(asked),
        skipped=tuple(skipped),
    )


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement:
        raise PyvariumError(
            f"--extra-pkg {without_password(text)}: is no requirement; write it as 'numpy>=2'"
        ) from None


def _host(installed: Installed) -> Host:
    if installed.python is None:
        return Host()
    major, minor = installed.python.split(".")
    return Host((int(major), int(minor)))


def _python(venv: Path) -> Optional[str]:
    return next((version for version, _ in site_packages(venv)), None)


@dataclass(frozen=True)
class _Home:
    """Where an import comes from; ``metadata`` is that of the distribution which brings it."""

    origin: Origin
    name: str
    project: Optional[str] = None
    guessed: bool = False
    metadata: Optional[Path] = None

    @property
    def is_here(self) -> bool:
        return self.origin not in (Origin.INDEX, Origin.UNKNOWN)


class _Origins:
    """Decides where imports come from. Remembers: many files import the same."""

    def __init__(self, installed: Installed, wish: Wish, host: Host) -> None:
        self.installed = installed
        self.mapping = wish.mapping
        self.roles = wish.roles
        self.stdlib = stdlib_names(host.version)
        self.known: Dict[str, _Home] = {}
        self.same: Dict[_Home, _Home] = {}
        self.homes: Dict[Search, Dict[Key, _Home]] = {}

    def of(self, scanned: Scan) -> Tuple[Found, ...]:
        seen: Dict[int, List[Tuple[Source, Sighting]]] = {}
        for source in scanned.sources:
            tried: Optional[_Home] = None
            search = scanned.local.search(source.path)
            for place, one in source.imports:
                home = self.home(search, one, scanned.local)
                labels = one.labels | source.reached if source.reached else one.labels
                needed = _is_needed(labels, home, tried)
                if Label.OPTIONAL in one.labels:
                    tried = home
                wanted = needed and source.role in self.roles
                sighting = _sighting(place, one, labels, source.role, needed, wanted)
                seen.setdefault(id(home), []).append((source, sighting))
        found = [self.found(home, seen[id(home)]) for home in self.same if id(home) in seen]
        return tuple(sorted(found, key=_order))

    def found(self, home: _Home, seen: List[Tuple[Source, Sighting]]) -> Found:
        project, version, spec = home.project, None, None
        if home.metadata is not None:
            project, version, spec = self.read(home.metadata)
        return Found(
            name=home.name,
            origin=home.origin,
            project=project,
            version=version,
            spec=spec,
            guessed=home.guessed,
            declared=all(source.declared for source, _ in seen),
            sightings=tuple(sighting for _, sighting in seen),
        )

    def read(self, metadata: Path) -> Tuple[str, Optional[str], Optional[str]]:
        provided = self.installed.provided.get(metadata)
        if provided is not None:
            return provided.name, provided.version, provided.spec
        try:
            distribution = read_distribution(metadata)
        except MetadataError:
            return _stem(metadata), None, None
        return distribution.name, distribution.version, None

    def home(self, search: Search, one: Import, local: LocalModules) -> _Home:
        """Where an import comes from: the same object for what comes from the same place."""
        homes = self.homes.setdefault(search, {})
        key = one[:3]
        if key not in homes:
            home = self.found_home(local.find(search, one), one)
            homes[key] = self.same.setdefault(home, home)
        return homes[key]

    def found_home(self, local: Optional[Local], one: Import) -> _Home:
        if one.level:
            if local is not None:
                return _Home(Origin.LOCAL, local.name)
            return _Home(Origin.UNKNOWN, "." * one.level + (one.module or one.name or ""))
        beside = _Home(Origin.LOCAL, one.module.partition(".")[0])
        shadows = local is not None and not local.namespace
        if shadows and beside.name not in sys.builtin_module_names:
            return beside
        module = one.module if one.name in (None, "*") else f"{one.module}.{one.name}"
        if module not in self.known:
            self.known[module] = self.elsewhere(module)
        home = self.known[module]
        if local is not None and home.origin in (Origin.INDEX, Origin.UNKNOWN):
            return beside
        return home

    def elsewhere(self, module: str) -> _Home:
        """Where a module comes from that is not beside who imports it."""
        parts = module.split(".")
        if parts[0] in self.stdlib:
            return _Home(Origin.STDLIB, parts[0])
        for length in range(len(parts), 0, -1):
            prefix = ".".join(parts[:length])
            if prefix in self.mapping:
                return self.by_user(prefix, self.mapping[prefix])
        owned = owner(module, self.installed.records)
        if owned is not None:
            return self.in_layer(owned[0], owned[1].path)
        guessed = guess(module)
        if guessed is not None:
            return _Home(Origin.INDEX, guessed[0], guessed[1], guessed=True)
        return _Home(Origin.UNKNOWN, parts[0])

    def by_user(self, prefix: str, project: str) -> _Home:
        for record in self.installed.records:
            if _stem(record.path) == project:
                return self.in_layer(prefix, record.path)
        return _Home(Origin.INDEX, prefix, project)

    def in_layer(self, name: str, metadata: Path) -> _Home:
        origin = Origin.SPACK if metadata in self.installed.provided else Origin.VENV
        return _Home(origin, name, metadata=metadata)


def _order(one: Found) -> Tuple[str, ...]:
    return one.origin.value, one.name, one.project or "", one.version or "", one.sightings[0].place


def _stem(metadata: Path) -> str:
    """The project by the name of its metadata alone."""
    return str(canonicalize_name(metadata.name.partition("-")[0]))


def _is_needed(labels: Labels, home: _Home, tried: Optional[_Home]) -> bool:
    """Whether an import is needed where it stands.

    What is optional is used where it is installed, and its fallback where what is ``tried`` before
    is not: in this environment the program does not go on without it.
    """
    reasons = labels & DISPENSABLE
    if not reasons or home.metadata is None:
        return not reasons
    if Label.FALLBACK in reasons and (tried is None or tried.is_here):
        return False
    return reasons <= TRIED


def _sighting(
    place: str, one: Import, labels: Labels, role: Role, needed: bool, wanted: bool
) -> Sighting:
    module = "." * one.level + one.module
    if one.name is not None:
        module = f"{module}{'' if module.endswith('.') or not module else '.'}{one.name}"
    return Sighting(place, module, _words(labels, role), role, needed, wanted)


@functools.cache
def _words(labels: Labels, role: Role) -> Tuple[str, ...]:
    words = [label.value for label in Label if label in labels]
    if role is not Role.RUN:
        words.append(role.value)
    return tuple(words) or ("required",)


#: What later versions of Python no longer have, or earlier ones had not.
_REMOVED: Mapping[Tuple[int, int], str] = {
    (3, 10): "formatter parser symbol",
    (3, 11): "binhex",
    (3, 12): "asynchat asyncore distutils imp smtpd",
    (3, 13): "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib"
    " ossaudiodev pipes sndhdr spwd sunau telnetlib uu xdrlib",
}
_ADDED: Mapping[Tuple[int, int], str] = {
    (3, 11): "tomllib",
    (3, 14): "annotationlib compression",
}


@functools.cache
def stdlib_names(version: Tuple[int, int]) -> FrozenSet[str]:
    """The modules that come with a Python, as far as the running one can tell."""
    names = set(getattr(sys, "stdlib_module_names", ()) or _listed())
    for since, words in _REMOVED.items():
        names = names - set(words.split()) if version >= since else names | set(words.split())
    for since, words in _ADDED.items():
        names = names | set(words.split()) if version >= since else names - set(words.split())
    return frozenset(names | {"__future__", "__main__"})


def _listed() -> FrozenSet[str]:
    """The same before Python 3.10, which cannot tell."""
    library = os.path.dirname(os.__file__)
    entries = [*os.listdir(library)]
    dynamic = os.path.join(library, "lib-dynload")
    entries += os.listdir(dynamic) if os.path.isdir(dynamic) else []
    names = {re.split(r"[.]", one)[0] for one in entries}
    return frozenset({*names, *sys.builtin_module_names} - {"site-packages", "__pycache__"})
