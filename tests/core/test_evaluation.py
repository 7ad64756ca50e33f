# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A recipe says what the metadata says, as ``packaging`` reads it."""

from __future__ import annotations

from typing import Optional, Tuple

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from made_projects import NUMBERS, projects
from pyvarium.evaluation import differences
from pyvarium.recipe import Known
from pyvarium.releases import Project
from pyvarium.translation import describe


@given(projects())
@settings(max_examples=60, deadline=None)
def test_round_trip(project: Project) -> None:
    recipe = describe(project, ["x", "y"])
    assert differences(project, recipe) == ()


def baz_inlined(project: str, extra: str) -> Optional[Tuple[Requirement, ...]]:
    texts = ("quux>=1; extra == 'z'", "bar<3; python_version < '3.9' and extra == 'z'", "never")
    return tuple(map(Requirement, texts)) if (project, extra) == ("baz", "z") else None


@given(projects(), st.lists(NUMBERS, unique=True, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_round_trip_with_known_recipes(project: Project, versions: list) -> None:
    known = {
        "bar": Known("bar-of-old", versions=tuple(versions)),
        "baz": Known("py-baz", frozenset(), tuple(versions)),
    }
    recipe = describe(project, ["x", "y"], known.get, baz_inlined)
    assert differences(project, recipe, known.get, baz_inlined) == ()
