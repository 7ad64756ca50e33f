# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Run the benchmarks, print one table: python tests/benchmarks [--quick] [--uv UV] [--spack SPACK]

Each row is a ratio of two commands that were run in turns. The results are kept as data in
``results``, each with the command that made it; --table prints those that are there, --plot draws
them into ``docs/scale.svg``. The other scripts here measure what needs more than this: their first
lines say what.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, few runs")
    parser.add_argument("--uv", help="the program uv, for what is measured beside it")
    parser.add_argument("--spack", help="the command of a Spack, without us")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--plot", action="store_true", help="only draw what is there")
    arguments = parser.parse_args()
    if not (arguments.table or arguments.plot):
        for name, words in chosen(arguments).items():
            script, *options = words
            command = [sys.executable, HERE / script, *options, "--json", RESULTS / f"{name}.json"]
            print(f"==> {name}", flush=True)
            if subprocess.run(list(map(str, command))).returncode:
                return 1
    if arguments.plot:
        import plot

        plot.draw(RESULTS / "scale.json", HERE.parents[1] / "docs" / "scale.svg")
        return 0
    print(table())
    return 0


def chosen(arguments: argparse.Namespace) -> Dict[str, List[str]]:
    quick = arguments.quick
    sizes = ["10", "100"] if quick else ["10", "100", "500", "2000", "5000"]
    runs = ["--runs", "3"] if quick else []
    uv = ["--uv", arguments.uv] if arguments.uv else []
    found = {
        "scale": ["scale.py", *sizes, *uv, *runs],
        "starts": ["starts.py", *runs],
        "many": ["many.py", "--environments", "20" if quick else "500"],
    }
    if arguments.spack:
        options = ["--spack", arguments.spack, "--only", "^spack", *runs]
        found["spack"] = ["scale.py", *sizes[:4], "--nodes", *options]
    return found


def table() -> str:
    """All results, a line for each row that is beside another one, and the machines."""
    lines = [
        "| what | size | beside | ratio | processor | quartiles | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    machines = []
    for path in sorted(RESULTS.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        if "rows" not in data:
            continue
        lines += [_line(row) for row in data["rows"]]
        machines.append(f"- `{path.name}`: `{data['command']}` on {_machine(data['machine'])}")
    return "\n".join([*lines, "", *machines])


def _line(row: Dict[str, Any]) -> str:
    cost = row["cost"]
    low, high = cost["quartiles"]
    cells = [
        row["what"],
        f"{row['size']:,} {row['unit']}",
        row["beside"] or "",
        "" if row["ratio"] is None else f"{row['ratio']:.2f}",
        f"{cost['processor'] * 1000:.0f} ms",
        f"{low * 1000:.0f} to {high * 1000:.0f}",
        f"{cost['memory']:.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


def _machine(machine: Dict[str, Any]) -> str:
    return (
        f"{machine['processors']} processors ({machine['processor']}), {machine['system']},"
        f" Python {machine['python']}, load {machine['load']}"
    )


if __name__ == "__main__":
    sys.exit(main())
