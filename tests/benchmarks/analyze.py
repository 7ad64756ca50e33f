#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""How well and how quickly imports are analyzed, beside pipreqs, FawltyDeps and deptry.

The projects are all distributions of the venvs named that declare a dependency (``Requires-Dist``
without an extra, where its marker holds), in the order of their names; each tool is given their
Python files alone, and where they are installed. What they declare is the truth, as far as it is
installed. FawltyDeps and deptry answer with import names, so these are mapped for them, by the
metadata of the venv: what they are compared on is what they find. pipreqs names only what it
finds installed, as it is not to ask an index. The features are samples of our own, judged by what
we mean by wanted: what is optional or for type checkers is not.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import (
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLES = CHECKOUT / "tests" / "data" / "imports"
#: What the features need beyond the name of the script; only we have a word for it.
OPTIONS = {"toplevel": ["--toplevel"], "function": ["--function", "Task.run"]}
#: As the samples are meant: their imports, and the projects of these.
PROJECTS = {"sklearn": "scikit-learn", "yaml": "pyyaml"}
#: What is installed where the samples are analyzed.
INSTALLED = {
    "numpy-2.1.3": "numpy/__init__.py numpy/linalg/__init__.py",
    "scikit_learn-1.6.0": "sklearn/__init__.py sklearn/linear_model/__init__.py",
    "google_auth-2.0": "google/auth/__init__.py",
    "google_cloud_storage-3.0": "google/cloud/storage/__init__.py",
    "PyYAML-6.0": "yaml/__init__.py",
}


class Ran(NamedTuple):
    out: str
    wall: float
    cpu: float


class Sample(NamedTuple):
    """A project: its files, what it declares, and how the venv calls what is imported."""

    name: str
    directory: Path
    declared: Set[str]
    site_packages: Path
    mapping: Mapping[str, List[str]]


Tool = Callable[[Path, Path], Tuple[Set[str], Ran]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("venvs", nargs="+", type=Path, metavar="VENV", help="where projects are")
    parser.add_argument(
        "--tools", type=Path, required=True, help="a venv with pipreqs, fawltydeps and deptry"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th project")
    parser.add_argument("--details", action="store_true", help="what we got wrong, by project")
    arguments = parser.parse_args()
    print(f"load: {' '.join(f'{one:.1f}' for one in os.getloadavg())}")
    with tempfile.TemporaryDirectory(prefix="analyze.") as directory:
        tools = Tools(arguments.tools, Path(directory))
        samples = list(read_samples(arguments.venvs, Path(directory) / "samples"))
        samples = samples[:: arguments.every]
        features(tools, Path(directory) / "venv")
        projects(tools, samples, arguments.details)
        speed(tools, samples, Path(directory) / "all")
        one_script(arguments.venvs, Path(directory))
    print(f"load: {' '.join(f'{one:.1f}' for one in os.getloadavg())}")
    return 0


class Tools:
    """Each tool as a function from files and a site-packages to the projects that it names."""

    def __init__(self, venv: Path, scratch: Path) -> None:
        self.bin = venv.absolute() / "bin"
        self.pyproject = scratch / "pyproject.toml"
        self.pyproject.write_text('[project]\nname = "none"\nversion = "1"\ndependencies = []\n')
        self.answer = scratch / "answer.json"
        self.by_name: Dict[str, Callable[[Path, Path, Sequence[str]], Tuple[Set[str], Ran]]] = {
            "pyvarium": self.pyvarium,
            "pipreqs": self.pipreqs,
            "fawltydeps": self.fawltydeps,
            "deptry": self.deptry,
        }

    def pyvarium(
        self, path: Path, site: Path, options: Sequence[str] = ()
    ) -> Tuple[Set[str], Ran]:
        command = [sys.executable, "-m", "pyvarium", "analyze", "--json", path, *options]
        if site.is_dir():
            command += ["--environment", site.parents[2]]
        ran = run(command, PYTHONPATH=str(CHECKOUT / "spack-pyvarium"))
        return set(map(name_of, json.loads(ran.out)["requirements"])), ran

    def pipreqs(self, path: Path, site: Path, options: Sequence[str] = ()) -> Tuple[Set[str], Ran]:
        """Without asking the index, which would say nothing of what is imported."""
        folder = path if path.is_dir() else path.parent
        command = [self.bin / "pipreqs", "--print", "--use-local", "--mode", "no-pin", folder]
        if path.suffix == ".ipynb":
            command.insert(1, "--scan-notebooks")
        ran = run(command, PYTHONPATH=str(site))
        lines = [line for line in ran.out.splitlines() if re.fullmatch(r"[\w.-]+", line)]
        return set(map(name_of, lines)), ran

    def fawltydeps(
        self, path: Path, site: Path, options: Sequence[str] = ()
    ) -> Tuple[Set[str], Ran]:
        folder = path if path.is_dir() else path.parent
        ran = run([self.bin / "fawltydeps", "--list-imports", "--json", "--code", folder,
                   "--base-dir", folder])  # fmt: skip
        found = json.loads(ran.out)["imports"] if ran.out.startswith("{") else []
        return {one["name"] for one in found or ()}, ran

    def deptry(self, path: Path, site: Path, options: Sequence[str] = ()) -> Tuple[Set[str], Ran]:
        folder = path if path.is_dir() else path.parent
        self.answer.unlink(missing_ok=True)
        ran = run([self.bin / "deptry", folder, "--config", self.pyproject, "--exclude", "^$",
                   "--json-output", self.answer])  # fmt: skip
        found = json.loads(self.answer.read_text()) if self.answer.exists() else []
        return {
            one["module"] for one in found if one["error"]["code"] in ("DEP001", "DEP003")
        }, ran


def features(tools: Tools, venv: Path) -> None:
    """The samples of our tests: is what is wanted, as we mean it, what the tool names?"""
    site = venv / "lib" / "python3.12" / "site-packages"
    for stem, files in INSTALLED.items():
        name, _, version = stem.partition("-")
        folder = site / f"{stem}.dist-info"
        folder.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"
        (folder / "METADATA").write_text(text)
        (folder / "RECORD").write_text("".join(f"{one},,\n" for one in files.split()))
    print(f"\n{'features':<14}" + "".join(f"{name:>12}" for name in tools.by_name))
    right = dict.fromkeys(tools.by_name, 0)
    folders = sorted(one.parent for one in SAMPLES.glob("*/expected.json"))
    for folder in folders:
        expected = json.loads((folder / "expected.json").read_text())["requirements"]
        script = next(one for one in sorted(folder.iterdir()) if one.stem == "main")
        row = f"{folder.name:<14}"
        for name, tool in tools.by_name.items():
            found, _ = tool(script, site, OPTIONS.get(folder.name, ()))
            found = {
                name_of(PROJECTS.get(one, one))
                for one in found
                if one not in sys.stdlib_module_names
            }
            good = found == set(map(name_of, expected))
            right[name] += good
            row += f"{'right' if good else 'wrong':>12}"
        print(row, flush=True)
    print(f"{'of ' + str(len(folders)):<14}" + "".join(f"{one:>12}" for one in right.values()))


def projects(tools: Tools, samples: List[Sample], details: bool) -> None:
    """Precision and recall against what the projects declare."""
    declared = sum(len(one.declared) for one in samples)
    print(f"\n{len(samples)} projects, {declared} declared dependencies")
    print(f"{'':<12}{'named':>8}{'right':>8}{'precision':>11}{'recall':>8}{'F1':>7}")
    for name, tool in tools.by_name.items():
        named = right = 0
        for sample in samples:
            found, _ = tool(sample.directory, sample.site_packages, ())
            projects = {
                project
                for one in found
                for project in as_projects(one, sample.mapping, name in ("fawltydeps", "deptry"))
            } - {canonicalize_name(sample.name)}
            named += len(projects)
            right += len(projects & sample.declared)
            if details and name == "pyvarium" and projects != sample.declared:
                more = " ".join(sorted(projects - sample.declared))
                less = " ".join(sorted(sample.declared - projects))
                print(f"  {sample.name}: besides [{more}] not [{less}]")
        precision, recall = right / max(named, 1), right / max(declared, 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        print(
            f"{name:<12}{named:>8}{right:>8}{precision:>11.3f}{recall:>8.3f}{f1:>7.3f}", flush=True
        )


def as_projects(found: str, mapping: Mapping[str, List[str]], by_import: bool) -> Set[str]:
    if not by_import:
        return {found}
    if found in sys.stdlib_module_names:
        return set()
    return set(map(canonicalize_name, mapping.get(found, [found])))


def speed(tools: Tools, samples: List[Sample], directory: Path) -> None:
    """All files of each fourth project at once, the median of three."""
    for sample in samples[::4]:
        shutil.copytree(sample.directory, directory / sample.name)
    count = sum(1 for _ in directory.rglob("*.py"))
    print(f"\n{count} files{'':<4}{'files/s':>9}{'per CPU s':>11}")
    for name, tool in tools.by_name.items():
        runs = [tool(directory, Path("none"), ())[1] for _ in range(3)]
        wall = statistics.median(one.wall for one in runs)
        cpu = statistics.median(one.cpu for one in runs)
        print(f"{name:<12}{count / wall:>9.0f}{count / cpu:>11.0f}", flush=True)


def one_script(venvs: Sequence[Path], scratch: Path) -> None:
    script = scratch / "one.py"
    script.write_text("import numpy, requests\nfrom packaging import version\nimport os, json\n")
    for venv in venvs:
        count = len(list(site_packages(venv).glob("*.dist-info")))
        command = [sys.executable, "-m", "pyvarium", "analyze", "--environment", venv, script]
        runs = [run(command, PYTHONPATH=str(CHECKOUT / "spack-pyvarium")) for _ in range(11)]
        cpu = statistics.median(one.cpu for one in runs)
        print(f"\none script, {count} distributions: {1000 * cpu:.0f} ms of CPU (median of 11)")


def read_samples(venvs: Sequence[Path], directory: Path) -> Iterator[Sample]:
    found: Dict[str, Sample] = {}
    for venv in venvs:
        site = site_packages(venv)
        here = list(importlib.metadata.distributions(path=[str(site)]))
        installed = {canonicalize_name(one.name) for one in here}
        mapping: Dict[str, List[str]] = {}
        for one in here:
            for top in tops(one):
                mapping.setdefault(top, []).append(one.name)
        for one in here:
            requires = [Requirement(text) for text in one.requires or ()]
            declared = {
                canonicalize_name(each.name)
                for each in requires
                if each.marker is None or each.marker.evaluate({"extra": ""})
            } & installed
            target = directory / one.name
            if declared and one.name not in found and copy(one, site, target):
                found[one.name] = Sample(one.name, target, declared, site, mapping)
    for name in sorted(found):
        yield found[name]


def tops(distribution: importlib.metadata.Distribution) -> Set[str]:
    files = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    paths = [row[0] for row in files if row and row[0].endswith((".py", ".so"))]
    return {re.split(r"[/.]", one)[0] for one in paths}


def copy(distribution: importlib.metadata.Distribution, site: Path, target: Path) -> bool:
    for row in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        if row and row[0].endswith(".py") and not row[0].startswith(("..", "/")):
            (target / row[0]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(site / row[0], target / row[0])
    return target.is_dir()


def site_packages(venv: Path) -> Path:
    return next(venv.glob("lib/python3*/site-packages"))


def name_of(text: str) -> str:
    return canonicalize_name(re.split(r"[\s\[<>=!~;@]", text, maxsplit=1)[0])


def run(command: Sequence[object], **environ: Optional[str]) -> Ran:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **{key: value for key, value in environ.items() if value}},
        capture_output=True,
        text=True,
    )
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(done.stdout, wall, cpu)


if __name__ == "__main__":
    sys.exit(main())
