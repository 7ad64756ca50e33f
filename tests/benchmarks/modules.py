#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Measure ``module load`` of an environment beside ``spack env activate`` of the same.

In turns, each in a fresh bash in which the module system, or Spack, is ready; only the one command
is timed. Needs a Spack that knows the command, and an environment with a venv.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

import measuring
from measuring import Row, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "end_to_end"))

from module_systems import NoModulesError, environment_modules, lmod

ACTIVATE = "spack env activate"
TIMED = """\
{begin}
begin=$EPOCHREALTIME
{command}
end=$EPOCHREALTIME
[ "${{VIRTUAL_ENV-}}${{SPACK_ENV-}}" ] || exit 1
echo "$begin $end"
"""


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("spack", help="the command of a Spack that is set up")
    parser.add_argument("environment", type=Path, help="directory of an environment")
    parser.add_argument("--runs", type=int, help="of each kind (default: 15)")
    parser.add_argument("--tools", type=Path, default=Path(".cache/tools"))
    arguments = parser.parse_args()
    runs = arguments.runs or (5 if arguments.quick else 15)
    with tempfile.TemporaryDirectory(prefix="modules.") as directory:
        scripts = {ACTIVATE: spack_script(arguments.spack, arguments.environment)}
        generate = (
            "pyvarium",
            "modulegen",
            arguments.environment,
            "-o",
            directory,
            "--name",
            "it",
        )
        for language in ("tcl", "lua"):
            words = [arguments.spack, *generate, "--lang", language]
            words[words.index(directory)] = f"{directory}/{language}"
            subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
        for label, language in (
            ("Environment Modules, Tcl", "tcl"),
            ("Lmod, Tcl", "tcl"),
            ("Lmod, Lua", "lua"),
        ):
            try:
                system = (
                    lmod() if "Lmod" in label else environment_modules(arguments.tools.absolute())
                )
            except NoModulesError as error:
                measuring.say(f"left out: {label}: {error}")
                continue
            begin = f"{system.begin['bash']}\nmodule use {directory}/{language}"
            scripts[label] = TIMED.format(begin=begin, command="module load it")
        seconds: Dict[str, List[float]] = {label: [] for label in scripts}
        for number in range(runs):
            for label in sorted(scripts, reverse=bool(number % 2)):
                seconds[label].append(1000 * timed(scripts[label], directory))
    rows = [row(label, found, seconds[ACTIVATE]) for label, found in seconds.items()]
    for one in rows:
        measuring.say(measuring.line(one))
    write(arguments.json, rows, {"spack": [arguments.spack, "--version"]})


def row(label: str, found: List[float], others: List[float]) -> Row:
    beside = label != ACTIVATE
    return Row(
        what=f"module load, {label}" if beside else label,
        size=1,
        unit="environment",
        measure="ms of the clock",
        value=round(statistics.median(found), 2),
        spread=measuring.spread(found),
        runs=len(found),
        beside=ACTIVATE if beside else None,
        other=round(statistics.median(others), 2) if beside else None,
    )


def spack_script(spack: str, environment: Path) -> str:
    """What activates in a shell that has sourced Spack's own script."""
    find = [spack, "location", "--spack-root"]
    root = subprocess.run(find, check=True, capture_output=True, text=True).stdout.strip()
    begin = f". {root}/share/spack/setup-env.sh"
    return TIMED.format(begin=begin, command=f"spack env activate -d {environment}")


def timed(script: str, home: str) -> float:
    environ = {**os.environ, "HOME": home, "SPACK_PYVARIUM": "off"}
    for name in ("VIRTUAL_ENV", "SPACK_ENV", "PYTHONPATH", "BASH_ENV"):
        environ.pop(name, None)
    words = ["bash", "--norc", "--noprofile", "-c", script]
    done = subprocess.run(words, env=environ, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{script}: failed with {done.returncode}\n{done.stderr}")
    begin, end = done.stdout.split()[-2:]
    return float(end) - float(begin)


if __name__ == "__main__":
    main()
