# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import spack.config
import spack.environment
from spack.error import SpackError
from spack.main import SpackCommand

from conftest import EXTENSION, NewEnvironment
from pyvarium import spack_api
from pyvarium.errors import PyvariumError
from pyvarium.model import Backend
from pyvarium.settings import Policy, Setting


@pytest.mark.parametrize(
    ("files", "configured", "forced"),
    [
        ({}, None, None),
        ({"site": "auto-sync: all"}, Setting(Policy.ALL, "scope site"), None),
        (
            {"site": "auto-sync: all", "user": "auto-sync: off"},
            Setting(Policy.OFF, "scope user"),
            None,
        ),
        (
            {"site": "auto-sync:: opted-in", "user": "auto-sync:: all"},
            Setting(Policy.ALL, "scope user", forced=True),
            Setting(Policy.OPTED_IN, "scope site", forced=True),
        ),
        ({"site": ""}, None, None),
    ],
    ids=["nowhere", "site", "user-over-site", "forced-by-the-lowest", "empty"],
)
def test_policies(
    files: Dict[str, str], configured: Optional[Setting], forced: Optional[Setting]
) -> None:
    for scope, line in files.items():
        path = Path(spack.config.CONFIG.scopes[scope].path)
        path.mkdir(parents=True, exist_ok=True)
        (path / "pyvarium.yaml").write_text(f"pyvarium:\n  {line}\n" if line else "pyvarium: {}\n")
    assert (spack_api.configured_policy(), spack_api.forced_policy()) == (configured, forced)


def test_policy_by_spacks_own_command() -> None:
    config = SpackCommand("config")
    policies = []
    for value in ("all", "off", "false"):
        config("--scope", "site", "add", f"pyvarium:auto-sync:{value}")
        policies.append(spack_api.configured_policy())
    config("--scope", "site", "rm", "pyvarium:auto-sync")
    policies.append(spack_api.configured_policy())
    all_, off = Setting(Policy.ALL, "scope site"), Setting(Policy.OFF, "scope site")
    assert policies == [all_, off, off, None]


@pytest.mark.parametrize(
    ("key", "value"), [("mode", "portable"), ("backend", "pdm"), ("tools.uv", "/opt/bin/uv")]
)
def test_a_setting_by_spacks_own_command(key: str, value: str) -> None:
    config = SpackCommand("config")
    found = [spack_api.configured(key)]
    for scope in ("site", "user"):
        config("--scope", scope, "add", f"pyvarium:{key.replace('.', ':')}:{value}")
        found.append(spack_api.configured(key))
    assert found == [None, Setting(value, "scope site"), Setting(value, "scope user")]


@pytest.mark.parametrize("line", ["mode:fast", "tools:conda:/opt/conda", "nope:1"])
def test_spack_refuses_what_is_no_setting(line: str) -> None:
    with pytest.raises(SpackError):
        SpackCommand("config")("--scope", "site", "add", f"pyvarium:{line}")


def test_paths_of_tools_are_as_everywhere_in_spack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    SpackCommand("config")("--scope", "site", "add", "pyvarium:tools:uv:~/bin/uv")
    assert spack_api.configured_tool(Backend.UV) == Setting("/home/me/bin/uv", "scope site")
    assert spack_api.configured_tool(Backend.PDM) is None


def test_no_environment_is_active() -> None:
    assert (spack_api.active_environment(), spack_api.active_state()) == (None, None)
    with pytest.raises(PyvariumError, match=r"^no Spack environment is active; choose one"):
        spack_api.require_environment()


def test_active_environment(new_environment: NewEnvironment) -> None:
    with new_environment() as active:
        environment = spack_api.require_environment()
        path = Path(active.path)
        spec = active.concrete_roots()[0]
        assert environment == spack_api.active_environment()
        assert (environment.path, environment.name) == (path, "work")
        assert environment.views == (path / ".spack-env" / "view",)
        assert spack_api.active_state() == path / ".spack-env" / "pyvarium"
        assert environment.locate(spec.dag_hash()) == Path(spec.prefix)
        assert environment.locate("z" * 32) is None


@pytest.mark.parametrize(
    ("manifest", "views"),
    [
        ("view: false", []),
        ("view: true", [".spack-env/view"]),
        ("view: own", ["own"]),
        ("view: {default: {root: first}, other: {root: second}}", ["first"]),
        ("view: {one: {root: first}, other: {root: second}}", ["first"]),
    ],
    ids=["none", "default", "path", "default-of-two", "two"],
)
def test_views(
    tmp_path: Path, mutable_mock_env_path: Any, manifest: str, views: List[str]
) -> None:
    (tmp_path / "spack.yaml").write_text(f"spack:\n  specs: []\n  {manifest}\n")
    with spack.environment.Environment(tmp_path):
        assert spack_api.require_environment().views == tuple(tmp_path / view for view in views)


def test_what_spack_lists() -> None:
    assert spack_api.extension_paths() == (EXTENSION,)
    assert spack_api.template_directories() == (EXTENSION / "templates",)
    spack.config.set("repos", {"pyvarium": str(EXTENSION.parent)}, scope="user")
    assert EXTENSION.parent in spack_api.repository_roots()
