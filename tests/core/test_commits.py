# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from conftest import Site
from pyvarium.commits import PYPROJECT, SYNCED, Contents, commit, contents, render_message
from pyvarium.model import Environment
from pyvarium.sync import sync

#: Somebody who has configured nothing, outside of continuous integration.
ENVIRON = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "HOME": os.devnull,
    "PATH": os.environ["PATH"],
    **{f"GIT_{who}_NAME": "somebody" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "somebody@example.org" for who in ("AUTHOR", "COMMITTER")},
}

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


class Repository:
    """A repository with an environment in it, which Spack then adds to."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.install("py-a", "1")
        self.environment = site.finish()
        sync(self.environment)
        (self.root / ".gitignore").write_text(".spack-env/\nstore/\n")
        (self.root / "other.txt").write_text("as it was\n")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Begin")

    @property
    def root(self) -> Path:
        return self.site.root

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.root, env=ENVIRON, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def add(self, name: str = "py-b") -> Contents:
        """As 'spack install' does, with the sync at its end; returns what was there before it."""
        before = self.environment.pyproject.read_bytes()
        self.site.install(name, "2")
        self.environment = self.site.finish()
        sync(self.environment)
        return {PYPROJECT: before}

    def commit(self, before: Contents, *, push: bool = False, **environ: str) -> List[str]:
        return list(commit(self.environment, before, {**ENVIRON, **environ}, push=push))

    @property
    def last(self) -> Dict[str, str]:
        return {
            "subject": self.git("log", "-1", "--format=%s"),
            "files": self.git("show", "--format=", "--name-only"),
        }


@pytest.fixture
def repository(site: Site) -> Repository:
    return Repository(site)


BEGUN = {"subject": "Begin"}
ADDED = {
    "subject": "my-env: b==2 added",
    "files": "my-env/pyproject.toml\nmy-env/spack.lock",
}


def test_nothing_but_the_environment_is_committed(repository: Repository) -> None:
    (repository.root / "other.txt").write_text("staged\n")
    repository.git("add", "other.txt")
    (repository.root / "other.txt").write_text("staged, and changed again\n")
    (repository.root / "new.txt").write_text("mine\n")
    path = repository.environment.path
    said = repository.commit(repository.add())
    assert (said, repository.last) == ([f"{path}: committed: my-env: b==2 added"], ADDED)
    assert repository.git("status", "--porcelain").split("\n") == ["MM other.txt", "?? new.txt"]
    assert repository.git("show", ":other.txt") == "staged"


def test_what_is_new_in_the_environment_is_committed_too(repository: Repository) -> None:
    (repository.root / ".gitignore").write_text(".spack-env/\nstore/\nuv.lock\n")
    before = contents(repository.environment)
    assert before["poetry.toml"] is None
    repository.add()
    (repository.environment.path / "poetry.toml").write_text("x = 1\n")
    (repository.environment.path / "uv.lock").write_text("")
    repository.commit(before)
    assert repository.last["files"].split("\n") == [
        "my-env/poetry.toml",
        "my-env/pyproject.toml",
        "my-env/spack.lock",
    ]


def test_a_lock_of_the_user_stays_after_a_mere_sync(repository: Repository) -> None:
    (repository.environment.path / "uv.lock").write_text("mine\n")
    repository.commit(repository.add())
    assert repository.last == ADDED
    assert repository.git("status", "--porcelain") == "?? my-env/uv.lock"


@pytest.mark.parametrize("staged", [False, True])
def test_own_changes_are_not_committed(repository: Repository, staged: bool) -> None:
    pyproject = repository.environment.pyproject
    pyproject.write_text(pyproject.read_text() + "# mine\n")
    if staged:
        repository.git("add", "--all")
    said = repository.commit(repository.add())
    assert said == [f"{pyproject}: had changes of your own; not committed"]
    assert repository.last["subject"] == "Begin"


@pytest.mark.parametrize("variable", ["CI", "GIT_DIR", "GIT_INDEX_FILE"])
def test_where_nothing_is_committed(repository: Repository, variable: str) -> None:
    before = repository.add()
    assert repository.commit(before, **{variable: "x"}) == []
    assert repository.last["subject"] == "Begin"


def test_no_repository_is_no_matter(site: Site) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    sync(environment)
    environ = {**ENVIRON, "GIT_CEILING_DIRECTORIES": str(site.root)}
    assert list(commit(environment, {PYPROJECT: None}, environ)) == []
    assert list(commit(environment, {PYPROJECT: None}, {**environ, "PATH": os.devnull})) == []


def test_nor_is_an_environment_that_is_not_in_it(repository: Repository) -> None:
    repository.git("rm", "--quiet", "--cached", "-r", "my-env")
    repository.git("commit", "--quiet", "--message", "Without")
    assert repository.commit(repository.add()) == []


def test_no_branch(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--detach")
    path = repository.environment.path
    assert repository.commit(repository.add()) == [f"{path}: is on no branch; not committed"]


def test_a_hook_that_refuses(repository: Repository) -> None:
    hook = repository.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho not now >&2\nexit 1\n")
    hook.chmod(0o755)
    before = contents(repository.environment)
    repository.add()
    (repository.environment.path / "poetry.toml").write_text("x = 1\n")
    status = repository.git("status", "--porcelain")
    path = repository.environment.path
    assert repository.commit(before) == [
        f"Warning: {path}: 'git commit' failed (not now); commit or push by hand"
    ]
    assert (repository.last["subject"], repository.git("status", "--porcelain")) == (
        "Begin",
        status,
    )


def test_push_only_if_asked(repository: Repository, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repository.git("init", "--quiet", "--bare", str(bare))
    repository.git("remote", "add", "origin", str(bare))
    repository.git("push", "--quiet", "--set-upstream", "origin", "main")
    begun = repository.git("rev-parse", "origin/main")
    repository.commit(repository.add())
    assert repository.git("rev-parse", "origin/main") == begun
    path = repository.environment.path
    said = repository.commit(repository.add("py-c"), push=True)
    assert said == [f"{path}: committed: my-env: c==2 added", f"{path}: pushed"]
    assert repository.git("rev-parse", "origin/main") == repository.git("rev-parse", "HEAD")
    shutil.rmtree(bare)
    said = repository.commit(repository.add("py-d"), push=True)
    assert said[1].startswith(f"Warning: {path}: 'git push' failed (")


def test_many_pins_are_counted(repository: Repository) -> None:
    before = repository.environment.pyproject.read_bytes()
    for number in range(9):
        repository.site.install(f"py-project-{number}", "1")
    repository.environment = environment = repository.site.finish()
    sync(environment)
    message = render_message("my-env", before, environment.pyproject)
    assert message.splitlines()[:3] == [
        "my-env: pins of Spack's: 9 added",
        "",
        "project-0==1 added",
    ]
    assert render_message("my-env", environment.pyproject.read_bytes(), environment.pyproject) == (
        "my-env: in step with Spack"
    )


def test_a_manifest_that_was_changed_by_hand_is_what_was_synced(repository: Repository) -> None:
    (repository.environment.path / "spack.yaml").write_text("spack: {specs: [py-b]}\n")
    before = contents(repository.environment, SYNCED)
    repository.site.install("py-b", "2")
    (repository.environment.path / "spack.lock").write_text(repository.site.lockfile())
    sync(repository.environment)
    repository.commit(before)
    assert repository.last["files"].split("\n") == [
        "my-env/pyproject.toml",
        "my-env/spack.lock",
        "my-env/spack.yaml",
    ]


def test_nothing_changed_is_nothing_said(repository: Repository) -> None:
    environment: Environment = repository.environment
    assert repository.commit(contents(environment)) == []
