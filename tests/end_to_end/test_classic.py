# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A venv with ``--system-site-packages``, as courses teach it, with a real pip and a real Spack:
what is wrong with it is found, and it becomes an environment.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Dict, List, Mapping

import pytest
from installers import HOLDS, SPECS_ON_INDEX, Installer, Layer
from spacks import Environment, NewEnvironment, Spack, write


def run(*command: object, environ: Mapping[str, str]) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def codes(spack: Spack, venv: Path) -> Dict[str, List[str]]:
    """What is wrong, by code, with the last part of each path."""
    process = spack.start("pyvarium", "verify", venv, "--json")
    out, _ = process.communicate()
    found: Dict[str, List[str]] = {}
    for one in json.loads(out)["faults"]:
        found.setdefault(one["code"], []).append(Path(one["subject"]).name)
    return found


@pytest.mark.usefixtures("thoroughly", "on_one_spack")
def test_on_a_view(
    spack: Spack,
    prepared: Spack,
    new_environment: NewEnvironment,
    installer_of: object,
    pip: Installer,
    tmp_path: Path,
) -> None:
    """The python of a view looks past it, so that pip fetches all anew; and the way out."""
    site = new_environment(*SPECS_ON_INDEX, name="site", pyproject=None)
    spack("-D", site.path, "install")
    environ = {**pip.environ, "PATH": "/usr/bin:/bin", "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
    venv = tmp_path / "venvs" / "analysis"
    run(site.view / "bin/python3", "-m", "venv", "--system-site-packages", venv, environ=environ)
    requirements = tmp_path / "requirements.txt"
    write(requirements, "webby\ntensors\n")
    run(venv / "bin/pip", "install", "--quiet", "-r", requirements, environ=environ)
    assert codes(spack, venv) == {
        "detached": ["analysis"],
        "shadowed": [
            *("clicker-8.3.0.dist-info", "facets-26.1.0.dist-info", "tensors-2.10.0.dist-info"),
        ],
    }
    done = spack("pyvarium", "verify", venv, code=3)
    remedy = f"run 'spack pyvarium new DIR --from {venv} --on {site.path}'"
    assert all(line.endswith(remedy) for line in done.out.splitlines())

    script = tmp_path / "fit.py"
    write(script, "import tensors, webby\n")
    uv = installer_of("uv==0.13.8")  # type: ignore[operator]
    spack.configure("pyvarium", f"pyvarium:\n  tools:\n    uv: {uv.python.parent}/uv\n")
    here = spack.with_environ(**uv.environ, VIRTUAL_ENV=str(venv))
    assert "installed in the venv:\n  tensors: tensors==2.10.0" in (
        here("pyvarium", "analyze", script).out
    )
    mine = Environment(tmp_path / "mine")
    created = spack.with_environ(**uv.environ)(
        *("pyvarium", "new", mine.path, "--from", venv, "--on", site.path, "--backend", "uv")
    )
    assert "its versions are not taken over (" in created.err
    layer = Layer.of(mine, pip, prepared.store, spack.store)
    assert (layer.look(), layer.upper) == (HOLDS, ("plain", "webby"))
    assert spack("-D", mine.path, "pyvarium", "verify").out == f"{mine.path}: no fault\n"


@pytest.mark.usefixtures("on_one_spack")
def test_on_modules(
    spack: Spack, new_environment: NewEnvironment, pip: Installer, tmp_path: Path
) -> None:
    """By a module's PYTHONPATH the venv sees what Spack provides, and cannot have its own."""
    site = new_environment("py-clicker", name="site", pyproject=None)
    spack("-D", site.path, "install")
    [clicker] = site.view.glob("lib/python3*/site-packages")
    base = os.path.realpath(site.view / "bin/python3")
    environ = {**pip.environ, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(clicker)}
    venv = tmp_path / "venv"
    run(base, "-m", "venv", "--system-site-packages", venv, environ=environ)
    run(venv / "bin/pip", "install", "--quiet", "rich-clicker", environ=environ)
    loaded = spack.with_environ(PYTHONPATH=str(clicker))
    assert codes(loaded, venv) == {"pythonpath": ["PYTHONPATH"]}
    words = ("--quiet", "--upgrade", "--ignore-installed", "clicker==8.3.0")
    run(venv / "bin/pip", "install", *words, environ=environ)
    assert codes(loaded, venv) == {
        "pythonpath": ["PYTHONPATH"],
        "shadowed": ["clicker-8.3.0.dist-info", "facets-26.1.0.dist-info"],
    }
    program = "import clicker; print(clicker.SOURCE)"
    assert run(venv / "bin/python", "-c", program, environ=environ) == "store\n"
