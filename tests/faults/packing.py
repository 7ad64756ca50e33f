# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The scenarios of packs: the file that is written, and the first start that unpacks it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator, List, Optional

from faults import DONE, Contents, Scenario, Scenarios, contents
from syncs import below, torn_files

import pyvarium
from made_packs import RUNNER, made, usual
from pyvarium import pack_file
from pyvarium.members import Tree, gather
from pyvarium.pack_file import Content
from pyvarium.pack_manifest import Origin

ORIGIN = Origin(os.uname().machine, "glibc 2.36", "3.11", "my-env", "spack-pyvarium 0")
#: Of what does not become smaller: more than one block of each format.
_SIZE = 1_200_000


def _pack(ending: str, *, older: bool = True) -> Callable[[Path], Scenario]:
    """A pack is written, where mostly an older one is already."""

    def make(root: Path) -> Scenario:
        source, place = root / "source", root / "place"
        for directory in (source / "bin", source / "data", place):
            directory.mkdir(parents=True)
        (source / "bin" / "run_in_env").write_text("#!/bin/sh\n")
        (source / "data" / "large").write_bytes(random.Random(0).randbytes(_SIZE))
        (source / "data" / "link").symlink_to("large")
        (place / "notes.txt").write_text("the user's\n")
        file = (place if older else place / "packs") / f"work{ending}"
        gathered = gather(Tree(path, path.name) for path in sorted(source.iterdir()))
        content = Content(gathered.files, gathered.links, tuple(sorted(gathered.directories)))
        if older:
            former = Content({}, {}, ("bin",))
            pack_file.write(file, ORIGIN, former, workers=1, report=lambda _: None)

        def act() -> None:
            pack_file.write(file, ORIGIN, content, workers=2, report=lambda _: None)

        def torn(before: Contents, now: Contents, after: Contents) -> Iterator[str]:
            return torn_files(before, now, after, users=("notes.txt",))

        return Scenario(root.name, place, act, torn, programs=ending != ".tar.gz")

    return make


class Start:
    """The start of a command in a pack, as the program in it does it."""

    def __init__(self, root: Path, lock: str, *, by_python: bool = False) -> None:
        self.place = root / "place"
        self.cache = self.place / "cache"
        (self.place / "tmp").mkdir(parents=True)
        pack = made(*usual(**{"data/a": "A", "data/b": "B" * 20_000}))
        self.home = self.cache / pack.content_id
        core = str(Path(pyvarium.__file__).parents[1])
        self.program = ["/bin/sh", str(RUNNER)]
        with_python = ["--unpack-with", sys.executable, core] if by_python else []
        file = pack.write(root / "a.tar.gz")
        read = 'cat "$PYVARIUM_PACK/data/a"; echo " of $PYVARIUM_PACK"'
        options = ["-e", str(file), "-u", str(self.cache), "-w", "20"]
        self.words = [*self.program, *with_python, *options, "--", "sh", "-c", read]
        self.environ = {**os.environ, "PYVARIUM_LOCK": lock, "TMPDIR": str(self.place / "tmp")}
        self.said = f"A of {self.home}\n"
        self.check()
        self.whole = contents(self.home)

    def become(self, words: List[str]) -> None:
        os.execve(words[0], words, self.environ)

    def check(self) -> None:
        done = self._run(self.words)
        if (done.returncode, done.stdout) != (0, self.said):
            raise AssertionError(f"{done.returncode}: {done.stdout}{done.stderr}")

    def clean(self) -> None:
        """Clear all away, so much later that whoever has not said anything is dead."""
        for one in self.cache.iterdir():
            os.utime(one, (1, 1))
        done = self._run([*self.program, "--clean", "-u", str(self.cache)])
        left = os.listdir(self.cache)
        if done.returncode or left:
            raise AssertionError(f"is not cleared: {left} ({done.returncode}: {done.stderr})")

    def _run(self, words: List[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, env=self.environ, capture_output=True, text=True)

    def heal(self) -> None:
        """A later start always succeeds, in a whole environment, and all can be cleared away."""
        self.check()
        if contents(self.home) != self.whole:
            raise AssertionError("a later start is in what is not whole")
        self.clean()

    def torn(self, before: Contents, now: Contents, after: Contents) -> Iterator[str]:
        """An environment is as before or as after, or not there; the rest has other names."""
        name = str(self.home.relative_to(self.place))
        found = below(name, now)
        if found and found not in (below(name, before), below(name, after)):
            yield f"{name}: is torn"

    def answer(self, status: int, said: str) -> Optional[str]:
        """A command has run where it should, or a line says why none has."""
        lines = said.splitlines() or [""]
        if status == DONE and not said.endswith(self.said):
            return f"runs a command elsewhere: {said}"
        if status == 1 and not lines[-1].startswith("pyvarium-run: "):
            return f"does not say why it fails: {said}"
        return None if status in (DONE, 1, -9) else f"answers {status}: {said}"


def _run(
    lock: str, *, by_python: bool = False, broken: bool = False
) -> Callable[[Path], Scenario]:
    """A first start on a machine, perhaps where an environment lacks a part."""

    def make(root: Path) -> Scenario:
        start = Start(root, lock, by_python=by_python)
        if broken:
            (start.home / "bin" / "run_in_env").unlink()
        else:
            shutil.rmtree(start.cache)
        return _scenario(root, start, start.words)

    return make


def _clean(root: Path) -> Scenario:
    """What a dead start has left is cleared away, and what is complete."""
    start = Start(root, "lease")
    key = start.home.name
    host = f"{os.uname().nodename}.{os.stat('/proc/self/ns/pid').st_ino}"
    dead = 1 << 22  # No process has such a number.
    for name in (f".{key}.{host}.{dead}", f".{key}-{host}.{dead}", f".{key}.lease"):
        (start.cache / name).mkdir()
    (start.cache / f".{key}.lease" / "owner").write_text(f"{host} {dead}\n")
    return _scenario(root, start, [*start.program, "--clean", "-u", str(start.cache)])


def _scenario(root: Path, start: Start, words: List[str]) -> Scenario:
    return Scenario(
        root.name,
        start.place,
        lambda: start.become(words),
        start.torn,
        start.heal,
        lambda *_: iter(()),
        start.answer if words is start.words else _cleared,
        programs=True,
    )


def _cleared(status: int, said: str) -> Optional[str]:
    return (
        None if status in (DONE, -9) or "pyvarium-run: " in said else f"answers {status}: {said}"
    )


SCENARIOS: Scenarios = {
    "pack-gzip": _pack(".tar.gz"),
    "pack-first": _pack(".tar.gz", older=False),
    "pack-zstd": _pack(".tar.zst"),
    "pack-squashfs": _pack(".sqfs"),
    "run": _run("flock"),
    "run-python": _run("flock", by_python=True),
    "run-lease": _run("lease"),
    "run-broken": _run("lease", by_python=True, broken=True),
    "clean": _clean,
}
