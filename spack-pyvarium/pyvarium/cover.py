# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The fewest conditions that together say on which cells something holds, by version. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Tuple

from .grid import Box, Cells, Condition, Grid
from .versions import covering


@dataclass(frozen=True)
class Claim:
    """On which cells something must hold for a version, and on which it may.

    It may also where it does not matter. ``said`` are the cells of which the metadata says it,
    though it may matter on fewer.
    """

    must: Cells = 0
    may: Cells = 0
    said: Cells = 0


def conditions(
    some: Grid, claims: Mapping[str, Claim], labels: List[str], variants: Tuple[str, ...] = ()
) -> Iterator[Condition]:
    """Cover what must hold and nothing that may not, of versions among the ``labels``."""
    boxes = _chosen(some, claims)
    hits: Dict[Box, List[str]] = {box: [] for box in boxes}
    for label, claim in claims.items():
        for box in _needed(claim, boxes):
            hits[box].append(label)
    for box, wanted in hits.items():
        if wanted:
            free = [label for label, claim in claims.items() if not box.cells & ~claim.may]
            yield Condition(
                covering(wanted, labels, free), variants, box.platform, box.target, box.python
            )


def _needed(claim: Claim, boxes: List[Box]) -> List[Box]:
    """The boxes that cover one version: a single one if it can be."""
    sound = [box for box in boxes if box.cells & claim.must and not box.cells & ~claim.may]
    alone = [box for box in sound if not claim.must & ~box.cells]
    if alone:
        return [min(alone, key=lambda box: box.words)]
    found, left = [], claim.must
    for box in sound:
        if box.cells & left:
            found.append(box)
            left &= ~box.cells
    return found


def _chosen(some: Grid, claims: Mapping[str, Claim]) -> List[Box]:
    """Boxes that are enough for all. The next is the one that covers the most that is left."""
    candidates = {
        box
        for claim in set(claims.values())
        if claim.must
        for cells in (claim.may, claim.said)
        for box in some.boxes(cells & some.all)
    }
    # Most versions are alike, so each kind is counted once, as often as there are versions of it.
    left: Dict[Tuple[Cells, Cells], int] = defaultdict(int)
    for claim in claims.values():
        if claim.must:
            left[claim.must, claim.may] += 1
    chosen = []
    while left:
        best = max(candidates, key=lambda box: _worth(box, left))
        chosen.append(best)
        rest: Dict[Tuple[Cells, Cells], int] = defaultdict(int)
        for (must, may), count in left.items():
            still = must if best.cells & ~may else must & ~best.cells
            if still:
                rest[still, may] += count
        left = rest
    return chosen


def _worth(box: Box, left: Mapping[Tuple[Cells, Cells], int]) -> Tuple[object, ...]:
    """How much a box covers; of two that cover as much, the one said in fewer words."""
    covered = sum(
        bin(box.cells & must).count("1") * count
        for (must, may), count in left.items()
        if not box.cells & ~may
    )
    return covered, -box.words, -len(box.python), box.platform, box.target, box.python
