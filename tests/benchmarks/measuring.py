# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Measure commands beside one another, in turns, and write down what was seen as rows.

What takes part in the one table is a script with ``--json FILE``, where it writes its rows by
``write``, and with ``--quick`` for less of all. What it prints on its way is for whoever waits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

TOP = Path(__file__).resolve().parents[2]
#: The interpreter itself: the wrapper of a version manager would be measured too.
PYTHON = os.path.realpath(sys.executable) if sys.prefix == sys.base_prefix else sys.executable
#: How this was called, before a script goes elsewhere.
_WORDS = [os.path.relpath(sys.argv[0], TOP), *sys.argv[1:]]
#: What a row of processor time has for ``measure``.
PROCESSOR = "ms of processor"


@dataclass(frozen=True)
class Row:
    """What was measured of one thing at a size, and of another one ``beside`` it.

    ``value`` is a median where there are several ``runs``, of what ``measure`` says, and
    ``spread`` its quartiles; ``other`` is the same of the other. Where a process was run there are
    the median of its wall-clock time in ms and the most memory in MB. ``bar`` is what the ratio,
    or the value where nothing is beside it, may be at most.
    """

    what: str
    size: int
    unit: str
    measure: str
    value: float
    spread: Optional[Tuple[float, float]] = None
    runs: int = 1
    beside: Optional[str] = None
    other: Optional[float] = None
    wall: Optional[float] = None
    memory: Optional[float] = None
    bar: Optional[float] = None

    @property
    def ratio(self) -> Optional[float]:
        return round(self.value / self.other, 3) if self.other else None

    @property
    def met(self) -> Optional[bool]:
        """Whether it is within the bar; None where there is none."""
        if self.bar is None:
            return None
        return (self.value if self.ratio is None else self.ratio) <= self.bar


@dataclass(frozen=True)
class Run:
    """What one run of a command took: ms of the clock and of the processor, and MB.

    Processor time is that of the process and of those that it waits for. Memory is never less
    than that of the measuring program, which the kernel counts before another one takes its place.
    """

    wall: float
    processor: float
    memory: float = 0


def run_as_installed(bytecode: Path) -> None:
    """Let python find us from here on, and keep bytecode, whatever it is told of that.

    Whoever installs us, or has a clone of Spack, has it; here it is kept apart from all of these.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(bytecode)
    os.environ["PYTHONPATH"] = str(TOP / "spack-pyvarium")


def in_turns(
    commands: Mapping[str, Sequence[Any]], runs: int, environ: Optional[Mapping[str, str]] = None
) -> Dict[str, List[Run]]:
    """So many runs of each command, in turns, after one of each that does not count."""
    found: Dict[str, List[Run]] = {name: [] for name in commands}
    for number in range(runs + 1):
        names = list(commands)
        for name in names if number % 2 else reversed(names):
            run = once(commands[name], environ)
            if number:
                found[name].append(run)
    return found


def once(command: Sequence[Any], environ: Optional[Mapping[str, str]] = None) -> Run:
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
    processor = usage.ru_utime + usage.ru_stime
    return Run(wall * 1000, processor * 1000, usage.ru_maxrss / 1024)


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """What some work answers in a process of its own, so that this one stays small."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(work, *arguments).result()


def timed(work: Callable[[], object]) -> Run:
    """What some work takes in processes that it starts, and waits for."""
    before, start = _of_children(), time.perf_counter()
    work()
    wall = time.perf_counter() - start
    return Run(wall * 1000, (_of_children() - before) * 1000)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row(what: str, size: int, unit: str, runs: Sequence[Run], **more: Any) -> Row:
    """What runs took of the processor, as a row."""
    processor = [one.processor for one in runs]
    value = statistics.median(processor)
    return Row(
        what=what,
        size=size,
        unit=unit,
        measure=PROCESSOR,
        value=round(value, 3),
        spread=spread(processor),
        runs=len(runs),
        wall=round(statistics.median(one.wall for one in runs), 2),
        memory=round(max(one.memory for one in runs), 1) or None,
        **more,
    )


def spread(values: Sequence[float]) -> Tuple[float, float]:
    """The quartiles."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return round(low, 3), round(high, 3)


def rows(
    size: int,
    unit: str,
    found: Mapping[str, Sequence[Run]],
    beside: Mapping[str, Sequence[str]] = {},
    bars: Mapping[Tuple[str, str], float] = {},
) -> List[Row]:
    """A row for each that has others ``beside`` it, and one for each that has none."""
    made = []
    for name, runs in found.items():
        others = [one for one in beside.get(name, ()) if one in found]
        for other in others:
            value = round(statistics.median(one.processor for one in found[other]), 2)
            bar = bars.get((name, other))
            made.append(row(name, size, unit, runs, beside=other, other=value, bar=bar))
        if not others:
            made.append(row(name, size, unit, runs))
    for one in made:
        say(line(one))
    return made


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


def line(one: Row) -> str:
    """A row, for whoever waits."""
    text = f"{one.what:22} {one.size:6} {one.unit:14} {one.value:10.2f} {one.measure}"
    if one.spread:
        text += " ({:.1f} to {:.1f})".format(*one.spread)
    return text + (f"  {one.ratio:.2f} of {one.beside}" if one.ratio is not None else "")


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
        "load": [round(one, 1) for one in os.getloadavg()],
    }


def parser(documentation: Optional[str]) -> argparse.ArgumentParser:
    """The parser of a script, with what each takes."""
    made = argparse.ArgumentParser(description=(documentation or "").splitlines()[0])
    made.add_argument("--json", type=_absolute, metavar="FILE", help="write the rows there")
    made.add_argument("--quick", action="store_true", help="less of all")
    return made


def _absolute(text: str) -> Path:
    """A path that means the same wherever the script goes."""
    return Path(text).absolute()


def write(
    path: Optional[Path], found: Sequence[Row], programs: Mapping[str, Sequence[Any]] = {}
) -> None:
    """Write rows as data, with the command that has made them, the machine and the versions.

    ``programs`` are the commands that tell the version of each other program.
    """
    if path is None:
        return
    data = {
        "command": " ".join(["python", *map(_shown, _WORDS)]),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {name: _version(command) for name, command in programs.items()},
        "rows": [{**asdict(one), "ratio": one.ratio} for one in found],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n")


def read(path: Path) -> Dict[str, Any]:
    """Results as they were written, their rows as values."""
    data: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    data["rows"] = [
        Row(**{key: value for key, value in one.items() if key != "ratio"}) for one in data["rows"]
    ]
    return data


def _version(command: Sequence[Any]) -> str:
    """What a program says of its version, but not where it is on this machine, as pip does."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return re.sub(r" from /\S+", "", (done.stdout.strip() or "unknown").splitlines()[-1])


def _shown(word: str) -> str:
    """A word without what is of this machine only."""
    return os.path.basename(word) if os.path.isabs(word) else word
