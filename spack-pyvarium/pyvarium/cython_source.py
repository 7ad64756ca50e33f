# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Find what a Cython source imports when it is run, by its lines, as no parser reads it. Pure.

``cimport`` and ``import cython`` are for the compiler and do not count. On what an import depends
is told by the lines that are indented less, up to the top level; calls of ``import_module`` are
not looked for.
"""

from __future__ import annotations

import ast
import re
from typing import Dict, FrozenSet, List, Tuple

from .imports import Import, Label, Labels, UnparsableError
from .skeleton import LEXEME

_IMPORT = re.compile(LEXEME + rb"|\n[ \t]*(?=import[ \t]|from[ \t])", re.DOTALL)
_STATEMENT = re.compile(rb"[^\n#(]*(?:\([^)]*\))?")
_HEAD = re.compile(rb"([ \t]*)([A-Za-z]+)?(.*)")
_LABELS: Dict[bytes, Label] = {
    **dict.fromkeys((b"try",), Label.OPTIONAL),
    **dict.fromkeys((b"except",), Label.FALLBACK),
    **dict.fromkeys((b"if", b"elif", b"else", b"IF", b"ELIF", b"ELSE"), Label.CONDITIONAL),
    **dict.fromkeys((b"def", b"cdef", b"cpdef", b"async"), Label.LAZY),
}


def imports_of_cython(source: bytes) -> Tuple[Import, ...]:
    """What a source imports, in the order of its lines; raises UnparsableError."""
    if b"\0" in source:
        raise UnparsableError("is binary")
    text = b"\n" + source.replace(b"\r\n", b"\n")
    found: List[Import] = []
    for match in _IMPORT.finditer(text):
        if text[match.start()] != 0x0A:
            continue
        statement = _STATEMENT.match(text, match.end())
        assert statement is not None
        try:
            tree = ast.parse(statement[0].rstrip(b" \t;"))
        except (SyntaxError, ValueError):
            continue  # Of ``cimport``, mostly.
        line = text.count(b"\n", 0, match.end())
        labels = _labels(text[: match.start()], match.end() - match.start() - 1)
        found += [one for node in tree.body for one in _imported(node, line, labels)]
    return tuple(one for one in found if one.module.partition(".")[0] != "cython")


def _imported(node: ast.stmt, line: int, labels: Labels) -> List[Import]:
    if isinstance(node, ast.Import):
        return [Import(one.name, None, 0, line, labels, one.asname) for one in node.names]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return [
            Import(module, one.name, node.level, line, labels, one.asname) for one in node.names
        ]
    return []


def _labels(before: bytes, indent: int) -> FrozenSet[Label]:
    labels = set()
    for line in reversed(before.split(b"\n")):
        head = _HEAD.match(line)
        if indent == 0 or head is None or not line.strip() or len(head[1]) >= indent:
            continue
        indent = len(head[1])
        typing = head[2] == b"if" and b"TYPE_CHECKING" in head[3]
        label = Label.TYPING if typing else _LABELS.get(head[2] or b"")
        if label is not None:
            labels.add(label)
    return frozenset(labels)
