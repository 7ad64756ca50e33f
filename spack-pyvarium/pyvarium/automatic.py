# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The sync at the end of a Spack command, in the parent process, after the view is written.

Hooks alone would miss what was in the store already, came from an upstream or was removed; so the
truth is looked at whenever a command may have changed it, or a hook has left its mark.
"""

from __future__ import annotations

import os
from typing import Iterator, Optional

from . import files, mark, pyproject, settings, spack_api
from .model import Environment
from .settings import Policy
from .sync import plan, sync

#: The commands after which an environment may provide something else than before.
CHANGING = frozenset(
    "add change concretize deprecate dev_build develop env gc install mark reindex remove"
    " undevelop uninstall".split()
)


def after_command(command: str) -> Iterator[str]:
    """Sync the active environment if the command may have changed what it provides.

    Yields the lines to say: one where a file changed, one for each fault. Raises PyvariumError.
    """
    environment = spack_api.active_environment()
    if environment is None or not environment.lockfile.exists():
        return
    marked = mark.stands(environment.state)
    if not marked and command not in CHANGING:
        return
    variable = os.environ.get(settings.VARIABLE)
    data = files.read_optional(environment.pyproject)
    owned: Optional[pyproject.Owned] = None
    if data is not None and variable != Policy.OFF:
        owned = pyproject.owned(data.decode("utf-8", "replace"), str(environment.pyproject))
    policy = settings.resolve(
        forced=spack_api.forced_policy(),
        variable=variable,
        auto_sync=owned is None or owned.auto_sync,
        configured=spack_api.configured_policy(),
    ).policy
    opted_in = owned is not None and owned.opted_in
    if settings.acts(policy, exists=data is not None, opted_in=opted_in):
        changes = sync(environment)
        if changes:
            yield f"{changes.pyproject.path}: {changes}"
        yield from (str(one) for one in changes.inventory.skipped if one.fault)
    elif marked and policy is Policy.EXISTING and data is None:
        yield from _hint(environment)
    mark.remove(environment.state)


def _hint(environment: Environment) -> Iterator[str]:
    """Name the command, once, where there is no file to keep in step."""
    hinted = environment.state / "hinted"
    if not hinted.exists() and plan(environment).pins:
        yield f"{environment.pyproject}: does not exist; 'spack pyvarium sync' creates it"
        files.write_atomically(hinted, b"", expected=None)
