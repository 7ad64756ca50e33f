# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The everyday commands, from a manifest to an environment that works, and what is left of a
command that fails. Spack and the backends are real, the package index is that of the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Callable, Dict

import pytest
from index import Index
from installers import HOLDS, NEWEST, OWN_WORDS, SPECS_ON_INDEX, Installer, Layer
from spacks import Done, Environment, NewEnvironment, Spack, finish, heed_interrupts, write

WEBBY = {
    "reason": "Spack has no recipe for it",
    "request": "webby",
    "requirement": "webby",
    "source": "pypi",
    "spec": None,
}


@pytest.fixture
def equipped(spack: Spack, installer_of: Callable[[str], Installer]) -> Spack:
    """A Spack whose configuration names all backends, and the index of the tests."""
    found = {one.partition("==")[0]: installer_of(one) for one in NEWEST}
    tools = "".join(f"    {name}: {one.python.parent / name}\n" for name, one in found.items())
    spack.configure("pyvarium", f"pyvarium:\n  tools:\n{tools}")
    return spack.with_environ(**next(iter(found.values())).environ)


def pyvarium(spack: Spack, environment: Environment, *words: str, code: int = 0) -> Done:
    return spack("-D", environment.path, "pyvarium", *words, code=code)


def faults(spack: Spack, environment: Environment) -> Dict[str, str]:
    """What verify finds, but for the variable by which the tests' own 0.23 knows of us."""
    process = spack.start("-D", environment.path, "pyvarium", "verify", "--json")
    found = json.loads(finish(process).out)["faults"]
    return {one["code"]: one["subject"] for one in found if one["code"] != "pythonpath"}


def files_of(environment: Environment) -> Dict[str, bytes]:
    """What a command must not change where it fails or only shows what it would do."""
    names = ("spack.yaml", "spack.lock", "pyproject.toml", "uv.lock")
    paths = [path for path in map(environment.path.joinpath, names) if path.exists()]
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("backend", ["uv", "poetry", "pdm", "pip"])
def test_new_beside_a_manifest(
    backend: str,
    prepared: Spack,
    equipped: Spack,
    new_environment: NewEnvironment,
    index: Index,
    pip: Installer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """A clone with spack.yaml and spack.lock becomes a working environment by one command."""
    if backend != "uv":
        request.getfixturevalue("thoroughly")
    environment = new_environment(*SPECS_ON_INDEX, pyproject=None)
    source = tmp_path / "pyproject.toml"
    own = OWN_WORDS.get(backend, "").format(index=index.url)
    write(
        source,
        f'[project]\nname = "analysis"\nversion = "1"\ndependencies = ["webby"]  # mine\n{own}',
    )
    done = equipped(
        *("pyvarium", "new", environment.path, "--backend", backend, "--from", source, "--json")
    )
    assert json.loads(done.out) == {
        "backend": backend,
        "choices": [WEBBY],
        "installed": True,
        "path": str(environment.path),
        "skipped": [],
    }
    layer = Layer.of(environment, pip, prepared.store, equipped.store)
    assert (layer.look(), layer.upper) == (HOLDS, ("plain", "webby"))
    assert 'dependencies = ["webby"]  # mine\n' in environment.text
    assert faults(equipped, environment) == {}


@pytest.mark.usefixtures("on_newest_spack")
def test_life(equipped: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0", "py-site-only", pyproject=None)
    manifest, project = environment.path / "spack.yaml", environment.pyproject

    def run(*words: str, code: int = 0) -> Done:
        return pyvarium(equipped, environment, *words, code=code)

    created = equipped("pyvarium", "new", environment.path).out
    script = environment.path / "activate.sh"
    assert created == f"{environment.path}: created; activate it by: . {script}\n"
    pins = {"clicker": "8.1.8", "facets": "25.3.0", "site-only": "0.4", "tiny": "1.0"}
    assert environment.pins == pins

    # What contradicts Spack's version is refused, with both ways out.
    before = files_of(environment)
    assert run("add", "tiny==2.0", "webby", code=1).err == (
        "==> Error: tiny==2.0: py-tiny@1.0 provides 1.0; relax the request to a range that holds"
        " 1.0, or change the spec: spack pyvarium add --from spack tiny==2.0\n"
    )
    planned = json.loads(run("add", "--from", "spack", "--dry-run", "--json", "tiny==2.0").out)
    assert (planned["written"], planned["choices"][0]["spec"]) == (False, "py-tiny@=2.0")
    assert files_of(environment) == before
    run("add", "--from", "spack", "tiny==2.0")
    assert environment.pins == {**pins, "tiny": "2.0"}

    # What Spack cannot concretize leaves no trace.
    before = files_of(environment)
    assert run("add", "py-six@9.9", code=1).err.endswith(
        f"==> Error: {manifest}: 'spack install' ended with exit code 1, for the reason above;"
        " spack.yaml and spack.lock are as they were\n"
    )
    assert files_of(environment) == before

    # Where the backend fails, Spack's half stands.
    error = run("add", "py-clicker", "nonsuch", code=1).err.splitlines()[-1]
    assert error == (
        f"==> Error: {project}: 'uv add nonsuch' ended with exit code 1, for the reason above; the"
        " project is as it was; py-clicker stands in spack.yaml and is installed"
    )
    removed = run("remove", "clicker")
    assert removed.out == f"{manifest}: py-clicker removed\n"
    assert removed.err.endswith("Skipped: py-clicker: stays installed, as py-site-only needs it\n")
    assert run("remove", "clicker", code=1).err == (
        "==> Error: clicker: is there because py-site-only needs py-clicker; remove what needs"
        " it\n"
    )

    # Locking, and what is checked of it.
    assert run("add", "webby").out == f"{project}: webby added\n"
    project.write_text(environment.text.replace('"webby', '"rich-clicker", "webby'))
    before = files_of(environment)
    lock = environment.path / "uv.lock"
    assert run("lock", "--check", code=3).out == f"{lock}: is not made from this pyproject.toml\n"
    assert files_of(environment) == before
    assert run("lock").out == f"{environment.path}: locked\n"
    assert run("lock", "--check").out == f"{environment.path}: locked\n"
    write(manifest, manifest.read_text().replace("py-site-only", "py-localized"))
    assert run("lock", "--check", code=3).out == (
        f"{environment.path / 'spack.lock'}: does not hold py-localized of spack.yaml\n"
    )
    write(manifest, manifest.read_text().replace("py-localized", "py-site-only"))

    # Installing what was locked, and mending what somebody broke.
    installed = json.loads(run("install", "--json").out)
    assert installed.pop("pins") == environment.importable
    assert installed == {
        "backend": "uv",
        "mode": "bound",
        "path": str(environment.path),
        "skipped": [],
    }
    [shim] = environment.path.glob(".venv/lib/python3*/site-packages/clicker-*.dist-info")
    shutil.rmtree(shim)
    assert f"missing-shim: {shim}: is missing; " in run("verify", code=3).out
    code = 3 if "PYTHONPATH" in equipped.environ else 0
    repaired = run("verify", "--fix", code=code).out
    assert repaired.startswith(f"fixed missing-shim: {shim}: is missing\n")
    assert faults(equipped, environment) == {}


@pytest.mark.usefixtures("on_one_spack")
def test_activate(equipped: Spack, new_environment: NewEnvironment, tmp_path: Path) -> None:
    """A named environment, in the system's own shell: alone, then after Spack's activation."""
    environment = new_environment("py-tensors", name="environments/mine", pyproject=None)
    source = tmp_path / "requirements.txt"
    write(source, "webby\n")
    equipped("pyvarium", "new", "--name", "mine", "--backend", "uv", "--from", source)
    root = equipped.host.prefix / "spack"
    look = 'command -v python || :; echo "${PYTHONPATH-unset} ${VIRTUAL_ENV-unset}"\n'
    use = (
        f'{look}eval "$(spack -e mine pyvarium activate)"\n{look}'
        "python -c 'import tensors, webby; print(tensors.SOURCE, webby.SOURCE)'\n"
        f"webby | sed 's/ .*//'\ndeactivate\n{look}"
    )
    script = tmp_path / "script"
    write(
        script,
        f"set -e\n. {root}/share/spack/setup-env.sh\n{use}echo\nspack env activate mine\n{use}",
    )
    done = subprocess.run(
        ["sh", script],
        env={**equipped.environ, "PATH": "/usr/bin:/bin", "SPACK_ROOT": str(root)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    alone, after = (part.splitlines() for part in done.stdout.split("\n\n"))
    venv = environment.path / ".venv"
    active = [f"{venv}/bin/python", f"unset {venv}", "store index", "index"]
    [library] = environment.view.glob("lib/python3*/site-packages")
    path = equipped.environ.get("PYTHONPATH")  # The tests' own 0.23 knows of us by it.
    nothing = f"{path or 'unset'} unset"
    path = f"{library}:{path}" if path else str(library)
    by_spack = [f"{environment.view}/bin/python", f"{path} unset"]
    assert done.stderr == ""
    assert alone == [nothing, *active, nothing]
    assert after == [*by_spack, *active, *by_spack]


@pytest.mark.usefixtures("on_one_spack")
def test_interrupted(equipped: Spack, new_environment: NewEnvironment) -> None:
    """Whoever interrupts Spack before it has concretized finds the manifest as it was."""
    environment = new_environment("py-tiny@1.0", pyproject='[tool.pyvarium]\nbackend = "uv"\n')
    before = files_of(environment)
    command = ("-D", environment.path, "pyvarium", "add", "py-facets")
    kept = f"==> {environment.path}: spack.yaml and spack.lock are as they were\n"
    for _ in range(5):
        process = equipped.start(*command, start_new_session=True, preexec_fn=heed_interrupts)
        assert process.stderr is not None
        for line in process.stderr:
            if line == "==> spack install\n":
                break
        os.killpg(process.pid, signal.SIGINT)
        done = finish(process)
        assert done.code != 0
        if kept in done.err:
            break
        for name, data in before.items():  # Spack was quicker, as on a busy machine: once more.
            (environment.path / name).write_bytes(data)
    assert kept in done.err
    assert files_of(environment) == before


def test_backend_is_missed_before_anything_is_done(
    spack: Spack, new_environment: NewEnvironment, tmp_path: Path
) -> None:
    environment = new_environment("py-tiny@1.0", pyproject=None)
    spack.configure("pyvarium", f"pyvarium:\n  tools:\n    uv: {tmp_path / 'uv'}\n")
    before = files_of(environment)
    error = spack("pyvarium", "new", environment.path, "--backend", "uv", code=1).err
    assert error == (
        f"==> Error: {tmp_path / 'uv'}: cannot be run (No such file or directory); mend tools.uv"
        " in scope user, or run 'spack pyvarium setup uv PREFIX'\n"
    )
    assert files_of(environment) == before
