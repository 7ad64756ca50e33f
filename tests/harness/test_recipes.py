# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, Optional

import pytest
import spack.repo
import spack.version
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pyvarium import spack_api, spack_recipes
from pyvarium.choice import Recipe, Source, choose
from pyvarium.errors import PyvariumError
from pyvarium.sources import read_project
from pyvarium.versions import constraint

SAMPLES = Path(__file__).parents[1] / "data" / "sources"
LABELS = [
    *("develop", "main", "3.0.0", "2.0.1", "2.0", "2.0-rc1", "2.0.0", "1.5.3.1", "1.5.3", "1.5"),
    *("1.4-alpha.1", "1.4", "1.0.post1", "1.0a1", "1.0", "1", "0.9.10dev", "0.1", "0"),
]
CLAUSES = [
    *(">=1", ">=1.5", ">=2.0.0", ">1.5", ">1.5.3", "<2", "<2.0a0", "<1.5.3", "<=1.5", "<=2"),
    *("==1.5", "==1.*", "==1.5.*", "!=1.5.3", "!=1.*", "~=1.4", "~=1.5.3", ">=2.0rc1", ">=0"),
]
#: By recipe: what stands in it, and what it is as a value.
RECIPES = {
    "py-pure": (
        'pypi = "Pure/pure-1.tar.gz"\n    version("1.0")\n    version("2.0")\n    version("main")',
        Recipe("py-pure", ("2.0", "1.0"), False, "is pure Python", "pure"),
    ),
    "py-linking": (
        'version("1.0")\n    version("0.9", deprecated=True)\n'
        '    variant("zlib", default=True)\n    variant("mpi", default=False)\n'
        '    depends_on("zlib", when="+zlib")\n    depends_on("mpi", when="+mpi")',
        Recipe("py-linking", ("1.0",), True, "links zlib"),
    ),
    "py-other": (
        'pypi = "another/another-1.tar.gz"\n    version("1.0")',
        None,
    ),
}


@pytest.fixture
def recipes(tmp_path: Path, mock_packages: Any) -> Any:
    """Spack's mock recipes, and some of Python projects before them."""
    root = tmp_path / "spack_repo" / "own"
    (root / "packages").mkdir(parents=True)
    (root / "repo.yaml").write_text("repo:\n  namespace: own\n  api: v2.0\n")
    for name, (body, _) in RECIPES.items():
        write(root, name, "python.PythonPackage", body)
    half = 'version("3")\n    variant("python", default=False)\n    '
    write(root, "tool", "generic.Package", half + 'extends("python", when="+python")')
    write(root, "py-broken", "python.NoSuchPackage", 'version("1")')
    with spack.repo.use_repositories(str(root), override=False):
        yield


def write(root: Path, name: str, base: str, body: str) -> None:
    class_name = "".join(part.capitalize() for part in name.split("-"))
    path = root / "packages" / name.replace("-", "_") / "package.py"
    path.parent.mkdir()
    path.write_text(
        "from spack_repo.builtin_mock.build_systems import generic, python\n"
        "from spack.package import *\n\n\n"
        f"class {class_name}({base}):\n"
        '    homepage = url = "https://example.org/a-1.tar.gz"\n'
        f"    {body}\n"
    )


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_of_projects(recipes: Any, name: str) -> None:
    expected: Optional[Recipe] = RECIPES[name][1]
    assert spack_recipes.recipe_of(name[3:]) == expected


def test_a_recipe_that_names_another_project(recipes: Any) -> None:
    named = spack_recipes.recipe_named("py-other")
    assert named is not None
    assert (named.project, spack_recipes.recipe_of("another")) == ("another", None)


def test_a_recipe_with_a_python_half(recipes: Any) -> None:
    tool = spack_recipes.recipe_of("tool")
    assert tool is not None
    assert (tool.name, tool.compiled, tool.variants) == ("tool", True, "+python")


def test_what_is_no_python_project(recipes: Any) -> None:
    assert spack_recipes.recipe_of("libelf") is None
    assert spack_recipes.recipe_of("no-such-thing") is None
    named = spack_recipes.recipe_named("libelf")
    assert named is not None and named.versions[0] == "0.8.13"
    assert spack_recipes.recipe_named("no-such-thing") is None


def test_a_broken_recipe(recipes: Any) -> None:
    with pytest.raises(PyvariumError, match=r"^recipe py-broken: cannot be loaded \(.*\); mend"):
        spack_recipes.recipe_of("broken")


def test_choices(recipes: Any) -> None:
    choices = choose(["pure", "linking>=1", "libelf", "x-y"], spack_recipes.recipes(), [])
    assert [(one.source, one.spec) for one in choices] == [
        (Source.PYPI, None),
        (Source.SPACK, "py-linking@1:"),
        (Source.SPACK, "libelf"),
        (Source.PYPI, None),
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_constraints_select_in_spack_what_they_say(count: int) -> None:
    """Spack's own classes, for every pair of clauses and over versions of every kind."""
    for clauses in itertools.combinations(CLAUSES, count):
        found = constraint(SpecifierSet(",".join(clauses)), LABELS)
        if not found.selected or not found.text:
            continue
        versions = spack.version.VersionList(found.text)
        chosen = {one for one in LABELS if spack.version.Version(one).satisfies(versions)}
        beyond = chosen - set(found.selected)
        assert set(found.selected) <= chosen, (clauses, found)
        for label in beyond:
            version = spack.version.Version(label)
            assert version.isdevelop() or version.is_prerelease(), (clauses, found, label)


@pytest.mark.parametrize(
    "sample", [path.name for path in sorted(SAMPLES.iterdir()) if list(path.glob("*.y*ml"))]
)
def test_samples_by_spacks_reader_of_yaml(sample: str) -> None:
    path = SAMPLES / sample
    file = path / "environment.yml"
    project = read_project(file if file.exists() else path, spack_api.load_yaml)
    expected = json.loads((path / "expected.json").read_text())
    assert [str(one) for one in project.requirements] == expected["requirements"]
    assert list(project.specs) == expected["specs"]
    skipped = [str(one).replace(f"{path}/", "") for one in project.skipped]
    assert skipped == expected["skipped"]
    assert all(isinstance(one, (Requirement, str)) for one in project.requirements)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- x", "a: 1\na: 2"])
def test_bad_yaml(text: str) -> None:
    with pytest.raises(ValueError):
        spack_api.load_yaml(text)
