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
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core")]

import layer  # noqa: E402
import measuring  # noqa: E402
from measuring import Row, Run, say, write  # noqa: E402

from pyvarium.environment import read_environment  # noqa: E402
from pyvarium.sync import sync  # noqa: E402

FILES = "system calls on files"


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--environments", type=int, help="default: 500, with --quick 50")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        sync(read_environment(arguments.one), thorough=False)
        return
    with tempfile.TemporaryDirectory(prefix="many.") as directory:
        count = arguments.environments or (50 if arguments.quick else 500)
        rows = measured(Path(directory), count)
        write(arguments.json, rows)  # To remove so many takes longer than all else.


def measured(root: Path, count: int) -> List[Row]:
    generator = random.Random(0)
    sizes = [generator.randint(10, 200) for _ in range(count)]
    with ThreadPoolExecutor(4) as pool:  # Of these most is waiting for the disk.
        paths = list(pool.map(made, (root / str(number) for number in range(count)), sizes))
    found: Dict[str, List[Run]] = {"automatic sync": timed(paths)}
    for path in paths:
        change(path)
    found["automatic sync, one changed"] = timed(paths)
    rows = measuring.rows(count, "environments", found)
    if shutil.which("strace"):
        for path in (min(paths, key=size), max(paths, key=size)):
            asked = operations(path)
            value = asked - operations(None)
            rows.append(Row("automatic sync", size(path), "distributions", FILES, value))
            say(measuring.line(rows[-1]))
    return rows


def made(root: Path, size: int) -> Path:
    path = layer.provide(root, size).path
    (path / "pyproject.toml").write_text("[tool.pyvarium]\nbackend = 'uv'\n")
    sync(read_environment(path))
    return path


def timed(paths: List[Path]) -> List[Run]:
    runs = []
    for path in paths:
        environment = read_environment(path)
        start, before = time.perf_counter(), time.process_time()
        sync(environment, thorough=False)
        processor = time.process_time() - before
        runs.append(Run((time.perf_counter() - start) * 1000, processor * 1000))
    return runs


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
