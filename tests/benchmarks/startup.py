#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What being registered costs each Spack command at its start, for both ways of registering.

Times ``spack arch`` without us, with the distribution installed, and with an entry of
``include.yaml``, in turns. Needs a clone of Spack and, for the venvs, the package index. A start
is all computing, so processor time says the same as wall-clock time, but also on a busy machine.
Besides, the hook's part for one spec.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Sequence

import measuring
from measuring import TOP, Row, Run, in_turns, write

EXTENSION = TOP / "spack-pyvarium"
#: Without us, and with us in each way.
WITHOUT, PIP, INCLUDE = "spack without us", "spack with us installed", "spack with us included"
BESIDE = {PIP: (WITHOUT,), INCLUDE: (WITHOUT,)}
BARS = {(PIP, WITHOUT): 1.05, (INCLUDE, WITHOUT): 1.05}


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("spack", nargs="+", type=Path, help="the root of a Spack, as cloned")
    parser.add_argument("--runs", type=int, help="of each kind (default: 20)")
    arguments = parser.parse_args()
    runs = arguments.runs or (5 if arguments.quick else 20)
    rows: List[Row] = []
    programs = {}
    with tempfile.TemporaryDirectory(prefix="startup.") as directory:
        for number, spack in enumerate(arguments.spack):
            environs = prepare(spack, Path(directory) / str(number))
            program = spack / "bin" / "spack"
            commands = {
                way: ["env", "-i", *(f"{key}={one}" for key, one in own.items()), program, "arch"]
                for way, own in environs.items()
            }
            found = in_turns(commands, runs)
            rows += measuring.rows(1, "spack arch", found, BESIDE, BARS)
            programs[f"spack {number}"] = [program, "--version"]
        rows.append(hook(Path(directory, "state")))
    write(arguments.json, rows, programs)


def hook(state: Path) -> Row:
    """What each spec that is installed in an environment costs: it leaves a mark."""
    from pyvarium import mark

    runs = []
    for _ in range(201):
        start, before = time.perf_counter(), time.process_time()
        mark.leave(state)
        processor = time.process_time() - before
        runs.append(Run((time.perf_counter() - start) * 1000, processor * 1000))
    return measuring.row("hook", 1, "spec", runs[1:])


def prepare(spack: Path, directory: Path) -> Dict[str, Dict[str, str]]:
    """The environment variables under which this Spack knows of us in each way, or not."""
    pythons = {name: directory / name / "bin/python" for name in ("bare", "pip")}
    for python in pythons.values():
        output([sys.executable, "-m", "venv", str(python.parents[1])], os.environ)
    output([pythons["pip"], "-m", "pip", "install", "--quiet", TOP], os.environ)
    environs = {
        WITHOUT: environ(directory, "bare", pythons["bare"]),
        PIP: environ(directory, "bare", pythons["pip"]),
        INCLUDE: environ(directory, "include", pythons["bare"]),
    }
    extension = f"config:extensions:[{EXTENSION}]"
    output([spack / "bin/spack", "-c", extension, "pyvarium", "setup"], environs[INCLUDE])
    for way, variables in environs.items():  # Also lets Spack write its caches.
        answer = output([spack / "bin/spack", "commands", "--format=names"], variables)
        assert ("pyvarium" in answer.split()) == (way != WITHOUT), (way, answer)
    return environs


def environ(directory: Path, configuration: str, python: Path) -> Dict[str, str]:
    """A Spack that sees nobody's configuration but its own."""
    return {
        "HOME": str(directory),
        "PATH": os.environ["PATH"],
        "PYTHONPYCACHEPREFIX": str(directory / "bytecode"),
        "SPACK_PYTHON": str(python),
        "SPACK_SYSTEM_CONFIG_PATH": str(directory / "system"),
        "SPACK_USER_CACHE_PATH": str(directory / "cache"),
        "SPACK_USER_CONFIG_PATH": str(directory / f"configuration-{configuration}"),
    }


def output(command: Sequence[object], environ: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: failed with {done.returncode}")
    return done.stdout.decode()


if __name__ == "__main__":
    sys.path.insert(0, str(EXTENSION))
    main()
