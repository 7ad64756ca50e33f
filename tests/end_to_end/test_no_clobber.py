# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""No installer breaks what Spack provides, and without the layer each of them does.

After every operation of a real installer: the store and the view are as before, what Spack
provides is imported from there, no other code of it is in the venv, and pip finds no conflict.
"""

from __future__ import annotations

import subprocess
from typing import Dict, FrozenSet, Mapping

import pytest
from index import Index
from installers import (
    HOLDS,
    OPERATIONS,
    OWN_WORDS,
    PROJECT,
    SPECS,
    Installer,
    Layer,
    put_back,
)
from spacks import Environment, NewEnvironment, Spack, write

#: What exact pins and a path file alone do not prevent: operations that leave copies in the venv.
CLOBBERING: Mapping[str, FrozenSet[str]] = {
    "uv": frozenset(
        ("install", "sync", "add", "update", "reinstall", "recreate", "run", "upgrade")
    ),
    "poetry": frozenset(("install", "add", "update", "remove", "recreate")),
    "pdm": frozenset(("install", "sync", "add", "update", "remove", "reinstall", "recreate")),
    "pip": frozenset(("update", "reinstall", "upgrade")),
}


def with_plain_pins(environment: Environment, installer: Installer, index: str) -> None:
    """What one would do by hand: exact pins of what the index has too, and a path file."""
    python = next(environment.view.glob("lib/python3*")).name
    provided = environment.importable
    pins = [f"{name}=={provided[name]}" for name in ("clicker", "facets", "tensors")]
    texts = [PROJECT.format(python=python[len("python") :])]
    texts += [f"\n[dependency-groups]\nspack = {pins}\n"]
    texts += [OWN_WORDS.get(installer.tool, "").format(index=index)]
    write(environment.pyproject, "".join(texts))
    write(environment.path / "poetry.toml", "[virtualenvs]\nin-project = true\n")
    venv = environment.path / ".venv"
    command = [environment.view / "bin/python3", "-m", "venv", "--without-pip", venv]
    subprocess.run(command, check=True)
    site_packages = f"lib/{python}/site-packages"
    write(
        venv / site_packages / "_plain.pth",
        f"../../../../{environment.view.relative_to(environment.path)}/{site_packages}\n",
    )


def test_plain_pins_do_not_hold(
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer: Installer,
    pip: Installer,
    index: Index,
    request: pytest.FixtureRequest,
) -> None:
    """The checks bite: without the layer they find copies."""
    environment = new_environment(*SPECS, pyproject=None)
    spack.with_environ(SPACK_PYVARIUM="off")("-D", environment.path, "install")
    with_plain_pins(environment, installer, index.url)
    layer = Layer.of(environment, pip, prepared.store, spack.store)
    assert layer.look() == HOLDS
    installer(environment, *OPERATIONS[installer.tool]["lock"])
    operations = OPERATIONS[installer.tool]
    if not request.config.getoption("thorough"):
        operations = {"update": operations["update"]}
    clobbered: Dict[str, bool] = {}
    for operation, commands in operations.items():
        with put_back(environment):
            installer(environment, *(one for one in commands if not one.startswith("spack")))
            clobbered[operation] = bool(layer.look().copies)
    assert clobbered == {name: name in CLOBBERING[installer.tool] for name in operations}
