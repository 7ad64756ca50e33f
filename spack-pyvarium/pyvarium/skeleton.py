# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Shorten a Python source to what can hold an import, for a parser to read. Pure.

Parsing is nearly all that analysis costs, and most of a file has no import in it. A function or
class at the top level without the word is left out, with all up to the next one. What remains has
its lines where they were and means the same: a statement that begins with ``def`` or ``class`` in
the first column, outside of strings, begins anew at the top level.
"""

from __future__ import annotations

import re
from typing import Iterator

_WORD = b"import"
#: Strings and comments, to pass over them, and before which line a top-level definition begins.
#: Each begins with a plain character, by which the search leaps from one to the next.
_LEXEME = re.compile(
    rb"""\#[^\n]*"""
    rb"""|\"\"\"[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"\"\""""
    rb"""|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"""
    rb"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"""
    rb"""|\n(?=(?:async )?def |class )""",
    re.DOTALL,
)
#: What only Python 2 allows: such a file is parsed as a whole, so that the error is found.
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
    return _WORD in source


def skeleton(source: bytes) -> bytes:
    """The source without the definitions at its top level that cannot import."""
    if not _is_plain(source) or _PYTHON_2.search(source):
        return source
    pieces = []
    start = 0
    for end in (*_definitions(source), len(source)):
        piece = source[start:end]
        if _WORD not in piece:
            # A decorator may stand before it, which needs a definition.
            piece = (_LEFT_OUT if start else b"") + b"\n" * piece.count(b"\n")
        pieces.append(piece)
        start = end
    return b"".join(pieces)


def _definitions(source: bytes) -> Iterator[int]:
    for match in _LEXEME.finditer(source):
        if source[match.start()] == 0x0A:
            yield match.end()


def _is_plain(source: bytes) -> bool:
    if b"\r" in source and b"\r" in source.replace(b"\r\n", b""):
        return False  # A lone carriage return ends a line too, which ends a comment.
    for line in source.split(b"\n", 2)[:2]:
        cookie = _COOKIE.match(line)
        if cookie:
            return cookie[1].lower().replace(b"_", b"-") in _PLAIN
    return True
