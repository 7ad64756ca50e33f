# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Shorten a Python source to what can hold an import, for a parser to read. Pure.

Parsing is nearly all that analysis costs, and most of a file has no import in it. A function or
class without the word is left out, with all up to the next one that is indented as it or less.
What remains has its lines where they were and means the same: ``def`` and ``class`` are in no
expression, so a line that begins with one, outside of strings, begins a statement.
"""

from __future__ import annotations

import functools
import re
from typing import Iterator, List, Pattern, Tuple

#: The statement, and the functions; no words that only begin so, as are in many comments.
_WORD = re.compile(rb"import(?![A-Za-z0-9])")
#: Strings and comments, to pass over them. Each begins with a plain character, by which the search
#: leaps from one to the next.
_LEXEME = (
    rb"""\#[^\n]*"""
    rb"""|\"\"\"[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"\"\""""
    rb"""|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"""
    rb"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"""
)
#: And after them, before which line a definition at the top level begins.
_TOP = re.compile(_LEXEME + rb"|\n(?=(?:async )?def |class )", re.DOTALL)
#: The same for an indented one, which takes longer to find, and for an import.
_INDENTED = re.compile(_LEXEME + rb"|\n +(?=(?:async )?def |class |import |from )", re.DOTALL)
#: An import that is all of its line or lines.
_IMPORT = re.compile(
    rb" *(?:import [\w., ]+|from [\w.]+ import (?:[\w., ]+|\([\w.,\s]*\)))[ \r]*(?=\n)"
)
#: What only Python 2 allows: such a file is parsed as a whole, so that the error is found. The
#: first are by a word that is quickly looked for, and in all that the last finds.
_PERHAPS_PYTHON_2 = (
    (b"print ", re.compile(rb"print[ \t]+[^\s=(.,:\[)]")),
    (b"exec ", re.compile(rb"exec[ \t]+[\"'\w]")),
    (b"raise ", re.compile(rb"raise[ \t]+[\w.]+[ \t]*,")),
    (b"except ", re.compile(rb"except[ \t]+[\w.]+[ \t]*,")),
)
_PYTHON_2 = re.compile(rb"print[ \t]|exec[ \t]|raise[ \t]+[\w.]+[ \t]*,|except[ \t]+[\w.]+[ \t]*,")
_PYTHON_2 = re.compile(
    rb"\n[ \t]*(?:print[ \t]+[^\s=(.,:\[)]|exec[ \t]+[\"'\w]"
    rb"|(?:raise|except)[ \t]+[\w.]+[ \t]*,)"
)
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
#: In these a quote is a quote, wherever it stands.
_PLAIN = (b"utf-8", b"utf8", b"ascii", b"us-ascii", b"latin-1", b"iso-8859-1", b"iso-8859-15")
_LEFT_OUT = b"def _():0"


def may_import(source: bytes) -> bool:
    """Whether a source can import anything at all."""
    return bool(_WORD.search(source))


def skeleton(source: bytes) -> bytes:
    """The source without the functions and classes that cannot import."""
    if not _is_plain(source) or _is_python_2(source):
        return source
    pieces = []
    start = 0
    for end in (*_definitions(source), len(source)):
        if not _WORD.search(source, start, end):
            # A decorator may stand before it, which needs a definition.
            pieces.append(_LEFT_OUT if start else b"")
            pieces.append(b"\n" * source.count(b"\n", start, end))
        elif start:
            pieces.extend(_pruned(source[start:end]))
        else:
            pieces.append(source[:end])
        start = end
    return b"".join(pieces)


def _definitions(source: bytes) -> Iterator[int]:
    for match in _TOP.finditer(source):
        if source[match.start()] == 0x0A:
            yield match.end()


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
            if _WORD.search(source, begin, end) or _dedented(indent).search(source, begin, end):
                continue
            left = b" " * indent + _LEFT_OUT
        else:
            # Nothing but the function is around it, so that nothing follows on which it depends.
            begin = statement.end()
            end = _end(source, lines, number, outer)
            if (
                _WORD.search(source, begin, end)
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


def _is_python_2(source: bytes) -> bool:
    perhaps = any(word in source and one.search(source) for word, one in _PERHAPS_PYTHON_2)
    return perhaps and bool(_PYTHON_2.search(source))


def _is_plain(source: bytes) -> bool:
    if b"\r" in source and b"\r" in source.replace(b"\r\n", b""):
        return False  # A lone carriage return ends a line too, which ends a comment.
    for line in source.split(b"\n", 2)[:2]:
        cookie = _COOKIE.match(line)
        if cookie:
            return cookie[1].lower().replace(b"_", b"-") in _PLAIN
    return True
