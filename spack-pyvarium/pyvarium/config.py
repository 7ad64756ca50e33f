# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Show every setting and where it comes from, and change one where the user says.

The places are the scopes of Spack's configuration, and the project: ``[tool.pyvarium]`` in the
``pyproject.toml`` of the active environment.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from . import (
    backends,
    files,
    log,
    modulefile,
    pyproject,
    scopes,
    settings,
    spack_api,
    toml_text,
    tools,
)
from .errors import PyvariumError
from .files import FileChange
from .model import Backend, Environment
from .settings import (
    ADMINISTRATIVE,
    AUTO_SYNC,
    AUTO_SYNC_PATHS,
    BACKEND,
    GIT_COMMIT,
    GIT_PUSH,
    LOG,
    MODE,
    MODULE_NAME,
    QUIET,
    RECIPE_REPO,
    Kind,
    Setting,
    tool_key,
)

PROJECT = "project"

#: The settings by their keys, as JSON has them; None where nothing sets one.
Settings = Dict[str, Setting[Any]]
_UNSET: Setting[Any] = Setting(None, "unset")


def scope_names() -> Tuple[str, ...]:
    """What can be given as a scope; not an environment, whose manifest cannot hold a setting."""
    return (PROJECT, *(one for one in spack_api.scope_names() if not one.startswith("env:")))


def shown(key: Optional[str], scope: Optional[str]) -> Settings:
    """All settings or one: what holds here, or what one scope says; raises PyvariumError."""
    if key is not None:
        _check_key(key)
    found = in_force() if scope is None else given(scope)
    return found if key is None else {key: found[key]}


def in_force() -> Settings:
    """What holds here, in the active environment if there is one; raises PyvariumError."""
    environment = spack_api.active_environment()
    text = "" if environment is None else scopes.decode(files.read_optional(environment.pyproject))
    subject = "pyproject.toml" if environment is None else str(environment.pyproject)
    names = () if environment is None else os.listdir(environment.path)
    owned = pyproject.owned(text, subject)
    found = backends.detect(toml_text.parse(text, subject), names)
    configured = spack_api.configured
    backend = settings.resolve_backend(owned.backend, configured(BACKEND), found)
    mode = settings.resolve_mode(owned.mode, configured(MODE))
    policy = spack_api.policy(owned.auto_sync)
    file = spack_api.log()
    return {
        AUTO_SYNC: Setting(policy.value.value, policy.origin, policy.forced),
        AUTO_SYNC_PATHS: spack_api.paths() or _UNSET,
        BACKEND: Setting(backend.value.value, backend.origin) if backend else _UNSET,
        GIT_COMMIT: spack_api.switch(GIT_COMMIT),
        GIT_PUSH: spack_api.switch(GIT_PUSH),
        LOG: Setting(str(file.value), file.origin, file.forced) if file else _UNSET,
        MODE: Setting(mode.value.value, mode.origin),
        MODULE_NAME: _as_given(configured(MODULE_NAME)),
        QUIET: spack_api.quiet(),
        RECIPE_REPO: _as_given(configured(RECIPE_REPO)),
        **{tool_key(backend): _tool(backend) for backend in Backend},
    }


def given(scope: str) -> Settings:
    """What one scope says itself; raises PyvariumError."""
    if scope != PROJECT:
        spack_api.section_file(scope, spack_api.SECTION)
        found = {key: spack_api.configured(key, scope) for key in settings.KINDS}
        policy = found[AUTO_SYNC]
        if policy is not None and policy.value is False:  # As YAML reads off.
            found[AUTO_SYNC] = replace(policy, value="off")
        return {key: _as_given(setting) for key, setting in found.items()}
    environment = spack_api.require_environment()
    text = scopes.decode(files.read_optional(environment.pyproject))
    owned = pyproject.owned(text, str(environment.pyproject))
    values = {
        AUTO_SYNC: None if owned.auto_sync else "false",
        BACKEND: owned.backend and owned.backend.value,
        MODE: owned.mode and owned.mode.value,
    }
    there = {key: Setting(one, settings.in_project(key)) for key, one in values.items() if one}
    return {key: there.get(key, _UNSET) for key in settings.KINDS}


def with_value(
    scope: str, key: str, values: Optional[Sequence[str]], *, force: bool = False
) -> FileChange:
    """Plan to set a setting in a scope, or with None to remove it; raises PyvariumError.

    One that is forced there is changed by ``force`` only, which forces what it sets.
    """
    _check_key(key)
    if force and (key not in ADMINISTRATIVE or scope == PROJECT):
        known = ", ".join(ADMINISTRATIVE)
        raise PyvariumError(f"{key}: cannot be forced in {scope}; {known} can, in Spack's scopes")
    if scope == PROJECT:
        return _with_project_value(spack_api.require_environment(), key, values)
    value = None if values is None else _checked(key, values)
    return scopes.with_setting(scope, key, value, force=force)


def overruling(scope: str, key: str) -> Optional[str]:
    """Say what holds here in spite of the setting that was written just now; None if nothing."""
    spack_api.forget_configuration()
    origin = settings.in_project(key) if scope == PROJECT else spack_api.origin(scope)
    with contextlib.suppress(PyvariumError):  # It is no fault of what was written.
        holds = in_force()[key]
        if holds.origin != origin and holds.origin not in ("default", "unset"):
            forced = ", which forces it" if holds.forced else ""
            return f"{key}: {settings.render(holds.value)} holds here, by {holds.origin}{forced}"
    return None


def _check_key(key: str) -> None:
    if key not in settings.KINDS:
        known = ", ".join(settings.KINDS)
        raise PyvariumError(f"{key}: is not a setting; use one of {known}")


def _checked(key: str, values: Sequence[str]) -> scopes.Value:
    """The value of a key from the words of a command line; raises PyvariumError."""
    kind = settings.KINDS[key]
    if kind is Kind.PATHS:
        return tuple(map(_absolute, values))
    if len(values) != 1:
        raise PyvariumError(f"{key}: has one value, and here are {len(values)}; give one")
    value = values[0]
    if kind is Kind.SWITCH:
        return settings.parse_switch(value, key).value
    if not isinstance(kind, Kind):
        return str(settings.parse(kind, value, key).value.value)
    if key == MODULE_NAME:
        modulefile.check_name(value)
        return value
    if key == RECIPE_REPO:
        return _absolute(value) if os.sep in value else value
    value = _absolute(value)
    if key == LOG:
        fault = log.fault(Path(spack_api.canonicalize_path(value)))
        if fault is not None:
            raise PyvariumError(f"{fault}; name one that everybody can write")
        return value
    backend = Backend(key.partition(".")[2])
    remedy = f"give one that works, or run 'spack pyvarium setup {backend.value} PREFIX'"
    tools.check(backend, spack_api.canonicalize_path(value), remedy)
    return value


def _absolute(path: str) -> str:
    """As the shell means it, but for what Spack replaces."""
    if path.startswith("!"):
        return f"!{_absolute(path[1:])}"
    return path if path.startswith(("~", "$")) else os.path.abspath(path)


def _with_project_value(
    environment: Environment, key: str, values: Optional[Sequence[str]]
) -> FileChange:
    path = environment.pyproject
    chosen: Union[str, bool, None] = None
    if key == AUTO_SYNC and values is not None:
        switch = {"true": True, "false": False}
        value = " ".join(values)
        if value not in switch:
            raise PyvariumError(f"{key}: {value!r} is not for a project; use true or false")
        chosen = switch[value]
    elif isinstance(settings.KINDS[key], Kind):
        what = "is for an admin" if key in ADMINISTRATIVE else "is a path on one machine"
        if key in (MODULE_NAME, RECIPE_REPO):
            what = "is of one site"
        if key in (GIT_COMMIT, GIT_PUSH):
            what = "is for you, not for all who have the project"
        raise PyvariumError(f"{key}: {what}; use a --scope of Spack's")
    elif values is not None:
        chosen = str(_checked(key, values))
    before = files.read_optional(path)
    if before is None:
        if values is None:
            return FileChange(path, None, None)
        raise PyvariumError(f"{path}: does not exist; 'spack pyvarium sync' creates it")
    text = scopes.decode(before)
    toml_text.parse(text, str(path))
    after = pyproject.with_setting(text, key, chosen, str(path))
    return FileChange(path, before, after.encode("utf-8", "surrogateescape"))


def _tool(backend: Backend) -> Setting[Optional[str]]:
    configured = spack_api.configured_tool(backend)
    if configured is not None:
        return Setting(configured.value, configured.origin)
    path = shutil.which(backend.value)
    return Setting(path, "PATH") if path else _UNSET


def _as_given(setting: Optional[Setting[object]]) -> Setting[Any]:
    """What stands in a scope, without the marks that Spack's reader leaves on it."""
    if setting is None:
        return _UNSET
    value: Any = setting.value
    if isinstance(value, (list, tuple)):
        value = tuple(map(str, value))
    elif not isinstance(value, bool):
        value = str(value)
    return replace(setting, value=value)
