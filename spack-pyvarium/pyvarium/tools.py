# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The programs of the backends: found where they are, or installed into a prefix of their own.

Such a prefix is a venv with one backend and what that needs; it can be deleted as a whole. Not
done here: upgrading by itself, and keeping two calls for one prefix apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence

from packaging.version import InvalidVersion, Version

from . import host, libraries
from .errors import PyvariumError
from .files import read_optional, write_atomically
from .model import Backend
from .settings import Setting, tool_key

#: The first version that does what we ask of it. Poetry and PDM read dependency groups (PEP 735)
#: from these on, pip installs them; an older uv takes no flat index in a project.
OLDEST: Mapping[Backend, str] = {
    Backend.UV: "0.6.17",
    Backend.POETRY: "2.2",
    Backend.PDM: "2.20",
    Backend.PIP: "25.1",
}

#: What to install where it is more than the name. PDM alone takes the newest of what it needs,
#: and is broken by some of it; with this extra it takes what it was tried with.
REQUIREMENTS: Mapping[Backend, str] = {Backend.PDM: "pdm[locked]"}

#: What a prefix was made for.
RECORD = "pyvarium.json"
#: What a venv consists of. Nothing else in a prefix is ever removed.
_VENV = ("bin", "include", "lib", "lib64", "share", "pyvenv.cfg")

_VERSION = re.compile(r"\d+(\.\d+)+((a|b|rc|\.post|\.dev)\d+)*")

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class ToolError(PyvariumError):
    """The program of a backend is missing, too old, or cannot be installed."""


@dataclass(frozen=True)
class Tool:
    """The program of a backend, known to run."""

    path: Path
    version: str


@dataclass(frozen=True)
class Installation:
    """The program in a prefix, and whether it was put there just now."""

    tool: Tool
    new: bool


@dataclass(frozen=True)
class _Record:
    """What a prefix is made for and with; ``complete`` once everything is in place."""

    backend: str
    python: str
    complete: bool = False


def find(
    backend: Backend, configured: Optional[Setting[str]], *, run: Optional[Runner] = None
) -> Tool:
    """The program of a backend: the configured one, else that on PATH; raises ToolError."""
    remedy = f"run 'spack pyvarium setup {backend.value} PREFIX'"
    if configured is not None:
        remedy = f"mend {tool_key(backend)} in {configured.origin}, or {remedy}"
        return check(backend, configured.value, remedy, run)
    remedy = f"install {backend.value} {OLDEST[backend]} or newer, or {remedy}"
    path = shutil.which(backend.value)
    if path is None:
        raise ToolError(f"{backend.value}: is not on PATH; {remedy}")
    return check(backend, path, remedy, run)


def check(backend: Backend, path: str, remedy: str, run: Optional[Runner] = None) -> Tool:
    """See that a program runs and is new enough; raises ToolError, which ends with ``remedy``."""
    try:
        done = (run or _run)([path, "--version"])
    except OSError as error:
        raise ToolError(f"{path}: cannot be run ({error.strerror}); {remedy}") from None
    found = _VERSION.search(done.stdout)
    if done.returncode or not found or backend.value not in done.stdout.lower():
        raise ToolError(f"{path}: does not work ({libraries.last_error(done)}); {remedy}")
    if Version(found[0]) < Version(OLDEST[backend]):
        raise ToolError(
            f"{path}: is {backend.value} {found[0]}, and {OLDEST[backend]} or newer is needed;"
            f" {remedy}"
        )
    return Tool(Path(path), found[0])


def program(backend: Backend, prefix: Path) -> Path:
    """Where ``install`` puts the program of a backend."""
    return Path(os.path.abspath(prefix), "bin", backend.value)


def is_installed(backend: Backend, path: Path) -> bool:
    """Whether a program is, or was meant to be, one that ``install`` put into a prefix."""
    with contextlib.suppress(PyvariumError):
        record = _read_record(path.parent.parent)
        return record is not None and record.backend == backend.value
    return False


def install(
    backend: Backend,
    prefix: Path,
    *,
    version: Optional[str] = None,
    python: Optional[str] = None,
    run: Optional[Runner] = None,
    report: host.Report = lambda _: None,
) -> Installation:
    """Install a backend into a venv of its own; at once where it is there already.

    The newest version or the given one, from the package index that pip is told of. ``python`` is
    the interpreter that is to run it, by default the running one. What a killed call left is made
    anew; where something else stands nothing is touched. Raises ToolError.
    """
    run = run or _run
    prefix = Path(os.path.abspath(prefix))
    path = program(backend, prefix)
    requirement = _requirement(backend, version)
    record = _read_record(prefix)
    if record is None:
        _check_unused(prefix, backend)
    if record is not None and python is None:
        base = record.python
    else:
        base = host.probe(python or sys.executable).executable
    wanted = _Record(backend.value, base)
    if record is not None and wanted != replace(record, complete=False):
        made = f"{record.backend} and {record.python}"
        raise ToolError(f"{prefix}: was made for {made}; choose another path or remove it")

    remedy = "remove the directory and try again"
    there = None
    if record is not None and record.complete:
        with contextlib.suppress(ToolError):
            there = check(backend, str(path), remedy, run)
    if there is not None:
        if version is None or Version(version) == Version(there.version):
            return Installation(there, new=False)
        report(f"installing {requirement} into {prefix}")
        _install(requirement, prefix, run)
        return Installation(check(backend, str(path), remedy, run), new=True)

    _write_record(prefix, wanted)
    try:
        report(f"installing {requirement} into {prefix} with {wanted.python}")
        _make_venv(wanted.python, prefix, run)
        _install(requirement, prefix, run)
        tool = check(backend, str(path), remedy, run)
    except ToolError:
        _remove(prefix)
        raise
    _write_record(prefix, replace(wanted, complete=True))
    return Installation(tool, new=True)


def _requirement(backend: Backend, version: Optional[str]) -> str:
    name = REQUIREMENTS.get(backend, backend.value)
    if version is None:
        return f"{name}>={OLDEST[backend]}"
    try:
        too_old = Version(version) < Version(OLDEST[backend])
    except InvalidVersion:
        raise ToolError(f"{version!r}: is not a version; give one such as 1.2.3") from None
    if too_old:
        raise ToolError(
            f"{backend.value} {version}: is too old; choose {OLDEST[backend]} or newer"
        )
    return f"{name}=={version}"


def _check_unused(prefix: Path, backend: Backend) -> None:
    if not os.path.lexists(prefix):
        return
    try:
        used = any(prefix.iterdir())
    except OSError as error:
        raise ToolError(f"{prefix}: {error.strerror}; choose another path") from None
    if used:
        raise ToolError(
            f"{prefix}: is there already, for something else; choose another path, or name the"
            f" program in it by 'spack pyvarium config {tool_key(backend)} PATH'"
        )


def _make_venv(python: str, prefix: Path, run: Runner) -> None:
    if run([python, "-c", "import ensurepip, venv"]).returncode:
        raise ToolError(
            f"{python}: cannot make a venv; install what its system splits off as python3-venv,"
            " or name another Python by --python"
        )
    _clear(prefix)
    done = run([python, "-m", "venv", str(prefix)])
    if done.returncode:
        raise ToolError(
            f"{prefix}: {python} could not make a venv ({libraries.last_error(done)});"
            " mend this, or name another Python by --python"
        )


def _install(requirement: str, prefix: Path, run: Runner) -> None:
    pip = [str(prefix / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input"]
    done = run([*pip, "--upgrade", "--prefer-binary", requirement])
    if done.returncode:
        raise ToolError(
            f"{prefix}: {requirement} could not be installed ({libraries.last_error(done)});"
            " mend this, or name an index that can be reached by PIP_INDEX_URL"
        )


def _clear(prefix: Path) -> None:
    try:
        for path in filter(os.path.lexists, (prefix / name for name in _VENV)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise ToolError(
            f"{error.filename}: cannot be removed ({error.strerror}); choose another path"
        ) from None


def _remove(prefix: Path) -> None:
    """Leave nothing of what a failed call made."""
    with contextlib.suppress(OSError, ToolError):
        _clear(prefix)
        (prefix / RECORD).unlink()
        prefix.rmdir()


def _read_record(prefix: Path) -> Optional[_Record]:
    data = read_optional(prefix / RECORD)
    try:
        return None if data is None else _Record(**json.loads(data))
    except (TypeError, ValueError) as error:
        raise ToolError(f"{prefix / RECORD}: {error}; remove {prefix}") from None


def _write_record(prefix: Path, record: _Record) -> None:
    text = json.dumps(asdict(record), indent=2) + "\n"
    try:
        prefix.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(
            f"{prefix}: cannot be written ({error.strerror}); choose another path"
        ) from None
    write_atomically(prefix / RECORD, text.encode(), expected=read_optional(prefix / RECORD))


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command apart from the Python stack that is active."""
    environ = {**os.environ, **libraries.PIP_ENVIRON}
    for name in ("PYTHONHOME", "PYTHONPATH"):
        environ.pop(name, None)
    return subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
