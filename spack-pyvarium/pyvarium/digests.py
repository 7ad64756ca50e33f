# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Compare a project with its lockfile where neither view nor store is, as in a checkout.

Runs at each commit in continuous integration, so it imports little.
"""

from __future__ import annotations

from typing import Optional

from . import pins, pyproject
from .files import read_optional
from .lockfile import read_hashes
from .model import Environment


def stale_by_digest(environment: Environment) -> Optional[str]:
    """Say what is out of step, from ``pyproject.toml`` and ``spack.lock`` alone; None if nothing.

    For a checkout on a machine without the view and the store, as in continuous integration: both
    files must be as the last sync left them.
    """
    hashes = read_hashes(environment.lockfile)
    subject = str(environment.pyproject)
    data = read_optional(environment.pyproject)
    if data is None:
        return "does not exist"
    owned = pyproject.owned(pyproject.decode(data, subject), subject)
    if owned.lockfile_digest != pins.digest(hashes):
        return "is not made from this spack.lock"
    if owned.pins_digest != pins.digest(owned.pins or ()):
        return "has other pins than the last sync wrote"
    return None
