# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A recipe says what the metadata says, as ``packaging`` reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Tuple

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from made_projects import NUMBERS, project, projects, release
from pyvarium.evaluation import asked, count_cells, differences
from pyvarium.grid import grid, values_of
from pyvarium.recipe import Known
from pyvarium.releases import Project
from pyvarium.translation import describe
from pyvarium.versions import label_of


@given(projects())
@settings(max_examples=settings().max_examples // 2)
def test_round_trip(drawn: Project) -> None:
    recipe = describe(drawn, ["x", "y"])
    assert differences(drawn, recipe) == ()


@given(projects())
@settings(max_examples=settings().max_examples // 2)
def test_round_trip_of_builds(drawn: Project) -> None:
    """By name: what is needed to build is there, also where it is needed to run."""
    releases = [
        replace(one, requires=tuple(each for each in one.requires if each.name != "foo"))
        for one in drawn.releases
    ]
    recipe = describe(project(*releases))
    passed_over = {"py-foo", *(one.name for one in recipe.unsaid)}
    for one in releases:
        label = label_of(one.version, one.source.label)
        if not one.build.known or label not in {one.label for one in recipe.versions}:
            continue
        cells = grid([one.requires_python], [])
        for cell in cells.cells(cells.all):
            if not one.requires_python.contains(cell.python):
                continue
            values = {**values_of(cell), "extra": ""}
            required = {
                f"py-{each.name}"
                for each in (*one.build.requires, *one.requires)
                if each.marker is None or each.marker.evaluate(values)
            }
            found = asked(recipe.dependencies, label or "", cell).keys() - {"python"}
            expected = required | set(one.build.languages)
            assert found - passed_over == expected - passed_over


def test_differences_are_found() -> None:
    made_of = project(release("1.0", ["bar>=1"], ">=3.14"))
    other = describe(project(release("1.0", ["baz"], ">=3.14")))
    found = differences(made_of, other)
    assert {(one.name, one.expected, one.found) for one in found} == {
        ("py-bar", ">=1", "none"),
        ("py-baz", "none", "any"),
    }


def test_cells_are_counted() -> None:
    """Nine pythons, and one more on either side of 3.9.1, in eight places each."""
    made_of = project(
        release("2.0"), release("1.0", ["bar; python_full_version < '3.9.1'"]), release("0.1")
    )
    recipe = describe(project(*made_of.releases[:2]))
    assert count_cells(made_of, recipe) == 9 * 8 + 11 * 8


def baz_inlined(project: str, extra: str) -> Optional[Tuple[Requirement, ...]]:
    texts = ("quux>=1; extra == 'z'", "bar<3; python_version < '3.9' and extra == 'z'", "never")
    return tuple(map(Requirement, texts)) if (project, extra) == ("baz", "z") else None


@given(projects(), st.lists(NUMBERS, unique=True, min_size=1, max_size=6))
@settings(max_examples=settings().max_examples // 4)
def test_round_trip_with_known_recipes(drawn: Project, versions: List[str]) -> None:
    known = {
        "bar": Known("bar-of-old", versions=tuple(versions)),
        "baz": Known("py-baz", frozenset(), tuple(versions)),
    }
    recipe = describe(drawn, ["x", "y"], known.get, baz_inlined)
    assert differences(drawn, recipe, known.get, baz_inlined) == ()
