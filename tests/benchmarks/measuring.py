# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Measure commands beside one another: in turns, each a process, and write down what was seen."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

#: The interpreter itself: the wrapper of a version manager would be measured too.
PYTHON = os.path.realpath(sys.executable) if sys.prefix == sys.base_prefix else sys.executable


@dataclass(frozen=True)
class Cost:
    """Medians in seconds, the quartiles of processor time, the most memory in MB, and how often.

    Processor time is that of the process and of those that it waits for. Memory is never less
    than that of the measuring program, which the kernel counts before another one takes its place.
    """

    wall: float
    processor: float
    quartiles: Sequence[float]
    memory: float
    runs: int


@dataclass(frozen=True)
class Row:
    """What a command costs at a size; ``ratio`` is of its processor time to the ``beside``'s."""

    what: str
    size: int
    unit: str
    cost: Cost
    beside: Optional[str] = None
    ratio: Optional[float] = None


@dataclass(frozen=True)
class _Run:
    wall: float
    processor: float
    memory: float


def in_turns(
    commands: Mapping[str, Sequence[Any]], runs: int, environ: Optional[Mapping[str, str]] = None
) -> Dict[str, Cost]:
    """What each command costs: one run of each that does not count, then so many, in turns."""
    found: Dict[str, List[_Run]] = {name: [] for name in commands}
    for number in range(runs + 1):
        names = list(commands)
        for name in names if number % 2 else reversed(names):
            run = once(commands[name], environ)
            if number:
                found[name].append(run)
    return {name: _cost(one) for name, one in found.items() if one}


def once(command: Sequence[Any], environ: Optional[Mapping[str, str]] = None) -> _Run:
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            words, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")
            sys.exit(f"{' '.join(words)}: failed with {process.returncode}\n{text[-2000:]}")
    return _Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _cost(runs: Sequence[_Run]) -> Cost:
    processor = [one.processor for one in runs]
    quartiles = statistics.quantiles(processor, n=4) if len(runs) > 1 else [processor[0]] * 3
    return Cost(
        round(statistics.median(one.wall for one in runs), 5),
        round(statistics.median(processor), 5),
        (round(quartiles[0], 5), round(quartiles[2], 5)),
        round(max(one.memory for one in runs), 1),
        len(runs),
    )


def show(unit: str, size: int, found: Mapping[str, Cost], beside: Mapping[str, str]) -> List[Row]:
    """Print a line for each command, and return them as rows."""
    rows = []
    for name, cost in found.items():
        other = beside.get(name)
        ratio = round(cost.processor / found[other].processor, 3) if other else None
        rows.append(Row(name, size, unit, cost, other, ratio))
        print(line(rows[-1]), flush=True)
    return rows


def line(row: Row) -> str:
    cost = row.cost
    low, high = cost.quartiles
    text = (
        f"{row.what:22} {row.size:6} {row.unit:14} {cost.processor * 1000:8.0f} ms"
        f" ({low * 1000:.0f}-{high * 1000:.0f}) {cost.wall * 1000:8.0f} ms wall"
        f" {cost.memory:6.0f} MB"
    )
    return text + (f"  {row.ratio:5.2f} of {row.beside}" if row.ratio is not None else "")


def machine() -> Dict[str, object]:
    """What the figures were seen on."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(one.split(":", 1)[1].strip() for one in lines if one.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": model,
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def write(path: Optional[Path], rows: Sequence[Row]) -> None:
    """Write results as data, with the command that has made them and the machine."""
    if path is None:
        return
    words = [os.path.relpath(sys.argv[0], Path(__file__).resolve().parents[2]), *sys.argv[1:]]
    data = {
        "command": " ".join(["python", *map(_shown, words)]),
        "machine": machine(),
        "rows": [asdict(row) for row in rows],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n")


def _shown(word: str) -> str:
    """A word without what is of this machine only."""
    return os.path.basename(word) if os.path.isabs(word) else word
