# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The settings: what they may hold, and which of several places each is taken from. Pure."""

from __future__ import annotations

import enum
import fnmatch
from dataclasses import dataclass
from typing import Generic, Mapping, Optional, Sequence, Type, TypeVar, Union

from .errors import PyvariumError
from .model import Backend, Mode

#: The environment variable; it holds a policy.
VARIABLE = "SPACK_PYVARIUM"

Value = TypeVar("Value", covariant=True)
Choice = TypeVar("Choice", bound=enum.Enum)


class Policy(str, enum.Enum):
    """In which environments automatic sync acts."""

    OFF = "off"
    EXISTING = "existing"  # Those that have a pyproject.toml.
    ALL = "all"  # Every one; the file is created.
    OPTED_IN = "opted-in"  # Those whose pyproject.toml has a [tool.pyvarium].


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """A value and where it comes from, for the user to find it.

    An admin's that is ``forced``, by ``::`` in a lower scope, is stronger than any other.
    """

    value: Value
    origin: str
    forced: bool = False


class Kind(enum.Enum):
    """What a setting holds that has no list of possible values."""

    NAME = "name"
    PATH = "path"
    PATHS = "paths"
    SWITCH = "switch"


AUTO_SYNC = "auto-sync"
AUTO_SYNC_PATHS = "auto-sync-paths"
BACKEND = "backend"
MODE = "mode"
GIT_COMMIT = "git.commit"
GIT_PUSH = "git.push"
LOG = "log"
MODULE_NAME = "modules.name"
QUIET = "quiet"
RECIPE_REPO = "recipe.repo"

#: What an admin decides for others: can be forced, and is not for a project (but for the first).
ADMINISTRATIVE = (AUTO_SYNC, AUTO_SYNC_PATHS, LOG, QUIET)


def tool_key(backend: Backend) -> str:
    """The key of the path of a backend's program."""
    return f"tools.{backend.value}"


#: Every key, and the values it may have.
KINDS: Mapping[str, Union[Type[enum.Enum], Kind]] = {
    AUTO_SYNC: Policy,
    AUTO_SYNC_PATHS: Kind.PATHS,
    BACKEND: Backend,
    GIT_COMMIT: Kind.SWITCH,
    GIT_PUSH: Kind.SWITCH,
    LOG: Kind.PATH,
    MODE: Mode,
    MODULE_NAME: Kind.NAME,
    QUIET: Kind.SWITCH,
    RECIPE_REPO: Kind.NAME,
    **{tool_key(backend): Kind.PATH for backend in Backend},
}


def parse(kind: Type[Choice], value: object, origin: str) -> Setting[Choice]:
    """Parse one of the values that a setting may have; raises PyvariumError."""
    try:
        return Setting(kind(value), origin)
    except ValueError:
        known = ", ".join(one.value for one in kind)
        name = kind.__name__.lower()
        raise PyvariumError(f"{origin}: {value!r} is not a {name}; use one of {known}") from None


def parse_policy(value: object, origin: str) -> Setting[Policy]:
    """Parse a policy; YAML may have read ``off`` as a boolean. Raises PyvariumError."""
    return Setting(Policy.OFF, origin) if value is False else parse(Policy, value, origin)


def parse_switch(value: object, origin: str) -> Setting[bool]:
    """Parse ``true`` or ``false``, as text or as YAML reads it; raises PyvariumError."""
    known = {"true": True, "false": False}
    text = str(value).lower()
    if text not in known:
        raise PyvariumError(f"{origin}: {value!r} is no switch; use true or false")
    return Setting(known[text], origin)


def render(value: object) -> str:
    """A value as it is shown, and as it is set."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def covers(patterns: Sequence[str], path: str) -> bool:
    """Whether a path is below one of others, if there are any, and of none with ``!`` before it.

    All are absolute. Each part of a pattern may have ``*``, ``?`` and ``[...]``, as in a shell.
    """
    wanted = [one for one in patterns if not one.startswith("!")]
    unwanted = [one[1:] for one in patterns if one.startswith("!")]
    if any(_is_below(path, one) for one in unwanted):
        return False
    return not wanted or any(_is_below(path, one) for one in wanted)


def _is_below(path: str, pattern: str) -> bool:
    parts, patterns = path.strip("/").split("/"), pattern.strip("/").split("/")
    if patterns == [""]:
        return True
    pairs = zip(parts, patterns)
    return len(parts) >= len(patterns) and all(fnmatch.fnmatchcase(*pair) for pair in pairs)


def resolve_policy(
    *,
    forced: Optional[Setting[Policy]],
    variable: Optional[str],
    auto_sync: bool,
    configured: Optional[Setting[Policy]],
) -> Setting[Policy]:
    """Choose the strongest setting: forced by an admin, variable, project, Spack configuration."""
    if forced is not None:
        return forced
    if variable:
        return parse_policy(variable, VARIABLE)
    if not auto_sync:
        return Setting(Policy.OFF, in_project(AUTO_SYNC))
    return configured or Setting(Policy.EXISTING, "default")


def resolve_mode(project: Optional[Mode], configured: Optional[Setting[object]]) -> Setting[Mode]:
    """Choose the project's mode, else that of Spack's configuration; raises PyvariumError."""
    chosen = _resolve(MODE, Mode, project, configured)
    return chosen or Setting(Mode.BOUND, "default")


def resolve_backend(
    project: Optional[Backend],
    configured: Optional[Setting[object]],
    found: Optional[Backend],
) -> Optional[Setting[Backend]]:
    """Choose the project's backend, else the one that its files show, else the configured one.

    None where nothing tells. Raises PyvariumError.
    """
    if project is None and found is not None:
        return Setting(found, "found")
    return _resolve(BACKEND, Backend, project, configured)


@dataclass(frozen=True)
class Defaults:
    """What holds for a project that says nothing itself, from Spack's configuration."""

    backend: Optional[Setting[object]] = None
    mode: Optional[Setting[object]] = None


def in_project(key: str) -> str:
    """The origin of what a project's ``pyproject.toml`` says."""
    return f"tool.pyvarium.{key}"


def acts(policy: Policy, *, exists: bool, opted_in: bool) -> bool:
    """Whether a policy covers an environment whose ``pyproject.toml`` exists, or has opted in."""
    return {
        Policy.OFF: False,
        Policy.EXISTING: exists,
        Policy.ALL: True,
        Policy.OPTED_IN: opted_in,
    }[policy]


def _resolve(
    key: str,
    kind: Type[Choice],
    project: Optional[Choice],
    configured: Optional[Setting[object]],
) -> Optional[Setting[Choice]]:
    if project is not None:
        return Setting(project, in_project(key))
    if configured is not None:
        return parse(kind, configured.value, configured.origin)
    return None
