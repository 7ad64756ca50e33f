# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The package repo: it loads, leaves others alone, and all that is in it can be installed."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from spacks import TOP, UNMET, Spack, write

from pyvarium import __version__

INDEX = "https://pypi.org/simple/"
RECIPES = sorted(path.parent.name for path in TOP.glob("packages/*/package.py"))
#: Their own recipes lack what Poetry and PDM need.
OLD = ("v0.23.1", "v1.0.2")

#: The one library whose sources are not on the package index.
EXTERNAL = """\
  libffi:
    externals: [{spec: libffi@3, prefix: /usr}]
"""
#: Sources that builtin cannot find on an index that has only hashed addresses.
HASHED = (
    "https://files.pythonhosted.org/packages/13/69/"
    "33ddede1939fdd074bce5434295f38fae7136463422fe4fd3e0e89b98062/charset_normalizer-3.4.4.tar.gz",
)

#: For names of recipes: the namespace that each leads to, and whether there is a version of it.
NAMES = """
import json, sys, spack.repo
found = {name: spack.repo.PATH.get_pkg_class(name) for name in sys.argv[1:]}
print(json.dumps({name: [one.namespace, bool(one.versions)] for name, one in found.items()}))
"""
#: What others build: by themselves what our repo has in newer versions, and what depends on it.
OTHERS = (
    *("py-black", "py-jupyter-core", "py-msgpack", "py-poetry-core", "py-resolvelib", "py-rich"),
    *("py-tomlkit", "py-virtualenv"),
)


@pytest.fixture(scope="session")
def sources() -> None:
    """Skips where Spack cannot fetch sources."""
    try:
        urllib.request.urlopen(INDEX + "uv/", timeout=60).close()
    except (OSError, urllib.error.URLError) as error:
        pytest.skip(f"no package index here: {error}")


def install(spack: Spack, *specs: str) -> Path:
    """Install specs into an environment, and return that."""
    environment = spack.root / "environment"
    write(environment / "spack.yaml", f"spack:\n  specs: {json.dumps(specs)}\n  view: true\n")
    spack("-D", environment, "concretize", "--force", timeout=3600)
    spack("-D", environment, "install", timeout=3600)
    return environment


def ours(environment: Path) -> dict[str, str]:
    """The versions of what was installed from our repo."""
    specs = json.loads((environment / "spack.lock").read_text())["concrete_specs"].values()
    return {one["name"]: one["version"] for one in specs if one["namespace"] == "pyvarium"}


def hashes(spack: Spack) -> dict[str, str]:
    """The spec of every hash that others get."""
    environment = spack.root / "others"
    write(environment / "spack.yaml", f"spack:\n  specs: {json.dumps(OTHERS)}\n  view: false\n")
    spack("-D", environment, "concretize", "--force", "--fresh", timeout=3600)
    specs = json.loads((environment / "spack.lock").read_text())["concrete_specs"]
    return {dag_hash: f"{one['namespace']}.{one['name']}" for dag_hash, one in specs.items()}


def without_us(spack: Spack) -> Spack:
    if spack.release == "v0.23.1":
        spack = spack.with_environ(PYTHONPATH="")
    else:
        (spack.configuration / "include.yaml").unlink()
    spack("pyvarium", "--help", code=1)
    return spack


def output(*command: object) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_audit(spack: Spack) -> None:
    """It fails on any finding, and loads them all."""
    done = spack("audit", "packages", *RECIPES)
    assert [line for line in done.out.splitlines() if not line.endswith(": passed")] == []


def test_names(spack: Spack) -> None:
    """They lead to our recipes, although a ``repos.yaml`` of the user's has builtin first."""
    script = spack.root / "names.py"
    script.write_text(NAMES)
    found = json.loads(spack("python", script, *RECIPES).out)
    assert {namespace for namespace, _ in found.values()} == {"pyvarium"}
    there = [name for name, (_, has_versions) in found.items() if has_versions]
    expected = {"v0.23.1": ["pyvarium-uv"], "v1.0.2": ["py-spack-pyvarium", "pyvarium-uv"]}
    assert there == expected.get(spack.release, RECIPES)


def test_no_recipe_is_called_as_one_of_builtin_might_be() -> None:
    """By which alone nothing of it is replaced, today or by what it will have tomorrow."""
    assert [name for name in RECIPES if "pyvarium" not in name] == []


@pytest.mark.usefixtures("thoroughly", "on_one_spack")
def test_others_are_built_as_without_us(spack: Spack) -> None:
    """To the hash of every spec, also where ours is the first of the repos."""
    if spack.release != "v0.23.1":  # There builtin is always the last.
        spack("repo", "add", "--scope", "user", TOP)
    with_us = hashes(spack)
    if spack.release != "v0.23.1":
        spack("repo", "remove", "--scope", "user", "pyvarium")
    assert hashes(without_us(spack)) == with_us


@pytest.mark.usefixtures("on_one_spack")
def test_uv(spack: Spack, sources: None) -> None:
    environment = install(spack, "pyvarium-uv")
    assert ours(environment) == {"pyvarium-uv": "0.13.8"}
    program = environment / ".spack-env/view/bin/uv"
    assert output(program, "--version").split()[:2] == ["uv", "0.13.8"]


def test_all(spack: Spack, sources: None, thoroughly: None) -> None:
    """One environment has all of them, and no requirement of a distribution in it is unmet."""
    if spack.release in OLD:
        pytest.skip("what Poetry and PDM need is not in the recipes of this release")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the wheel of cryptography is for another platform")
    # As on any machine: what other tests never build is built here.
    packages = (spack.host.prefix / "config/packages.yaml").read_text()
    packages += EXTERNAL if on_system("libffi") else ""
    write(spack.configuration / "packages.yaml", packages + head(spack))
    spack.configure("mirrors", f"mirrors:\n  hashed: {hashed(spack).as_uri()}\n")
    # To choose for Poetry with nothing there to reuse takes the concretizer ten times as long.
    first = ("py-spack-pyvarium", "pyvarium-pdm", "pyvarium-uv")
    install(spack, *first)
    environment = install(spack, *first, "pyvarium-poetry", "pyvarium-xattr")
    assert sorted(ours(environment)) == RECIPES

    programs = environment / ".spack-env/view/bin"
    assert output(programs / "poetry", "--version") == "Poetry (version 2.5.1)\n"
    assert output(programs / "pdm", "--version") == "PDM, version 2.29.3\n"
    answer = json.loads(output(programs / "python", "-c", UNMET))
    assert answer["unmet"] == [] and answer["distributions"] > 50

    project = spack.root / "project"
    project.mkdir()
    output(programs / "poetry", "--directory", project, "init", "--no-interaction", "--name=some")
    output(programs / "poetry", "--directory", project, "check")
    output(programs / "pdm", "lock", "--project", project)

    stranger = spack.with_environ(SPACK_USER_CONFIG_PATH=str(spack.root / "nobody"))
    stranger("pyvarium", "--help", code=1)
    ours_runs = stranger.with_environ(SPACK_PYTHON=str(programs / "python"))
    assert ours_runs("pyvarium", "--help").out.startswith("usage: spack pyvarium ")
    distribution = "import importlib.metadata as m; print(m.version('spack-pyvarium'))"
    assert output(programs / "python", "-c", distribution) == f"{__version__}\n"


def on_system(library: str) -> bool:
    command = ["pkg-config", "--exists", library]
    return bool(shutil.which("pkg-config")) and subprocess.run(command).returncode == 0


def hashed(spack: Spack) -> Path:
    """Make a mirror, where Spack finds sources by their SHA-256."""
    mirror = spack.root / "mirror"
    for url in HASHED:
        with urllib.request.urlopen(url, timeout=60) as answer:
            data = answer.read()
        digest = hashlib.sha256(data).hexdigest()
        archive = mirror / "_source-cache/archive" / digest[:2] / f"{digest}.tar.gz"
        archive.parent.mkdir(parents=True)
        archive.write_bytes(data)
    return mirror


def head(spack: Spack) -> str:
    """Have the branch that the recipe of this project takes be what is checked out here."""
    clone = spack.root / "clone"
    try:
        output("git", "clone", "--quiet", TOP, clone)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no clone of {TOP}: {error.stderr.strip()}")
    output("git", "-C", clone, "checkout", "--quiet", "-B", "main")
    url = json.dumps(clone.as_uri())
    return f"  py-spack-pyvarium:\n    package_attributes:\n      git: {url}\n"
