#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Fuzz what reads the files of others: run.py [--seconds N] [--processes N] [TARGET...]

Needs ``pip install atheris hypothesis packaging pytest tomlkit``. Each target runs in a process of
its own for its share of the time; what it has found interesting is kept in the corpus, for the
next time. A crash is printed as a test of ``tests/core/test_fuzzed.py`` takes it, and the
target goes on from there. Exits with 1 where there was one.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core"), str(HERE)]
sys.path.append(str(TOP / "tests" / "benchmarks"))

import measuring  # noqa: E402

#: Of an input, in bytes; and of one run, in seconds and MB.
LONGEST, SLOWEST, LARGEST = 8192, 10, 2048


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--seconds", type=int, default=600, help="in all (default: 600)")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="targets at once")
    parser.add_argument("--corpus", type=Path, default=TOP / ".cache" / "fuzz")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results as rows there"
    )
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments, rest = parser.parse_known_args()
    if arguments.one:
        return fuzz(*arguments.one, [*rest, *arguments.targets])
    import targets

    unknown = set(arguments.targets) - targets.TARGETS.keys()
    if unknown or rest:
        parser.error(f"no target: {', '.join([*sorted(unknown), *rest])}")
    chosen = arguments.targets or list(targets.TARGETS)
    share = max(1, arguments.processes * arguments.seconds // len(chosen))
    start = time.monotonic()
    print(f"{'target':18} {'seconds':>7} {'inputs':>10} {'kept':>6} {'crashes':>7}", flush=True)
    results = []
    with ThreadPoolExecutor(arguments.processes) as pool:
        for one in pool.map(lambda name: rounds(name, share, arguments.corpus / name), chosen):
            results.append(one)
            name = one["target"]
            numbers = f"{one['seconds']:7.0f} {one['inputs']:10} {one['kept']:6}"
            print(f"{name:18} {numbers} {len(one['crashes']):7}", flush=True)
            for crash in one["crashes"]:
                print(f"  {crash['error']}\n    ({name!r}, {bytes.fromhex(crash['input'])!r})")
    seconds = sum(one["seconds"] for one in results)
    inputs = sum(one["inputs"] for one in results)
    crashes = sum(len(one["crashes"]) for one in results)
    print(f"{inputs} inputs in {time.monotonic() - start:.0f} s: {crashes} crashes")
    rows = [
        measuring.Row(one["target"], round(one["seconds"]), "s", "inputs", one["inputs"])
        for one in results
    ]
    rows.append(measuring.Row("fuzzing", len(results), "targets", "s", round(seconds)))
    rows.append(measuring.Row("fuzzing, inputs", len(results), "targets", "inputs", inputs))
    rows.append(
        measuring.Row("fuzzing, crashes", len(results), "targets", "crashes", crashes, bar=0)
    )
    measuring.write(arguments.json, rows)
    return 1 if crashes else 0


def rounds(name: str, seconds: int, corpus: Path) -> dict:
    """Run one target for its time, and again from where it crashed."""
    import targets

    kept, crashes = corpus / "kept", corpus / "crashes"
    for directory in (kept, crashes):
        directory.mkdir(parents=True, exist_ok=True)
    targets.corpus(name, corpus / "seeds")
    start = time.monotonic()
    inputs = 0
    found: List[dict] = []
    while len(found) < 20:
        left = int(seconds - (time.monotonic() - start))
        if left < 1:
            break
        options = [f"-max_total_time={left}", f"-max_len={LONGEST}", f"-timeout={SLOWEST}"]
        options += [f"-rss_limit_mb={LARGEST}", f"-artifact_prefix={crashes}/", "-close_fd_mask=0"]
        ended = time.time()
        command = [sys.executable, __file__, "--one", name, str(corpus)]
        done = subprocess.run(
            [*command, *options, str(kept), str(corpus / "seeds")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = done.stdout.decode("utf-8", "replace")
        counts = [int(one) for one in re.findall(r"^(?:#|Done )(\d+)", output, re.MULTILINE)]
        inputs += max(counts, default=0)
        if done.returncode == 0:
            break
        new = [one for one in crashes.iterdir() if one.stat().st_mtime >= ended - 1]
        errors = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception|Timeout|ERROR).*)$", output, re.M)
        lines = [one.strip() for one in errors] or output.splitlines()[-1:] or ["died"]
        data = new[-1].read_bytes() if new else b""
        found.append({"error": lines[0][:200], "input": data.hex()})
        (corpus / "last.txt").write_text(output)
    return {
        "target": name,
        "seconds": round(time.monotonic() - start, 1),
        "inputs": inputs,
        "kept": len(os.listdir(kept)),
        "crashes": found,
    }


def fuzz(name: str, corpus: str, options: List[str]) -> int:
    import atheris

    with atheris.instrument_imports(include=["pyvarium", "packaging", "tomllib"]):
        import targets
    atheris.Setup([corpus, *options], lambda data: targets.run(name, data) and None)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
