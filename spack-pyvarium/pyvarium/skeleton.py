# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Shorten a Python source to what can hold an import, for a parser to read. Pure.

Parsing is nearly all that analysis costs, and most of a file has no import in it. A function or
class without the word is left out, with all up to the next one that is indented as it or less, and
so is what follows an import, up to the next. What remains has its lines where they were and means
the same: ``def``, ``class`` and ``import`` are in no expression, so a line that begins with one,
outside of strings, begins a statement.
"""

from __future__ import annotations

import functools
import re
from typing import Iterator, List, Pattern, Tuple

#: The statement, and the functions; no words that only begin so, as are in many comments.
_WORD = re.compile(rb"import(?![A-Za-z0-9])")
#: Strings and comments, to pass over them. Each begins with a plain character, by which the search
#: leaps from one to the next.
LEXEME = (
    rb"""\#[^\n]*"""
    rb"""|\"\"\"[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"\"\""""
    rb"""|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"""
    rb"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"""
)
#: And after them, before which line a definition or an import at the top level begins.
_TOP = re.compile(LEXEME + rb"|\n(?=(?:async )?def |class |import |from )", re.DOTALL)
#: The same for an indented one, which takes longer to find.
_INDENTED = re.compile(LEXEME + rb"|\n +(?=(?:async )?def |class |import |from )", re.DOTALL)
#: An import that is all of its line or lines.
_IMPORT = re.compile(
    rb" *(?:import [\w., ]+|from [\w.]+ import (?:[\w., ]+|\([\w.,\s]*\)))[ \r]*(?=\n)"
)
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
#: In these a quote is a quote, wherever it stands.
_PLAIN = (b"utf-8", b"utf8", b"ascii", b"us-ascii", b"latin-1", b"iso-8859-1", b"iso-8859-15")
_DEFINITIONS = (b"def ", b"class ", b"async def ")
_LEFT_OUT = b"def _():0"


def may_import(source: bytes) -> bool:
    """Whether a source can import anything at all."""
    return _may_import(source, 0, len(source))


def _may_import(source: bytes, start: int, end: int) -> bool:
    at = source.find(b"import", start, end)  # This is quicker.
    return at >= 0 and bool(_WORD.search(source, at, end))


def skeleton(source: bytes) -> bytes:
    """The source without the functions and classes that cannot import, nor what is between."""
    if not _is_plain(source):
        return source
    # What such a call imports may be the value of a name at the top level.
    calls = b"import_module" in source or b"__import__" in source
    pieces: List[bytes] = []
    kept = start = 0
    for end in (*_statements(source), len(source)):
        cut, left = end, b""
        if not _may_import(source, start, end):
            # A decorator may stand before it, which needs a definition.
            cut, left = start, _LEFT_OUT if start else b""
        elif start and source.startswith(_DEFINITIONS, start):
            pieces += (source[kept:start], *_pruned(source[start:end]))
            kept = end
        elif not calls:
            statement = _IMPORT.match(source, start, end)
            if statement is not None and not _may_import(source, statement.end(), end):
                cut = statement.end()
        if cut < end:
            pieces += (source[kept:cut], left, b"\n" * source.count(b"\n", cut, end))
            kept = end
        start = end
    return b"".join((*pieces, source[kept:]))


def _statements(source: bytes) -> Iterator[int]:
    """Where definitions and imports at the top level begin, up to the first behind all imports."""
    last = _last(source)
    for match in _TOP.finditer(source):
        if source[match.start()] == 0x0A:
            yield match.end()
            if match.end() > last:
                return


def _last(source: bytes) -> int:
    at = source.rfind(b"import")
    while at >= 0 and not _WORD.match(source, at):
        at = source.rfind(b"import", 0, at)
    return at


def _pruned(source: bytes) -> Iterator[bytes]:
    """The pieces of a definition at the top level without what in it cannot import.

    These are other definitions, and what follows the last import of a function.
    """
    lines = [] if b"\t" in source else list(_indented(source))
    start = 0
    around = [(0, 0)]
    for number, (begin, indent) in enumerate(lines):
        if begin < start:
            continue  # It is in what is left out.
        while indent <= around[-1][1] and len(around) > 1:
            around.pop()
        statement = _IMPORT.match(source, begin)
        first, outer = around[-1]
        if statement is None:
            around.append((begin, indent))
            end = _end(source, lines, number, indent)
            if _may_import(source, begin, end) or _dedented(indent).search(source, begin, end):
                continue
            left = b" " * indent + _LEFT_OUT
        else:
            # Nothing but the function is around it, so that nothing follows on which it depends.
            begin = statement.end()
            end = _end(source, lines, number, outer)
            if (
                _may_import(source, begin, end)
                or _dedented(indent).search(source, first, begin)
                or _dedented(outer).search(source, first, end)
            ):
                continue
            left = b""
        yield source[start:begin]
        yield left + b"\n" * source.count(b"\n", begin, end)
        start = end
    yield source[start:]


def _indented(source: bytes) -> Iterator[Tuple[int, int]]:
    """Where the lines of indented definitions and imports begin, and how far they are indented."""
    for match in _INDENTED.finditer(source):
        if source[match.start()] == 0x0A:
            yield match.start() + 1, match.end() - match.start() - 1


def _end(source: bytes, lines: List[Tuple[int, int]], number: int, indent: int) -> int:
    """Where the next definition begins that is indented as far, or less."""
    for begin, other in lines[number + 1 :]:
        if other <= indent and _IMPORT.match(source, begin) is None:
            return begin
    return len(source)


@functools.lru_cache(maxsize=100)
def _dedented(indent: int) -> Pattern[bytes]:
    """A line that is indented less: perhaps it belongs to what begins further out.

    The end of a head in brackets does not.
    """
    return re.compile(rb"\n(?! {%d}|[ \r]*(?:\n|\Z)| *\)[^\n]*:[ \r]*\n)" % indent)


def _is_plain(source: bytes) -> bool:
    if b"\r" in source and b"\r" in source.replace(b"\r\n", b""):
        return False  # A lone carriage return ends a line too, which ends a comment.
    for line in source.split(b"\n", 2)[:2]:
        cookie = _COOKIE.match(line)
        if cookie:
            return cookie[1].lower().replace(b"_", b"-") in _PLAIN
    return True
