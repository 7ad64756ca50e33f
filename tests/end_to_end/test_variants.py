# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""One project in two environments of Spack's: each has what it provides and a lock of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Dict, Mapping, Tuple

import pytest
from installers import HOLDS, OPERATIONS, OWN_WORDS, SETTINGS, Installer, Layer
from spacks import Environment, NewEnvironment, Spack, python_of, write

#: How each backend is told of the project, in its own words, in the directory of an environment.
JOINED: Mapping[str, Tuple[str, ...]] = {
    "uv": ("uv add --editable ../..",),
    "poetry": ("poetry add --editable ../..",),
    # Before its first lock, PDM takes none of the groups but that which it adds to.
    "pdm": ("pdm lock", "pdm add --dev --editable ../.."),
    "pip": ("pip install --editable ../..",),
}
#: What is built for the one and for the other.
VARIANTS = {"cpu": ("py-clicker",), "cuda": ("py-clicker", "py-tensors")}
THIN = """\
[project]
name = "{name}"
version = "0"
requires-python = "=={python}.*"
dependencies = []
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "analysis"
version = "1"
dependencies = ["webby", "clicker>=8"]
"""
#: A build backend without requirements of its own.
BACKEND = """\
import pathlib, zipfile

METADATA = "Metadata-Version: 2.1\\nName: analysis\\nVersion: 1\\nRequires-Dist: webby\\n"
METADATA += "Requires-Dist: clicker>=8\\n"


def build_editable(directory, config=None, metadata=None):
    name = "analysis-1-py3-none-any.whl"
    tags = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.writestr("analysis.pth", str(pathlib.Path(__file__).resolve().parent / "src"))
        wheel.writestr("analysis-1.dist-info/METADATA", METADATA)
        wheel.writestr("analysis-1.dist-info/WHEEL", tags)
        rows = ["analysis.pth,,", "analysis-1.dist-info/METADATA,,"]
        rows += ["analysis-1.dist-info/WHEEL,,", "analysis-1.dist-info/RECORD,,"]
        wheel.writestr("analysis-1.dist-info/RECORD", "\\n".join(rows) + "\\n")
    return name


build_wheel = build_editable
"""


@pytest.mark.usefixtures("uv_or_thoroughly")
def test_two_variants(
    prepared: Spack,
    spack: Spack,
    new_environment: NewEnvironment,
    installer: Installer,
    pip: Installer,
    tmp_path: Path,
    on_newest_spack: None,
) -> None:
    write(tmp_path / "pyproject.toml", PROJECT)
    write(tmp_path / "backend.py", BACKEND)
    write(tmp_path / "src" / "analysis.py", "import clicker, webby\n")
    environments: Dict[str, Environment] = {}
    for name, specs in VARIANTS.items():
        text = (THIN + OWN_WORDS.get(installer.tool, "") + SETTINGS).format(
            name=name,
            python=python_of(new_environment.recorded),
            index=installer.environ["PIP_INDEX_URL"],
            backend=installer.tool,
            mode="bound",
        )
        environment = new_environment(*specs, name=f"envs/{name}", pyproject=text)
        spack("-D", environment.path, "install")
        layer = Layer.of(environment, pip, spack.store, prepared.store)
        done = installer(environment, *JOINED[installer.tool])
        assert done.code == 0, done
        if installer.tool != "pip":
            done = installer(environment, *OPERATIONS[installer.tool]["install"])
            assert done.code == 0, done
        environments[name] = environment
        assert (layer.look(), layer.upper) == (HOLDS, ("analysis", "plain", "webby"))
        python = environment.path / ".venv" / "bin" / "python"
        subprocess.run([python, "-I", "-c", "import analysis"], check=True)
    assert {*(environments["cuda"].pins or ())} - {*(environments["cpu"].pins or ())} == {
        "tensors"
    }
    # What Spack provides in the one changes nothing of the other.
    texts = {name: one.text for name, one in environments.items()}
    for one in environments.values():
        done = json.loads(spack("-D", one.path, "pyvarium", "verify", "--json").out)
        assert done["ok"], done
    assert {name: one.text for name, one in environments.items()} == texts
    assert (tmp_path / "pyproject.toml").read_text() == PROJECT
