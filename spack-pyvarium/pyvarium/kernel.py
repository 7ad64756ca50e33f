# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Jupyter kernels that run in an environment, though nobody has activated it.

A kernel is a directory with a ``kernel.json`` where Jupyter looks for it
(https://jupyter-client.readthedocs.io/en/stable/kernels.html). That file could hold variables, but
none that is to be removed, and of a list to which Jupyter's process has nothing to add it would
leave ``${NAME}`` as it stands. So the kernel sets them itself: by ``templates/kernel/start.py``,
which is in its command. Nothing in the environment is written.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Mapping, Optional, Sequence, Tuple

from . import files, root
from .distributions import metadata_paths, site_packages
from .errors import FileError, PyvariumError
from .files import FileChange
from .model import Environment
from .variables import Change, layered

FILE = "kernel.json"
#: The key in ``metadata`` by which we know our own.
MARK = "spack-pyvarium"
#: Where all users of a machine have kernels.
SYSTEM = (Path("/usr/local/share/jupyter"), Path("/usr/share/jupyter"))

_NAME = re.compile(r"[a-z0-9._-]+")
#: What Jupyter replaces in a command.
_PLACEHOLDER = re.compile(r"\{\w+\}")


class State(str, enum.Enum):
    """Whether a kernel starts, and starts what its environment is now."""

    READY = "ready"
    OUTDATED = "outdated"  # The environment was changed since: install it again.
    NO_PYTHON = "python-gone"
    NO_ENVIRONMENT = "environment-gone"


@dataclass(frozen=True)
class Kernel:
    """A kernel of ours that is installed in ``directory``."""

    name: str
    directory: Path
    display_name: str
    environment: Path
    state: State


def user_data(environ: Mapping[str, str], home: Path, platform: str) -> Path:
    """Where Jupyter keeps the data of a user (``jupyter_core.paths.jupyter_data_dir``)."""
    if environ.get("JUPYTER_DATA_DIR"):
        return Path(environ["JUPYTER_DATA_DIR"])
    if platform == "darwin":
        switch = environ.get("JUPYTER_PLATFORM_DIRS", "no").lower()
        native = switch not in ("no", "n", "false", "off", "0", "0.0")
        return home / "Library" / ("Application Support/Jupyter" if native else "Jupyter")
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "jupyter"


def kernels_in(data: Path) -> Path:
    """The directory of kernels in a directory of data."""
    return Path(os.path.abspath(data)) / "kernels"


def below(prefix: Path) -> Path:
    """The directory of kernels of a prefix, such as that of the Python that runs Jupyter."""
    return kernels_in(prefix / "share" / "jupyter")


def search_path(environ: Mapping[str, str], home: Path, platform: str) -> Tuple[Path, ...]:
    """The directories of kernels that any Jupyter of this user looks in."""
    own = filter(None, environ.get("JUPYTER_PATH", "").split(os.pathsep))
    data = [*map(Path, own), user_data(environ, home, platform), *SYSTEM]
    return tuple(dict.fromkeys(map(kernels_in, data)))


def default_name(environment: Environment) -> str:
    """The name of an environment's kernel; not that of one of Jupyter's own."""
    return "spack-" + (re.sub(r"[^a-z0-9._-]+", "-", environment.name.lower()) or "environment")


def plan(
    environment: Environment,
    changes: Iterable[Change],
    directory: Path,
    name: str,
    display_name: Optional[str] = None,
    *,
    force: bool = False,
) -> FileChange:
    """Plan to install the kernel of an environment into a directory of kernels.

    ``changes`` are those that Spack makes to variables. Raises PyvariumError where it would not
    start, and where another kernel has the name, unless that is to be replaced by ``force``.
    """
    _check_name(name)
    python = environment.venv / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise PyvariumError(f"{python}: is missing; run 'spack pyvarium install'")
    if not _has_ipykernel(environment):
        raise PyvariumError(
            f"{environment.path}: has no ipykernel; run 'spack pyvarium add ipykernel'"
        )
    path = directory / name / FILE
    before = files.read_optional(path)
    if before is not None and not force:
        there = _parse(path, before)
        if there is None or there.environment != environment.path:
            owner = "no kernel of ours" if there is None else f"of {there.environment}"
            raise PyvariumError(f"{path}: is {owner}; choose another --name, or add --force")
    shown = display_name or f"Python ({environment.name})"
    return FileChange(path, before, render(environment, python, changes, shown))


def render(
    environment: Environment, python: Path, changes: Iterable[Change], display_name: str
) -> bytes:
    """The ``kernel.json``; raises PyvariumError for a path that Jupyter or PATH would break."""
    if _PLACEHOLDER.search(str(python)) or ":" in str(python):
        raise PyvariumError(
            f"{environment.path}: has in its path what Jupyter replaces, or the colon that"
            " separates directories in PATH; move it to another directory"
        )
    everything = layered(changes, environment.venv)
    start = Path(root(), "spack-pyvarium", "templates", "kernel", "start.py")
    program = start.read_text(encoding="utf-8")
    rows = [(one.name, one.action.value, one.value, one.separator) for one in everything]
    variables = json.dumps(rows).replace("{", "\\u007b")  # No placeholder; the same to JSON.
    # -I: not what PYTHONPATH and PYTHONHOME of Jupyter's process say.
    kernel = {
        "argv": [str(python), "-I", "-c", program, variables, "-f", "{connection_file}"],
        "display_name": display_name,
        "language": "python",
        "metadata": {
            "debugger": True,
            MARK: {"digest": digest(environment), "environment": str(environment.path)},
        },
    }
    return (json.dumps(kernel, indent=1, sort_keys=True) + "\n").encode("ascii")


def digest(environment: Environment) -> str:
    """Of the two files that decide what an environment does to variables."""
    sha256 = hashlib.sha256()
    for path in (environment.path / "spack.yaml", environment.lockfile):
        sha256.update(hashlib.sha256(files.read_optional(path) or b"").digest())
    return sha256.hexdigest()


def installed(directories: Iterable[Path]) -> Tuple[Kernel, ...]:
    """The kernels of ours in directories of kernels, in this order and by name."""
    found = []
    for directory in directories:
        for name in sorted(os.listdir(directory)) if os.access(directory, os.R_OK) else ():
            path = directory / name / FILE
            kernel = _parse(path, files.read_optional(path)) if path.is_file() else None
            if kernel is not None:
                found.append(kernel)
    return tuple(found)


def plan_removal(directory: Path, name: str, *, force: bool = False) -> FileChange:
    """Plan to remove a kernel; raises PyvariumError where it is not ours, unless by ``force``."""
    _check_name(name)
    path = directory / name / FILE
    before = files.read_optional(path)
    if before is None:
        raise PyvariumError(f"{path}: does not exist; 'spack pyvarium kernel list' shows kernels")
    if not force and _parse(path, before) is None:
        raise PyvariumError(f"{path}: is no kernel of ours; add --force to remove it")
    return FileChange(path, before, None)


def write(change: FileChange) -> bool:
    """Write or remove a kernel, with its directory if nothing else is in it. Raises FileError."""
    changed = change.write()
    if change.after is None:
        try:
            change.path.parent.rmdir()
        except OSError as error:
            raise FileError(
                f"{change.path.parent}: {error.strerror}, but is no kernel any more; remove it"
            ) from None
    return changed


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise PyvariumError(
            f"{name!r}: cannot name a kernel; use small letters, digits and '.', '-', '_'"
        )


def _has_ipykernel(environment: Environment) -> bool:
    prefixes: Sequence[Path] = (environment.venv, *(environment.views or ()))
    libraries = (library for prefix in prefixes for _, library in site_packages(prefix))
    return any(
        re.match(r"ipykernel-\d", path.name, re.IGNORECASE)
        for library in libraries
        for path in metadata_paths(library)
    )


def _parse(path: Path, data: Optional[bytes]) -> Optional[Kernel]:
    """The kernel that a file describes; None if it is not ours."""
    try:
        content = json.loads(data or b"")
        mark = content["metadata"][MARK]
        environment = Path(mark["environment"])
        recorded = str(mark["digest"])
        has_python = os.access(content["argv"][0], os.X_OK)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    state = State.READY
    there = Environment(environment, environment.name, None)
    if not (environment / "spack.yaml").exists():
        state = State.NO_ENVIRONMENT
    elif not has_python:
        state = State.NO_PYTHON
    elif digest(there) != recorded:
        state = State.OUTDATED
    shown = str(content.get("display_name", ""))
    return Kernel(path.parent.name, path.parent, shown, environment, state)
