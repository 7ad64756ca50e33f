# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace
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
from pyvarium.grid import Condition
from pyvarium.recipe import Dependency, Existing
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


MANY = """pypi = "Ma.ny/many-1.tar.gz"
    version("2.1")
    version("2.0", deprecated=True)
    version("1.0")
    version("main", branch="main")
    variant("fast", default=False)
    variant("slow", default=True)
    variant("kind", default="a", values=("a", "b"))
    depends_on("py-pure@1.5:", type=("build", "run"))
    depends_on("py-pure@2:+x", type="run", when="@2:+fast kind=b")
    depends_on("py-other", type="run", when="platform=linux target=x86_64:")
    depends_on("py-linking", type="run", when="platform=darwin")
    depends_on("zlib", type="link", when="^python@3.8:3.9")
    depends_on("mpi", when="%gcc")
    with when("+slow"):
        depends_on("libelf@0.8.13", type="build", when="^python@3.9: ^py-pure@2:")
"""
#: By recipe: what ``many`` depends on it for, which is the order of the dependencies.
DEPENDENCIES = [
    Dependency("py-pure", "1.5:", (), ("build", "run")),
    Dependency("py-pure", "2:", ("+x",), ("run",), Condition("2:", ("+fast", "kind=b"))),
    Dependency("py-other", "", (), ("run",), Condition(platform="linux", target="x86_64")),
    Dependency("py-linking", "", (), ("run",), Condition(platform="darwin")),
    Dependency("zlib", "", (), ("link",), Condition(python="3.8:3.9")),
    Dependency("mpi", "", (), ("build", "link"), Condition(other="%gcc")),
    Dependency(
        "libelf",
        "0.8.13",
        (),
        ("build",),
        Condition(variants=("+slow",), python="3.9:", other="^py-pure@2:"),
    ),
]


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


@pytest.fixture
def many(recipes: Any, tmp_path: Path) -> None:
    """One recipe more, with conditions of every kind."""
    write(tmp_path / "spack_repo" / "own", "py-many", "python.PythonPackage", MANY)


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


def test_all_that_a_recipe_says(many: None) -> None:
    found = spack_recipes.existing("py-many")
    names = {one.name for one in DEPENDENCIES}
    ours = [one for one in found.dependencies if one.name in names]
    assert sorted(ours, key=str) == sorted(DEPENDENCIES, key=str)
    assert replace(found, dependencies=(), variants=found.variants - {"build_system"}) == Existing(
        name="py-many",
        repo="own",
        versions=("main", "2.1", "2.0", "1.0"),
        variants=frozenset({"fast", "slow", "kind"}),
        enabled=frozenset({"+slow", "kind=a", "build_system=python_pip"}),
        pypi="Ma.ny/many-1.tar.gz",
    )
    assert found.project == "ma-ny"


def test_what_others_can_depend_on(many: None) -> None:
    """No branch, and nothing that is deprecated."""
    found = spack_recipes.known("py-many")
    assert (found.name, found.versions) == ("py-many", ("2.1", "1.0"))
    assert spack_recipes.known_by_name("py-many") == found
    assert spack_recipes.known_by_name("no-such-thing") is None
    with pytest.raises(PyvariumError, match=r"^recipe py-broken: cannot be loaded \("):
        spack_recipes.known_by_name("py-broken")


def test_the_recipes_of_projects_by_their_attribute(many: None, tmp_path: Path) -> None:
    """None is loaded for it: one is broken, and one is not even Python."""
    path = tmp_path / "spack_repo/own/packages/py_rubble/package.py"
    path.parent.mkdir()
    path.write_text("what is this?")
    found = spack_recipes.names()
    names = {name: found[name] for name in ("ma-ny", "pure", "another")}
    assert names == {"ma-ny": "py-many", "pure": "py-pure", "another": "py-other"}
    assert [spack_recipes.name_of(one) for one in ("pure", "many", "ma-ny", "tool", "libelf")] == [
        *("py-pure", None, "py-many", "tool", None)
    ]


def test_a_recipe_that_is_no_package(recipes: Any, tmp_path: Path) -> None:
    path = tmp_path / "spack_repo/own/packages/py_heath/package.py"
    path.parent.mkdir()
    for text, reason in {"class PyHeath: pass\n": "PyHeath is no package", "": "module '"}.items():
        path.write_text(text)
        sys.modules.pop("spack_repo.own.packages.py_heath.package", None)
        with pytest.raises(PyvariumError, match=rf"^recipe py-heath: cannot be loaded \({reason}"):
            spack_recipes.existing("py-heath")


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
