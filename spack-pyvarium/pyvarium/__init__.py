# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Keep a project's ``pyproject.toml`` in step with the Python distributions Spack provides.

The core (everything but ``cmd/``, ``automatic`` and ``spack_api``) never imports Spack, so the
same code answers inside Spack, in a continuous-integration job and on a laptop.
"""

__version__ = "0.1.0"
