# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a layer is good for: what Spack provides is there for python and for every installer, right
after a sync and without an index, and a resolver takes it as it is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Tuple

import pytest
from index import Index
from installers import (
    HOLDS,
    NEWEST,
    OPERATIONS,
    OWN_WORDS,
    PROJECT,
    SETTINGS,
    SPECS,
    Installer,
    Layer,
    environ_for,
    layered,
)
from spacks import NewEnvironment, Spack, distributions, python_of, write

PROVIDED = {
    "clicker": "8.1.8",
    "facets": "25.3.0",
    "localized": "1.0+site",
    "site-only": "0.4",
    "tensors": "2.9.0",
}
#: Each needs one that no index has: not at all, not with this version, not with few dependencies.
ADDONS = ("local-addon", "site-addon", "trainer")
#: Whose newest release needs a newer one than Spack provides. Poetry's own ``add`` gives up then.
ADD = {
    "uv": "uv add cfacets",
    "poetry": "spack pyvarium add cfacets",
    "pdm": "pdm add cfacets",
    "pip": "pip install cfacets",
}


@pytest.mark.usefixtures("on_one_spack")
def test_resolution(
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer: Installer,
    pip: Installer,
) -> None:
    """Versions are chosen that suit what is provided, and nothing in place of it."""
    project = PROJECT.replace('["webby"]', json.dumps(ADDONS))
    environment = layered(new_environment, spack, installer, project=project)
    layer = Layer.of(environment, pip, prepared.store, spack.store)
    if installer.tool == "pip":
        commands: Tuple[str, ...] = (f"pip install {' '.join(ADDONS)}",)
    else:
        commands = tuple(OPERATIONS[installer.tool][one][0] for one in ("lock", "install"))
    done = installer(environment, *commands)
    assert (done.code, layer.upper, layer.look()) == (0, ADDONS, HOLDS), done

    programs = f"{installer.python.parent}:{os.environ['PATH']}"
    equipped = spack.with_environ(**installer.environ, PATH=programs)
    done = installer(environment, ADD[installer.tool], spack=equipped)
    found = distributions(environment.path / ".venv")
    assert (done.code, found.get("cfacets"), layer.look()) == (0, "25.2.0", HOLDS), done
    assert layer.upper == ("cfacets", *ADDONS)


#: Prints what python finds of the provided projects, and from where.
LOOK = """\
import importlib, importlib.metadata, os, sys
for name in sys.argv[1:]:
    file = importlib.import_module(name.replace("-", "_")).__file__
    print(name, importlib.metadata.version(name), os.path.realpath(file))
"""


def listed(command: List[str], environ: Mapping[str, str]) -> Dict[str, str]:
    """What ``list`` of an installer lists, but for itself."""
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return {
        one["name"].lower(): one["version"]
        for one in json.loads(done.stdout)
        if one["name"] not in ("pip", "setuptools")
    }


@pytest.mark.usefixtures("on_one_spack")
@pytest.mark.parametrize("view", ["true", "false"])
def test_right_after_sync(
    view: str,
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer_of: Callable[[str], Installer],
    pip: Installer,
    tmp_path: Path,
) -> None:
    """All that is provided is there before any lock, without an index; with and without a view."""
    nobody = environ_for(tmp_path / "home", "http://127.0.0.1:9/simple/")
    uv = replace(installer_of(NEWEST[0]), environ=nobody)
    environment = layered(new_environment, spack, uv, view=view)
    assert environment.pins == PROVIDED
    python = environment.path / ".venv/bin/python"

    # As somebody who has let Spack activate it before: with a view that sets PYTHONPATH.
    shell = "\n".join(
        [
            f". {spack.host.prefix}/spack/share/spack/setup-env.sh",
            f"spack env activate {environment.path}",
            "env -0",
        ]
    )
    done = subprocess.run(
        ["bash", "-c", shell], env=spack.environ, capture_output=True, text=True, check=True
    )
    activated = dict(one.partition("=")[::2] for one in done.stdout.split("\0") if one)
    assert ("PYTHONPATH" in activated) == (view == "true")

    stores = (str(prepared.store), str(spack.store))
    for environ in (nobody, {**nobody, "PYTHONPATH": activated.get("PYTHONPATH", "")}):
        done = subprocess.run(
            [python, "-c", LOOK, *PROVIDED], env=environ, capture_output=True, text=True
        )
        lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
        assert {name: version for name, version, _ in lines} == PROVIDED, done.stderr
        assert all(file.startswith(stores) for _, _, file in lines), lines
        for command in (
            [str(pip.python), "-m", "pip", "--python", str(python), "list", "--format=json"],
            [str(uv.python.parent / "uv"), "pip", "list", "--format=json", "-p", str(python)],
        ):
            assert listed(command, environ) == PROVIDED


def test_console_scripts(
    spack: Spack, new_environment: NewEnvironment, installer_of: Callable[[str], Installer]
) -> None:
    """The scripts of both layers run on the python that sees both."""
    uv = installer_of(NEWEST[0])
    environment = layered(new_environment, spack, uv)
    assert uv(environment, "uv sync").code == 0
    python = environment.path / ".venv/bin/python"
    for script, source in (("clicker", "store"), ("webby", "index")):
        path = environment.path / ".venv/bin" / script
        assert path.read_text().splitlines()[0] == f"#!{python}"
        # -i: python goes on with its input where the script has ended.
        done = subprocess.run(
            [python, "-i", path],
            input="import clicker, webby\nprint(clicker.SOURCE, webby.SOURCE)\n",
            capture_output=True,
            text=True,
        )
        said = [line.partition(" /")[0] for line in done.stdout.splitlines()]
        assert said == [source, "store index"], done
        assert (
            subprocess.run([path], capture_output=True, text=True, check=True).stdout
            == (done.stdout.splitlines(keepends=True)[0])
        )


def one_line(array: re.Match[str]) -> str:
    return re.sub(r"\s+", " ", array[0]).replace(", ]", "]").replace("[ ", "[")


@pytest.mark.usefixtures("thoroughly")
def test_switches(
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer_of: Callable[[str], Installer],
    pip: Installer,
    index: Index,
) -> None:
    """Whoever changes the backend or the mode has what they would have begun with, to the byte.

    The layer holds all the while, and each backend works on it.
    """
    own_words = "".join(OWN_WORDS.values()).format(index=index.url)
    text = PROJECT.format(python=python_of(prepared.recorded)) + own_words
    environment = new_environment(*SPECS, pyproject=text)
    spack("-D", environment.path, "install")
    layer = Layer.of(environment, pip, prepared.store, spack.store)
    tools = {one.partition("==")[0]: installer_of(one) for one in NEWEST}

    def sync() -> Tuple[str, bool]:
        """All that is to be the same: the project, and whether Poetry has its file.

        A list that has become shorter stays on as many lines, where another begins with one.
        """
        assert pip(environment, "spack pyvarium sync").code == 0
        lines = re.sub(r"(?m)^constraint-dependencies = \[[^]]*\]$", one_line, environment.text)
        return lines, (environment.path / "poetry.toml").exists()

    begun = {}
    for mode in ("bound", "portable"):
        for backend in tools:
            write(environment.pyproject, text + SETTINGS.format(backend=backend, mode=mode))
            begun[mode, backend] = sync()

    order = ("uv", "poetry", "pdm", "pip", "uv")
    former = (mode, backend)
    for one in [
        *(("bound", backend) for backend in order),
        *(("portable", backend) for backend in order),
        ("bound", "uv"),
    ]:
        for old, new in zip(former, one):
            write(environment.pyproject, environment.text.replace(f' = "{old}"', f' = "{new}"'))
        former = one
        assert sync() == begun[one], one
        if one[0] == "bound":
            commands = [OPERATIONS[one[1]][name][0] for name in ("lock", "install")]
            done = tools[one[1]](environment, *commands)
            assert done.code == 0, done
        assert layer.look() == HOLDS, one
