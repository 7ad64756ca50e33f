# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a file of another tool asks for, as one value, and the steps that every reader shares."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple, Union

from packaging.requirements import InvalidRequirement, Requirement

from .errors import PyvariumError
from .model import Skipped

#: A requirement; or its text, where the name may be that of a recipe as well as of a project.
Asked = Union[Requirement, str]
#: Reads a file that another one names; raises PyvariumError.
Read = Callable[[Path], str]

_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


class SourceError(PyvariumError):
    """A file of another tool cannot be read, or is of no known kind."""


@dataclass(frozen=True)
class Project:
    """What is asked for; ``None`` and empty where the file says nothing.

    ``groups`` are dependency groups and extras. ``specs`` are what is asked of Spack already.
    ``native`` are the requirements, as text, that the index is to serve, not a recipe.
    ``pyproject`` is the text to start from, to the byte, where the file is a ``pyproject.toml``.
    """

    name: Optional[str] = None
    requires_python: Optional[str] = None
    requirements: Tuple[Asked, ...] = ()
    groups: Mapping[str, Tuple[Asked, ...]] = field(default_factory=dict)
    specs: Tuple[str, ...] = ()
    native: FrozenSet[str] = frozenset()
    pyproject: Optional[str] = None
    skipped: Tuple[Skipped, ...] = ()


def parse_asked(text: str, subject: str, skipped: List[Skipped]) -> List[Requirement]:
    """Parse one requirement; what cannot be used is added to ``skipped`` instead."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        reason = f"'{without_password(text)}' is not a requirement; mend it"
        skipped.append(Skipped(subject, reason, fault=True))
        return []
    if requirement.url is not None and requirement.url.startswith("file:"):
        name = requirement.name
        reason = f"'{text}' is a path of one machine; ask for '{name}', which Spack may provide"
        skipped.append(Skipped(subject, reason))
        return []
    return [requirement]


def without_password(text: str) -> str:
    """Hide who logs in to an index or a repository: what is skipped is shown."""
    return _PASSWORD.sub("***@", text)


def table(data: Any, subject: str, *keys: str) -> Dict[str, Any]:
    """The table that the keys lead to, empty where there is none; raises SourceError."""
    found: Dict[str, Any] = _at(data, subject, keys, dict, "a table")
    return found


def strings(data: Any, subject: str, *keys: str) -> List[str]:
    """The list of strings that the keys lead to; raises SourceError."""
    found: List[Any] = _at(data, subject, keys, list, "a list of strings")
    if not all(isinstance(one, str) for one in found):
        raise SourceError(f"{subject}: {'.'.join(keys)} is not a list of strings; mend it")
    return found


def string(data: Any, subject: str, *keys: str) -> Optional[str]:
    """The string that the keys lead to; raises SourceError."""
    return str(_at(data, subject, keys, str, "a string")) or None


def _at(data: Any, subject: str, keys: Tuple[str, ...], kind: Any, what: str) -> Any:
    for position, key in enumerate(keys, start=1):
        expected = kind if position == len(keys) else dict
        data = data.get(key, expected())
        if not isinstance(data, expected):
            name = ".".join(keys[:position])
            called = what if expected is kind else "a table"
            raise SourceError(f"{subject}: {name} is not {called}; mend it")
    return data
