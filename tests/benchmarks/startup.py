#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What being registered costs each Spack command at its start, for both ways of registering.

Times ``spack arch`` without us, with the distribution installed, and with an entry of
``include.yaml``, in turns. Needs a clone of Spack and, for the venvs, the package index. A start
is all computing, so processor time says the same as wall-clock time, but also on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

CHECKOUT = Path(__file__).resolve().parents[2]
EXTENSION = CHECKOUT / "spack-pyvarium"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spack", nargs="+", type=Path, help="the root of a Spack, as cloned")
    parser.add_argument("--runs", type=int, default=20, help="of each kind (default: 20)")
    parser.add_argument(
        "--limit", type=float, default=5, help="per cent of processor time above which to exit 3"
    )
    arguments = parser.parse_args()
    slow = False
    with tempfile.TemporaryDirectory(prefix="startup.") as directory:
        print(f"median of {arguments.runs} runs      WALL                 PROCESSOR")
        for number, spack in enumerate(arguments.spack):
            environs = prepare(spack, Path(directory) / str(number))
            version = output([spack / "bin/spack", "--version"], environs["not"]).split()[0]
            medians = measure([spack / "bin/spack", "arch"], environs, arguments.runs)
            for way, times in medians.items():
                shown = ""
                for time_, without in zip(times, medians["not"]):
                    change = 100 * (time_ / without - 1)
                    shown += f"  {1000 * time_:4.0f} ms {change:+6.1f} %"
                print(f"{version:<12} {way:<8}{shown}", flush=True)
                slow = slow or change > arguments.limit
    return 3 if slow else 0


def prepare(spack: Path, directory: Path) -> Dict[str, Dict[str, str]]:
    """The environment variables under which this Spack knows of us in each way, or not."""
    pythons = {name: directory / name / "bin/python" for name in ("bare", "pip")}
    for python in pythons.values():
        output([sys.executable, "-m", "venv", str(python.parents[1])], os.environ)
    output([pythons["pip"], "-m", "pip", "install", "--quiet", CHECKOUT], os.environ)
    environs = {
        "not": environ(directory, "bare", pythons["bare"]),
        "pip": environ(directory, "bare", pythons["pip"]),
        "include": environ(directory, "include", pythons["bare"]),
    }
    extension = f"config:extensions:[{EXTENSION}]"
    output([spack / "bin/spack", "-c", extension, "pyvarium", "setup"], environs["include"])
    for way, variables in environs.items():  # Also lets Spack write its caches.
        answer = output([spack / "bin/spack", "commands", "--format=names"], variables)
        assert ("pyvarium" in answer.split()) == (way != "not"), (way, answer)
    return environs


def environ(directory: Path, configuration: str, python: Path) -> Dict[str, str]:
    """A Spack that sees nobody's configuration but its own."""
    return {
        "HOME": str(directory),
        "PATH": os.environ["PATH"],
        "SPACK_PYTHON": str(python),
        "SPACK_SYSTEM_CONFIG_PATH": str(directory / "system"),
        "SPACK_USER_CACHE_PATH": str(directory / "cache"),
        "SPACK_USER_CONFIG_PATH": str(directory / f"configuration-{configuration}"),
    }


def measure(
    command: Sequence[object], environs: Dict[str, Dict[str, str]], runs: int
) -> Dict[str, Tuple[float, float]]:
    """The median seconds of the clock and of the processor in each environment, in turns."""
    seconds: Dict[str, List[Tuple[float, float]]] = {way: [] for way in environs}
    for number in range(runs):
        ways = list(environs.items())
        for way, variables in ways if number % 2 else reversed(ways):
            before, start = processor_time(), time.perf_counter()
            output(command, variables)
            seconds[way].append((time.perf_counter() - start, processor_time() - before))
    return {way: tuple(map(statistics.median, zip(*both))) for way, both in seconds.items()}


def processor_time() -> float:
    """The seconds that the processes have used that were started from here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def output(command: Sequence[object], environ: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: failed with {done.returncode}")
    return done.stdout.decode()


if __name__ == "__main__":
    sys.exit(main())
