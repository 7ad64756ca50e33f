# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A mark in an environment's directory: what it provides may have changed, a sync is due.

A hook leaves it where it can neither see the result (the view is written last) nor ask for it (the
process may be forked, sandboxed or holding the database). It outlives a command that was killed.
Imports nothing heavy: it runs once for every spec that is installed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path


def leave(state: Path) -> None:
    """Leave the mark; a process that may not write here leaves it to its parent to sync anyway."""
    with contextlib.suppress(OSError):
        state.mkdir(parents=True, exist_ok=True)
        (state / "pending").touch()


def stands(state: Path) -> bool:
    return (state / "pending").exists()


def remove(state: Path) -> None:
    with contextlib.suppress(OSError):
        (state / "pending").unlink()
