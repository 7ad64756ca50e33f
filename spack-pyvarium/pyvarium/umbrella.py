# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Render the project by which Poetry keeps what Spack provides: it requires every shim.

``poetry remove`` takes a name out of every group of the user's ``pyproject.toml``, and uninstalls
what nothing else requires. This local project is what still does. It is installed as a shim that
stands for nothing. Pure.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Dict, Mapping

from . import shims
from .model import Provided
from .pins import UNPINNED
from .shims import Shim, Source
from .toml_text import render, render_key

NAME = "spack-provided"
VERSION = "0"
#: Where its directories are, and from each of them those of the wheels.
DIRECTORY = ".spack-env/pyvarium/poetry"
_WHEELS = "../../wheels"

#: Always true. Without one, Poetry takes an exact requirement of the user's for the same as that
#: of a shim, and what is on the index for the answer to both.
_MARKER = 'python_version >= "3"'

_METADATA = f"""\
Metadata-Version: 2.1
Name: {NAME}
Version: {VERSION}
Summary: Requires all that Spack provides. Written by spack-pyvarium.
"""
#: Poetry reads the requirements from here. It builds the project where its shim is gone, as in a
#: venv that it has made itself; with nothing to build it with, so without an index.
_PYPROJECT = f"""\
# Written by spack-pyvarium; changes are lost.
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[tool.poetry]
name = "{NAME}"
version = "{VERSION}"
description = "Requires all that Spack provides."
authors = []

[tool.poetry.dependencies]
"""
_BACKEND = '''\
"""A build backend (PEP 517) that hands over a wheel. Written by spack-pyvarium."""

import os
import shutil

WHEEL = "{wheel}"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    shutil.copyfile(WHEEL, os.path.join(wheel_directory, WHEEL))
    return WHEEL
'''


def shim(wheels: Mapping[str, str]) -> Shim:
    """Render it as a shim, by the file names of the others' wheels."""
    digest = hashlib.sha256(_pyproject(wheels) + _BACKEND.encode()).hexdigest()
    nothing = Provided(NAME, VERSION, NAME, digest, False, Path())
    return shims.render(Source(nothing, _METADATA.encode()), {}, "")[0]


def directory(own: Shim) -> str:
    """Its directory, below that of the environment.

    It is another one for other shims, by which Poetry sees that its lock is of former ones.
    """
    return f"{DIRECTORY}/{own.build}"


def files(wheels: Mapping[str, str]) -> Dict[str, bytes]:
    """Render what is in its directory, by name."""
    own = shim(wheels)
    return {
        "backend.py": _BACKEND.format(wheel=own.wheel).encode(),
        "pyproject.toml": _pyproject(wheels),
        own.wheel: shims.render_wheel(own),
    }


def _pyproject(wheels: Mapping[str, str]) -> bytes:
    names = sorted(wheels.keys() - UNPINNED)
    entries = {name: {"path": f"{_WHEELS}/{wheels[name]}", "markers": _MARKER} for name in names}
    lines = (f"{render_key(name)} = {render(entry)}\n" for name, entry in entries.items())
    return (_PYPROJECT + "".join(lines)).encode()
