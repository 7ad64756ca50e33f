# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What an admin decides of automatic sync, and reads of it."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Any, Dict, List

import pytest
import spack
import spack.config
from spack.main import SpackCommand

import pyvarium
from conftest import NewEnvironment
from pyvarium import automatic, registration

PYPROJECT = "[project]\nname = 'mine'\n"


@pytest.fixture(autouse=True)
def registered(unregistered: None) -> None:
    registration.register()


class Work:
    """An environment that automatic sync has something to do in."""

    def __init__(self, environment: Any) -> None:
        self.path = Path(environment.path)
        self.pyproject = self.path / "pyproject.toml"
        self.pyproject.write_text(PYPROJECT)

    def is_synced(self) -> bool:
        return "tiny==1.0" in self.pyproject.read_text()


def settle(text: str, scope: str = "site") -> None:
    """Write the section of a scope."""
    path = Path(spack.config.CONFIG.scopes[scope].path) / "pyvarium.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"pyvarium:\n  {text}\n")
    spack.config.CONFIG.clear_caches()


def change() -> List[str]:
    """A command after which an environment may provide something else; what we say at its end."""
    out = SpackCommand("remove")("libelf", fail_on_error=False)
    return [line for line in out.splitlines() if "pyvarium: " in line]


def entries(path: Path) -> List[Dict[str, Any]]:
    """What is logged, without what is another each time."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for one in found:
        assert one.pop("time").endswith("Z")
        assert one.pop("host")
        assert 0 <= one.pop("seconds") < 60
    return found


def test_paths(new_environment: NewEnvironment, tmp_path: Path) -> None:
    """By the real paths of both."""
    (tmp_path / "link").symlink_to(tmp_path)
    with new_environment(tiny="1.0") as environment:
        work = Work(environment)
        found = []
        for paths in (["/nowhere"], [f"!{work.path}"], [f"{tmp_path}/link/w*"]):
            settle(f"auto-sync-paths: {json.dumps(paths)}")
            change()
            found.append(work.is_synced())
        assert found == [False, False, True]


def test_forced_paths(new_environment: NewEnvironment) -> None:
    with new_environment(tiny="1.0") as environment:
        work = Work(environment)
        settle("auto-sync-paths:: [/nowhere]")
        settle("auto-sync-paths:: [/]", scope="user")
        change()
        assert not work.is_synced()


def test_quiet(new_environment: NewEnvironment) -> None:
    """What has to be mended is said all the same."""
    settle("quiet: true")
    with new_environment(tiny="1.0") as environment:
        work = Work(environment)
        work.pyproject.unlink()
        assert change() == []
        work.pyproject.write_text(PYPROJECT)
        assert (change(), work.is_synced()) == ([], True)
        work.pyproject.write_text("[")
        (line,) = change()
        assert line.startswith(f"==> Warning: pyvarium: {work.pyproject}: is not valid TOML")


def test_log(new_environment: NewEnvironment, tmp_path: Path) -> None:
    """One entry for each sync; none where the policy is off."""
    log = tmp_path / f"{getpass.getuser()}.jsonl"
    settle(f"log: {tmp_path}/$user.jsonl")
    with new_environment(tiny="1.0") as environment:
        work = Work(environment)
        change()
        change()
        work.pyproject.write_text("[")
        change()
        settle("auto-sync: off", scope="user")
        change()
        settle("auto-sync: opted-in", scope="user")
        change()
        settle("auto-sync-paths: [/nowhere]", scope="user")
        change()
        message = f"{work.pyproject}: is not valid TOML"
    every = {
        "user": getpass.getuser(),
        "pid": os.getpid(),
        "environment": str(work.path),
        "command": "remove",
        "added": {},
        "changed": {},
        "removed": {},
        "spack": str(spack.spack_version),
        "pyvarium": pyvarium.__version__,
    }
    found = entries(log)
    assert found[2]["message"].startswith(message)
    found[2]["message"] = message
    assert found == [
        {**every, "result": "changed", "message": "tiny==1.0 added", "added": {"tiny": "1.0"}},
        {**every, "result": "in-step", "message": None},
        {**every, "result": "failed", "message": message},
        {**every, "result": "left-alone", "message": "opted-in by scope user"},
        {**every, "result": "left-alone", "message": "auto-sync-paths of scope user"},
    ]


def test_an_error_of_ours_is_logged(
    new_environment: NewEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("nobody thought of it")

    settle(f"log: {tmp_path}/log")
    monkeypatch.setattr(automatic, "sync", fail)
    with new_environment(tiny="1.0") as environment:
        Work(environment)
        change()
    (entry,) = entries(tmp_path / "log")
    assert (entry["result"], entry["message"]) == ("failed", "'nobody thought of it'")


def test_a_log_that_cannot_be_written(new_environment: NewEnvironment, tmp_path: Path) -> None:
    """The sync goes on; it is said once in each environment, and not where all is quiet."""
    log = tmp_path / "none/log"
    with new_environment(tiny="1.0") as environment:
        work = Work(environment)
        said = []
        for text in (f"quiet: true\n  log: {log}", f"log: {log}", f"log: {log}"):
            settle(text)
            work.pyproject.write_text(PYPROJECT)
            said.append(change())
            assert work.is_synced()
    synced = f"==> pyvarium: {work.pyproject}: tiny==1.0 added"
    warning = (
        f"==> Warning: pyvarium: log {log}: cannot be written (No such file or directory);"
        " ask who has set it, or see 'setup --status'"
    )
    assert said == [[], [synced, warning], [synced]]
