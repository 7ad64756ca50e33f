# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import base64
import hashlib
import json
import os
import shutil
import sys
import venv as ordinary
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from conftest import HERE, Site
from pyvarium.commands import verify as answer
from pyvarium.errors import FileError
from pyvarium.sync import sync
from pyvarium.verify import Code, Fault, fix, remove_distribution, verify

METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"
FIX = "run 'spack pyvarium verify --fix'"
SYNC = "run 'spack pyvarium sync'"
INSTALL = "run 'spack pyvarium install', or choose another version of it"
LOCK = "run 'spack pyvarium lock'"
PYTHON = os.path.realpath(sys.executable)

Expected = List[Tuple[Code, str, str, str]]


class Planted:
    """An environment in step, in which a fault is to be found."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.spec = site.install("py-a", "1")
        self.module = site.library / "a.py"
        site.add(self.spec, self.module, "X = 1\n")
        self.environment = site.finish()
        self.environment.pyproject.write_text("[tool.pyvarium]\nbackend = 'uv'\n")
        self.write_manifest()
        self.sync()

    @property
    def path(self) -> Path:
        return self.environment.path

    @property
    def venv(self) -> Path:
        return self.environment.venv

    @property
    def site_packages(self) -> Path:
        return self.venv / "lib" / f"python{HERE}" / "site-packages"

    @property
    def store(self) -> Path:
        return self.site.prefixes[self.spec]

    def sync(self) -> None:
        sync(self.environment)

    def faults(self, **environ: str) -> Tuple[Fault, ...]:
        return verify(self.environment, None, environ)

    def install(self, name: str, version: str, *headers: str) -> Path:
        """Install as a user does, from an index."""
        dist_info = self.site_packages / f"{name}-{version}.dist-info"
        dist_info.mkdir()
        text = "".join(f"{line}\n" for line in headers)
        (dist_info / "METADATA").write_text(METADATA.format(name, version) + text)
        (self.site_packages / f"{name}.py").write_text("X = 2\n")
        (dist_info / "RECORD").write_text(f"{name}.py,,\n{dist_info.name}/METADATA,,\n")
        return dist_info

    def write_manifest(self) -> None:
        """As Spack does after an installation."""
        manifest: Dict[str, object] = {str(self.store): {"type": "dir"}}
        for path in self.store.rglob("*"):
            manifest[str(path)] = {"type": "dir"}
            if path.is_file():
                digest = hashlib.sha1(path.read_bytes()).digest()
                manifest[str(path)] = {
                    "hash": base64.b32encode(digest).decode(),
                    "size": path.stat().st_size,
                    "time": path.stat().st_mtime,
                }
        (self.store / ".spack" / "install_manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def planted(venv_site: Site) -> Planted:
    return Planted(venv_site)


def copy(planted: Planted) -> Expected:
    shutil.rmtree(planted.site_packages / "a-1.dist-info")
    path = planted.install("a", "2")
    return [(Code.SHADOWED, str(path), "shadows Spack's a 1", FIX)]


def copy_beside_the_shim(planted: Planted) -> Expected:
    path = planted.install("a", "2")
    return [
        (Code.SHADOWED, str(path), "shadows Spack's a 1", FIX),
        (Code.TWO_DIST_INFOS, str(path), "a is there a second time, as a-1.dist-info", FIX),
    ]


def missing_shim(planted: Planted) -> Expected:
    path = planted.site_packages / "a-1.dist-info"
    shutil.rmtree(path)
    return [(Code.MISSING_SHIM, str(path), "is missing", FIX)]


def changed_shim(planted: Planted) -> Expected:
    path = planted.site_packages / "a-1.dist-info"
    (path / "METADATA").write_text(METADATA.format("a", "1") + "Summary: other\n")
    return [(Code.MISSING_SHIM, str(path), "is changed", FIX)]


def stale_shim(planted: Planted) -> Expected:
    path = planted.site_packages / "b-1.dist-info"
    shutil.copytree(planted.site_packages / "a-1.dist-info", path)
    (path / "METADATA").write_text(METADATA.format("b", "1"))
    return [(Code.OUT_OF_STEP, str(path), "is of a former sync", SYNC)]


def changed_pin(planted: Planted) -> Expected:
    file = planted.environment.pyproject
    file.write_text(file.read_text().replace('"a==1",', '"a==3",', 1))
    return [(Code.OUT_OF_STEP, str(file), "a==3 -> 1", SYNC)]


def lost_pin(planted: Planted) -> Expected:
    """As ``poetry remove`` leaves it."""
    file = planted.environment.pyproject
    file.write_text(file.read_text().replace('"a==1",', "", 1))
    return [(Code.OUT_OF_STEP, str(file), "lacks a==1", SYNC)]


def changed_files(planted: Planted) -> Expected:
    pip, path_file = planted.venv / "pip.conf", planted.site_packages / "_spack_pyvarium.pth"
    [wheel] = planted.environment.wheels.iterdir()
    for path in (pip, path_file, wheel):
        path.write_text("changed\n")
    planted.environment.constraints.unlink()
    paths = (pip, path_file, wheel, planted.environment.constraints)
    return [(Code.OUT_OF_STEP, str(path), "is missing or changed", SYNC) for path in paths]


def unlinked(planted: Planted) -> Expected:
    path = planted.site_packages / "_spack_pyvarium.pth"
    path.unlink()
    return [(Code.OUT_OF_STEP, str(path), "is missing or changed", SYNC)]


def no_venv(planted: Planted) -> Expected:
    shutil.rmtree(planted.venv)
    reason = "is missing, or of another python than Spack's"
    return [(Code.OUT_OF_STEP, str(planted.venv), reason, SYNC)]


FIXED = [copy, copy_beside_the_shim, missing_shim, changed_shim, stale_shim, changed_pin]
FIXED += [lost_pin, changed_files, unlinked, no_venv]


@pytest.mark.parametrize("plant", FIXED)
def test_what_a_fix_repairs(planted: Planted, plant: Callable[[Planted], Expected]) -> None:
    assert planted.faults() == ()
    expected = plant(planted)
    found = planted.faults()
    assert [(one.code, one.subject, one.reason, one.remedy) for one in found] == sorted(expected)
    fix(planted.environment, None, found)
    assert planted.faults() == ()


def doubled(planted: Planted) -> Expected:
    planted.install("own", "1")
    path = planted.install("own", "2")
    reason = "own is there a second time, as own-1.dist-info"
    return [(Code.TWO_DIST_INFOS, str(path), reason, "install own again")]


def changed_store(planted: Planted) -> Expected:
    remedy = f"run 'spack install --overwrite py-a/{planted.spec[:7]}'"
    library = planted.store / planted.site.library
    (library / "a.py").write_text("X = 3\n")
    (library / "a-1.dist-info" / "METADATA").touch()
    (library / "added.py").touch()
    (library / "__pycache__").mkdir()
    (library / "__pycache__" / "a.pyc").touch()
    return [
        (Code.MODIFIED, str(library / "a.py"), "was changed in the store", remedy),
        (Code.MODIFIED, str(library / "added.py"), "was added to the store", remedy),
    ]


def gone_from_the_store(planted: Planted) -> Expected:
    file = planted.store / planted.module
    file.unlink()
    remedy = f"run 'spack install --overwrite py-a/{planted.spec[:7]}'"
    return [(Code.MODIFIED, str(file), "was removed from the store", remedy)]


def incompatible(planted: Planted) -> Expected:
    requirements = ["a>=2", "nowhere[x]", "a==1", "b; extra == 'x'", "c; python_version < '3'"]
    requirements += ["???"]
    headers = [f"Requires-Dist: {one}" for one in requirements]
    path = str(planted.install("own", "1", *headers))
    return [
        (Code.INCOMPATIBLE, path, "requires a>=2, but 1 is there", INSTALL),
        (Code.INCOMPATIBLE, path, "requires nowhere[x], which is not there", INSTALL),
    ]


def stale_view(planted: Planted) -> Expected:
    planted.site.nodes.clear()
    planted.site.roots.clear()
    planted.site.finish()
    reason = f"stands in the view but not in {planted.environment.lockfile}"
    path = planted.site.view / planted.site.library / "a-1.dist-info"
    return [(Code.STALE_VIEW, str(path), reason, "run 'spack env view regenerate'")]


def unusable_metadata(planted: Planted) -> Expected:
    planted.site.install("py-b", "1", "Name: b\n")
    planted.site.finish()
    planted.sync()
    file = planted.site.view / planted.site.library / "b-1.dist-info" / "METADATA"
    dag_hash = planted.site.roots[-1][:7]
    remedy = f"run 'spack install --overwrite py-b/{dag_hash}'"
    return [(Code.STALE_VIEW, "py-b@1", f"{file}: has no Version", remedy)]


def lock_of_other_versions(planted: Planted) -> Expected:
    planted.site.install("py-b", "1")
    planted.site.finish()
    planted.sync()
    path = planted.path / "uv.lock"
    shim = "b-1-0_abcdefg_00000000-py3-none-any.whl"
    path.write_text(f"[[package]]\nname = 'A'\nversion = '2'\nwheels = [{{ path = '{shim}' }}]\n")
    return [
        (Code.STALE_LOCK, str(path), "holds a 2, not a==1", LOCK),
        (Code.STALE_LOCK, str(path), "holds a shim of b that is made anew", LOCK),
        (Code.STALE_LOCK, str(path), "holds b not at all, not b==1", LOCK),
    ]


def other_python(path: Path) -> None:
    for python in (path / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("/bin/sh")


def venv_of_ours_of_another_python(planted: Planted) -> Expected:
    other_python(planted.venv)
    reason = "is missing, or of another python than Spack's"
    return [(Code.WRONG_PYTHON, str(planted.venv), reason, SYNC)]


def venv_of_the_users_of_another_python(planted: Planted) -> Expected:
    shutil.rmtree(planted.venv)
    ordinary.create(planted.venv, symlinks=True)
    other_python(planted.venv)
    reason = f"is of another python than Spack's ({PYTHON})"
    return [(Code.WRONG_PYTHON, str(planted.venv), reason, f"remove it and {SYNC}")]


def setting_of_the_users(planted: Planted) -> Expected:
    file = planted.environment.pyproject
    text = file.read_text().replace("[project]", "")
    file.write_text(f"{text}\n[project]\nname = 'x'\nversion = '0'\nrequires-python = '<3'\n")
    reason = f"is '<3', but Spack's python is {HERE}"
    return [(Code.CONFLICTING, f"{file}: project.requires-python", reason, "widen it")]


LEFT = [doubled, changed_store, gone_from_the_store, incompatible, stale_view, unusable_metadata]
LEFT += [lock_of_other_versions, venv_of_ours_of_another_python]
LEFT += [venv_of_the_users_of_another_python, setting_of_the_users]


@pytest.mark.parametrize(
    ("below", "reason", "remedy"),
    [
        (["same"], None, None),
        (
            ["same", "new"],
            "has changed since this environment was concretized on it",
            "run 'spack concretize --force' and 'spack pyvarium install'",
        ),
        (
            [],
            "has changed since this environment was concretized on it",
            "run 'spack concretize --force' and 'spack pyvarium install'",
        ),
        (
            None,
            "its spack.lock does not exist",
            "ask its owner, or choose another one in spack.yaml",
        ),
    ],
)
def test_the_environment_below(
    below: Optional[List[str]], reason: Optional[str], remedy: str, site: Site, tmp_path: Path
) -> None:
    """It is compared with the copy of it that the lockfile has."""
    lower = tmp_path / "lower"

    def with_roots(roots: List[str]) -> Dict[str, Any]:
        nodes = {one: {"name": one, "version": "1"} for one in roots}
        return {"roots": [{"hash": one, "spec": one} for one in roots], "concrete_specs": nodes}

    planted = Planted(site)
    data = json.loads(planted.environment.lockfile.read_text())
    included = {**data, "include_concrete": {str(lower): with_roots(["same"])}}
    planted.environment.lockfile.write_text(json.dumps(included))
    planted.sync()
    if below is not None:
        lower.mkdir()
        (lower / "spack.lock").write_text(json.dumps({**data, **with_roots(below)}))
    expected = [Fault(Code.STALE_LOWER, str(lower), reason, remedy)] if reason else []
    assert list(planted.faults()) == expected


@pytest.mark.parametrize("plant", LEFT)
def test_what_is_left_to_the_user(planted: Planted, plant: Callable[[Planted], Expected]) -> None:
    expected = plant(planted)
    found = planted.faults()
    assert [(one.code, one.subject, one.reason, one.remedy) for one in found] == sorted(expected)


def test_pythonpath(planted: Planted) -> None:
    assert planted.faults(PYTHONPATH="") == ()
    [fault] = planted.faults(PYTHONPATH="/view/lib")
    assert str(fault) == (
        "PYTHONPATH: is set ('/view/lib'), so that python imports from there before .venv;"
        " unset it, or activate the environment by 'spack pyvarium activate'"
    )


@pytest.mark.parametrize("manifest", ["", "[", "[]", "{}", '{"%s": {"type": "dir"}}'])
def test_a_manifest_that_tells_nothing(planted: Planted, manifest: str) -> None:
    path = planted.store / ".spack" / "install_manifest.json"
    path.write_text(manifest.replace("%s", "/elsewhere"))
    assert planted.faults() == ()


def test_the_answer_of_a_fix(planted: Planted) -> None:
    plant_one, plant_two = missing_shim(planted), incompatible(planted)
    found = json.loads(answer(planted.environment, fix=True, as_json=True).text)
    assert len(found["fixed"]) == len(plant_one)
    assert len(found["faults"]) == len(plant_two)


def test_a_copy_without_a_record_does_not_keep_the_rest_from_repair(planted: Planted) -> None:
    planted.site.install("py-b", "1")
    planted.site.finish()
    planted.sync()
    missing_shim(planted)
    shutil.rmtree(planted.site_packages / "b-1.dist-info")
    path = planted.install("b", "2")
    (path / "RECORD").unlink()
    with pytest.raises(FileError) as caught:
        fix(planted.environment, None, planted.faults())
    assert str(caught.value) == (
        f"{path}: has no RECORD of its files; remove it and its modules by hand"
    )
    assert [one.code for one in planted.faults()] == [Code.SHADOWED]


# To remove a distribution: its RECORD is not to be trusted.


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A distribution in a venv, beside one more, and with something outside of it."""
    directory = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages"
    for name in ("a/b/c.py", "a/__init__.py", "a/__pycache__/__init__.cpython-311.pyc", "a.pth"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).touch()
    for name in ("bin/python", "bin/a", "bin/other", "share/man/a.1", "pyvenv.cfg"):
        (tmp_path / ".venv" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".venv" / name).touch()
    for name in ("outside", "linked/inside", "linked/__pycache__/inside.x.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (directory / "a" / "link").symlink_to(tmp_path / "linked")
    (directory / "other.py").touch()
    (directory / "a-1.dist-info").mkdir()
    return directory / "a-1.dist-info"


def files_in(root: Path) -> List[str]:
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() or path.is_symlink()
    )


RECORD = """a/__init__.py,,
"a/b/c.py",sha256=x,1
a/gone.py,,
a.pth,,
../../../bin/a,,
../../../share/man/a.1,,
a-1.dist-info/RECORD,,
"""
KEPT = [
    ".venv/bin/other",
    ".venv/bin/python",
    ".venv/lib/python3.11/site-packages/a/link",
    ".venv/lib/python3.11/site-packages/other.py",
    ".venv/pyvenv.cfg",
    "linked/__pycache__/inside.x.pyc",
    "linked/inside",
    "outside",
]


@pytest.mark.parametrize(
    "more",
    [
        b"",
        b"../../../../outside,,\n../../../../../../../../../../../etc/nothing,,\n",
        b"{tmp}/outside,,\n/etc/nothing,,\n",
        b"a/link/inside,,\na/link/inside.py,,\n",
        b"../../../bin/python,,\n../../../pyvenv.cfg,,\n../../../bin/../bin/python,,\n",
        b'\n,,\n.,,\n..,,\n../..,,\n../../..,,\na,,\n"\n,,\n',
        b"\xff\xfe\0,,\n*,,\n**.py,,\n[.py,,\n",
    ],
    ids=["plain", "above", "absolute", "through-a-link", "venv", "directories", "nonsense"],
)
def test_only_its_own_is_removed(tmp_path: Path, copied: Path, more: bytes) -> None:
    more = more.replace(b"{tmp}", str(tmp_path).encode())
    (copied / "RECORD").write_bytes(RECORD.encode() + more)
    remove_distribution(copied, tmp_path / ".venv")
    assert files_in(tmp_path) == KEPT
    assert not (tmp_path / ".venv" / "share").exists()
    assert not (copied.parent / "a" / "b").exists()


def test_removed_from_a_venv_that_is_a_link(tmp_path: Path, copied: Path) -> None:
    (copied / "RECORD").write_text(RECORD)
    (tmp_path / ".venv").rename(tmp_path / "disk")
    (tmp_path / ".venv").symlink_to(tmp_path / "disk")
    remove_distribution(copied, tmp_path / ".venv")
    assert files_in(tmp_path / "disk") == [
        name[len(".venv/") :] for name in KEPT if name.startswith(".venv/")
    ]


def test_metadata_that_is_a_link(tmp_path: Path, copied: Path) -> None:
    (copied / "RECORD").write_text(RECORD)
    copied.rename(tmp_path / "elsewhere")
    copied.symlink_to(tmp_path / "elsewhere")
    remove_distribution(copied, tmp_path / ".venv")
    assert not copied.is_symlink()
    assert files_in(tmp_path) == sorted([*KEPT, "elsewhere/RECORD"])


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_an_egg_info_has_no_record(tmp_path: Path, copied: Path, kind: str) -> None:
    path = copied.with_name("a-1.egg-info")
    path.mkdir() if kind == "directory" else path.touch()
    with pytest.raises(FileError, match="has no RECORD of its files; remove it and its modules"):
        remove_distribution(path, tmp_path / ".venv")
