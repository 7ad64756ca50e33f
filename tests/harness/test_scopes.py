# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
import spack.config
import spack.environment

from pyvarium import scopes, spack_api
from pyvarium.errors import PyvariumError
from pyvarium.settings import Setting

COMMENTED = """\
# Of our group.
pyvarium:
  auto-sync: all   # since May

  tools:
    # built by hand
    pdm: /opt/pdm
"""


def site_file(text: Optional[str] = None) -> Path:
    """The file of a scope, with this text."""
    path = Path(spack.config.CONFIG.scopes["site"].path) / "pyvarium.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        (None, "mode", "portable", "pyvarium:\n  mode: 'portable'\n"),
        (None, "tools.uv", "/it's/uv", "pyvarium:\n  tools:\n    uv: '/it''s/uv'\n"),
        (
            COMMENTED,
            "tools.uv",
            "/opt/uv",
            COMMENTED.replace("  tools:\n", "  tools:\n    uv: '/opt/uv'\n"),
        ),
        (
            COMMENTED,
            "backend",
            "uv",
            COMMENTED.replace("pyvarium:\n", "pyvarium:\n  backend: 'uv'\n"),
        ),
        ("pyvarium: {}\n", "mode", "bound", "pyvarium:\n  mode: 'bound'\n"),
    ],
    ids=["new", "new-tool", "beside-a-tool", "beside-a-setting", "empty"],
)
def test_a_setting_comes_and_goes(before: Optional[str], key: str, value: str, after: str) -> None:
    path = site_file(before)
    assert scopes.with_setting("site", key, value).write()
    assert path.read_text() == after
    assert not scopes.with_setting("site", key, value).write()
    spack.config.CONFIG.clear_caches()
    assert spack_api.configured(key) == Setting(value, "scope site")
    assert scopes.with_setting("site", key, None).write()
    assert not scopes.with_setting("site", key, None).write()
    expected = before if before == COMMENTED else None
    assert (path.read_text() if path.exists() else None) == expected


def test_the_last_of_the_tools_takes_their_table_with_it() -> None:
    path = site_file(COMMENTED)
    scopes.with_setting("site", "tools.pdm", None).write()
    assert path.read_text() == "# Of our group.\npyvarium:\n  auto-sync: all   # since May\n\n"


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (
            "pyvarium:\n  tools: {pdm: /opt/pdm}\n",
            "tools.uv",
            "'tools' is not written with one entry a line; rewrite it so, or use another --scope",
        ),
        (
            "pyvarium:\n  mode:: bound\n",
            "mode",
            "forces mode by '::'; add --force, or change it there",
        ),
        ("pyvarium: [\n", "mode", None),
    ],
    ids=["one-line", "forced", "broken"],
)
def test_files_that_will_not_do(text: str, key: str, message: Optional[str]) -> None:
    path = site_file(text)
    with pytest.raises(PyvariumError) as raised:
        scopes.with_setting("site", key, "uv")
    assert str(raised.value).startswith(f"{path}: {message or ''}")
    assert path.read_text() == text


def test_a_manifest_cannot_hold_a_setting(tmp_path: Path, mutable_mock_env_path: Any) -> None:
    manifest = tmp_path / "spack.yaml"
    manifest.write_text("spack:\n  specs: []\n")
    with spack.environment.Environment(tmp_path), pytest.raises(PyvariumError) as raised:
        scopes.with_setting(f"env:{tmp_path}", "mode", "bound")
    assert str(raised.value) == f"{manifest}: cannot hold mode; use another --scope"
