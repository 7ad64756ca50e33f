# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Gather what goes into a pack: which file, link or directory becomes which member.

A view and a venv are trees of links into a store or a cache, to single files and to whole
directories. In a pack a file stands once, where its own name is, and all other ways to it are
relative links that stay in the pack.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from .errors import FileError
from .model import Skipped

#: Which file it is, whatever leads to it.
Identity = Tuple[int, int]
#: Bytes that stand in the place of others, by their offset.
Patches = Tuple[Tuple[int, bytes], ...]


@dataclass(frozen=True)
class Tree:
    """A directory whose content becomes members below ``member``.

    ``takes`` answers for the name of a file, link or directory below it.
    """

    path: Path
    member: str
    takes: Callable[[str], bool] = lambda _: True


@dataclass(frozen=True)
class Member:
    """A regular file of a pack, from ``path`` as it is but for ``patches``, or ``data``."""

    name: str
    path: str = ""
    size: int = 0
    mtime: int = 0
    executable: bool = False
    patches: Patches = ()
    data: Optional[bytes] = None
    source: Optional[Tuple[int, int]] = None
    """Of compiled code, the time of its source in seconds since 1970, and the size in bytes."""

    @property
    def changed(self) -> bool:
        """Whether it is not the file of this machine."""
        return bool(self.patches or self.source) or self.data is not None

    @property
    def mode(self) -> int:
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True)
class Gathered:
    """All members: files, links by their targets, and directories, each by name."""

    files: Mapping[str, Member]
    links: Mapping[str, str]
    directories: Mapping[str, str]
    """With the real path that a directory was first seen at."""
    identities: Mapping[Identity, str] = field(default_factory=dict)
    skipped: Tuple[Skipped, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.files or name in self.links or name in self.directories


@dataclass(frozen=True)
class _Link:
    """A symbolic link that was met: what it leads to decides when all else is known."""

    name: str
    path: str
    takes: Callable[[str], bool]
    member: str


def gather(trees: Iterable[Tree]) -> Gathered:
    """Gather the members of all trees; what an earlier tree has, a later one does not replace."""
    files: Dict[str, Member] = {}
    links: Dict[str, str] = {}
    directories: Dict[str, str] = {}
    identities: Dict[Identity, str] = {}
    real: Dict[str, str] = {}
    to_files: List[Tuple[_Link, os.stat_result]] = []
    to_directories: List[_Link] = []
    skipped: List[Skipped] = []

    def add_parents(name: str) -> None:
        parent = os.path.dirname(name)
        if parent and parent not in directories:
            add_parents(parent)
            directories[parent] = ""

    def add_file(name: str, path: str, status: os.stat_result) -> None:
        add_parents(name)
        executable = bool(status.st_mode & stat.S_IXUSR)
        files[name] = Member(name, path, status.st_size, int(status.st_mtime), executable)
        identities.setdefault((status.st_dev, status.st_ino), name)

    def walk(path: str, name: str, takes: Callable[[str], bool], member: str) -> None:
        if not directories.get(name):
            add_parents(name)
            directories[name] = os.path.realpath(path)
        real.setdefault(directories[name], name)
        try:
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise FileError(
                f"{path}: cannot be listed ({error.strerror}); mend its permissions"
            ) from None
        for entry in found:
            below = f"{name}/{entry.name}"
            if below in files or below in links or not takes(below[len(member) + 1 :]):
                continue
            if entry.is_symlink():
                link = _Link(below, entry.path, takes, member)
                try:
                    status = entry.stat()
                except OSError:
                    skipped.append(Skipped(entry.path, "is a link to nothing"))
                    continue
                if stat.S_ISDIR(status.st_mode):
                    to_directories.append(link)
                elif stat.S_ISREG(status.st_mode):
                    to_files.append((link, status))
                else:
                    skipped.append(Skipped(entry.path, "is no regular file"))
            elif entry.is_dir():
                walk(entry.path, below, takes, member)
            elif entry.is_file():
                add_file(below, entry.path, entry.stat())
            else:
                skipped.append(Skipped(entry.path, "is no regular file"))

    for tree in trees:
        walk(str(tree.path), tree.member, tree.takes, tree.member)
        while to_directories:  # What is found below one may have further ones.
            link = to_directories.pop(0)
            target = real.get(os.path.realpath(link.path))
            if link.name in directories:
                walk(link.path, link.name, link.takes, link.member)
            elif target is not None and not link.name.startswith(f"{target}/"):
                add_parents(link.name)
                links[link.name] = os.path.relpath(target, os.path.dirname(link.name))
            elif target is None:
                walk(link.path, link.name, link.takes, link.member)
            else:
                skipped.append(Skipped(link.path, "leads to a directory that it is in"))
    # Those that name the file itself come first, then those that are links in the store too.
    to_files.sort(key=lambda one: (os.path.islink(_one_step(one[0].path)), one[0].name))
    for link, status in to_files:
        if link.name in files or link.name in links:
            continue
        name = identities.get((status.st_dev, status.st_ino))
        if name is None:
            add_file(link.name, link.path, status)
        else:
            add_parents(link.name)
            links[link.name] = os.path.relpath(name, os.path.dirname(link.name))
    return Gathered(files, links, directories, identities, tuple(skipped))


def _one_step(path: str) -> str:
    """What a link names, which may be a link again."""
    return os.path.join(os.path.dirname(path), os.readlink(path))


def identity(path: str) -> Optional[Identity]:
    """Which file a path leads to; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
