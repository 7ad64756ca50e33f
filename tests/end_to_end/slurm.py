# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A cluster of Slurm's on this machine, with a few nodes that have a local disk each.

Debian's slurm-wlm can run several slurmd on one machine. Each gets a mount namespace, in which one
directory is its own, as a local disk would be. So it needs root; nothing of it outlives a test.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, List

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sbcast", "srun", "sinfo", "unshare")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={top}/munge.socket
CredType=cred/munge
StateSaveLocation={top}/state
SlurmdSpoolDir={top}/spool-%n
SlurmctldPidFile={top}/slurmctld.pid
SlurmdPidFile={top}/slurmd-%n.pid
SlurmctldLogFile={top}/log/slurmctld
SlurmdLogFile={top}/log/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0
NodeName=node[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=8
PartitionName=all Nodes=ALL Default=YES State=UP
"""


class NoSlurmError(Exception):
    """It cannot be run here; the message says why."""


class Cluster:
    """Daemons in the foreground, below a directory; ``local`` is another one on each node."""

    def __init__(self, top: Path, nodes: int) -> None:
        self.top = top
        self.nodes = nodes
        self.local = top / "local"
        self._daemons: List[subprocess.Popen[bytes]] = []

    @property
    def environ(self) -> Dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.top / "slurm.conf")}

    def disk(self, node: int) -> Path:
        """The local disk of a node, as it is seen from outside."""
        return self.top / "disks" / f"node{node}"

    def __enter__(self) -> Cluster:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise NoSlurmError(f"no {', '.join(missing)} here: install slurm-wlm and munge")
        if os.geteuid() != 0:
            raise NoSlurmError("nodes on one machine with disks of their own need root")
        for name in ("state", "log", "local"):
            (self.top / name).mkdir(parents=True)
        key = self.top / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        ports = _free_ports(self.nodes + 1)
        text = CONFIGURATION.format(
            top=self.top,
            host=socket.gethostname(),
            user=getpass.getuser(),
            nodes=self.nodes,
            port=ports,
            first=ports + 1,
            last=ports + self.nodes,
        )
        (self.top / "slurm.conf").write_text(text)
        try:
            self._start(
                "munged",
                *("--foreground", "--force", f"--key-file={key}"),
                *(f"--{one}-file={self.top}/munged.{one}" for one in ("pid", "log", "seed")),
                f"--socket={self.top}/munge.socket",
            )
            self._wait_for((self.top / "munge.socket").exists)
            self._start("slurmctld", "-D", "-i")
            for node in range(1, self.nodes + 1):
                self.disk(node).mkdir(parents=True)
                (self.top / f"spool-node{node}").mkdir()
                script = 'mount --bind "$1" "$2" && exec slurmd -D -N "$3"'
                words = ("sh", str(self.disk(node)), str(self.local), f"node{node}")
                self._start("unshare", "--mount", "sh", "-c", script, *words)
            self._wait_for(lambda: self.run("sinfo", "-h", "-t", "idle", "-o", "%D") == self._all)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # What a step runs outlives the daemon of its node.
        with contextlib.suppress(RuntimeError, OSError, subprocess.TimeoutExpired):
            self.run("scancel", "--full", "--signal=KILL", "--user", getpass.getuser())
            deadline = time.monotonic() + 10
            while self.run("squeue", "--noheader") and time.monotonic() < deadline:
                time.sleep(0.1)
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in self._daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    @property
    def _all(self) -> str:
        return f"{self.nodes}\n"

    def run(self, *command: object) -> str:
        """What a command of Slurm's prints; all of what it says is in an error."""
        words = list(map(str, command))
        done = subprocess.run(
            words,
            env=self.environ,
            cwd=self.top,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )
        if done.returncode and words[0] != "sinfo":
            raise RuntimeError(f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def _start(self, *command: str) -> None:
        with open(self.top / "log" / f"{command[0]}.out", "ab") as log:
            self._daemons.append(
                subprocess.Popen(
                    command,
                    env=self.environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    def _wait_for(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not ready():
            ended = [daemon for daemon in self._daemons if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = [path.read_text("utf-8", "replace") for path in self.top.glob("log/*")]
                said = " ".join(" ".join(logs).split())[-500:]
                raise NoSlurmError(f"it does not start: {said}")
            time.sleep(0.1)


def _free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody uses."""
    for first in range(20000, 30000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise NoSlurmError("no ports are free here")
