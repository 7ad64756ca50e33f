# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Find on what it depends that a file is imported at all, by the files that import it. Pure.

Files are named by their paths, as the imports that lead to them have them.
"""

from __future__ import annotations

import os
from typing import Dict, List, Mapping, Set, Tuple

from .imports import NONE, TRIED, Label, Labels

INIT = "__init__.py"
#: What only these would run is not followed.
NOT_RUN = frozenset((Label.TYPING, Label.ELSEWHERE))
#: Where each file leads to, on which conditions: of several, those that ask for least.
Ways = Dict[str, Dict[str, Labels]]
#: The highest rank.
_NEVER = 4


def add_way(leading: Dict[str, Labels], name: str, labels: Labels) -> None:
    """Add where a file leads to."""
    known = leading.get(name)
    if known is None or (known is not labels and _rank(labels) < _rank(known)):
        leading[name] = labels


def reached(own: Set[str], copies: Set[str], ways: Ways) -> Mapping[str, Labels]:
    """On what each file depends that is reached, by the way to it that asks for least.

    The ways begin at packages, and at what no other of one's ``own`` files imports: its users may.
    Copies of other projects are reached only from these.
    """
    imported = {other for name in own for other in ways[name] if other != name}
    starts = [name for name in own if name not in imported or _is_start(name, own)]
    found: Dict[str, Labels] = {}
    waiting: List[List[Tuple[str, Labels]]] = [[] for _ in range(_NEVER + 1)]
    waiting[0] += ((name, NONE) for name in starts)
    for rank, here in enumerate(waiting):
        for name, labels in here:
            if name in found or not (name in own or name in copies):
                continue
            found[name] = labels
            for other, more in (*ways[name].items(), (_package_of(name), NONE)):
                if other not in found:
                    there = labels | _inherited(more) if more else labels
                    waiting[max(rank, _rank(there))].append((other, there))
    return found


def _rank(labels: Labels) -> int:
    """How much asks what has such labels: to be called, to be installed, or another python."""
    if not labels:
        return 0
    return _NEVER if labels & NOT_RUN else 2 * bool(labels & TRIED) + (Label.LAZY in labels)


def _inherited(labels: Labels) -> Labels:
    """What of its labels holds for all that the file imports to which it leads."""
    if labels & TRIED:
        labels |= {Label.OPTIONAL}
    return labels & {Label.OPTIONAL, Label.LAZY, *NOT_RUN}


def _is_start(name: str, own: Set[str]) -> bool:
    """Whether it is what python runs of a package first."""
    file = os.path.basename(name)
    return file == "__main__.py" or (file == INIT and _package_of(name) not in own)


def _package_of(name: str) -> str:
    """The file that python runs before it."""
    folder, file = os.path.split(name)
    folder = os.path.dirname(folder) if file == INIT else folder
    return f"{folder}/{INIT}" if folder else INIT
