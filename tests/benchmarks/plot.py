# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Draw how commands grow, as SVG: both axes are logarithmic, a straight line of 45° is linear."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Dict, List, Tuple

import measuring

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 24, 48
#: Readable on a light and on a dark page.
COLOURS = ("#0a84c6", "#d4711a", "#2e9e5b", "#8a63d2", "#b33a5e", "#7a7a7a", "#a08a2c")
WANTED = ("check", "sync", "verify", "pip list", "pip check", "uv pip list", "Pyvarium 0.2.0 sync")

Points = List[Tuple[float, float]]


def draw(source: Path, target: Path) -> None:
    series: Dict[str, Dict[float, float]] = {}
    for row in measuring.read(source)["rows"]:
        if row.measure == measuring.PROCESSOR and row.what in WANTED:
            series.setdefault(row.what, {})[row.size] = row.value / 1000
    target.write_text(
        render({name: list(points.items()) for name, points in series.items()}), encoding="utf-8"
    )


def render(series: Dict[str, Points]) -> str:
    every = [point for points in series.values() for point in points]
    across = _axis([x for x, _ in every])
    up = _axis([y for _, y in every])
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM

    def place(x: float, y: float) -> Tuple[float, float]:
        return (
            LEFT + (math.log10(x) - across[0]) / (across[1] - across[0]) * (right - LEFT),
            floor - (math.log10(y) - up[0]) / (up[1] - up[0]) * (floor - TOP),
        )

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="sans-serif" font-size="12" fill="#777">',
        "<title>Processor time by the number of provided distributions</title>",
    ]
    for power in range(across[0], across[1] + 1):
        x, _ = place(10.0**power, 10.0 ** up[0])
        lines.append(_rule(x, TOP, x, floor))
        lines.append(
            f'<text x="{x:.0f}" y="{floor + 18}" text-anchor="middle">{10**power:,}</text>'
        )
    for power in range(up[0], up[1] + 1):
        _, y = place(10.0 ** across[0], 10.0**power)
        text = f"{10.0**power:g} s"
        lines.append(_rule(LEFT, y, right, y))
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{text}</text>')
    middle = (LEFT + right) / 2
    label = "provided distributions, nothing to do"
    lines.append(f'<text x="{middle:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{label}</text>')
    ends = []
    for (name, points), colour in zip(series.items(), COLOURS):
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        ends.append([place(*points[-1])[1], name, colour])
    last = -math.inf
    for y, name, colour in sorted(ends):
        last = max(y, last + 15)  # Names do not cover one another.
        lines.append(f'<text x="{right + 8}" y="{last + 4:.0f}" fill="{colour}">{name}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _rule(*ends: float) -> str:
    x1, y1, x2, y2 = (f"{one:.1f}" for one in ends)
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#7775" stroke-width="1"/>'


def _axis(values: List[float]) -> Tuple[int, int]:
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
