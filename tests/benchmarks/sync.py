# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Measure what a sync costs where nothing has changed: python sync.py [SIZE...]

Medians of 21 runs, in milliseconds, inside the process: reading the environment and comparing it
with its files, for a view of so many distributions; and the hook's part for one spec.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core")]

from conftest import Site  # noqa: E402
from pyvarium import mark  # noqa: E402
from pyvarium.sync import sync  # noqa: E402

METADATA = "Metadata-Version: 2.1\nName: p{0}\nVersion: 1.{0}\n" + "Requires-Dist: x\n" * 20


def median(function, *arguments):
    times = []
    for _ in range(21):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def main(sizes):
    print(f"{'distributions':>13}  {'sync, nothing to do (ms)':>24}  {'hook, one spec (ms)':>19}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as directory:
            site = Site(Path(directory))
            for number in range(size):
                text = METADATA.format(number) + "\n" + "text " * 1000
                site.install(f"py-p{number}", f"1.{number}", text)
            environment = site.finish()
            sync(environment)
            unchanged, marked = median(sync, environment), median(mark.leave, environment.state)
            print(f"{size:13}  {unchanged:24.1f}  {marked:19.2f}")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10, 20, 100, 500, 2000])
