# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The sync at the end of a Spack command, in the parent process, after the view is written.

Hooks alone would miss what was in the store already, came from an upstream or was removed; so the
truth is looked at whenever a command may have changed it, or a hook has left its mark.
"""

from __future__ import annotations

import contextlib
import os
from typing import Iterator, Optional

from . import files, mark, pyproject, settings, spack_api
from .errors import PyvariumError
from .model import Environment
from .settings import Policy
from .sync import plan, sync


def after_command() -> Iterator[str]:
    """Sync the active environment, after a command that may have changed what it provides.

    Yields the lines to say: one where a file changed, one for each fault. Raises PyvariumError,
    but the same one not again until something changes: the sync stays due, as for a file that is
    being edited, and no command in between need say so.
    """
    environment = spack_api.active_environment()
    if environment is None:
        return
    state = environment.state
    if environment.lockfile.exists():
        try:
            yield from _sync(environment)
        except PyvariumError as error:
            if mark.reason(state) == str(error):
                return
            mark.leave(state, str(error))
            raise
    mark.remove(state)


def _sync(environment: Environment) -> Iterator[str]:
    """Sync where the policy wants it; a file is not even parsed where its content is not asked."""
    forced, configured = spack_api.forced_policy(), spack_api.configured_policy()
    variable = os.environ.get(settings.VARIABLE)

    def policy(auto_sync: bool) -> Policy:
        return settings.resolve(
            forced=forced, variable=variable, auto_sync=auto_sync, configured=configured
        ).policy

    if policy(True) is Policy.OFF:
        return
    data = files.read_optional(environment.pyproject)
    if policy(True) is Policy.OPTED_IN and b"pyvarium" not in (data or b""):
        return
    owned: Optional[pyproject.Owned] = None
    if data is not None:
        owned = pyproject.owned(data.decode("utf-8", "replace"), str(environment.pyproject))
    chosen = policy(owned is None or owned.auto_sync)
    opted_in = owned is not None and owned.opted_in
    if settings.acts(chosen, exists=data is not None, opted_in=opted_in):
        changes = sync(environment)
        if changes:
            yield f"pyvarium: {changes.pyproject.path}: {changes}"
        faults = (one for one in changes.inventory.skipped if one.fault)
        yield from (f"Warning: pyvarium: {one}" for one in faults)
    elif chosen is Policy.EXISTING and data is None:
        yield from _hint(environment)


def _hint(environment: Environment) -> Iterator[str]:
    """Name the command, once, where there is no file to keep in step.

    Whoever has none has not asked for anything, so what would be wrong with it is not said.
    """
    hinted = environment.state / "hinted"
    if hinted.exists():
        return
    with contextlib.suppress(PyvariumError):
        if plan(environment).pins:
            missing = f"{environment.pyproject}: does not exist"
            yield f"pyvarium: {missing}; 'spack pyvarium sync' creates it"
            files.write_atomically(hinted, b"", expected=None)
