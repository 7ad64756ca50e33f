# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A kernel that Jupyter itself starts, and what a cell in it finds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from installers import Installer, NoInstallerError, had
from spacks import NewEnvironment, Spack, write

#: The newest that was tried.
JUPYTER_CLIENT = "jupyter_client==8.10.0"

#: Starts a kernel of the name with nothing but the variables it is given, and runs one cell.
NOTEBOOK = """\
import json, sys
from jupyter_client.manager import KernelManager
from jupyter_client.kernelspec import KernelSpecManager

name, variables, cell = sys.argv[1:]
assert name in KernelSpecManager().find_kernel_specs()
manager = KernelManager(kernel_name=name)
manager.start_kernel(env=json.loads(variables))
client = manager.client()
client.start_channels()
try:
    client.wait_for_ready(timeout=60)
    def show(message):
        if message["msg_type"] == "stream":
            sys.stdout.write(message["content"]["text"])
        elif message["msg_type"] == "error":
            sys.stdout.write("\\n".join(message["content"]["traceback"]))
    client.execute_interactive(cell, output_hook=show, timeout=60)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""
CELL = """\
import json, os, shutil, sys
import idna, ipykernel
print(json.dumps({
    "lower": os.path.realpath(idna.__file__),
    "upper": ipykernel.__file__,
    "prefix": sys.prefix,
    "path": os.environ["PATH"].split(":")[:2],
    "ls": shutil.which("ls") is not None,
    "variables": {
        name: os.environ.get(name) for name in ("ANALYSIS_DATA", "PYTHONPATH", "PYTHONHOME")
    },
}))
"""
VARIABLES = "  env_vars:\n    set:\n      ANALYSIS_DATA: /data/{of-2026} $HOME\n"


@pytest.mark.usefixtures("thoroughly", "on_newest_spack")
def test_kernel(
    spack: Spack,
    prepared: Spack,
    new_environment: NewEnvironment,
    pip: Installer,
    request: pytest.FixtureRequest,
    say: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """A kernel that is started with no variables at all, and with those that would mislead it."""
    tools = Path(os.path.abspath(request.config.getoption("tools")))
    try:
        jupyter = had(tools, JUPYTER_CLIENT, say)
    except NoInstallerError as error:
        pytest.skip(str(error))
    environment = new_environment("py-idna@3.4")
    has_variables = not spack.release.startswith("v0.")
    if has_variables:
        manifest = environment.path / "spack.yaml"
        manifest.write_text(manifest.read_text() + VARIABLES)
    spack("-D", environment.path, "install")
    data = tmp_path / "data"
    spack = spack.with_environ(JUPYTER_DATA_DIR=str(data))

    refused = spack("-D", environment.path, "pyvarium", "kernel", "install", code=1)
    assert refused.err == (
        f"==> Error: {environment.path}: has no ipykernel; run 'spack pyvarium add ipykernel'\n"
    )
    install = [pip.python, "-m", "pip", "--python", environment.path / ".venv", "install", "-q"]
    done = subprocess.run([*install, "ipykernel"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no ipykernel here: {done.stderr.strip().splitlines()[-1]}")

    file = data / "kernels/spack-work/kernel.json"
    done = spack("-D", environment.path, "pyvarium", "kernel", "install")
    assert (done.out, done.err) == (f"{file}: installed\n", "")

    home = tmp_path / "home"
    library = f"lib/{next(environment.view.glob('lib/python3*')).name}/site-packages"
    for shadow in (home / ".local" / library, tmp_path / "own"):
        write(shadow / "idna.py", "raise ImportError('of the user')\n")
    misleading = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(tmp_path / "own"),
        "PYTHONHOME": str(tmp_path / "nowhere"),
    }
    write(tmp_path / "notebook.py", NOTEBOOK)

    def run(variables: Dict[str, str]) -> Any:
        command = [jupyter, tmp_path / "notebook.py", "spack-work", json.dumps(variables), CELL]
        environ = {"JUPYTER_DATA_DIR": str(data), "HOME": str(home)}
        done = subprocess.run(
            list(map(str, command)), env=environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    for variables in ({}, misleading):
        found = run(variables)
        assert found.pop("lower").startswith(str(prepared.store))
        assert found == {
            "upper": str(environment.path / ".venv" / library / "ipykernel/__init__.py"),
            "prefix": str(environment.path / ".venv"),
            "path": [str(environment.path / ".venv/bin"), str(environment.view / "bin")],
            "ls": True,
            "variables": {
                "ANALYSIS_DATA": "/data/{of-2026} $HOME" if has_variables else None,
                "PYTHONPATH": None,
                "PYTHONHOME": None,
            },
        }

    listed = json.loads(spack("pyvarium", "kernel", "list", "--user", "--json").out)
    assert listed == {
        "kernels": [
            {
                "directory": str(file.parent),
                "display-name": "Python (work)",
                "environment": str(environment.path),
                "name": "spack-work",
                "state": "ready",
            }
        ]
    }
    done = spack("-D", environment.path, "pyvarium", "kernel", "remove")
    assert (done.out, list((data / "kernels").iterdir())) == (f"{file}: removed\n", [])
