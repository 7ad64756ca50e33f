# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import json
from pathlib import Path

import pytest

from pyvarium.model import Backend
from pyvarium.updaters import directory_of, render_dependabot, render_renovate


def test_renovate() -> None:
    [rule] = json.loads(render_renovate(["numpy", "mpi4py"]))["packageRules"]
    assert (rule["enabled"], rule["matchPackageNames"]) == (False, ["mpi4py", "numpy", "python"])


def test_dependabot() -> None:
    assert render_dependabot(["numpy"], Backend.UV, "/envs/a") == (
        "# Made by 'spack pyvarium export dependabot'.\n"
        "version: 2\n"
        "updates:\n"
        "- package-ecosystem: uv\n"
        '  directory: "/envs/a"\n'
        "  schedule:\n"
        "    interval: weekly\n"
        "  ignore:  # Spack provides these.\n"
        '  - dependency-name: "numpy"\n'
    )
    assert "package-ecosystem: pip\n" in render_dependabot([], Backend.PDM, "/")
    assert "ignore" not in render_dependabot([], None, "/")


@pytest.mark.parametrize(("below", "expected"), [("", "/"), ("envs/a", "/envs/a")])
def test_directory(tmp_path: Path, below: str, expected: str) -> None:
    (tmp_path / ".git").mkdir()
    path = tmp_path / below
    path.mkdir(parents=True, exist_ok=True)
    assert directory_of(path) == expected


def test_directory_in_no_repository(tmp_path: Path) -> None:
    assert directory_of(tmp_path) == "/"
