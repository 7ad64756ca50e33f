# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Whole recipes, as they are written. Each directory says in its ``why.md`` what it is for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from made_projects import project, release
from pyvarium.evaluation import differences
from pyvarium.recipe import Known
from pyvarium.recipe_text import render
from pyvarium.translation import describe

CASES = Path(__file__).resolve().parents[1] / "data" / "recipes"
#: What a repo would have.
KNOWN = {
    name: Known(f"py-{name}", variants)
    for name, variants in {
        "colorama": frozenset(),
        "numpy": frozenset(),
        "sqlalchemy": frozenset(["asyncio"]),
    }.items()
}


@pytest.mark.parametrize("case", sorted(one.name for one in CASES.iterdir()))
def test_recipe(case: str) -> None:
    given = json.loads((CASES / case / "project.json").read_text(encoding="utf-8"))
    name = given["name"]
    releases = [
        release(**{"file": f"{name.replace('-', '_')}-{one['version']}.tar.gz", **one})
        for one in given["releases"]
    ]
    made_of = project(*releases, name=name)
    recipe = describe(made_of, given["extras"], KNOWN.get)
    assert render(recipe) == (CASES / case / "package.py").read_text(encoding="utf-8")
    assert differences(made_of, recipe, KNOWN.get) == ()
