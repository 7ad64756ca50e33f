# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Let the n-th change on disk fail, for any n, and see what is left of it.

The changes are those of a process and of the programs that it starts, as the C library sees them:
``faults.c`` is loaded before it. Each case starts from the same files, in a process of its own.
What has to hold: what stands under its own name is as before or as after, never between; what is
the user's is there; the answer is our one-line error or none; and doing it again heals.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import tempfile  # noqa: F401  # What is loaded here need not be in each of the processes.
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Tuple

from pyvarium.errors import PyvariumError
from pyvarium.layer import NEW, OLD

SOURCE = Path(__file__).with_suffix(".c")
STATE, PRELOAD = "FAULTS_STATE", "LD_PRELOAD"
_OPERATIONS, _NAME = 4096, 8
_HEAD = struct.Struct("qqiiq4096s")
_SIZE = _HEAD.size + _OPERATIONS * _NAME
_NONE, _KILL_BEFORE, _KILL_AFTER, _KILL_GROUP, _TORN, _SHORT, _ONCE, _FROM_NOW_ON, _LOST = range(9)

_WRITE = frozenset({"write"})
_ROOM = frozenset({*_WRITE, *"open close fsync rename mkdir link symlink trunc".split()})
_ALL = _ROOM | {"unlink", "rmdir", "chmod", "utime"}


@dataclass(frozen=True)
class Kind:
    """How operations fail, and which ones can so; some differ only where programs are started."""

    how: int
    of: FrozenSet[str] = _ALL
    error: int = 0
    programs: bool = False


KINDS: Mapping[str, Kind] = {
    "killed before": Kind(_KILL_BEFORE),
    "killed after": Kind(_KILL_AFTER, programs=True),
    "all killed": Kind(_KILL_GROUP, programs=True),
    "killed within a write": Kind(_TORN, _WRITE),
    "short write": Kind(_SHORT, _WRITE),
    "EIO": Kind(_ONCE, error=errno.EIO),
    "EACCES": Kind(_ONCE, error=errno.EACCES),
    "ENOSPC once": Kind(_ONCE, _ROOM, errno.ENOSPC),
    "ENOSPC": Kind(_FROM_NOW_ON, _ROOM, errno.ENOSPC),
    "EROFS": Kind(_FROM_NOW_ON, error=errno.EROFS),
    "EDQUOT": Kind(_FROM_NOW_ON, _ROOM, errno.EDQUOT),
    # As on NFS, where also an operation that was done is tried again if its answer was lost.
    "ESTALE": Kind(_ONCE, error=errno.ESTALE),
    "done, but ENOENT": Kind(_LOST, frozenset({"rename", "unlink", "rmdir"}), errno.ENOENT),
    "done, but EEXIST": Kind(_LOST, frozenset({"mkdir", "link", "symlink"}), errno.EEXIST),
}
Contents = Dict[str, object]
#: An operation, by its number and name, and how it fails.
Case = Tuple[int, str, str]
Choose = Callable[[List[Case]], List[Case]]
#: What is wrong with the contents before, now, and after an act that did not fail.
Judge = Callable[[Contents, Contents, Contents], Iterator[str]]
#: Exit codes of what was done in a process of its own.
DONE, REFUSED, UNEXPECTED = 0, 1, 70
#: Seconds after which it hangs.
_LONGEST = 60


def environ(directory: Path) -> Dict[str, str]:
    """The variables for a process in which faults are possible; compiles the library."""
    library = str(directory / "faults.so")
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, str(SOURCE), "-ldl"], check=True)
    return {**os.environ, PRELOAD: library}


class Faults:
    """What the library is told, here and in what is started from now on, and what it says."""

    def __init__(self, state: Path) -> None:
        state.write_bytes(bytes(_SIZE))
        with state.open("r+b") as file:
            self._state = mmap.mmap(file.fileno(), _SIZE)
        os.environ[STATE] = str(state)
        ctypes.CDLL(None).faults_attach(os.fsencode(state))

    def arm(self, under: Path, at: int, kind: Optional[Kind] = None) -> None:
        """From now on count what is below a directory; the one ``at`` fails (-1: none does)."""
        how, error = (kind.how, kind.error) if kind else (_NONE, 0)
        _HEAD.pack_into(self._state, 0, 0, at, how, error, 0, os.fsencode(under))

    def disarm(self) -> Tuple[List[str], int]:
        """The names of what was counted, and how many have failed."""
        count, _, _, _, fired, _ = _HEAD.unpack_from(self._state, 0)
        if count > _OPERATIONS:
            raise RuntimeError(f"{count} operations: are more than {_OPERATIONS}")
        raw = self._state[_HEAD.size : _HEAD.size + count * _NAME]
        names = [raw[at : at + _NAME].rstrip(b"\0").decode() for at in range(0, len(raw), _NAME)]
        self._state[:] = bytes(_SIZE)
        return names, fired


def one_line(status: int, said: str) -> Optional[str]:
    """What is wrong with an answer, if not that it is our error in one line, or none."""
    if status not in (DONE, REFUSED, -signal.SIGKILL) or "\n" in said.strip():
        return f"answers {status}: {said}"
    return None


def differences(_: Contents, found: Contents, expected: Contents) -> Iterator[str]:
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            yield f"{name}: is not healed ({found.get(name)!r:.80})"


@dataclass(frozen=True)
class Scenario:
    """What is done in a directory while something fails, and what has to hold of it then.

    ``act`` is done again to heal, or if the result may then be another one, ``again``. What is
    ``restored`` by copying the directory back may lack something. ``programs`` are started.
    """

    name: str
    path: Path
    act: Callable[[], None]
    torn: Judge
    again: Optional[Callable[[], None]] = None
    unhealed: Judge = differences
    answer: Callable[[int, str], Optional[str]] = one_line
    restored: Callable[[], None] = lambda: None
    programs: bool = False


Scenarios = Mapping[str, Callable[[Path], Scenario]]


@dataclass
class Report:
    """How many faults were injected, by kind and by how it ended, and what was wrong then."""

    name: str
    operations: int = 0
    left: int = 0
    """Cases for which there was no time."""
    seconds: int = 0
    injected: Dict[str, int] = field(default_factory=dict)
    ended: Dict[str, int] = field(default_factory=dict)
    wrong: List[str] = field(default_factory=list)


def contents(path: Path) -> Contents:
    """All that is in a directory but what only saves time, by path."""
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


def cases(names: List[str], programs: bool) -> List[Case]:
    """Each way in which each of the operations can fail."""
    return [
        (at, name, kind)
        for at, name in enumerate(names, 1)
        for kind, one in KINDS.items()
        if name in one.of and (programs or not one.programs)
    ]


def run(scenario: Scenario, faults: Faults, chosen: Choose, until: float) -> Report:
    """Try a choice of all cases of a scenario, until a time (of the monotonic clock)."""
    report = Report(scenario.name)
    begin = time.monotonic()
    base = scenario.path.with_name("base")
    shutil.copytree(scenario.path, base, symlinks=True)
    before = contents(scenario.path)
    faults.arm(scenario.path, -1)
    status, said, _ = _in_child(scenario.act)
    names, _ = faults.disarm()
    if status:
        raise RuntimeError(f"{scenario.name}: fails by itself: {said}")
    after = contents(scenario.path)
    report.operations = len(names)
    for at, name, kind in chosen(cases(names, scenario.programs)):
        if time.monotonic() > until:
            report.left += 1
            continue
        _restore(base, scenario)
        faults.arm(scenario.path, at, KINDS[kind])
        status, said, group = _in_child(scenario.act)
        _, fired = faults.disarm()
        if fired:
            report.injected[kind] = report.injected.get(kind, 0) + 1
        ended = {DONE: "done", REFUSED: "refused", -signal.SIGKILL: "killed"}.get(status, "raised")
        report.ended[ended] = report.ended.get(ended, 0) + 1
        wrong = [*filter(None, [scenario.answer(status, said)])]
        wrong += scenario.torn(before, contents(scenario.path), after)
        _age(scenario.path)
        status, said, healing = _in_child(scenario.again or scenario.act)
        if status:
            wrong.append(f"does not heal: {said}")
        for one in (group, healing):  # What of it has lived on until now was not in the way.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one, signal.SIGKILL)
        wrong += scenario.unhealed(before, contents(scenario.path), after)
        subject = f"{scenario.name}: {kind} at {at} of {len(names)} ({name})"
        report.wrong += [f"{subject}: {one}" for one in wrong]
    report.seconds = round(time.monotonic() - begin)
    return report


def _restore(base: Path, scenario: Scenario) -> None:
    shutil.rmtree(scenario.path)
    shutil.copytree(base, scenario.path, symlinks=True)
    scenario.restored()


def _in_child(act: Callable[[], None]) -> Tuple[int, str, int]:
    """Do something in a process of its own; its exit code, or minus a signal, words, and group."""
    words = os.memfd_create("words")
    child = os.fork()
    if not child:
        code, said = DONE, ""
        try:
            os.setpgid(0, 0)
            signal.alarm(_LONGEST)
            os.dup2(words, 1)
            os.dup2(words, 2)
            act()
        except PyvariumError as error:
            code, said = REFUSED, str(error)
        except AssertionError as error:
            code, said = UNEXPECTED, str(error)
        except BaseException:
            code, said = UNEXPECTED, traceback.format_exc()
        os.write(1, said.encode())
        os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = os.pread(words, 8000, 0).decode(errors="replace")
    os.close(words)
    return status, said, child


#: What is not whole yet, or not any more, has a name by which nobody takes it for the whole.
UNFINISHED = re.compile(
    rf"(^|/)(\.[^/]*\.\d+\.[a-z0-9_]{{8}}|~[^/]*|[^/]*({re.escape(NEW)}|{re.escape(OLD)}))(/|$)"
)


def _age(path: Path) -> None:
    """As if what comes next came a day later."""
    for one in path.rglob(".*"):
        if UNFINISHED.search(one.name) and one.is_file():
            os.utime(one, (0, 0))


def choice(seed: int, count: Optional[int]) -> Choose:
    """Choose from the cases of a scenario: all, or so many."""

    def choose(found: List[Case]) -> List[Case]:
        if count is None or count >= len(found):
            return found
        return random.Random(seed).sample(found, count)

    return choose
