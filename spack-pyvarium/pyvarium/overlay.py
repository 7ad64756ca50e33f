# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a recipe says already of the versions that another one adds to it. Pure.

All that it says without a bound holds for newer versions too, wanted or not: a recipe can add to
what it extends, but take nothing away.
"""

from __future__ import annotations

from typing import Iterator, Tuple

from .evaluation import Asked, asked, excludes, implies
from .grid import Cells, Grid
from .recipe import Dependency, Existing, Unsaid
from .versions import selects


def inherited(
    existing: Existing, some: Grid, label: str, wanted: Dependency, cells: Cells, extra: str = ""
) -> Cells:
    """The cells where it asks for no less than what is wanted."""
    return sum(
        1 << bit
        for bit, given in _given(existing, some, label, wanted, cells, extra)
        if set(wanted.variants) <= given.variants and implies(given, wanted.versions)
    )


def contradictions(
    existing: Existing, some: Grid, label: str, wanted: Dependency, cells: Cells, extra: str = ""
) -> Iterator[Unsaid]:
    """That it asks for what excludes what is wanted, so that the version cannot be built."""
    found = (given for _, given in _given(existing, some, label, wanted, cells, extra))
    for given in dict.fromkeys(found):
        if excludes(given, wanted.versions):
            ranges = " and ".join(f"@{text}" for text in sorted(given.versions))
            reason = f"the recipe that this one extends asks for {ranges}"
            yield Unsaid(wanted.spec, reason, wanted.name, (label,))


def _given(
    existing: Existing, some: Grid, label: str, wanted: Dependency, cells: Cells, extra: str
) -> Iterator[Tuple[int, Asked]]:
    """What it asks of the same dependency, by cell."""
    dependencies = [
        one
        for one in existing.dependencies
        if one.name == wanted.name and selects(one.when.versions, label)
    ]
    on = {*existing.enabled, *([f"+{extra}"] if extra else [])}
    for bit, cell in enumerate(some.cells(some.all) if dependencies else ()):
        if cells >> bit & 1:
            given = asked(dependencies, label, cell, on, wanted.types[-1:])
            if wanted.name in given:
                yield bit, given[wanted.name]
