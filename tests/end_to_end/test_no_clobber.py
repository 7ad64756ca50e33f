# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""No installer breaks what Spack provides, and without the layer each of them does.

After every operation of a real installer: the store and the view are as before, what Spack
provides is imported from there, no other code of it is in the venv, and pip finds no conflict.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

import pytest
from index import Index
from installers import (
    COPYING,
    HOLDS,
    NEWEST,
    OLDEST,
    OPERATIONS,
    OWN_WORDS,
    PROJECT,
    REFUSED,
    SPECS,
    Installer,
    Layer,
    State,
    checksums,
    layered,
    put_back,
    random_operations,
    read_again,
    upper_after,
)
from spacks import Done, Environment, NewEnvironment, Spack, write

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


@pytest.mark.usefixtures("on_one_spack")
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
    if installer.tool != "uv":
        request.getfixturevalue("thoroughly")
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


@dataclass(frozen=True)
class Cell:
    """What came of one operation; ``state`` is that after what was copied was removed again.

    ``upper`` are the projects that stand in the venv besides the provided ones, nothing where the
    operation failed; ``shadowed`` those that ``verify`` names, ``faults`` the codes of all else.
    """

    succeeded: bool
    upper: Tuple[str, ...]
    copies: Tuple[str, ...] = ()
    shadowed: Tuple[str, ...] = ()
    faults: FrozenSet[str] = frozenset()
    state: State = HOLDS
    done: Optional[Done] = field(default=None, compare=False)


def test_layer_holds(
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer: Installer,
    mode: str,
    pip: Installer,
    request: pytest.FixtureRequest,
) -> None:
    """Every operation does what it should, and to the layer nothing.

    After those that portable mode cannot prevent, ``verify`` finds all copies and removes them.
    """
    thorough = request.config.getoption("thorough")
    operations = OPERATIONS[installer.tool]
    if mode == "portable" and not thorough:
        operations = {name: operations[name] for name in ("add", "reinstall")}
    elif not (spack.links_directories or thorough):
        pytest.skip("by default only where views link directories")
    elif installer.tool != "uv" and not thorough:  # They are slow.
        operations = {one: operations[one] for one in ("update", "reinstall")}
    environment = layered(new_environment, spack, installer, mode)
    layer = Layer.of(environment, pip, prepared.store, spack.store)
    assert layer.look() == HOLDS
    for operation in ("lock", "install"):
        assert installer(environment, *OPERATIONS[installer.tool][operation]).code == 0

    found, expected = {}, {}
    for operation, commands in operations.items():
        with put_back(environment):
            done = installer(environment, *commands, spack=spack)
            upper = layer.upper if done.code == 0 else ()
            state = layer.look()
            verified = installer(environment, "spack pyvarium verify --json")
            faults = json.loads(verified.out)["faults"]
            assert verified.code == (3 if faults else 0)
            mended = state
            if state.copies:
                spack("-D", environment.path, "pyvarium", "verify", "--fix")
                mended = layer.look()
        copies = (state.copies, tuple(shadowed(faults)))
        codes = frozenset(one["code"] for one in faults) - {"shadowed"}
        found[operation] = Cell(done.code == 0, upper, *copies, codes, mended, done)
        expected[operation] = expected_of(installer.tool, mode, operation, layer)
    assert found == expected


def shadowed(faults: List[Mapping[str, str]]) -> List[str]:
    """The projects that ``verify`` says to be shadowed."""
    paths = (Path(one["subject"]) for one in faults if one["code"] == "shadowed")
    return sorted(path.name.partition("-")[0] for path in paths)


def expected_of(tool: str, mode: str, operation: str, layer: Layer) -> Cell:
    copied = mode == "portable" and operation in COPYING[tool]
    copies = tuple(sorted(layer.provided)) if copied else ()
    # A tool makes a venv without the path file of the layer; pip makes none.
    anew = operation == "recreate" and tool != "pip"
    refused = operation in REFUSED.get((mode, tool), ())
    return Cell(
        not refused,
        () if refused else upper_after(tool, mode, operation),
        copies,
        copies,
        frozenset(["out-of-step"] if anew else []),
    )


POETRY = tuple(one for one in (*NEWEST, *OLDEST) if one.startswith("poetry=="))


@pytest.mark.usefixtures("on_newest_spack")
@pytest.mark.parametrize("requirement", POETRY)
def test_poetry_removes_nothing_of_spacks(
    request: pytest.FixtureRequest,
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer_of: Callable[[str], Installer],
    pip: Installer,
    requirement: str,
) -> None:
    """It takes a name out of every group, and what comes after that still finds the shim."""
    if requirement not in NEWEST:
        request.getfixturevalue("thoroughly")
    poetry = installer_of(requirement)
    environment = layered(new_environment, spack, poetry)
    layer = Layer.of(environment, pip, prepared.store, spack.store)
    assert poetry(environment, "poetry install").code == 0

    def shims() -> Dict[str, str]:
        found = environment.path.glob(".venv/lib/python3*/site-packages/*.dist-info")
        upper = {name.replace("-", "_") for name in layer.upper}
        return checksums(*(one for one in found if one.name.partition("-")[0] not in upper))

    before = shims()
    exact = f"facets=={layer.provided['facets']}"
    for command in (
        "poetry remove facets",
        "poetry add cfacets>=0",
        f"poetry add {exact}",
        "poetry remove Clicker Localized",
        "poetry remove --group spack tensors",
        "poetry update",
        "poetry sync",
        "poetry check --lock",
    ):
        done = poetry(environment, command)
        assert (command, done.code, layer.look(), shims()) == (command, 0, HOLDS, before), done
    [fault] = json.loads(poetry(environment, "spack pyvarium verify --json").out)["faults"]
    assert (fault["code"], fault["subject"]) == ("out-of-step", str(environment.pyproject))
    lost = (f"{name}=={layer.provided[name]}" for name in ("clicker", "localized", "tensors"))
    assert fault["reason"] == "lacks " + ", ".join(sorted([*lost, exact]))
    spack("-D", environment.path, "pyvarium", "sync")
    assert poetry(environment, "poetry lock", "poetry install").code == 0
    assert poetry(environment, "spack pyvarium verify").code == 0
    assert (layer.look(), shims()) == (HOLDS, before)
    assert layer.upper == ("cfacets", "plain", "webby")


@pytest.mark.usefixtures("on_newest_spack")
def test_written_is_seen(spack: Spack, new_environment: NewEnvironment, pip: Installer) -> None:
    """What an installer does in a view itself: with links to directories, to the store."""
    spack.configure("upstreams", "upstreams: {}\n")
    environment = new_environment("py-clicker", pyproject=None)
    spack("-D", environment.path, "install")
    python = environment.view / "bin/python3"
    command = [python, "-c", "import sys; print(sys.prefix)"]
    prefix = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert Path(prefix).samefile(environment.view)
    layer = Layer.of(environment, pip, spack.store)
    assert layer.look().written == ()
    own_venv = environment.path / ".venv"
    own_venv.symlink_to(environment.view)
    assert pip(environment, "pip install --upgrade clicker").code == 0
    written = layer.look().written
    in_store = [path for path in written if Path(path).is_relative_to(spack.store)]
    assert (bool(written), bool(in_store)) == (True, spack.links_directories)


def without_wishes(state: State, done: Sequence[Tuple[Tuple[str, ...], int]]) -> State:
    """The same but for what pip misses because it was told to uninstall it."""
    told = "pip uninstall --yes "
    missed = [commands[0][len(told) :] for commands, _ in done if commands[0].startswith(told)]
    said = tuple(
        line
        for line in state.inconsistent
        if not any(line.endswith(f" requires {name}, which is not installed.") for name in missed)
    )
    return replace(state, inconsistent=said)


def test_sequences(
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer: Installer,
    pip: Installer,
    request: pytest.FixtureRequest,
    say: Callable[[str], None],
) -> None:
    """Whatever a user does in whatever order: the layer holds after each operation."""
    count = request.config.getoption("sequences")
    if count is None:
        count = 2 if request.config.getoption("thorough") else 0
    if not count:
        pytest.skip("not asked for by --sequences or --thorough")
    first = request.config.getoption("seed")
    environment = layered(new_environment, spack, installer)
    layer = Layer.of(environment, pip, prepared.store, spack.store)
    # As our own commands begin: the groups of PDM's first lock are those of all later ones.
    assert installer(environment, *OPERATIONS[installer.tool]["lock"]).code == 0
    broken: Dict[int, List[object]] = {}
    for seed in range(first, first + count):
        with put_back(environment):
            done: List[Tuple[Tuple[str, ...], int]] = []
            state = HOLDS
            for commands in random_operations(installer.tool, seed):
                code = installer(environment, *commands).code
                done.append((commands, code))
                state = layer.look(with_pip=False)
                if state != HOLDS:
                    break
            else:
                read_again()
                state = without_wishes(layer.look(), done)
        if state != HOLDS:
            broken[seed] = [*done, state]
        refused = sum(code != 0 for _, code in done)
        held = f"holds after {len(done)} operations, {refused} refused"
        say(f"{installer}, seed {seed}: {broken.get(seed, held)}")
    assert broken == {}
