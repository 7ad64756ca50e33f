# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import List, Optional

import pytest
import spack.config
import spack.spec
import spack.util.spack_yaml

from pyvarium import libraries, registration, setup
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


@pytest.mark.parametrize(
    ("installed", "before", "after"),
    [
        (["uv"], "  tools:\n    uv: {uv}\n", None),
        (["uv", "pdm"], "  auto-sync: all\n  tools:\n    uv: {uv}\n    pdm: {pdm}\n", None),
        (
            ["uv"],
            "  auto-sync: all\n  quiet: true # always\n  tools:\n    pdm: {pdm}\n    uv: {uv}\n",
            "  quiet: true # always\n  tools:\n    pdm: {pdm}\n",
        ),
        ([], "  mode: bound\n  tools:\n    uv: {uv}\n", "  mode: bound\n  tools:\n    uv: {uv}\n"),
    ],
    ids=["tool", "everything", "beside-the-users", "the-users"],
)
def test_removal_keeps_what_the_user_wrote(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installed: List[str],
    before: str,
    after: Optional[str],
) -> None:
    """A program that setup installed is one in a prefix with its record."""
    monkeypatch.setattr(libraries, "DIRECTORY", tmp_path / "libraries")
    programs = {name: str(tmp_path / name / "bin" / name) for name in ("uv", "pdm")}
    for name in installed:
        (tmp_path / name).mkdir()
        record = json.dumps({"backend": name, "python": "/usr/bin/python3", "complete": True})
        (tmp_path / name / "pyvarium.json").write_text(record)
    path = Path(spack.config.CONFIG.scopes["site"].path) / "pyvarium.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"pyvarium:\n{before.format(**programs)}")
    spack.config.CONFIG.clear_caches()
    list(setup.unregister("site"))
    expected = None if after is None else f"pyvarium:\n{after.format(**programs)}"
    assert (path.read_text() if path.exists() else None) == expected
