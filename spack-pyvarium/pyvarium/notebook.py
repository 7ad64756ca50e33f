# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read the Python of a notebook (https://nbformat.readthedocs.io), without what is IPython's.

The cells become one source, so that a function in one cell may use the imports of another. What
is not Python, lines for IPython or a shell, becomes ``pass``; lines keep their number in the cell.
"""

from __future__ import annotations

import ast
import bisect
import json
import re
import shlex
from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Optional, Tuple

from .imports import UnparsableError, parse

#: Cell magics whose cell is Python all the same.
_PYTHON_CELLS = ("%%time", "%%timeit", "%%capture", "%%prun", "%%python", "%%python3")
_MAGIC = re.compile(r"(?P<indent>[ \t]*)(?:[%!?]|.*(?<=[\w\])])\?{1,2}[ \t]*$)")
_ASSIGNED = re.compile(r"(?P<indent>[ \t]*)[\w.,\[\] \t]+=[ \t]*[!%](?!=)")
_INSTALLS = re.compile(
    r"[ \t]*[%!][ \t]*(?:(?:uv[ \t]+)?pip3?|python3?[ \t]+-m[ \t]+pip"
    r"|\{?sys\.executable\}?[ \t]+-m[ \t]+pip)[ \t]+install[ \t]+(?P<words>.*)"
)
#: Options of ``pip install`` that take a word of their own.
_WITH_VALUE = (
    "-r",
    "-c",
    "-i",
    "-f",
    "-t",
    "-e",
    "--target",
    "--index-url",
    "--find-links",
    "--extra-index-url",
    "--requirement",
    "--constraint",
    "--prefix",
    "--root",
    "--editable",
    "--python",
    "--proxy",
    "--retries",
    "--timeout",
    "--trusted-host",
    "--platform",
    "--abi",
    "--upgrade-strategy",
    "--cache-dir",
    "--log",
    "--progress-bar",
    "--python-version",
)


@dataclass(frozen=True)
class Notebook:
    """The Python of a notebook; ``requests`` are what it has pip install, by cell and line."""

    source: bytes
    cells: Tuple[Tuple[int, int], ...]
    """The first line of each cell in the source, and the cell's number in the notebook, from 1."""
    requests: Tuple[Tuple[int, str], ...] = ()
    skipped: Tuple[Tuple[int, str], ...] = ()

    def place(self, line: int) -> Tuple[int, int]:
        """The cell and the line in it that a line of the source is."""
        at = bisect.bisect_right(self.cells, (line, len(self.cells) + 10**9)) - 1
        first, cell = self.cells[max(at, 0)] if self.cells else (1, 1)
        return cell, line - first + 1


def parse_notebook(data: bytes) -> Notebook:
    """Parse a notebook of format 3 or 4; raises UnparsableError."""
    try:
        document = json.loads(data.decode("utf-8-sig"))
        language = _language(document)
        cells = list(_code_cells(document))
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise UnparsableError("is no notebook") from None
    if language not in (None, "python", "ipython"):
        raise UnparsableError(f"is a notebook of {language[:40]!r}, not of Python")
    lines: List[str] = []
    starts: List[Tuple[int, int]] = []
    requests: List[Tuple[int, str]] = []
    skipped: List[Tuple[int, str]] = []
    for number, text in cells:
        first = len(lines) + 1
        starts.append((first, number))
        own = _python_lines(text, first, requests)
        try:
            # What a cell leaves open would swallow the next one.
            ast.parse("\n".join(own)) if len(cells) > 1 else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            try:
                parse("\n".join(own).encode("utf-8", "replace"), whole=True)
            except UnparsableError as error:
                skipped.append((number, str(error)))
                own = []
        lines += own
    return Notebook(
        "\n".join([*lines, ""]).encode("utf-8", "replace"),
        tuple(starts),
        tuple(requests),
        tuple(skipped),
    )


def _language(document: Any) -> Optional[str]:
    metadata = document.get("metadata") or {}
    kernel, info = metadata.get("kernelspec") or {}, metadata.get("language_info") or {}
    language = info.get("name") or kernel.get("language")
    return language.lower() if isinstance(language, str) else None


def _code_cells(document: Mapping[str, Any]) -> Iterator[Tuple[int, str]]:
    sheets = document.get("worksheets", [document])
    cells = [cell for sheet in sheets for cell in sheet["cells"]]
    for number, cell in enumerate(cells, start=1):
        if cell.get("cell_type") == "code":
            text = cell.get("source", cell.get("input", ""))
            yield number, "".join(text) if isinstance(text, list) else str(text)


def _python_lines(text: str, first: int, requests: List[Tuple[int, str]]) -> List[str]:
    lines = text.split("\n")
    start = next((line.strip() for line in lines if line.strip()), "")
    if start.startswith("%%") and start.split()[0] not in _PYTHON_CELLS:
        return [""] * len(lines)
    kept = []
    continued = False
    for number, line in enumerate(lines):
        installs = _INSTALLS.match(line)
        if installs:
            requests += [(first + number, one) for one in _requests(installs["words"])]
        magic = _MAGIC.match(line) or _ASSIGNED.match(line)
        if continued:
            kept.append("")
        elif magic and not _is_python("\n".join(lines)):
            kept.append(f"{magic['indent']}pass")
        else:
            kept.append(line)
            continue
        continued = line.endswith("\\")
    return kept


def _is_python(text: str) -> bool:
    """Whether a cell is plain Python, where a line may begin with ``%`` as it stands in text."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _requests(words: str) -> Iterator[str]:
    try:
        split = shlex.split(words, comments=True)
    except ValueError:
        return
    takes_value = False
    for word in split:
        if takes_value:
            takes_value = False
        elif word in (";", "&&", "||", "|", "&"):
            return
        elif word.startswith("-"):
            takes_value = word in _WITH_VALUE
        else:
            yield word
