#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What the start of a program costs on each layout: starts.py [PROJECT...] (numpy, pandas)

The wheels of the index are laid out as Spack lays out what it installs: a prefix for each in a
store, and a view of links to it, of files as Spack up to 1.1 makes it, or of whole directories as
it does since. Then, in turns, ``python -c 'import PROJECT...'`` in the view, in a layer on it, and
in a plain venv with the same wheels. Besides, how often each asks a file system for metadata, by
strace if that is there: what a shared one has to answer, times the number of nodes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Dict, List, Tuple

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core")]

from measuring import Row, in_turns, show, write  # noqa: E402

from conftest import HERE, Site  # noqa: E402
from pyvarium.sync import sync  # noqa: E402

PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
#: What asks for metadata: names are looked up, directories listed, states read.
METADATA = (
    "open|openat|stat|lstat|newfstatat|statx|access|faccessat|faccessat2|readlink|readlinkat"
    "|getdents64"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("projects", nargs="*", default=["numpy", "pandas"])
    parser.add_argument("--runs", type=int, default=15, help="of each kind (default: 15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="starts.") as directory:
        rows = measured(Path(directory), arguments.projects, arguments.runs)
    write(arguments.json, rows)


def measured(root: Path, projects: List[str], runs: int) -> List[Row]:
    wheels = root / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "download", "--only-binary=:all:", "-d", wheels, *projects], check=True)
    plain = root / "plain"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", plain], check=True)
    install = [*pip, "--python", plain / "bin" / "python", "install", "--no-index", "--no-deps"]
    subprocess.run([*install, *wheels.iterdir()], check=True)
    pythons = {"plain venv": plain / "bin" / "python"}
    for kind, links in (("files", False), ("directories", True)):
        site = provided(root / kind, wheels, links)
        environment = site.finish()
        environment.pyproject.write_text("[tool.pyvarium]\nbackend = 'uv'\n")
        sync(environment)
        pythons[f"view of {kind}"] = site.view / "bin" / "python3"
        pythons[f"layer on {kind}"] = environment.venv / "bin" / "python"
    code = f"import {', '.join(projects)}"
    commands = {
        name: ["env", *variables(path), path, "-c", code] for name, path in pythons.items()
    }
    bare = ["env", *variables(plain), plain / "bin" / "python", "-c", "pass"]
    found = in_turns({**commands, "python alone": bare}, runs)
    beside = {name: "plain venv" for name in commands if name != "plain venv"}
    rows = show("start", len(projects), found, beside)
    if shutil.which("strace"):
        print(f"\n{'':22} metadata operations of a start, those that fail, of 10,000 nodes")
        counts = {name: asked(command) for name, command in commands.items()}
        for name, (count, failed) in counts.items():
            ratio = count / counts["plain venv"][0]
            numbers = f"{count:6} {failed:6} {count * 10_000:12,}"
            print(f"{name:22} {numbers}  {ratio:5.2f} of plain venv")
            cost = next(row.cost for row in rows if row.what == name)
            rows.append(Row(name, count, "asked", cost, "plain venv", round(ratio, 3)))
    return rows


def variables(python: Path) -> List[str]:
    """In a view that ``spack env activate`` has made active it is PYTHONPATH that leads there."""
    library = python.parents[1] / "lib" / f"python{HERE}" / "site-packages"
    return [f"PYTHONPATH={library}"] if python.name == "python3" else ["-u", "PYTHONPATH"]


def asked(command: List[object]) -> Tuple[int, int]:
    """How often a command asks for metadata, and how often there is nothing; once it is warm."""
    words = [str(word) for word in command]
    with tempfile.NamedTemporaryFile("r") as trace:
        strace = ["strace", "-f", "-qq", "-o", trace.name]
        subprocess.run([*strace, *words], check=True, stdout=subprocess.DEVNULL)
        lines = [
            line
            for line in trace.read().splitlines()
            if re.match(rf"\d+\s+({METADATA})\(", line) and "/proc/" not in line
        ]
    return len(lines), sum("ENOENT" in line for line in lines)


def provided(root: Path, wheels: Path, links: bool) -> Site:
    """A view of all wheels, each of them a spec with a prefix of its own."""
    site = Site(root, HERE)
    (site.view / "bin").mkdir()
    (site.view / "bin" / "python3").symlink_to(PYTHON)
    tops: Dict[str, List[Path]] = {}
    for wheel in sorted(wheels.iterdir()):
        name, version = wheel.name.split("-")[:2]
        dag_hash = site.install(f"py-{name}", version, link="none")
        library = site.prefixes[dag_hash] / site.library
        shutil.rmtree(library)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(library)
        command = [PYTHON, "-m", "compileall", "-q", str(library)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for top in library.iterdir():
            tops.setdefault(top.name, []).append(top)
    for name, found in tops.items():
        target = site.view / site.library / name
        if links and len(found) == 1:
            target.symlink_to(found[0])
            continue
        for top in found:
            for one in [top] if top.is_file() else list(top.rglob("*")):
                if one.is_file():
                    link = target / one.relative_to(top) if one != top else target
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(one)
    return site


if __name__ == "__main__":
    main()
