# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Environment markers (PEP 508) and their values for the python of an environment.

Spack may run on another python of the same machine, so only what tells the two apart is replaced.
"""

from __future__ import annotations

from typing import Dict, Mapping, Optional

from packaging.markers import Marker, default_environment


def environment_of(python: Optional[str]) -> Dict[str, str]:
    """The values for a python ``X.Y``, without any extra; None is the running one."""
    values = {key: str(value) for key, value in default_environment().items()}
    values["extra"] = ""
    if python is not None and values["python_version"] != python:
        values["python_version"] = python
        values["python_full_version"] = f"{python}.0"
    return values


def applies(marker: Optional[Marker], values: Mapping[str, str]) -> bool:
    """Whether a marker holds; one of a metadata file may compare what cannot be compared."""
    try:
        return marker is None or marker.evaluate(dict(values))
    except (ValueError, KeyError):  # As installers, which do not pass over what they do not know.
        return True
