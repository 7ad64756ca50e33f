# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What Spack loads by itself is valid for every Python that Spack runs on, down to 3.6."""

import ast
import glob
import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PYENV = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
LOADED = [
    "hooks/post_install.py",
    "spack-pyvarium/pyvarium/__init__.py",
    "spack-pyvarium/pyvarium/cmd/pyvarium.py",
    "spack-pyvarium/pyvarium/registration.py",
]


@pytest.mark.parametrize("name", LOADED)
def test_by_grammar(name: str) -> None:
    ast.parse((TOP / name).read_text(), feature_version=(3, 6))


def test_by_that_python() -> None:
    found = glob.glob(f"{PYENV}/versions/3.6.*/bin/python3.6")
    python = next(iter(found), shutil.which("python3.6"))
    if python is None:
        pytest.skip("no Python 3.6 here")
    program = "import sys\nfor name in sys.argv[1:]: compile(open(name).read(), name, 'exec')"
    done = subprocess.run(
        [python, "-c", program, *LOADED], cwd=TOP, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
