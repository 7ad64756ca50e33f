#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Inject faults into syncs, and see that no file is lost or torn: run.py [--count N] [SCENARIO...]

Needs Linux and a C compiler. Without --count every operation of each scenario fails in every way.
Exits with 1 where something was lost, torn or not healed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core"), str(HERE)]

import faults  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="default: all")
    parser.add_argument("--count", type=int, metavar="N", help="about so many, chosen at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spack", metavar="SPACK", help="the command of a Spack: 'new' in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults.") as directory:
        if faults.STATE not in os.environ:
            python = [arguments.spack, "python"] if arguments.spack else [sys.executable]
            words = [*python, __file__, *sys.argv[1:]]
            return os.spawnve(os.P_WAIT, words[0], words, faults.environ(Path(directory)))
        return run(Path(directory), arguments)


def run(directory: Path, arguments: argparse.Namespace) -> int:
    armed, report = faults.Faults(), faults.Report()
    if arguments.spack:
        import new

        found = list(new.scenarios(directory))
    else:
        found = list(faults.scenarios(directory))
    unknown = set(arguments.scenarios) - {one.name for one in found}
    if unknown:
        sys.exit(f"no scenario: {', '.join(sorted(unknown))}")
    found = [one for one in found if one.name in (arguments.scenarios or (one.name,))]
    start = time.monotonic()
    for scenario in found:
        before, at = report.cases, len(report.faults)
        chosen = faults.choice(arguments.seed, arguments.count, len(found))
        faults.run(scenario, armed, report, chosen)
        seconds = time.monotonic() - start
        counts = f"{report.cases - before:6} cases {len(report.faults) - at:4} faults"
        print(f"{scenario.name:12} {counts}  {seconds:6.0f} s", flush=True)
        for line in report.faults[at : at + 20]:
            print(f"  {line}", flush=True)
    ended = ", ".join(f"{count} {name}" for name, count in sorted(report.ended.items()))
    print(f"{report.cases} cases ({ended}): {len(report.faults)} faults")
    if arguments.json:
        data = {
            "command": " ".join(["python tests/faults/run.py", *sys.argv[1:]]),
            "cases": report.cases,
            "ended": report.ended,
            "failed": report.failed,
            "faults": report.faults,
        }
        arguments.json.write_text(json.dumps(data, indent=1) + "\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
