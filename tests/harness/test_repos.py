# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Which repo is meant, how one is made, and that Spack then reads what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
import spack
import spack.config
import spack.repo

from pyvarium import spack_repos
from pyvarium.errors import PyvariumError
from pyvarium.recipes import Repo

pytestmark = pytest.mark.skipif(
    getattr(spack, "package_api_version", (1, 0)) < (2, 0), reason="has no Package API 2"
)

RECIPE = """\
from spack.package import *


class PyFoo(PackageBase):
    version("1.0")
"""


def write_repo(root: Path, namespace: str, api: str = "v2.0") -> Path:
    (root / "packages").mkdir(parents=True)
    (root / "repo.yaml").write_text(f"repo:\n  namespace: {namespace}\n  api: {api}\n")
    return root


@pytest.fixture
def site(tmp_path: Path, mock_packages: Any) -> Iterator[Path]:
    """Spack's mock recipes, and a repo of a site and one of Spack's own before them."""
    roots = [write_repo(tmp_path / "spack_repo" / "site", "site")]
    roots.append(write_repo(tmp_path / "of-spack" / "spack_repo" / "builtin", "builtin"))
    found = [spack.repo.from_path(str(root)) for root in roots]
    with spack.repo.use_repositories(*found, override=False):
        yield roots[0]


def repo(root: Path, namespace: str, configured: bool = False) -> Repo:
    return Repo(root, namespace, root / "packages", configured)


def test_a_repo_by_its_namespace_or_any_of_its_directories(site: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(site)
    words = ["site", str(site), str(tmp_path), str(link)]
    assert [spack_repos.find(word) for word in words] == [repo(site, "site", True)] * 4


def test_a_directory_that_becomes_a_repo(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = repo(tmp_path / "my-own" / "spack_repo" / "my_own", "my_own")
    assert spack_repos.find(str(tmp_path / "my-own")) == expected
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        assert spack_repos.find("./my-own") == expected
        Path("my-own").mkdir()
        assert spack_repos.find("my-own") == expected


def test_a_repo_that_is_not_configured(site: Path, tmp_path: Path) -> None:
    root = write_repo(tmp_path / "other" / "spack_repo" / "else_where", "else_where")
    assert spack_repos.find(str(tmp_path / "other")) == repo(root, "else_where")


def test_repos_that_cannot_be_meant(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    old = write_repo(tmp_path / "old", "old", "v1.0")
    future = write_repo(tmp_path / "future" / "spack_repo" / "future", "future", "v99.0")
    several = tmp_path / "several"
    for name in "ab":
        write_repo(several / "spack_repo" / name, name)
    taken = tmp_path / "elsewhere" / "site"
    for word, message in {
        "builtin": "repo builtin: is Spack's own, which an update of Spack replaces; name another",
        "nobody": "repo nobody: no repo of that namespace is configured (there are ",
        str(file): f"repo {file}: is not a directory; name one, or one to be made",
        str(file / "in"): f"repo {file / 'in'}: is not a directory; name one, or one to be made",
        str(old): f"repo {old}: has Package API v1.0, recipes are written for v2.0; run 'spack",
        str(future): f"repo {future}: cannot be used (Package API v99.0 is not supported",
        str(several): f"repo {several}: there are several ({several}/spack_repo/a, {several}/",
        str(taken): f"repo {taken}: its namespace would be site, which {site} has; take another",
        **{
            f"{tmp_path}/new/{name}": f"repo {tmp_path}/new/{name}: {name!r} cannot be the namesp"
            for name in ("import", "builtin", "a.b", "A", "1a", "a b", "é", "$(id)", "__a")
        },
    }.items():
        with pytest.raises(PyvariumError) as caught:
            spack_repos.find(word)
        assert str(caught.value).startswith(message)
    assert not (tmp_path / "new").exists()


def test_a_repo_is_made_once_and_loads(site: Path, tmp_path: Path) -> None:
    made = spack_repos.find(str(tmp_path / "deep" / "new-one"))
    with spack_repos.in_use(made):
        assert not made.root.exists()
    spack_repos.make(made)
    (made.packages / "py_foo").mkdir()
    made.file("py-foo").write_text(RECIPE)
    before = (made.root / "repo.yaml").stat()
    spack_repos.make(made)
    assert (made.root / "repo.yaml").stat() == before
    assert not spack.repo.PATH.exists("py-foo")
    with spack_repos.in_use(made):
        assert spack.repo.PATH.get_pkg_class("py-foo").fullname == "new_one.py-foo"
    assert not spack.repo.PATH.exists("py-foo")
    assert spack_repos.find(str(tmp_path / "deep" / "new-one")) == made


def test_a_repo_that_cannot_be_made(site: Path, tmp_path: Path) -> None:
    made = spack_repos.find(str(tmp_path / "new"))
    made.root.mkdir(parents=True)
    (made.root / "something").touch()
    with pytest.raises(PyvariumError, match=r"^repo .*/new: cannot be used \(Cannot create new"):
        spack_repos.make(made)


def test_the_repo_that_is_taken_where_none_is_named(site: Path, tmp_path: Path) -> None:
    assert spack_repos.default() == repo(site, "site", True)
    chosen = {"recipe": {"repo": str(tmp_path / "chosen")}}
    spack.config.set("pyvarium", chosen, scope="site")
    root = tmp_path / "chosen" / "spack_repo" / "chosen"
    assert spack_repos.default() == repo(root, "chosen")


def test_no_repo_to_take(site: Path) -> None:
    others = [one for one in spack.repo.PATH.repos if one.namespace == "builtin"]
    with spack.repo.use_repositories(*others), pytest.raises(PyvariumError, match=r"^--repo: is "):
        spack_repos.default()


def test_a_spack_of_its_own_looks_into_a_repo(site: Path, tmp_path: Path) -> None:
    made = spack_repos.find(str(tmp_path / "new"))
    spack_repos.make(made)
    code, said = spack_repos.run(made, "repo", "list", "--namespaces")
    assert (code, said.splitlines()[0]) == (0, "new")
    code, said = spack_repos.run(made, "audit", "packages", "no-such-recipe")
    assert code != 0
