# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Let the n-th change that a sync makes on disk fail, for any n, and see what is left of it.

The changes are those of the process and of the pythons that it starts, as the C library sees them:
``faults.c`` is loaded before it. Each case starts from the same files, in a process of its own.
What has to hold: each file is as before or as after, never between; what is the user's is there;
the answer is our one-line error or none; and the next sync brings all of it in step.
"""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import tempfile  # noqa: F401  # What is loaded here need not be in each of the processes.
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from conftest import HERE, Site
from pyvarium.errors import PyvariumError
from pyvarium.layer import NEW, OLD
from pyvarium.model import Environment
from pyvarium.sync import sync

SOURCE = Path(__file__).with_suffix(".c")
STATE, PRELOAD = "FAULTS_STATE", "LD_PRELOAD"
_HEAD = struct.Struct("qqiiq4096s256s")
_NONE, _KILL_BEFORE, _KILL_AFTER, _TORN, _SHORT, _ONCE, _FROM_NOW_ON = range(7)

#: How an operation fails, by name.
KINDS: Mapping[str, Tuple[int, int]] = {
    "killed before": (_KILL_BEFORE, 0),
    "killed after": (_KILL_AFTER, 0),
    "killed within a write": (_TORN, 0),
    "short write": (_SHORT, 0),
    "EIO": (_ONCE, errno.EIO),
    "EACCES": (_ONCE, errno.EACCES),
    "ENOSPC once": (_ONCE, errno.ENOSPC),
    "ENOSPC": (_FROM_NOW_ON, errno.ENOSPC),
    "EROFS": (_FROM_NOW_ON, errno.EROFS),
    "EDQUOT": (_FROM_NOW_ON, errno.EDQUOT),
}
Contents = Dict[str, object]
#: An operation, by its number, and how it fails.
Case = Tuple[int, str]
Choose = Callable[[List[Case]], List[Case]]
UNEXPECTED = 70


def environ(directory: Path) -> Dict[str, str]:
    """The variables for a process in which faults are possible; compiles the library."""
    library, state = directory / "faults.so", directory / "state"
    compiler = os.environ.get("CC", "cc")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"], check=True
    )
    state.write_bytes(bytes(_HEAD.size))
    return {**os.environ, PRELOAD: str(library), STATE: str(state)}


class Faults:
    """What the library is told, and what it says."""

    def __init__(self) -> None:
        with open(os.environ[STATE], "r+b") as file:
            self._state = mmap.mmap(file.fileno(), _HEAD.size)

    def arm(self, under: Path, at: int, kind: str = "") -> None:
        """From now on count what is below a directory; the one ``at`` fails (-1: none does)."""
        how, error = KINDS.get(kind, (_NONE, 0))
        _HEAD.pack_into(self._state, 0, 0, at, how, error, 0, os.fsencode(under), b"")

    def disarm(self) -> Tuple[int, int, str]:
        """How many were counted, how many have failed, and which did so first."""
        count, _, _, _, fired, _, last = _HEAD.unpack_from(self._state, 0)
        self._state[:] = bytes(_HEAD.size)
        return count, fired, last.partition(b"\0")[0].decode()


@dataclass(frozen=True)
class Scenario:
    """An environment, and what is done in it while something fails.

    ``users`` are the paths that nobody but the user may change. ``act`` is done again to heal, or
    if the result may then be another one, ``again``; ``kept`` are texts that have to be in some
    file at any time.
    """

    name: str
    root: Path
    path: Path
    act: Callable[[], None]
    users: Tuple[str, ...] = ()
    makes_venv: bool = False
    again: Optional[Callable[[], None]] = None
    kept: Tuple[str, ...] = ()


@dataclass
class Report:
    """How many cases there were, by kind and by how they ended, and the faults that were found."""

    cases: int = 0
    ended: Dict[str, int] = field(default_factory=dict)
    failed: Dict[str, int] = field(default_factory=dict)
    faults: List[str] = field(default_factory=list)


def scenarios(root: Path) -> Iterator[Scenario]:
    for backend in ("uv", "poetry", "pdm", "pip"):
        yield _update(root / backend, backend, "bound")
    yield _update(root / "portable", "uv", "portable")
    yield _update(root / "linked", "uv", "bound", "linked")
    yield _update(root / "hard-linked", "poetry", "bound", "hard-linked")
    yield _update(root / "other-backend", "poetry", "bound", then="uv")
    yield _first(root / "first")
    yield _venv(root / "venv")


def _site(root: Path) -> Site:
    site = Site(root, HERE)
    site.add_python()
    return site


def _provide(site: Site, name: str, version: str) -> str:
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: a\n\n"
    dag_hash = site.install(f"py-{name}", version, text)
    info = site.library / f"{name}-{version}.dist-info"
    site.add(dag_hash, info / "entry_points.txt", f"[console_scripts]\n{name}-run = {name}:main\n")
    site.add(dag_hash, info / "RECORD", f"../../../bin/{name}-run,,\n{name}.py,,\n")
    return dag_hash


def _environment(site: Site) -> Environment:
    environment = site.finish()
    (environment.path / "notes.txt").write_text("the user's\n")
    info = environment.path / ".venv" / site.library / "rich-1.dist-info"
    if info.parent.is_dir():
        info.mkdir()
        (info / "METADATA").write_text("Name: rich\nVersion: 1\n")
        (info / "RECORD").write_text("../../../bin/rich,,\n")
        (environment.path / ".venv" / "bin" / "rich").write_text("#!/bin/sh\n")
    return environment


_USERS = ("notes.txt", "spack.yaml", "spack.lock", "rich", "rich-1.dist-info")
PROJECT = """\
# The user's own words.
[project]
name = "x"
version = "0"
dependencies = ["rich"]  # and why

[tool.pyvarium]
backend = "{}"
mode = "{}"
"""


def _update(
    root: Path, backend: str, mode: str, link: str = "", then: Optional[str] = None
) -> Scenario:
    """One distribution has another version, one is gone, one has come."""
    site = _site(root)
    site.add_venv()
    first = [_provide(site, name, version) for name, version in (("a", "1"), ("b", "1"))]
    environment = _environment(site)
    file = environment.pyproject
    if link:
        file = environment.path / "real" / "project.toml"
        file.parent.mkdir()
    file.write_text(PROJECT.format(backend, mode))
    if link == "linked":
        environment.pyproject.symlink_to(file)
    elif link:
        os.link(file, environment.pyproject)
    _quietly(environment)
    if link == "hard-linked":  # It was replaced, so that the other name has kept the old one.
        file.unlink()
        os.link(environment.pyproject, file)
    file.write_text(file.read_text().replace(f'"{backend}"', f'"{then or backend}"'))
    for dag_hash, name in zip(first, ("a", "b")):
        shutil.rmtree(site.view / site.library / f"{name}-1.dist-info")
        site.nodes.pop(dag_hash)
        site.roots.remove(dag_hash)
    _provide(site, "a", "2")
    _provide(site, "c", "1")
    site.finish()
    return Scenario(root.name, root, environment.path, lambda: _quietly(environment), _USERS)


def _quietly(environment: Environment) -> None:
    """Sync. The pip that python itself brings is not wanted: it takes seconds."""
    from pyvarium import building

    building._bring_pip = lambda *_: iter(())  # type: ignore[assignment]
    sync(environment)


def _first(root: Path) -> Scenario:
    """There is no file yet, and in .venv nothing of ours."""
    site = _site(root)
    site.add_venv()
    for name in "ab":
        _provide(site, name, "1")
    environment = _environment(site)
    return Scenario(root.name, root, environment.path, lambda: _quietly(environment), _USERS)


def _venv(root: Path) -> Scenario:
    """All of it from nothing, with a venv that python makes."""
    site = _site(root)
    _provide(site, "a", "1")
    environment = _environment(site)
    environment.pyproject.write_text(PROJECT.format("uv", "bound"))
    users = ("notes.txt", "spack.yaml", "spack.lock")
    act = lambda: _quietly(environment)  # noqa: E731
    return Scenario(root.name, root, environment.path, act, users, makes_venv=True)


def contents(path: Path) -> Contents:
    """All that is in an environment but what only saves time, by path."""
    found: Contents = {}
    for directory, below, names in os.walk(path):
        below[:] = [name for name in below if name not in ("view", "__pycache__")]
        for name in (*below, *names):
            one = Path(directory, name)
            if name not in ("stamps", "lock"):
                content = os.readlink(one) if one.is_symlink() else one.is_dir() or _read(one)
                found[str(one.relative_to(path))] = content
    return found


def _read(path: Path) -> Tuple[bytes, int]:
    return path.read_bytes(), path.stat().st_mode


def run(scenario: Scenario, faults: Faults, report: Report, chosen: Choose) -> None:
    """Try a choice of all cases of a scenario."""
    base = scenario.root / "base"
    shutil.copytree(scenario.path, base, symlinks=True)
    before = contents(scenario.path)
    faults.arm(scenario.path, -1)
    status, said = _in_child(scenario.act)
    count, _, _ = faults.disarm()
    if status:
        raise SystemExit(f"{scenario.name}: fails by itself: {said}")
    after = contents(scenario.path)
    cases = list(itertools.product(range(1, count + 1), KINDS))
    for at, kind in chosen(cases):
        _restore(base, scenario.path)
        faults.arm(scenario.path, at, kind)
        status, said = _in_child(scenario.act)
        _, fired, what = faults.disarm()
        report.cases += 1
        ended = {0: "done", 1: "error", -signal.SIGKILL: "killed"}.get(status, "raised")
        report.ended[ended] = report.ended.get(ended, 0) + 1
        if fired:
            report.failed[kind] = report.failed.get(kind, 0) + 1
        subject = f"{scenario.name}: {kind} at {at} of {count} ({what})"
        if ended == "raised" or "\n" in said.strip():
            report.faults.append(f"{subject}: raised {said}")
        now = contents(scenario.path)
        wrong = list(_torn(scenario, before, now, after))
        _age(scenario.path)
        status, said = _in_child(scenario.again or scenario.act)
        if status:
            wrong.append(f"does not heal: {said}")
        healed = contents(scenario.path)
        if scenario.again is None:
            wrong += _differences(healed, after)
        elif not healed.keys() >= after.keys() - {one for one in after if ".bak" in one}:
            wrong.append(f"lacks {sorted(after.keys() - healed.keys())}")
        report.faults += [f"{subject}: {one}" for one in wrong]


def _restore(base: Path, path: Path) -> None:
    shutil.rmtree(path)
    shutil.copytree(base, path, symlinks=True)
    real, other = path / "real" / "project.toml", path / "pyproject.toml"
    if path.parent.name == "hard-linked":
        other.unlink()
        os.link(real, other)


def _in_child(act: Callable[[], None]) -> Tuple[int, str]:
    """Do something in a process of its own; its exit code, negative for a signal, and message."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        code, said = 0, ""
        try:
            act()
        except PyvariumError as error:
            code, said = 1, str(error)
        except BaseException:
            code, said = UNEXPECTED, traceback.format_exc()
        os.write(write, said.encode()[:4000])
        os._exit(code)
    os.close(write)
    with open(read, "rb") as file:
        said = file.read().decode(errors="replace")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


#: What is not whole yet, or not any more, has a name by which nobody takes it for the whole.
_UNFINISHED = re.compile(
    rf"(^|/)(\.[^/]*\.\d+\.[a-z0-9_]{{8}}|~[^/]*|[^/]*({re.escape(NEW)}|{re.escape(OLD)}))(/|$)"
)


def _torn(scenario: Scenario, before: Contents, now: Contents, after: Contents) -> Iterator[str]:
    """What is neither as before nor as after."""
    for name in sorted({*before, *now}):
        if _UNFINISHED.search(name):
            continue
        parts = name.split("/")
        mine = next((part for part in parts if part in scenario.users), None)
        if mine and now.get(name) != before.get(name):
            yield f"{name}: is the user's, and was changed"
        elif scenario.makes_venv and parts[0] == ".venv":
            continue  # Made by python, and made anew by the next sync.
        elif name not in now and ".dist-info" in name:
            continue  # All of it is gone, else it is found below: no directory replaces one.
        elif now.get(name) not in (before.get(name), after.get(name)):
            yield f"{name}: is torn ({now.get(name)!r:.80})"
    for text in scenario.kept:
        if not any(isinstance(one, tuple) and one[0] == text.encode() for one in now.values()):
            yield f"{text!r}: is lost"
    for name in {one.rpartition("/")[0] for one in now if ".dist-info/" in one}:
        if _UNFINISHED.search(name):
            continue
        states = [_below(name, one) for one in (now, before, after)]
        if states[0] not in states[1:]:
            yield f"{name}: is not whole"
    for name in ("pyproject.toml", "poetry.toml"):
        if name in before and name not in now and not scenario.kept:
            yield f"{name}: is lost"


def _below(name: str, found: Contents) -> Contents:
    return {key: one for key, one in found.items() if key.startswith(f"{name}/")}


def _age(path: Path) -> None:
    """As if the next sync came a day later."""
    for one in path.rglob(".*"):
        if _UNFINISHED.search(one.name) and one.is_file():
            os.utime(one, (0, 0))


def _differences(found: Contents, expected: Contents) -> Iterator[str]:
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            yield f"{name}: is not healed ({found.get(name)!r:.80})"


def choice(seed: int, count: Optional[int], number: int) -> Choose:
    """Choose from the cases of one of so many scenarios: all, or a part of ``count`` in all."""

    def choose(cases: List[Case]) -> List[Case]:
        if count is None:
            return cases
        share = max(1, count // number)
        generator = random.Random(seed)
        return generator.sample(cases, share) if share <= len(cases) else cases

    return choose
