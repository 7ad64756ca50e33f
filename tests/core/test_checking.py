# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a hand-written recipe says otherwise than the metadata of its versions."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from made_projects import project, release
from pyvarium.checking import check
from pyvarium.grid import Condition
from pyvarium.recipe import Dependency, Existing, Known

PYTHON = Dependency("python", "3.8:")


def found(
    dependencies: Tuple[Dependency, ...],
    requires: List[str],
    enabled: Tuple[str, ...] = (),
    variants: Tuple[str, ...] = (),
    extras: Tuple[str, ...] = (),
) -> List[str]:
    existing = Existing(
        "py-foo", "builtin", ("1.0",), dependencies, frozenset(variants), frozenset(enabled)
    )
    fetched = project(release("1.0", requires, extras=extras))
    known = {"bar": Known("py-bar", frozenset(), ("3.0", "2.0", "1.0"))}
    return [str(one) for one in check(existing, fetched, known.get, lambda *_: None)]


@pytest.mark.parametrize(
    ("dependencies", "requires", "expected"),
    [
        pytest.param((PYTHON, Dependency("py-bar", "2:")), ["bar>=2"], [], id="the-same"),
        pytest.param(
            (PYTHON,),
            ["bar>=2"],
            [
                "py-foo: missing: py-bar on python 3.8.0 to 3.14.0; upstream says >=2, the"
                " recipe none"
            ],
            id="missing",
        ),
        pytest.param(
            (PYTHON, Dependency("py-bar")),
            ["bar>=2"],
            [
                "py-foo: looser: py-bar on python 3.8.0 to 3.14.0; upstream says >=2 at 1.0, the"
                " recipe any"
            ],
            id="looser",
        ),
        pytest.param((PYTHON, Dependency("py-bar", "3:")), ["bar>=2"], [], id="stricter"),
        pytest.param(
            (PYTHON, Dependency("py-bar")),
            [],
            [
                "py-foo: stale: py-bar on python 3.8.0 to 3.14.0; upstream says none, the"
                " recipe any"
            ],
            id="stale",
        ),
        pytest.param((PYTHON, Dependency("hdf5")), [], [], id="a-library"),
        pytest.param(
            (Dependency("python", "3.7:"),),
            [],
            ["py-foo: looser: python on python 3.7.0; upstream says >=3.8, the recipe 3.7:"],
            id="an-older-python",
        ),
        pytest.param((Dependency("python", "3.8:3.11"),), [], [], id="a-python-that-came-later"),
        pytest.param(
            (PYTHON,),
            ["bar; python_version < '3.10'"],
            [
                "py-foo: missing: py-bar on python 3.8.0 to 3.9.0; upstream says any, the"
                " recipe none"
            ],
            id="on-some-pythons",
        ),
    ],
)
def test_findings(
    dependencies: Tuple[Dependency, ...], requires: List[str], expected: List[str]
) -> None:
    assert found(dependencies, requires) == expected


def test_a_variant_that_is_on_and_no_extra_is_a_part_of_the_recipe() -> None:
    dependency = Dependency("py-bar", when=Condition(variants=("+x",)))
    assert found((PYTHON, dependency), ["bar"], ("+x",), ("x",)) == []


def test_a_variant_that_is_an_extra_is_compared_with_it() -> None:
    dependency = Dependency("py-bar", when=Condition(variants=("+x",)))
    requires = ["bar>=2; extra == 'x'"]
    assert found((PYTHON, dependency), requires, ("+x",), ("x",), ("x",)) == [
        "py-foo: looser: py-bar for the extra x on python 3.8.0 to 3.14.0; upstream says >=2"
        " at 1.0, the recipe any"
    ]
