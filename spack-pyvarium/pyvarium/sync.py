# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Bring ``pyproject.toml`` in step with what Spack provides: the main path.

What Spack provides becomes pins, the pins become text, and what changed is written. Checking
stops before the write. The command, the automatic sync and ``python -m pyvarium`` all come here.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Optional, Tuple

from . import files, pins, pyproject
from .errors import ProvidedError, PyprojectError
from .files import FileChange
from .lockfile import read_lockfile
from .model import Environment, Inventory, Pin, PinDiff
from .provided import provided_distributions


@dataclass(frozen=True)
class Plan:
    """All that a sync would change, made without writing anything; falsy if nothing."""

    pyproject: FileChange
    constraints: FileChange
    pins: Tuple[Pin, ...]
    diff: PinDiff
    inventory: Inventory

    def __bool__(self) -> bool:
        return bool(self.pyproject or self.constraints)

    def __str__(self) -> str:
        """What happens to the file, in one line, without its name."""
        if self.pyproject.before is None and self.pyproject:
            return f"created with {len(self.pins)} pins"
        if self.diff:
            return str(self.diff)
        return "the digest of spack.lock changed" if self.pyproject else "in step"

    def unified_diff(self) -> str:
        """The change to ``pyproject.toml`` as ``diff -u`` would show it."""
        path = str(self.pyproject.path)
        before = (self.pyproject.before or b"").decode("utf-8").splitlines(keepends=True)
        after = (self.pyproject.after or b"").decode("utf-8").splitlines(keepends=True)
        source = path if self.pyproject.before is not None else "/dev/null"
        return "".join(difflib.unified_diff(before, after, source, path))


def sync(environment: Environment) -> Plan:
    """Write what is out of step, under the environment's lock, and return what that was."""
    with files.locked(environment.state / "lock"):
        changes = plan(environment)
        changes.pyproject.write()
        changes.constraints.write()
    return changes


def plan(environment: Environment) -> Plan:
    """Compare the environment with its files; reads only. Raises PyvariumError."""
    if environment.views is None:
        raise ProvidedError(
            f"{environment.path}: has no view here to see what Spack provides;"
            " sync where Spack installed it, or check by digest"
        )
    lockfile = read_lockfile(environment.lockfile)
    before = files.read_optional(environment.pyproject)
    subject = str(environment.pyproject)
    text = _decode(before or b"", subject)
    owned = pyproject.owned(text, subject)
    inventory = provided_distributions(environment, lockfile)
    planned = pins.plan(inventory.provided)
    _refuse_edited(owned, planned, subject)

    after = before
    rendered = files.read_optional(environment.constraints)
    constraints = FileChange(environment.constraints, rendered, rendered)
    if planned or owned.pins or owned.opted_in:  # Else nothing here is python's or ours.
        if before is None:
            text = pyproject.new_text(environment.name, inventory.python)
        digest = pins.digest(lockfile.nodes)
        after = pyproject.with_pins(text, owned, planned, digest, subject).encode("utf-8")
        constraints = replace(constraints, after=pins.render_constraints(planned).encode("utf-8"))
    return Plan(
        pyproject=FileChange(environment.pyproject, before, after),
        constraints=constraints,
        pins=planned,
        diff=pins.compare(owned.pins or (), planned),
        inventory=inventory,
    )


def stale_by_digest(environment: Environment) -> Optional[str]:
    """Say what is out of step, from ``pyproject.toml`` and ``spack.lock`` alone; None if nothing.

    For a checkout on a machine without the view and the store, as in continuous integration: both
    files must be as the last sync left them.
    """
    lockfile = read_lockfile(environment.lockfile)
    subject = str(environment.pyproject)
    data = files.read_optional(environment.pyproject)
    if data is None:
        return "does not exist"
    owned = pyproject.owned(_decode(data, subject), subject)
    if owned.lockfile_digest != pins.digest(lockfile.nodes):
        return "is not made from this spack.lock"
    if owned.pins_digest != pins.digest(owned.pins or ()):
        return "has other pins than the last sync wrote"
    return None


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


def _decode(data: bytes, subject: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PyprojectError(
            f"{subject}: is not UTF-8 at byte {error.start}; save it as UTF-8"
        ) from None
