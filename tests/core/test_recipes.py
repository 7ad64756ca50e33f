# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What is planned for requests, over an index and repos that are given as values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional, Tuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from made_projects import project, release
from pyvarium import report
from pyvarium.errors import PyvariumError
from pyvarium.gathering import ReleasesError
from pyvarium.recipe import Dependency, Existing, Known
from pyvarium.recipe_text import END, read_generated
from pyvarium.recipes import Options, Plan, Repo, Sources, plan_creation, plan_update
from pyvarium.releases import Project
from pyvarium.selection import Candidate, select


def existing(name: str, *versions: str, variants: Tuple[str, ...] = ()) -> Existing:
    return Existing(
        f"py-{name}",
        "builtin",
        versions,
        (Dependency("py-hatchling", types=("build",)), Dependency("python", "3.8:")),
        frozenset(variants),
        pypi=f"{name}/{name}-1.tar.gz",
    )


class Site:
    """An index, the recipes of builtin, and a repo of one's own."""

    def __init__(self, path: Path, index: List[Project], builtin: List[Existing]) -> None:
        self.repo = Repo(path, "own", path / "packages", configured=True)
        self.index = {one.name: one for one in index}
        self.builtin = {one.name: one for one in [*builtin, existing("hatchling", "1.0")]}
        self.fetched: List[str] = []

    def fetch(
        self,
        name: str,
        versions: Optional[str],
        specifier: SpecifierSet,
        keep: FrozenSet[str] = frozenset(),
    ) -> Project:
        self.fetched.append(name)
        if name not in self.index:
            raise ReleasesError(f"{name}: is not on the index; check its spelling")
        releases = {str(one.version): one for one in self.index[name].releases}
        found = [Candidate(one.version, one.source, ()) for one in releases.values()]
        chosen = select(found, versions, specifier, keep)
        return Project(name, tuple(releases[str(one.version)] for one in chosen))

    def recipe(self, name: str) -> Optional[Known]:
        path = self.repo.file(name)
        if path.exists():
            said = read_generated(path.read_text(), name, str(path))
            return Known(name, said.extras, tuple(said.labels))
        one = self.builtin.get(name)
        return Known(name, one.variants, one.versions) if one else None

    def read(self, name: str) -> Existing:
        return self.builtin[name.rpartition(".")[2]]

    @property
    def sources(self) -> Sources:
        return Sources(lambda name: self.recipe(f"py-{name}"), self.recipe, self.read, self.fetch)

    def create(self, *requests: str, closure: str = "missing", versions: str = "minor") -> Plan:
        parsed = [Requirement(one) for one in requests]
        return plan_creation(parsed, self.repo, self.sources, Options(versions, closure))

    def update(self, *names: str, versions: str = "minor") -> Plan:
        return plan_update(names, self.repo, self.sources, Options(versions))


def said(plan: Plan) -> Dict[str, Tuple[str, List[str]]]:
    """By recipe: the action, and the versions."""
    return {
        one.recipe.name: (one.action, [version.label for version in one.recipe.versions])
        for one in plan.recipes
    }


def write(plan: Plan) -> None:
    for one in plan.recipes:
        one.change.write()


FOO = project(release("2.0", ["bar>=1"]), release("1.1"), release("1.0"))
BAR = project(release("1.0", ["baz"]), name="bar")
BAZ = project(release("3.0"), name="baz")


@pytest.mark.parametrize(
    ("closure", "made"),
    [("none", ["py-foo"]), ("missing", ["py-bar", "py-baz", "py-foo"])],
)
def test_what_is_missing_is_made(tmp_path: Path, closure: str, made: List[str]) -> None:
    plan = Site(tmp_path, [FOO, BAR, BAZ], []).create("foo", closure=closure)
    assert [one.recipe.name for one in plan.recipes] == made
    reasons = ["needed by py-foo", "needed by py-bar", "asked for"]
    assert [one.reason for one in plan.recipes] == reasons[-len(made) :]
    assert plan.problems == ()


def test_a_repo_that_has_it_ends_the_closure(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO, BAR, BAZ], [existing("bar", "1.0")])
    assert said(site.create("foo")) == {"py-foo": ("created", ["2.0", "1.1", "1.0"])}
    assert site.fetched == ["foo"]


@pytest.mark.parametrize(
    ("request_", "versions", "labels"),
    [
        ("foo", "minor", ["2.0", "1.1", "1.0"]),
        ("foo", "1", ["2.0"]),
        ("foo<2", "1", ["1.1"]),
        ("foo==1.0", "minor", ["1.0"]),
        ("foo", "<1.1", ["1.0"]),
    ],
)
def test_versions(tmp_path: Path, request_: str, versions: str, labels: List[str]) -> None:
    site = Site(tmp_path, [FOO, BAR, BAZ], [existing("bar", "1.0")])
    plan = site.create(request_, versions=versions)
    assert said(plan)["py-foo"] == ("created", labels)


def test_one_request_is_made_of_two(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO, BAR, BAZ], [existing("bar", "1.0")])
    assert said(site.create("foo>1", "foo<2"))["py-foo"] == ("created", ["1.1"])


def test_an_existing_recipe_is_extended_by_what_is_newer(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO], [existing("foo", "1.1"), existing("bar", "1.0")])
    [planned] = site.create("foo").recipes
    assert [one.label for one in planned.recipe.versions] == ["2.0"]
    assert [one.spec for one in planned.recipe.dependencies] == ["py-bar@1:"]
    assert b"import PyFoo as BuiltinPyFoo" in (planned.change.after or b"")


def test_only_what_becomes_a_recipe_is_amended(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO], [existing("foo", "1.1"), existing("baz", "1.0")])
    amended: Dict[str, List[str]] = {}

    def amend(found: Project) -> Project:
        amended[found.name] = [str(one.version) for one in found.releases]
        return project(release("2.0", build=["baz"]))

    sources = replace(site.sources, amend=amend)
    [planned] = plan_creation([Requirement("foo")], site.repo, sources, Options()).recipes
    assert amended == {"foo": ["2.0"]}
    assert [(one.spec, one.types) for one in planned.recipe.dependencies] == [
        ("py-baz", ("build",))
    ]


def test_an_existing_recipe_may_have_enough(tmp_path: Path) -> None:
    plan = Site(tmp_path, [FOO], [existing("foo", "2.0", "1.1")]).create("foo")
    assert (plan.recipes, plan.enough) == ((), ("foo: builtin has py-foo up to 2.0",))


def test_a_range_in_which_there_is_a_version_asks_for_no_older_one(tmp_path: Path) -> None:
    plan = Site(tmp_path, [FOO], [existing("foo", "2.0", "1.1", "main")]).create("foo<2")
    assert (plan.recipes, plan.enough) == ((), ("foo: builtin has py-foo up to 2.0",))


def test_an_older_version_is_added_to_an_existing_recipe_when_named(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO], [existing("foo", "2.0", "1.1")])
    assert said(site.create("foo==1.0"))["py-foo"] == ("created", ["1.0"])


NEEDS_NEW = project(release("1.0", ["bar>=2"]))
NEW_BAR = project(release("2.1"), release("2.0"), release("1.0"), name="bar")


def test_what_no_recipe_has_is_told(tmp_path: Path) -> None:
    plan = Site(tmp_path, [NEEDS_NEW, NEW_BAR], [existing("bar", "1.0")]).create("foo")
    assert plan.problems == (
        "py-foo: depends on py-bar@2:, but no py-bar is, of which the newest is 1.0; --closure"
        " outdated adds one",
    )


def test_what_is_outdated_is_extended(tmp_path: Path) -> None:
    site = Site(tmp_path, [NEEDS_NEW, NEW_BAR], [existing("bar", "1.0")])
    plan = site.create("foo", closure="outdated")
    assert said(plan) == {
        "py-bar": ("created", ["2.1", "2.0"]),
        "py-foo": ("created", ["1.0"]),
    }
    assert (plan.recipes[0].reason, plan.problems) == ("needed by py-foo as py-bar@2:", ())


def test_what_nobody_has_is_told_once(tmp_path: Path) -> None:
    old = project(release("1.0"), name="bar")
    plan = Site(tmp_path, [NEEDS_NEW, old], [existing("bar", "1.0")]).create(
        "foo", closure="outdated"
    )
    assert plan.problems == (
        "py-foo: depends on py-bar@2:, but no py-bar is, of which the newest is 1.0",
    )


def test_no_python_and_nothing_that_is_made_is_outdated(tmp_path: Path) -> None:
    """Neither the index nor a repo could be asked for it."""
    python = Existing("python", "builtin", ("3.14.0", "3.9.1"))
    old = project(release("1.0"), name="bar")
    site = Site(tmp_path, [project(release("1.0", ["bar>=2"], python="<3.9")), old], [python])
    plan = site.create("foo", closure="outdated")
    assert plan.problems == (
        "py-foo: depends on python@:3.8, but no python is, of which the newest is 3.14.0",
        "py-foo: depends on py-bar@2:, but no py-bar is, of which the newest is 1.0",
    )
    assert site.create("foo").problems == plan.problems


def test_an_extra_of_what_is_made_becomes_its_variant(tmp_path: Path) -> None:
    foo = project(release("1.0", ["bar[fast]"]))
    bar = project(
        release("1.0", ["baz; extra == 'fast'"], extras=("fast",)),
        name="bar",
    )
    plan = Site(tmp_path, [foo, bar, BAZ], []).create("foo")
    by_name = {one.recipe.name: one.recipe for one in plan.recipes}
    assert [one.spec for one in by_name["py-foo"].dependencies if one.name == "py-bar"] == [
        "py-bar+fast"
    ]
    assert [one.name for one in by_name["py-bar"].variants] == ["fast"]
    assert "py-baz" in by_name


def test_a_second_user_adds_a_variant(tmp_path: Path) -> None:
    """To a recipe that is described already when that becomes known."""
    extras = ("fast", "safe")
    requires = ["baz; extra == 'fast'", "qux; extra == 'safe'"]
    bar = project(release("1.0", requires, extras=extras), name="bar")
    foo = project(release("1.0", ["bar[fast]", "late"]))
    late = project(release("1.0", ["bar[safe]"]), name="late")
    qux = project(release("1.0"), name="qux")
    plan = Site(tmp_path, [foo, bar, BAZ, late, qux], []).create("foo")
    by_name = {one.recipe.name: one.recipe for one in plan.recipes}
    assert [one.name for one in by_name["py-bar"].variants] == ["fast", "safe"]
    assert sorted(by_name) == ["py-bar", "py-baz", "py-foo", "py-late", "py-qux"]


def test_two_that_need_each_other(tmp_path: Path) -> None:
    foo = project(release("1.0", ["bar"]))
    bar = project(release("1.0", ["foo"]), name="bar")
    plan = Site(tmp_path, [foo, bar], []).create("foo")
    assert sorted(said(plan)) == ["py-bar", "py-foo"]


def test_twice_is_as_once(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO, BAR, BAZ], [])
    write(site.create("foo"))
    again = site.create("foo")
    assert (bool(again), said(again)["py-foo"]) == (False, ("kept", ["2.0", "1.1", "1.0"]))


def test_an_update_keeps_versions_and_lines_of_the_user(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO], [existing("bar", "1.0")])
    write(site.create("foo==1.0"))
    path = tmp_path / "packages/py_foo/package.py"
    text = path.read_text().replace(f"    {END}\n", f"    {END}\n\n    depends_on('zlib')\n")
    path.write_text(text)
    plan = site.update("py-foo", versions="1")
    assert said(plan) == {"py-foo": ("updated", ["2.0", "1.0"])}
    write(plan)
    assert path.read_text().endswith(f"    {END}\n\n    depends_on('zlib')\n")
    assert not site.update("foo", versions="1")


def test_an_update_adds_nothing_older_unasked(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO], [existing("bar", "1.0")])
    write(site.create("foo>=1.1"))
    assert not site.update("foo")
    assert not site.create("foo")
    assert said(site.create("foo<1.1"))["py-foo"] == ("updated", ["2.0", "1.1", "1.0"])
    assert said(site.update("foo", versions="all"))["py-foo"] == ("updated", ["2.0", "1.1", "1.0"])
    site.index["foo"] = project(release("2.1"), *FOO.releases)
    assert said(site.update("foo"))["py-foo"] == ("updated", ["2.1", "2.0", "1.1"])


def test_an_update_keeps_variants(tmp_path: Path) -> None:
    foo = project(release("1.0", ["bar; extra == 'x'"], extras=("x",)))
    site = Site(tmp_path, [foo], [existing("bar", "1.0")])
    write(site.create("foo[x]"))
    [planned] = site.update("foo").recipes
    assert ([one.name for one in planned.recipe.variants], bool(planned.change)) == (["x"], False)


def test_an_update_of_what_extends_another_recipe(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO], [existing("foo", "1.1"), existing("bar", "1.0")])
    write(site.create("foo"))
    text = (tmp_path / "packages/py_foo/package.py").read_text()
    assert read_generated(text, "py-foo", "") == read_generated(text, "py-foo", "")
    assert read_generated(text, "py-foo", "").repo == "builtin"
    assert not site.update("foo")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("nothing", "nothing: is not on the index; check its spelling"),
        (
            "foo @ https://me:secret@x.org/foo-1.tar.gz",
            "foo: is asked for by an address; ask for a version on the index",
        ),
    ],
)
def test_what_cannot_be_made(tmp_path: Path, request_: str, message: str) -> None:
    with pytest.raises(PyvariumError) as caught:
        Site(tmp_path, [FOO], []).create(request_)
    assert str(caught.value).replace("foo @", "foo@") == message


def test_a_recipe_by_hand_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "packages/py_foo/package.py"
    path.parent.mkdir(parents=True)
    path.write_text("class PyFoo: pass\n")
    with pytest.raises(PyvariumError) as caught:
        Site(tmp_path, [FOO], []).create("foo")
    assert str(caught.value) == (
        f"{path}: has no marks of ours, and is kept as it was written by hand; name another repo,"
        " or move it away"
    )


def test_a_recipe_by_hand_stops_no_other(tmp_path: Path) -> None:
    path = tmp_path / "packages/py_foo/package.py"
    path.parent.mkdir(parents=True)
    path.write_text("class PyFoo: pass\n")
    site = Site(tmp_path, [BAZ], [])
    plan = site.create("foo", "baz")
    assert said(plan) == {"py-baz": ("created", ["3.0"])}
    (refused,) = plan.refused
    assert refused.startswith(f"{path}: has no marks of ours")
    answer = report.recipes(plan, written=True, check=False, diff=False, as_json=False)
    assert (answer.code, answer.notes) == (report.ERROR, (refused,))


def with_ninja(project: Project) -> Project:
    more = (Requirement("ninja"),)
    releases = (replace(one, build=replace(one.build, requires=more)) for one in project.releases)
    return replace(project, releases=tuple(releases))


def test_an_update_keeps_what_hooks_have_said(tmp_path: Path) -> None:
    """Of what is remembered; a recipe that was made without them stays so."""
    site = Site(tmp_path, [BAZ], [existing("ninja", "1.0")])
    sources = replace(site.sources, recall=with_ninja)
    options = Options()
    write(plan_creation([Requirement("baz")], site.repo, sources, options))
    assert not plan_update(["baz"], site.repo, sources, options)
    asking = replace(sources, amend=with_ninja)
    write(plan_update(["baz"], site.repo, asking, options))
    text = site.repo.file("py-baz").read_text()
    assert "recipe create --hooks baz'" in text and 'depends_on("py-ninja")' in text
    assert read_generated(text, "py-baz", "").hooks
    assert not plan_update(["baz"], site.repo, sources, options)
    assert not plan_update(["baz"], site.repo, asking, options)


def test_only_what_is_there_is_updated(tmp_path: Path) -> None:
    with pytest.raises(PyvariumError) as caught:
        Site(tmp_path, [FOO], []).update("foo")
    assert str(caught.value) == (
        f"recipe foo: is not in repo own ({tmp_path}/packages); name one that is, or create it"
    )


def test_what_is_needed_and_cannot_be_made_is_told(tmp_path: Path) -> None:
    plan = Site(tmp_path, [FOO], []).create("foo")
    assert said(plan) == {"py-foo": ("created", ["2.0", "1.1", "1.0"])}
    assert plan.problems == ("bar: is not on the index; check its spelling (needed by py-foo)",)


def test_an_update_makes_what_a_newer_version_needs(tmp_path: Path) -> None:
    site = Site(tmp_path, [FOO, BAR, BAZ], [])
    write(site.create("foo==1.0"))
    assert said(site.update("foo", versions="1")) == {
        "py-bar": ("created", ["1.0"]),
        "py-baz": ("created", ["3.0"]),
        "py-foo": ("updated", ["2.0", "1.0"]),
    }
