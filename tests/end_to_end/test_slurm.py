# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The jobs of docs/clusters.md under a real Slurm."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, Iterator

import pytest
from slurm import Cluster, NoSlurmError
from spacks import TOP

NODES = 4


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    try:
        with Cluster(tmp_path / "slurm", NODES) as running:
            yield running
    except NoSlurmError as error:
        pytest.skip(str(error))


def jobs() -> Dict[str, str]:
    """The scripts in the guide, by the name in their second line."""
    text = (TOP / "docs" / "clusters.md").read_text(encoding="utf-8")
    scripts = re.findall(r"^```sh\n(#!/bin/sh\n# (\S+)\n.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return {name: script for script, name in scripts}


def wait_for(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.usefixtures("thoroughly", "on_newest_spack")
def test_an_array_unpacks_once_on_each_node(
    packed: Path, cluster: Cluster, tmp_path: Path
) -> None:
    """64 tasks of an array on 4 nodes, after a job that has sent the pack to all of them."""
    shared = cluster.top / "shared"
    shared.mkdir()
    shutil.copy(packed, shared / "work.tar.gz")
    (shared / "analysis.py").write_text(
        "import idna, os, pathlib, sys\n"
        "pack = pathlib.Path(sys.prefix).parent\n"
        "print(os.environ['SLURMD_NODENAME'], pack, pack.stat().st_ino, idna.__version__)\n"
    )
    # Each tar that unpacks says so on the disk of its node.
    programs = shared / "programs"
    programs.mkdir()
    (programs / "tar").write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || echo one >> {cluster.local}/unpacked\n'
        f'exec {shutil.which("tar")} "$@"\n'
    )
    (programs / "tar").chmod(0o755)
    environ = f"PATH={programs}:/usr/bin:/bin,LOCAL={cluster.local}"
    for name, script in jobs().items():
        (shared / name).write_text(script)
    with (shared / "pyvarium-run").open("wb") as file:
        subprocess.run(
            ["tar", "-xOf", shared / "work.tar.gz", "bin/pyvarium-run"], stdout=file, check=True
        )
    (shared / "pyvarium-run").chmod(0o755)

    submit = ("sbatch", "--parsable", "--wait", "-D", shared)
    cluster.run(*submit, f"--nodes={NODES}", "--export=ALL," + environ, "send.sh")
    out = ("--array=1-64", "-o", shared / "%a.out", "--export=ALL," + environ)
    cluster.run(*submit, *out, "array.sh")

    answers = [(shared / f"{task}.out").read_text().split() for task in range(1, 65)]
    used = {(node, pack, inode) for node, pack, inode, _ in answers}
    assert len(used) == NODES == len({node for node, _, _ in used})
    assert {version for *_, version in answers} == {"3.4"}
    for node in range(1, NODES + 1):
        assert (cluster.disk(node) / "unpacked").read_text() == "one\n"

    # An exit code and a signal of Slurm's are the command's.
    start = f'exec {cluster.local}/pyvarium-run -e {cluster.local}/work.tar.gz -- "$@"'
    run = ("srun", "-N1", "--export=ALL," + environ, "sh", "-c", start, "sh")
    with pytest.raises(RuntimeError, match=": 42: "):
        cluster.run(*run, "sh", "-c", "exit 42")
    ended = shared / "ended"
    waiting = (
        f'trap "echo got it > {ended}; exit" TERM; touch {ended}; while :; do sleep 0.1; done'
    )
    job = cluster.run(
        *("sbatch", "--parsable", "-D", shared, "--export=ALL," + environ, "--wrap"),
        f"srun {cluster.local}/pyvarium-run -e {cluster.local}/work.tar.gz -- sh -c '{waiting}'",
    ).strip()
    wait_for(ended.exists)
    cluster.run("scancel", "--signal=TERM", job)
    wait_for(lambda: ended.read_text() == "got it\n")
