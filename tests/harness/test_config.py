# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
import spack.config
import spack.environment
import spack.paths
from test_command import pyvarium

from pyvarium.settings import KINDS

PYPROJECT = """\
[project]
name = "mine"  # not yours

[tool.poetry]
package-mode = false
"""


@pytest.fixture(autouse=True)
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def project(tmp_path: Path, mutable_mock_env_path: Any) -> Path:
    """The pyproject.toml of an environment."""
    directory = tmp_path / "work"
    directory.mkdir()
    (directory / "spack.yaml").write_text("spack:\n  specs: []\n")
    (directory / "pyproject.toml").write_text(PYPROJECT)
    return directory / "pyproject.toml"


def file_of(scope: str) -> Path:
    return Path(spack.config.CONFIG.scopes[scope].path) / "pyvarium.yaml"


def config(*words: str) -> str:
    """The answer of a process of its own, which has read no file yet."""
    spack.config.CONFIG.clear_caches()
    return pyvarium("config", *words)


def given(*words: str) -> Dict[str, Tuple[Optional[str], str]]:
    """The settings that there are, with their origins."""
    found = json.loads(config(*words, "--json"))["settings"]
    return {key: (one["value"], one["origin"]) for key, one in found.items() if one["value"]}


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


def test_each_place_is_stronger_than_the_one_before(project: Path, tmp_path: Path) -> None:
    defaults = {"auto-sync": ("existing", "default"), "mode": ("bound", "default")}
    assert given() == defaults
    uv = program(tmp_path / "bin" / "uv", "uv 0.13.8")
    on_path = {"tools.uv": (str(uv), "PATH")}
    assert given() == {**defaults, **on_path}

    for scope in ("site", "user"):
        for key, value in (("auto-sync", "all"), ("mode", "portable"), ("backend", "pip")):
            assert config("--scope", scope, key, value) == f"{file_of(scope)}: {key} set\n"
    configured = {
        "auto-sync": ("all", "scope user"),
        "backend": ("pip", "scope user"),
        "mode": ("portable", "scope user"),
    }
    assert given() == {**configured, **on_path}
    own = program(tmp_path / "own" / "uv", "uv 0.6.17")
    config("tools.uv", str(own))
    configured["tools.uv"] = (str(own), "scope user")
    with spack.environment.Environment(project.parent):
        assert given() == {**configured, "backend": ("poetry", "found")}
        for key, value in (("auto-sync", "false"), ("mode", "bound"), ("backend", "uv")):
            config("--scope", "project", key, value)
        assert given() == {
            **configured,
            "auto-sync": ("off", "tool.pyvarium.auto-sync"),
            "backend": ("uv", "tool.pyvarium.backend"),
            "mode": ("bound", "tool.pyvarium.mode"),
        }
        assert config("mode") == "bound (tool.pyvarium.mode)\n"
        table = '\n[tool.pyvarium]\nauto-sync = false\nmode = "bound"\nbackend = "uv"\n'
        assert project.read_text() == PYPROJECT + table

        for key in ("auto-sync", "mode", "backend"):
            assert config("--scope", "project", "--unset", key) == f"{project}: {key} removed\n"
        assert config("--scope", "project", "--unset", "mode") == "nothing to do\n"
        assert project.read_text() == PYPROJECT
    for scope in ("site", "user"):
        for key in ("auto-sync", "mode", "backend", "tools.uv"):
            config("--scope", scope, "--unset", key)
        assert not file_of(scope).exists()
    assert given() == {**defaults, **on_path}


def test_what_one_scope_says(project: Path) -> None:
    config("--scope", "site", "mode", "portable")
    assert given("--scope", "site") == {"mode": ("portable", "scope site")}
    assert given("--scope", "user") == {}
    with spack.environment.Environment(project.parent):
        config("--scope", "project", "backend", "pdm")
        assert given("--scope", "project") == {"backend": ("pdm", "tool.pyvarium.backend")}


def test_what_does_not_hold_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(*words: str) -> List[str]:
        return [line for line in config(*words).splitlines() if line.startswith("==> ")]

    assert said("mode", "bound") == []
    shadowed = "==> mode: bound holds here, by scope user"
    assert said("--scope", "site", "mode", "portable") == [shadowed]
    with spack.environment.Environment(project.parent):
        assert said("--scope", "project", "mode", "bound") == []
        assert said("mode", "portable") == ["==> mode: bound holds here, by tool.pyvarium.mode"]
        assert said("--unset", "mode") == []
    monkeypatch.setenv("SPACK_PYVARIUM", "off")
    assert said("auto-sync", "all") == ["==> auto-sync: off holds here, by SPACK_PYVARIUM"]


def test_the_table() -> None:
    lines = config().splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "ORIGIN"]
    assert [line.split()[0] for line in lines[1:-1]] == list(KINDS)
    assert lines[1:4] == [
        "auto-sync        existing  default",
        "auto-sync-paths  none      unset",
        "backend          none      unset",
    ]
    assert set(lines[-1].split(": ")[1].split(", ")) >= {"project", "site", "user"}
    assert json.loads(config("mode", "portable", "--json")) == {
        "done": [f"{file_of('user')}: mode set"]
    }


def test_what_an_admin_sets(project: Path, tmp_path: Path) -> None:
    """Values that Spack itself reads back from what was written, and that go again."""
    log = tmp_path / "log.jsonl"
    values = {
        "auto-sync-paths": ["/it's", f"!{tmp_path}/*", "$spack/../x"],
        "log": [str(log)],
        "quiet": ["true"],
    }
    for key, words in values.items():
        assert config("--scope", "site", key, *words) == f"{file_of('site')}: {key} set\n"
        assert config("--scope", "site", key, *words) == "nothing to do\n"
    assert given("--scope", "site") == {
        "auto-sync-paths": (["/it's", f"!{tmp_path}/*", "$spack/../x"], "scope site"),
        "log": (str(log), "scope site"),
        "quiet": (True, "scope site"),
    }
    paths = ["/it's", f"!{tmp_path}/*", str(Path(spack.paths.prefix).parent / "x")]
    assert given()["auto-sync-paths"] == (paths, "scope site")
    assert (config("quiet"), config("log")) == ("true (scope site)\n", f"{log} (scope site)\n")
    assert not log.exists()

    assert config("quiet", "false") == f"{file_of('user')}: quiet set\n"
    assert config("quiet") == "false (scope user)\n"
    config("--unset", "quiet")
    for key in values:
        assert config("--scope", "site", "--unset", key) == f"{file_of('site')}: {key} removed\n"
    assert not file_of("site").exists()


FORCED = [("auto-sync", "off"), ("auto-sync-paths", "/a"), ("quiet", "true")]


@pytest.mark.parametrize(("key", "value"), FORCED, ids=[key for key, _ in FORCED])
def test_what_an_admin_forces(
    project: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    other = {"off": "all", "/a": "/b", "true": "false"}[value]
    config("--scope", "site", "--force", key, value)
    assert config("--scope", "site", "--force", key, value) == "nothing to do\n"
    monkeypatch.setenv("SPACK_PYVARIUM", "all")
    assert config(key, other) == (
        f"==> {key}: {value} holds here, by scope site, which forces it\n"
        f"{file_of('user')}: {key} set\n"
    )
    assert config(key) == f"{value} (scope site, forced)\n"
    assert json.loads(config(key, "--json"))["settings"][key]["forced"]

    refused = (
        f"==> Error: {file_of('site')}: forces {key} by '::'; add --force, or change it there"
    )
    for words in ([key, other], ["--unset", key]):
        spack.config.CONFIG.clear_caches()
        assert pyvarium("config", "--scope", "site", *words, code=1) == refused + "\n"
    config("--scope", "site", "--force", key, other)
    assert config(key) == f"{other} (scope site, forced)\n"
    removed = f"{file_of('site')}: {key} removed\n"
    assert config("--scope", "site", "--unset", "--force", key) == removed
    assert not file_of("site").exists()


def test_an_admin_may_write_lists_by_hand(project: Path) -> None:
    """As Spack itself writes them, with a comment that goes with the entry."""
    file_of("site").parent.mkdir(parents=True, exist_ok=True)
    text = "pyvarium:\n  auto-sync-paths::\n  - /a\n  # why\n  - '!/a/b'\n  mode: portable\n"
    file_of("site").write_text(text)
    assert config("auto-sync-paths") == "/a, !/a/b (scope site, forced)\n"
    config("--scope", "site", "--force", "auto-sync-paths", "/c")
    assert file_of("site").read_text() == (
        "pyvarium:\n  auto-sync-paths:: ['/c']\n  mode: portable\n"
    )


KNOWN = ", ".join(KINDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nope"], f"nope: is not a setting; use one of {KNOWN}"),
        (["--unset", "nope"], f"nope: is not a setting; use one of {KNOWN}"),
        (["mode", "fast"], "mode: 'fast' is not a mode; use one of bound, portable"),
        (["backend", "conda"], "backend: 'conda' is not a backend; use one of uv, poetry, pdm, p"),
        (
            ["auto-sync", "true"],
            "auto-sync: 'true' is not a policy; use one of off, existing, all, opted-in",
        ),
        (
            ["tools.uv", "/nowhere/uv"],
            "/nowhere/uv: cannot be run (No such file or directory); give one that works, or run"
            " 'spack pyvarium setup uv PREFIX'",
        ),
        (["mode", "bound", "portable"], "mode: has one value, and here are 2; give one"),
        (["quiet", "on"], "quiet: 'on' is no switch; use true or false"),
        (
            ["log", "/nowhere/log"],
            "/nowhere/log: cannot be created in /nowhere; name one that ever",
        ),
        (
            ["--force", "mode", "bound"],
            "mode: cannot be forced in user; auto-sync, auto-sync-paths, log, quiet can, in",
        ),
        (["--scope", "nope", "mode", "bound"], "scope nope: is not known; use one of "),
        (["--scope", "nope"], "scope nope: is not known; use one of "),
        (["--scope", "project"], "no Spack environment is active; choose one: "),
        (["--scope", "project", "mode", "bound"], "no Spack environment is active; choose one: "),
    ],
    ids=" ".join,
)
def test_what_cannot_be_set(words: List[str], message: str) -> None:
    assert pyvarium("config", *words, code=1).startswith(f"==> Error: {message}")


def test_what_a_project_cannot_hold(project: Path) -> None:
    with spack.environment.Environment(project.parent):
        for key, value, message in (
            ("auto-sync", "all", "auto-sync: 'all' is not for a project; use true or false"),
            ("tools.uv", "/uv", "tools.uv: is a path on one machine; use a --scope of Spack's"),
            ("quiet", "true", "quiet: is for an admin; use a --scope of Spack's"),
            (
                *("git.commit", "true"),
                "git.commit: is for you, not for all who have the project; use a --scope of"
                " Spack's",
            ),
            ("mode", "fast", "mode: 'fast' is not a mode; use one of bound, portable"),
        ):
            out = pyvarium("config", "--scope", "project", key, value, code=1)
            assert out == f"==> Error: {message}\n"
        project.write_text("[tool\n")
        out = pyvarium("config", "--scope", "project", "mode", "bound", code=1)
        assert out.startswith(f"==> Error: {project}: is not valid TOML (")
        project.unlink()
        assert pyvarium("config", "--scope", "project", "mode", "bound", code=1) == (
            f"==> Error: {project}: does not exist; 'spack pyvarium sync' creates it\n"
        )
        assert config("--scope", "project", "--unset", "mode") == "nothing to do\n"
        assert not project.exists()


@pytest.mark.parametrize("words", [["--unset"], ["--unset", "mode", "bound"]], ids=" ".join)
def test_wrong_usage(words: List[str]) -> None:
    assert pyvarium("config", *words, code=2) == (
        "==> Error: config --unset: takes a key and no value; see --help\n"
    )
