# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.imports import Host, UnparsableError, imports_of, imports_of_function
from pyvarium.notebook import parse_notebook
from pyvarium.skeleton import skeleton

HOST = Host((3, 12), "linux")
LIBRARY = sorted(Path(os.__file__).parent.glob("*.py"))
#: Pieces of Python, and of what only looks like it.
PIECES = st.lists(
    st.sampled_from(
        [
            "import a\n", "import b.c as d, e\n", "from f import g\n", "from . import h\n",
            "def i():\n", "    import j\n", "class k:\n", "    def l(self):\n", "        pass\n",
            "    pass\n", '"""\n', "'''\n", "x = '\"\"\"'\n", "# it's\n", "try:\n",
            "except ImportError:\n", "@m\n", "async def n(): import o\n", "y = (1,\n", ")\n",
            "if x:\n", "else:\n", "z = 1 \\\n", "\r\n", "\t", "print 'x'\n", "f'{q}'\n", "pass\n",
            "__import__('r')\n", "import_module(s)\n", "\n", "    def t(self):\n",
            "        import u\n", "        from v import (w,\n", "    x)\n", "    ) -> y:\n",
            "    if z:\n", "        return\n", "    class aa:\n", "s = 'bb'\n",
            "from cc import dd; ee\n",
        ]
    ),
    max_size=14,
).map("".join)  # fmt: skip


def named(source: bytes) -> Set[str]:
    """What the parser of Python itself finds."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {alias.name for one in nodes if isinstance(one, ast.Import) for alias in one.names}
    return names | {"." * one.level + (one.module or "") for one in nodes
                    if isinstance(one, ast.ImportFrom)}  # fmt: skip


@given(PIECES | st.text())
def test_every_import_that_python_sees_is_reported(text: str) -> None:
    source = text.encode("utf-8", "surrogatepass")
    try:
        expected = named(source)
    except (SyntaxError, ValueError):
        return
    found = {"." * one.level + one.module for one in imports_of(source, HOST)}
    assert expected <= found


@given(PIECES)
def test_a_skeleton_says_the_same(text: str) -> None:
    source = text.encode()
    try:
        whole = imports_of(source, HOST, whole=True)
    except UnparsableError:
        return
    assert imports_of(source, HOST) == whole


@given(st.binary() | PIECES.map(str.encode) | st.text().map(lambda text: text.encode("utf-16")))
def test_whatever_is_read_nothing_but_unparsable_is_raised(source: bytes) -> None:
    for read in (
        lambda: imports_of(source, HOST),
        lambda: imports_of_function(source, "i", HOST),
        lambda: parse_notebook(source),
    ):
        try:
            read()
        except UnparsableError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("path", LIBRARY[::4], ids=lambda path: path.name)
def test_skeletons_of_the_standard_library(path: Path) -> None:
    source = path.read_bytes()
    assert imports_of(source, HOST) == imports_of(source, HOST, whole=True)


@pytest.mark.parametrize(
    ("source", "left"),
    [
        (
            b"import a\n@b\ndef c():\n    pass\n\ndef d():\n    import e\n",
            b"import a\n\ndef _():0\n\n\ndef _():\n    import e\n",
        ),
        (
            b"\nclass a:\n    def b():\n        e\n    def c():\n        import d\n        d()\n",
            b"\nclass a:\n    def _():0\n\n    def _():\n        import d\n\n",
        ),
        (
            b"\ndef a(\n) -> c:\n    from d import (\n        e\n    )\n    return e\nf = 1\n",
            b"\ndef _():\n\n    from d import (\n        e\n    )\n\n\n",
        ),
        (
            b'\ndef a():\n    """\n    import b\n    """\n    import c\n',
            b"\ndef _():\n\n\n\n    import c\n",
        ),
        (
            b"\ndef a():\n    b\n    import c  # d\n    from f import (\n  g,  # h\n    )\n",
            b"\ndef _():\n\n    import c  # d\n    from f import (\n  g,  # h\n    )\n",
        ),
        (b"\n'import a'\nimport b\n# import c\nd\n", b"\n\nimport b\n\n\n"),
    ],
    ids=["at the top level", "in a class", "behind an import", "string", "several", "comment"],
)
def test_what_is_left_out_keeps_its_lines(source: bytes, left: bytes) -> None:
    assert skeleton(source) == left


@pytest.mark.parametrize(
    "source",
    [
        b"\ndef a():\n    try:\n        import b\n    except ImportError:\n        b = 1\n",
        b"\nclass a:\n    def b(self): pass\nif c:\n    def d(): import e\n",
        b"\nclass a:\n    b\n    import c\n",
        b"\ndef a():\n    import b; c()\n",
        b"\ndef a():\n    if b:\n        c\n        import d\n",
        b"\ndef a():\n    f'{__import__(b)}'\n",
        b"\nimport_module(a)\nimport b\na = 'c'\n",
    ],
)
def test_what_an_import_depends_on_is_not_left_out(source: bytes) -> None:
    assert skeleton(source) == source
