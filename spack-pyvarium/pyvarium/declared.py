# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a ``pyproject.toml`` or a ``Pipfile`` declares, as parsed TOML, in terms of PEP 508.

Reads PEP 621 and PEP 735, and the tables that Poetry, PDM and uv had before these or have beside
them. Poetry's constraints follow https://python-poetry.org/docs/dependency-specification.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .backends import POETRY_GROUPS
from .model import Skipped
from .project import Project, SourceError, parse_asked, string, strings, table

#: The group that a sync fills.
_OURS = "spack"
_CLAUSE = re.compile(r"(?P<operator>\^|~=|~|===?|=|!=|>=|<=|>|<)?\s*(?P<version>[^\s,^~=!<>]+)")
#: What may stand in an entry of a Pipfile as a marker of its own.
_MARKER_KEYS = (
    *("os_name", "sys_platform", "platform_machine", "platform_python_implementation"),
    *("platform_release", "platform_system", "platform_version", "python_version"),
    *("python_full_version", "implementation_name", "implementation_version"),
)
_PLACES = ("path", "file", "directory")
_VERSION_CONTROL = ("git", "hg", "svn", "bzr")

Groups = Dict[str, List[Requirement]]


def parse_pyproject(data: Mapping[str, Any], subject: str) -> Project:
    """Read what the tables of a ``pyproject.toml`` ask for; raises SourceError."""
    skipped: List[Skipped] = []
    groups: Groups = {}
    project = table(data, subject, "project")
    poetry = table(data, subject, "tool", "poetry")
    name = string(project, subject, "name") or string(poetry, subject, "name")
    requirements = _all(strings(data, subject, "project", "dependencies"), subject, skipped)
    for extra in table(data, subject, "project", "optional-dependencies"):
        texts = strings(data, subject, "project", "optional-dependencies", extra)
        groups.setdefault(extra, []).extend(_all(texts, subject, skipped))
    for dynamic in strings(data, subject, "project", "dynamic"):
        if dynamic in ("dependencies", "optional-dependencies") and not poetry:
            reason = f"project.{dynamic} is made by the build backend; write it into the file"
            skipped.append(Skipped(subject, reason))
    _read_dependency_groups(data, subject, groups, skipped)
    requires_python = string(project, subject, "requires-python")
    if poetry:
        main = {} if _has_dependencies(project) else table(poetry, subject, "dependencies")
        python = _read_poetry(poetry, subject, main, requirements, groups, skipped)
        requires_python = requires_python or python
    _read_dev_dependencies(data, subject, groups, skipped)
    _leave_out_itself(name, requirements, groups)
    return Project(
        name=name,
        requires_python=requires_python,
        requirements=tuple(requirements),
        groups={group: tuple(asked) for group, asked in groups.items()},
        skipped=tuple(skipped),
    )


def parse_pipfile(data: Mapping[str, Any], subject: str) -> Project:
    """Read what a ``Pipfile`` asks for; raises SourceError."""
    skipped: List[Skipped] = []
    groups: Groups = {}
    minor = string(data, subject, "requires", "python_version")
    full = string(data, subject, "requires", "python_full_version")
    for source in data.get("source", []):
        url = source.get("url") if isinstance(source, dict) else None
        if url is not None and "pypi.org" not in str(url):
            reason = "its index is not taken over; set it for your installer, as in [tool.uv]"
            skipped.append(Skipped(f"{subject} [[source]] {source.get('name', '')}", reason))
    known = ("source", "requires", "scripts", "pipenv", "pipfile")
    for category in (one for one in data if one not in known):
        if isinstance(data[category], dict):
            group = re.sub(r"-?packages$", "", category)
            for name, entry in table(data, subject, category).items():
                where = f"{subject} [{category}] {name}"
                groups.setdefault(group, []).extend(_entry(name, entry, where, skipped))
    return Project(
        requires_python=f"=={full}" if full else _of_minor(minor, subject),
        requirements=tuple(groups.pop("", ())),
        groups={group: tuple(asked) for group, asked in groups.items()},
        skipped=tuple(skipped),
    )


def parse_pylock(data: Mapping[str, Any], subject: str) -> Project:
    """Read what a ``pylock.toml`` (PEP 751) has locked; raises SourceError."""
    skipped: List[Skipped] = []
    requirements: List[Requirement] = []
    packages = data.get("packages")
    if not isinstance(packages, list) or not all(isinstance(one, dict) for one in packages):
        raise SourceError(f"{subject}: packages is not an array of tables; mend it")
    for at, one in enumerate(packages):
        where = f"{subject} packages[{at}]"
        name, version = (string(one, where, key) for key in ("name", "version"))
        if not name or not version:
            skipped.append(Skipped(where, f"{name or 'has no name'}: has no version of an index"))
            continue
        marker = string(one, where, "marker")
        text = f"{name}=={version}{f'; {marker}' if marker else ''}"
        requirements += parse_asked(text, where, skipped)
    return Project(
        requires_python=string(data, subject, "requires-python"),
        requirements=tuple(requirements),
        skipped=tuple(skipped),
    )


def poetry_specifier(constraint: str) -> Optional[str]:
    """A constraint of Poetry's as a specifier of PEP 440; None where that has no words for it."""
    clauses = []
    if "|" in constraint:
        return None
    rest = constraint.replace(",", " ").strip()
    while rest and rest != "*":
        match = _CLAUSE.match(rest)
        if match is None:
            return None
        try:
            clauses += _clauses(match["operator"] or "==", match["version"])
        except InvalidVersion:
            return None
        rest = rest[match.end() :].strip()
    try:
        SpecifierSet(",".join(clauses))
    except InvalidSpecifier:
        return None
    return ",".join(clauses)


def _clauses(operator: str, text: str) -> List[str]:
    if text == "*":
        return []
    if operator not in ("^", "~"):
        return [f"{'==' if operator == '=' else operator}{text}"]
    release = Version(text).release
    if operator == "~":
        kept = min(2, len(release))
    else:  # The first number that is not zero may not change, or the last that is given.
        kept = next((at for at, number in enumerate(release, 1) if number), len(release))
    upper = (*release[: kept - 1], release[kept - 1] + 1)
    return [f">={text}", "<" + ".".join(map(str, upper + (0,) * (min(2, len(release)) - kept)))]


def _has_dependencies(project: Mapping[str, Any]) -> bool:
    """Whether ``[project]`` decides, and Poetry's table only tells where to find what it names."""
    return "dependencies" in project or "optional-dependencies" in project


def _all(texts: Iterable[str], subject: str, skipped: List[Skipped]) -> List[Requirement]:
    return [one for text in texts for one in parse_asked(text, subject, skipped)]


def _read_dependency_groups(
    data: Mapping[str, Any], subject: str, groups: Groups, skipped: List[Skipped]
) -> None:
    """PEP 735. What a group includes is read as if it stood there."""
    tables = {
        str(canonicalize_name(key)): key for key in table(data, subject, "dependency-groups")
    }
    ours = _is_ours(data, subject)
    for name in table(data, subject, "dependency-groups"):
        if name == _OURS and ours:
            reason = "dependency-groups.spack holds what Spack provided elsewhere; not taken over"
            skipped.append(Skipped(subject, reason))
            continue
        texts = _included(data, subject, name, tables, ())
        groups.setdefault(name, []).extend(_all(texts, subject, skipped))


def _is_ours(data: Mapping[str, Any], subject: str) -> bool:
    return "pyvarium" in table(data, subject, "tool")


def _included(
    data: Mapping[str, Any],
    subject: str,
    name: str,
    tables: Mapping[str, str],
    way: Tuple[str, ...],
) -> List[str]:
    where = f"{subject}: dependency-groups.{name}"
    key = tables.get(canonicalize_name(name))
    if key is None:
        raise SourceError(f"{where} is included, and does not exist; mend it")
    if key in way:
        raise SourceError(f"{where} includes itself; mend it")
    entries = table(data, subject, "dependency-groups")[key]
    if not isinstance(entries, list):
        raise SourceError(f"{where} is not a list; mend it")
    texts: List[str] = []
    for entry in entries:
        if isinstance(entry, str):
            texts.append(entry)
        elif isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
            texts += _included(data, subject, entry["include-group"], tables, (*way, key))
        else:
            raise SourceError(f"{where} holds {entry!r}, which is not a requirement; mend it")
    return texts


def _read_dev_dependencies(
    data: Mapping[str, Any], subject: str, groups: Groups, skipped: List[Skipped]
) -> None:
    """The tables that PDM and uv had before PEP 735."""
    pdm = ("tool", "pdm", "dev-dependencies")
    lists = {group: strings(data, subject, *pdm, group) for group in table(data, subject, *pdm)}
    lists.setdefault("dev", []).extend(strings(data, subject, "tool", "uv", "dev-dependencies"))
    for group, texts in lists.items():
        editable = [text for text in texts if text.startswith("-e")]
        for text in editable:
            reason = f"'{text}' is installed in place; do so with your installer afterwards"
            skipped.append(Skipped(subject, reason))
        found = _all((text for text in texts if text not in editable), subject, skipped)
        if found:
            groups.setdefault(group, []).extend(found)


def _read_poetry(
    poetry: Mapping[str, Any],
    subject: str,
    main: Mapping[str, Any],
    requirements: List[Requirement],
    groups: Groups,
    skipped: List[Skipped],
) -> Optional[str]:
    """Read Poetry's own tables, and return the pythons that they ask for."""
    python = None
    extras = {
        canonicalize_name(name): extra
        for extra in table(poetry, subject, "extras")
        for name in strings(poetry, subject, "extras", extra)
    }
    for name, entry in main.items():
        where = f"{subject} [tool.poetry.dependencies] {name}"
        if canonicalize_name(name) == "python":
            python = poetry_specifier(entry) if isinstance(entry, str) else None
            if python is None:
                reason = f"{entry!r} has no words in PEP 440; write requires-python yourself"
                skipped.append(Skipped(where, reason))
            continue
        found = _entry(name, entry, where, skipped)
        optional = isinstance(entry, dict) and entry.get("optional", False)
        if optional:
            extra = extras.get(canonicalize_name(name), "optional")
            groups.setdefault(extra, []).extend(found)
        else:
            requirements.extend(found)
    tables = (
        {"dev": table(poetry, subject, "dev-dependencies")} if "dev-dependencies" in poetry else {}
    )
    for group in table(poetry, subject, "group"):
        if group not in POETRY_GROUPS:  # Their entries are files of the environment they stand in.
            tables[group] = table(poetry, subject, "group", group, "dependencies")
    for group, entries in tables.items():
        for name, entry in entries.items():
            where = f"{subject} [tool.poetry.group.{group}.dependencies] {name}"
            groups.setdefault(group, []).extend(_entry(name, entry, where, skipped))
    return python


def _entry(name: str, entry: Any, where: str, skipped: List[Skipped]) -> List[Requirement]:
    """One entry of Poetry's or Pipenv's: a version, a table, or several tables in a list."""
    if isinstance(entry, list):
        return [one for part in entry for one in _entry(name, part, where, skipped)]
    table_ = {"version": entry} if isinstance(entry, str) else entry
    if not isinstance(table_, dict):
        raise SourceError(f"{where}: is {entry!r}; make it a version or a table")
    try:
        text = _requirement_text(name, table_)
    except ValueError as error:
        skipped.append(Skipped(where, str(error)))
        return []
    if "index" in table_ or "source" in table_:
        index = table_.get("index", table_.get("source"))
        reason = f"comes from the index '{index}'; set it for your installer, as in [tool.uv]"
        skipped.append(Skipped(where, reason))
    return parse_asked(text, where, skipped)


def _requirement_text(name: str, entry: Mapping[str, Any]) -> str:
    """Render an entry as PEP 508 has it; raises ValueError with the reason where it cannot."""
    place = next((entry[key] for key in _PLACES if key in entry), None)
    if place is not None:
        raise ValueError(f"is taken from '{place}'; install it with your installer afterwards")
    extras = ",".join(entry.get("extras", ()))
    text = f"{name}[{extras}]" if extras else name
    control = next((one for one in _VERSION_CONTROL if one in entry), None)
    if control is not None:
        text += f" @ {_repository_url(control, entry)} "
    elif "url" in entry:
        text += f" @ {entry['url']} "
    else:
        specifier = poetry_specifier(str(entry.get("version", "*")))
        if specifier is None:
            raise ValueError(f"'{entry['version']}' has no words in PEP 440; write it as a range")
        text += specifier
    marker = " and ".join(f"({one})" for one in _markers(entry))
    return f"{text}; {marker}" if marker else text.strip()


def _repository_url(control: str, entry: Mapping[str, Any]) -> str:
    url = re.sub(r"^([\w.-]+@[\w.-]+):(?!//)", r"ssh://\1/", str(entry[control]))
    url = url if url.startswith(f"{control}+") else f"{control}+{url}"
    revision = next((entry[key] for key in ("rev", "tag", "branch", "ref") if key in entry), None)
    url = f"{url}@{revision}" if revision else url
    return f"{url}#subdirectory={entry['subdirectory']}" if "subdirectory" in entry else url


def _markers(entry: Mapping[str, Any]) -> List[str]:
    found = [str(entry["markers"])] if entry.get("markers") else []
    if "python" in entry:
        specifier = poetry_specifier(str(entry["python"]))
        if specifier is None:
            raise ValueError(f"'{entry['python']}' has no words in PEP 440; write it as a marker")
        found += map(_python_marker, filter(None, specifier.split(",")))
    if "platform" in entry:
        found.append(f'sys_platform == "{entry["platform"]}"')
    found += (f"{key} {entry[key]}" for key in _MARKER_KEYS if key in entry)
    for one in found:
        try:
            Marker(one)
        except InvalidMarker:
            raise ValueError(f"'{one}' is not a marker; mend it") from None
    return found


def _python_marker(clause: str) -> str:
    match = re.fullmatch(r"(?P<operator>\D+?)(?P<version>\d.*)", clause)
    if match is None:
        raise ValueError(f"'{clause}' is not a version of python; mend it")
    release = Version(match["version"].replace(".*", "")).release
    variable = "python_full_version" if len(release) > 2 else "python_version"
    return f'{variable} {match["operator"]} "{match["version"]}"'


def _leave_out_itself(
    name: Optional[str], requirements: List[Requirement], groups: Groups
) -> None:
    """Leave out what asks for the project itself, as ``all = ["name[test,docs]"]``.

    The extras that it names stand in groups of their own.
    """
    if name is not None:
        for asked in (requirements, *groups.values()):
            own = canonicalize_name(name)
            asked[:] = [one for one in asked if canonicalize_name(one.name) != own]


def _of_minor(minor: Optional[str], subject: str) -> Optional[str]:
    if minor is None:
        return None
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?", minor)
    if match is None:
        raise SourceError(f"{subject}: requires.python_version is {minor!r}; write it as '3.11'")
    major, number = match.groups()
    return f">={minor},<{major}.{int(number) + 1}" if number else f">={major},<{int(major) + 1}"
