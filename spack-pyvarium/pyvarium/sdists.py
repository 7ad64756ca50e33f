# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What an sdist says of how it is built, and of itself. Pure; nothing of it is ever run.

A project of setuptools may compute in its setup.py what it needs. What is written there plainly is
taken; where that is not all the build counts as not known, and the report says so.
"""

from __future__ import annotations

import configparser
import json
import posixpath
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Tuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from . import languages, toml_text
from .archives import Archive
from .core_metadata import parse_requirements, parse_requires_txt
from .errors import PyvariumError
from .releases import LANGUAGES, PROGRAMS, Build
from .setup_script import parse_script

#: Changes whenever an sdist may be read otherwise than before: what is cached is of one format.
FORMAT = 3

_MOST_METADATA = 4 << 20
_MOST_TEXT = 256 << 10
_LEGACY = Build().backend
#: What a setup.py takes parts from, and the projects that bring it.
_BUILD_MODULES = {
    "Cython": "cython",
    "cffi": "cffi",
    "mpi4py": "mpi4py",
    "numpy": "numpy",
    "pkgconfig": "pkgconfig",
    "pybind11": "pybind11",
    "setuptools_rust": "setuptools-rust",
    "setuptools_scm": "setuptools-scm",
    "skbuild": "scikit-build",
    "torch": "torch",
}


@dataclass(frozen=True)
class Sdist:
    """How an sdist is built, and the metadata that comes with it, as it is written there.

    ``requires`` are the requirements that it states where its metadata may not: None where nothing
    does, and ``requires_origin`` is the file that does. ``whole`` is False where nothing but its
    build was looked for.
    """

    build: Build = field(default_factory=lambda: Build(known=False))
    metadata: Optional[str] = None
    requires: Optional[Tuple[Requirement, ...]] = None
    requires_origin: str = ""
    problems: Tuple[str, ...] = ()
    whole: bool = True


def wanted(name: str) -> int:
    """How much of a file is needed, by its name in the sdist."""
    if name == "PKG-INFO":
        return _MOST_METADATA
    if name in ("pyproject.toml", "setup.cfg") or _is_requires_txt(name):
        return _MOST_TEXT
    return languages.wanted(name)


def describe(archive: Archive) -> Sdist:
    """Read what the files of an sdist say."""
    problems: List[str] = []
    pyproject = _pyproject(archive, problems)
    build = _build(archive, pyproject, problems)
    requires, origin = _stated_requires(archive, pyproject, problems)
    return Sdist(
        build, archive.texts.get("PKG-INFO"), requires, origin, tuple(problems), archive.whole
    )


def _pyproject(archive: Archive, problems: List[str]) -> Mapping[str, Any]:
    text = archive.texts.get("pyproject.toml")
    if text is None:
        return {}
    try:
        return toml_text.parse(text, "pyproject.toml")
    except PyvariumError as error:
        problems.append(f"its {str(error).partition(';')[0]}"[:300])
        return {}


def _build(archive: Archive, pyproject: Mapping[str, Any], problems: List[str]) -> Build:
    system = pyproject.get("build-system")
    known = "pyproject.toml" not in archive.texts or bool(pyproject)
    backend = _LEGACY
    if isinstance(system, Mapping):
        listed = system.get("requires")
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            problems.append("its build-system.requires is not a list of strings")
            listed, known = [], False
        named = system.get("build-backend", _LEGACY)
        if isinstance(named, str) and named.isprintable() and len(named) < 200:
            backend = named
        else:
            problems.append("its build-backend is not the name of a module")
            known = False
        requires = parse_requirements(listed, problems)
    else:
        requires = (Requirement("setuptools"),)  # What installers take (PEP 518).
        known = known and bool({"setup.py", "setup.cfg", "pyproject.toml"} & set(archive.names))
    if _runs_setup_script(backend, system):
        more, whole = _setup_requires(archive, _own_backend(archive, backend, system), problems)
        requires = _with(requires, more)
        known = known and whole
    if not isinstance(system, Mapping):
        requires = _with(requires, _imported(archive))
    elif backend.startswith("hatchling"):
        hooks = list(_hatch_requires(languages.hatch_build(archive.texts, pyproject)))
        requires = _with(requires, parse_requirements(hooks, problems))
    needed = [canonicalize_name(one.name) for one in requires]
    found = languages.detect(archive, pyproject, backend, needed)
    compiled = tuple(one for one in found if one in LANGUAGES)
    programs = tuple(one for one in found if one not in LANGUAGES and one not in needed)
    return Build(requires, backend, compiled, known, programs)


def _runs_setup_script(backend: str, system: object) -> bool:
    """Whether the backend is setuptools, or one of the project's own, mostly around it."""
    return "setuptools" in backend or (isinstance(system, Mapping) and "backend-path" in system)


def _own_backend(archive: Archive, backend: str, system: object) -> str:
    """The text of a backend that is in the sdist itself."""
    paths = system.get("backend-path") if isinstance(system, Mapping) else None
    for path in paths if isinstance(paths, list) and _are_strings(paths) else ():
        module = backend.partition(":")[0].replace(".", "/")
        name = posixpath.normpath(posixpath.join(path, f"{module}.py"))
        if name in archive.texts:
            return archive.texts[name]
    return ""


def _setup_requires(
    archive: Archive, backend: str, problems: List[str]
) -> Tuple[Tuple[Requirement, ...], bool]:
    """``setup_requires`` of setup.cfg, setup.py and a backend; and whether that is all of it."""
    texts = _cfg_list(archive.texts.get("setup.cfg", ""), problems)
    texts += parse_script(backend).setup_requires
    script = parse_script(archive.texts.get("setup.py", ""))
    if script.computed:
        problems.append("its setup.py computes what else the build requires; see there")
    found = parse_requirements([*texts, *script.setup_requires], problems)
    return found, not script.computed


def _hatch_requires(build: Mapping[str, Any]) -> Iterator[str]:
    """What hatchling adds when it is asked: what the build of wheels and its hooks depend on."""
    targets = build.get("targets")
    wheel = targets.get("wheel") if isinstance(targets, Mapping) else None
    for table in (build, wheel):
        hooks = table.get("hooks") if isinstance(table, Mapping) else None
        for one in (table, *(hooks.values() if isinstance(hooks, Mapping) else ())):
            listed = one.get("dependencies") if isinstance(one, Mapping) else None
            if isinstance(one, Mapping) and one.get("enable-by-default") is not False:
                yield from listed if isinstance(listed, list) and _are_strings(listed) else ()


def _with(
    requires: Tuple[Requirement, ...], more: Iterable[Requirement]
) -> Tuple[Requirement, ...]:
    names = {canonicalize_name(one.name) for one in requires}
    return (*requires, *(one for one in more if canonicalize_name(one.name) not in names))


def _imported(archive: Archive) -> Iterator[Requirement]:
    """What an old setup.py cannot start without, though nothing says that it is required."""
    script = parse_script(archive.texts.get("setup.py", ""))
    modules = {one.partition(".")[0] for one in script.unconditional}
    tops = {one.partition("/")[0] for one in archive.names}
    for module in sorted(modules & _BUILD_MODULES.keys()):
        if not {module, f"{module}.py"} & tops:
            yield Requirement(_BUILD_MODULES[module])


def _cfg_list(text: str, problems: List[str]) -> List[str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
        value = parser.get("options", "setup_requires", fallback="")
    except (configparser.Error, ValueError):
        problems.append("its setup.cfg cannot be read")
        return []
    separator = "\n" if "\n" in value else ";"  # As setuptools splits a list.
    return [one.strip() for one in value.split(separator) if one.strip()]


def _stated_requires(
    archive: Archive, pyproject: Mapping[str, Any], problems: List[str]
) -> Tuple[Optional[Tuple[Requirement, ...]], str]:
    """Requirements of the release that stand in pyproject.toml (PEP 621), or in requires.txt."""
    project = pyproject.get("project")
    if isinstance(project, Mapping):
        dynamic = project.get("dynamic")
        names = set(dynamic) if isinstance(dynamic, list) and _are_strings(dynamic) else set()
        if not names & {"dependencies", "optional-dependencies"}:
            texts = _project_requires(project)
            if texts is not None:
                return parse_requirements(texts, problems), "pyproject.toml"
    name = next((one for one in archive.texts if _is_requires_txt(one)), None)
    stated = parse_script(archive.texts.get("setup.py", "")).install_requires
    if stated is not None:
        # What requires.txt has was computed on one machine, maybe by Python 2; extras hardly are.
        listed = parse_requires_txt(archive.texts[name], []) if name is not None else ()
        extras = (one for one in listed if "extra" in str(one.marker))
        return (*parse_requirements(stated, problems), *extras), "setup.py"
    if name is not None:
        return parse_requires_txt(archive.texts[name], problems), "requires.txt"
    return None, ""


def _project_requires(project: Mapping[str, Any]) -> Optional[List[str]]:
    plain = project.get("dependencies", [])
    optional = project.get("optional-dependencies", {})
    if not _are_strings(plain) or not isinstance(optional, Mapping):
        return None
    texts: List[str] = list(plain)
    for extra, listed in optional.items():
        if not _are_strings(listed) or not str(extra).replace("-", "").replace("_", "").isalnum():
            return None
        for one in listed:
            requirement, _, marker = one.partition(";")
            condition = f"({marker.strip()}) and " if marker.strip() else ""
            texts.append(f'{requirement.strip()} ; {condition}extra == "{extra}"')
    return texts


def _are_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_requires_txt(name: str) -> bool:
    parts = name.split("/")
    return (
        len(parts) <= 3
        and parts[-1] == "requires.txt"
        and parts[-2:-1] != []
        and (parts[-2].endswith(".egg-info"))
    )


def render_sdist(sdist: Sdist) -> bytes:
    """As JSON, for the cache."""
    build = sdist.build
    data = {
        "requires": [str(one) for one in build.requires],
        "backend": build.backend,
        "languages": build.languages,
        "known": build.known,
        "programs": build.programs,
        "metadata": sdist.metadata,
        "stated": None if sdist.requires is None else [str(one) for one in sdist.requires],
        "origin": sdist.requires_origin,
        "problems": sdist.problems,
        "whole": sdist.whole,
    }
    return json.dumps(data).encode()


def parse_sdist(data: Optional[bytes]) -> Optional[Sdist]:
    """What ``render_sdist`` made; None for anything else."""
    try:
        read = json.loads(data or b"")
        stated = read["stated"]
        return Sdist(
            Build(
                tuple(Requirement(one) for one in read["requires"]),
                str(read["backend"]),
                tuple(one for one in LANGUAGES if one in read["languages"]),
                bool(read["known"]),
                tuple(one for one in PROGRAMS if one in read["programs"]),
            ),
            None if read["metadata"] is None else str(read["metadata"]),
            None if stated is None else tuple(Requirement(one) for one in stated),
            str(read["origin"]),
            tuple(str(one) for one in read["problems"]),
            bool(read["whole"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
