# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import shutil
from pathlib import Path
from typing import List, Tuple

import pytest

from conftest import Site
from pyvarium.errors import ProvidedError
from pyvarium.lockfile import read_lockfile
from pyvarium.model import Environment, Inventory, Skipped
from pyvarium.provided import provided_distributions


def inventory(environment: Environment) -> Inventory:
    return provided_distributions(environment, read_lockfile(environment.lockfile))


def rows(found: Inventory) -> List[Tuple[str, str, str, bool]]:
    return [(one.name, one.version, one.spec, one.direct) for one in found.provided]


@pytest.mark.parametrize("link", ["file", "directory", "copy"])
@pytest.mark.parametrize("kind", ["dist-info", "egg-info"])
def test_view_of_every_kind(site: Site, link: str, kind: str) -> None:
    needed = site.install("py-a", "1.0", kind=kind, link=link, root=False)
    site.install("py-b", "2", kind=kind, link=link, needs={needed: ["build", "run"]})
    found = inventory(site.finish())
    assert rows(found) == [("a", "1.0", "py-a@1.0", False), ("b", "2", "py-b@2", True)]
    assert (found.skipped, found.python) == ((), "3.11")


def test_store_where_there_is_no_view(site: Site) -> None:
    tool = site.install("py-tool", "1", root=False)
    site.install("py-a", "1", needs={tool: ["build"]})
    assert rows(inventory(site.finish(view=False))) == [("a", "1", "py-a@1", True)]


def test_named_by_metadata_whatever_the_spec_is_called(site: Site) -> None:
    site.install("gdal", "3.10", "Name: GDAL.Python\nVersion: 3.10.0\n")
    assert rows(inventory(site.finish())) == [("gdal-python", "3.10.0", "gdal@3.10", True)]


def test_the_hash_is_read_where_the_prefix_has_another_name(site: Site) -> None:
    dag_hash = site.install("py-a", "1", link="none")
    site.prefixes[dag_hash].rename(site.root / "store" / "short")
    folder = site.library / "a-1.dist-info"
    (site.view / folder).symlink_to(site.root / "store" / "short" / folder)
    assert rows(inventory(site.finish())) == [("a", "1", "py-a@1", True)]


def test_what_is_absent_has_a_reason(site: Site) -> None:
    site.spec("py-external", "1", external="/usr")
    site.spec("py-later", "1")
    site.install("py-bare", "1", None)
    site.install("py-unlinked", "1", link="none")
    site.spec("zlib", "1")
    environment = site.finish()
    assert inventory(environment) == Inventory(
        provided=(),
        skipped=(
            Skipped("py-bare@1", "leaves no *.dist-info or *.egg-info"),
            Skipped("py-external@1", "is external (/usr), which views leave out"),
            Skipped("py-later@1", "is not installed, or not linked into the view"),
            Skipped("py-unlinked@1", "is installed but not linked into the view"),
        ),
        python="3.11",
        site_packages=(site.view / site.library,),
    )


def test_what_is_not_spacks_is_reported(site: Site) -> None:
    folder = site.view / site.library / "intruder-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: intruder\nVersion: 1\n")
    reason = "is not Spack's but stands in the view; it is lost when the view is renewed"
    assert inventory(site.finish()).skipped == (Skipped(str(folder), reason),)


@pytest.mark.parametrize("link", ["file", "directory"])
def test_a_spec_that_was_uninstalled_from_outside(site: Site, link: str) -> None:
    dag_hash = site.install("py-a", "1", link=link)
    shutil.rmtree(site.prefixes.pop(dag_hash))
    found = site.view / site.library / "a-1.dist-info"
    assert inventory(site.finish()).skipped == (
        Skipped(str(found), "points to a spec that is no longer installed; run 'spack install'"),
        Skipped("py-a@1", "is not installed, or not linked into the view"),
    )


def test_bad_metadata_is_a_fault_and_the_rest_goes_on(site: Site) -> None:
    bad = site.install("py-bad", "1", "Version: 1\n")
    site.install("py-good", "1")
    found = inventory(site.finish())
    file = site.view / site.library / "bad-1.dist-info" / "METADATA"
    reason = f"{file}: has no Name; run 'spack install --overwrite py-bad/{bad[:7]}'"
    assert rows(found) == [("good", "1", "py-good@1", True)]
    assert found.skipped == (Skipped("py-bad@1", reason, fault=True),)


def test_a_stale_view_is_an_error(site: Site) -> None:
    dag_hash = site.install("py-a", "1")
    del site.nodes[dag_hash]
    site.roots.clear()
    environment = site.finish()
    with pytest.raises(ProvidedError) as caught:
        inventory(environment)
    assert str(caught.value) == (
        f"{site.view / site.library / 'a-1.dist-info'}: stands in the view but not in"
        f" {environment.lockfile}; run 'spack env view regenerate'"
    )


@pytest.mark.parametrize("view", [True, False], ids=["view", "store"])
def test_two_versions_of_one_project_are_an_error(site: Site, view: bool) -> None:
    one, two = site.install("py-a", "1"), site.install("py-a", "2")
    with pytest.raises(ProvidedError) as caught:
        inventory(site.finish(view=view))
    first, second = sorted([(one, "1"), (two, "2")]) if not view else [(one, "1"), (two, "2")]
    assert str(caught.value) == (
        f"a: provided twice, by py-a@{first[1]}/{first[0][:7]}"
        f" and py-a@{second[1]}/{second[0][:7]};"
        " set 'concretizer:unify:true' or remove one of them"
    )


def test_two_recipes_of_one_project_are_an_error(site: Site) -> None:
    one = site.install("py-a", "1")
    two = site.install("site-a", "2", "Metadata-Version: 2.1\nName: a\nVersion: 2\n")
    with pytest.raises(ProvidedError) as caught:
        inventory(site.finish())
    assert str(caught.value) == (
        f"a: provided twice, by py-a@1/{one[:7]} and site-a@2/{two[:7]};"
        " give one of them an environment of its own"
    )


def test_both_kinds_of_metadata_of_one_spec_are_one_distribution(site: Site) -> None:
    site.install("py-a", "1")
    egg = Path(site.prefixes[site.roots[0]]) / site.library / "a-1.egg-info"
    egg.write_text("Name: a\nVersion: 1\n")
    (site.view / site.library / "a-1.egg-info").symlink_to(egg)
    assert rows(inventory(site.finish())) == [("a", "1", "py-a@1", True)]


@pytest.mark.parametrize("link", ["file", "directory"])
def test_a_view_that_points_to_what_is_gone(site: Site, link: str) -> None:
    """As after a rebuild of a ``spack develop`` spec, which changes no hash and so no view."""
    dag_hash = site.install("py-a", "1", link=link)
    shutil.rmtree(site.prefixes[dag_hash] / site.library / "a-1.dist-info")
    [skipped] = inventory(site.finish()).skipped
    file = site.view / site.library / "a-1.dist-info" / "METADATA"
    assert skipped.reason == (
        f"{file}: cannot be read (No such file or directory);"
        " run 'spack env view disable' and 'spack env view enable'"
    )
