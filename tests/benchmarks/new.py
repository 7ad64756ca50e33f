#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What ``spack pyvarium new`` costs beside the ``spack concretize`` and ``install`` in it.

Both make an environment of the same specs, which are in the store already, in turns: from nothing,
and from a lockfile, where Spack has nothing to concretize. Needs a Spack that knows the command.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List

MANIFEST = "spack:\n  specs: [{}]\n  view: true\n  concretizer:\n    unify: true\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spack", help="the command of a Spack that is set up")
    parser.add_argument("spec", nargs="+", help="specs that are installed")
    parser.add_argument("--backend", default="uv", help="default: uv")
    parser.add_argument("--runs", type=int, default=5, help="of each kind (default: 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="new.") as directory:
        top = Path(directory)
        (top / "spack.yaml").write_text(MANIFEST.format(", ".join(map(repr, arguments.spec))))
        run(arguments.spack, "-D", directory, "concretize")
        print(f"median of {arguments.runs} runs      SPACK       NEW    DIFFERENCE", flush=True)
        for label, names in (("nothing", ["spack.yaml"]), ("lock", ["spack.yaml", "spack.lock"])):
            seconds: Dict[str, List[float]] = {"spack": [], "new": []}
            for number in range(arguments.runs):
                for way in sorted(seconds, reverse=bool(number % 2)):
                    path = top / "environment"
                    path.mkdir()
                    for name in names:
                        shutil.copy(top / name, path)
                    start = time.perf_counter()
                    if way == "spack":
                        if label == "nothing":
                            run(arguments.spack, "-D", path, "concretize")
                        run(arguments.spack, "-D", path, "install")
                    else:
                        run(
                            arguments.spack,
                            "pyvarium",
                            "new",
                            path,
                            "--backend",
                            arguments.backend,
                        )
                    seconds[way].append(time.perf_counter() - start)
                    shutil.rmtree(path)
            spack, new = (statistics.median(seconds[way]) for way in ("spack", "new"))
            print(
                f"from {label:<12} {spack:9.1f} s {new:7.1f} s {new - spack:+11.1f} s", flush=True
            )
    return 0


def run(*words: object) -> None:
    environ = {**os.environ, "SPACK_PYVARIUM": "off"}  # Else Spack's own commands would sync too.
    command = [str(word) for word in words]
    # Spack's new installer wants an input that it can watch.
    done = subprocess.run(command, env=environ, stdin=subprocess.PIPE, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: failed with {done.returncode}\n{done.stderr.decode()}")


if __name__ == "__main__":
    sys.exit(main())
