# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Have a backend lock and install what comes from the package index.

The program of the backend does all of it, in the environment's directory and for its ``.venv``;
here is only which of its commands does what. What it says goes to stderr as it comes.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

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
        "check": ("lock", "--check"),
        "install": ("sync",),
        "add": ("add",),
        "remove": ("remove",),
    },
}
_DEPENDENCIES = ("project", "dependencies")
#: What would make a backend work on another venv, or its python import from elsewhere.
_MISLEADING = ("PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "CONDA_PREFIX")


@dataclass(frozen=True)
class Installer:
    """A backend at work in an environment; pip needs no ``tool``, it is in the venv."""

    environment: Environment
    backend: Backend
    tool: Optional[Tool]
    report: Callable[[str], None] = lambda _: None

    @property
    def locks(self) -> bool:
        return self.backend is not Backend.PIP

    def lock(self) -> None:
        """Lock what the project needs; nothing for pip, which has no lock of a project."""
        if self.locks:
            self._do("lock")

    def is_locked(self) -> bool:
        """Whether the lock is that of the project as it is."""
        return not self.locks or self._run(self._command("check")) == 0

    def install(self) -> None:
        """Install what is locked; for pip, what the project depends on."""
        if self.locks:
            self._do("install")
        else:
            self._pip_install(_dependencies(self.environment))

    def add(self, requirements: Sequence[str]) -> None:
        """Add requirements to the project and install them."""
        if self.backend is Backend.POETRY:
            # Without a bound it takes the newest, and then finds that Spack's versions contradict.
            requirements = [
                f"{one}>=0" if one == Requirement(one).name else one for one in requirements
            ]
        if self.locks:
            self._do("add", *requirements)
            return
        names = {canonicalize_name(Requirement(one).name) for one in requirements}
        kept = [one for one in _dependencies(self.environment) if _name_of(one) not in names]
        self._pip_install([*kept, *requirements])
        _write_dependencies(self.environment, [*kept, *requirements])

    def remove(self, names: Sequence[str]) -> None:
        """Take projects out of what the project depends on, and uninstall what only they need."""
        if self.locks:
            self._do("remove", *names)
            return
        gone = set(names)
        kept = [one for one in _dependencies(self.environment) if _name_of(one) not in gone]
        _write_dependencies(self.environment, kept)
        self._run_pip("uninstall", "--yes", *sorted(gone))

    def _command(self, what: str) -> List[str]:
        assert self.tool is not None
        return [str(self.tool.path), *_WORDS[self.backend][what]]

    def _do(self, what: str, *words: str) -> None:
        self._check([*self._command(what), *words])

    def _pip_install(self, requirements: Sequence[str]) -> None:
        if requirements:
            self._run_pip("install", f"pip>={OLDEST[Backend.PIP]}", "--upgrade")
            self._run_pip("install", *requirements)

    def _run_pip(self, *words: str) -> None:
        python = self.environment.venv / "bin" / "python"
        self._check([str(python), "-m", "pip", "--disable-pip-version-check", *words])

    def _check(self, command: Sequence[str]) -> None:
        code = self._run(command)
        if code:
            raise PyvariumError(
                f"{self.environment.path}: '{shlex.join(command)}' failed with exit code {code};"
                " its message is above, and nothing that Spack provides has changed"
            )

    def _run(self, command: Sequence[str]) -> int:
        self.report(shlex.join([Path(command[0]).name, *command[1:]]))
        try:
            done = subprocess.run(
                command,
                cwd=self.environment.path,
                env=_environ(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
            )
        except OSError as error:
            raise PyvariumError(
                f"{command[0]}: cannot be run ({error.strerror}); install it again"
            ) from None
        return done.returncode


def depends_on(environment: Environment, name: str) -> bool:
    """Whether a project stands among what the project itself depends on."""
    return any(_name_of(one) == name for one in _dependencies(environment))


def _environ(environment: Environment) -> Dict[str, str]:
    own = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    return {**own, "VIRTUAL_ENV": str(environment.venv), "PDM_CHECK_UPDATE": "0"}


def _dependencies(environment: Environment) -> List[str]:
    data = read_optional(environment.pyproject) or b""
    found = value_at(parse(data.decode("utf-8"), str(environment.pyproject)), _DEPENDENCIES)
    return list(found or ())


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
