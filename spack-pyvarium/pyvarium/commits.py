# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Commit the files of an environment after a sync that has changed them, for whoever wants that.

Nothing else goes into the commit, and what else is staged stays so. Nothing is committed where a
file had changes of the user's own before, in continuous integration, or inside of a hook of Git's.
The hooks of the repository run, as for any commit.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from . import pins, pyproject
from .backends import MARKS
from .files import read_optional
from .model import Environment

PYPROJECT = "pyproject.toml"
#: What is committed of an environment, as far as it is there and not ignored: after a sync, and
#: after a command that has a backend lock as well.
SYNCED = (PYPROJECT, "spack.lock", "spack.yaml", "poetry.toml")
FILES = (*SYNCED, *(lock for _, lock in MARKS.values()))
#: Git sets these for its hooks: a commit is under way.
_INSIDE = ("GIT_DIR", "GIT_INDEX_FILE")
_LONGEST_SUBJECT = 72
#: Seconds for one command of Git's, hooks included.
_PATIENCE = 120

Run = Callable[[Sequence[str], Optional[bytes]], "subprocess.CompletedProcess[bytes]"]
Contents = Mapping[str, Optional[bytes]]


@dataclass(frozen=True)
class _GitError(Exception):
    """A command of Git's has failed, for a reason that is its last line."""

    reason: str


def contents(environment: Environment, names: Sequence[str] = FILES) -> Contents:
    """The files of an environment, before a command that may change them."""
    return {name: read_optional(environment.path / name) for name in names}


def commit(
    environment: Environment,
    before: Contents,
    environ: Mapping[str, str],
    *,
    push: bool = False,
    run: Optional[Run] = None,
) -> Iterator[str]:
    """Commit what differs from ``before``, and yield a line on what was done, or why it was not.

    ``before`` are files as they were until then. They must have been as in the last commit, but
    for Spack's two, which are what was synced. The locks of backends are committed if among them.
    """
    if environ.get("CI") or any(name in environ for name in _INSIDE):
        return
    if all(read_optional(environment.path / name) == data for name, data in before.items()):
        return
    names = FILES if before.keys() - set(SYNCED) else SYNCED
    git = _Git(environment.path, environ, run)
    try:
        tracked = git.tracked(names)
        if "spack.yaml" not in tracked:
            return  # No repository, or none that has this environment.
        own = [
            name
            for name, data in before.items()
            if not name.startswith("spack.") and git.differs(tracked.get(name), name, data)
        ]
        if own:
            yield f"{environment.path / own[0]}: had changes of your own; not committed"
            return
        if git.said("symbolic-ref", "--quiet", "HEAD") is None:
            yield f"{environment.path}: is on no branch; not committed"
            return
        message = render_message(environment.name, before.get(PYPROJECT), environment.pyproject)
        if git.commit(names, tracked, message):
            yield f"{environment.path}: committed: {message.splitlines()[0]}"
            if push:
                git.do("push", "--quiet")
                yield f"{environment.path}: pushed"
    except _GitError as error:
        yield f"Warning: {environment.path}: {error.reason}; commit or push by hand"


def render_message(name: str, before: Optional[bytes], path: Path) -> str:
    """What changed, in the same words for the same change."""
    texts = [(data or b"").decode("utf-8", "replace") for data in (before, read_optional(path))]
    old, new = (pyproject.owned(text, str(path)).pins or () for text in texts)
    diff = pins.compare(old, new)
    subject = f"{name}: {diff or 'in step with Spack'}"
    if len(subject) <= _LONGEST_SUBJECT:
        return subject
    body = "\n".join(str(diff).split(", "))
    return f"{name}: {diff.counted()}\n\n{body}"


class _Git:
    """Git in the directory of an environment, without any question to the user."""

    def __init__(self, directory: Path, environ: Mapping[str, str], run: Optional[Run]) -> None:
        self._directory = directory
        self._environ = {**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}
        self._run = run or self._started

    def _started(
        self, command: Sequence[str], data: Optional[bytes]
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            cwd=self._directory,
            env=self._environ,
            input=data or b"",
            capture_output=True,
            timeout=_PATIENCE,
        )

    def do(self, *words: str, data: Optional[bytes] = None) -> bytes:
        try:
            done = self._run(["git", *words], data)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _GitError(f"'git {words[0]}' failed ({type(error).__name__})") from None
        if done.returncode:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").split("\n")
            last = next((line.strip() for line in reversed(said) if line.strip()), "no reason")
            raise _GitError(f"'git {words[0]}' failed ({last})")
        return done.stdout

    def said(self, *words: str) -> Optional[bytes]:
        """What a command says, None where it fails."""
        try:
            return self.do(*words)
        except _GitError:
            return None

    def tracked(self, names: Sequence[str]) -> Dict[str, str]:
        """The files of the environment in the last commit, and what identifies their content."""
        listed = self.said("ls-tree", "-z", "HEAD", "--", *names) or b""
        rows = (row.partition("\t") for row in listed.decode("utf-8", "replace").split("\0"))
        return {name: meta.split()[2] for meta, _, name in rows if name}

    def differs(self, identifier: Optional[str], name: str, data: Optional[bytes]) -> bool:
        """Whether a file was not as in the last commit; one that is new there was nobody's."""
        if identifier is None:
            return data is not None and not self._is_ignored(name)
        if data is None:
            return True
        found = self.do("hash-object", "--stdin", f"--path={name}", data=data)
        return found.decode().strip() != identifier

    def _is_ignored(self, name: str) -> bool:
        return self.said("check-ignore", "--quiet", "--", name) is not None

    def commit(self, names: Sequence[str], tracked: Mapping[str, str], message: str) -> bool:
        """Commit the files; whether there was anything to commit."""
        there = [name for name in names if (self._directory / name).exists()]
        new = [name for name in there if name not in tracked and not self._is_ignored(name)]
        paths: List[str] = [*sorted(tracked), *new]
        if not self.do("status", "--porcelain", "--", *paths).strip():
            return False
        if new:
            self.do("add", "--intent-to-add", "--", *new)
        try:
            # Of what else is staged, --only takes nothing.
            self.do("commit", "--quiet", "--only", "--message", message, "--", *paths)
        except _GitError:
            if new:
                self.said("reset", "--quiet", "--", *new)
            raise
        return True
