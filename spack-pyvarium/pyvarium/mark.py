# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A mark in an environment's directory: what it provides may have changed, a sync is due.

A command that may change something leaves it before it starts, and so does a hook, where it can
neither see the result (the view is written last) nor ask for it (the process may be forked,
sandboxed or holding the database). It outlives a command that was killed, and holds the reason why
the last sync failed. Imports nothing heavy: it runs once for every spec that is installed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

#: The commands after which an environment may provide something else than before.
CHANGING = frozenset(
    "add change concretize deprecate dev_build develop env gc install mark reindex remove"
    " undevelop uninstall".split()
)


def leave(state: Path, reason: str = "") -> None:
    """Leave the mark where there is a file to keep in step; others are not written to.

    A process that may not write here leaves it to its parent, which syncs anyway.
    """
    with contextlib.suppress(OSError):
        if not (state.parents[1] / "pyproject.toml").exists():
            return
        state.mkdir(parents=True, exist_ok=True)
        (state / "pending").write_text(reason, encoding="utf-8")


def is_due(state: Path, command: str) -> bool:
    """Whether to sync when a command ends."""
    return command in CHANGING or (state / "pending").exists()


def reason(state: Path) -> str:
    """Why the last sync failed; empty where something has changed since, or none failed."""
    try:
        return (state / "pending").read_text(encoding="utf-8")
    except OSError:
        return ""


def remove(state: Path) -> None:
    with contextlib.suppress(OSError):
        (state / "pending").unlink()
        state.rmdir()  # If nothing else is in it, as where the policy did not want a sync.
