#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Measure packing an environment beside conda-pack: pack.py SPACK ENV CONDA_PACK

In turns, medians of --runs. SPACK is a command that knows ``pyvarium``, ENV the directory of an
environment, CONDA_PACK the program, in whose venv is ``zstandard``. For it two prefixes are made
of Conda's shape, with the libraries from outside of Spack that the environment needs. One has
python, view and venv as they are here: what pack is given too. The other has the files that pack
chose of these, and no more. Both are recorded in ``conda-meta`` as one package, with each path
that conda-pack has to replace named, so that it need not look for them. The starting of Spack is
part of pack's time; as on any machine, what python runs was compiled before. Seconds of processor
time are of the command and all that it starts; on a machine with other load these alone can be
compared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Sequence

import measuring

#: Where the parts of a pack are in a prefix of Conda's.
PARTS = {"python": ".", "lower": ".", "lib": "lib"}


@dataclass
class Packing:
    """What was measured of one command, and its file."""

    command: Sequence[str]
    file: Path
    seconds: List[float] = field(default_factory=list)
    processor: List[float] = field(default_factory=list)
    unpacking: List[float] = field(default_factory=list)
    sizes: List[int] = field(default_factory=list)
    files: int = 0

    def measure(self, root: Path) -> None:
        self.file.unlink(missing_ok=True)
        before, start = processor_time(), time.perf_counter()
        subprocess.run(
            self.command,
            check=True,
            env=compiled_once(root),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.seconds.append(time.perf_counter() - start)
        self.processor.append(processor_time() - before)
        self.sizes.append(self.file.stat().st_size)
        target = root / "unpacked"
        target.mkdir()
        start = time.perf_counter()
        subprocess.run(["tar", "-xf", str(self.file), "-C", str(target)], check=True)
        self.unpacking.append(time.perf_counter() - start)
        self.files = sum(len(names) for _, _, names in os.walk(target))
        shutil.rmtree(target)

    @property
    def megabytes(self) -> List[float]:
        return [size / 1e6 for size in self.sizes]

    def __str__(self) -> str:
        columns = (self.seconds, self.processor, self.unpacking)
        figures = "  ".join(f"{statistics.median(column):7.2f}" for column in columns)
        return f"{figures}  {statistics.median(self.megabytes):7.1f}  {self.files:6}"


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("spack", type=Path, help="a command that knows pyvarium")
    parser.add_argument("environment", type=Path, help="the directory of an environment")
    parser.add_argument("conda_pack", type=Path, help="the program conda-pack")
    parser.add_argument("--runs", type=int, default=3, help="of each (default: 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pack.") as directory:
        root = Path(directory)
        rows = commands(arguments, root)
        for _ in range(1 + (1 if arguments.quick else arguments.runs)):
            for row in rows.values():
                row.measure(root)
        versions = {"conda-pack": [arguments.conda_pack.absolute(), "--version"]}
    print(f"{'':32}  {'seconds':>7}  {'cpu':>7}  {'unpack':>7}  {'MB':>7}  {'files':>6}")
    for name, row in rows.items():
        for column in (row.seconds, row.processor, row.unpacking):
            del column[0]  # It warms the caches.
        print(f"{name:32}  {row}")
    measuring.write(arguments.json, compared(rows), versions)
    print("parts of conda-pack's seconds and size (bars: 0.5 and 1; with --slim 0.7)")
    for row in compared(rows):
        print(measuring.line(row))


def compared(rows: Dict[str, Packing]) -> List[measuring.Row]:
    """Seconds and MB of each of our files beside those of conda-pack's."""
    found = []
    for ending in (".tar.zst", ".tar.gz"):
        for conda in ("conda-pack", "conda-pack, same files"):
            for ours, bar in (("pack", 1.0), ("pack --slim", 0.7)):
                one, other = rows[f"{ours} {ending}"], rows[f"{conda} {ending}"]
                for name, measure, values, others, most in (
                    (f"{ours} {ending}", "s", one.seconds, other.seconds, 0.5),
                    (f"{ours} {ending}, size", "MB", one.megabytes, other.megabytes, bar),
                ):
                    found.append(
                        measuring.Row(
                            what=name,
                            size=1,
                            unit="environment",
                            measure=measure,
                            value=round(statistics.median(values), 2),
                            spread=measuring.spread(values),
                            runs=len(values),
                            beside=conda,
                            other=round(statistics.median(others), 2),
                            bar=most,
                        )
                    )
    return found


def compiled_once(root: Path) -> Dict[str, str]:
    """The variables, so that python compiles what it runs once, as anywhere, but not elsewhere."""
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(root / "compiled")}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


def commands(arguments: argparse.Namespace, root: Path) -> Dict[str, Packing]:
    spack = [str(arguments.spack.absolute()), "-D", str(arguments.environment.absolute())]
    pack = [*spack, "pyvarium", "pack", "-o"]
    first = root / "first.tar.zst"
    subprocess.run([*pack, str(first)], check=True, capture_output=True)
    unpacked = root / "first"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", str(first), "-C", str(unpacked)], check=True)
    given = prefix_of_environment(arguments.environment, unpacked, root / "given")
    chosen = prefix_of_pack(unpacked, root / "chosen")
    rows = {}
    for ending in (".tar.zst", ".tar.gz"):
        for name, words in {"pack": (), "pack --slim": ("--slim",)}.items():
            file = root / f"{name.replace(' ', '')}{ending}"
            rows[f"{name} {ending}"] = Packing([*pack, str(file), *words], file)
        for name, prefix in {"conda-pack": given, "conda-pack, same files": chosen}.items():
            file = root / f"{prefix.name}{ending}"
            conda = [str(arguments.conda_pack.absolute()), "-q", "-p", str(prefix), "-j", "2"]
            rows[f"{name} {ending}"] = Packing([*conda, "--force", "-o", str(file)], file)
    return rows


def prefix_of_pack(unpacked: Path, prefix: Path) -> Path:
    """A prefix with the files of a pack."""
    for part, below in PARTS.items():
        shutil.copytree(unpacked / part, prefix / below, symlinks=True, dirs_exist_ok=True)
    return recorded(prefix)


def prefix_of_environment(environment: Path, unpacked: Path, prefix: Path) -> Path:
    """A prefix with what an environment consists of, and the libraries of a pack of it."""
    venv, view = environment / ".venv", environment / ".spack-env" / "view"
    base = Path(os.path.realpath(venv / "bin" / "python")).parents[1]
    (prefix / "bin").mkdir(parents=True)
    for path in base.glob("bin/python*"):
        shutil.copy2(path, prefix / "bin", follow_symlinks=False)
    for part in ("lib", "include", "share"):
        if (base / part).is_dir():
            ignored = shutil.ignore_patterns("site-packages")
            shutil.copytree(base / part, prefix / part, symlinks=True, ignore=ignored)
    ignored = shutil.ignore_patterns("python*", "[aA]ctivate*", "pyvenv.cfg", ".spack*")
    for part in ("bin", "lib", "share"):
        if (view / part).is_dir():
            ignore = ignored if part == "bin" else None
            shutil.copytree(view / part, prefix / part, ignore=ignore, dirs_exist_ok=True)
    for part in ("bin", "lib"):
        ignore = ignored if part == "bin" else shutil.ignore_patterns("_spack*")
        shutil.copytree(venv / part, prefix / part, ignore=ignore, dirs_exist_ok=True)
    shutil.copytree(unpacked / "lib", prefix / "lib", dirs_exist_ok=True)
    return recorded(prefix)


def recorded(prefix: Path) -> Path:
    """Make a prefix one of Conda's, whose scripts name their python."""
    paths = []
    for directory, _, names in sorted(os.walk(prefix)):
        for name in sorted(names):
            path = Path(directory, name)
            entry: Dict[str, object] = {"_path": str(path.relative_to(prefix))}
            entry["path_type"] = "softlink" if path.is_symlink() else "hardlink"
            if path.parent == prefix / "bin" and not path.is_symlink():
                data = path.read_bytes()
                if data.startswith(b"#!"):
                    path.write_bytes(b"#!%s/bin/python\n" % os.fsencode(prefix) + data)
                    entry.update(file_mode="text", prefix_placeholder=str(prefix))
            paths.append(entry)
    package = prefix.with_suffix(".package")  # What a cache of Conda's packages would have.
    shutil.copytree(prefix, package, symlinks=True, copy_function=os.link)
    (package / "info").mkdir(exist_ok=True)
    (package / "info/paths.json").write_text(json.dumps({"paths": paths, "paths_version": 1}))
    record = {
        "name": "everything",
        "version": "1",
        "files": [str(entry["_path"]) for entry in paths],
        "link": {"source": str(package), "type": 1},
        "url": "",
    }
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta/everything-1-0.json").write_text(json.dumps(record))
    (prefix / "conda-meta/history").touch()
    return prefix


def processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
