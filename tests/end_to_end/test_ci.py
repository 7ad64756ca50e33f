# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The checks of a project's repository: by pre-commit, and by the steps of GitHub's actions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Mapping

import pytest
from consumers import PRE_COMMIT, SCHEMAS, ask
from installers import SPECS, Installer
from made_environment import write_environment
from spacks import TOP, Done, NewEnvironment, Spack, distributions, write

EXAMPLE = TOP / "tests" / "examples" / "analysis"
RECORDED = TOP / "tests" / "recorded"
#: Prints YAML as JSON.
LOAD = """
import json, sys
from ruamel.yaml import YAML
print(json.dumps(YAML(typ="safe").load(open(sys.argv[1]))))
"""


def git(directory: Path, *words: str) -> str:
    """Run git as somebody who has configured nothing."""
    name = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    return ask("git", "-C", directory, *name, *words, GIT_CONFIG_GLOBAL="/dev/null").strip()


def committed(directory: Path) -> str:
    """Make a directory a repository with all that is in it."""
    git(directory, "init", "--quiet")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--no-verify", "--message", "All")
    return git(directory, "rev-parse", "HEAD")


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """This project as it would be committed, whatever of it is now."""
    copy = tmp_path / "ours"
    listed = ask("git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (TOP / name).exists() and not name.startswith("tests/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, copy / name, follow_symlinks=False)
    committed(copy)
    return copy


class PreCommit:
    """pre-commit in a repository, with a cache of its own."""

    def __init__(self, python: Path, directory: Path, ours: Path, *hooks: str) -> None:
        self.directory = directory
        self._python = python
        self._home = ours.parent / "pre-commit"
        text = (EXAMPLE / ".pre-commit-config.yaml").read_text()
        text = text.replace("https://github.com/OWNER/spack-pyvarium", str(ours))
        text = text.replace("main", git(ours, "rev-parse", "HEAD"))
        lines = "".join(f"  - id: {hook}\n" for hook in hooks)
        write(directory / ".pre-commit-config.yaml", text.partition("  - id")[0] + lines)

    def __call__(self, *words: str) -> Done:
        environ = {**os.environ, "PRE_COMMIT_HOME": str(self._home), "PATH": self._path()}
        command = [str(self._python), "-m", "pre_commit", "run", *words]
        done = subprocess.run(
            command, cwd=self.directory, env=environ, capture_output=True, text=True
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def _path(self) -> str:
        """No Spack is on it."""
        assert not os.path.exists("/usr/bin/spack")
        return f"{self._python.parent}:/usr/bin:/bin"


def test_the_example(consumer: Callable[[str], Path], ours: Path, tmp_path: Path) -> None:
    """Its own hook passes, fails on drift of either half, and its sync mends that."""
    site = shutil.copytree(RECORDED, tmp_path / "site", symlinks=True)
    project = site / "environment"
    shutil.copytree(EXAMPLE, project, dirs_exist_ok=True)
    pre_commit = PreCommit(consumer(PRE_COMMIT), project, ours, "pyvarium-check")
    committed(project)
    assert (pre_commit("--all-files").code, pre_commit().code) == (0, 0)

    text = (project / "pyproject.toml").read_text()
    write(project / "pyproject.toml", text.replace("six==1.17.0", "six==1.16.0"))
    git(project, "add", "--all")
    failed = pre_commit()
    assert failed.code == 1
    assert "pyproject.toml: has other pins than the last sync wrote" in failed.out

    syncing = PreCommit(consumer(PRE_COMMIT), project, ours, "pyvarium-sync")
    git(project, "add", "--all")
    assert "files were modified by this hook" in syncing().out
    git(project, "add", "--all")
    assert syncing().code == 0
    assert (project / "pyproject.toml").read_text() == text


def test_three_hundred_pins(consumer: Callable[[str], Path], ours: Path, tmp_path: Path) -> None:
    """Beside an ordinary project, and an environment that is none of ours."""
    repository = tmp_path / "repository"
    write_environment(repository / "environment", 300)
    write(repository / "library" / "pyproject.toml", "[project]\nname = 'x'\nversion = '1'\n")
    write(repository / "tools" / "spack.lock", "no lock")
    pre_commit = PreCommit(consumer(PRE_COMMIT), repository, ours, "pyvarium-check")
    committed(repository)
    assert pre_commit("--all-files").code == 0
    lock = repository / "environment" / "spack.lock"
    concrete = next(iter(json.loads(lock.read_text())["concrete_specs"]))
    write(lock, lock.read_text().replace(concrete, "x" * 32))
    git(repository, "add", "--all")
    failed = pre_commit()
    assert failed.code == 1
    assert "pyproject.toml: is not made from this spack.lock" in failed.out


def steps_of(schemas: Path, action: str) -> Dict[str, Any]:
    file = TOP / ".github" / "actions" / action / "action.yml"
    ask(schemas, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", file)
    return json.loads(ask(schemas, "-c", LOAD, file))


def run_action(
    action: Mapping[str, Any],
    name: str,
    ours: Path,
    workspace: Path,
    inputs: Mapping[str, str],
    environ: Mapping[str, str] = os.environ,
) -> Done:
    """Run the steps of a composite action that are commands, until one fails, as GitHub does."""
    values = {key: one["default"] for key, one in action["inputs"].items()}
    values.update(inputs)
    temporary = workspace.parent / "runner"
    temporary.mkdir(exist_ok=True)
    done = Done(0, "", "")
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")  # It would be code of whoever sets an input.
        own = {
            key: values[text.strip("${} ").partition(".")[2]]
            for key, text in step.get("env", {}).items()
        }
        if "run" in step and done.code == 0:
            process = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=workspace,
                env={
                    **environ,
                    **own,
                    "GITHUB_ACTION_PATH": str(ours / ".github" / "actions" / name),
                    "RUNNER_TEMP": str(temporary),
                },
                stdin=subprocess.PIPE,
                capture_output=True,
                text=True,
            )
            done = Done(process.returncode, process.stdout, process.stderr)
    return done


@pytest.mark.usefixtures("thoroughly")
def test_the_action_that_checks(
    consumer: Callable[[str], Path], ours: Path, tmp_path: Path
) -> None:
    action = steps_of(consumer(SCHEMAS), "check")
    workspace = tmp_path / "workspace"
    shutil.copytree(EXAMPLE, workspace / "analysis")
    committed(workspace)
    pyproject = workspace / "analysis" / "pyproject.toml"
    done = run_action(action, "check", ours, workspace, {})
    assert (done.code, done.out) == (0, f"{pyproject}: in step (by digest: no view here)\n")
    write(pyproject, pyproject.read_text().replace("six==1.17.0", "six==1.16.0"))
    for inputs in ({}, {"environments": "analysis\n"}):
        done = run_action(action, "check", ours, workspace, inputs)
        said = f"{pyproject}: has other pins than the last sync wrote (by digest: no view here)"
        assert (done.code, done.out) == (
            3,
            f"::error file=analysis/pyproject.toml::{said}\n",
        )
    workflow = EXAMPLE / ".github" / "workflows" / "check.yml"
    schema = ("--builtin-schema", "vendor.github-workflows")
    ask(consumer(SCHEMAS), "-m", "check_jsonschema", *schema, workflow)


@pytest.mark.usefixtures("thoroughly")
def test_the_action_that_installs(
    consumer: Callable[[str], Path],
    spack: Spack,
    new_environment: NewEnvironment,
    pip: Installer,
    on_newest_spack: None,
) -> None:
    """Its steps, but for the one that gets a Spack."""
    action = steps_of(consumer(SCHEMAS), "install")
    assert [step.get("uses") for step in action["runs"]["steps"]][:1] == ["spack/setup-spack@v3"]
    spack.configure("pyvarium", f"pyvarium:\n  tools:\n    pip: {pip.python.parent / 'pip'}\n")
    text = '[project]\nname = "analysis"\nversion = "1"\ndependencies = ["webby"]\n'
    environment = new_environment(*SPECS, pyproject=f'{text}[tool.pyvarium]\nbackend = "pip"\n')
    binaries = spack.host.prefix / "spack" / "bin"
    environ = {**spack.environ, **pip.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
    inputs = {"environment": environment.path.name, "scope": "user"}
    done = run_action(action, "install", TOP, environment.path.parent, inputs, environ)
    assert done.code == 0, done
    assert done.out.splitlines()[-1] == f"{environment.path}: no fault"
    assert distributions(environment.path / ".venv")["webby"] == "2.0"
