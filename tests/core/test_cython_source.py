# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.cython_source import imports_of_cython
from pyvarium.imports import UnparsableError

SOURCE = b"""# cython: language_level=3
import numpy as np, cython
cimport numpy as np
from libc.math cimport sin
from . import a, b
from c.d import (
    e,  # f
    g,
)
'import h'
cdef class i:
    cpdef j(self, double[:] k) except -1:
        '''
        import l
        '''
        import m; n()
try:
    import o
except ImportError:
    import p
if TYPE_CHECKING:
    import q
IF UNAME:
    import r
"""


def test_statements_and_labels() -> None:
    found = [
        (
            one.line,
            "." * one.level + one.module,
            one.name,
            sorted(label.value for label in one.labels),
        )
        for one in imports_of_cython(SOURCE)
    ]
    assert found == [
        (2, "numpy", None, []),
        (5, ".", "a", []),
        (5, ".", "b", []),
        (6, "c.d", "e", []),
        (6, "c.d", "g", []),
        (16, "m", None, ["lazy"]),
        (18, "o", None, ["optional"]),
        (20, "p", None, ["fallback"]),
        (22, "q", None, ["typing"]),
        (24, "r", None, ["conditional"]),
    ]


@given(st.binary() | st.text().map(str.encode))
def test_whatever_is_read_nothing_but_unparsable_is_raised(source: bytes) -> None:
    try:
        imports_of_cython(source)
    except UnparsableError:
        assert b"\0" in source


def test_line_ends() -> None:
    [one] = imports_of_cython(b"\r\nimport a\r\n")
    assert (one.module, one.line) == ("a", 2)


def test_binary() -> None:
    with pytest.raises(UnparsableError, match="is binary"):
        imports_of_cython(b"import a\0")
