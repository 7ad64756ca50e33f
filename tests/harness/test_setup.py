# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import sys
from pathlib import Path

import pytest
import spack.spec
import spack.util.spack_yaml

from pyvarium import registration, setup
from pyvarium.errors import PyvariumError


@pytest.mark.parametrize(
    "name", ["plain", "with 'quotes\"", "back\\slash", "ünï {braces}: - [x]", "&*!|>"]
)
def test_entry_registers(unregistered: None, tmp_path: Path, name: str) -> None:
    extension = tmp_path / name / "spack-pyvarium"
    extension.mkdir(parents=True)
    (entry,) = spack.util.spack_yaml.load_config(setup.include_entry(tmp_path / name))
    assert spack.spec.eval_conditional(entry["when"]) is True
    assert (entry["path"], sys.path[-1]) == (str(extension / "scope"), str(extension))
    assert registration.is_registered()


def test_entry_of_a_removed_clone(
    unregistered: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (entry,) = spack.util.spack_yaml.load_config(setup.include_entry(tmp_path))
    assert spack.spec.eval_conditional(entry["when"]) is True
    assert (registration.is_registered(), capfd.readouterr().err) == (False, "")


@pytest.mark.parametrize("name", ["$HOME", "50%", "a#b", "a?b", "'''", "two\nlines"])
def test_paths_that_spack_would_read_otherwise(name: str) -> None:
    with pytest.raises(PyvariumError, match="cannot stand in Spack's configuration"):
        setup.include_entry(Path("/opt") / name)
