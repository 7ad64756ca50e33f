# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Parse the core metadata of a release. Pure.

What cannot be understood is left out and told of: an index holds metadata of twenty years.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from .distributions import headers
from .errors import MetadataError, quoted
from .licenses import license_of

_EXTRA = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
#: The names of Project-URL that mean the home page, in the normalization of PEP 753.
_HOME = ("homepage", "home", "repository", "source", "sourcecode", "github", "documentation")
_LONGEST_SUMMARY = 512
#: No number of a version is as long; Python refuses to read some that are.
_ABSURD = re.compile(r"\d{100}")


@dataclass(frozen=True)
class Metadata:
    """What the metadata of a release says of it.

    ``complete`` is whether its requirements are all that a build of it has: sdists from before
    metadata 2.2 may leave some out (PEP 643).
    """

    requires: Tuple[Requirement, ...] = ()
    requires_python: SpecifierSet = field(default_factory=SpecifierSet)
    extras: Tuple[str, ...] = ()
    license: Optional[str] = None
    summary: str = ""
    homepage: Optional[str] = None
    complete: bool = True
    problems: Tuple[str, ...] = ()


def parse_metadata(data: bytes, project: str, version: Version) -> Metadata:
    """Parse METADATA or PKG-INFO of this very release; raises MetadataError where it is not."""
    fields: Dict[str, List[str]] = {}
    for key, value in headers(data):
        if value and value != "UNKNOWN":
            fields.setdefault(key.lower(), []).append(value)

    def first(key: str) -> str:
        return fields.get(key, [""])[0]

    _check_is_of(first("name"), first("version"), project, version)
    problems: List[str] = []
    return Metadata(
        parse_requirements(fields.get("requires-dist", ()), problems),
        parse_requires_python(first("requires-python"), problems),
        _extras(fields.get("provides-extra", []), problems),
        license_of(first("license-expression"), first("license"), fields.get("classifier", ())),
        _one_line(first("summary"))[:_LONGEST_SUMMARY],
        _homepage(first("home-page"), fields.get("project-url", ())),
        _is_complete(first("metadata-version"), fields.get("dynamic", ())),
        tuple(problems),
    )


def parse_requirements(texts: Sequence[str], problems: List[str]) -> Tuple[Requirement, ...]:
    """Parse requirements, each once; what is none becomes a problem."""
    found: Dict[str, Requirement] = {}
    for text in texts:
        try:
            if _ABSURD.search(text):
                raise InvalidRequirement(text)
            requirement = Requirement(_one_line(text))
        except (ValueError, RecursionError):
            problems.append(f"{quoted(text)} is not a requirement and was left out")
            continue
        if canonicalize_name(requirement.name) == "distribute":
            # setuptools since 0.7 is what both have become.
            requirement.name, requirement.specifier = "setuptools", SpecifierSet()
        found.setdefault(str(requirement), requirement)
    return tuple(found.values())


def parse_requires_python(text: str, problems: List[str]) -> SpecifierSet:
    try:
        if _ABSURD.search(text):
            raise InvalidSpecifier(text)
        return SpecifierSet(text)
    except ValueError:
        problems.append(f"it requires Python {quoted(text)}, which is no specifier")
        return SpecifierSet()


def parse_requires_txt(text: str, problems: List[str]) -> Tuple[Requirement, ...]:
    """The ``requires.txt`` of setuptools: requirements below the extra and marker they are for."""
    texts: List[str] = []
    extra, marker = "", ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            if extra and not _EXTRA.fullmatch(extra):
                problems.append(f"{quoted(extra)} is not the name of an extra; it was left out")
                extra = "-"
            continue
        if not line or line.startswith("#") or extra == "-":
            continue
        requirement, _, own = line.partition(";")
        conditions = [f"({one})" for one in (own.strip(), marker.strip()) if one]
        if extra:
            conditions.append(f'extra == "{extra}"')
        texts.append("; ".join(filter(None, [requirement.strip(), " and ".join(conditions)])))
    return parse_requirements(texts, problems)


def _check_is_of(name: str, stated: str, project: str, version: Version) -> None:
    try:
        same = canonicalize_name(name) == project and Version(stated) == version
    except ValueError:
        same = False
    if not name or not stated:
        raise MetadataError(f"{project} {version}: its metadata has no name or no version")
    if not same:
        raise MetadataError(
            f"{project} {version}: its metadata is of {quoted(name)} {quoted(stated)}"
        )


def _is_complete(metadata_version: str, dynamic: Sequence[str]) -> bool:
    try:
        static = Version(metadata_version) >= Version("2.2")
    except ValueError:
        return False
    return static and "requires-dist" not in {one.lower() for one in dynamic}


def _extras(names: Sequence[str], problems: List[str]) -> Tuple[str, ...]:
    found: Dict[str, None] = {}
    for name in names:
        if _EXTRA.fullmatch(name):
            found[canonicalize_name(name)] = None
        else:
            problems.append(f"{quoted(name)} is not the name of an extra; it was left out")
    return tuple(found)


def _homepage(home: str, urls: Sequence[str]) -> Optional[str]:
    by_label: Dict[str, str] = {}
    for one in urls:
        label, _, url = one.partition(",")
        by_label.setdefault(re.sub(r"[^a-z]", "", label.lower()), url.strip())
    for url in (home, *(by_label.get(label, "") for label in _HOME)):
        if re.fullmatch(r"https?://[A-Za-z0-9][!-~]*", url) and not re.search(
            "[\"'\\\\<>`@]", url
        ):
            return url
    return None


def _one_line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
