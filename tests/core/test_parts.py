# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Parts of a pack that are about as large as each other."""

from __future__ import annotations

import os
from typing import Dict, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium import parts
from pyvarium.parts import LEAST, divide, part_of


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param({"a/x": LEAST, "b/x": LEAST - 20_000}, (), id="small"),
        pytest.param({"a/x": 2 * LEAST, "b/x": 2 * LEAST}, ("a",), id="halves"),
        pytest.param({"a/x": 9 * LEAST}, (), id="one file"),
        pytest.param({"a/x": 9 * LEAST, "a/y": 9 * LEAST}, (), id="one directory"),
        pytest.param(
            {"a/x": 3 * LEAST, "a/b/x": 3 * LEAST, "c/d/x": 3 * LEAST, "c/d/e/x": 3 * LEAST},
            ("a", "a/b", "c/d/e"),
            id="one in another",
        ),
        pytest.param({"a b/x": 2 * LEAST, "é/x": 2 * LEAST}, (), id="no words for a shell"),
        pytest.param(
            {f"{letter}/x": 2 * LEAST for letter in "abcdefgh"}, ("a", "b", "c"), id="not too many"
        ),
        pytest.param({**{f"a/{n}": 0 for n in range(2000)}, "b/x": 3 * LEAST}, ("a",), id="many"),
    ],
)
def test_divided(sizes: Dict[str, int], expected: Tuple[str, ...]) -> None:
    assert divide(sizes) == expected


def test_a_member_is_in_the_innermost_part() -> None:
    roots = ("a", "a/b")
    names = ("a", "a/x", "a/bc", "a/b", "a/b/c/x", "ab", "x")
    assert [part_of(name, roots) for name in names] == ["a", "a", "a", "a/b", "a/b", "", ""]


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(sizes=st.dictionaries(NAMES, st.integers(0, 50), max_size=12))
def test_any_sizes(sizes: Dict[str, int]) -> None:
    """Each part is large enough, none is a file, and an outer one comes before an inner one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "LEAST", 10)
        patch.setattr(parts, "_PER_FILE", 1)
        roots = divide(sizes)
    assert len(roots) < parts.MOST
    assert list(roots) == sorted(set(roots))
    costs = dict.fromkeys(("", *roots), 0)
    for name, size in sizes.items():
        costs[part_of(os.path.dirname(name), roots)] += size + 1
    assert not roots or min(costs.values()) >= 10
