# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from pathlib import Path
from typing import Dict

import pytest

from pyvarium.layout import Role, python_files

FILES = (
    "own/a.py",
    "more/b.py",
    "own_test/c.py",
    "d.py",
    "docs/e.py",
    "setup.py",
    "examples2/f.py",
)
USUAL = {"docs/e.py": "docs", "setup.py": "development"}
BESIDE = {"own_test/c.py": "test", "examples2/f.py": "docs", **USUAL}
ONLY_OWN = {"d.py": "development", "more/b.py": "development", **BESIDE}
FIND = "[tool.setuptools.packages.find]\n"
WHEEL = "[tool.hatch.build.targets.wheel]\n"
HATCH = "[build-system]\nbuild-backend = 'hatchling.build'\n[project]\nname = 'Own'\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pyproject.toml", "", USUAL),
        ("pyproject.toml", "[", USUAL),
        ("setup.cfg", "[options\n", USUAL),
        ("pyproject.toml", "[tool.setuptools]\npackages = ['own', 'own.b']\n", ONLY_OWN),
        (
            "pyproject.toml",
            "[tool.setuptools]\npackages = ['own', 'more']\npy-modules = ['d']\n",
            BESIDE,
        ),
        ("pyproject.toml", "[tool.setuptools]\npy-modules = ['d']\npackages = 3\n", None),
        ("pyproject.toml", f"{FIND}include = ['own', 'own.*']\n", ONLY_OWN),
        ("pyproject.toml", f"{FIND}where = ['./']\nexclude = ['own_test*', 'own']\n",
         {"own_test/c.py": "test", "d.py": "development", **USUAL}),
        ("pyproject.toml", f"{FIND}where = ['none']\n", USUAL),
        ("setup.cfg", "[options]\npackages = find:\n[options.packages.find]\ninclude =\n  own\n",
         ONLY_OWN),
        ("setup.cfg", "[options]\npackages = own, more\npy_modules = d\n", BESIDE),
        ("pyproject.toml", HATCH, ONLY_OWN),
        ("pyproject.toml", HATCH.replace("Own", "other"), USUAL),
        ("pyproject.toml", f"{HATCH}{WHEEL}packages = ['own', 'more']\n",
         {"d.py": "development", **BESIDE}),
        ("pyproject.toml", "[tool.poetry]\npackages = [{include = 'own'}]\n", ONLY_OWN),
        ("pyproject.toml", "[tool.flit.module]\nname = 'own.inner'\n", ONLY_OWN),
    ],
)  # fmt: skip
def test_roles_by_what_is_distributed(
    tmp_path: Path, name: str, text: str, expected: Dict[str, str]
) -> None:
    for file in FILES:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / name).write_text(text)
    found = {
        str(one.path.relative_to(tmp_path)): one.role.value
        for one in python_files(tmp_path, unreadable=pytest.fail)
        if one.role is not Role.RUN
    }
    if expected is None:
        expected = {
            "own/a.py": "development",
            **{k: v for k, v in ONLY_OWN.items() if k != "d.py"},
        }
    assert found == expected
