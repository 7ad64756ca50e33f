#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""How well and how quickly imports are analyzed, beside other tools, with a row for each bar.

**Corpus.** The sdists of ``corpus/sdists.txt``, which ``draw_corpus.py`` drew by a fixed rule.
Each second one is for tuning, the others are held out.

**Truth.** What the sdist declares to need at run time: the project names of Requires-Dist, or of
``[project] dependencies``, without an extra, where the marker holds for the running Python. What
only an extra asks for is not part of it, so that to name it is wrong (*strict*); beside that it is
told what precision and recall are if such a name counts neither way (*lenient*). A project itself
is never counted.

**Tools.** Each is used as its users would: on the unpacked sdist, with its own defaults, here in a
venv that has what all the projects declare (wheels of at most 50 MiB, without what these need in
turn), and then in one that has nothing of it. deptry is given ``src`` where there is one, as its
manual says, and an empty list of dependencies, so that it reports all that is imported. deptry
and FawltyDeps answer with import names, so these are mapped for them by the installed metadata.
pipreqs runs with ``--use-local``, and as by default, where it asks an index: a server here that
has any name, so that nothing is asked of a real one. Poncho reads one script and imports what it
names: it is run on each file of a project by itself, if its ``package_analyze.py`` is given, with
a stand-in for conda that lists the distributions of the venv. It gives up on a file that imports
anything else, and most do; so a row of its own compares the files that it has an answer for.

We are measured as by default, and *on import*, by ``--toplevel``: without what functions
import. What a project declares is the truth, so it is nothing that our analysis looks at.

**Speed.** All files that each tool would read by default, in one directory. Wall time is with all
cores that there are; deptry uses them too.
"""

from __future__ import annotations

import argparse
import csv
import email
import hashlib
import http.server
import importlib.metadata
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
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
sys.path.insert(0, str(CHECKOUT / "spack-pyvarium"))

import measuring  # noqa: E402

from pyvarium import toml_text  # noqa: E402

SAMPLES = CHECKOUT / "tests" / "data" / "imports"
CORPUS = Path(__file__).resolve().parent / "corpus"
TOOLS = ("pipreqs==0.5.0", "fawltydeps==0.20.0", "deptry==0.25.1")
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
#: Sources that cannot be read as such, and whether anything is left then that can be.
HOSTILE: Mapping[str, Callable[[Path], Any]] = {
    "python2.py": lambda path: path.write_text("print 'x'\nimport numpy\n"),
    "binary.py": lambda path: path.write_bytes(b"\x7fELF\0\1\2import numpy\n"),
    "random.py": lambda path: path.write_bytes(bytes(range(1, 256)) * 9),
    "huge.py": lambda path: path.write_bytes(b"import numpy\n" * (100_000_000 // 13)),
    "nested.py": lambda path: path.write_bytes(b"import a\nx = " + b"(" * 99999),
    "minus.py": lambda path: path.write_bytes(b"import a\nx = " + b"-" * 99999 + b"1\n"),
    "pipe.py": lambda path: os.mkfifo(path),
    "absent.py": lambda path: None,
    "lost.py": lambda path: path.symlink_to("nowhere"),
    "circle.py": lambda path: path.symlink_to(path.name),
    "notebook.ipynb": lambda path: path.write_bytes(b"[" * 99999),
    "empty": lambda path: path.mkdir(),
}
#: The same for what may not be read, by somebody who is not root; and what is named of it.
UNREADABLE: Mapping[str, Tuple[Callable[[Path], Any], str]] = {
    "unreadable.py": (lambda path: path.touch(mode=0), ""),
    "unreadable.ipynb": (lambda path: path.touch(mode=0), ""),
    "unreadable": (lambda path: path.mkdir(mode=0), ""),
    "unsearchable": (
        lambda path: (path.mkdir(), (path / "a.py").write_text("import a\n"), path.chmod(0o444)),
        "",
    ),
    "unlisted": (lambda path: (path.mkdir(), path.chmod(0o111)), ""),
    "behind": (lambda path: path.mkdir(mode=0), "a.py"),
}
NOBODY = 65534
#: What there is an answer for all the same.
READABLE: Mapping[str, Callable[[Path], Any]] = {
    "empty.py": lambda path: path.write_bytes(b""),
    "looped": lambda path: (
        path.mkdir(),
        (path / "a.py").write_text("import numpy\n"),
        (path / "again").symlink_to("."),
    ),
}


class Ran(NamedTuple):
    out: str
    err: str
    code: int
    wall: float
    cpu: float


@dataclass(frozen=True)
class Declared:
    """The projects that one needs, and those that only its extras do."""

    needed: FrozenSet[str]
    optional: FrozenSet[str]


@dataclass(frozen=True)
class Sample:
    name: str
    directory: Path
    declared: Declared
    tuning: bool


@dataclass
class Score:
    """Names over all projects; ``wrong`` are those that are in no extra either."""

    named: int = 0
    right: int = 0
    wrong: int = 0
    declared: int = 0

    def add(self, found: Set[str], declared: Declared) -> None:
        self.named += len(found)
        self.right += len(found & declared.needed)
        self.wrong += len(found - declared.needed - declared.optional)
        self.declared += len(declared.needed)

    @property
    def precision(self) -> float:
        return self.right / max(self.named, 1)

    @property
    def lenient(self) -> float:
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        return self.right / max(self.declared, 1)

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


@dataclass
class Bars:
    """The rows of the last table, and as data what is a number beside that of another tool."""

    rows: List[Tuple[str, str, str, bool]] = field(default_factory=list)
    measured: List[measuring.Row] = field(default_factory=list)

    def add(self, what: str, ours: str, bar: str, met: bool) -> None:
        self.rows.append((what, ours, bar, met))

    def beside(
        self, what: str, size: int, measure: str, ours: float, other: float, name: str
    ) -> None:
        """Ours beside another tool's, which is more where it is better."""
        value, least = round(ours, 3), round(other, 3)
        unit = "sdists" if measure != "files/s" else "files"
        self.measured.append(
            measuring.Row(what, size, unit, measure, value, beside=name, other=least)
        )
        shown = "{:.0f}" if measure == "files/s" else "{:.3f}"
        self.add(what, shown.format(ours), f"{shown.format(other)} ({name})", ours >= other)

    def show(self) -> None:
        print(f"\n{'bar':<50}{'ours':>10}{'asked for':>24}  met")
        for what, ours, bar, met in self.rows:
            print(f"{what:<50}{ours:>10}{bar:>24}  {'yes' if met else 'NO'}")


def main() -> int:
    parser = measuring.parser(__doc__)
    parser.add_argument(
        "--cache", type=Path, default=CHECKOUT / ".cache" / "analyze", metavar="DIR",
        help="where what is downloaded is kept (default: .cache/analyze; about 2 GiB)",
    )  # fmt: skip
    parser.add_argument("--poncho", type=Path, metavar="FILE", help="Poncho's package_analyze.py")
    parser.add_argument("--half", choices=("tuning", "held-out"), help="only this half")
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="only this part; repeatable"
    )
    parser.add_argument("--tool", action="append", help="only this tool; repeatable")
    parser.add_argument("--details", action="store_true", help="what we got wrong, by project")
    arguments = parser.parse_args()
    start = time.monotonic()
    print(f"{len(os.sched_getaffinity(0))} cores, load: {load()}", flush=True)
    cache = arguments.cache.absolute()
    samples = prepare(cache)
    print(f"{time.monotonic() - start:.0f} s: {len(samples)} sdists are there", flush=True)
    bars = Bars()
    with tempfile.TemporaryDirectory(prefix="analyze.") as directory:
        run = Run(cache, Path(directory), samples, arguments, bars)
        for part in arguments.only or (["features"] if arguments.quick else PARTS):
            PARTS[part](run)
            print(f"{time.monotonic() - start:.0f} s", flush=True)
    bars.show()
    if not arguments.quick:
        measuring.write(arguments.json, bars.measured)
    print(f"\n{time.monotonic() - start:.0f} s, load: {load()}")
    return 0


class Run(NamedTuple):
    """What each part of the measurement is given."""

    cache: Path
    scratch: Path
    samples: List[Sample]
    arguments: argparse.Namespace
    bars: Bars


def features(run: Run) -> None:
    """The samples of our tests: is what is wanted, as we mean it, what the tool names?"""
    venv = run.scratch / "venv"
    site = venv / "lib" / "python3.12" / "site-packages"
    for stem, files in INSTALLED.items():
        name, _, version = stem.partition("-")
        folder = site / f"{stem}.dist-info"
        folder.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"
        (folder / "METADATA").write_text(text)
        (folder / "RECORD").write_text("".join(f"{one},,\n" for one in files.split()))
    tools = Tools(run.cache / "bare", venv, run.scratch)
    left_out = ("pyvarium on import", "pipreqs", "poncho")
    names = [one for one in tools.by_name if one not in left_out]
    print(f"\n{'features':<14}" + "".join(f"{name:>16}" for name in names))
    right = dict.fromkeys(names, 0)
    folders = sorted(one.parent for one in SAMPLES.glob("*/expected.json"))
    for folder in folders:
        expected = json.loads((folder / "expected.json").read_text())["requirements"]
        script = next(one for one in sorted(folder.iterdir()) if one.stem == "main")
        row = f"{folder.name:<14}"
        for name in names:
            options = OPTIONS.get(folder.name, ()) if name == "pyvarium" else ()
            found, _ = tools.by_name[name](script, options)
            found = {
                name_of(PROJECTS.get(one, one))
                for one in found
                if one not in sys.stdlib_module_names
            }
            good = found == set(map(name_of, expected))
            right[name] += good
            row += f"{'right' if good else 'wrong':>16}"
        print(row, flush=True)
    print(f"{'of ' + str(len(folders)):<14}" + "".join(f"{one:>16}" for one in right.values()))
    ours = right["pyvarium"]
    run.bars.add("feature scripts", f"{ours} of {len(folders)}", "all", ours == len(folders))


def projects(run: Run) -> None:
    """Precision and recall against what the projects declare, with it installed and without."""
    samples = [
        one
        for one in run.samples
        if run.arguments.half in (None, "tuning" if one.tuning else "held-out")
    ]
    mapping = read_mapping(site_packages(run.cache / "installed"))
    same: Dict[str, List[Set[str]]] = {}
    with Index() as index:
        for venv in ("installed", "bare"):
            tools = Tools(
                run.cache / venv,
                run.cache / venv,
                run.scratch,
                index=index.url,
                poncho=run.arguments.poncho if venv == "installed" else None,
                only=run.arguments.tool,
                same=same,
            )
            by_import = mapping if venv == "installed" else {}
            scores = score(tools, samples, by_import, run.arguments.details)
            for half in ("tuning", "held-out", "all"):
                show_scores(run, venv, half, scores)
            if "poncho" in tools.by_name:
                same_files(run, tools, samples, scores)


def same_files(run: Run, tools: Tools, samples: List[Sample], scores: Scores) -> None:
    """Precision and recall in the files of all that Poncho has an answer for."""
    ours: Dict[str, Score] = {}
    for sample in samples:
        files = tools.answered[sample.directory]
        found = tools.pyvarium_on_import(Path(files[-1]), files[:-1])[0] if files else set()
        found.discard(canonicalize_name(sample.name))
        for half in ("tuning" if sample.tuning else "held-out", "all"):
            ours.setdefault(half, Score()).add(found, sample.declared)
    count = sum(map(len, tools.answered.values()))
    print(f"\n{count} files that Poncho has an answer for")
    for half, one in sorted(ours.items()):
        other = scores["poncho", half]
        for what in ("precision", "recall"):
            name = f"{what} on import, files of Poncho, {half}"
            run.bars.beside(name, count, what, getattr(one, what), getattr(other, what), "poncho")


Scores = Dict[Tuple[str, str], Score]


def score(
    tools: Tools, samples: List[Sample], mapping: Mapping[str, Sequence[str]], details: bool
) -> Scores:
    scores: Scores = {}
    for name in tools.by_name:
        begun = time.monotonic()
        answers = tools.answers(name, [one.directory for one in samples])
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
        for sample, found in zip(samples, answers):
            by_import = name in ("fawltydeps", "deptry")
            projects = {one for text in found for one in as_projects(text, mapping, by_import)}
            projects.discard(canonicalize_name(sample.name))
            for half in ("tuning" if sample.tuning else "held-out", "all"):
                scores.setdefault((name, half), Score()).add(projects, sample.declared)
            if details and projects != sample.declared.needed:
                more = " ".join(sorted(projects - sample.declared.needed))
                less = " ".join(sorted(sample.declared.needed - projects))
                print(f"  {name} {sample.name}: besides [{more}] not [{less}]")
    return scores


def show_scores(run: Run, venv: str, half: str, scores: Scores) -> None:
    rows = {name: one for (name, of), one in scores.items() if of == half}
    if not rows:
        return
    count = sum(half in ("all", "tuning" if one.tuning else "held-out") for one in run.samples)
    title = "with what they declare" if venv == "installed" else "with nothing installed"
    declared = next(iter(rows.values())).declared
    print(f"\n{half}: {count} sdists, {declared} declared, {title}")
    print(
        f"{'':<20}{'named':>7}{'right':>7}{'precision':>11}{'recall':>8}{'F1':>7}{'lenient P':>11}"
    )
    for name, one in rows.items():
        print(
            f"{name:<20}{one.named:>7}{one.right:>7}{one.precision:>11.3f}{one.recall:>8.3f}"
            f"{one.f1:>7.3f}{one.lenient:>11.3f}",
            flush=True,
        )
    others = {name: one for name, one in rows.items() if not name.startswith("pyvarium")}
    if not others or "pyvarium" not in rows:
        return
    for what in ("precision", "recall", "lenient"):
        ours = getattr(rows["pyvarium"], what)
        name, best = max(
            ((name, getattr(one, what)) for name, one in others.items()), key=lambda one: one[1]
        )
        word = "precision without extras" if what == "lenient" else what
        run.bars.beside(f"{word}, {venv}, {half}", count, word, ours, best, name)


def speed(run: Run) -> None:
    """What both tools would read of all sdists, as JSON with each place; the median of five.

    deptry in addition without any answer, which takes it less.
    """
    directory = run.scratch / "all"
    count = 0
    for sample in run.samples:
        for path in sorted(sample.directory.rglob("*.py")):
            part = path.relative_to(sample.directory)
            if path.is_file() and not any(map(is_beside, part.parts)):
                target = directory / sample.name / part
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                count += 1
    tools = Tools(run.cache / "bare", run.scratch / "none", run.scratch)
    silent = ["--ignore", "DEP001,DEP002,DEP003,DEP004"]
    runs: Dict[str, List[Ran]] = {"pyvarium": [], "deptry": [], "deptry, silent": []}
    for _ in range(5):  # In turns, as the load of the machine may change.
        for name, ran in runs.items():
            tool = tools.by_name[name.partition(",")[0]]
            ran.append(tool(directory, silent if name.endswith("silent") else ())[1])
    print(f"\n{f'{count} files':<16}{'wall s':>8}{'files/s':>9}{'CPU s':>8}{'per CPU s':>11}")
    rates: Dict[str, Tuple[float, float]] = {}
    for name, ran in runs.items():
        wall = statistics.median(one.wall for one in ran)
        cpu = statistics.median(one.cpu for one in ran)
        rates[name] = (count / wall, count / cpu)
        print(f"{name:<16}{wall:>8.2f}{count / wall:>9.0f}{cpu:>8.2f}{count / cpu:>11.0f}")
    for what, at in (("files/s", 0), ("files/s of processor time", 1)):
        for name in ("deptry", "deptry, silent"):
            ours, bar = rates["pyvarium"][at], rates[name][at]
            run.bars.beside(what, count, "files/s", ours, bar, name)


def one_script(run: Run) -> None:
    """One script, in an environment of 60 distributions and of all."""
    script = run.scratch / "one.py"
    script.write_text("import numpy, requests\nfrom packaging import version\nimport os, json\n")
    print()
    for most in (60, None):
        site = run.scratch / f"env-{most}" / "lib" / "python3.11" / "site-packages"
        site.mkdir(parents=True)
        folders = sorted(site_packages(run.cache / "installed").glob("*.dist-info"))[:most]
        for folder in folders:
            (site / folder.name).symlink_to(folder)
        command = [sys.executable, "-m", "pyvarium", "analyze", "--environment", site.parents[2]]
        runs = [start([*command, script], OURS) for _ in range(21)]
        cpu = statistics.median(one.cpu for one in runs)
        print(f"one script, {len(folders)} distributions: {cpu:.3f} s of CPU (median of 21)")
        if most:
            run.bars.add(
                f"one script, {len(folders)} distributions, s of CPU",
                f"{cpu:.3f}", "0.250", cpu <= 0.25,
            )  # fmt: skip


def hostile(run: Run) -> None:
    """Sources that cannot be read, each by itself: one line, and never a traceback."""
    print()
    clean = 0
    for name, make in (*HOSTILE.items(), *READABLE.items()):
        path = run.scratch / name
        make(path)
        ran = start([sys.executable, "-m", "pyvarium", "analyze", path], OURS, timeout=60)
        lines = ran.err.splitlines()
        good = ran.code == (name in HOSTILE) and len(lines) == (name in HOSTILE)
        clean += good and "Traceback" not in ran.err
        said = (lines or [ran.out.splitlines()[-1]])[0].replace(f"{run.scratch}/", "")
        print(f"{name:<16}exit {ran.code}, {1000 * ran.cpu:4.0f} ms  {said[:70]}")
    clean += unreadable(run)
    total = len(HOSTILE) + len(UNREADABLE) + len(READABLE)
    run.bars.add("hostile sources: clean", f"{clean} of {total}", "all", clean == total)


def unreadable(run: Run) -> int:
    """How many of those that may not be read are told of in one line; as root, by another user."""
    clean = 0
    as_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="analyze.") as directory:
        shutil.copytree(CHECKOUT / "spack-pyvarium" / "pyvarium", Path(directory, "pyvarium"))
        os.chmod(directory, 0o755)
        for name, (make, inner) in UNREADABLE.items():
            path = Path(directory, name)
            make(path)
            if as_root:
                os.chown(path, NOBODY, NOBODY)
            command = [sys.executable, "-m", "pyvarium", "analyze", path / inner]
            if as_root:
                command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *command]
            ran = start(command, {"PYTHONPATH": directory, "PYTHONDONTWRITEBYTECODE": "1"})
            lines = ran.err.splitlines()
            clean += ran.code == 1 and len(lines) == 1 and "(Permission denied)" in lines[0]
            said = lines[-1].replace(f"{directory}/", "") if lines else ran.out
            print(f"{name:<16}exit {ran.code}, {1000 * ran.cpu:4.0f} ms  {said[:70]}")
            path.chmod(0o700)
    return clean


def imported(run: Run) -> None:
    """Which modules of what is analyzed, or of where it is installed, were imported."""
    program = (
        "import sys; from pyvarium.__main__ import main; main(sys.argv[2:]);"
        " print(*(one for one in sys.modules.values()"
        " if (getattr(one, '__file__', None) or '').startswith(sys.argv[1])), file=sys.stderr)"
    )
    ran = start(
        [sys.executable, "-c", program, run.cache, "analyze", "--json", run.cache / "sdists",
         "--environment", run.cache / "installed"], OURS
    )  # fmt: skip
    count = sum("<module" in line for line in ran.err.splitlines())
    files = json.loads(ran.out)["files"]
    print(f"\n{count} modules of what was analyzed were imported ({files} files)")
    run.bars.add("modules imported", str(count), "0", count == 0)


PARTS: Mapping[str, Callable[[Run], None]] = {
    "features": features,
    "projects": projects,
    "speed": speed,
    "one-script": one_script,
    "hostile": hostile,
    "imported": imported,
}

OURS = {"PYTHONPATH": str(CHECKOUT / "spack-pyvarium")}
Tool = Callable[[Path, Sequence[str]], Tuple[Set[str], Ran]]


class Tools:
    """Each tool as a function from a script or directory to the names that it answers with.

    ``venv`` has the tools, ``environment`` is where they look for what is installed. ``same``
    keeps the answers of those that do not look there.
    """

    def __init__(
        self,
        venv: Path,
        environment: Path,
        scratch: Path,
        *,
        index: Optional[str] = None,
        poncho: Optional[Path] = None,
        only: Optional[Sequence[str]] = None,
        same: Optional[Dict[str, List[Set[str]]]] = None,
    ) -> None:
        self.same = {} if same is None else same
        self.bin = venv / "bin"
        self.environment = environment
        self.scratch = scratch
        self.index = index
        self.pyproject = scratch / "pyproject.toml"
        self.pyproject.write_text('[project]\nname = "none"\nversion = "1"\ndependencies = []\n')
        self.source = poncho
        # In a directory of its own, which is the first that it imports from.
        self.driver = scratch / "poncho" / "driver.py"
        self.driver.parent.mkdir(exist_ok=True)
        self.driver.write_text(PONCHO)
        #: The files in each directory that Poncho has not given up on.
        self.answered: Dict[Path, List[str]] = {}
        self.by_name: Dict[str, Tool] = {
            "pyvarium": self.pyvarium,
            "pyvarium on import": self.pyvarium_on_import,
        }
        if index is not None:
            self.by_name["pipreqs"] = self.pipreqs
        if environment == venv or index is None:
            self.by_name["pipreqs local"] = self.pipreqs_local
        self.by_name["fawltydeps"] = self.fawltydeps
        self.by_name["deptry"] = self.deptry
        if poncho is not None:
            self.by_name["poncho"] = self.poncho
        if only is not None:
            self.by_name = {name: one for name, one in self.by_name.items() if name in only}

    def pyvarium(self, path: Path, options: Sequence[str]) -> Tuple[Set[str], Ran]:
        command = [sys.executable, "-m", "pyvarium", "analyze", "--json", *options, path]
        if self.environment.is_dir():
            command += ["--environment", self.environment]
        ran = start(command, OURS)
        if ran.code == 2:
            sys.exit(f"error: {' '.join(map(str, command))}: {ran.err}")
        return set(map(name_of, json.loads(ran.out)["requirements"])) if ran.out else set(), ran

    def pyvarium_on_import(self, path: Path, options: Sequence[str]) -> Tuple[Set[str], Ran]:
        return self.pyvarium(path, ["--toplevel", *options])

    def pipreqs(self, path: Path, options: Sequence[str]) -> Tuple[Set[str], Ran]:
        return self._pipreqs(path, "--pypi-server", str(self.index))

    def pipreqs_local(self, path: Path, options: Sequence[str]) -> Tuple[Set[str], Ran]:
        return self._pipreqs(path, "--use-local")

    def answers(self, name: str, directories: Sequence[Path]) -> List[Set[str]]:
        """What a tool names in each directory."""
        if name in ("pipreqs", "pipreqs local"):
            return self._pipreqs_of_all(directories, local=name == "pipreqs local")
        if name not in ("fawltydeps", "deptry"):
            return self._each(name, directories)
        if name not in self.same:
            self.same[name] = self._each(name, directories)
        return self.same[name]

    def _each(self, name: str, directories: Sequence[Path]) -> List[Set[str]]:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(lambda one: self.by_name[name](one, ())[0], directories))

    def _pipreqs_of_all(self, directories: Sequence[Path], *, local: bool) -> List[Set[str]]:
        """By its own main function, in one process: it walks over all that is installed."""
        options = ["--use-local"] if local else ["--pypi-server", str(self.index)]
        ran = start([self.bin / "python", "-c", PIPREQS, *options, "--", *directories])
        answers = ran.out.split("\0")[1:]
        assert len(answers) == len(directories), ran.err
        return [
            {name_of(line) for line in answer.splitlines() if re.fullmatch(r"[\w.-]+", line)}
            for answer in answers
        ]

    def _pipreqs(self, path: Path, *options: str) -> Tuple[Set[str], Ran]:
        folder = path if path.is_dir() else path.parent
        command = [self.bin / "pipreqs", "--print", "--mode", "no-pin", *options, folder]
        if path.suffix == ".ipynb":
            command.insert(1, "--scan-notebooks")
        # It looks in sys.path only; for the features that is not the venv that it is in.
        other = self.environment != self.bin.parent
        ran = start(command, {"PYTHONPATH": str(site_packages(self.environment))} if other else {})
        lines = [line for line in ran.out.splitlines() if re.fullmatch(r"[\w.-]+", line)]
        return set(map(name_of, lines)), ran

    def fawltydeps(self, path: Path, options: Sequence[str]) -> Tuple[Set[str], Ran]:
        folder = path if path.is_dir() else path.parent
        ran = start([self.bin / "fawltydeps", "--list-imports", "--json", "--code", folder,
                     "--base-dir", folder])  # fmt: skip
        found = json.loads(ran.out)["imports"] if ran.out.startswith("{") else []
        return {one["name"] for one in found or ()}, ran

    def deptry(self, path: Path, options: Sequence[str]) -> Tuple[Set[str], Ran]:
        folder = path if path.is_dir() else path.parent
        folder = folder / "src" if (folder / "src").is_dir() else folder
        handle, answer = tempfile.mkstemp(dir=self.scratch)
        os.close(handle)
        ran = start([self.bin / "deptry", ".", "--config", self.pyproject,
                     "--json-output", answer, *options], cwd=folder)  # fmt: skip
        text = Path(answer).read_text()
        found = json.loads(text) if text else []
        codes = ("DEP001", "DEP003")
        return {one["module"] for one in found if one["error"]["code"] in codes}, ran

    def poncho(self, path: Path, options: Sequence[str]) -> Tuple[Set[str], Ran]:
        environ = {"SOURCE": str(self.source), "PATH": f"{self.bin}:{os.environ['PATH']}"}
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        ran = start([self.bin / "python", self.driver, *files], environ, timeout=120)
        lines = [line.partition(" ") for line in ran.out.splitlines()]
        self.answered[path] = [rest for word, _, rest in lines if word == "answered"]
        found = {name_of(rest) for word, _, rest in lines if word == "found"}
        return found - {"python", "pip"}, ran


#: pipreqs on one directory after the other; what is installed is the same for all.
PIPREQS = """
import functools, sys
from pipreqs import pipreqs
pipreqs.get_locally_installed_packages = functools.cache(pipreqs.get_locally_installed_packages)
split = sys.argv.index("--")
options, directories = sys.argv[1:split], sys.argv[split + 1:]
for directory in directories:
    print("\\0", end="")
    sys.argv = ["pipreqs", "--print", "--mode", "no-pin", *options, directory]
    try:
        pipreqs.main()
    except (Exception, SystemExit):  # It gives up on what it cannot parse.
        pass
    sys.stdout.flush()
"""
#: Poncho's own functions, on one file after the other; its list of files is made once, by what its
#: two commands would print: to start them for each distribution takes it half a minute a file.
PONCHO = """
import importlib.metadata, json, os, subprocess, sys
found = {}
for one in importlib.metadata.distributions():
    found.setdefault(one.metadata["Name"], one)
def check_output(command, **options):
    if command[:2] == ["conda", "list"]:
        return json.dumps([{"name": name, "channel": "pypi"} for name in found]).encode()
    if command[:3] == ["conda", "env", "export"]:
        pip = [f"{name}=={one.version}" for name, one in found.items()]
        python = "python=%d.%d.%d" % sys.version_info[:3]
        return json.dumps({"channels": [], "dependencies": [python, {"pip": pip}]}).encode()
    if command[:3] == ["pip", "show", "-f"]:
        one = found[command[3]]
        lines = [f"Name: {command[3]}", f"Location: {one.locate_file('')}", "Files:"]
        return "\\n".join([*lines, *(f"  {file}" for file in one.files or [])]).encode()
    raise SystemExit(f"cannot stand in for {command}")
subprocess.check_output = check_output
module = {"__name__": "package_analyze"}
exec(compile(open(os.environ["SOURCE"]).read(), "package_analyze.py", "exec"), module)
module["scan_pkgs"]()
module["scan_pkgs"] = lambda: None
for file in sys.argv[1:]:
    try:
        env = module["create_spec"](file)
    except BaseException as error:
        print("failed", type(error).__name__, file)
        continue
    print("answered", file)
    for one in env.get("conda", {}).get("dependencies", []):
        for name in one["pip"] if isinstance(one, dict) else []:
            print("found", name)
"""


class Index:
    """An index that has whatever project it is asked for, as pipreqs asks."""

    def __enter__(self) -> Index:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.strip("/").split("/")[0]
                upload = {"upload_time": "2020-01-01T00:00:00", "packagetype": "sdist"}
                info = dict.fromkeys(
                    ("author", "author_email", "maintainer", "maintainer_email", "license",
                     "summary", "home_page", "package_url", "docs_url", "bugtrack_url"), ""
                )  # fmt: skip
                value = {"info": {**info, "name": name, "version": "1", "classifiers": []},
                         "releases": {"1": [upload]}, "urls": []}  # fmt: skip
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(value).encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()


def prepare(cache: Path) -> List[Sample]:
    """Download the corpus and the tools, as far as they are not there; at most 1 GiB."""
    for name in ("bare", "installed"):
        venv = cache / name
        wanted = [*TOOLS, *((CORPUS / "wheels.txt").read_text() if name == "installed" else "")]
        mark = venv / "complete"
        if mark.exists() and mark.read_text() == repr(wanted):
            continue
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, "--disable-pip-version-check", *TOOLS], check=True)
        if name == "installed":
            # Beside the tools, which keep what they need in the versions that they need.
            other = cache / "declared"
            listed = ["--no-deps", "--only-binary=:all:", "-r", CORPUS / "wheels.txt"]
            subprocess.run([*pip, "--target", other, "--upgrade", *listed], check=True)
            move_new(other, site_packages(venv))
        mark.write_text(repr(wanted))
    (cache / "archives").mkdir(parents=True, exist_ok=True)
    lines = [line.split() for line in (CORPUS / "sdists.txt").read_text().splitlines()]
    with ThreadPoolExecutor(4) as pool:
        directories = list(pool.map(lambda line: unpacked(cache, *line), lines))
    samples = []
    for number, (line, directory) in enumerate(zip(lines, directories)):
        declared = declared_in(directory)
        assert declared is not None, f"{line[0]}: declares nothing statically"
        samples.append(Sample(line[0], directory, declared, number % 2 == 0))
    return samples


def move_new(source: Path, target: Path) -> None:
    """Move the distributions to a site-packages that are not there already, whole."""
    present = {name_of(one.name.partition("-")[0]) for one in target.glob("*.dist-info")}
    for folder in sorted(source.glob("*.dist-info")):
        if name_of(folder.name.partition("-")[0]) in present:
            continue
        for row in csv.reader((folder / "RECORD").read_text().splitlines()):
            path = source / row[0]
            if path.is_file() and source in path.resolve().parents:
                (target / row[0]).parent.mkdir(parents=True, exist_ok=True)
                path.rename(target / row[0])
    shutil.rmtree(source)


def unpacked(cache: Path, name: str, url: str, sha256: str) -> Path:
    """The directory of an sdist, downloaded and unpacked if need be."""
    archive = cache / "archives" / url.rpartition("/")[2]
    if not archive.exists() or hashlib.sha256(archive.read_bytes()).hexdigest() != sha256:
        with urllib.request.urlopen(url, timeout=60) as answer:
            archive.write_bytes(answer.read(64 << 20))
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        assert digest == sha256, f"{url}: has another digest"
    return unpack(archive, cache / "sdists" / name)


def unpack(archive: Path, directory: Path) -> Path:
    """What is in an sdist, mostly one directory."""
    if not directory.exists():
        partial = directory.with_name(f"{directory.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(partial)
        else:
            with tarfile.open(archive) as tarred:
                tarred.extractall(partial, filter="data")
        partial.rename(directory)
    entries = list(directory.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else directory


def declared_in(directory: Path) -> Optional[Declared]:
    """What an unpacked sdist declares statically; None where it does not."""
    listed: Optional[List[str]] = None
    extras: List[str] = []
    core = directory / "PKG-INFO"
    if core.exists():
        message = email.message_from_string(core.read_text("utf-8", "replace"))
        version = tuple(map(int, str(message["Metadata-Version"]).split(".")))
        dynamic = [one.lower() for one in message.get_all("Dynamic", [])]
        if version >= (2, 2) and "requires-dist" not in dynamic:
            listed = message.get_all("Requires-Dist", [])
    pyproject = directory / "pyproject.toml"
    if listed is None and pyproject.exists():
        project: Any = toml_text.parse(pyproject.read_text("utf-8"), "").get("project")
        if project and "dependencies" not in project.get("dynamic", []):
            listed = project.get("dependencies", [])
            optional = project.get("optional-dependencies", {})
            extras = [str(one) for texts in optional.values() for one in texts]
    if listed is None:
        return None
    requirements = [Requirement(str(one)) for one in listed]
    needed = {
        canonicalize_name(one.name)
        for one in requirements
        if one.marker is None or one.marker.evaluate({"extra": ""})
    }
    optional = {canonicalize_name(one.name) for one in (*requirements, *map(Requirement, extras))}
    return Declared(frozenset(needed), frozenset(optional - needed))


def read_mapping(site: Path) -> Mapping[str, List[str]]:
    """The projects of each import name, by the installed metadata."""
    mapping: Dict[str, List[str]] = {}
    for one in importlib.metadata.distributions(path=[str(site)]):
        for top in tops(one):
            mapping.setdefault(top, []).append(one.name)
    return mapping


def tops(distribution: importlib.metadata.Distribution) -> Set[str]:
    files = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    paths = [row[0] for row in files if row and row[0].endswith((".py", ".so"))]
    return {re.split(r"[/.]", one)[0] for one in paths}


def as_projects(found: str, mapping: Mapping[str, Sequence[str]], by_import: bool) -> Set[str]:
    if not by_import:
        return {found}
    if found in sys.stdlib_module_names:
        return set()
    return set(map(canonicalize_name, mapping.get(found, [found])))


def is_beside(part: str) -> bool:
    """Whether some tool leaves out what is so called, or may."""
    return bool(
        re.match(r"\.|venv|tests?|testing|conftest|setup\.py|doc|example|bench|script|tool", part)
    )


def site_packages(venv: Path) -> Path:
    return next(venv.glob("lib/python3*/site-packages"), venv / "none")


def name_of(text: str) -> str:
    return canonicalize_name(re.split(r"[\s\[<>=!~;@]", text, maxsplit=1)[0])


def load() -> str:
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


def start(
    command: Iterable[object],
    environ: Mapping[str, str] = {},
    *,
    cwd: Optional[Path] = None,
    timeout: float = 300,
) -> Ran:
    """Run a command; its processor time is that of it and of all that it waited for."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            list(map(str, command)), env={**os.environ, **environ}, cwd=cwd, stdout=out, stderr=err
        )
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        texts = [one.read().decode("utf-8", "replace") for one in (out, err)]
    return Ran(*texts, process.returncode, wall, usage.ru_utime + usage.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
