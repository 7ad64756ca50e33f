# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a recipe says of the releases of a project."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Optional, Sequence, Tuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from made_projects import project, release
from pyvarium.errors import RecipeError
from pyvarium.grid import Condition
from pyvarium.recipe import BUILD, Dependency, Existing, Known, Missing, Variant
from pyvarium.releases import Release
from pyvarium.translation import describe, version_range


def said(*releases: Release, extras: Sequence[str] = (), **others: Any) -> List[str]:
    """The dependencies of a recipe, one line for each; but for python and hatchling."""
    recipe = describe(project(*releases), extras, **others)
    return [
        f"{'build ' if one.types == BUILD else ''}{one.spec}{f' when {one.when}' * bool(one.when)}"
        for one in recipe.dependencies
        if one.name not in ("python", "py-hatchling")
    ]


def unsaid(*releases: Release, extras: Sequence[str] = (), **others: Any) -> List[str]:
    return [str(one) for one in describe(project(*releases), extras, **others).unsaid]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["bar>=1"], ["bar>=1"], ["py-bar@1:"]),
        (["bar>=1"], ["bar>=1.0.0"], ["py-bar@1:"]),
        (["bar>=1"], ["bar>=2"], ["py-bar@2: when @2:", "py-bar@1: when @:1"]),
        ([], ["bar"], ["py-bar when @2:"]),
        (["bar"], [], ["py-bar when @:1"]),
        (["bar>=1"], ["bar>=1,<3"], ["py-bar@1:2 when @2:", "py-bar@1: when @:1"]),
        (
            ["bar; python_version < '3.10'"],
            ["bar; python_version < '3.11'"],
            ["py-bar when @2: ^python@:3.10", "py-bar when ^python@:3.9"],
        ),
        (["bar; python_version < '3.8'"], ["bar; python_version < '3.8'"], []),
        (["bar; python_version >= '3.8'"], ["bar"], ["py-bar"]),
        (["bar>=1", "bar<3"], ["bar<3,>=1"], ["py-bar@1:2"]),
        (
            ["bar>=1; python_version<'3.10'", "bar>=2; python_version>='3.10'"],
            ["bar>=1; python_version<'3.10'", "bar>=2; python_version>='3.10'"],
            ["py-bar@2: when ^python@3.10:", "py-bar@1: when ^python@:3.9"],
        ),
        (["Foo_Bar.x"], ["foo-bar-x"], ["py-foo-bar-x"]),
        (["foo>=1"], ["foo"], []),
        (["bar; extra == 'x'"], ["bar; extra == 'x'"], []),
        (["ninja", "cmake>=3.18"], ["ninja", "cmake>=3.18"], ["cmake@3.18:", "ninja"]),
        (["bar===1!1"], ["bar"], ["py-bar when @2:"]),
    ],
    ids=[
        *("equal", "equal-in-other-words", "changed", "added", "dropped", "bounded", "marker"),
        *("for-no-python-of-it", "for-all-its-pythons", "two-clauses", "by-python", "name"),
        *("itself", "extra-not-asked-for", "programs", "not-in-words"),
    ],
)
def test_two_versions(old: List[str], new: List[str], expected: List[str]) -> None:
    assert said(release("2.0", new), release("1.0", old)) == expected


@pytest.mark.parametrize(
    ("python", "versions"),
    [
        (">=3.9", "3.9:"),
        (">=3.7,<4", "3.7:3"),
        (">=2.7,!=3.0.*,!=3.1.*,!=3.2.*", "2.7:2,3.3:"),
        (">=3.9,!=3.9.7", "3.9:3.9.6,3.9.8:"),
        (">=3.13.0rc1", "3.13:"),
        ("<=3.9", ":3.9.0"),
    ],
)
def test_pythons(python: str, versions: str) -> None:
    recipe = describe(project(release("1.0", python=python)))
    assert Dependency("python", versions) in recipe.dependencies


def test_a_later_python_ends_the_condition_of_an_older_version() -> None:
    """Where the newer version does not run, it does not matter what is said of it."""
    marker = "bar; python_version < '3.8'"
    assert said(release("2.0", python=">=3.8"), release("1.0", [marker], ">=3.7")) == [
        "py-bar when ^python@:3.7"
    ]


@pytest.mark.parametrize(
    ("build", "requires", "expected"),
    [
        (["pip", "wheel", "hatchling"], [], []),
        (["cython==3.0.1"], [], ["build py-cython@3.0.1:"]),
        (["cython==3.0.1+local"], [], ["build py-cython@3.0.1:"]),
        (["cython==3.*"], [], ["build py-cython@3"]),
        (["oldest-supported-numpy"], [], ["build py-numpy"]),
        (["oldest-supported-numpy"], ["numpy>=1.20"], ["py-numpy@1.20:"]),
        (["numpy>=2.0.0rc1"], [], ["build py-numpy@2:"]),
        (["numpy>=2.0"], ["numpy>=1.20"], ["py-numpy@1.20:"]),
        (
            ["tomli>=1.1"],
            ["tomli; python_version < '3.11'"],
            ["build py-tomli@1.1: when ^python@3.11:", "py-tomli when ^python@:3.10"],
        ),
        (
            ["tomli"],
            ["tomli; python_version < '3.11'"],
            ["build py-tomli"] + ["py-tomli when ^python@:3.10"],
        ),
        (["foo"], [], []),
        (["meson-python", "ninja"], [], ["build ninja", "build py-meson-python"]),
        (["setuptools-scm[toml]>=6"], [], ["build py-setuptools-scm@6:+toml"]),
    ],
    ids=[
        *(
            "by-base-class",
            "exact",
            "exact-local",
            "exact-prefix",
            "oldest-numpy",
            "numpy-also-to-run",
        ),
        *("candidate", "also-to-run", "partly-to-run", "any-partly-to-run", "itself"),
        *("programs", "extra"),
    ],
)
def test_builds(build: List[str], requires: List[str], expected: List[str]) -> None:
    assert said(release("1.0", requires, build=build)) == expected


def test_a_project_of_old_is_built_by_setuptools() -> None:
    legacy = release("1.0")
    build = type(legacy.build)()
    assert said(type(legacy)(legacy.version, legacy.source, build=build)) == [
        "build py-setuptools"
    ]


def test_languages() -> None:
    new = release("2.0", languages=["c", "cxx", "rust"])
    assert said(new, release("1.0", languages=["c", "fortran"])) == [
        "build c",
        "build cxx when @2:",
        "build fortran when @:1",
        "build rust when @2:",
    ]


def test_a_build_that_is_not_known_is_like_its_neighbours() -> None:
    unread = release("2.0", build=[], known=False)
    others = [release(version, build=["flit-core>=3"]) for version in ("3.0", "1.0")]
    assert said(others[0], unread, others[1]) == ["build py-flit-core@3:"]
    assert unsaid(others[0], unread, others[1]) == [
        "build requirements (@2): could not be read from the sdist"
    ]


def test_of_a_build_that_is_not_all_known_the_rest_is_said() -> None:
    partly = release("1.0", build=["bar"], languages=["c"], known=False)
    assert said(partly) == ["build c", "build py-bar"]
    assert unsaid(partly) == ["build requirements: could not all be read from the sdist"]


def test_programs() -> None:
    one = release("1.0", build=[])
    one = replace(one, build=replace(one.build, programs=("cmake", "pkgconfig")))
    assert said(one) == ["build cmake", "build pkgconfig"]


def test_extras() -> None:
    requires = [
        "bar; extra == 'x'",
        "baz; extra == 'y'",
        "bar",
        "quux; extra == 'x'",
        "foo[x,y]; extra == 'all'",
        "foo[all]; extra == 'x'",
    ]
    new = release("2.0", requires, extras=("x", "y", "all"))
    recipe = describe(project(new, release("1.0", ["bar"])), ["All", "nosuch", "platform"])
    assert recipe.variants == (Variant("all", "2:"),)
    assert recipe.problems == (
        "foo[nosuch]: no version has that extra",
        "foo[platform]: Spack has another use for that name",
    )
    assert said(new, release("1.0", ["bar"]), extras=["all"]) == [
        "py-bar",
        "py-baz when +all",
        "py-quux when +all",
    ]


def inlined(name: str, extra: str) -> Optional[Tuple[Requirement, ...]]:
    requires = ("uvloop; sys_platform != 'win32' and extra == 'fast'", "other", "foo")
    return tuple(map(Requirement, requires)) if extra == "fast" else None


@pytest.mark.parametrize(
    ("named", "expected", "problems"),
    [
        (lambda _: None, ["py-bar@1:+fast"], []),
        ({"bar": Known("py-bar", frozenset(["fast"]))}.get, ["py-bar@1:+fast"], []),
        (
            {"bar": Known("bars")}.get,
            ["bars@1:", "py-uvloop when platform=darwin", "py-uvloop when platform=linux"],
            [],
        ),
        (
            {"bar": Known("bars")}.get,
            ["bars@1:"],
            ["bar[slow]>=1: bars has no variant slow"],
        ),
    ],
    ids=["to-be-made", "variant", "inlined", "not-known"],
)
def test_an_extra_of_a_dependency(named: Any, expected: List[str], problems: List[str]) -> None:
    extra = "slow" if problems else "fast"
    one = release("1.0", [f"bar[{extra}]>=1"])
    assert said(one, named=named, requirements_of=inlined) == expected
    assert unsaid(one, named=named, requirements_of=inlined) == problems


def test_an_extra_that_is_asked_for_twice_is_inlined_for_both() -> None:
    one = release("1.0", ["bar[fast]; os_name == 'nt'", "bar[fast]; os_name == 'posix'"])
    known = {"bar": Known("py-bar"), "other": Known("py-other"), "uvloop": Known("py-uvloop")}
    assert [
        line for line in said(one, named=known.get, requirements_of=inlined) if "uvloop" in line
    ] == ["py-uvloop when platform=darwin", "py-uvloop when platform=linux"]


def test_missing() -> None:
    one = release("1.0", ["bar[x]", "bar[y]", "baz", "ninja"], build=["setuptools"])
    known = {"baz": Known("py-baz"), "setuptools": Known("py-setuptools")}
    assert describe(project(one), named=known.get).missing == (
        Missing("bar", "py-bar", ("x", "y")),
    )


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("bar; platform_release >= '5'", 'bar; platform_release >= "5": no condition of Spack\'s'),
        ("bar>=1!2", "bar>=1!2: no range of Spack's"),
        ("bar===any", "bar===any: no range of Spack's"),
        ("bar @ https://x.org/bar.zip", "bar @ https://x.org/bar.zip: names its own source,"),
        ("bar>=2,<1", "bar<1,>=2: no range of Spack's"),
        ("bar; os_name == 'nt'", "py-bar: is needed on Windows only, and there is no recipe"),
    ],
)
def test_what_cannot_be_said(requirement: str, expected: str) -> None:
    one = release("1.0", [requirement])
    assert said(one) == []
    (text,) = unsaid(one)
    assert text.startswith(expected)
    assert describe(project(one)).problems == (text,)


def test_problems_say_of_which_project_they_are() -> None:
    of_all = replace(
        project(release("1.0", problems=("is odd",))), problems=("2 are passed over",)
    )
    assert describe(of_all).problems == ("foo: 2 are passed over", "foo 1.0: is odd")


def test_what_cannot_be_said_of_other_pythons_does_not_matter() -> None:
    requires = ["bar>=1!2; python_version < '3.8'", "pywin32; python_version < '3.8'"]
    assert unsaid(release("1.0", requires, python=">=3.8")) == []


@pytest.mark.parametrize(
    ("specifier", "versions", "expected"),
    [
        (">=1.2.0", (), "1.2:"),
        (">=1.2.0", ("2.0", "1.2", "1.1"), "1.2:"),
        ("==1.5", ("1.5.0", "1.4"), "=1.5.0"),
        ("<=1.5", ("1.5.0.1", "1.5"), "=1.5"),
        ("==1.0.*", ("1.1", "1.0.1", "1"), "1:1.0"),
        (">=1,!=1.5.post1", ("2.0", "1.6", "1.5"), "1:"),
        (">=1.5.post1", ("2.0", "1.4"), "2:"),
        (">=1.5.post1,<3", ("2.0", "1.4"), "2"),
        ("<2,!=1.5.post1", ("2.0", "1.4"), ":1"),
        (">=3", ("2.0",), "3:"),
        ("<=1.5", ("1.5.0.1",), None),
        ("==0.45b0", None, "=0.45-beta0"),
        ("==0.45b0", ("0.45b0", "0.44b0"), "=0.45b0"),
        ("==0.45b0", (), None),
    ],
)
def test_ranges(specifier: str, versions: Any, expected: Optional[str]) -> None:
    known = None if versions is None else Known("py-bar", frozenset(), versions)
    assert version_range(SpecifierSet(specifier), known) == expected


@pytest.mark.parametrize(
    ("releases", "message"),
    [
        ([], "foo: has no version that a recipe can have; choose other versions"),
        (
            [release("1!1.0")],
            "foo: has no version that a recipe can have (foo 1!1.0: Spack cannot write this"
            " version; the recipe leaves it out); choose other versions",
        ),
        (
            [release("1.0", python="<3")],
            "foo: has no version that a recipe can have (foo 1.0: runs on no python from 3.6 to"
            " 3.14; the recipe leaves it out); choose other versions",
        ),
    ],
    ids=["none", "epoch", "python-2"],
)
def test_no_version(releases: List[Release], message: str) -> None:
    with pytest.raises(RecipeError) as error:
        describe(project(*releases))
    assert str(error.value) == message


def test_a_name_that_is_not_normalized() -> None:
    with pytest.raises(RecipeError, match="is not a normalized name"):
        describe(project(release("1.0"), name="../foo"))


EXISTING = Existing(
    name="py-foo",
    repo="builtin",
    versions=("1.5", "1.0"),
    dependencies=(
        Dependency("python", "3.6:"),
        Dependency("py-hatchling", types=BUILD),
        Dependency("py-bar", "1:"),
        Dependency("py-old", ":1"),
        Dependency("py-baz", when=Condition(variants=("+x",))),
        Dependency("py-quux", "3:", when=Condition(versions="1.5:", other="%gcc")),
        Dependency("py-six", "1:", when=Condition(versions=":1")),
    ),
    variants=frozenset(["x"]),
    pypi="foo/foo-1.5.tar.gz",
)


def test_what_differs_from_an_existing_recipe() -> None:
    requires = ["bar>=1", "old>=2", "baz; extra=='x'", "quux>=3", "six>=1", "new; extra=='y'"]
    new = release("2.0", requires, ">=3.9", extras=("x", "y"), file="Foo-2.0.tar.gz")
    recipe = describe(project(new, release("1.5", ["bar"])), ["x", "y"], existing=EXISTING)
    assert (recipe.name, recipe.repo) == ("py-foo", "builtin")
    assert [(one.label, one.url) for one in recipe.versions] == [
        ("2.0", "https://files.pythonhosted.org/packages/source/f/foo/Foo-2.0.tar.gz")
    ]
    assert recipe.variants == (Variant("y", "2:"),)
    assert [f"{one.spec} {one.when}" for one in recipe.dependencies] == [
        "python@3.9: @2:",
        "py-old@2: @2:",
        "py-quux@3: @2:",
        "py-six@1: @2:",
        "py-new @2: +y",
    ]
    assert [str(one) for one in recipe.unsaid] == [
        "py-old@2: (@2:): the recipe that this one extends asks for @:1"
    ]


def test_nothing_differs() -> None:
    with pytest.raises(RecipeError, match="has no version that a recipe can have"):
        describe(project(release("1.5", ["bar"])), existing=EXISTING)
