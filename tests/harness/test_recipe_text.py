# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What is said of Spack's versions, names and conditions, asked of Spack itself."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import spack
import spack.repo
import spack.spec
import spack.version
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from pyvarium import versions
from pyvarium.recipe import class_name, directory_name
from pyvarium.recipe_text import render
from pyvarium.releases import Build, File, Project, Release
from pyvarium.translation import describe

LABELS = [
    *("develop", "main", "3.0.0", "2.0.1", "2.0", "2.0-rc1", "2.0.0", "2.0.0-rc2", "1.6-rc1"),
    *("1.5.3.1", "1.5.3", "1.5", "1.5.0", "1.5.post1", "1.4-alpha1", "1.4", "1.0.post1", "1.0a1"),
    *("1.0.dev1", "1.0-beta2", "1.0", "1", "0.9.10dev", "0.1", "0", "2025.08.20", "2025.8.9"),
]
NAMES = [
    *("py-foo", "py-foo-bar", "py-3to2", "py-none", "py-import", "3proxy", "pass", "none"),
    *("true", "false", "is", "0-0-1", "ninja", "py-a-1-b", "async", "py-zope-interface"),
]


def test_spack_selects_the_same() -> None:
    bounds = ["", *(label for label in LABELS if label not in ("develop", "main"))]
    texts = [f"{low}:{high}" for low, high in itertools.product(bounds, bounds) if low or high]
    texts += [*bounds[1:], *(f"={label}" for label in LABELS), "1.4,1.5:1.6,=3.0.0"]
    wrong = []
    for text in texts:
        try:
            wanted = spack.version.ver(text)
        except spack.version.EmptyRangeError:
            continue
        for label in LABELS:
            expected = spack.version.Version(label).satisfies(wanted)
            if expected != versions.selects(text, label):
                wrong.append((text, label, expected))
    assert wrong == []


def test_spack_sorts_the_same() -> None:
    expected = sorted(LABELS, key=spack.version.Version, reverse=True)
    assert versions.newest_first(LABELS) == expected


def test_a_covering_of_any_versions_selects_them_in_spack() -> None:
    labels = ["2.0.1", "2.0", "2.0-rc1", "1.5.3.1", "1.5.3", "1.5", "1.5.post1", "1.0.dev1"]
    for kinds in itertools.product((0, 1), repeat=len(labels)):
        wanted = [label for label, kind in zip(labels, kinds) if kind]
        text = versions.covering(wanted, labels) if wanted else "=none"
        selected = spack.version.ver(text or ":")
        found = [one for one in labels if spack.version.Version(one).satisfies(selected)]
        assert found == wanted, text


@pytest.mark.skipif(spack.spack_version_info[:2] < (1, 0), reason="has no API 2")
@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    from spack.util import naming

    directory = naming.pkg_name_to_pkg_dir(name, (2, 0))
    assert (directory_name(name), class_name(name)) == (
        directory,
        naming.pkg_name_to_class_name(name),
    )
    assert naming.valid_module_name(directory, (2, 0))


def release(version: str, requires: str = "", python: str = ">=3.9", **others: Any) -> Release:
    source = File(f"foo-{version}.tar.gz", "", Version(version), version, "0" * 64)
    return Release(
        Version(version),
        source,
        tuple(Requirement(one) for one in requires.split("\n") if one),
        SpecifierSet(python),
        license="MIT",
        **others,
    )


@pytest.mark.skipif(spack.spack_version_info[:2] < (1, 0), reason="has no API 2")
def test_spack_reads_what_was_said(tmp_path: Path, mock_packages: Any) -> None:
    """Versions, variants and dependencies are what the value says, each with its condition."""
    requires = "\n".join(
        [
            "bar[fast]>=1.5,<2; python_full_version < '3.11.3'",
            "baz!=1.5; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "quux>=2.0rc1; extra == 'x'",
        ]
    )
    build = Build((Requirement("cython==3.0.1"),), languages=("c", "rust"))
    newest = release("2.1.0", requires, extras=("x",), build=build)
    recipe = describe(Project("foo", (newest, release("1.9"))), ["x"])
    text = render(recipe).replace("spack_repo.builtin.", "spack_repo.builtin_mock.")
    root = tmp_path / "spack_repo" / "own"
    directory = root / "packages" / directory_name(recipe.name)
    directory.mkdir(parents=True)
    (root / "repo.yaml").write_text("repo:\n  namespace: own\n  api: v2.0\n")
    (directory / "package.py").write_text(text)
    repo = spack.repo.from_path(str(root))
    with spack.repo.use_repositories(repo, *spack.repo.PATH.repos):
        loaded = spack.repo.PATH.get_pkg_class(recipe.name)
    assert sorted(map(str, loaded.versions)) == ["1.9", "2.1.0"]
    found = {
        (str(one.spec), str(condition))
        for condition, dependencies in loaded.dependencies.items()
        for one in dependencies.values()
    }
    expected = {
        (str(spack.spec.Spec(one.spec)), str(spack.spec.Spec(str(one.when) or None)))
        for one in recipe.dependencies
    }
    assert expected <= found
