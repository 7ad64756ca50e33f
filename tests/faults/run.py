#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Inject faults, and see that no file is lost or torn: run.py [--count N] [SCENARIO...]

Needs Linux and a C compiler; packs need zstd and squashfs-tools, and 'new' needs --spack. Without
--count every operation of each scenario fails in every way that it can. Exits with 1 where
something was lost, torn or not healed.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import List, Optional

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core"), str(HERE)]
sys.path.append(str(TOP / "tests" / "benchmarks"))

import faults  # noqa: E402
import measuring  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="default: all")
    parser.add_argument("--count", type=int, metavar="N", help="so many of each, at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9, metavar="N", help="in total at most")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="scenarios at once")
    parser.add_argument("--spack", metavar="SPACK", help="the command of a Spack: 'new' too")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results as rows there"
    )
    parser.add_argument("--within", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.within:
        return run(arguments)
    with tempfile.TemporaryDirectory(prefix="faults.", dir=_place()) as directory:
        return start(arguments, Path(directory))


def _place() -> Optional[str]:
    """In memory, where what is forced to the disk takes no time, if programs can run there."""
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and not os.statvfs(memory).f_flag & os.ST_NOEXEC:
        return memory
    return None


def start(arguments: argparse.Namespace, directory: Path) -> int:
    """Start processes in which faults are possible, without Spack and in it, and sum up."""
    begin = time.monotonic()
    environ = faults.environ(directory)
    pythons = [[sys.executable], *([[arguments.spack, "python"]] if arguments.spack else [])]
    reports: List[dict] = []
    for number, python in enumerate(pythons):
        within = directory / str(number)
        within.mkdir()
        words = [*python, __file__, *sys.argv[1:], "--within", str(within)]
        words += ["--until", str(begin + arguments.seconds)]
        if subprocess.run(words, env=environ).returncode:
            return 2
        reports += json.loads((within / "reports").read_text())
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "faults": sum(sum(one["injected"].values()) for one in reports),
        "left out": sum(one["left"] for one in reports),
        "wrong": sum(len(one["wrong"]) for one in reports),
    }
    print(
        f"{found['faults']} faults in {time.monotonic() - begin:.0f} s,"
        f" {usage.ru_utime + usage.ru_stime:.0f} s of processors: {found['left out']} left out,"
        f" {found['wrong']} wrong"
    )
    rows = []
    for one in reports:
        injected = sum(one["injected"].values())
        rows.append(
            measuring.Row(one["name"], one["operations"], "operations", "faults", injected)
        )
    for what, value in found.items():
        bar = None if what == "faults" else 0
        rows.append(measuring.Row(what, len(reports), "scenarios", "faults", value, bar=bar))
    measuring.write(arguments.json, rows)
    return 1 if found["wrong"] else 0


def run(arguments: argparse.Namespace) -> int:
    """Run scenarios, so many at once."""
    unknown = set(arguments.scenarios) - {*scenarios(False), *scenarios(True)}
    if unknown:
        sys.exit(f"no scenario: {', '.join(sorted(unknown))}")
    names = [one for one in scenarios() if one in (arguments.scenarios or (one,))]
    one = functools.partial(run_one, arguments)
    reports = []
    with ProcessPoolExecutor(arguments.processes, multiprocessing.get_context("fork")) as pool:
        for report in pool.map(one, names):
            reports.append(asdict(report))
            count = sum(report.injected.values())
            counts = (
                f"{report.operations:4} operations {count:6} faults {len(report.wrong):4} wrong"
            )
            print(f"{report.name:14} {counts}  {report.seconds:5} s", flush=True)
            for one in report.wrong[:20]:
                print(f"  {one.splitlines()[0]}", flush=True)
    (arguments.within / "reports").write_text(json.dumps(reports))
    return 0


def scenarios(in_spack: bool = "spack" in sys.modules) -> faults.Scenarios:
    """Those of 'new' in a Spack, else the others."""
    import new
    import packing
    import syncs

    return new.SCENARIOS if in_spack else {**syncs.SCENARIOS, **packing.SCENARIOS}


def run_one(arguments: argparse.Namespace, name: str) -> faults.Report:
    """Run one scenario in a directory of its own, which is empty again then."""
    directory = arguments.within / name
    directory.mkdir()
    armed = faults.Faults(directory / "state")
    chosen = faults.choice(arguments.seed, arguments.count)
    report = faults.run(scenarios()[name](directory), armed, chosen, arguments.until)
    shutil.rmtree(directory)
    return report


if __name__ == "__main__":
    sys.exit(main())
