# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Results as a table, and in documents: no figure that was measured is written by hand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import measuring
from measuring import TOP, Row

RESULTS = Path(__file__).resolve().parent / "results"
#: A text that was made of results, and of what: see ``rendered``.
REGION = re.compile(
    r"<!-- from results: (?P<part>[\w-]+)\n(?P<template>.*?)\n?-->\n?(?P<text>.*?)<!-- end -->",
    re.DOTALL,
)
#: A figure in a template.
_FIGURE = re.compile(r"\{([^{}]+)\}")


def table(results: Path) -> str:
    """All results, a line for each row, and the machines."""
    lines = [
        "| what | size | beside | ratio | bar | value | quartiles | memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    machines = []
    for path in sorted(results.glob("*.json")):
        data = measuring.read(path)
        lines += [_line(row) for row in data["rows"]]
        versions = "".join(f", {one}" for one in data["versions"].values())
        about = f"{data['date']}, {_machine(data['machine'])}{versions}"
        machines.append(f"- `{path.name}`: `{data['command']}`: {about}")
    return "\n".join([*lines, "", *machines])


def _line(row: Row) -> str:
    bar = "" if row.bar is None else f"{row.bar:,g} {'met' if row.met else 'MISSED'}"
    cells = [
        row.what,
        f"{row.size:,} {row.unit}",
        row.beside or "",
        "" if row.ratio is None else f"{row.ratio:.2f}",
        bar,
        f"{_number(row.value)} {row.measure}",
        "{:,.6g} to {:,.6g}".format(*row.spread) if row.spread else "",
        "" if row.memory is None else f"{row.memory:.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


def _machine(machine: Dict[str, Any]) -> str:
    load = "/".join(map(str, machine["load"]))
    return (
        f"{machine['processors']} processors ({machine['processor']}), {machine['system']},"
        f" Python {machine['python']}, load {load}"
    )


def documents(*, check: bool = False) -> int:
    """Render all regions of the documents anew; with ``check`` say which would be another."""
    stale = []
    for path in (TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))):
        before = path.read_text(encoding="utf-8")
        after = rendered(before, RESULTS)
        if before != after:
            stale.append(str(path.relative_to(TOP)))
            if not check:
                path.write_text(after, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'is not what the results say' if check else 'written'}", file=sys.stderr)
    return 3 if stale and check else 0


def rendered(text: str, results: Path) -> str:
    """A document with each region made of its template, which is in a comment before it.

    In a template ``{what; size; form}`` is a figure, and ``{what; size; beside; form}`` one of the
    row beside another thing. The ``form`` is one of the words in ``_shown``.
    """

    def region(match: re.Match[str]) -> str:
        rows = measuring.read(results / f"{match['part']}.json")["rows"]
        made = _FIGURE.sub(lambda one: _figure(one[1], rows), match["template"])
        return (
            f"<!-- from results: {match['part']}\n{match['template']}\n-->\n{made}\n<!-- end -->"
        )

    return REGION.sub(region, text)


def _figure(text: str, rows: List[Row]) -> str:
    what, size, *beside, form = (part.strip() for part in text.split(";"))
    found = [
        row
        for row in rows
        if (row.what, str(row.size)) == (what, size)
        and (not beside or row.beside == beside[0])
        and _shown(row, form) is not None
    ]
    if not found:
        raise LookupError(f"{{{text}}}: no such row in the results")
    return _shown(found[0], form) or ""


def _shown(row: Row, form: str) -> Optional[str]:
    """A figure of a row in words; None where it has none of that kind."""
    if form == "ratio":
        return None if row.ratio is None else f"{row.ratio:.2f}"
    if form == "memory":
        return None if row.memory is None else f"{row.memory:.0f} MB"
    if form in ("ms", "s") and row.measure == measuring.PROCESSOR:
        return f"{row.value:.0f} ms" if form == "ms" else f"{row.value / 1000:.2g} s"
    if form == "power" and row.measure == "power of size":
        return f"{row.value:.1f}"
    if form == "count" and row.measure not in (measuring.PROCESSOR, "power of size"):
        return _number(row.value)
    return None


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"
