# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Rules by which bots that update requirements leave alone what Spack provides.

They name each project, since it may stand in other groups too, and go with the pins: an export
that is older than these says so with ``--check``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Mapping, Optional, Sequence

from .exports import MARK
from .model import Backend
from .report import render_json

#: Renovate's managers of Python requirements (https://docs.renovatebot.com/modules/manager/).
_MANAGERS = ("pep621", "pip_requirements", "pip_setup", "pipenv", "poetry", "setup-cfg")
#: What Renovate calls the interpreter in ``requires-python``.
_PYTHON = "python"
#: What Dependabot calls those who update locks; the others are all "pip".
_ECOSYSTEMS: Mapping[Optional[Backend], str] = {Backend.UV: "uv"}


def render_renovate(projects: Sequence[str]) -> str:
    """A configuration of Renovate with one rule, or a rule to take over into another one."""
    rule = {
        "description": f"Spack provides these. Made by '{MARK} renovate'.",
        "matchManagers": list(_MANAGERS),
        "matchPackageNames": sorted({*projects, _PYTHON}),
        "enabled": False,
    }
    schema = "https://docs.renovatebot.com/renovate-schema.json"
    return render_json({"$schema": schema, "packageRules": [rule]})


def directory_of(environment: Path) -> str:
    """Where an environment is in the repository that it is in, as Dependabot has it."""
    path = environment.resolve()
    top = next((one for one in (path, *path.parents) if (one / ".git").exists()), path)
    return "/" if path == top else f"/{path.relative_to(top).as_posix()}"


def render_dependabot(projects: Sequence[str], backend: Optional[Backend], directory: str) -> str:
    """A configuration of Dependabot for a directory below the top of a repository."""
    lines = [
        f"# Made by '{MARK} dependabot'.",
        "version: 2",
        "updates:",
        f"- package-ecosystem: {_ECOSYSTEMS.get(backend, 'pip')}",
        f"  directory: {json.dumps(directory)}",
        "  schedule:",
        "    interval: weekly",
    ]
    if projects:
        lines += ["  ignore:  # Spack provides these."]
        lines += [f"  - dependency-name: {json.dumps(name)}" for name in sorted(projects)]
    return "".join(f"{line}\n" for line in lines)
