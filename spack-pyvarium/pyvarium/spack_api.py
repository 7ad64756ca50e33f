# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Every question to Spack and every order for it, and every difference between its releases.

Known to work with 0.23 to the development version 1.3. Nothing here is used by the core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import spack
import spack.config
import spack.environment
import spack.store

from .errors import PyvariumError
from .model import Environment
from .settings import Setting, parse_policy

SECTION = "pyvarium"
AUTO_SYNC = "auto-sync"


def active_state() -> Optional[Path]:
    """Where the active environment keeps what is ours. Does not touch the database."""
    active = spack.environment.active_environment()
    return None if active is None else _environment(active).state


def active_environment() -> Optional[Environment]:
    """The active environment, if there is one."""
    active = spack.environment.active_environment()
    return None if active is None else _environment(active)


def require_environment() -> Environment:
    """The active environment; raises PyvariumError where there is none."""
    environment = active_environment()
    if environment is None:
        raise PyvariumError(
            "no Spack environment is active; choose one: spack -e NAME pyvarium ...,"
            " spack -D DIR pyvarium ..., or 'spack env activate'"
        )
    return environment


def _environment(active: Any) -> Environment:
    path = Path(active.path)
    views = active.views
    # Python imports from the default view; another one counts only where there is no default.
    if spack.environment.default_view_name in views:
        chosen = (views[spack.environment.default_view_name],)
    else:
        chosen = tuple(views.values())[:1]
    return Environment(path, path.name, tuple(Path(view.root) for view in chosen), locate)


def locate(dag_hash: str) -> Optional[Path]:
    """The prefix of an installed spec, in this store or in an upstream."""
    _, record = spack.store.STORE.db.query_by_spec_hash(dag_hash)
    return Path(record.path) if record and record.installed and record.path else None


def forced_policy() -> Optional[Setting]:
    """The policy that an admin forces on everybody, by ``auto-sync::`` in the lowest scope."""
    return next((setting for setting, forced in _policies() if forced), None)


def configured_policy() -> Optional[Setting]:
    """The policy of the highest scope that has one."""
    return next((setting for setting, _ in reversed(list(_policies()))), None)


def _policies() -> Iterator[Tuple[Setting, bool]]:
    """The policies in Spack's scopes, the lowest first, and whether ``::`` marks each."""
    for scope in spack.config.CONFIG.scopes.values():
        section = scope.get_section(SECTION) or {}
        for key, value in (section.get(SECTION) or {}).items():
            if str(key) == AUTO_SYNC:
                origin = f"scope {scope.name}"
                yield parse_policy(value, origin), bool(getattr(key, "override", False))


def writable_scopes() -> Tuple[str, ...]:
    """The names of the scopes that configuration can be written to, the lowest first."""
    scopes = spack.config.CONFIG.scopes.values()
    return tuple(scope.name for scope in scopes if getattr(scope, "writable", True))


def has_includes() -> bool:
    """Whether this Spack reads ``include.yaml`` (since 1.0)."""
    return "include" in spack.config.SECTION_SCHEMAS


def includes(scope: str) -> List[Any]:
    """The entries of a scope's own ``include.yaml``."""
    section = spack.config.CONFIG.scopes[scope].get_section("include") or {}
    return list(section.get("include") or [])


def write_section(scope: str, section: str, value: Any) -> Path:
    """Write a section of one scope, or remove its file where nothing is left of it."""
    path = Path(spack.config.CONFIG.scopes[scope].get_section_filename(section))
    try:
        spack.config.set(section, value, scope=scope)
        if not value:
            path.unlink()
    except (OSError, spack.config.ConfigError) as error:
        raise PyvariumError(f"{path}: cannot be written ({error}); use another --scope") from None
    return path


def settings_of(scope: str) -> Dict[str, Any]:
    """The content of a scope's own ``pyvarium.yaml``."""
    section = spack.config.CONFIG.scopes[scope].get_section(SECTION) or {}
    return dict(section.get(SECTION) or {})


def extension_paths() -> Tuple[Path, ...]:
    """The extensions that Spack looks for commands in."""
    import spack.extensions

    return tuple(Path(path) for path in spack.extensions.get_extension_paths())


def repository_roots() -> Tuple[Path, ...]:
    """The package repositories that Spack takes recipes from."""
    import spack.repo

    return tuple(Path(repo.root) for repo in spack.repo.PATH.repos)


def version() -> str:
    return str(spack.spack_version)
