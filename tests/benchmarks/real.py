# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A real Spack that knows of us, with an environment of two layers, for what needs one."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from measuring import TOP, say

sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "end_to_end")]

from spacks import (  # noqa: E402
    UPSTREAM,
    Spack,
    environ_for,
    register,
    write,
    write_configuration,
)

from pyvarium import host  # noqa: E402

RELEASE = "v1.1.0"
#: What is on top of what Spack provides.
PROJECTS = ("numpy", "pandas")


@dataclass(frozen=True)
class Real:
    """The command of a Spack, and the directory of an environment of its."""

    command: Path
    environment: Path


def set_up(root: Path, hosts: Path, uv: Path) -> Real:
    """Prepare a Spack as for the tests, with a configuration of its own, and an environment."""
    found = host.prepare(hosts / RELEASE, RELEASE, source_cache=hosts / "sources", report=say)
    spack = Spack(RELEASE, found, root, found.prefix / "upstream", environ_for(found, root))
    write_configuration(spack)
    spack("repo", "add", "--scope", "user", TOP / "tests" / "repo")
    spack("install", *UPSTREAM, timeout=1200)
    spack = register(spack)
    path = root / "environment"
    specs = [one for one in UPSTREAM if one.startswith(("py-six", "py-idna"))]
    text = f"spack:\n  specs: {json.dumps(specs)}\n  view: true\n"
    write(path / "spack.yaml", f"{text}  concretizer:\n    unify: true\n")
    write(path / "pyproject.toml", "[tool.pyvarium]\nbackend = 'uv'\n")
    spack("-D", path, "concretize")
    spack("-D", path, "install")
    install = [uv, "pip", "install", "--quiet", "--python", path / ".venv" / "bin" / "python"]
    subprocess.run([*map(str, install), *PROJECTS], check=True)
    command = root / "bin" / "spack"
    own = {**spack.environ, "PATH": f"{uv.absolute().parent}:{spack.environ['PATH']}"}
    lines = [f"export {key}={shlex.quote(one)}" for key, one in own.items() if _is_plain(key)]
    program = shlex.quote(str(found.prefix / "spack" / "bin" / "spack"))
    write(command, "\n".join(["#!/bin/sh", *lines, f'exec {program} "$@"', ""]))
    command.chmod(0o755)
    return Real(command, path)


def _is_plain(key: str) -> bool:
    return key.startswith("SPACK_") or key == "PATH"
