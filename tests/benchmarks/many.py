#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A site with many environments and automatic sync on: many.py [--environments N]

Environments of 10 to 200 provided distributions, each with a project in step, as the automatic
sync finds them at the end of a Spack command; then one distribution is another in each of them,
and the sync writes. Medians of processor and wall-clock time, and what one asks of the file system
where there is nothing to do, by strace if that is there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core")]

import layer  # noqa: E402
from measuring import Cost, Row, show, write  # noqa: E402

from pyvarium.environment import read_environment  # noqa: E402
from pyvarium.sync import sync  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=int, default=500)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        sync(read_environment(arguments.one), thorough=False)
        return
    with tempfile.TemporaryDirectory(prefix="many.") as directory:
        rows = measured(Path(directory), arguments.environments)
    write(arguments.json, rows)


def measured(root: Path, count: int) -> List[Row]:
    generator = random.Random(0)
    paths = []
    for number in range(count):
        path = layer.provide(root / str(number), generator.randint(10, 200)).path
        (path / "pyproject.toml").write_text("[tool.pyvarium]\nbackend = 'uv'\n")
        sync(read_environment(path))
        paths.append(path)
    found: Dict[str, Cost] = {"nothing to do": timed(paths)}
    for path in paths:
        change(path)
    found["one changed"] = timed(paths)
    rows = show("environments", count, found, {})
    if shutil.which("strace"):
        for path in (min(paths, key=size), max(paths, key=size)):
            asked = operations(path)
            text = f"{asked - operations(None)} operations, {size(path)} distributions"
            print(f"nothing to do: {text}")
    return rows


def timed(paths: List[Path]) -> Cost:
    wall, processor = [], []
    for path in paths:
        environment = read_environment(path)
        start, before = time.perf_counter(), time.process_time()
        sync(environment, thorough=False)
        processor.append(time.process_time() - before)
        wall.append(time.perf_counter() - start)
    low, _, high = statistics.quantiles(processor, n=4)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    medians = statistics.median(wall), statistics.median(processor)
    return Cost(*medians, (low, high), round(memory, 1), len(paths))


def change(path: Path) -> None:
    """The first distribution has another version from now on."""
    old = next((path / ".spack-env" / "view").glob("lib/python*/site-packages/p0-*.dist-info"))
    metadata = (old / "METADATA").resolve()
    metadata.write_text(metadata.read_text().replace("Version: 1.0\n", "Version: 2.0\n"))


def size(path: Path) -> int:
    return len(json.loads((path / "spack.lock").read_text())["roots"])


def operations(path: Path | None) -> int:
    """How many system calls on files a sync makes; without one those of an empty program."""
    words = [__file__, "--one", str(path)] if path else ["-c", "import layer, pyvarium.sync"]
    places = [*sys.path[:2], str(Path(__file__).parent)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    with tempfile.NamedTemporaryFile("r") as trace:
        strace = ["strace", "-f", "-qq", "-e", "trace=%file,getdents64", "-o", trace.name]
        subprocess.run([*strace, sys.executable, *words], env=environ, check=True)
        return len(trace.read().splitlines())


if __name__ == "__main__":
    main()
