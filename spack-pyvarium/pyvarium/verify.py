# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Find what is wrong with an environment, each fault under a code, and repair what can be.

Reads only files of the environment and of the specs it consists of; asks no installer and no
network. What a sync would change is a fault here, and so is what a sync must leave to the user.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import enum
import functools
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from . import locks, sync
from .distributions import headers, metadata_file, metadata_paths, read_distribution
from .errors import FileError, LockfileError, MetadataError, StaleViewError
from .files import read_optional
from .layer import LayerPlan
from .lockfile import read_lockfile
from .markers import applies, environment_of
from .model import Distribution, Environment, Inventory, PinDiff, Provided
from .settings import Defaults
from .shims import is_script_name


class Code(str, enum.Enum):
    """What a fault is; the value is what users and scripts see."""

    SHADOWED = "shadowed"  # A copy in .venv comes before what Spack provides.
    TWO_DIST_INFOS = "two-dist-infos"  # One project has the metadata of two installations.
    MISSING_SHIM = "missing-shim"  # Installers do not see what Spack provides.
    MODIFIED = "modified"  # A file in the store is not as Spack installed it.
    INCOMPATIBLE = "incompatible"  # A requirement does not hold.
    OUT_OF_STEP = "out-of-step"  # pyproject.toml or the layer is not made from this environment.
    STALE_VIEW = "stale-view"  # The view holds other specs than spack.lock.
    STALE_LOCK = "stale-lock"  # The backend's lock holds other versions than Spack provides.
    STALE_LOWER = "stale-lower"  # An environment that this one is made on has changed, or is gone.
    WRONG_PYTHON = "wrong-python"  # .venv is of another python than what Spack provides.
    CONFLICTING = "conflicting"  # What a user has set contradicts what Spack provides.
    DETACHED = "detached"  # A venv made by hand does not see what Spack provides.
    PYTHONPATH = "pythonpath"  # A variable makes python import from elsewhere first.


#: What a ``fix`` repairs.
FIXABLE = frozenset((Code.SHADOWED, Code.MISSING_SHIM, Code.OUT_OF_STEP, Code.TWO_DIST_INFOS))


@dataclass(frozen=True, order=True)
class Fault:
    """Something that is wrong, and how it is mended."""

    code: Code
    subject: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}; {self.remedy}"


_FIX = "run 'spack pyvarium verify --fix'"
_SYNC = "run 'spack pyvarium sync'"
_CHANGED = "is missing or changed"
_AGAIN = "run 'spack pyvarium install', or choose another version of it"


def verify(
    environment: Environment, defaults: Optional[Defaults], environ: Mapping[str, str]
) -> Tuple[Fault, ...]:
    """List the faults of an environment, sorted; raises PyvariumError where it is unreadable."""
    faults: List[Fault] = [*_pythonpath(environ), *_stale_lower(environment)]
    try:
        plan = sync.plan(environment, defaults)
    except StaleViewError as error:
        subject, _, reason = str(error).partition(": ")
        reason, _, remedy = reason.rpartition("; ")
        return tuple(sorted([*faults, Fault(Code.STALE_VIEW, subject, reason, remedy)]))
    if plan.pyproject:
        reason = _lacking(plan) or str(plan)
        faults.append(Fault(Code.OUT_OF_STEP, str(environment.pyproject), reason, _SYNC))
    for change in filter(None, (plan.constraints, plan.poetry)):
        faults.append(Fault(Code.OUT_OF_STEP, str(change.path), _CHANGED, _SYNC))
    of_layer = () if plan.layer is None else tuple(plan.layer.faults())
    for one in plan.skipped:
        if one.fault and one not in of_layer:
            code = Code.STALE_VIEW if one in plan.inventory.skipped else Code.CONFLICTING
            reason, _, remedy = one.reason.rpartition("; ")
            faults.append(Fault(code, one.subject, reason, remedy))
    faults += _modified(environment, plan.inventory.provided)
    faults += _stale_lock(environment, plan)
    if plan.layer is not None:
        faults += _in_layer(plan.layer)
        if not (plan.layer.foreign or plan.layer.make_venv):
            installed = list(_installed(plan.layer.layer.site_packages))
            faults += _doubled(installed, plan.layer)
            faults += incompatible(installed, plan.inventory, _AGAIN)
    return tuple(sorted(faults))


def _lacking(plan: sync.Plan) -> str:
    """Name the pins that a tool, or somebody, has taken out; empty where there is more to it."""
    lost = plan.diff.added
    only = plan.pyproject.before is not None and plan.diff == PinDiff(added=lost)
    return f"lacks {', '.join(map(str, lost))}" if lost and only else ""


def fix(environment: Environment, defaults: Optional[Defaults], faults: Sequence[Fault]) -> None:
    """Repair what can be: copies are removed from .venv, and all that is ours is made anew.

    Raises FileError for a copy that cannot be removed, when the rest is repaired.
    """
    failed = None
    for fault in faults:
        if fault.code is Code.SHADOWED:
            try:
                remove_distribution(Path(fault.subject), environment.venv)
            except FileError as error:
                failed = failed or error
    if any(fault.code in FIXABLE for fault in faults):
        sync.sync(environment, defaults)
    if failed:
        raise failed


def remove_distribution(dist_info: Path, venv: Path) -> None:
    """Uninstall a distribution by its RECORD; nothing outside of the venv is touched.

    The format is https://packaging.python.org/en/latest/specifications/recording-installed-packages/.
    """
    record = read_optional(dist_info / "RECORD") if dist_info.is_dir() else None
    if record is None:
        raise FileError(
            f"{dist_info}: has no RECORD of its files; remove it and its modules by hand"
        )
    root, own = os.path.realpath(venv), os.path.realpath(dist_info.parent)
    emptied = set()
    try:
        for path in _within(root, own, record):
            os.unlink(path)
            emptied.add(os.path.dirname(path))
            emptied.update(_remove_bytecode(path))
        if dist_info.is_symlink():
            dist_info.unlink()
        else:
            shutil.rmtree(dist_info)
    except (OSError, csv.Error) as error:
        raise FileError(f"{dist_info}: cannot be removed ({error}); remove it by hand") from None
    for directory in sorted(emptied, key=len, reverse=True):
        with contextlib.suppress(OSError):  # What is left holds what is not of this distribution.
            while directory.startswith(f"{root}/") and directory != own:
                os.rmdir(directory)
                directory = os.path.dirname(directory)


def _within(root: str, base: str, record: bytes) -> Iterator[str]:
    """The files of a RECORD that are there and are the distribution's to remove.

    A RECORD is no better than who wrote it: where its paths really lead is looked at, links in
    between included, and what makes the venv one is left.
    """
    real = functools.lru_cache(maxsize=None)(os.path.realpath)
    for row in csv.reader(record.replace(b"\0", b"").decode("utf-8", "replace").splitlines()):
        directory, name = os.path.split(os.path.join(base, row[0] if row else ""))
        directory = real(directory)
        path = os.path.join(directory, name)
        if not directory.startswith(f"{root}/") or not os.path.lexists(path):
            continue
        if directory == os.path.join(root, "bin") and not is_script_name(name):
            continue
        if os.path.islink(path) or not os.path.isdir(path):
            yield path


def _remove_bytecode(path: str) -> Iterator[str]:
    """Remove what python has compiled a module to, and yield the directory that it was in."""
    stem, extension = os.path.splitext(os.path.basename(path))
    directory = os.path.join(os.path.dirname(path), "__pycache__")
    if extension != ".py" or os.path.islink(directory) or not os.path.isdir(directory):
        return
    for name in os.listdir(directory):
        if name.startswith(f"{stem}.") and name.endswith(".pyc"):
            os.unlink(os.path.join(directory, name))
    yield directory


def _pythonpath(environ: Mapping[str, str]) -> Iterator[Fault]:
    value = environ.get("PYTHONPATH")
    if value:
        yield Fault(
            Code.PYTHONPATH,
            "PYTHONPATH",
            f"is set ('{value}'), so that python imports from there before .venv",
            "unset it, or activate the environment by 'spack pyvarium activate'",
        )


def _stale_lower(environment: Environment) -> Iterator[Fault]:
    """Compare the environments that are included with the copies of them that the lockfile has."""
    lockfile = read_lockfile(environment.lockfile)
    for path, roots in lockfile.included.items():
        try:
            now = read_lockfile(Path(path, "spack.lock")).roots
        except LockfileError as error:
            remedy = "ask its owner, or choose another one in spack.yaml"
            reason = str(error).partition(": ")[2].partition(";")[0]
            yield Fault(Code.STALE_LOWER, path, f"its spack.lock {reason}", remedy)
            continue
        if not roots <= now <= lockfile.roots:
            reason = "has changed since this environment was concretized on it"
            remedy = "run 'spack concretize --force' and 'spack pyvarium install'"
            yield Fault(Code.STALE_LOWER, path, reason, remedy)


def _in_layer(plan: LayerPlan) -> Iterator[Fault]:
    venv = str(plan.layer.environment.venv)
    if plan.foreign:
        reason = f"is of another python than Spack's ({plan.layer.inventory.interpreter})"
        yield Fault(Code.WRONG_PYTHON, venv, reason, f"remove it and {_SYNC}")
    elif plan.make_venv:
        code = Code.WRONG_PYTHON if plan.layer.environment.venv.exists() else Code.OUT_OF_STEP
        yield Fault(code, venv, "is missing, or of another python than Spack's", _SYNC)
    else:
        for copy in plan.copies:
            reason = f"shadows Spack's {copy.name} {plan.layer.versions[copy.name]}"
            yield Fault(Code.SHADOWED, str(copy.path), reason, _FIX)
        for shim in plan.missing:
            path = plan.layer.site_packages / shim.dist_info
            if plan.unlinked and path.exists():
                continue  # Written again with the path file, which is reported below.
            reason = "is changed" if path.exists() else "is missing"
            yield Fault(Code.MISSING_SHIM, str(path), reason, _FIX)
        copied = {copy.name for copy in plan.copies}
        for path in plan.stale:
            if canonicalize_name(path.name.partition("-")[0]) in copied:
                continue  # The shim beside a copy is reported as one of two.
            yield Fault(Code.OUT_OF_STEP, str(path), "is of a former sync", _SYNC)
        for change in (*plan.archives, *plan.files):
            if change and change.path != plan.layer.record:
                yield Fault(Code.OUT_OF_STEP, str(change.path), _CHANGED, _SYNC)


def _modified(environment: Environment, provided: Sequence[Provided]) -> Iterator[Fault]:
    first = {one.dag_hash: one for one in reversed(provided)}
    for dag_hash, one in sorted(first.items()):
        prefix = environment.locate(dag_hash) or _prefix_of(one)
        name = one.spec.partition("@")[0]
        for path, reason in sorted(_changes(prefix)) if prefix else ():
            remedy = f"run 'spack install --overwrite {name}/{dag_hash[:7]}'"
            yield Fault(Code.MODIFIED, str(path), reason, remedy)


def _prefix_of(one: Provided) -> Optional[Path]:
    """The prefix of a spec by its real path, where there is no Spack to ask."""
    real = Path(os.path.realpath(metadata_file(one.path)))
    return next((path for path in real.parents if (path / ".spack").is_dir()), None)


def _changes(prefix: Path) -> Iterator[Tuple[Path, str]]:
    """Compare what python imports of a prefix with the manifest that Spack wrote.

    As ``spack.verify``, but a file is read only where its size is right and its time is not; and
    the bytecode that python leaves there is nothing.
    """
    data = read_optional(prefix / ".spack" / "install_manifest.json")
    try:
        manifest: Dict[str, Mapping[str, object]] = json.loads(data or b"{}")
    except ValueError:
        return
    if str(prefix) not in manifest:
        return  # Installed by a Spack that wrote none, or elsewhere.
    seen = set()
    for library in (f"{prefix}/lib", f"{prefix}/lib64"):
        if os.path.islink(library):
            continue
        for directory, below, names in os.walk(library):
            below[:] = [name for name in below if name != "__pycache__"]
            for name in names:
                path = f"{directory}/{name}"
                seen.add(path)
                reason = _difference(path, manifest.get(path))
                if reason:
                    yield Path(path), reason
        for path, entry in manifest.items():
            gone = "size" in entry and path not in seen and "/__pycache__/" not in path
            if gone and path.startswith(f"{library}/"):
                yield Path(path), "was removed from the store"


def _difference(path: str, entry: Optional[Mapping[str, object]]) -> Optional[str]:
    if entry is None:
        return "was added to the store"
    if "size" not in entry:
        return None
    try:
        status = os.lstat(path)
        if status.st_size != entry["size"]:
            return "was changed in the store"
        if status.st_mtime == entry.get("time"):
            return None
        with open(path, "rb") as file:
            digest = base64.b32encode(hashlib.sha1(file.read()).digest()).decode()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if digest == entry.get("hash") else "was changed in the store"


def _stale_lock(environment: Environment, plan: sync.Plan) -> Iterator[Fault]:
    lock = locks.read_lock(environment, plan.backend)
    if lock is None:
        return
    path = locks.path_of(environment, plan.backend)
    remedy = "run 'spack pyvarium lock'"
    for pin in plan.pins:
        if not lock.holds(pin):
            found = lock.versions.get(pin.name, ())
            reason = f"holds {pin.name} {' and '.join(sorted(found)) or 'not at all'}, not {pin}"
            yield Fault(Code.STALE_LOCK, str(path), reason, remedy)
    wheels = None if plan.layer is None else plan.layer.wheels.values()
    for name in lock.stale_shims(wheels) if wheels is not None else ():
        reason = f"holds a shim of {name} that is made anew"
        yield Fault(Code.STALE_LOCK, str(path), reason, remedy)


def _installed(directory: Path) -> Iterator[Distribution]:
    for path in metadata_paths(directory):
        try:
            yield read_distribution(path)
        except MetadataError:
            continue  # Left by an installation that was killed; installers pass it over.


def _doubled(installed: Sequence[Distribution], plan: LayerPlan) -> Iterator[Fault]:
    first: Dict[str, Distribution] = {}
    for one in installed:
        other = first.setdefault(one.name, one)
        if other is not one:
            remedy = _FIX if one.name in plan.layer.versions else f"install {one.name} again"
            reason = f"{one.name} is there a second time, as {other.path.name}"
            yield Fault(Code.TWO_DIST_INFOS, str(one.path), reason, remedy)


def incompatible(
    installed: Sequence[Distribution], inventory: Inventory, remedy: str
) -> Iterator[Fault]:
    """As ``pip check``: what a distribution requires is there, in a version that it admits."""
    versions = {one.name: one.version for one in inventory.provided}
    versions.update((one.name, one.version) for one in installed)
    markers = environment_of(inventory.python)
    for one in installed:
        for requirement in requirements_of(one):
            if not applies(requirement.marker, markers):
                continue
            version = versions.get(canonicalize_name(requirement.name))
            if version is None:
                reason = f"requires {requirement}, which is not there"
            elif not requirement.specifier.contains(version, prereleases=True):
                reason = f"requires {requirement}, but {version} is there"
            else:
                continue
            yield Fault(Code.INCOMPATIBLE, str(one.path), reason, remedy)


def requirements_of(one: Distribution) -> Iterator[Requirement]:
    """What a distribution requires, by its core metadata."""
    data = read_optional(metadata_file(one.path)) or b""
    for key, value in headers(data):
        if key.lower() == "requires-dist":
            try:
                yield Requirement(value)
            except InvalidRequirement:
                continue
