# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Recipes for projects on an index, that Spack audits, installs from source and imports."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator, List, Mapping, Tuple

import pytest
from index import Index, Release
from spacks import UNMET, Done, Spack, write

FLIT = """\
[build-system]
requires = ["flit_core>=3.2,<4"]
build-backend = "flit_core.buildapi"

[project]
name = "{name}"
version = "{version}"
description = "Grows on the moor."
dependencies = {requires}
{extras}
[tool.flit.module]
name = "{module}"
"""
SETUPTOOLS = """\
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "{version}"
dependencies = {requires}
{extras}
[tool.setuptools]
packages = ["{module}"]
"""
SETUP = """\
from setuptools import Extension, setup

setup(ext_modules=[Extension("tarn.depth", ["tarn/depth.c"])])
"""
C = """\
#include <Python.h>

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "depth", NULL, 40, NULL};

PyMODINIT_FUNC PyInit_depth(void) { return PyModule_Create(&definition); }
"""

#: Asked for by the tests; none of them has a recipe, but packaging and idna have.
MOORLAND = (
    *("packaging>=20", "peat>=1.1", "tarn>=1; extra == 'wet'"),
    *("colorama; sys_platform == 'win32'", "tomli; python_version < '3.6'"),
)
PROJECTS = (
    (Release("moorland", "1.0", ("peat",)), FLIT, {}),
    (Release("moorland", "1.1", ("peat>=1.1", "packaging")), FLIT, {}),
    (Release("moorland", "2.0", MOORLAND, ">=3.7", extras=("wet",)), FLIT, {}),
    (Release("peat", "1.0"), SETUPTOOLS, {}),
    (Release("peat", "1.1.2", ("import>=0.5",)), SETUPTOOLS, {}),
    (Release("import", "0.5"), FLIT, {}),
    (Release("tarn", "1.0"), SETUPTOOLS, {"setup.py": SETUP, "tarn/depth.c": C}),
    (Release("3to4", "0.1"), FLIT, {}),
    (Release("idna", "3.4"), FLIT, {}),
    (Release("idna", "99.0", ("peat>=1",)), FLIT, {}),
)
PYPROJECT = """\
[project]
name = "of-a-user"
version = "1"
dependencies = ["3to4>=0.1", "peat>=1; python_version >= '3.8'", "idna<4"]
"""
HEATH = """\
from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyHeath(PythonPackage):
    version("1.0")
"""
#: Of a user, below what is ours.
BY_HAND = """
    def setup_build_environment(self, env: EnvironmentModifications) -> None:
        env.set("MOORLAND", "1")
"""


@dataclass(frozen=True)
class Recipes:
    """The recipe commands of a Spack, with an index and a repo of a test's own."""

    spack: Spack
    index: Index

    @property
    def repo(self) -> Path:
        return self.spack.root / "moor"

    @property
    def root(self) -> Path:
        """What Spack calls the repo."""
        return self.repo / "spack_repo" / "moor"

    def file(self, name: str) -> Path:
        return self.root / "packages" / name.replace("-", "_") / "package.py"

    @property
    def texts(self) -> Mapping[str, str]:
        files = self.root.glob("packages/*/package.py")
        return {one.parent.name: one.read_text() for one in files}

    def __call__(self, *words: object, code: int = 0) -> Done:
        """Run a command, which is no more than a line of error where it fails."""
        done = self.spack("pyvarium", "recipe", *words, code=code)
        assert "Traceback" not in done.err
        return done

    def create(self, *words: object, code: int = 0) -> Done:
        return self("create", *words, "--repo", self.repo, code=code)

    def update(self, *words: object, code: int = 0) -> Done:
        return self("update", *words, "--repo", self.repo, code=code)


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as running:
        for release, build, files in PROJECTS:
            add(running, release, build, files)
        yield running


@pytest.fixture
def recipes(spack: Spack, index: Index) -> Recipes:
    """A Spack whose cache has of no index what another one said at the same address."""
    if spack.release == "v0.23.1":
        pytest.skip("has no Package API v2")
    with_own_cache(spack)
    return Recipes(spack.with_environ(PIP_INDEX_URL=index.url, no_proxy="127.0.0.1"), index)


def with_own_cache(spack: Spack) -> None:
    """Give a Spack a cache of its own, without what was fetched before."""
    own = spack.root / "misc"
    cache = spack.host.prefix / "cache/misc"
    shutil.copytree(cache, own, ignore=shutil.ignore_patterns("pyvarium"))
    config = spack.configuration / "config.yaml"
    config.write_text(config.read_text().replace(str(cache), str(own)))


def add(index: Index, release: Release, build: str = FLIT, files: Mapping[str, str] = {}) -> None:
    """Put a release on an index, with a wheel that has its metadata."""
    module = f"_{release.escaped}" if release.name in ("import", "3to4") else release.escaped
    pyproject = build.format(
        name=release.name,
        version=release.version,
        requires=json.dumps([one for one in release.requires if "extra" not in one]),
        extras='optional-dependencies = {wet = ["tarn>=1"]}\n' if release.extras else "",
        module=module,
    )
    sources = {"pyproject.toml": pyproject, f"{module}/__init__.py": '"""Of the moor."""\n'}
    index.add(release)
    index.add_sdist(release, {**sources, **files})


def write_text(path: Path, text: str) -> Path:
    write(path, text)
    return path


def directives(text: str) -> List[str]:
    """What a recipe says, by the names of what it calls."""
    found = re.findall(r"^ +(\w+)\(", text, re.MULTILINE)
    return [name for name in found if name != "default_args"]


def run(*command: object) -> Tuple[int, str]:
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def install(recipes: Recipes, mirror: Path, *specs: str) -> Path:
    """Install specs from source by a mirror alone, and return the python that has them."""
    spack = recipes.spack
    spack("repo", "add", "--scope", "user", recipes.root)
    spack.configure("mirrors", f"mirrors:\n  moor: {mirror.as_uri()}\n")
    environment = spack.root / "environment"
    write(environment / "spack.yaml", f"spack:\n  specs: {json.dumps(specs)}\n  view: true\n")
    spack("-D", environment, "concretize")
    spack("-D", environment, "install")
    return environment / ".spack-env/view/bin/python"


def test_one_command_and_all_is_installed(recipes: Recipes, on_newest_spack: None) -> None:
    """What is missing is made, direct or not, in C too; what builtin has is not."""
    mirror = recipes.spack.root / "mirror"
    done = recipes.create("moorland[wet]>=1", "--mirror", mirror)
    made = {
        "py-import": "0.5, needed by py-peat",
        "py-moorland": "3 versions from 1.0 to 2.0, asked for",
        "py-peat": "2 versions from 1.0 to 1.1.2, needed by py-moorland",
        "py-tarn": "1.0, needed by py-moorland",
    }
    assert done.out.splitlines() == [
        f"{recipes.file(name)}: created ({name}, {said})" for name, said in made.items()
    ]
    assert done.err.splitlines()[-1] == (
        "==> Spack does not look into this repo yet; have it do so by: spack repo add"
        f" {recipes.root}"
    )
    assert {path.suffixes[-1] for path in mirror.rglob("*.*")} == {".gz"}
    assert 'depends_on("c", type="build")' in recipes.texts["py_tarn"]
    assert 'depends_on("py-colorama", when="@2: platform=windows")' in recipes.texts["py_moorland"]
    assert "tomli" not in recipes.texts["py_moorland"]

    python = install(recipes, mirror, "py-moorland+wet")
    code, said = run(python, "-c", "import moorland, peat, _import, tarn.depth as d; print(d)")
    assert (code, "depth" in said) == (0, True), said
    answer = json.loads(run(python, "-c", UNMET)[1])
    assert answer["unmet"] == [] and answer["distributions"] >= 5


@pytest.mark.usefixtures("thoroughly")
def test_what_is_made_has_the_form_that_spack_asks_for(
    recipes: Recipes, on_one_spack: None
) -> None:
    recipes.create("moorland[wet]", "3to4", "idna")
    names = ["py-3to4", "py-idna", "py-import", "py-moorland", "py-peat", "py-tarn"]
    assert sorted(one.replace("_", "-") for one in recipes.texts) == names
    recipes.spack("repo", "add", "--scope", "user", recipes.root)
    done = recipes.spack("audit", "packages", *names)
    assert [line for line in done.out.splitlines() if not line.endswith(": passed")] == []
    for tool, *options in (
        ("black", "--check", "--line-length=99", "--skip-magic-trailing-comma"),
        ("isort", "--check", "--line-length=99", "--profile=black", "--project=spack"),
    ):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"no {tool} here")
        code, said = run(sys.executable, "-m", tool, "--quiet", *options, recipes.root)
        assert code == 0, said


def test_an_update_keeps_what_was_written_by_hand(recipes: Recipes, on_one_spack: None) -> None:
    recipes.create("moorland", "--versions", "1")
    file = recipes.file("py-moorland")
    file.write_text(file.read_text() + BY_HAND)
    before = recipes.texts
    in_step = f"{file}: in step (py-moorland, 2.0, asked for)\n"
    assert recipes.update("moorland", "--check").out == in_step

    add(recipes.index, Release("moorland", "2.1", ("idna",)))
    would = f"{file}: would be updated (py-moorland, 2 versions from 2.0 to 2.1, asked for)\n"
    assert recipes.update("py-moorland", "--check", code=3).out == would
    assert recipes.texts == before
    done = recipes.update("moorland")
    assert done.out == would.replace("would be ", "")
    text = recipes.texts["py_moorland"]
    assert text.endswith(BY_HAND) and 'depends_on("py-idna", when="@2.1:")' in text
    assert recipes.update("moorland", "--check").err.count("Error") == 0


@pytest.mark.usefixtures("thoroughly")
def test_a_recipe_that_is_there_is_extended(recipes: Recipes, on_one_spack: None) -> None:
    """By what is new alone: the rest is builtin's, whose recipe stays as it is."""
    builtin = Path(recipes.spack("location", "--package-dir", "py-idna").out.strip(), "package.py")
    before = builtin.read_text()
    recipes.create("peat")
    done = recipes.create("idna", "--closure", "none")
    assert done.out == f"{recipes.file('py-idna')}: created (py-idna, 99.0, asked for)\n"
    text = recipes.texts["py_idna"]
    assert "class PyIdna(BuiltinPyIdna):" in text
    assert directives(text).count("version") == 1
    assert 'depends_on("py-peat@1:", when="@99:")' in text
    recipes.spack("repo", "add", "--scope", "user", recipes.root)
    assert builtin.read_text() == before
    assert recipes.spack("versions", "--safe", "py-idna").out.split()[0] == "99.0"
    again = recipes.create("idna")
    assert again.out == done.out.replace("created", "in step")
    assert recipes.texts["py_idna"] == text


def test_nothing_is_written(recipes: Recipes, thoroughly: None) -> None:
    """By what only looks, also into the cache of what was fetched."""
    file = recipes.file("py-tarn")
    would = f"{file}: would be created (py-tarn, 1.0, asked for)\n"
    assert recipes.create("tarn", "--dry-run").out == would
    assert recipes.create("tarn", "--check", code=3).out == would
    diff = recipes.create("tarn", "--diff").out.splitlines()
    asked = len(recipes.index.asked)
    answer = json.loads(recipes.create("tarn", "--json", "--dry-run", "--offline").out)
    assert len(recipes.index.asked) == asked
    assert answer == {
        "enough": [],
        "problems": [],
        "recipes": [
            {
                "action": "created",
                "extends": None,
                "name": "py-tarn",
                "path": str(file),
                "project": "tarn",
                "reason": "asked for",
                "versions": ["1.0"],
            }
        ],
        "written": False,
    }
    assert recipes.create("idna<4").out.startswith("idna: builtin has py-idna up to 3.")
    assert not recipes.repo.exists()
    written = json.loads(recipes.create("tarn", "--json").out)
    assert written == {**answer, "written": True}
    assert [line[1:] for line in diff[3:]] == file.read_text().splitlines()


def test_a_file_of_requests_and_an_sdist(recipes: Recipes, thoroughly: None) -> None:
    asked = write_text(recipes.spack.root / "pyproject.toml", PYPROJECT)
    sdist = recipes.spack.root / "tarn-1.0.tar.gz"
    sdist.write_bytes(recipes.index.pages["/files/tarn-1.0.tar.gz"][1])
    done = recipes.create("-r", asked, sdist, "--extras", "wet")
    assert sorted(recipes.texts) == ["py_3to4", "py_import", "py_peat", "py_tarn"]
    assert done.out.startswith("idna: builtin has py-idna up to 3.")


def test_a_recipe_is_compared_with_its_metadata(recipes: Recipes, thoroughly: None) -> None:
    recipes.create("moorland")
    recipes.spack("repo", "add", "--scope", "user", recipes.root)
    assert recipes("check", "moorland").out == "py-moorland: as upstream says\n"
    file = recipes.file("py-moorland")
    looser = file.read_text().replace('"py-packaging@20:"', '"py-packaging@19:"')
    file.write_text("\n".join(line for line in looser.split("\n") if "py-peat" not in line))
    done = recipes("check", "py-moorland", code=3)
    assert [line.partition(" on python")[0] for line in done.out.splitlines()] == [
        "py-moorland@2:: looser: py-packaging",
        "py-moorland@1.1:: missing: py-peat",
        "py-moorland@:1.0: missing: py-peat",
    ]


@pytest.mark.usefixtures("thoroughly")
def test_what_cannot_be_made(recipes: Recipes, on_newest_spack: None) -> None:
    """Each is one line of error that names what is wrong, and leaves no trace."""
    index, root = recipes.index, recipes.spack.root
    yanked = Release("bog", "1.0")
    index.add(yanked)
    index.add_sdist(yanked, {}, yanked="it sinks")
    add(index, Release("heath", "1.0"))
    by_hand = write_text(recipes.file("py-heath"), HEATH)
    write(recipes.root / "repo.yaml", "repo:\n  namespace: moor\n  api: v2.0\n")
    for word, message in {
        "no-such": f"no-such: is not on {index.url}; check its spelling, or name another index",
        "bog": "bog: all its sdists are yanked ('it sinks'); ask for another project",
        "heath": f"{by_hand}: has no marks of ours, and is kept as it was written by hand; name",
        "$(id)": "$(id): is not a requirement; write it as 'httpx[http2]>=0.27', or name a file",
        f"{root}/none.txt": f"{root}/none.txt: does not exist; mend what names it",
    }.items():
        refuses(recipes, message, "create", word, "--repo", recipes.repo)
    message = f"repo {root}/import: 'import' cannot be the namespace of a repo; take another name"
    refuses(recipes, message, "create", "peat", "--repo", root / "import")
    nowhere = replace(
        recipes, spack=recipes.spack.with_environ(PIP_INDEX_URL="http://127.0.0.1:1")
    )
    message = "http://127.0.0.1:1/peat/: cannot be reached (Connection refused); check the network"
    refuses(nowhere, message, "create", "peat", "--repo", recipes.repo)
    assert recipes.texts == {"py_heath": HEATH}
    assert not (root / "import").exists()


def test_what_else_cannot_be_made(recipes: Recipes, thoroughly: None) -> None:
    index, root = recipes.index, recipes.spack.root
    index.add(Release("mire", "1.0"))
    index.add_sdist(Release("fen", "1.0"), {"PKG-INFO": "Metadata-Version: what\n\n"})
    file = write_text(root / "file", "")
    for word, message in {
        "mire": f"mire: has wheels alone on {index.url}, no sdist to build from; write a recipe",
        "fen": "fen: has no release with metadata that can be used (1.0 is left out: ",
        "moorland>=9": "moorland: has no release for '>=9'; its newest are 2.0, 1.1, 1.0",
        "../peat": "../peat: is not a requirement; write it as 'httpx[http2]>=0.27', or name a",
        "peat @ https://me:secret@x.org/": "peat: is asked for by an address; ask for a version",
        f"{root}/none.zip": f"{root}/none.zip: cannot be read (No such file or directory); name",
    }.items():
        refuses(recipes, message, "create", word, "--repo", recipes.repo)
    for repo, message in {
        "builtin": "repo builtin: is Spack's own, which an update of Spack replaces; name another",
        "nobody": "repo nobody: no repo of that namespace is configured (there are builtin, ",
        file: f"repo {file}: is not a directory; name one, or one to be made",
    }.items():
        refuses(recipes, message, "create", "peat", "--repo", repo)
    message = "versions 'x': selects none; say 'minor', 'all', a number, or a specifier"
    refuses(recipes, message, "create", "peat", "--versions", "x", "--repo", recipes.repo)
    refuses(
        recipes, "recipe peat: is not in repo moor (", "update", "peat", "--repo", recipes.repo
    )
    refuses(recipes, "no-such: there is no recipe for it; create one", "check", "no-such")
    assert recipes.create(code=2).err.startswith("==> Error: recipe create: takes a request or -r")
    assert not recipes.repo.exists()


def refuses(recipes: Recipes, message: str, *words: object) -> None:
    done = recipes(*words, code=1)
    lines = done.err.splitlines()
    assert (done.out, [line for line in lines if not line.endswith(" releases read")]) == (
        "",
        [lines[-1]],
    )
    assert lines[-1].startswith(f"==> Error: {message}")


def test_old_spack_has_no_such_recipes(spack: Spack) -> None:
    if spack.release == "v0.23.1":
        done = spack("pyvarium", "recipe", "create", "peat", "--repo", spack.root, code=1)
        assert "has no Package API v2, which recipes are written for; use Spack 1.0" in done.err
