# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The tools that read what is exported, each of one release, and the questions asked of them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Dict, Mapping

from installers import NoInstallerError

CYCLONEDX = "cyclonedx-python-lib[json-validation]==11.12.0"
SCHEMAS = "check-jsonschema==0.39.0"  # Has the schemas of Dependabot and GitHub in it.
RATTLER = "py-rattler==0.28.0"  # Conda's solver as a library.
PRE_COMMIT = "pre-commit==4.7.0"
RENOVATE = "renovate@39.264.1"  # The last major release that runs on Node.js 20.

#: Exits with 1 and says why where a bill of materials is not valid.
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(str(wrong) if wrong else 0)
"""
#: Reads an environment.yml, solves it with a channel, and says what pip is to install.
SOLVE = """
import asyncio, json, os, pathlib, sys
import rattler, yaml
environment = yaml.safe_load(open(sys.argv[1]))
specs = [one for one in environment["dependencies"] if isinstance(one, str)]
[pip] = [one["pip"] for one in environment["dependencies"] if isinstance(one, dict)]
channel = rattler.Channel(pathlib.Path(sys.argv[2]).as_uri())
wanted = list(map(rattler.MatchSpec, specs))
found = asyncio.run(rattler.solve([channel], wanted, platforms=["noarch"]))
answer = {one.name.normalized: str(one.version) for one in found}
print(json.dumps({"conda": answer, "pip": pip}), flush=True)
os._exit(0)  # Its threads do not end in order.
"""
#: Has Renovate itself find the dependencies of a project, and says which it would look after.
UPDATED = """
const [modules, project, config] = process.argv.slice(1);
const dist = `${modules}/renovate/dist`;
const { extractPackageFile } = require(`${dist}/modules/manager/pep621`);
const { applyPackageRules } = require(`${dist}/util/package-rules`);
const { GlobalConfig } = require(`${dist}/config/global`);
const fs = require("fs"), path = require("path");
GlobalConfig.set({ localDir: path.dirname(project) });
(async () => {
  const found = await extractPackageFile(fs.readFileSync(project, "utf8"), "pyproject.toml");
  const { packageRules } = JSON.parse(fs.readFileSync(config, "utf8"));
  const answer = {};
  for (const one of found.deps) {
    const ruled = await applyPackageRules({ ...one, manager: "pep621", packageRules });
    answer[one.packageName] = ruled.enabled !== false;
  }
  console.log(JSON.stringify(answer));
})();
"""


def ask(command: object, *words: object, **environ: str) -> str:
    """Run a tool, which must succeed, and return what it says."""
    line = [str(command), *map(str, words)]
    done = subprocess.run(
        line, capture_output=True, text=True, env={**os.environ, **environ}, timeout=300
    )
    assert done.returncode == 0, f"{line[:2]}: {done.stdout}\n{done.stderr}"
    return done.stdout


def from_npm(tools: Path, requirement: str, report: Callable[[str], None]) -> Path:
    """Install ``name@version`` where it is missing; return the directory of its modules."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        raise NoInstallerError(f"no {requirement} here: there is no Node.js")
    version = ask(node, "--version").strip().lstrip("v")
    if not (20, 15) <= tuple(map(int, version.split(".")[:2])) < (23,):
        raise NoInstallerError(f"no {requirement} here: Node.js is {version}")
    prefix = tools / requirement.replace("@", "-")
    tools.mkdir(parents=True, exist_ok=True)
    with (tools / f".{prefix.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # The Spacks are tested side by side.
        if not (prefix / "ready").exists():
            report(f"installing {requirement}")
            command = [npm, "install", "--prefix", str(prefix), "--ignore-scripts", "--no-audit"]
            done = subprocess.run([*command, requirement], capture_output=True, text=True)
            if done.returncode:
                last = done.stderr.strip().splitlines()[-1:]
                raise NoInstallerError(f"no {requirement} here: {' '.join(last)}")
            (prefix / "ready").touch()
    return prefix / "node_modules"


def write_channel(directory: Path, versions: Mapping[str, str]) -> Path:
    """Make a channel of Conda's that has each project, and nothing in it."""
    records: Dict[str, Dict[str, object]] = {
        f"{name}-{version}-0.conda": {
            "build": "0",
            "build_number": 0,
            "depends": [],
            "md5": "0" * 32,
            "name": name,
            "noarch": "generic",
            "sha256": "0" * 64,
            "size": 1,
            "subdir": "noarch",
            "version": version,
        }
        for name, version in versions.items()
    }
    subdir = directory / "noarch"
    subdir.mkdir(parents=True)
    data = {"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": records}
    (subdir / "repodata.json").write_text(json.dumps({**data, "repodata_version": 1}))
    return directory
