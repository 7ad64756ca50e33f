#!/usr/bin/env python3
"""Parsl workers that run in a pack.

    spack -D my-env pyvarium pack -o env.tar.gz
    tar -xOf env.tar.gz bin/pyvarium-run > pyvarium-run && chmod +x pyvarium-run
    python parsl_workers.py env.tar.gz

What runs this needs only the same Python X.Y and the same parsl.
"""

import os
import shlex
import sys

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.providers import LocalProvider


@parsl.python_app
def describe(number):
    """Runs in the pack: import there whatever it has."""
    import sys

    return number * number, sys.prefix


def main(pack):
    runner = shlex.join([os.path.abspath("pyvarium-run"), "-e", os.path.abspath(pack), "--"])
    executor = HighThroughputExecutor(
        label="packed",
        address="127.0.0.1",
        max_workers_per_node=2,
        launch_cmd=f"{runner} {DEFAULT_LAUNCH_CMD}",
        provider=LocalProvider(init_blocks=1, max_blocks=1),  # Or SlurmProvider, and others.
    )
    with parsl.load(Config(executors=[executor])):
        results = [future.result() for future in [describe(number) for number in range(8)]]
    print(sum(square for square, _ in results), *sorted({prefix for _, prefix in results}))


if __name__ == "__main__":
    main(sys.argv[1])
