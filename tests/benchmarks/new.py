#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What ``spack pyvarium new`` costs beside the ``spack concretize`` and ``install`` in it.

Both make an environment of the same specs, which are in the store already, in turns: from nothing,
and from a lockfile, where Spack has nothing to concretize. Needs a Spack that knows the command.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

import measuring
from measuring import Row, Run, write

LOCK = "spack.lock"
MANIFEST = "spack:\n  specs: [{}]\n  view: true\n  concretizer:\n    unify: true\n"


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("spack", help="the command of a Spack that is set up")
    parser.add_argument("spec", nargs="+", help="specs that are installed")
    parser.add_argument("--backend", default="uv", help="default: uv")
    parser.add_argument("--runs", type=int, help="of each kind (default: 5)")
    arguments = parser.parse_args()
    runs = arguments.runs or (2 if arguments.quick else 5)
    rows: List[Row] = []
    with tempfile.TemporaryDirectory(prefix="new.") as directory:
        top = Path(directory)
        (top / "spack.yaml").write_text(MANIFEST.format(", ".join(map(repr, arguments.spec))))
        run(arguments.spack, "-D", directory, "concretize")
        for origin, names in (("nothing", ["spack.yaml"]), ("a lock", ["spack.yaml", LOCK])):
            ours, theirs = f"new, from {origin}", f"spack's own, from {origin}"
            found: Dict[str, List[Run]] = {theirs: [], ours: []}
            for number in range(runs):
                for way in sorted(found, reverse=bool(number % 2)):
                    path = top / "environment"
                    path.mkdir()
                    for name in names:
                        shutil.copy(top / name, path)
                    commands = without_us(path)
                    if way == ours:
                        commands = [["pyvarium", "new", path, "--backend", arguments.backend]]
                    work = functools.partial(run_all, arguments.spack, commands)
                    found[way].append(measuring.timed(work))
                    shutil.rmtree(path)
            rows += measuring.rows(len(arguments.spec), "specs", found, {ours: (theirs,)})
    write(arguments.json, rows, {"spack": [arguments.spack, "--version"]})


def without_us(path: Path) -> List[List[object]]:
    """What one has to run instead; from a lock there is nothing to concretize."""
    steps = ["install"] if (path / LOCK).exists() else ["concretize", "install"]
    return [["-D", path, step] for step in steps]


def run_all(spack: str, commands: List[List[object]]) -> None:
    for words in commands:
        run(spack, *words)


def run(*words: object) -> None:
    environ = {**os.environ, "SPACK_PYVARIUM": "off"}  # Else Spack's own commands would sync too.
    command = [str(word) for word in words]
    # Spack's new installer wants an input that it can watch.
    done = subprocess.run(command, env=environ, stdin=subprocess.PIPE, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: failed with {done.returncode}\n{done.stderr.decode()}")


if __name__ == "__main__":
    main()
