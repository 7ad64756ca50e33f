# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import subprocess
from pathlib import Path
from typing import List, Sequence

import pytest

from pyvarium import libraries
from pyvarium.errors import PyvariumError


def installer(code: int, says: str = "") -> libraries.Runner:
    """What installs one file, and then ends with this code."""

    def run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        target = Path(command[command.index("--target") + 1])
        (target / "tomlkit").mkdir(parents=True)
        (target / "tomlkit" / "__init__.py").write_text("")
        return subprocess.CompletedProcess(command, code, "", says)

    return run


def tree(directory: Path) -> List[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_the_directory_appears_complete(tmp_path: Path) -> None:
    (tmp_path / "libraries" / "half").mkdir(parents=True)
    libraries.install(tmp_path / "libraries", run=installer(0))
    assert tree(tmp_path) == ["libraries", "libraries/tomlkit", "libraries/tomlkit/__init__.py"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PyvariumError) as raised:
        libraries.install(tmp_path / "libraries", run=installer(1, "WARNING: x\nERROR: no y\n"))
    assert str(raised.value) == (
        f"{tmp_path}/libraries: the libraries could not be installed (ERROR: no y); fetch them"
        " elsewhere, by 'pip download --dest DIR packaging tomlkit', and add --libraries-from DIR"
    )
    assert tree(tmp_path) == []


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PyvariumError) as raised:
        libraries.install(tmp_path / "file" / "libraries", run=installer(0))
    assert str(raised.value) == (
        f"{tmp_path}/file/libraries: cannot be written (File exists); let its owner run"
        " 'spack pyvarium setup'"
    )
