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
from typing import Dict, Optional, Tuple, Union

from . import backends, files, pyproject, scopes, settings, spack_api, toml_text, tools
from .errors import PyvariumError
from .files import FileChange
from .model import Backend, Environment
from .settings import AUTO_SYNC, BACKEND, MODE, Setting, tool_key

PROJECT = "project"

#: The settings by their keys, as text; None where nothing sets one.
Settings = Dict[str, Setting[Optional[str]]]
_UNSET: Setting[Optional[str]] = Setting(None, "unset")


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
    return {
        AUTO_SYNC: Setting(policy.value.value, policy.origin),
        BACKEND: Setting(backend.value.value, backend.origin) if backend else _UNSET,
        MODE: Setting(mode.value.value, mode.origin),
        **{tool_key(backend): _tool(backend) for backend in Backend},
    }


def given(scope: str) -> Settings:
    """What one scope says itself; raises PyvariumError."""
    if scope != PROJECT:
        spack_api.section_file(scope, spack_api.SECTION)
        found = {key: spack_api.configured(key, scope) for key in settings.KINDS}
        return {key: _as_text(setting) for key, setting in found.items()}
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


def with_value(scope: str, key: str, value: Optional[str]) -> FileChange:
    """Plan to set a setting in a scope, or with None to remove it; raises PyvariumError."""
    _check_key(key)
    if scope == PROJECT:
        return _with_project_value(spack_api.require_environment(), key, value)
    if value is not None:
        value = _checked(key, value)
    return scopes.with_setting(scope, key, value)


def overruling(scope: str, key: str) -> Optional[str]:
    """Say what holds here in spite of the setting that was written just now; None if nothing."""
    spack_api.forget_configuration()
    origin = settings.in_project(key) if scope == PROJECT else spack_api.origin(scope)
    with contextlib.suppress(PyvariumError):  # It is no fault of what was written.
        holds = in_force()[key]
        if holds.origin != origin and holds.origin not in ("default", "unset"):
            return f"{key}: {holds.value} holds here, by {holds.origin}"
    return None


def _check_key(key: str) -> None:
    if key not in settings.KINDS:
        known = ", ".join(settings.KINDS)
        raise PyvariumError(f"{key}: is not a setting; use one of {known}")


def _checked(key: str, value: str) -> str:
    kind = settings.KINDS[key]
    if kind is not None:
        return str(settings.parse(kind, value, key).value.value)
    if not value.startswith(("~", "$")):
        value = os.path.abspath(value)
    backend = Backend(key.partition(".")[2])
    remedy = f"give one that works, or run 'spack pyvarium setup {backend.value} PREFIX'"
    tools.check(backend, spack_api.canonicalize_path(value), remedy)
    return value


def _with_project_value(environment: Environment, key: str, value: Optional[str]) -> FileChange:
    path = environment.pyproject
    if settings.KINDS[key] is None:
        raise PyvariumError(f"{key}: is a path on one machine; use a --scope of Spack's")
    chosen: Union[str, bool, None] = value
    if key == AUTO_SYNC and value is not None:
        switch = {"true": True, "false": False}
        if value not in switch:
            raise PyvariumError(f"{key}: {value!r} is not for a project; use true or false")
        chosen = switch[value]
    elif value is not None:
        chosen = _checked(key, value)
    before = files.read_optional(path)
    if before is None:
        if value is None:
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


def _as_text(setting: Optional[Setting[object]]) -> Setting[Optional[str]]:
    if setting is None:
        return _UNSET
    return Setting("off" if setting.value is False else str(setting.value), setting.origin)
