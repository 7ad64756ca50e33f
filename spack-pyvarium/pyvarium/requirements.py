# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read a file of requirements, as pip does: ``pip._internal.req.req_file``.

Requirements are taken over, constraints (``-c``) are put on those that they name. Options of pip's
are not: each is named with what serves instead.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .model import Skipped
from .project import Project, Read, parse_asked, without_password

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(?P<name>--[a-z][a-z-]*|-[a-zA-Z])\s*=?\s*(?P<value>.*)", re.DOTALL)
_INCLUDES = ("-r", "--requirement")
_CONSTRAINTS = ("-c", "--constraint")
_EDITABLE = ("-e", "--editable")
_INDEXES = (
    *("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links"),
    "--trusted-host",
)
_LOCAL = re.compile(r"[./~]|[A-Za-z]:[\\/]|[^\s@]+\.(whl|zip|tar\.gz|tar\.bz2|tar\.xz|tgz)\Z")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//|[^/\s]*/)|git@")
_EGG = re.compile(r"#.*\begg=(?P<name>[A-Za-z0-9._-]+)")


class _Reader:
    """Collects over a file and those that it names, each of them once."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self.requirements: List[Requirement] = []
        self.constraints: List[Tuple[Path, Requirement]] = []
        self.skipped: List[Skipped] = []
        self.seen: Set[Tuple[Path, bool]] = set()

    def file(self, path: Path, *, constrains: bool = False) -> None:
        if (path, constrains) not in self.seen:
            self.seen.add((path, constrains))
            self.lines(self.read(path).splitlines(), path, str(path), constrains)

    def lines(self, lines: Iterable[str], path: Path, called: str, constrains: bool) -> None:
        hashed = False
        for number, line in _logical_lines(lines):
            subject = f"{called}:{number}"
            if line.startswith("-"):
                self.option(line, subject, path, constrains)
                continue
            text, options = _split_options(line)
            hashed = hashed or "--hash" in options
            others = [one for one in re.split(r"\s+(?=--)", options) if one[:6] != "--hash"]
            if any(others):
                reason = f"'{' '.join(others)}' is for pip alone; set it for your installer"
                self.skipped.append(Skipped(subject, reason))
            found = self.requirement(text, subject)
            if constrains:
                self.constraints.extend((path, one) for one in found)
            else:
                self.requirements.extend(found)
        if hashed:
            reason = "its hashes are not taken over; the lock will hold those of what is chosen"
            self.skipped.append(Skipped(called, reason))

    def requirement(self, text: str, subject: str) -> List[Requirement]:
        if _LOCAL.match(text) or _REMOTE.match(text):
            egg = _EGG.search(text)
            name = egg["name"] if egg else "NAME"
            shown = without_password(text)
            reason = f"'{shown}' does not tell its project; write it as '{name} @ URL'"
            self.skipped.append(Skipped(subject, reason))
            return []
        return parse_asked(text, subject, self.skipped)

    def option(self, line: str, subject: str, path: Path, constrains: bool) -> None:
        match = _OPTION.fullmatch(line)
        name, value = (match["name"], match["value"].strip("'\" ")) if match else (line, "")
        if name in (*_INCLUDES, *_CONSTRAINTS) and not _REMOTE.match(value):
            named = Path(
                os.path.normpath(path.parent / value)
            )  # Each file by one name: no circles.
            self.file(named, constrains=constrains or name in _CONSTRAINTS)
            return
        shown = without_password(line)
        if name in (*_INCLUDES, *_CONSTRAINTS):
            reason = f"'{shown}' is not on this machine; download it and name the file"
        elif name in _EDITABLE:
            reason = f"'{shown}' is installed in place; do so with your installer afterwards"
        elif name in _INDEXES:
            reason = f"'{shown}' chooses an index; set it for your installer, as in [tool.uv]"
        else:
            reason = f"'{shown}' is for pip alone; set it for your installer"
        self.skipped.append(Skipped(subject, reason))

    def project(self) -> Project:
        """Put the constraints on the requirements that they name, and report the others."""
        constrained: List[Requirement] = []
        used = set()
        for asked in self.requirements:
            requirement = Requirement(str(asked))
            for at, (_, limit) in enumerate(self.constraints):
                if _constrains(limit, asked):
                    requirement.specifier &= limit.specifier
                    used.add(at)
            constrained.append(requirement)
        left: Dict[Path, List[str]] = {}
        for at, (path, limit) in enumerate(self.constraints):
            if at not in used:
                left.setdefault(path, []).append(f"'{limit}'")
        for path, limits in left.items():
            reason = (
                f"{', '.join(limits)} constrains what is not asked for by name;"
                " set it for your installer, as in [tool.uv] constraint-dependencies"
            )
            self.skipped.append(Skipped(str(path), reason))
        return Project(requirements=tuple(constrained), skipped=tuple(self.skipped))


def read_requirements(path: Path, read: Read) -> Project:
    """Read a file of requirements and those that it names; raises what ``read`` does."""
    reader = _Reader(read)
    reader.file(path)
    return reader.project()


def parse_lines(lines: Iterable[str], path: Path, read: Read) -> Project:
    """Read the lines for pip that stand in another file, ``path``; they may name further files."""
    reader = _Reader(read)
    reader.lines(lines, path, f"{path}: pip", False)
    return reader.project()


def _constrains(limit: Requirement, asked: Requirement) -> bool:
    same = canonicalize_name(limit.name) == canonicalize_name(asked.name)
    plain = asked.url is None and limit.url is None
    return same and plain and str(limit.marker or asked.marker) == str(asked.marker)


def _logical_lines(lines: Iterable[str]) -> Iterator[Tuple[int, str]]:
    """Lines with their numbers: joined at a backslash, without comments and empty ones."""
    parts: List[str] = []
    first: Optional[int] = None
    for number, line in enumerate([*lines, ""], start=1):
        first = first or number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line[:-1])
            continue
        joined = _COMMENT.sub("", "".join([*parts, " " + line if comment else line])).strip()
        if joined:
            yield first, joined
        parts, first = [], None


def _split_options(line: str) -> Tuple[str, str]:
    """A requirement and the options behind it, as ``--hash``."""
    match = re.search(r"\s+--?[a-z]", line)
    if match is None:
        return line, ""
    return line[: match.start()].strip(), line[match.start() :].strip()
