# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What is committed by Spack commands, for whoever has asked for that."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from spacks import NewEnvironment, Spack, write


def git(directory: Path, spack: Spack, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=directory, env=spack.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def somebody(spack: Spack) -> Spack:
    """With a name for Git, and outside of continuous integration."""
    own = {key: text for key, text in spack.environ.items() if key != "CI"}
    for who in ("AUTHOR", "COMMITTER"):
        own.update({f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x@example.org"})
    return replace(spack, environ={**own, "GIT_CONFIG_GLOBAL": "/dev/null"})


def test_commits(somebody: Spack, new_environment: NewEnvironment, on_newest_spack: None) -> None:
    spack = somebody
    environment = new_environment("py-clicker")
    path = environment.path
    spack("-D", path, "install")
    write(path / ".gitignore", "/.spack-env/\n/.venv/\n/activate.*\n")
    git(path, spack, "init", "--quiet")
    git(path, spack, "add", "--all")
    git(path, spack, "commit", "--quiet", "--message", "Begin")

    def next_lock(*specs: str) -> None:
        """As a colleague's manifest and lock."""
        named = new_environment(*specs, name="other", pyproject=None).path
        for name in ("spack.yaml", "spack.lock"):
            write(path / name, (named / name).read_text())

    next_lock("py-clicker", "py-site-only")
    assert "committed" not in spack("-D", path, "install").err  # Nobody has asked for it.
    git(path, spack, "commit", "--quiet", "--all", "--message", "By hand")

    spack("pyvarium", "config", "git.commit", "true")
    next_lock("py-clicker", "py-site-only", "py-tensors")
    done = spack("-D", path, "install")
    assert done.said[-1] == f"==> pyvarium: {path}: committed: work: tensors==2.9.0 added"
    assert git(path, spack, "log", "-1", "--format=%s") == "work: tensors==2.9.0 added"
    assert git(path, spack, "status", "--porcelain") == ""

    next_lock("py-clicker")
    off = spack.with_environ(SPACK_PYVARIUM="off")
    off("-D", path, "install")
    off("-D", path, "env", "view", "regenerate")
    done = off("-D", path, "pyvarium", "sync")
    assert done.err.splitlines()[-1] == (
        f"==> {path}: committed: work: site-only==0.4 removed, tensors==2.9.0 removed"
    )
    assert git(path, spack, "status", "--porcelain") == ""
