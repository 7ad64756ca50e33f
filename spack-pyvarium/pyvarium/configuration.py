# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Put an entry into a configuration file of Spack's and take it out again, as text. Pure.

Spack's own writer drops the comments at the top of a file, and changes its quotes and indentation.
Here every other byte stays. This is no reader of YAML: whoever writes the result lets Spack read
it first, and refuses where it does not say what it should.
"""

from __future__ import annotations

import re
import textwrap
from typing import Callable, List, Optional, Sequence, Tuple

#: A line that is neither empty nor a comment.
_CONTENT = re.compile(r"( *)[^\s#]")
INDENTATION = "  "


def with_entry(text: str, keys: Sequence[str], entry: str) -> str:
    """Put an entry, an item of a list or of a mapping, first below the keys that lead to it."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if not keys:
        return "".join([*lines, entry])
    found = _find(lines, keys)
    if found is None:
        key = f"{keys[-1]}:\n{textwrap.indent(entry, INDENTATION)}"
        return with_entry(text, keys[:-1], key)
    first, _, indentation = found
    lines[first - 1] = re.sub(r"[ \t]*(\[\]|\{\})", "", lines[first - 1], count=1)
    return "".join([*lines[:first], textwrap.indent(entry, indentation), *lines[first:]])


def without_entries(text: str, keys: Sequence[str], ours: Callable[[str], bool]) -> str:
    """Take out the entries below the keys that are ours, and the key if no entry is left."""
    lines = text.splitlines(keepends=True)
    found = _find(lines, keys)
    if found is None:
        return text
    first, last, indentation = found
    at = [number for number in range(first, last) if _indentation(lines[number]) == indentation]
    starts = [number for number in at if _is_item(lines[number]) == _is_item(lines[at[0]])]
    entries = [_entry(lines, *ends) for ends in zip(starts, [*starts[1:], last])]
    removed = [ends for ends in entries if ours("".join(lines[slice(*ends)]))]
    if removed and len(removed) == len(entries):
        removed.insert(0, (first - 1, first))
    for start, end in reversed(removed):
        del lines[start:end]
    return "".join(lines)


def _find(lines: List[str], keys: Sequence[str]) -> Optional[Tuple[int, int, str]]:
    """The lines between which stands what is below the keys, and how far it is indented."""
    first, last, indentation = 0, len(lines), ""
    for key in keys:
        pattern = re.compile(
            rf"{indentation}(['\"]?){re.escape(key)}\1::?[ \t]*(\[\]|\{{\}})?\s*(#.*)?$"
        )
        at = next((at for at in range(first, last) if pattern.match(lines[at])), None)
        if at is None:
            return None
        first = at + 1
        outer = indentation
        last = next((end for end in range(first, last) if _ends(lines[end], outer)), last)
        found = (_indentation(line) for line in lines[first:last])
        indentation = next((one for one in found if one is not None), outer + INDENTATION)
    return first, last, indentation


def _is_item(line: str) -> bool:
    """Whether a line begins an item of a list; that may stand as far out as the list's key."""
    return re.match(r" *-\s", line) is not None


def _ends(line: str, outer: str) -> bool:
    """Whether a line ends what is below a key."""
    indentation = _indentation(line)
    if indentation is None or len(indentation) > len(outer):
        return False
    return len(indentation) < len(outer) or not _is_item(line)


def _entry(lines: List[str], start: int, end: int) -> Tuple[int, int]:
    """An entry without the comments and empty lines after it, which are of the next."""
    while end > start + 1 and _indentation(lines[end - 1]) is None:
        end -= 1
    return start, end


def _indentation(line: str) -> Optional[str]:
    match = _CONTENT.match(line)
    return match[1] if match else None
