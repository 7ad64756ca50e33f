# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Measure what a commit waits for: python hooks.py PYTHON [PINS...]

PYTHON is one that has pre-commit. Medians of 11 runs, of the clock (and of the processor):
of ``pre-commit run`` with the hook that checks, and of that hook alone.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "end_to_end")]

from made_environment import write_environment  # noqa: E402

CONFIG = "repos: [{{repo: {}, rev: {}, hooks: [{{id: pyvarium-check}}]}}]\n"


def measured(command, directory, environ):
    clock, processor = [], []
    for _ in range(11):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=directory, env=environ, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        clock.append(time.perf_counter() - start)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        processor.append(used)
    return f"{statistics.median(clock):.2f} s ({statistics.median(processor):.2f} s)"


def main(python, sizes):
    def git(directory, *words):
        name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        command = ["git", "-C", str(directory), *name, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    print(f"{'pins':>6}  {'pre-commit run':>18}  {'the hook alone':>18}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory, "repository")
            write_environment(root / "environment", size)
            config = CONFIG.format(TOP, git(TOP, "rev-parse", "HEAD"))
            (root / ".pre-commit-config.yaml").write_text(config)
            git(root, "init", "--quiet")
            git(root, "add", "--all")
            git(root, "commit", "--quiet", "--no-verify", "--message", "x")
            environ = {**os.environ, "PRE_COMMIT_HOME": f"{directory}/cache"}
            command = [python, "-m", "pre_commit", "run", "--all-files"]
            subprocess.run(command, cwd=root, env=environ, check=True, capture_output=True)
            whole = measured(command, root, environ)
            [hook] = Path(directory, "cache").glob("repo*/py_env*/bin/python")
            words = ["-m", "pyvarium", "check", "--by-digest"]
            files = ["environment/spack.lock", "environment/pyproject.toml"]
            alone = measured([hook, *words, *files], root, environ)
            print(f"{size:>6}  {whole:>18}  {alone:>18}")


if __name__ == "__main__":
    main(sys.argv[1], [int(one) for one in sys.argv[2:]] or [300])
