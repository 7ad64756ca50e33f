# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""One environment for several users: it is one user's and read-only for the others, who build on
it, or several users' of one group. Only root can be two users.
"""

from __future__ import annotations

import json
import os
import pwd
import random
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterator, List, Tuple

import pytest
from installers import NEWEST, SPECS_ON_INDEX, Installer, checksums
from spacks import PYPROJECT, TOP, Environment, NewEnvironment, Spack, finish, write

#: Who builds on what is root's (Spack wants a name for them), and the group of an environment.
OTHER, GROUP = pwd.getpwnam("nobody").pw_uid, 64002

_CHANGING = re.compile(
    r"\d+ +(?P<call>\w+)\((?P<words>.*)\) += (?!-1 )\d",
)
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<base>[^>]*)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')
#: The calls that change a file system; ``open`` does with some of its words.
CALLS = (
    *("chmod", "chown", "creat", "fchmodat", "fchownat", "lchown", "link", "linkat", "mkdir"),
    *("mkdirat", "mknod", "mknodat", "open", "openat", "rename", "renameat", "renameat2"),
    *("rmdir", "symlink", "symlinkat", "truncate", "unlink", "unlinkat", "utimensat"),
)


def as_other(*words: str) -> Tuple[str, ...]:
    """What runs a command as another user, who may read all and write only what is theirs."""
    capability = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
    user = ("--reuid", str(OTHER), "--regid", str(OTHER), "--clear-groups")
    return ("setpriv", *user, *capability, *words)


def opened(path: Path, aside: Path) -> Tuple[str, ...]:
    """What runs a command for which no directory above a path is closed to others.

    ``access(2)``, by which Spack looks for programs, heeds no capability.
    """
    above = (one for one in reversed(path.parents) if not one.stat().st_mode & stat.S_IXOTH)
    closed = next(above, None)
    if closed is None:
        return ()
    script = """
        mount --bind "$1" "$2" && mount -t tmpfs -o mode=755 tmpfs "$3" &&
        mkdir -p "$1" && mount --bind "$2" "$1" && shift 3 && exec "$@"
    """
    aside.mkdir()
    return ("unshare", "--mount", "sh", "-c", script, "sh", str(path), str(aside), str(closed))


@pytest.fixture
def theirs() -> Iterator[Path]:
    """The home of another user, below no directory that is closed to them."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can be two users")
    with tempfile.TemporaryDirectory(prefix="pyvarium-") as path:
        os.chown(path, OTHER, OTHER)
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def trace(theirs: Path) -> Path:
    """Where what the other user does to files is written down."""
    if not shutil.which("strace"):
        pytest.skip("no strace here that would see what is written")
    return theirs / "trace"


@pytest.fixture
def other(
    spack: Spack, theirs: Path, trace: Path, installer_of: Callable[[str], Installer]
) -> Spack:
    """The same Spack as it is for another user: our configuration is the system's for them."""
    uv = installer_of(next(one for one in NEWEST if one.startswith("uv==")))
    cache = spack.host.prefix / "cache/misc"
    shutil.copytree(cache, theirs / "cache", ignore=shutil.ignore_patterns("*.lock", ".lock"))
    for path in (theirs / "cache").rglob("*"):
        os.chown(path, OTHER, OTHER)
    os.chown(theirs / "cache", OTHER, OTHER)
    write(
        theirs / "config" / "config.yaml",
        f"config:\n  misc_cache: {theirs}/cache\n  source_cache: {theirs}/sources\n"
        f"  build_stage:: [{theirs}/stage]\n  test_stage: {theirs}/test\n",
    )
    write(
        theirs / "config" / "pyvarium.yaml",
        f"pyvarium:\n  tools:\n    uv: {uv.python.parent}/uv\n",
    )
    words = ("-f", "-y", "-qq", "--seccomp-bpf", "-e", f"trace={','.join(CALLS)}")
    own = {
        "HOME": str(theirs),
        "TMPDIR": str(theirs),
        "SPACK_SYSTEM_CONFIG_PATH": str(spack.configuration),
        "SPACK_USER_CACHE_PATH": str(theirs / "user-cache"),
        "SPACK_USER_CONFIG_PATH": str(theirs / "config"),
    }
    spack = spack.with_environ(**{**uv.environ, **own})
    python = Path(os.path.realpath(spack.host.prefix / "python/bin/python")).parents[1]
    before = opened(python, theirs / "aside")
    return replace(spack, prefix=(*before, *as_other("strace", *words, "-A", "-o", str(trace))))


def written(trace: Path) -> List[str]:
    """The paths that were changed, told from a trace; also of what failed halfway nothing else."""
    found = set()
    for line in trace.read_text(errors="replace").splitlines():
        match = _CHANGING.match(line)
        if match is None:
            continue
        call, words = match["call"], match["words"]
        if call in ("open", "openat") and not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", words):
            continue
        # The target of a symbolic link is no path that is changed.
        paths = list(_PATH.finditer(words))
        for path in paths[1:] if call.startswith("symlink") else paths:
            found.add(os.path.normpath(os.path.join(path["base"] or "/", path["path"])))
    return sorted(found)


def shared(spack: Spack, new_environment: NewEnvironment) -> Environment:
    """An environment of ours, with one spec in the store of ours and others upstream of it."""
    environment = new_environment(*SPECS_ON_INDEX, "py-six@1.15.0", name="shared", pyproject=None)
    spack("-D", environment.path, "install")
    spack("-D", environment.path, "pyvarium", "sync")
    return environment


@pytest.mark.parametrize("store", ["configured", "none"])
def test_build_on_a_read_only_environment(
    store: str,
    spack: Spack,
    other: Spack,
    theirs: Path,
    trace: Path,
    new_environment: NewEnvironment,
    request: pytest.FixtureRequest,
) -> None:
    """Another user makes a layer on it, adds, syncs and verifies, and writes nowhere else."""
    if store == "configured" or not spack.links_directories:
        request.getfixturevalue("thoroughly")
    if store == "configured":  # Then the stores of ours are unknown to them.
        with (theirs / "config" / "config.yaml").open("a") as file:
            file.write(f"  install_tree:\n    root: {theirs}/store\n")
        write(theirs / "config" / "upstreams.yaml", "upstreams:: {}\n")
    environment = shared(spack, new_environment)
    roots = (environment.path, spack.store, spack.host.prefix / "upstream", spack.configuration)
    before = checksums(*roots)
    mine = Environment(theirs / "mine")
    other("pyvarium", "new", mine.path, "--on", environment.path, "--backend", "uv")
    other("-D", mine.path, "pyvarium", "add", "webby", "py-tiny")
    other("-D", mine.path, "pyvarium", "sync")
    done = other("-D", mine.path, "pyvarium", "verify", "--json")
    python = mine.path / ".venv/bin/python"
    code = "import clicker, six, webby; print(six.__file__)"
    imported = subprocess.run(
        as_other(str(python), "-I", "-c", code), check=True, capture_output=True, text=True
    )
    assert json.loads(done.out)["faults"] == []
    assert Path(imported.stdout.strip()).resolve().is_relative_to(spack.store)
    assert mine.pins == {**environment.pins, "tiny": "2.0"}
    assert [*theirs.rglob("py-tiny-2.0-*")] != []
    assert checksums(*roots) == before
    outside = [
        path for path in written(trace) if not path.startswith((f"{theirs}/", "/dev/", "/proc/"))
    ]
    assert outside == []


@pytest.mark.usefixtures("thoroughly")
def test_read_only_is_in_step(spack: Spack, other: Spack, new_environment: NewEnvironment) -> None:
    """Whoever may only read is told the truth, and what to do."""
    environment = shared(spack, new_environment)
    words = ("-D", environment.path, "pyvarium")
    for command in ("sync", "verify", "status", "activate"):
        other(*words, command)
    (environment.path / "activate.sh").unlink()
    done = other(*words, "sync", code=1)
    assert done.err.strip() == (
        f"==> Error: {environment.path}: is out of step, and read-only; have its owner run 'spack"
        f" pyvarium sync', or build on it by 'spack pyvarium new DIR --on {environment.path}'"
    )


@pytest.mark.usefixtures("thoroughly")
def test_lower_has_changed(spack: Spack, new_environment: NewEnvironment, tmp_path: Path) -> None:
    """What the owner changes is found, and taken over by Spack's own command."""
    environment = shared(spack, new_environment)
    mine = Environment(tmp_path / "mine")
    spack("pyvarium", "new", mine.path, "--on", environment.path, "--skip-install")
    spack("-D", mine.path, "install")
    spack("-D", mine.path, "pyvarium", "sync")
    new_environment("py-clicker", name="shared", pyproject=None)
    done = spack("-D", mine.path, "pyvarium", "verify", code=3)
    spack("-D", environment.path, "install")
    spack("-D", mine.path, "concretize", "--force")
    spack("-D", mine.path, "install")
    assert done.out.splitlines() == [
        f"stale-lower: {environment.path}: has changed since this environment was concretized on"
        " it; run 'spack concretize --force' and 'spack pyvarium install'"
    ]
    assert mine.pins == mine.importable
    spack("-D", mine.path, "pyvarium", "verify")


@dataclass(frozen=True)
class Owned:
    """Who may do what with a file: its group, and whether the group may write."""

    group: int
    writable: bool


def owned(root: Path) -> Iterator[Tuple[str, Owned]]:
    for folder, _, files in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            if not os.path.islink(path):
                status = os.stat(path)
                yield path, Owned(status.st_gid, bool(status.st_mode & stat.S_IWGRP))


def commands_for_a_group(path: Path) -> List[List[str]]:
    """What the guide for admins has them run, for this environment and our group."""
    guide = (TOP / "docs/admins.md").read_text()
    section = guide.partition("**One environment for a group.**")[2].partition("```\n\n")[0]
    names = {"team": str(GROUP), "/projects/team/env": str(path)}
    lines = re.findall(r"^# (.*)$", section, re.MULTILINE)
    return [[names.get(word, word) for word in shlex.split(line)] for line in lines]


def test_group(spack: Spack, new_environment: NewEnvironment, theirs: Path) -> None:
    """After the commands of the guide, with a umask as it says, all files are the group's."""
    environment = new_environment(*SPECS_ON_INDEX, name="shared")
    spack("-D", environment.path, "install")
    shutil.rmtree(environment.path / ".spack-env/pyvarium", ignore_errors=True)
    store = dict(owned(spack.store))
    commands = commands_for_a_group(environment.path)
    assert [command[0] for command in commands] == ["chgrp", "chmod", "find"]
    for command in commands:
        subprocess.run(command, check=True)
    assert dict(owned(spack.store)) == store
    environment.pyproject.chmod(0o640)
    command = spack.command("-D", environment.path, "pyvarium", "sync")
    in_group = ("sh", "-c", 'umask 002 && exec "$@"', "sh", *command)
    done = finish(
        subprocess.Popen(
            in_group,
            env=spack.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    assert done.code == 0, done
    assert stat.S_IMODE(environment.pyproject.stat().st_mode) == 0o640
    environment.pyproject.chmod(0o660)
    others = {path: one for path, one in owned(environment.path) if one != Owned(GROUP, True)}
    assert others == {}


@pytest.mark.usefixtures("thoroughly")
def test_many_at_once(spack: Spack, new_environment: NewEnvironment) -> None:
    """32 processes sync while another installs, and some are killed at any moment."""
    environment = new_environment(*SPECS_ON_INDEX)
    spack("-D", environment.path, "install")
    new_environment(*SPECS_ON_INDEX, "py-localized", "py-six@1.15.0", pyproject=None)
    installing = spack.start("-D", environment.path, "install")
    command = [sys.executable, "-m", "pyvarium", "sync", str(environment.path)]
    environ = {**spack.environ, "PYTHONPATH": str(TOP / "spack-pyvarium")}
    syncing = [spack.start("-D", environment.path, "pyvarium", "sync") for _ in range(8)]
    quiet = subprocess.DEVNULL
    syncing += [
        subprocess.Popen(command, env=environ, stdout=quiet, stderr=quiet, text=True)
        for _ in range(24)
    ]
    chance = random.Random(0)
    for process in chance.sample(syncing, 16):
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        assert environment.text.startswith(PYPROJECT)
        assert environment.pins is not None  # As TOML it is whole.
    done = finish(installing)
    for process in syncing:
        process.communicate(timeout=120)
    assert done.code == 0, done
    locked = spack("-D", environment.path, "pyvarium", "sync")
    assert locked.out.endswith("in step\n"), locked
    assert environment.pins == environment.importable
    assert {*environment.importable} == {"clicker", "facets", "localized", "six", "tensors"}
    assert spack("-D", environment.path, "pyvarium", "verify").code == 0
