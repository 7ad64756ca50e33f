# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""``python -m pyvarium``: the commands that need no Spack, for a downstream CI or a laptop."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from . import libraries
from .errors import PyvariumError


def main(argv: Optional[List[str]] = None) -> int:
    """Answer from the files of an environment; exit codes as ``spack pyvarium sync``."""
    parser = argparse.ArgumentParser(
        prog="python -m pyvarium",
        description="Compare pyproject.toml with a Spack environment by its files, without Spack.",
        epilog="exit codes: 0 in step; 1 error; 2 wrong usage; 3 a check found differences.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for name, text in (
        ("check", "exit 3 if pyproject.toml is out of step with the environment"),
        ("sync", "bring it in step; needs the environment's view on this machine"),
        ("status", "show which distribution comes from where"),
        ("verify", "find what is wrong with the environment, each fault under a code"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("directory", nargs="?", type=Path, default=Path("."), metavar="DIR")
        command.add_argument("--json", action="store_true", help="print the answer as JSON")
        if name == "verify":
            command.add_argument("--fix", action="store_true", help="repair what can be repaired")
        if name == "sync":
            command.add_argument(
                "--diff", action="store_true", help="write nothing; show the change"
            )
    arguments = parser.parse_args(argv)
    try:
        libraries.require()
        from . import commands as answers
        from .environment import read_environment

        environment = read_environment(arguments.directory)
        if arguments.command == "status":
            answer = answers.status(environment, as_json=arguments.json)
        elif arguments.command == "verify":
            # PYTHONPATH may be how this very program is found.
            answer = answers.verify(environment, fix=arguments.fix, as_json=arguments.json)
        else:
            answer = answers.sync(
                environment,
                check=arguments.command == "check",
                diff=getattr(arguments, "diff", False),
                dry_run=False,
                as_json=arguments.json,
            )
    except PyvariumError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for note in answer.notes:
        print(note, file=sys.stderr)
    print(answer.text, end="")
    return answer.code


if __name__ == "__main__":
    sys.exit(main())
