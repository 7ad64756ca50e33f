# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Register spack-pyvarium with a Spack for good, show how it is registered, and undo it.

Only configuration is written, and only in the scope that was asked for: no file of Spack changes.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from . import libraries, registration, spack_api
from .errors import PyvariumError
from .settings import Policy, Setting

DISTRIBUTION = "spack-pyvarium"


@dataclass(frozen=True)
class State:
    """How this Spack knows of us. ``hook`` tells whether automatic sync is on in this process."""

    spack: str
    python: str
    root: str
    distribution: Optional[str]
    scopes: Tuple[str, ...]
    command: bool
    hook: bool
    repository: bool
    templates: bool
    libraries: Dict[str, Optional[str]]
    policy: str
    policy_origin: str

    def as_json(self) -> Dict[str, Any]:
        return {key.replace("_", "-"): value for key, value in asdict(self).items()}


def include_entry(root: Path) -> Dict[str, Any]:
    """The entry of ``include.yaml`` that registers everything below a top level.

    ``when`` is Python that Spack evaluates (``spack.spec.eval_conditional``); Spack means it for
    questions about the host, and running our registration in it is a use it did not foresee. It is
    the only way to a hook for a Spack whose Python nothing can be installed into. The condition
    looks for the directory first: Spack goes on without us where the clone was removed.
    """
    extension = str(root / "spack-pyvarium")
    importable = f"__import__('os').path.isdir({extension!r})"
    importable += f" and not __import__('sys').path.append({extension!r})"
    register = "__import__('pyvarium.registration').registration.register()"
    return {
        "path": str(root / "spack-pyvarium" / "scope"),
        "optional": True,
        "when": f"{importable} and {register}",
    }


def is_ours(entry: Any) -> bool:
    """Whether an entry of ``include.yaml`` is one that this or an earlier ``setup`` wrote."""
    return isinstance(entry, dict) and "pyvarium.registration" in str(entry.get("when", ""))


def state() -> State:
    """Look at the running Spack."""
    root = Path(registration.root())
    policy = _policy()
    libraries.missing()  # Looks beside the clone too.
    return State(
        spack=spack_api.version(),
        python=sys.executable,
        root=str(root),
        distribution=_distribution(),
        scopes=_registered_scopes(),
        command=root / "spack-pyvarium" in spack_api.extension_paths(),
        hook=registration.is_registered(),
        repository=root in spack_api.repository_roots(),
        templates=(root / "spack-pyvarium" / "templates").is_dir(),
        libraries={name: _version(name) for name in libraries.NAMES},
        policy=policy.policy.value,
        policy_origin=policy.origin,
    )


def register(scope: str, policy: Optional[Policy]) -> List[str]:
    """Write what registers us into a scope; returns what was done. Raises PyvariumError."""
    done: List[str] = []
    if libraries.missing():
        libraries.install(libraries.DIRECTORY)
        libraries.require()
        done.append(f"{libraries.DIRECTORY}: {', '.join(libraries.NAMES)} installed")
    if _distribution() is not None:
        done.append("Spack's Python has the distribution installed, which registers itself")
    elif not spack_api.has_includes():
        raise PyvariumError(
            f"Spack {spack_api.version()}: has no include.yaml to register in;"
            f" install the distribution: {sys.executable} -m pip install {registration.root()}"
        )
    else:
        entries = [entry for entry in spack_api.includes(scope) if not is_ours(entry)]
        entries.append(include_entry(Path(registration.root())))
        if entries != spack_api.includes(scope):
            done.append(f"{spack_api.write_section(scope, 'include', entries)}: registered")
    settings = spack_api.settings_of(scope)
    if policy is not None and settings.get(spack_api.AUTO_SYNC) != policy.value:
        settings[spack_api.AUTO_SYNC] = policy.value
        path = spack_api.write_section(scope, spack_api.SECTION, settings)
        done.append(f"{path}: auto-sync is {policy.value}")
    return done


def unregister() -> List[str]:
    """Undo what ``register`` wrote, in every scope that can be written to."""
    done: List[str] = []
    for scope in _registered_scopes():
        kept = [entry for entry in spack_api.includes(scope) if not is_ours(entry)]
        done.append(f"{spack_api.write_section(scope, 'include', kept)}: entry removed")
    for scope in spack_api.writable_scopes():
        settings = spack_api.settings_of(scope)
        if settings.pop(spack_api.AUTO_SYNC, None) is not None:
            path = spack_api.write_section(scope, spack_api.SECTION, settings)
            done.append(f"{path}: auto-sync removed")
    if libraries.DIRECTORY.is_dir():
        shutil.rmtree(libraries.DIRECTORY)
        done.append(f"{libraries.DIRECTORY}: removed")
    if _distribution() is not None:
        done.append(f"left: remove it by {sys.executable} -m pip uninstall {DISTRIBUTION}")
    return done


def _registered_scopes() -> Tuple[str, ...]:
    if not spack_api.has_includes():
        return ()
    scopes = spack_api.writable_scopes()
    return tuple(one for one in scopes if any(map(is_ours, spack_api.includes(one))))


def _policy() -> Setting:
    forced = spack_api.forced_policy()
    return forced or spack_api.configured_policy() or Setting(Policy.EXISTING, "default")


def _distribution() -> Optional[str]:
    """The version of the distribution in Spack's Python, if that is what runs here."""
    if Path(registration.root()).name != "share":
        return None
    return _version(DISTRIBUTION)


def _version(name: str) -> Optional[str]:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
