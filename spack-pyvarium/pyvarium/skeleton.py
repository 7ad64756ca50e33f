# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Shorten a Python source to what can hold an import, for a parser to read. Pure.

Parsing is nearly all that analysis costs, and most of a file has no import in it. A function or
class without the word is left out, with all up to the next one that is indented as it or less.
So is what follows an import, up to the next, and in a function also what is before one. Words in
strings and comments do not count. What remains has its lines where they were and means the same:
``def``, ``class`` and ``import`` are in no expression, so a line that begins with one, outside of
strings, begins a statement.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
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
#: An import that is all of its line or lines, but for comments.
_IMPORT = re.compile(
    rb" *(?:import [\w., ]+|from [\w.]+ import (?:[\w., ]+|\((?:[\w.,\s]|#[^\n]*)*\)))"
    rb"[ \r]*(?:#[^\n]*)?(?=\n)"
)
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
#: In these a quote is a quote, wherever it stands.
_PLAIN = (b"utf-8", b"utf8", b"ascii", b"us-ascii", b"latin-1", b"iso-8859-1", b"iso-8859-15")
_DEFINITIONS = (b"def ", b"class ", b"async def ")
_FUNCTIONS = (b"def ", b"async def ")
_HEAD = b"def _():"
_LEFT_OUT = b"def _():0"


def may_import(source: bytes) -> bool:
    """Whether a source can import anything at all."""
    at = source.find(b"import")  # This is quicker.
    return at >= 0 and bool(_WORD.search(source, at))


def skeleton(source: bytes) -> bytes:
    """The source without the functions and classes that cannot import, nor what is between."""
    if not _is_plain(source):
        return source
    # What such a call imports may be the value of a name at the top level; it may be in a string
    # that is formatted.
    calls = b"import_module" in source or b"__import__" in source
    words = [match.start() for match in _WORD.finditer(source)]
    ends, words = _statements(source, words, calls)
    pieces: List[bytes] = []
    kept = start = 0
    for end in (*ends, len(source)):
        cut, left = end, b""
        if not _any(words, start, end):
            # A decorator may stand before it, which needs a definition.
            cut, left = start, _LEFT_OUT if start else b""
        elif start and source.startswith(_DEFINITIONS, start):
            own = [word - start for word in words[bisect_left(words, start) :] if word < end]
            pieces += (source[kept:start], *_pruned(source[start:end], own))
            kept = end
        elif not calls:
            statement = _IMPORT.match(source, start, end)
            if statement is not None and not _any(words, statement.end(), end):
                cut = statement.end()
        if cut < end:
            pieces += (source[kept:cut], left, b"\n" * source.count(b"\n", cut, end))
            kept = end
        start = end
    return b"".join((*pieces, source[kept:]))


def _any(words: List[int], start: int, end: int) -> bool:
    at = bisect_left(words, start)
    return at < len(words) and words[at] < end


def _statements(source: bytes, words: List[int], in_strings: bool) -> Tuple[List[int], List[int]]:
    """Where definitions and imports at the top level begin, and which words may import.

    Not those in comments, nor ``in_strings`` unless they are asked for; up to the first beginning
    behind all of them.
    """
    begins: List[int] = []
    outside: List[int] = []
    number, last = 0, len(words)
    for match in _TOP.finditer(source):
        start, end = match.span()
        while number < last and words[number] < start:
            outside.append(words[number])
            number += 1
        if source[start] == 0x0A:
            begins.append(end)
            if number == last:
                return begins, outside
        else:
            while number < last and words[number] < end:
                if in_strings:
                    outside.append(words[number])
                number += 1
    return begins, [*outside, *words[number:]]


def _pruned(source: bytes, words: List[int]) -> Iterator[bytes]:
    """The pieces of a definition at the top level without what in it cannot import.

    These are other definitions, and what is around the only imports of a function.
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
            if _any(words, begin, end) or _dedented(indent).search(source, begin, end):
                continue
            left = b" " * indent + _LEFT_OUT
        else:
            if _dedented(indent).search(source, first, begin):
                continue
            # Nothing but the function is around it: it depends on nothing before it, ...
            if source.startswith(_FUNCTIONS, first + outer) and not _any(
                words, max(first, start), begin
            ):
                if first >= start:
                    yield source[start:first]
                    yield b" " * outer + _HEAD
                yield b"\n" * source.count(b"\n", max(first, start), begin)
                yield source[begin : statement.end()]
                start = statement.end()
            # ... and nothing that follows depends on it.
            begin = statement.end()
            end = _end(source, lines, number, outer)
            if _any(words, begin, end) or _dedented(outer).search(source, first, end):
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
