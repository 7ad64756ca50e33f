# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from typing import Dict

import pytest

from pyvarium.imports import Label
from pyvarium.ways import Ways, add_way, reached

LABELS = {one.value: one for one in Label}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("a>b b>c", {"a": "", "b": "", "c": ""}),
        ("a>b:lazy b>c:optional", {"a": "", "b": "lazy", "c": "lazy optional"}),
        ("a>b:lazy a>b", {"a": "", "b": ""}),
        ("a>b:fallback a>c:lazy c>b", {"a": "", "b": "lazy", "c": "lazy"}),
        ("a>b:typing", {"a": "", "b": "typing"}),
        ("a>b:conditional", {"a": "", "b": ""}),
        ("a>b b>a", {}),
        ("p/__init__.py>p/a:lazy p/a>p/__init__.py", {"p/__init__.py": "", "p/a": "lazy"}),
        ("p/q/__init__.py>p/q/a p/__init__.py>p/q/__init__.py:lazy",
         {"p/__init__.py": "", "p/q/__init__.py": "lazy", "p/q/a": "lazy"}),
        ("p/a>p/__init__.py:lazy p/__init__.py>p/b", {"p/a": "", "p/__init__.py": "", "p/b": ""}),
        ("a>-b -b>-c -d>-e", {"a": "", "-b": "", "-c": ""}),
    ],
)  # fmt: skip
def test_reached(said: str, expected: Dict[str, str]) -> None:
    """Copies have a name that begins with a dash."""
    ways: Ways = {}
    for one in said.split():
        way, _, label = one.partition(":")
        source, _, target = way.partition(">")
        add_way(ways.setdefault(source, {}), target, frozenset({LABELS[label]} if label else ()))
        ways.setdefault(target, {})
    copies = {one for one in ways if one.startswith("-")}
    found = reached(set(ways) - copies, copies, ways)
    shown = {name: " ".join(sorted(one.value for one in found[name])) for name in found}
    assert shown == {name: " ".join(sorted(text.split())) for name, text in expected.items()}
