# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""For which pythons, platforms and machines a marker (PEP 508) holds, and how Spack says it. Pure.

A marker is any expression, a condition in a recipe is not: it has no "or" and no "not". So a
marker is evaluated on a grid of all that a recipe may be built for, and the cells where it holds
are covered again by conditions. The implementation is CPython, the only one that Spack has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Collection, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from .versions import covering

PYTHONS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
#: What Spack calls the platforms, and the families of targets that it has on each.
PLATFORMS: Mapping[str, Tuple[str, ...]] = {
    "linux": ("x86_64", "aarch64", "ppc64le", "riscv64"),
    "darwin": ("x86_64", "aarch64"),
    "windows": ("x86_64", "aarch64"),
}
#: What python calls them. The values of Linux that do not differ by machine are these too.
_PLATFORMS = {
    "linux": {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"},
    "darwin": {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"},
    "windows": {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"},
}
_MACHINES = {
    ("darwin", "aarch64"): "arm64",
    ("windows", "x86_64"): "AMD64",
    ("windows", "aarch64"): "ARM64",
}
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_OF_PYTHON = re.compile(r"\b(python_version|python_full_version|implementation_version)\b")
_OF_MICRO = re.compile(r"\b(python_full_version|implementation_version)\b")
_OF_PLACE = re.compile(r"\b(os_name|sys_platform|platform_system|platform_machine)\b")
#: What differs between machines that are one to Spack.
_OF_MACHINE = re.compile(r"\b(platform_release|platform_version)\b")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+")

#: A set of cells, one bit for each.
Cells = int


@dataclass(frozen=True)
class Cell:
    """A python ``X.Y.Z`` on a platform and a family of targets."""

    python: str
    platform: str
    target: str


@dataclass(frozen=True)
class Condition:
    """What a spec is to be for a directive to apply: the value of ``when``. Empty is always.

    ``versions`` and ``python`` are version lists without the ``@``, ``variants`` are written
    ``+x``, ``~x`` or ``x=y``, ``target`` is a family. ``other`` is whatever else a hand-written
    condition asks for, which is not understood here.
    """

    versions: str = ""
    variants: Tuple[str, ...] = ()
    platform: str = ""
    target: str = ""
    python: str = ""
    other: str = ""

    def __bool__(self) -> bool:
        return bool(str(self))

    def __str__(self) -> str:
        parts = (
            f"@{self.versions}" if self.versions else "",
            " ".join(self.variants),
            f"platform={self.platform}" if self.platform else "",
            f"target={self.target}:" if self.target else "",
            f"^python@{self.python}" if self.python else "",
            self.other,
        )
        return " ".join(part for part in parts if part)


ALWAYS = Condition()


@dataclass(frozen=True)
class Box:
    """Cells that one condition selects."""

    cells: Cells
    platform: str
    target: str
    python: str

    @property
    def words(self) -> int:
        return sum(map(bool, (self.platform, self.target, self.python)))


@dataclass(frozen=True)
class Grid:
    """The cells: each python ``X.Y.Z``, oldest first, in each place, a platform and a target."""

    pythons: Tuple[str, ...]
    places: Tuple[Tuple[str, str], ...]

    @property
    def all(self) -> Cells:
        return (1 << len(self.pythons) * len(self.places)) - 1

    def cells(self, some: Cells) -> List[Cell]:
        every = product(self.pythons, self.places)
        return [
            Cell(python, *place) for bit, (python, place) in enumerate(every) if some >> bit & 1
        ]

    def allowing(self, specifier: SpecifierSet) -> Cells:
        """The cells whose python a ``Requires-Python`` admits."""
        return sum(
            self._row(position)
            for position, python in enumerate(self.pythons)
            if specifier.contains(Version(python), prereleases=True)
        )

    def holding(self, marker: Optional[Marker], extra: str = "") -> Optional[Cells]:
        """The cells where a marker holds; None where Spack cannot tell."""
        return self.all if marker is None else _holding(self, marker, extra)

    def on(self, platform: str) -> Cells:
        """The cells of a platform."""
        every = enumerate(product(self.pythons, self.places))
        return sum(1 << bit for bit, (_, place) in every if place[0] == platform)

    def python_range(self, some: Cells) -> str:
        """What selects the pythons of some cells among those of the grid."""
        wanted = [one for at, one in enumerate(self.pythons) if some & self._row(at)]
        return covering(wanted, self.pythons)

    def boxes(self, allowed: Cells) -> Iterator[Box]:
        """The largest boxes in what is allowed: one at most for a platform, a target or both."""
        return iter(_boxes(self, allowed))

    def _row(self, position: int) -> Cells:
        width = len(self.places)
        return ((1 << width) - 1) << position * width


def grid(
    specifiers: Iterable[SpecifierSet],
    markers: Collection[Marker],
    pythons: Collection[str] = PYTHONS,
    platforms: Mapping[str, Tuple[str, ...]] = PLATFORMS,
) -> Grid:
    """A grid that is fine enough for these values of ``Requires-Python`` and these markers.

    Where one names a python ``X.Y.Z``, the ones before and after it become cells too.
    """
    named = {
        clause.version
        for one in specifiers
        for clause in one
        if clause.operator not in (">=", "<") or clause.version.count(".") > 1
    }
    for marker in markers:
        if _OF_MICRO.search(str(marker)):
            named.update(part for text in _QUOTED.findall(str(marker)) for part in _words(text))
    points = {(*map(int, python.split(".")), 0) for python in pythons}
    minors = {point[:2] for point in points}
    for text in named:
        release = _release(text)
        if release is not None and release[:2] in minors:
            micro = release[2]
            points.update((*release[:2], max(0, one)) for one in (micro - 1, micro, micro + 1))
    places = [(platform, target) for platform, targets in platforms.items() for target in targets]
    return Grid(tuple(".".join(map(str, point)) for point in sorted(points)), tuple(places))


def _words(quoted: str) -> List[str]:
    return re.split(r"[\s,|]+", quoted[1:-1])


def _release(text: str) -> Optional[Tuple[int, int, int]]:
    match = _VERSION.match(text)
    if match is None:
        return None
    try:
        numbers = (*Version(match[0]).release, 0)
    except InvalidVersion:
        return None
    return numbers[0], numbers[1], numbers[2]


@lru_cache(maxsize=4096)
def _holding(some: Grid, marker: Marker, extra: str) -> Optional[Cells]:
    text = str(marker)
    names = _QUOTED.sub("", text)
    literals = [quoted[1:-1] for quoted in _QUOTED.findall(text)]
    unknown = ["0", *literals] if _OF_MACHINE.search(names) else ["0"]
    pythons = some.pythons if _OF_PYTHON.search(names) else some.pythons[:1]
    places = some.places if _OF_PLACE.search(names) else some.places[:1]
    found: Dict[Tuple[str, Tuple[str, str]], bool] = {}
    for python, place in product(pythons, places):
        answers = set()
        for value in unknown:
            values = {**values_of(Cell(python, *place)), "extra": extra}
            values.update(platform_release=value, platform_version=value)
            try:
                answers.add(marker.evaluate(values))
            except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion, KeyError):
                return None
        if len(answers) > 1:
            return None
        found[python, place] = answers.pop()
    return sum(
        1 << bit
        for bit, (python, place) in enumerate(product(some.pythons, some.places))
        if found[
            python if len(pythons) > 1 else some.pythons[0],
            place if len(places) > 1 else some.places[0],
        ]
    )


def values_of(cell: Cell) -> Dict[str, str]:
    """The values of a marker's variables in a cell, but for those that Spack cannot tell."""
    return {
        "python_version": cell.python.rpartition(".")[0],
        "python_full_version": cell.python,
        "implementation_name": "cpython",
        "implementation_version": cell.python,
        "platform_python_implementation": "CPython",
        "platform_machine": _MACHINES.get((cell.platform, cell.target), cell.target),
        **_PLATFORMS[cell.platform],
    }


@lru_cache(maxsize=4096)
def _boxes(some: Grid, allowed: Cells) -> Tuple[Box, ...]:
    platforms = ["", *dict.fromkeys(platform for platform, _ in some.places)]
    targets = ["", *dict.fromkeys(target for _, target in some.places)]
    width = len(some.places)
    boxes = []
    for platform, target in product(platforms, targets):
        row = sum(
            1 << position
            for position, place in enumerate(some.places)
            if platform in ("", place[0]) and target in ("", place[1])
        )
        rows = (row << position * width for position in range(len(some.pythons)))
        cells = sum(one for one in rows if one & ~allowed == 0)
        if row and cells:
            boxes.append(Box(cells, platform, target, some.python_range(cells)))
    return tuple(boxes)
