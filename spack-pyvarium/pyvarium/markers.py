# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The values of environment markers (PEP 508) for the python of an environment.

Spack may run on another python of the same machine, so only what tells the two apart is replaced.
"""

from __future__ import annotations

from typing import Dict, Optional

from packaging.markers import default_environment


def environment_of(python: Optional[str]) -> Dict[str, str]:
    """The values for a python ``X.Y``, without any extra; None is the running one."""
    values = {key: str(value) for key, value in default_environment().items()}
    values["extra"] = ""
    if python is not None and values["python_version"] != python:
        values["python_version"] = python
        values["python_full_version"] = f"{python}.0"
    return values
