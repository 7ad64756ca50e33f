# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Some of the faults that ``tests/faults`` injects: all of them take many minutes."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from conftest import HERE, Site
from pyvarium.errors import PyvariumError
from pyvarium.model import Environment
from pyvarium.sync import plan, sync

RUN = Path(__file__).resolve().parents[1] / "faults" / "run.py"


@pytest.mark.programs
@pytest.mark.skipif(sys.platform != "linux", reason="the library is for Linux")
@pytest.mark.skipif(not shutil.which(os.environ.get("CC", "cc")), reason="no C compiler")
def test_some_faults(request: pytest.FixtureRequest) -> None:
    thorough = request.config.getoption("--hypothesis-profile") == "thorough"
    words = [sys.executable, RUN, "--seed", "1", "--count", "100" if thorough else "4"]
    words += ["uv", "venv", "pack-gzip", "run", "run-lease"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    assert done.stdout.endswith(": 0 left out, 0 wrong\n") and done.returncode == 0, done.stdout


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with few inodes."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "nr_inodes=300", "none", str(path)]
    if os.geteuid() or subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("only root may mount a file system")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def provide(site: Site) -> Environment:
    """A project, a venv and what is provided; all is left to be done."""
    site.add_python()
    site.add_venv()
    site.install("py-a", "1")
    environment = site.finish()
    environment.pyproject.write_text("# mine\n[tool.pyvarium]\nbackend = 'uv'\n")
    return environment


def test_a_full_inode_table(small: Path) -> None:
    """However little is left: the project is as before or as after, and the next sync heals."""
    site = Site(small, HERE)
    environment = provide(site)
    before = environment.pyproject.read_bytes()
    fill = small / "fill"
    fill.mkdir()
    with pytest.raises(OSError, match="No space left"):
        for number in itertools.count():
            (fill / str(number)).touch()
    refused = 0
    for one in fill.iterdir():
        try:
            sync(environment)
            break
        except PyvariumError as error:
            assert "\n" not in str(error)
            refused += 1
        found = environment.pyproject.read_bytes()
        assert found == before or found.startswith(before)
        one.unlink()
    assert refused > 5 and not plan(environment)


def test_a_clock_that_is_put_back(tmp_path: Path) -> None:
    """All that is there was written in the future, as far as its times tell."""
    environment = provide(Site(tmp_path, HERE))
    sync(environment)
    for path in [*environment.path.rglob("*"), *tmp_path.glob("store/**/*")]:
        if not path.is_symlink():
            os.utime(path, (4e9, 4e9))
    assert not sync(environment)
    shim = next(environment.venv.glob("**/a-1.dist-info/METADATA"))
    shim.write_bytes(shim.read_bytes().replace(b"a", b"b"))
    os.utime(shim, (4e9, 4e9))
    assert sync(environment).layer and not plan(environment)


def test_hard_links_and_links_to_a_project(tmp_path: Path) -> None:
    """A link is followed; what else is the same file stays as it was."""
    environment = provide(Site(tmp_path, HERE))
    real, other = tmp_path / "real.toml", tmp_path / "other.toml"
    before = environment.pyproject.read_bytes()
    environment.pyproject.rename(real)
    os.link(real, other)
    environment.pyproject.symlink_to(real)
    sync(environment)
    assert environment.pyproject.is_symlink() and other.read_bytes() == before
    assert real.read_bytes().startswith(before) and not plan(environment)
