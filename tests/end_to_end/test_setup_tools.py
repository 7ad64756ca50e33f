# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What ``setup`` installs: the backends from the real index, and a Spack."""

from __future__ import annotations

import concurrent.futures
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest
from spacks import TOP, Spack

from pyvarium import tools
from pyvarium.model import Backend
from pyvarium.settings import Setting

MINE = "# Mine.\npyvarium:\n  auto-sync: all   # as we agreed\n"


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where pip has no package index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "packaging"]
    directory = tmp_path_factory.mktemp("downloaded")
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no package index here: {done.stderr.strip().splitlines()[-1]}")


@pytest.mark.usefixtures("thoroughly")
def test_install_a_backend(spack: Spack, index: None) -> None:
    prefix, path = spack.root / "uv", spack.root / "uv" / "bin" / "uv"
    spack.configure("pyvarium", MINE)
    configuration = spack.configuration / "pyvarium.yaml"
    first = spack("pyvarium", "setup", "uv", prefix, "--json")
    version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.split()[1]
    answer = {
        "backend": "uv",
        "configuration": str(configuration),
        "installed": True,
        "path": str(path),
        "version": version,
    }
    assert json.loads(first.out) == answer
    assert first.err.startswith(f"==> installing uv>=0.6.17 into {prefix} with ")
    tool = f"  tools:\n    uv: '{path}'\n"
    assert configuration.read_text() == MINE.replace("pyvarium:\n", f"pyvarium:\n{tool}")
    again = spack("pyvarium", "setup", "uv", prefix)
    assert (again.out, again.err) == (f"{path}: uv {version} is there already\n", "")

    path.unlink()
    system = spack.root / "system"
    everybody = spack.with_environ(SPACK_SYSTEM_CONFIG_PATH=str(system))
    mended = everybody("pyvarium", "setup", "--scope", "system", "--json", "uv", prefix)
    configuration = system / "pyvarium.yaml"
    assert json.loads(mended.out) == {**answer, "configuration": str(configuration)}
    assert (configuration.read_text(), path.exists()) == (f"pyvarium:\n{tool}", True)
    everybody("pyvarium", "setup", "--remove")
    assert (system.exists(), path.exists()) == (False, True)


@pytest.mark.usefixtures("thoroughly")
def test_install_poetry_and_pdm(tmp_path: Path, index: None) -> None:
    """They run, and are what the later commands find."""

    def install(backend: Backend) -> tools.Tool:
        return tools.install(backend, tmp_path / backend.value).tool

    backends = (Backend.POETRY, Backend.PDM)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        installed = list(pool.map(install, backends))
    configured = [Setting(str(tool.path), "scope user") for tool in installed]
    assert [tools.find(*one) for one in zip(backends, configured)] == installed


@pytest.mark.usefixtures("on_one_spack")
def test_what_cannot_be_installed(spack: Spack) -> None:
    (spack.root / "venv").mkdir()
    (spack.root / "venv" / "pyvenv.cfg").touch()
    for words, code, message in (
        (
            ["uv", spack.root / "venv"],
            1,
            f"{spack.root}/venv: is there already, for something else; choose another path, or"
            " name the program in it by 'spack pyvarium config tools.uv PATH'",
        ),
        (["poetry", spack.root / "a$HOME"], 1, f"{spack.root}/a$HOME: cannot stand in Spack's"),
        (["--scope", "none", "pdm", spack.root / "pdm"], 1, "scope none: is not known; use one"),
        (["--remove", "uv", spack.root / "uv"], 2, "setup uv: takes no option of the regis"),
        (["spack", "--release", "v9", spack.root / "spack"], 1, "Spack v9: is not known here"),
    ):
        done = spack("pyvarium", "setup", *words, code=code)
        assert done.out == ""
        assert done.err.startswith(f"==> Error: {message}")
    assert [path.name for path in spack.root.iterdir() if path.name != "config"] == ["venv"]


@pytest.mark.usefixtures("thoroughly")
def test_set_up_a_spack(spack: Spack) -> None:
    """One that runs our command at once; cloned from the clones that are here."""
    if spack.release != "v1.1.0":
        pytest.skip("one release will do: it takes a minute or two")
    sources = {
        "https://github.com/spack/spack.git": spack.host.prefix / "spack",
        "https://github.com/spack/spack-packages.git": spack.host.prefix / "packages",
    }
    git = redirected({url: f"file://{path}" for url, path in sources.items()})
    prefix = spack.root / "own"
    words = ("pyvarium", "setup", "spack", prefix, "--release", spack.release)
    done = spack.with_environ(**git)(*words)
    assert done.out == f"{prefix}/bin/spack\n"
    command = [prefix / "bin/spack", "pyvarium", "setup", "--status", "--json"]
    status = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (status["root"], status["scopes"], status["hook"]) == (str(TOP), ["user"], True)
    shutil.rmtree(prefix)


def redirected(urls: Dict[str, str]) -> Dict[str, str]:
    """Environment variables that make git clone from elsewhere."""
    environ = {"GIT_CONFIG_COUNT": str(len(urls))}
    for number, (url, elsewhere) in enumerate(urls.items()):
        environ[f"GIT_CONFIG_KEY_{number}"] = f"url.{elsewhere}.insteadOf"
        environ[f"GIT_CONFIG_VALUE_{number}"] = url
    return environ
