# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Every export is read by the tool that it is for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict

import pytest
from consumers import (
    CYCLONEDX,
    RATTLER,
    RENOVATE,
    SCHEMAS,
    SOLVE,
    UPDATED,
    VALIDATE,
    ask,
    from_npm,
    write_channel,
)
from index import Index, Release
from installers import HOLDS, NEWEST, OPERATIONS, Installer, Layer, NoInstallerError, layered
from packaging.pylock import Pylock
from spacks import Environment, NewEnvironment, Spack, distributions, write

from pyvarium.__main__ import main
from pyvarium.toml_text import parse

UPPER = {"plain": "1.1", "webby": "2.0"}
PROVIDED = {"clicker": "8.1.8", "facets": "25.3.0", "site-only": "0.4", "tensors": "2.9.0"}
LOCAL = {"localized": "1.0+site"}
#: What the index's own metadata asks for besides, in portable mode.
FOREIGN = {"tensors-cuda": "12.8", "tensors-triton": "3.5"}


@pytest.fixture
def uv(installer_of: Callable[[str], Installer]) -> Installer:
    return installer_of(next(one for one in NEWEST if one.startswith("uv==")))


def export(environment: Environment, form: str, name: str, *words: str) -> Path:
    """Write an export without Spack, twice the same, and without a path of this machine."""
    path = environment.path / name
    command = ["export", form, str(environment.path), "-o", str(path), *words]
    assert (main(command), main([*command, "--check"])) == (0, 0)
    assert "file:" not in path.read_text()
    assert str(environment.path) not in path.read_text()
    return path


def locked(
    new_environment: NewEnvironment, spack: Spack, installer: Installer, mode: str
) -> Environment:
    """A layer with what its installer has locked and installed on top."""
    environment = layered(new_environment, spack, installer, mode)
    for operation in ("lock", "install") if installer.tool != "pip" else ("install",):
        done = installer(environment, *OPERATIONS[installer.tool][operation])
        assert done.code == 0, done
    return environment


def would_install(installer: Installer, environment: Environment, command: str) -> str:
    """The last line of what pip or uv would do."""
    done = installer(environment, command)
    assert done.code == 0, done
    said = done.err if installer.tool == "uv" else done.out
    return said.splitlines()[-1].strip() if said.strip() else ""


@pytest.mark.usefixtures("uv_or_thoroughly")
def test_installers_find_all_installed(
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer: Installer,
    pip: Installer,
    on_newest_spack: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the layer that they were exported from, pip and uv find all of it installed already."""
    environment = locked(new_environment, spack, installer, "bound")
    layer = Layer.of(environment, pip, spack.store, prepared.store)
    monkeypatch.setenv("PIP_INDEX_URL", installer.environ["PIP_INDEX_URL"])
    export(environment, "requirements", "requirements.txt")
    export(environment, "constraints", "constraints.txt")
    commands = [
        "pip install --dry-run -r requirements.txt",
        "pip install --dry-run -c constraints.txt webby clicker",
    ]
    if installer.tool != "pip":  # It locks nothing, so that no hash is known.
        pylock = export(environment, "pylock", "pylock.toml")
        read = Pylock.from_dict(parse(pylock.read_text(), "pylock.toml"))
        versions = {one.name: str(one.version) for one in read.packages}
        assert versions == {**UPPER, **PROVIDED, **LOCAL}
        export(environment, "requirements", "hashed.txt", "--hashes")
        commands += [
            "pip install --dry-run --require-hashes -r hashed.txt",
            "pip install --dry-run -r pylock.toml",
        ]
    for command in commands:
        assert "Would install" not in would_install(pip, environment, command)
    refused = pip(environment, "pip install --dry-run -c constraints.txt clicker==8.3.0")
    assert refused.code == 1
    if installer.tool == "uv":
        for command in (
            "uv pip install --dry-run -r requirements.txt",
            "uv pip install --dry-run --require-hashes -r hashed.txt",
            "uv pip install --dry-run -c constraints.txt webby clicker",
            "uv pip install --dry-run -r pylock.toml",
            "uv pip sync --dry-run pylock.toml",
        ):
            assert would_install(installer, environment, command) == "Would make no changes"
        assert installer(environment, "uv pip sync pylock.toml").code == 0
    assert layer.look() == HOLDS


@pytest.mark.usefixtures("uv_or_thoroughly")
def test_a_portable_project_elsewhere(
    spack: Spack,
    new_environment: NewEnvironment,
    installer: Installer,
    pip: Installer,
    tmp_path: Path,
    on_newest_spack: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there is no Spack, the same versions come from the index, by their hashes."""
    if installer.tool == "pip":
        pytest.skip("locks nothing, so that no hash is known")
    environment = locked(new_environment, spack, installer, "portable")
    monkeypatch.setenv("PIP_INDEX_URL", installer.environ["PIP_INDEX_URL"])
    export(environment, "requirements", "requirements.txt")
    export(environment, "pylock", "pylock.toml")
    for name in ("requirements.txt", "pylock.toml"):
        other = Environment(tmp_path / name)
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", other.path / ".venv"], check=True
        )
        write(other.path / name, (environment.path / name).read_text())
        hashes = "--require-hashes " if name == "requirements.txt" else ""
        done = pip(other, f"pip install {hashes}-r {name}")
        assert done.code == 0, done
        provided = {name: PROVIDED[name] for name in ("clicker", "facets", "tensors")}
        assert distributions(other.path / ".venv") == {**UPPER, **provided, **FOREIGN}


def test_other_tools(
    spack: Spack,
    new_environment: NewEnvironment,
    uv: Installer,
    consumer: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """A bill of materials is valid, Conda can solve its file, and Dependabot's has its form."""
    environment = locked(new_environment, spack, uv, "bound")
    bill = export(environment, "cyclonedx", "bom.json")
    ask(consumer(CYCLONEDX), "-c", VALIDATE, bill)
    components = {one["name"]: one for one in json.loads(bill.read_text())["components"]}
    assert {*PROVIDED, *LOCAL, *UPPER, "python"} <= {*components}
    assert components["facets"]["purl"] == "pkg:pypi/facets@25.3.0"
    by_spack = components["python-venv"].get("licenses")  # The recipe states it.
    assert by_spack == ([{"expression": "0BSD"}] if spack.links_directories else None)

    dependabot = export(environment, "dependabot", "dependabot.yml")
    schemas = consumer(SCHEMAS)
    ask(schemas, "-m", "check_jsonschema", "--builtin-schema", "vendor.dependabot", dependabot)
    ignored = dependabot.read_text().partition("ignore:")[2]
    assert all(f'dependency-name: "{name}"' in ignored for name in {*PROVIDED, *LOCAL})

    had = {**PROVIDED, "python": "3.11.9", "pip": "25.0"}
    channel = write_channel(tmp_path / "channel", {**had, "unwanted": "1"})
    file = export(environment, "conda", "environment.yml")
    python = consumer(RATTLER)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "pyyaml==6.0.3"], check=True)
    solved = json.loads(ask(python, "-c", SOLVE, file, channel))
    assert solved["conda"] == had
    assert solved["pip"][1:] == [f"{name}=={version}" for name, version in UPPER.items()]

    poncho = json.loads(export(environment, "poncho", "poncho.json").read_text())
    [pip] = [one["pip"] for one in poncho["conda"]["dependencies"] if isinstance(one, dict)]
    assert "tensors==2.9.0" in pip


@pytest.mark.usefixtures("thoroughly")
@pytest.mark.parametrize("tool", ["uv", "poetry"])
def test_renovate(
    spack: Spack,
    new_environment: NewEnvironment,
    tool: str,
    installer_of: Callable[[str], Installer],
    request: pytest.FixtureRequest,
    say: Callable[[str], None],
    on_newest_spack: None,
) -> None:
    """Renovate takes the rule, and by it looks after nothing that Spack provides."""
    try:
        modules = from_npm(request.config.getoption("tools"), RENOVATE, say)
    except NoInstallerError as error:
        pytest.skip(str(error))
    [requirement] = [one for one in NEWEST if one.startswith(tool)]
    environment = layered(new_environment, spack, installer_of(requirement))
    config = export(environment, "renovate", "renovate.json")
    ask(modules / ".bin" / "renovate-config-validator", "--strict", config)
    words = (modules, environment.pyproject, config)
    found: Dict[str, bool] = json.loads(ask("node", "-e", UPDATED, *words, LOG_LEVEL="fatal"))
    assert [name for name, looked_after in found.items() if looked_after] == ["webby"]
    assert {*PROVIDED, *LOCAL, "python"} <= {*found}


def test_externals(
    spack: Spack,
    new_environment: NewEnvironment,
    uv: Installer,
    index: Index,
    tmp_path: Path,
) -> None:
    """Spack takes what is installed on top for a spec that is there."""
    index.add(Release("ply", "3.11"))
    environment = locked(new_environment, spack, uv, "bound")
    assert uv(environment, "uv add ply").code == 0
    scope = tmp_path / "scope"
    scope.mkdir()
    done = spack(
        *("-D", environment.path, "pyvarium", "export", "packages"),
        *("-o", scope / "packages.yaml", "--json"),
    )
    assert json.loads(done.out)["upper"]["ply"] == "3.11"
    found = json.loads(spack("-C", scope, "spec", "--json", "py-ply").out)
    [node] = [one for one in found["spec"]["nodes"] if one["name"] == "py-ply"]
    assert (node["version"], node["external"]["path"]) == (
        "3.11",
        str(environment.path / ".venv"),
    )
