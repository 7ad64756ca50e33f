# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import json
from pathlib import Path
from typing import List

import pytest
from spack.main import SpackCommand

from conftest import NewEnvironment


def pyvarium(*words: str, code: int = 0) -> str:
    command = SpackCommand("pyvarium")
    out = command(*words, fail_on_error=False)
    assert command.returncode == code, out
    return str(out)


def test_sync_and_check(new_environment: NewEnvironment) -> None:
    with new_environment(tiny="1.0", other="2.1") as environment:
        path = Path(environment.path) / "pyproject.toml"
        plan = {
            "added": {"other": "2.1", "tiny": "1.0"},
            "backend": None,
            "changed": {},
            "checked-by": "view",
            "created": True,
            "in-step": False,
            "layer": None,
            "mode": "bound",
            "pins": {"other": "2.1", "tiny": "1.0"},
            "pyproject": str(path),
            "removed": {},
            "skipped": [],
            "written": False,
        }
        assert json.loads(pyvarium("sync", "--check", "--json", code=3)) == plan
        assert pyvarium("sync", "--dry-run").startswith(f"{path}: would be changed: ")
        assert not path.exists()
        assert pyvarium("sync") == f"{path}: created with 2 pins\n"
        assert pyvarium("sync") == f"{path}: in step\n"
        changes = {"added": {}, "created": False, "in-step": True}
        assert json.loads(pyvarium("sync", "--check", "--json")) == {**plan, **changes}
        path.write_text(path.read_text().replace("tiny==1.0", "tiny==0.9"))
        assert '-    "tiny==0.9",\n+    "tiny==1.0",\n' in pyvarium("sync", "--diff")


def test_analyze(new_environment: NewEnvironment, tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("import os, tiny, absent\n")
    with new_environment(tiny="1.0") as environment:
        spec = f"libelf@{environment.concrete_roots()[0].version}"
        assert pyvarium("analyze", "--format", "requirements", str(script)) == (
            "absent\ntiny==1.0\n"
        )
        found = json.loads(pyvarium("analyze", "--json", str(script)))["imports"]
        assert [(one["import"], one["origin"], one["spec"]) for one in found] == [
            ("absent", "index", None),
            ("tiny", "spack", spec),
            ("os", "stdlib", None),
        ]
        poncho = json.loads(pyvarium("analyze", "--format", "poncho", str(script)))
        assert (poncho["conda"]["dependencies"][1], poncho["spack"]) == (
            {"pip": ["absent", "tiny==1.0"]},
            [spec],
        )
        assert pyvarium("analyze", "-o", str(tmp_path / "o"), str(script)) == (
            f"{tmp_path / 'o'}: written\n"
        )
        assert "No such file" in pyvarium("analyze", str(tmp_path / "none.py"), code=1)


def test_status(new_environment: NewEnvironment) -> None:
    with new_environment(tiny="1.0") as environment:
        spec = environment.concrete_roots()[0]
        row = {
            "direct": True,
            "hash": spec.dag_hash(),
            "layer": "spack",
            "name": "tiny",
            "spec": f"libelf@{spec.version}",
            "version": "1.0",
        }
        answer = json.loads(pyvarium("status", "--json"))
        assert [one for one in answer["distributions"] if one.pop("path")] == [row]
        assert (answer["python"], answer["skipped"]) == ("3.11", [])
        assert pyvarium("status").splitlines()[1].split() == [
            *("tiny", "1.0", "spack", row["spec"], row["hash"][:7], "direct")
        ]


@pytest.mark.parametrize("words", [["sync"], ["sync", "--check"], ["status"]], ids=" ".join)
def test_no_environment(words: List[str]) -> None:
    assert pyvarium(*words, code=1).startswith("==> Error: no Spack environment is active; ")


@pytest.mark.parametrize(
    "words", [[], ["nope"], ["sync", "--nope"], ["setup", "--status", "--remove"]], ids=" ".join
)
def test_wrong_usage(words: List[str]) -> None:
    command = SpackCommand("pyvarium")
    with pytest.raises(SystemExit) as raised:
        command.parser.add_command("pyvarium")
        command.parser.parse_args(["pyvarium", *words])
    assert raised.value.code == 2
