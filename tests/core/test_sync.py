# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import os
import shutil
import tempfile
from pathlib import Path
from typing import Iterator, Optional

import pytest

from conftest import Site
from pyvarium.digests import stale_by_digest
from pyvarium.errors import PyvariumError
from pyvarium.model import Environment, Pin, PinDiff
from pyvarium.sync import plan, sync


def test_creates_a_minimal_file_and_constraints(site: Site) -> None:
    site.install("py-a", "1")
    site.install("py-setuptools", "80.9.0")
    environment = site.finish()
    changes = sync(environment)
    assert (str(changes), changes.diff) == (
        "created with 2 pins",
        PinDiff(added=(Pin("a", "1"), Pin("setuptools", "80.9.0"))),
    )
    lines = environment.pyproject.read_text().splitlines()
    assert [line for line in lines if "digest" not in line and "#" not in line] == [
        "[project]",
        'name = "my-env"',
        'version = "0"',
        'requires-python = ">=3.11,<3.12"',
        "dependencies = []",
        "",
        "[dependency-groups]",
        "spack = [",
        '    "a==1",',
        '    "setuptools==80.9.0",',
        "]",
        "",
        "[tool.pyvarium]",
    ]
    assert environment.constraints.read_text().splitlines()[1:] == ["a==1"]


def test_twice_is_once(site: Site) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    sync(environment)
    before = environment.pyproject.stat()
    again = sync(environment)
    after = environment.pyproject.stat()
    assert (bool(again), str(again)) == (False, "in step")
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_follows_what_spack_provides(site: Site) -> None:
    site.install("py-a", "1")
    site.install("py-gone", "1")
    environment = site.finish()
    sync(environment)
    shutil.rmtree(site.view / site.library)
    (site.view / site.library).mkdir()
    site.nodes.clear()
    site.roots.clear()
    site.install("py-a", "2")
    site.install("py-new", "1")
    changes = sync(site.finish())
    assert str(changes) == "new==1 added, a==1 -> 2, gone==1 removed"
    assert not plan(environment)


def test_of_many_pins_it_says_how_many(site: Site) -> None:
    (site.path / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1"\n')
    for number in range(100):
        site.install(f"py-a{number}", "1")
    assert str(sync(site.finish())) == "pins of Spack's: 100 added"


def test_a_directory_without_python_is_left_alone(site: Site) -> None:
    site.spec("zlib", "1")
    environment = site.finish()
    assert not sync(environment)
    environment.pyproject.write_text("[project]\nname = 'x'\n")
    assert not sync(environment)
    assert environment.pyproject.read_text() == "[project]\nname = 'x'\n"
    assert not environment.constraints.exists()


def test_the_last_distribution_leaves_an_empty_group(site: Site) -> None:
    site.install("py-a", "1")
    sync(site.finish())
    shutil.rmtree(site.view)
    changes = sync(site.finish())
    assert (changes.pins, changes.diff) == ((), PinDiff(removed=(Pin("a", "1"),)))


def test_a_pin_that_no_sync_wrote_is_the_users(site: Site) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    text = "[dependency-groups]\nspack = ['a==0', 'mine==3']\n"
    environment.pyproject.write_text(text)
    with pytest.raises(PyvariumError) as caught:
        sync(environment)
    assert str(caught.value) == (
        f"{environment.pyproject}: dependency-groups.spack holds 'mine==3', which is not Spack's;"
        " move it to another group or remove it"
    )
    assert environment.pyproject.read_text() == text


def test_pins_of_another_machine_are_not_the_users(site: Site, tmp_path: Path) -> None:
    """A group exactly as a sync wrote it elsewhere, fetched by git, is ours to change."""
    site.install("py-a", "1")
    here = site.finish()
    other = Site(tmp_path / "other")
    other.install("py-b", "1")
    there = other.finish()
    sync(there)
    here.pyproject.write_bytes(there.pyproject.read_bytes())
    assert str(sync(here)) == "a==1 added, b==1 removed"


@pytest.mark.parametrize("content", [b"", b"# own\n", b"[virtualenvs]\nin-project = true\n"])
def test_a_poetry_toml_of_somebody_else_stays(site: Site, content: bytes) -> None:
    """But for what a sync wrote into it, which goes with the backend."""
    site.install("py-a", "1")
    environment = site.finish()
    file = environment.path / "poetry.toml"
    file.write_bytes(content)
    sync(environment)
    assert file.exists() == (b"in-project" not in content)
    assert not file.exists() or file.read_bytes() == content


@pytest.mark.parametrize(
    ("requires", "fault"),
    [
        (">=3.11,<3.12", None),
        ("==3.11.*", None),
        ("~=3.11.4", None),
        (">=3.11,<3.11.5", None),
        ("==3.11.7", None),
        (">=3.9", False),
        ("", False),
        (">3.11", False),
        ("<3.11", True),
        (">=3.12", True),
        ("nonsense", None),
    ],
)
def test_pythons_that_the_project_is_for(site: Site, requires: str, fault: Optional[bool]) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    environment.pyproject.write_text(
        f"[project]\nname = 'x'\nversion = '0'\nrequires-python = '{requires}'\n"
    )
    assert [one.fault for one in plan(environment).skipped] == ([] if fault is None else [fault])


def digest_only(site: Site) -> Environment:
    return Environment(site.path, site.path.name, None)


def test_by_digest_in_step(site: Site) -> None:
    site.install("py-a", "1")
    sync(site.finish())
    assert stale_by_digest(digest_only(site)) is None


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ('"a==1"', '"a==2"', "has other pins than the last sync wrote"),
        ('"a==1",', "", "has other pins than the last sync wrote"),
        ("lockfile-digest", "other", "is not made from this spack.lock"),
        (None, None, "does not exist"),
    ],
    ids=["pin", "removed", "lockfile", "file"],
)
def test_by_digest_out_of_step(site: Site, old: Optional[str], new: str, difference: str) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    sync(environment)
    if old is None:
        environment.pyproject.unlink()
    else:
        environment.pyproject.write_text(environment.pyproject.read_text().replace(old, new))
    assert stale_by_digest(digest_only(site)) == difference


def test_without_a_view_nothing_is_written(site: Site) -> None:
    site.install("py-a", "1")
    site.finish()
    with pytest.raises(PyvariumError, match="has no view here"):
        sync(digest_only(site))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "is not UTF-8 at byte 0; save it as UTF-8"),
        (b"[project", "is not valid TOML ("),
        (None, "cannot be read (Is a directory); move away what stands there"),
    ],
    ids=["encoding", "toml", "directory"],
)
def test_bad_files(site: Site, content: Optional[bytes], message: str) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    if content is None:
        environment.pyproject.mkdir()
    else:
        environment.pyproject.write_bytes(content)
    with pytest.raises(PyvariumError) as caught:
        sync(environment)
    assert str(caught.value).startswith(f"{environment.pyproject}: {message}")
    assert content is None or environment.pyproject.read_bytes() == content


@pytest.fixture
def as_nobody() -> Iterator[Site]:
    """A site in a place that all may enter, seen with the rights of another user than root."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        yield Site(root)
        if os.getuid() == 0:
            os.seteuid(0)


def become_nobody() -> None:
    if os.getuid() == 0:
        os.seteuid(65534)


def test_an_unreadable_file(as_nobody: Site) -> None:
    as_nobody.install("py-a", "1")
    environment = as_nobody.finish()
    environment.pyproject.touch(mode=0o000)
    become_nobody()
    with pytest.raises(PyvariumError) as caught:
        plan(environment)
    assert str(caught.value) == (
        f"{environment.pyproject}: cannot be read (Permission denied); make it readable"
    )


def test_an_environment_of_somebody_else(as_nobody: Site) -> None:
    as_nobody.install("py-a", "1")
    environment = as_nobody.finish()
    (environment.path / ".spack-env").chmod(0o555)
    become_nobody()
    assert str(plan(environment)) == "created with 1 pin"
    with pytest.raises(PyvariumError) as caught:
        sync(environment)
    assert str(caught.value) == (
        f"{environment.state / 'lock'}: cannot be written (Permission denied); make it writable"
    )


def test_the_diff_is_the_one_of_diff(site: Site) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    environment.pyproject.write_text("[project]\nname = 'x'\n")
    changes = plan(environment)
    lines = changes.unified_diff().splitlines()
    path = environment.pyproject
    assert lines[:3] == [f"--- {path}", f"+++ {path}", "@@ -1,2 +1,12 @@"]
    assert [line for line in lines[3:] if line[:1] not in "+ "] == []
