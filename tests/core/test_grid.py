# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""For which cells a marker holds, and which conditions select them."""

from __future__ import annotations

from typing import Optional, Set

import pytest
from hypothesis import given, settings
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from made_projects import MARKERS
from pyvarium.evaluation import holds
from pyvarium.grid import Condition, grid, values_of


def conditions(text: str) -> Optional[Set[str]]:
    """The largest boxes in which a marker holds, but for those that others hold."""
    marker = Marker(text)
    cells = grid([], [marker])
    found = cells.holding(marker)
    if found is None:
        return None
    boxes = list(cells.boxes(found))
    return {
        str(Condition("", (), box.platform, box.target, box.python)) or "always"
        for box in boxes
        if not any(
            box is not other
            and box.cells & ~other.cells == 0
            and (box.cells != other.cells or other.words < box.words)
            for other in boxes
        )
    }


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("python_version < '3.11'", {"^python@:3.10"}),
        ("python_version >= '3.11'", {"^python@3.11:"}),
        ("python_version <= '3.9'", {"^python@:3.9"}),
        ("python_version > '3.9'", {"^python@3.10:"}),
        ("python_version == '3.9'", {"^python@3.9"}),
        ("python_version != '3.9'", {"^python@:3.8,3.10:"}),
        ("python_version in '3.8 3.9'", {"^python@3.8:3.9"}),
        ("python_version >= '3'", {"always"}),
        ("python_version < '3'", set()),
        ("python_full_version < '3.11.3'", {"^python@:3.11.2"}),
        ("python_full_version <= '3.11.3'", {"^python@:3.11.3"}),
        ("python_full_version == '3.11.3'", {"^python@3.11.3"}),
        ("python_full_version > '3.11.3'", {"^python@3.11.4:"}),
        ("python_full_version >= '3.13.0rc1'", {"^python@3.13:"}),
        ("python_full_version < '3.9'", {"^python@:3.8"}),
        ("python_full_version <= '3.9'", {"^python@:3.9.0"}),
        ("python_full_version == '3.9.*'", {"^python@3.9"}),
        ("sys_platform == 'win32'", {"platform=windows"}),
        ("sys_platform != 'win32'", {"platform=linux", "platform=darwin"}),
        ("platform_system == 'Darwin'", {"platform=darwin"}),
        ("os_name == 'posix'", {"platform=linux", "platform=darwin"}),
        (
            "platform_machine == 'x86_64'",
            {"platform=linux target=x86_64:"} | {"platform=darwin target=x86_64:"},
        ),
        ("platform_machine == 'arm64'", {"platform=darwin target=aarch64:"}),
        ("platform_machine == 'x86_64' or platform_machine == 'AMD64'", {"target=x86_64:"}),
        (
            "sys_platform == 'linux' and python_version < '3.9'",
            {"platform=linux ^python@:3.8"},
        ),
        (
            "sys_platform == 'win32' or python_version < '3.9'",
            {"platform=windows", "^python@:3.8"},
        ),
        ("platform_python_implementation != 'PyPy'", {"always"}),
        ("implementation_name == 'pypy'", set()),
        ("platform_release >= '5.0'", None),
        ("platform_version == 'x' and implementation_name == 'pypy'", set()),
        ("'arm' in platform_machine", {"platform=darwin target=aarch64:"}),
    ],
)
def test_markers(marker: str, expected: Optional[Set[str]]) -> None:
    assert conditions(marker) == expected


def test_an_extra_adds_cells() -> None:
    marker = Marker("extra == 'x' or python_version < '3.8'")
    cells = grid([], [marker])
    assert cells.python_range(cells.holding(marker) or 0) == ":3.7"
    assert cells.holding(marker, "x") == cells.all


def test_cells_that_a_python_range_admits() -> None:
    specifier = SpecifierSet(">=3.9,!=3.9.7")
    cells = grid([specifier], [])
    assert cells.python_range(cells.allowing(specifier)) == "3.9:3.9.6,3.9.8:"


@given(MARKERS)
@settings(max_examples=100, deadline=None)
def test_boxes_select_the_cells_where_a_marker_holds(text: str) -> None:
    """``packaging`` decides on each cell."""
    marker = Marker(text)
    cells = grid([], [marker])
    found = [
        Condition("", (), b.platform, b.target, b.python)
        for b in cells.boxes(cells.holding(marker, "x") or 0)
    ]
    for cell in cells.cells(cells.all):
        expected = marker.evaluate({**values_of(cell), "extra": "x"})
        assert expected == any(holds(one, "1.0", cell, ()) for one in found)
