# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Run the benchmarks, print one table: python tests/benchmarks [--only PART] [--quick]

Each row is of two things that were measured in turns, in one run. The rows are kept as data in
``results``, each part with the command that made it, its date and its machine. --table prints what
is there, --plot draws it into ``docs/scale.svg``, and --documents puts it where the documents
tell: into each text behind a comment ``from results: PART`` with its template.

The programs that are measured beside ours are those that ``./test`` has left in ``.cache``, or as
named; a part that lacks one is left out, and that is said. What needs a real Spack needs tomlkit
and pytest too, which the python of ``.cache/venvs/tools`` has.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Tuple, Union

import reporting
from measuring import TOP, say
from reporting import RESULTS

sys.path.append(str(TOP / "spack-pyvarium"))

from pyvarium.errors import PyvariumError

CACHE = TOP / ".cache"
#: Where in it is what is measured beside ours, if nobody names it; ``./test`` leaves most there.
PLACES = {
    "uv": "tools/uv-*/bin/uv",
    "pyvarium": "tools/pyvarium-0.2.0/bin/pyvarium",
    "pre_commit": "tools/pre-commit-*/bin/python",
    "spack": "hosts/v1.1.0/spack",
    "conda_pack": "tools/conda-pack-*/bin/conda-pack",
    "poncho": "tools/cctools/poncho/src",
}
#: The words of a part's command, or why it is left out.
Words = Union[List[object], str]


class Programs:
    """What is measured beside ours, and what needs a real Spack with us, made when it is asked."""

    def __init__(self, arguments: argparse.Namespace, held: contextlib.ExitStack) -> None:
        self.arguments = arguments
        self.held = held
        self._root: Optional[Path] = None

    def found(self, name: str) -> Optional[Path]:
        """A program as it was named, or where it is in the cache."""
        named: Optional[Path] = getattr(self.arguments, name)
        if named is not None:
            return named.absolute()
        return max(CACHE.glob(PLACES[name]), default=None)

    def options(self, *names: str) -> List[object]:
        """Options by which a script is told of the programs that there are."""
        found: List[object] = []
        for name in names:
            path = self.found(name)
            if path and name == "spack":
                path = path / "bin" / "spack"
            found += [f"--{name.replace('_', '-')}", path] if path else []
        return found

    def real(self) -> Tuple[Path, Path]:
        """The command of a real Spack that knows us, and an environment."""
        import real

        if self._root is None:
            assert self.found("uv") is not None
            temporary = tempfile.TemporaryDirectory(prefix="real.")
            self._root = Path(self.held.enter_context(temporary))
            self._real = real.set_up(self._root, (CACHE / "hosts").resolve(), self.found("uv"))
        return self._real.command, self._real.environment

    def packed(self) -> Optional[Tuple[Path, Path]]:
        """The same for what is packed, as it was named or made."""
        named = self.arguments.packed
        if named is not None:
            return named[0].absolute(), named[1].absolute()
        return self.real() if self.found("uv") else None

    def packs(self, command: Path, environment: Path) -> Dict[str, Path]:
        """Packs of an environment, by their ending."""
        temporary = tempfile.TemporaryDirectory(prefix="packs.")
        root = Path(self.held.enter_context(temporary))
        found = {end: root / f"pack.{end}" for end in ("tar.zst", "tar.gz")}
        for path in found.values():
            words = [command, "-D", environment, "pyvarium", "pack", "-o", path]
            subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL)
        return found


def _startup(programs: Programs) -> Words:
    spack = programs.found("spack")
    return ["startup.py", spack] if spack else "no clone of Spack"


def _spack(programs: Programs) -> Words:
    if programs.found("spack") is None:
        return "no clone of Spack"
    # What Spack takes grows faster than the number of specs: 5,000 would take it an hour.
    sizes = ["10", "100"] if programs.arguments.quick else ["10", "100", "500", "2000"]
    options = ["--nodes", "--runs", "3", "--only", "^spack", *programs.options("spack")]
    return ["scale.py", *sizes, *options]


def _layer(programs: Programs) -> Words:
    return ["layer.py", *programs.options("uv")] if programs.found("uv") else "no uv"


def _hooks(programs: Programs) -> Words:
    python = programs.found("pre_commit")
    return ["hooks.py", python] if python else "no pre-commit"


def _new(programs: Programs) -> Words:
    if programs.found("uv") is None:
        return "no uv"
    return ["new.py", programs.real()[0], "py-six@1.16.0", "py-idna@3.4"]


def _modules(programs: Programs) -> Words:
    if programs.found("uv") is None:
        return "no uv"
    return ["modules.py", *programs.real(), "--tools", CACHE / "tools"]


def _recipes(programs: Programs) -> Words:
    return ["recipes.py", programs.real()[0]] if programs.found("uv") else "no uv"


def _analyze(programs: Programs) -> Words:
    given = programs.found("poncho")
    return [
        "analyze.py",
        *(["--poncho", given / "poncho" / "package_analyze.py"] if given else []),
    ]


def _pack(programs: Programs) -> Words:
    conda_pack = programs.found("conda_pack")
    packed = programs.packed() if conda_pack else None
    return ["pack.py", *packed, conda_pack] if packed else "no uv or conda-pack"


def _run(programs: Programs) -> Words:
    packed = programs.packed()
    if packed is None:
        return "no uv"
    packs = programs.packs(*packed)
    given = programs.found("poncho")
    beside: List[object] = []
    if given:
        beside = ["--poncho", given / "poncho_package_run", "--poncho-pack", packs["tar.gz"]]
    return ["run.py", packs["tar.zst"], *beside]


#: The parts of the table, as they are run: what takes least of them first.
PARTS: Dict[str, Callable[[Programs], Words]] = {
    "startup": _startup,
    "hooks": _hooks,
    "layer": _layer,
    "starts": lambda programs: ["starts.py", *programs.options("spack")],
    "scale": lambda programs: ["scale.py", *programs.options("uv", "pyvarium")],
    "spack": _spack,
    "many": lambda _: ["many.py"],
    "new": _new,
    "modules": _modules,
    "recipes": _recipes,
    "pack": _pack,
    "run": _run,
    "analyze": _analyze,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, few runs; not kept")
    parser.add_argument("--uv", type=Path, help="the program uv")
    parser.add_argument("--spack", type=Path, help="the root of a clone of Spack, without us")
    parser.add_argument("--pyvarium", type=Path, help="the program of Pyvarium 0.2.0")
    parser.add_argument("--pre-commit", type=Path, help="a python that has pre-commit")
    parser.add_argument("--conda-pack", type=Path, help="the program conda-pack")
    parser.add_argument("--poncho", type=Path, help="poncho/src of a clone of cctools")
    parser.add_argument(
        "--packed",
        nargs=2,
        type=Path,
        metavar=("SPACK", "ENV"),
        help="a command that knows us, and the directory of an environment, to pack"
        " (default: made, with numpy from the index)",
    )
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--plot", action="store_true", help="only draw what is there")
    parser.add_argument("--documents", action="store_true", help="only put it into documents")
    parser.add_argument(
        "--check", action="store_true", help="with --documents: exit 3 if it is not"
    )
    arguments = parser.parse_args()
    if arguments.documents:
        return reporting.documents(check=arguments.check)
    if arguments.plot:
        import plot

        plot.draw(RESULTS / "scale.json", TOP / "docs" / "scale.svg")
        return 0
    if arguments.table:
        print(reporting.table(RESULTS))
        return 0
    # As anybody starts Spack: without its bytecode it takes three times as long.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with contextlib.ExitStack() as held:
        kept = RESULTS
        if arguments.quick:
            kept = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="results.")))
        failed = run_parts(arguments.only or PARTS, Programs(arguments, held), kept)
        print(reporting.table(kept))
    return 1 if failed else 0


def run_parts(names: Iterable[str], programs: Programs, kept: Path) -> List[str]:
    """Run parts, each in a process of its own, and return the names of those that failed."""
    failed = []
    for name in names:
        try:
            words = PARTS[name](programs)
        except (PyvariumError, AssertionError, subprocess.CalledProcessError) as error:
            words = str(error)  # There is no such Spack, or it fails.
        except ImportError as error:
            words = str(error)  # This python lacks a library.
        if isinstance(words, str):
            say(f"==> left out: {name}: {words}")
            continue
        say(f"==> {name}: {words[0]}")
        start = time.monotonic()
        script, *options = words
        options += ["--quick"] if programs.arguments.quick else []
        command = [sys.executable, Path(__file__).parent / str(script), *options]
        command += ["--json", kept / f"{name}.json"]
        # What a script prints is for whoever waits; the table alone is the answer.
        done = subprocess.run(list(map(str, command)), stdout=sys.stderr, env=_environ())
        failed += [name] if done.returncode else []
        end = f"failed with {done.returncode}" if done.returncode else "done"
        say(f"==> {name}: {end} in {time.monotonic() - start:.0f} s")
    return failed


def _environ() -> Dict[str, str]:
    return {key: one for key, one in os.environ.items() if key != "PYTHONPATH"}


if __name__ == "__main__":
    sys.exit(main())
