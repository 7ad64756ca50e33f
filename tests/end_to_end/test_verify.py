# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What goes wrong with a real environment is found, each under its code, and repaired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from spacks import Environment, NewEnvironment, Spack, write

PROJECT = """\
[project]
name = "analysis"
version = "0"

[tool.pyvarium]
backend = "uv"
"""
#: As uv writes it, with a version that Spack does not provide.
LOCK = """\
version = 1

[[package]]
name = "tiny"
version = "1.0"

[[package]]
name = "idna"
version = "3.10"

[[package]]
name = "six"
version = "1.16.0"
"""


@pytest.mark.usefixtures("on_newest_spack")
def test_verify(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0", "py-idna@3.4", "py-six@1.16.0", pyproject=PROJECT)
    spack("-D", environment.path, "install")
    clean = spack("-D", environment.path, "pyvarium", "verify")
    assert clean.out == f"{environment.path}: no fault\n"

    plant(spack, environment)
    elsewhere = spack.with_environ(PYTHONPATH=str(spack.root / "elsewhere"))
    answer = faults(elsewhere, environment)
    assert codes(answer["faults"]) == [
        "incompatible",
        "missing-shim",
        "modified",
        "pythonpath",
        "shadowed",
        "stale-lock",
        "two-dist-infos",
    ]
    assert (answer["fixed"], answer["ok"]) == ([], False)

    fixed = faults(spack, environment, "--fix")
    assert codes(fixed["fixed"]) == ["missing-shim", "shadowed", "two-dist-infos"]
    left = fixed["faults"]
    assert codes(left) == ["incompatible", "modified", "stale-lock"]
    assert left == faults(spack, environment)["faults"]
    [modified] = (one for one in left if one["code"] == "modified")
    assert modified["remedy"].startswith("run 'spack install --overwrite py-tiny/")


def plant(spack: Spack, environment: Environment) -> None:
    """Do by hand what installers and people do to an environment."""
    [library] = (environment.path / ".venv").glob("lib/python*/site-packages")
    (library / "idna-3.4.dist-info/METADATA").unlink()
    (library / "idna-3.4.dist-info").rename(library / "idna-3.4.gone")
    install(library, "six", "1.17.0")
    install(library, "greedy", "1.0", "Requires-Dist: tiny>=2\n")
    (environment.path / "uv.lock").write_text(LOCK)
    [prefix] = spack.store.glob("**/py-tiny-1.0-*")
    [installed] = prefix.glob("lib/python*/site-packages")
    (installed / "tiny_plugin.py").write_text("")


def install(library: Path, name: str, version: str, requires: str = "") -> None:
    """Install a distribution of one module, as any installer does."""
    dist_info = f"{name}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
    write(library / dist_info / "METADATA", text)
    write(library / f"{name}.py", "")
    write(library / dist_info / "RECORD", f"{name}.py,,\n{dist_info}/METADATA,,\n")


def faults(spack: Spack, environment: Environment, *options: str) -> Dict[str, Any]:
    done = spack("-D", environment.path, "pyvarium", "verify", "--json", *options, code=3)
    answer: Dict[str, Any] = json.loads(done.out)
    return answer


def codes(answer: List[Dict[str, str]]) -> List[str]:
    return sorted({one["code"] for one in answer})
