# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a recipe says of a project itself: versions, their files, license, homepage. Pure.

All of it was found on an index. What does not have the form that it should is not taken over.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Tuple

from packaging.utils import canonicalize_name

from .recipe import Existing, License, Listed
from .releases import File, Project, Release
from .versions import covering, label_of, newest_first

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SDIST = re.compile(
    r"(?P<stem>[A-Za-z0-9][A-Za-z0-9._+-]*)-(?P<version>[A-Za-z0-9._+]+?)"
    r"(?P<suffix>\.(?:tar\.gz|tar\.bz2|tar\.xz|tgz|zip))"
)
_HOMEPAGE = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&()*+,;=%-]*")
_EXPRESSION = re.compile(r"\(*[A-Za-z0-9.+-]+\)*( (AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)*")
_LONGEST = 300
#: What is on one machine, and on no index.
_LOCAL = "file:"


def usable(project: Project, existing: Optional[Existing]) -> Tuple[Dict[str, Release], List[str]]:
    """The releases that a recipe can have, by their version in it, newest first.

    Then what is wrong with the others. Those that an existing recipe has are passed over.
    """
    found: Dict[str, Release] = {}
    problems = []
    for release in project.releases:
        label = label_of(release.version, release.source.label)
        if label is not None and existing is not None and label in existing.versions:
            continue
        wrong = None
        if label is None:
            wrong = "Spack cannot write this version"
        elif not _SHA256.fullmatch(release.source.sha256 or ""):
            wrong = "the index gives no sha256 for its sdist"
        elif not _SDIST.fullmatch(release.source.name):
            wrong = "its sdist has no usable name"
        if label is None or wrong is not None:
            problems.append(f"{project.name} {release.version}: {wrong}; the recipe leaves it out")
        else:
            found[label] = release
    return {label: found[label] for label in newest_first(found)}, problems


def pypi_of(project: str, releases: Mapping[str, Release]) -> str:
    """The file of the newest version from which Spack can make the addresses of others."""
    plain = [one for label, one in releases.items() if one.source.label == label]
    return f"{project}/{(plain or list(releases.values()))[0].source.name}"


def listed(
    project: str, pypi: Optional[str], releases: Mapping[str, Release]
) -> Tuple[Listed, ...]:
    """The versions, with an address where the one made of ``pypi`` would be wrong."""
    return tuple(
        Listed(
            label,
            str(one.source.sha256),
            None if _is_made(pypi, project, one.source, label) else _address(project, one.source),
            one.source.yanked is not None,
        )
        for label, one in releases.items()
    )


def _is_made(pypi: Optional[str], project: str, source: File, label: str) -> bool:
    """Whether Spack finds the file by putting the version into the name of another one."""
    directory, _, file = (pypi or "").partition("/")
    match = _SDIST.fullmatch(file)
    return (
        match is not None
        and not source.url.startswith(_LOCAL)
        and canonicalize_name(directory) == project
        and source.name == f"{match['stem']}-{label}{match['suffix']}"
    )


def _address(project: str, source: File) -> str:
    """What PyPI answers for any file by its name, and mirrors of Spack's know."""
    if source.url.startswith(_LOCAL):
        return source.url
    return f"https://files.pythonhosted.org/packages/source/{project[0]}/{project}/{source.name}"


def homepage(project: str, releases: Mapping[str, Release]) -> str:
    """That of the newest version that has one, or the project's page on PyPI."""
    for one in releases.values():
        if one.homepage and len(one.homepage) <= _LONGEST and _HOMEPAGE.fullmatch(one.homepage):
            return one.homepage
    return f"https://pypi.org/project/{project}/"


def licenses(releases: Mapping[str, Release]) -> Tuple[License, ...]:
    """By version, newest first. One that names none has that of the next newer one that does."""
    expressions = {label: _expression(one.license) for label, one in releases.items()}
    known = next((one for one in expressions.values() if one), None)
    groups: Dict[str, List[str]] = {}
    for label, expression in expressions.items():
        known = expression or known
        if known is not None:
            groups.setdefault(known, []).append(label)
    return tuple(
        License(expression, covering(labels, releases)) for expression, labels in groups.items()
    )


def _expression(text: Optional[str]) -> Optional[str]:
    """An SPDX expression in its usual form; None for anything else."""
    if text is None or len(text) > _LONGEST or not _EXPRESSION.fullmatch(text):
        return None
    try:
        from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
    except ImportError:  # packaging 24.1 and older.
        return text
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return None
