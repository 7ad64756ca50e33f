# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a commit waits for: hooks.py PYTHON [PINS...]

PYTHON is one that has pre-commit. In turns, ``pre-commit run`` with the hook that checks, and that
hook alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

import measuring
from measuring import TOP, Row, in_turns, write

sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "end_to_end")]

from made_environment import write_environment  # noqa: E402

CONFIG = "repos: [{{repo: {}, rev: {}, hooks: [{{id: pyvarium-check}}]}}]\n"
HOOK, WHOLE = "pre-commit hook alone", "pre-commit run"


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("python", type=Path, help="one that has pre-commit")
    parser.add_argument("sizes", nargs="*", type=int, default=[300], metavar="PINS")
    parser.add_argument("--runs", type=int, help="of each kind (default: 11)")
    arguments = parser.parse_args()
    python = arguments.python.absolute()
    rows: List[Row] = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="hooks.") as directory:
            runs = arguments.runs or (3 if arguments.quick else 11)
            rows += measured(Path(directory), python, size, runs)
    write(arguments.json, rows, {"pre-commit": [python, "-m", "pre_commit", "--version"]})


def measured(place: Path, python: Path, size: int, runs: int) -> List[Row]:
    root = place / "repository"
    write_environment(root / "environment", size)
    config = CONFIG.format(TOP, git(TOP, "rev-parse", "HEAD"))
    (root / ".pre-commit-config.yaml").write_text(config)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--no-verify", "--message", "x")
    own = [f"PRE_COMMIT_HOME={place / 'cache'}", f"PYTHONPYCACHEPREFIX={place / 'bytecode'}"]
    command = ["env", "-C", root, "-u", "PYTHONDONTWRITEBYTECODE", *own]
    whole = [*command, python, "-m", "pre_commit", "run", "--all-files"]
    subprocess.run(list(map(str, whole)), check=True, capture_output=True)
    [hook] = (place / "cache").glob("repo*/py_env*/bin/python")
    alone = [*command, hook, "-m", "pyvarium", "check", "--by-digest"]
    alone += ["environment/spack.lock", "environment/pyproject.toml"]
    found = in_turns({WHOLE: whole, HOOK: alone}, runs)
    return measuring.rows(size, "pins", found, {WHOLE: (HOOK,)})


def git(directory: Path, *words: str) -> str:
    name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    command = ["git", "-C", str(directory), *name, *words]
    environ = {key: one for key, one in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
