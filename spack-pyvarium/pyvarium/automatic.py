# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The sync at the end of a Spack command, in the parent process, after the view is written.

Hooks alone would miss what was in the store already, came from an upstream or was removed; so the
truth is looked at whenever a command may have changed it, or a hook has left its mark.
"""

from __future__ import annotations

import contextlib
import functools
import os
from typing import Iterator

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
    resolve = functools.partial(
        settings.resolve_policy,
        forced=spack_api.forced_policy(),
        variable=os.environ.get(settings.VARIABLE),
        configured=spack_api.configured_policy(),
    )
    policy = resolve(auto_sync=True).value
    if policy is Policy.OFF:
        return
    data = files.read_optional(environment.pyproject)
    if policy is Policy.OPTED_IN and b"pyvarium" not in (data or b""):
        return
    owned = pyproject.Owned()
    if data is not None:
        owned = pyproject.owned(data.decode("utf-8", "replace"), str(environment.pyproject))
    policy = resolve(auto_sync=owned.auto_sync).value
    if settings.acts(policy, exists=data is not None, opted_in=owned.opted_in):
        changes = sync(environment, spack_api.defaults(), thorough=False)
        if changes:
            yield f"pyvarium: {changes.pyproject.path}: {changes}"
        faults = (one for one in changes.skipped if one.fault)
        yield from (f"Warning: pyvarium: {one}" for one in faults)
    elif policy is Policy.EXISTING and data is None:
        yield from _hint(environment)


def _hint(environment: Environment) -> Iterator[str]:
    """Name the command, once, where there is no file to keep in step.

    Whoever has none has not asked for anything, so what would be wrong with it is not said.
    """
    hinted = environment.state / "hinted"
    if hinted.exists():
        return
    with contextlib.suppress(PyvariumError):
        if plan(environment, thorough=False).pins:
            missing = f"{environment.pyproject}: does not exist"
            yield f"pyvarium: {missing}; 'spack pyvarium sync' creates it"
            files.write_atomically(hinted, b"", expected=None)
