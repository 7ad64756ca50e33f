# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Keep a project's ``pyproject.toml`` in step with the Python distributions Spack provides.

The core (everything but ``cmd/``, ``registration``, ``automatic``, ``setup``, ``config``,
``scopes`` and ``spack_api``) runs without Spack, so the same code answers inside Spack, in a
continuous-integration job and on a laptop. Like ``registration``, this module is read by every
Python that Spack supports (3.6).
"""

import os

__version__ = "0.1.0"


def root() -> str:
    """The directory that holds ``spack-pyvarium``, ``hooks``, ``templates`` and ``packages``.

    In a clone that is the top level; the installed distribution keeps a copy of it in ``share``.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    share = os.path.join(here, "share")
    return share if os.path.isdir(share) else os.path.dirname(os.path.dirname(here))
