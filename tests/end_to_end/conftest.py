# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Real Spack releases. Every test has a configuration, a store and an environment of its own.

Prepared once for each release: the host (a clone with recipes), a few specs in a store that the
tests see as an upstream, and one lockfile that all environments are cut from.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterator, List

import installers
import pytest
from index import Index
from installers import Installer, NoInstallerError
from spacks import (
    RECORDED,
    TOP,
    UPSTREAM,
    NewEnvironment,
    Spack,
    apart,
    environ_for,
    register,
    write,
    write_configuration,
)

from pyvarium.errors import PyvariumError
from pyvarium.host import Host, prepare

DEFAULT = ("v1.1.0", "develop:new")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("spack")
    group.addoption(
        "--spack",
        action="append",
        metavar="RELEASE[:INSTALLER]",
        help="a Spack to test with, repeatable; RELEASE as in pyvarium.host, INSTALLER new or old"
        f" (default: {' and '.join(DEFAULT)})",
    )
    group.addoption(
        "--hosts",
        type=Path,
        default=Path(os.environ.get("PYVARIUM_HOSTS", TOP / ".cache" / "hosts")),
        help="directory of prepared Spacks (default: PYVARIUM_HOSTS, or .cache/hosts)",
    )
    group = parser.getgroup("installers")
    group.addoption(
        "--installer",
        action="append",
        metavar="NAME==VERSION",
        help="an installer to test with, repeatable"
        f" (default: {', '.join(installers.NEWEST)}; with --thorough also"
        f" {', '.join(installers.OLDEST)})",
    )
    group.addoption(
        "--tools",
        type=Path,
        default=Path(os.environ.get("PYVARIUM_TOOLS", TOP / ".cache" / "tools")),
        help="directory of installed installers (default: PYVARIUM_TOOLS, or .cache/tools)",
    )
    group.addoption(
        "--sequences",
        type=int,
        metavar="N",
        help="how many random sequences of operations for each installer (default: none; with"
        " --thorough 2)",
    )
    group.addoption(
        "--seed", type=int, default=0, metavar="N", help="the seed of the first of them"
    )
    group = parser.getgroup("engines")
    group.addoption(
        "--poncho",
        type=Path,
        default=os.environ.get("PYVARIUM_PONCHO"),
        metavar="CLONE",
        help="a clone of cooperative-computing-lab/cctools, to run packs by its Poncho (default:"
        " PYVARIUM_PONCHO, or not at all)",
    )
    group.addoption("--thorough", action="store_true", help="more of what takes long")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "prepared" in metafunc.fixturenames:
        names = metafunc.config.getoption("spack", None) or DEFAULT
        metafunc.parametrize("prepared", names, indirect=True, scope="session")
    thorough = metafunc.config.getoption("thorough", False)
    requirements = metafunc.config.getoption("installer", None) or (
        installers.NEWEST + installers.OLDEST * thorough
    )
    if "mode" in metafunc.fixturenames:
        # Portable mode is the same for all of them but for what each of them cannot do.
        cells = [(one, "bound") for one in requirements]
        cells += [(one, "portable") for one in requirements if thorough or "uv" in one]
        metafunc.parametrize(("installer", "mode"), cells, indirect=["installer"])
    elif "installer" in metafunc.fixturenames:
        metafunc.parametrize("installer", requirements, indirect=True)


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tells whoever waits what takes so long."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def write_line(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, file=sys.stderr, flush=True)

    return write_line


@pytest.fixture(scope="session")
def host_of(request: pytest.FixtureRequest, say: Callable[[str], None]) -> Callable[[str], Host]:
    """Prepares the host of a release where it is missing; skips where it cannot be had."""
    hosts = Path(os.path.abspath(request.config.getoption("hosts", TOP / ".cache" / "hosts")))

    def prepare_host(release: str) -> Host:
        try:
            return prepare(hosts / release, release, source_cache=hosts / "sources", report=say)
        except PyvariumError as error:
            pytest.skip(f"no Spack {release} here: {error}")

    return prepare_host


@pytest.fixture(scope="session")
def prepared(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    host_of: Callable[[str], Host],
    say: Callable[[str], None],
) -> Spack:
    """A Spack that knows of us, with the upstream installed and the lockfile recorded."""
    name: str = request.param
    host = host_of(name.partition(":")[0])
    root = tmp_path_factory.mktemp("spack")
    spack = Spack(name, host, root, host.prefix / "upstream", environ_for(host, root))
    write_configuration(spack)
    say(f"{name}: installing {', '.join(UPSTREAM)} where they are missing")
    spack("repo", "add", "--scope", "user", TOP / "tests/repo")
    spack("install", *UPSTREAM)
    say(f"{name}: concretizing what the tests install")
    environment = root / "recorded"
    write(
        environment / "spack.yaml",
        f"spack:\n  specs: {json.dumps(RECORDED)}\n"
        "  view: false\n  concretizer:\n    unify: when_possible\n",
    )
    spack("-D", environment, "concretize")
    recorded = json.loads((environment / "spack.lock").read_text())
    return replace(register(spack), recorded=recorded)


@pytest.fixture
def spack(prepared: Spack, tmp_path: Path) -> Spack:
    """That Spack with a configuration and an empty store of the test's own."""
    return apart(prepared, tmp_path)


@pytest.fixture
def on_one_spack(prepared: Spack, request: pytest.FixtureRequest) -> None:
    """Skips what takes long and does not depend on the release, on half of them."""
    if prepared.links_directories and not request.config.getoption("thorough"):
        pytest.skip("by default only where views link files")


@pytest.fixture
def on_newest_spack(prepared: Spack, request: pytest.FixtureRequest) -> None:
    """The same, on the other half."""
    if not (prepared.links_directories or request.config.getoption("thorough")):
        pytest.skip("by default only where views link directories")


@pytest.fixture
def thoroughly(request: pytest.FixtureRequest) -> None:
    """Skips what only ``--thorough`` takes the time for: the core has tests of the same."""
    if not request.config.getoption("thorough"):
        pytest.skip("not asked for by --thorough")


@pytest.fixture
def uv_or_thoroughly(installer: Installer, request: pytest.FixtureRequest) -> None:
    """The same for all installers but uv, which is the fastest."""
    if installer.tool != "uv" and not request.config.getoption("thorough"):
        pytest.skip("not asked for by --thorough")


@pytest.fixture
def new_environment(prepared: Spack, tmp_path: Path) -> NewEnvironment:
    """Makes environments in a directory of the test's own."""
    return NewEnvironment(tmp_path, prepared.recorded)


@pytest.fixture(scope="session")
def packed(prepared: Spack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with one spec, in a file; no test changes it."""
    root = tmp_path_factory.mktemp("packed")
    spack = apart(prepared, root)
    environment = NewEnvironment(root, prepared.recorded)("py-idna@3.4")
    spack("-D", environment.path, "install")
    pack = root / "work.tar.gz"
    spack("-D", environment.path, "pyvarium", "pack", "--slim", "-o", pack)
    return pack


@pytest.fixture(scope="session")
def index() -> Iterator[Index]:
    """The package index of all installers."""
    with Index(installers.RELEASES) as running:
        yield running


@pytest.fixture
def installer_of(
    request: pytest.FixtureRequest, index: Index, tmp_path: Path, say: Callable[[str], None]
) -> Callable[[str], Installer]:
    """Gets an installer by ``name==version``; skips where it cannot be had."""
    tools = Path(os.path.abspath(request.config.getoption("tools")))
    home = tmp_path / "home"

    def get(requirement: str) -> Installer:
        name, version = requirement.split("==")
        try:
            python = installers.had(tools, requirement, say)
        except NoInstallerError as error:
            pytest.skip(str(error))
        return Installer(name, version, python, installers.environ_for(home, index.url))

    return get


@pytest.fixture
def installer(
    request: pytest.FixtureRequest, installer_of: Callable[[str], Installer]
) -> Installer:
    """The installer that a test is about."""
    return installer_of(request.param)


@pytest.fixture
def pip(installer_of: Callable[[str], Installer]) -> Installer:
    """The newest pip, which looks after what others did."""
    return installer_of(next(one for one in installers.NEWEST if one.startswith("pip==")))


@pytest.fixture
def consumer(request: pytest.FixtureRequest, say: Callable[[str], None]) -> Callable[[str], Path]:
    """Gets the Python that has a tool, by ``name==version``; skips where it cannot be had."""

    def get(requirement: str) -> Path:
        try:
            return installers.had(request.config.getoption("tools"), requirement, say)
        except NoInstallerError as error:
            pytest.skip(str(error))

    return get


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], None]]:
    """Makes a directory a file system of its own with little room; only root may."""
    mounted: List[Path] = []

    def mount(path: Path) -> None:
        command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no small disk here: {done.stderr.strip()}")
        mounted.append(path)

    yield mount
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
