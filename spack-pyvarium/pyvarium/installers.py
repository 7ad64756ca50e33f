# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Have a backend lock and install what comes from the package index.

The program of the backend does all of it, in the environment's directory and for its ``.venv``;
here is only which of its commands does what. What it says goes to stderr as it comes.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from . import foreground, locks
from .backends import NAME, POETRY_GROUPS
from .errors import PyvariumError
from .files import FileChange, read_optional
from .model import Backend, Environment
from .toml_text import parse, value_at, with_strings
from .tools import OLDEST, Tool

#: The words of each backend for what is asked of it. Locking keeps what is locked already.
_WORDS: Mapping[Backend, Mapping[str, Tuple[str, ...]]] = {
    Backend.UV: {
        "lock": ("lock",),
        "check": ("lock", "--check"),
        "install": ("sync",),
        "add": ("add",),
        "remove": ("remove",),
    },
    Backend.POETRY: {
        "lock": ("lock", "--no-interaction"),
        "check": ("check", "--lock", "--no-interaction"),
        "install": ("install", "--no-interaction"),
        "add": ("add", "--no-interaction"),
        "remove": ("remove", "--no-interaction"),
    },
    Backend.PDM: {
        "lock": ("lock", "--update-reuse"),
        "refresh": ("update", "--no-sync", "--update-reuse", "--dev", "--group", NAME),
        "check": ("lock", "--check"),
        "install": ("sync",),
        "add": ("add",),
        "remove": ("remove",),
    },
}
#: What each of them exits with if a lock is not that of the project; else it could not tell.
_NOT_LOCKED = 1
_DEPENDENCIES = ("project", "dependencies")
_OF_POETRY = ("tool", "poetry", "dependencies")
#: What would make a backend work on another venv, or its python import from elsewhere.
_MISLEADING = frozenset(
    """
    CONDA_PREFIX PDM_IGNORE_ACTIVE_VENV PDM_PYTHON PIP_PREFIX PIP_PYTHON PIP_TARGET PIP_USER
    POETRY_VIRTUALENVS_CREATE POETRY_VIRTUALENVS_IN_PROJECT PYTHONHOME PYTHONPATH
    UV_PROJECT_ENVIRONMENT UV_PYTHON
    """.split()
)


class InstallerError(PyvariumError):
    """The program of a backend has failed, and has said why."""


@dataclass(frozen=True)
class Installer:
    """A backend at work in an environment; pip works without a ``tool``, as it is in the venv."""

    environment: Environment
    backend: Backend
    tool: Optional[Tool]
    report: Callable[[str], None] = lambda _: None

    @property
    def locks(self) -> bool:
        return self.backend is not Backend.PIP

    def lock(self) -> None:
        """Lock what the project needs; nothing for pip, which has no lock of a project."""
        if not self.locks:
            return
        stale = self._stale_shims()
        if stale and self.backend is Backend.UV:
            self._do("lock", *(word for name in stale for word in ("--upgrade-package", name)))
        elif stale and self.backend is Backend.PDM:
            self._do("refresh", *stale)
        lock = locks.read_lock(self.environment, self.backend)
        # After an 'add' before any lock PDM would leave out the group of Spack's for good.
        lacks = lock is not None and lock.groups is not None and NAME not in lock.groups
        self._do("lock", *(("--group", ":all") if lacks else ()))

    def _stale_shims(self) -> Tuple[str, ...]:
        lock = locks.read_lock(self.environment, self.backend)
        wheels = self.environment.wheels
        present = os.listdir(wheels) if wheels.is_dir() else []
        return () if lock is None else lock.stale_shims(present)

    def is_locked(self) -> bool:
        """Whether the lock is that of the project as it is; raises PyvariumError if unknown.

        The backends themselves do not see that a shim is made anew.
        """
        if not self.locks:
            return True
        if self._stale_shims():
            return False
        command = self._command("check")
        code = self._run(command)
        if code not in (0, _NOT_LOCKED):
            raise self._failed(command, code)
        return code == 0

    def install(self) -> None:
        """Install what is locked; for pip, what the project depends on."""
        if self.locks:
            self._do("install")
        else:
            self._pip_install(_dependencies(self.environment))

    def add(self, requirements: Sequence[str]) -> None:
        """Add requirements to the project and install them; the project is kept if that fails."""
        if self.backend is Backend.POETRY:
            # Without a bound it takes the newest, and then finds that Spack's versions contradict.
            requirements = [
                f"{one}>=0" if one == Requirement(one).name else one for one in requirements
            ]
        with self._or_as_before():
            if self.locks:
                self._do("add", *requirements)
                return
            names = {canonicalize_name(Requirement(one).name) for one in requirements}
            kept = [one for one in _dependencies(self.environment) if _name_of(one) not in names]
            self._pip_install([*kept, *requirements])
            _write_dependencies(self.environment, [*kept, *requirements])

    def remove(self, names: Sequence[str]) -> None:
        """Take projects out of what the project depends on, and uninstall them.

        The others than pip also uninstall what only they need.
        """
        with self._or_as_before():
            if self.locks:
                self._do("remove", *names)
                return
            gone = set(names)
            kept = [one for one in _dependencies(self.environment) if _name_of(one) not in gone]
            self._run_pip("uninstall", "--yes", *sorted(gone))
            _write_dependencies(self.environment, kept)

    @contextlib.contextmanager
    def _or_as_before(self) -> Iterator[None]:
        """Put the project and its lock back where what is done meanwhile fails."""
        lock = locks.path_of(self.environment, self.backend)
        paths = [self.environment.pyproject, *([lock] if lock else [])]
        before = {path: read_optional(path) for path in paths}
        try:
            yield
        except BaseException as error:
            for path, content in before.items():
                FileChange(path, read_optional(path), content).write()
            if isinstance(error, InstallerError):
                raise InstallerError(f"{error}; the project is as it was") from None
            raise

    def _command(self, what: str) -> List[str]:
        assert self.tool is not None
        return [str(self.tool.path), *_WORDS[self.backend][what]]

    def _do(self, what: str, *words: str) -> None:
        self._check([*self._command(what), *words])

    def _pip_install(self, requirements: Sequence[str]) -> None:
        if requirements:
            found = self._pip_version()
            if self.tool is None and found and found < Version(OLDEST[Backend.PIP]):
                self._run_pip("install", "--upgrade", f"pip>={OLDEST[Backend.PIP]}")
            self._run_pip("install", *requirements)

    def _run_pip(self, *words: str) -> None:
        python = str(self.environment.venv / "bin" / "python")
        if self.tool is not None:
            self._check([str(self.tool.path), "--python", python, *words])
            return
        if self._pip_version() is None:
            raise InstallerError(
                f"{self.environment.venv}: has no pip; name one by"
                " 'spack pyvarium config tools.pip PATH', or add py-pip to the environment"
            )
        self._check([python, "-m", "pip", *words])

    def _pip_version(self) -> Optional[Version]:
        """The newest pip in the venv, which may be the one that Spack provides."""
        found = self.environment.venv.glob("lib/python*/site-packages/pip-*.dist-info")
        return max((Version(path.name[4:-10]) for path in found), default=None)

    def _check(self, command: Sequence[str]) -> None:
        code = self._run(command)
        if code:
            raise self._failed(command, code)

    def _failed(self, command: Sequence[str], code: int) -> InstallerError:
        return InstallerError(
            f"{self.environment.pyproject}: '{_shown(command)}' ended with exit code {code}, for"
            " the reason above"
        )

    def _run(self, command: Sequence[str]) -> int:
        self.report(_shown(command))
        try:
            return foreground.run(
                command, _environ(self.environment), subprocess.DEVNULL, self.environment.path
            )
        except OSError as error:
            raise PyvariumError(
                f"{command[0]}: cannot be run ({error.strerror}); install it again"
            ) from None


def depends_on(environment: Environment, name: str) -> bool:
    """Whether a project stands among what the project itself depends on."""
    of_poetry = value_at(_parsed(environment), _OF_POETRY) or {}
    names = [*map(_name_of, _dependencies(environment)), *map(canonicalize_name, of_poetry)]
    return name in names


def group_with(environment: Environment, name: str) -> Optional[str]:
    """The dependency group or extra that asks for a project; None where none does."""
    data = _parsed(environment)
    for keys in (("dependency-groups",), ("project", "optional-dependencies")):
        for group, entries in (value_at(data, keys) or {}).items():
            names = (_name_of(one) for one in entries if isinstance(one, str))
            if group != NAME and name in names:
                return str(group)
    for group, table in (value_at(data, ("tool", "poetry", "group")) or {}).items():
        found = map(canonicalize_name, table.get("dependencies", ()))
        if group not in POETRY_GROUPS and name in list(found):
            return str(group)
    return None


def _shown(command: Sequence[str]) -> str:
    return shlex.join([Path(command[0]).name, *command[1:]])


def _environ(environment: Environment) -> Dict[str, str]:
    own = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    quiet = {"PDM_CHECK_UPDATE": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**own, **quiet, "VIRTUAL_ENV": str(environment.venv)}


def _parsed(environment: Environment) -> Mapping[str, object]:
    data = read_optional(environment.pyproject) or b""
    return parse(data.decode("utf-8"), str(environment.pyproject))


def _dependencies(environment: Environment) -> List[str]:
    return list(value_at(_parsed(environment), _DEPENDENCIES) or ())


def _write_dependencies(environment: Environment, requirements: Sequence[str]) -> None:
    path = environment.pyproject
    before = read_optional(path) or b""
    text = with_strings(before.decode("utf-8"), _DEPENDENCIES, requirements, str(path))
    FileChange(path, before, text.encode("utf-8")).write()


def _name_of(requirement: str) -> Optional[str]:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return None
