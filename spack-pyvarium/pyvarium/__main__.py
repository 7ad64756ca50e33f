# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""``python -m pyvarium``: the commands that need no Spack, for a downstream CI or a laptop."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional

from . import libraries
from .errors import PyvariumError

if TYPE_CHECKING:
    from .report import Answer

#: What can be exported from files; more with Spack's recipes.
FORMATS = (
    *("requirements", "constraints", "pylock", "conda", "poncho", "cyclonedx"),
    *("renovate", "dependabot"),
)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
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
        several = name in ("check", "sync")
        command.add_argument(
            "paths" if several else "directory",
            nargs="*" if several else "?",
            type=Path,
            default=[Path(".")] if several else Path("."),
            metavar="DIR",
            help="environment; of a file its directory, if that has both halves of one"
            if several
            else "environment (default: this directory)",
        )
        form = command.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print the answer as JSON")
        if name in ("check", "verify"):
            form.add_argument(
                "--github", action="store_true", help="annotate what is wrong, as GitHub reads it"
            )
        if name == "status":
            command.add_argument("--html", action="store_true", help="write a page for a browser")
            command.add_argument(
                "-o", "--output", metavar="FILE|-", help="file for the page (default: '-', stdout)"
            )
        if name == "check":
            command.add_argument(
                "--by-digest", action="store_true", help="compare only what is committed"
            )
        if name == "verify":
            command.add_argument("--fix", action="store_true", help="repair what can be repaired")
        if name == "sync":
            command.add_argument(
                "--diff", action="store_true", help="write nothing; show the change"
            )
    _add_analyze(commands)
    _add_run(commands)
    _add_export(commands)
    return parser


def main(argv: Optional[List[str]] = None) -> int:
    """Answer from the files of an environment; exit codes as ``spack pyvarium sync``."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "run":
            return _run(arguments)
        libraries.require()
        if arguments.command == "analyze":
            return _print(_analyze(arguments))
        if arguments.command == "export":
            if arguments.output in (None, "-") and (arguments.check or arguments.json):
                parser.error("export: --check and --json are about a file; name it by '-o FILE'")
            return _print(_export(arguments))
        if arguments.command in ("check", "sync"):
            if arguments.json and len(arguments.paths) > 1:
                parser.error(f"{arguments.command} --json: takes one directory")
            return _in_step(arguments)
        from . import commands as answers
        from . import report
        from .classic import is_venv
        from .environment import read_environment

        if arguments.command == "verify" and is_venv(arguments.directory):
            path, fix = arguments.directory.absolute(), arguments.fix
            return _print(answers.verify_venv(path, os.environ, fix=fix, as_json=arguments.json))
        environment = read_environment(arguments.directory)
        if arguments.command == "status" and arguments.html:
            now = datetime.now(timezone.utc)
            return _print(
                answers.status_page(environment, None, {}, now=now, output=arguments.output)
            )
        if arguments.command == "status":
            return _print(answers.status(environment, as_json=arguments.json))
        # PYTHONPATH may be how this very program is found.
        answer = answers.verify(environment, fix=arguments.fix, as_json=arguments.json)
        if arguments.github:
            answer = report.annotated(answer, environment.pyproject, Path.cwd())
        return _print(answer)
    except PyvariumError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _in_step(arguments: argparse.Namespace) -> int:
    """Check or sync each environment, whatever is wrong with another."""
    from . import commands, report
    from .environment import named_by, read_environment

    codes = [report.OK]
    for directory in named_by(arguments.paths):
        try:
            answer = commands.sync(
                read_environment(directory),
                check=arguments.command == "check",
                by_digest=getattr(arguments, "by_digest", False),
                diff=getattr(arguments, "diff", False),
                dry_run=False,
                as_json=arguments.json,
            )
        except PyvariumError as error:
            answer = report.Answer("", (f"error: {error}",), report.ERROR)
        if getattr(arguments, "github", False):
            answer = report.annotated(answer, directory / "pyproject.toml", Path.cwd())
        codes.append(_print(answer))
    return report.ERROR if report.ERROR in codes else max(codes)


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
        "--role",
        action="append",
        choices=["run", "test", "docs", "development", "vendored"],
        help="what is needed to do what: repeatable (default: run)",
    )
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
        roles=analysis.parse_roles(arguments.role),
    )
    installed = (
        analysis.read_installed(directory, os.environ) if directory else analysis.Installed()
    )
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


def _add_export(commands: Any) -> None:
    text = "write both layers in the format of another tool"
    export = commands.add_parser("export", help=text, description=text)
    export.add_argument(
        "format",
        choices=FORMATS,
        metavar="FORMAT",
        help=", ".join(FORMATS),
    )
    export.add_argument("directory", nargs="?", type=Path, default=Path("."), metavar="DIR")
    export.add_argument("-o", "--output", metavar="FILE|-", help="file to write (default: '-')")
    for option, text in (
        ("--group", "also what this dependency group has in the lock"),
        ("--extra", "also what this extra of the project has in the lock"),
    ):
        export.add_argument(option, action="append", default=[], metavar="NAME", help=text)
    hashes = export.add_mutually_exclusive_group()
    hashes.add_argument("--hashes", action="store_true", default=None, help="also in constraints")
    hashes.add_argument("--no-hashes", dest="hashes", action="store_false", help="none")
    export.add_argument(
        "--check", action="store_true", help="exit 3 if FILE is not as it would be"
    )
    export.add_argument("--force", action="store_true", help="replace a file of your own")
    export.add_argument("--json", action="store_true", help="print what was done as JSON")


def _export(arguments: argparse.Namespace) -> Answer:
    from . import commands
    from .environment import read_environment
    from .exports import Wish

    wish = Wish(arguments.format, tuple(arguments.group), tuple(arguments.extra), arguments.hashes)
    return commands.export(
        read_environment(arguments.directory),
        None,
        wish,
        output=arguments.output,
        check=arguments.check,
        force=arguments.force,
        as_json=arguments.json,
    )


def _print(answer: Answer) -> int:
    for note in answer.notes:
        print(note, file=sys.stderr)
    print(answer.text, end="")
    return answer.code


if __name__ == "__main__":
    sys.exit(main())
