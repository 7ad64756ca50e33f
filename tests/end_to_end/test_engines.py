# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The workers of real engines run in a pack, and what drives them elsewhere.

The engines are from the package index, one release each, and everything is on loopback. The
scripts are those that the documentation shows.
"""

from __future__ import annotations

import os
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List

import pytest
from installers import NEWEST, Installer
from spacks import TOP, NewEnvironment, Spack, write

#: In the pack; the last also where the scripts run.
ENGINES = ("distributed==2026.8.0", "parsl==2026.10.26")
ON_DRIVER = (*ENGINES, "dask-jobqueue==0.9.0")
EXAMPLES = TOP / "tests" / "examples"
TIMEOUT = 300

JOBQUEUE = """\
import os, sys
from dask.distributed import Client
from dask_jobqueue.local import LocalCluster

def describe(number):
    import sys, tensors
    return number * number, sys.prefix, tensors.SOURCE

if __name__ == "__main__":
    python = f"{os.path.abspath('pyvarium-run')} -e {os.path.abspath(sys.argv[1])} -- python"
    options = {"cores": 1, "memory": "1 GiB", "python": python, "walltime": None}
    options["scheduler_options"] = {"host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        cluster.scale(jobs=2)
        client.wait_for_workers(2, timeout=120)
        results = client.gather(client.map(describe, range(8)))
    print(sum(one[0] for one in results), *sorted({one[1] for one in results}))
"""
#: As anybody writes it who knows nothing of packs.
LOCAL = """\
import sys
from dask.distributed import Client, LocalCluster

def describe(number):
    import sys, tensors
    return number * number, sys.prefix

if __name__ == "__main__":
    with LocalCluster(n_workers=2, dashboard_address=None) as cluster, Client(cluster) as client:
        results = client.gather(client.map(describe, range(8)))
    print(sum(one[0] for one in results), *sorted({one[1] for one in results}))
"""


@dataclass(frozen=True)
class Driver:
    """Where scripts run: a venv without what is packed, and a directory with pack and runner."""

    python: Path
    directory: Path
    environ: Dict[str, str]

    def __call__(self, script: Path, *, packed: bool = False) -> List[str]:
        """Run a script, with the pack as its argument; the words that it prints."""
        own = [str(self.python)]
        if packed:
            own = ["./pyvarium-run", "-e", "env.tar.gz", "--", "python"]
        done = subprocess.run(
            [*own, str(script), "env.tar.gz"],
            cwd=self.directory,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout.split()


@pytest.fixture
def driver(
    spack: Spack,
    installer_of: Callable[[str], Installer],
    new_environment: NewEnvironment,
    say: Callable[[str], None],
    tmp_path: Path,
) -> Driver:
    """A pack with what Spack provides and the engines, and a venv that has the engines alone."""
    uv = installer_of(next(one for one in NEWEST if one.startswith("uv==")))
    program = uv.python.parent / "uv"
    spack.configure("pyvarium", f"pyvarium:\n  tools:\n    uv: {program}\n")
    environment = new_environment("py-tensors", pyproject=None)
    spack("pyvarium", "new", environment.path, "--backend", "uv")
    say(f"installing {', '.join(ON_DRIVER)}")
    venv = tmp_path / "driver"
    python = venv / "bin" / "python"
    view = environment.view / "bin" / "python3"
    for command in (
        [program, "venv", "--quiet", "--python", os.path.realpath(view), venv],
        [program, "pip", "install", "--quiet", "--python", python, *ON_DRIVER],
    ):
        words = [str(word) for word in command]
        done = subprocess.run(words, env=spack.environ, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no engines here: {done.stderr.strip().splitlines()[-1]}")
    spack("-D", environment.path, "pyvarium", "add", "--from", "pypi", *ENGINES, timeout=600)
    directory = tmp_path / "scripts"
    directory.mkdir()
    pack = directory / "env.tar.gz"
    spack("-D", environment.path, "pyvarium", "pack", "-o", pack)
    unpack = ["tar", "-xOf", str(pack), "bin/pyvarium-run"]
    runner = directory / "pyvarium-run"
    runner.write_bytes(subprocess.run(unpack, check=True, capture_output=True).stdout)
    runner.chmod(0o755)
    environ = {
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "PYVARIUM_CACHE": str(tmp_path / "cache"),
    }
    (tmp_path / "cache").mkdir(mode=0o700)
    return Driver(python, directory, environ)


@pytest.mark.usefixtures("thoroughly", "on_one_spack")
def test_workers(driver: Driver, tmp_path: Path) -> None:
    """Each script prints the sum of the squares below 8, and where the python of a worker is."""
    write(tmp_path / "jobqueue.py", JOBQUEUE)
    write(tmp_path / "local.py", LOCAL)
    found = {
        "dask worker": driver(EXAMPLES / "dask_workers.py"),
        "dask-jobqueue": driver(tmp_path / "jobqueue.py"),
        "LocalCluster": driver(tmp_path / "local.py", packed=True),
        "parsl": driver(EXAMPLES / "parsl_workers.py"),
        "parsl in it": driver(EXAMPLES / "parsl_workers.py", packed=True),
    }
    [unpacked] = [one for one in (tmp_path / "cache").iterdir() if one.name[0] != "."]
    assert found == {name: ["140", str(unpacked / "python")] for name in found}
    imports = "import tensors"
    for python, code in ((driver.python, 1), (unpacked / "bin/run_in_env", 0)):
        words = [str(python), *(["python"] if code == 0 else []), "-c", imports]
        assert subprocess.run(words, capture_output=True).returncode == code


def test_documented() -> None:
    """The page shows what the examples have."""
    page = (TOP / "docs" / "clusters.md").read_text()
    for name in ("dask_workers.py", "parsl_workers.py"):
        assert f"(../tests/examples/{name})" in page
    block = page.partition("with LocalCluster(")[2].partition("```")[0]
    shown = textwrap.indent("with LocalCluster(" + block, "    ")
    assert all(line in (EXAMPLES / "dask_workers.py").read_text() for line in shown.splitlines())
