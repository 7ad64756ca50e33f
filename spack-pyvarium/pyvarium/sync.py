# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Bring a project in step with what Spack provides: the main path.

What Spack provides becomes pins and a layer, the pins become text, and what changed is written.
Checking stops before the write. The command, the automatic sync and ``python -m pyvarium`` all
come here.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, replace
from typing import List, Optional, Tuple

from . import backends, building, files, layer, pins, pyproject, settings, stamps
from .errors import FileError, ProvidedError, PyprojectError
from .files import FileChange
from .layer import Layer, LayerPlan, Record
from .lockfile import read_lockfile
from .model import Backend, Environment, Inventory, Mode, Pin, PinDiff, Skipped
from .provided import provided_distributions
from .settings import Defaults
from .toml_text import parse

#: How many characters are too many for one line of names; some twenty pins are as many.
_LONGEST = 400


@dataclass(frozen=True)
class Plan:
    """All that a sync would change, made without writing anything; falsy if nothing.

    ``skipped`` is what could not be used, or is not ours to change, with the reasons. ``reason``
    is why the file changes though its pins do not.
    """

    pyproject: FileChange
    constraints: FileChange
    pins: Tuple[Pin, ...]
    diff: PinDiff
    inventory: Inventory
    backend: Optional[Backend] = None
    mode: Mode = Mode.BOUND
    layer: Optional[LayerPlan] = None
    poetry: Optional[FileChange] = None
    skipped: Tuple[Skipped, ...] = ()
    reason: str = ""

    def __bool__(self) -> bool:
        return bool(self.pyproject or self.constraints or self.poetry or self.layer)

    def __str__(self) -> str:
        """What happens to the file, or to the layer, in one line, without the file's name."""
        if self.pyproject.before is None and self.pyproject:
            return f"created with {len(self.pins)} {'pin' if len(self.pins) == 1 else 'pins'}"
        if self.diff:
            every = str(self.diff)
            return every if len(every) <= _LONGEST else self.diff.counted()
        if self.pyproject:
            return self.reason
        return f".venv {self.layer}" if self.layer else "in step"

    def unified_diff(self) -> str:
        """The change to ``pyproject.toml`` as ``diff -u`` would show it."""
        path = str(self.pyproject.path)
        before = (self.pyproject.before or b"").decode("utf-8").splitlines(keepends=True)
        after = (self.pyproject.after or b"").decode("utf-8").splitlines(keepends=True)
        source = path if self.pyproject.before is not None else "/dev/null"
        return "".join(difflib.unified_diff(before, after, source, path))


def sync(
    environment: Environment, defaults: Optional[Defaults] = None, *, thorough: bool = True
) -> Plan:
    """Write what is out of step, under the environment's lock, and return what that was.

    In an environment of somebody else's nothing is written, nor need be where it is in step.
    """
    if not os.access(environment.path, os.W_OK):
        changes = plan(environment, defaults, thorough=thorough)
        if changes:
            raise FileError(
                f"{environment.path}: is out of step, and read-only; have its owner run 'spack"
                f" pyvarium sync', or build on it by 'spack pyvarium new DIR --on"
                f" {environment.path}'"
            )
        return changes
    lock = environment.state / "lock"
    with files.locked(lock):
        since = stamps.moment(lock) if thorough else 0
        changes = plan(environment, defaults, thorough=thorough)
        changes.pyproject.write()
        changes.constraints.write()
        if changes.poetry:
            changes.poetry.write()
        if changes.layer is not None:
            skipped = building.build(changes.layer, since=since)
            changes = replace(changes, skipped=(*changes.skipped, *skipped))
    return changes


def plan(
    environment: Environment, defaults: Optional[Defaults] = None, *, thorough: bool = True
) -> Plan:
    """Compare the environment with its files; reads only. Raises PyvariumError.

    A comparison that is not ``thorough`` believes the record of the last sync about the layer.
    """
    if environment.views is None:
        raise ProvidedError(
            f"{environment.path}: has no view here to see what Spack provides;"
            " sync where Spack installed it, or check by digest"
        )
    lockfile = read_lockfile(environment.lockfile)
    before = files.read_optional(environment.pyproject)
    subject = str(environment.pyproject)
    text = pyproject.decode(before or b"", subject)
    owned = pyproject.owned(text, subject)
    record = Record(environment.state)
    known = record.known() if thorough else {}
    inventory = provided_distributions(environment, lockfile, known)
    backend, mode = choices(environment, text, owned, defaults or Defaults())
    planned, unpinned = pins.plan(inventory.provided, mode, owned.not_on_index)
    _refuse_edited(owned, planned, subject)

    rendered = files.read_optional(environment.constraints)
    constraints = FileChange(environment.constraints, rendered, rendered)
    result = Plan(
        pyproject=FileChange(environment.pyproject, before, before),
        constraints=constraints,
        pins=planned,
        diff=pins.compare(owned.pins or (), planned),
        inventory=inventory,
        backend=backend,
        mode=mode,
        skipped=(*inventory.skipped, *unpinned),
    )
    if not (planned or owned.pins or owned.opted_in):
        return result  # Nothing here is python's or ours.

    if before is None:
        text = pyproject.new_text(environment.name, inventory.python)
    built = layer.plan(Layer(environment, inventory, backend, mode), record, thorough=thorough)
    digest = pins.digest(lockfile.nodes)
    same = owned.lockfile_digest == digest
    keys = f"the keys for {backend.value if backend else 'no backend'} changed"
    text = pyproject.with_pins(text, owned, planned, digest, subject)
    wheels = {} if built is None else built.wheels
    text, kept = backends.with_keys(
        text, backend, mode, planned, owned.pins or (), wheels, subject
    )
    poetry, unsuited = _poetry_settings(environment, backend)
    skipped = [*result.skipped, *kept, *unsuited, *_unsuited_python(text, inventory, subject)]
    return replace(
        result,
        pyproject=replace(result.pyproject, after=text.encode("utf-8")),
        constraints=replace(constraints, after=pins.render_constraints(planned).encode("utf-8")),
        poetry=poetry,
        layer=built,
        reason=keys if same else "the digest of spack.lock changed",
        skipped=(*skipped, *(() if built is None else (*built.skipped, *built.faults()))),
    )


def choices(
    environment: Environment, text: str, owned: pyproject.Owned, defaults: Defaults
) -> Tuple[Optional[Backend], Mode]:
    """The backend and the mode of a project; no backend where nothing tells."""
    names = os.listdir(environment.path) if environment.path.is_dir() else []
    found = backends.detect(parse(text, str(environment.pyproject)), names)
    backend = settings.resolve_backend(owned.backend, defaults.backend, found)
    mode = settings.resolve_mode(owned.mode, defaults.mode)
    return backend.value if backend else None, mode.value


def _poetry_settings(
    environment: Environment, backend: Optional[Backend]
) -> Tuple[FileChange, List[Skipped]]:
    path = environment.path / "poetry.toml"
    before = files.read_optional(path)
    uses_poetry = backend is Backend.POETRY
    own = pyproject.decode(before or b"", str(path))
    text, kept = backends.with_poetry_settings(own, uses_poetry, str(path))
    after = before if text == own else text.encode("utf-8") or None
    return FileChange(path, before, after), kept


def _unsuited_python(text: str, inventory: Inventory, subject: str) -> List[Skipped]:
    """What ``requires-python`` has against the python of the layer."""
    wanted = pyproject.requires_python(text, subject)
    if wanted is None or inventory.python is None:
        return []
    key = f"{subject}: project.requires-python"
    major, minor = map(int, inventory.python.split("."))

    def admits(minor: int) -> bool:
        return any(wanted.filter(f"{major}.{minor}.{patch}" for patch in range(50)))

    if not admits(minor):
        reason = f"is '{wanted}', but Spack's python is {inventory.python}; widen it"
        return [Skipped(key, reason, fault=True)]
    if admits(minor - 1) or admits(minor + 1):
        bounds = pyproject.python_bounds(inventory.python)
        reason = f"is '{wanted}', so that a lock must hold for other pythons too; '{bounds}' is"
        return [Skipped(key, f"{reason} surer with what Spack provides")]
    return []


def _refuse_edited(owned: pyproject.Owned, planned: Tuple[Pin, ...], subject: str) -> None:
    """Refuse to remove a pin that no sync has written: it is the user's own."""
    if owned.pins is None or owned.pins_digest == pins.digest(owned.pins):
        return
    own = pins.compare(owned.pins, planned).removed
    if own:
        raise PyprojectError(
            f"{subject}: {'.'.join(pyproject.GROUP)} holds '{own[0]}', which is not Spack's;"
            " move it to another group or remove it"
        )
