# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""``python -m pyvarium``: the commands that need no Spack, for a downstream CI or a laptop."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional

from . import libraries
from .errors import PyvariumError

if TYPE_CHECKING:
    from .report import Answer


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
    _add_analyze(commands)
    _add_run(commands)
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "run":
            return _run(arguments)
        libraries.require()
        if arguments.command == "analyze":
            return _print(_analyze(arguments))
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
    return _print(answer)


def _add_analyze(commands: Any) -> None:
    text = "say where what a script imports comes from: Spack, the venv, the index"
    analyze = commands.add_parser("analyze", help=text, description=text)
    analyze.add_argument(
        "paths", nargs="+", type=Path, metavar="SCRIPT|DIR|NOTEBOOK|-", help="'-': stdin"
    )
    analyze.add_argument("-o", "--output", metavar="FILE|-", help="file to write (default: '-')")
    analyze.add_argument(
        "--environment",
        type=Path,
        metavar="DIR",
        help="directory of an environment, or of a venv (default: the active one)",
    )
    form = analyze.add_mutually_exclusive_group()
    form.add_argument("--json", dest="format", action="store_const", const="json", default="text")
    form.add_argument("--format", choices=["text", "json", "poncho", "requirements"])
    analyze.add_argument(
        "--toplevel", action="store_true", help="only what runs when it is imported"
    )
    analyze.add_argument("--function", metavar="NAME", help="only what NAME or Class.NAME uses")
    analyze.add_argument(
        "--pkg-mapping",
        action="append",
        default=[],
        metavar="IMPORT=NAME",
        help="the project that an import comes from",
    )
    analyze.add_argument(
        "--extra-pkg", action="append", default=[], metavar="NAME", help="needed besides"
    )


def _analyze(arguments: argparse.Namespace) -> Answer:
    from . import analysis, findings

    directory = arguments.environment or analysis.chosen_directory(os.environ)
    wish = analysis.Wish(
        paths=tuple(arguments.paths),
        toplevel=arguments.toplevel,
        function=arguments.function,
        mapping=analysis.parse_mapping(arguments.pkg_mapping),
        extra=tuple(arguments.extra_pkg),
    )
    installed = analysis.read_installed(directory) if directory else analysis.Installed()
    analyzed = analysis.analyze(wish, installed, sys.stdin.buffer.read)
    return findings.written(analyzed, arguments.format, arguments.output)


def _add_run(commands: Any) -> None:
    text = "run a command in an environment, or in a pack of one, in place of this process"
    run = commands.add_parser("run", help=text, description=text)
    run.add_argument(
        "-e",
        "--environment",
        type=Path,
        metavar="FILE|DIR",
        help="a pack, or the directory of an environment (default: the active one)",
    )
    run.add_argument("-u", "--unpack-to", metavar="DIR", help="where packs are unpacked")
    run.add_argument("-w", "--wait-for-lock", metavar="SECS", help="for another start (300)")
    run.add_argument("--clean", action="store_true", help="run nothing; remove what is unpacked")
    run.add_argument("--keep", metavar="N", help="with --clean: keep the newest (default: 0)")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run")


def _run(arguments: argparse.Namespace) -> int:
    from . import launch

    command = launch.plain(arguments.words)
    if arguments.clean == bool(command) or (arguments.keep and not arguments.clean):
        print("error: run: takes a command, or --clean without one", file=sys.stderr)
        return 2
    wish = launch.Wish(
        arguments.unpack_to, arguments.wait_for_lock, arguments.keep, arguments.clean
    )
    chosen = arguments.environment
    if arguments.clean or (chosen is not None and launch.is_pack(chosen)):
        return launch.replace_process(launch.runner(wish, chosen, command), os.environ)
    from .environment import read_environment

    active = os.environ.get("SPACK_ENV", ".")
    environment = read_environment(Path(active) if chosen is None else chosen)
    changes = launch.changes_of_views(environment)
    code = launch.replace_process(command, launch.variables(environment, changes, os.environ))
    reason = "not found" if code == launch.NOT_FOUND else "cannot be run"
    print(f"error: {command[0]}: {reason}", file=sys.stderr)
    return code


def _print(answer: Answer) -> int:
    for note in answer.notes:
        print(note, file=sys.stderr)
    print(answer.text, end="")
    return answer.code


if __name__ == "__main__":
    sys.exit(main())
