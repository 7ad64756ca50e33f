# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Divide what goes into a pack into parts that are packed, and unpacked, at the same time. Pure.

A part is what is below one directory, but for what other parts have of it. So each can be unpacked
into a directory of its own, where no link of another part is, and a rename puts it in its place.
"""

from __future__ import annotations

import os
import re
from typing import Dict, Mapping, Tuple

#: The most parts: nodes have few processors for one task, and each begins without what matches.
MOST = 4
#: What is smaller, in bytes, gains nothing.
LEAST = 8 << 20
#: A file takes as long as so many bytes, to be found and made.
_PER_FILE = 16 << 10
#: Names that a shell can read as words.
_WORDS = re.compile(r"[\w.+-]+(/[\w.+-]+)*", re.ASCII)


def divide(sizes: Mapping[str, int]) -> Tuple[str, ...]:
    """The directories that are parts, beside the rest; one that is in another comes behind it.

    ``sizes`` are those of the files, by member name. What takes longest is halved as well as it
    can be, until there are enough, or nothing is left that gains by it.
    """
    own: Dict[str, int] = {}
    for name, size in sizes.items():
        directory = os.path.dirname(name)
        own[directory] = own.get(directory, 0) + size + _PER_FILE
    parts: Dict[str, Dict[str, int]] = {"": own}
    while len(parts) < MOST:
        root = max(parts, key=lambda one: (sum(parts[one].values()), one))
        below = _totals(parts[root], root)
        whole = sum(parts[root].values())
        chosen = min(below, key=lambda one: (abs(2 * below[one] - whole), one), default=root)
        if not LEAST <= below.get(chosen, 0) <= whole - LEAST:
            break
        inner = {one: cost for one, cost in parts[root].items() if is_below(one, chosen)}
        parts[chosen] = inner
        parts[root] = {one: cost for one, cost in parts[root].items() if one not in inner}
    return tuple(sorted(one for one in parts if one))


def part_of(name: str, roots: Tuple[str, ...]) -> str:
    """The directory, of those that are parts, that a member is in; empty for the rest."""
    return max((one for one in roots if is_below(name, one)), key=len, default="")


def is_below(name: str, directory: str) -> bool:
    """Whether a member is a directory, or in it at any depth."""
    return name == directory or name.startswith(f"{directory}/")


def _totals(own: Mapping[str, int], root: str) -> Dict[str, int]:
    """What is in each directory below one, at any depth."""
    found: Dict[str, int] = {}
    for directory, cost in own.items():
        while directory != root:
            found[directory] = found.get(directory, 0) + cost
            directory = os.path.dirname(directory)
    return {one: cost for one, cost in found.items() if _WORDS.fullmatch(one)}
