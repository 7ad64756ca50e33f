# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The keys by which each installer takes what Spack provides from Spack, and from nowhere else.

Each key is set for the backend that is used and cleared for all others, so that a switch leaves
nothing behind. Which values are ours is seen by the values themselves. What a user has put under
one of these keys is kept, and reported with the remedy. Pure.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from . import umbrella
from .model import Backend, Mode, Pin, Skipped
from .pins import UNCONSTRAINED
from .toml_text import (
    parse,
    strings_at,
    table_at,
    tables_at,
    value_at,
    with_entries,
    with_named_table,
    with_strings,
    with_value,
    without,
)

#: The directory of the shims' wheels, below that of the environment.
WHEELS = ".spack-env/pyvarium/wheels"
NAME = "spack"

UV = ("tool", "uv")
DEFAULT_GROUPS = (*UV, "default-groups")
CONSTRAINTS = (*UV, "constraint-dependencies")
#: Explicit: only what ``sources`` names is taken from it.
INDEX = {"name": NAME, "url": f"./{WHEELS}", "format": "flat", "explicit": True}
SOURCES = (*UV, "sources")
POETRY = ("tool", "poetry")
DEPENDENCIES = (*POETRY, "group", NAME, "dependencies")
#: In a group of its own: what ``[dependency-groups]`` has too, Poetry takes from there alone.
UMBRELLA = (*POETRY, "group", umbrella.NAME, "dependencies")
#: The groups of Poetry's that hold nothing of the user's.
POETRY_GROUPS = frozenset((NAME, umbrella.NAME))
PDM = ("tool", "pdm")
IN_PROJECT = ("virtualenvs", "in-project")

#: What shows that a project uses a backend: its table in ``pyproject.toml``, and its lock.
MARKS: Mapping[Backend, Tuple[Sequence[str], str]] = {
    Backend.UV: (UV, "uv.lock"),
    Backend.POETRY: (POETRY, "poetry.lock"),
    Backend.PDM: (PDM, "pdm.lock"),
}


def detect(data: Mapping[str, Any], files: Iterable[str]) -> Optional[Backend]:
    """The backend that a project uses, by its locks and then by its tables; None if that is open.

    ``data`` is its parsed ``pyproject.toml``, ``files`` the names of those beside it.
    """
    present = set(files)
    locked = [backend for backend, (_, lock) in MARKS.items() if lock in present]
    tables = [backend for backend, (keys, _) in MARKS.items() if value_at(data, keys) is not None]
    system = str(value_at(data, ("build-system", "build-backend")) or "")
    built = [backend for backend in MARKS if system.startswith(backend.value)]
    for found in (locked, [one for one in tables if one in locked] or tables, built):
        if len(found) == 1:
            return found[0]
    return None


def with_keys(
    text: str,
    backend: Optional[Backend],
    mode: Mode,
    pins: Sequence[Pin],
    old: Sequence[Pin],
    wheels: Mapping[str, str],
    subject: str,
) -> Tuple[str, Tuple[Skipped, ...]]:
    """Set the keys of a backend, clear those of the others, and return what is in the way.

    ``old`` are the pins that the keys in the text are for. ``wheels`` are the file names of the
    shims, by project; in portable mode they are no source. Raises PyprojectError.
    """
    bound = mode is Mode.BOUND
    kept: List[Skipped] = []
    uses = {one: backend is one for one in Backend}
    sources = [pin for pin in pins if pin.name in wheels] if bound else []

    def report(keys: Sequence[str], reason: str) -> None:
        kept.append(Skipped(f"{subject}: {'.'.join(keys)}", reason, fault=True))

    text = _uv_default_groups(text, uses[Backend.UV], subject, report)
    wanted = pins if uses[Backend.UV] else ()
    text = _uv_constraints(text, wanted, old, subject, report)
    wanted = sources if uses[Backend.UV] else ()
    text, is_ours = _named(text, (*UV, "index"), INDEX if wanted else None, subject, report)
    if is_ours:  # Else what leads to an index of this name is the user's too.
        entries = {pin.name: {"index": NAME} for pin in wanted}
        text = _entries(text, SOURCES, entries, _is_source, subject, report)

    wanted = sources if uses[Backend.POETRY] else ()
    paths = {pin.name: {"path": f"{WHEELS}/{wheels[pin.name]}"} for pin in wanted}
    text = _entries(text, DEPENDENCIES, paths, _is_shim, subject, report)
    projects = {umbrella.NAME: umbrella.directory(umbrella.shim(wheels))} if wanted else {}
    paths = {name: {"path": path} for name, path in projects.items()}
    text = _entries(text, UMBRELLA, paths, _is_umbrella, subject, report)

    wanted = sources if uses[Backend.PDM] else ()
    source = {
        "type": "find_links",
        "name": NAME,
        "url": f"file:///${{PROJECT_ROOT}}/{WHEELS}",
        "include_packages": [pin.name for pin in wanted],
    }
    text, _ = _named(text, (*PDM, "source"), source if wanted else None, subject, report)
    return text, tuple(kept)


def with_poetry_settings(text: str, uses_poetry: bool, subject: str) -> Tuple[str, List[Skipped]]:
    """Return the text of ``poetry.toml`` by which Poetry uses ``.venv``."""
    present = value_at(parse(text, subject), IN_PROJECT)
    if uses_poetry and present is None:
        return with_value(text, IN_PROJECT, True, subject), []
    if uses_poetry and present is not True:
        reason = f"is {present!r}, so that Poetry does not use .venv; set it to true or remove it"
        return text, [Skipped(f"{subject}: {'.'.join(IN_PROJECT)}", reason, fault=True)]
    if text and not uses_poetry and text == with_value("", IN_PROJECT, True, subject):
        return "", []
    return text, []


_Report = Callable[[Sequence[str], str], None]


def _uv_default_groups(text: str, used: bool, subject: str, report: _Report) -> str:
    """Have uv install the group by default, beside what it or the user takes for the default.

    Without the key that is the group "dev"; a group that does not exist must not be named.
    """
    data = parse(text, subject)
    value = value_at(data, DEFAULT_GROUPS)
    if value == "all" or not (used or value):
        return text
    present = list(strings_at(data, DEFAULT_GROUPS, subject))
    implied = ["dev"] if value_at(data, ("dependency-groups", "dev")) is not None else []
    if value == [] and implied:
        reason = "is empty, so that uv leaves out what Spack provides; name the groups"
        report(DEFAULT_GROUPS, f"{reason} that you want")
        return text
    if present in ([], [NAME], ["dev", NAME]):
        return _strings(text, DEFAULT_GROUPS, [*implied, NAME] if used else [], subject)
    if used == (NAME in present):
        return text
    groups = [*present, NAME] if used else [one for one in present if one != NAME]
    return _strings(text, DEFAULT_GROUPS, groups, subject)


def _uv_constraints(
    text: str, pins: Sequence[Pin], old: Sequence[Pin], subject: str, report: _Report
) -> str:
    """Constrain what ``uv pip`` installs too, which does not look at groups."""
    ours = {str(pin) for pin in (*old, *pins)}
    present = strings_at(parse(text, subject), CONSTRAINTS, subject)
    own = [one for one in present if one not in ours]
    versions = {pin.name: pin.version for pin in pins}
    for requirement in map(_requirement, own):
        version = versions.get(canonicalize_name(requirement.name)) if requirement else None
        if requirement and version and not requirement.specifier.contains(version, True):
            report(CONSTRAINTS, f"has '{requirement}', but Spack provides {version}; remove it")
    added = [str(pin) for pin in pins if pin.name not in UNCONSTRAINED]
    return _strings(text, CONSTRAINTS, [*own, *added], subject)


def _strings(text: str, keys: Sequence[str], strings: List[str], subject: str) -> str:
    present = value_at(parse(text, subject), keys)
    if strings == (present or []):
        return text
    if not strings:
        return without(text, keys, subject)
    return with_strings(text, keys, strings, subject)


def _named(
    text: str,
    keys: Sequence[str],
    wanted: Optional[Mapping[str, object]],
    subject: str,
    report: _Report,
) -> Tuple[str, bool]:
    """Set or clear our one of an array of tables; whether none of the user's has its name."""
    tables = tables_at(parse(text, subject), keys, subject)
    if all(_is_ours(one) for one in tables if one.get("name") == NAME):
        return with_named_table(text, keys, NAME, wanted, subject), True
    if wanted:
        report(keys, f"has a '{NAME}' that is yours; give it another name")
    return text, False


def _entries(
    text: str,
    keys: Sequence[str],
    wanted: Mapping[str, Mapping[str, object]],
    is_ours: Callable[[Any], bool],
    subject: str,
    report: _Report,
) -> str:
    """Set or clear our entries of a table."""
    present = table_at(parse(text, subject), keys, subject)
    foreign = {canonicalize_name(name) for name, one in present.items() if not is_ours(one)}
    for name in sorted(foreign & wanted.keys()):
        report((*keys, name), f"takes {name} from elsewhere than Spack; remove it")
    old = [name for name, one in present.items() if is_ours(one)]
    new = {name: one for name, one in wanted.items() if name not in foreign}
    return with_entries(text, keys, old, new, subject)


def _is_ours(table: Mapping[str, Any]) -> bool:
    return str(table.get("url", "")).endswith(WHEELS)


def _is_source(source: Any) -> bool:
    return bool(source == {"index": NAME})


def _is_umbrella(dependency: Any) -> bool:
    return _is_below(umbrella.DIRECTORY, dependency)


def _is_shim(dependency: Any) -> bool:
    return _is_below(WHEELS, dependency)


def _is_below(directory: str, dependency: Any) -> bool:
    path = dependency.get("path", "") if isinstance(dependency, dict) else ""
    return str(path).startswith(f"{directory}/")


def _requirement(text: object) -> Optional[Requirement]:
    try:
        return Requirement(str(text))
    except InvalidRequirement:
        return None  # uv says so.
