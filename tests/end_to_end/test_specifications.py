# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""From a script to a pack and a run of it, with Poncho's JSON in between, and with Poncho itself.

Poncho's programs are taken from the clone that ``--poncho`` names; no part of them is ours.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping

import pytest
from installers import NEWEST, Installer
from spacks import Environment, NewEnvironment, Spack, write

SCRIPT = """\
import os
import sys

import tensors
import webby

print(tensors.SOURCE, webby.SOURCE)
for name in ("TABLES", "REFERENCE"):
    path = os.environ.get(name)
    if path:
        with open(os.path.join(path, "table") if os.path.isdir(path) else path) as file:
            print(name, file.read().strip())
sys.exit(int(sys.argv[1]))
"""
#: What would be left out, or rewritten, of anything but data.
TOOL = "#!/usr/bin/env python3\n"
#: Nothing of what a pack brings is found by what starts it.
BARE = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C"}


@dataclass(frozen=True)
class Served:
    """What a specification fetches: a repository by its tag, and a file."""

    remote: str
    commit: str
    url: str
    digest: str


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    directory = tmp_path / "served"
    work = directory / "work"
    write(work / "table", "of the tag\n")
    write(work / "bin/tool.la", TOOL)
    (work / "bin/tool.la").chmod(0o755)
    for words in ("init -q", "add .", "commit -q -m x", "tag v1"):
        git(work, *words.split())
    write(work / "table", "newer\n")
    git(work, "commit", "-q", "-a", "-m", "y")
    git(directory, "clone", "-q", "--bare", "work", "tables.git")
    git(directory / "tables.git", "update-server-info")
    write(directory / "reference", "of the server\n")
    handler = functools.partial(Silent, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield Served(
            f"{url}/tables.git",
            git(work, "rev-parse", "v1"),
            f"{url}/reference",
            hashlib.sha256(b"of the server\n").hexdigest(),
        )
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def git(directory: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x")
    command = ["git", "-C", str(directory), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def equipped(spack: Spack, installer_of: Callable[[str], Installer]) -> Spack:
    """A Spack whose configuration names uv, and the index of the tests."""
    uv = installer_of(next(one for one in NEWEST if one.startswith("uv==")))
    spack.configure("pyvarium", f"pyvarium:\n  tools:\n    uv: {uv.python.parent / 'uv'}\n")
    return spack.with_environ(**uv.environ)


@pytest.fixture
def poncho(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory with two programs of Poncho's, as they are."""
    clone = request.config.getoption("poncho")
    if clone is None:
        pytest.skip("no clone of Poncho's is named by --poncho")
    directory = tmp_path / "poncho"
    directory.mkdir()
    for name in ("poncho_package_run", "poncho/package_create.py"):
        path = directory / os.path.basename(name)
        command = ["git", "-C", str(clone), "show", f"HEAD:poncho/src/{name}"]
        path.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
        path.chmod(0o755)
    # What it imports, and what is not asked for here.
    write(directory / "conda_pack.py", "")
    return directory


def run(*command: object, code: int = 3, **options: Any) -> List[str]:
    """Run a command that ends with this exit code; the lines of its output."""
    words = [str(word) for word in command]
    options = {"env": BARE, **options}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout.splitlines()


def analyzed(spack: Spack, environment: Environment, script: Path) -> Dict[str, Any]:
    """What analyze says, in the environment, in Poncho's words."""
    output = script.parent / "package.json"
    words = ("analyze", "--format", "poncho", script, "-o", output)
    spack("-D", environment.path, "pyvarium", *words)
    found: Dict[str, Any] = json.loads(output.read_text())
    return found


def members(pack: Path, directory: Path) -> Mapping[str, Any]:
    """Unpack as anybody does; the manifest."""
    directory.mkdir()
    subprocess.run(["tar", "xf", str(pack), "-C", str(directory)], check=True)
    found: Mapping[str, Any] = json.loads((directory / "pyvarium/manifest.json").read_text())
    return found


@pytest.mark.usefixtures("on_one_spack")
def test_three_steps(
    equipped: Spack, new_environment: NewEnvironment, served: Served, tmp_path: Path
) -> None:
    """Analyze, pack what that says with data besides, run it, and as TaskVine does."""
    environment = new_environment("py-tensors", pyproject=None)
    equipped("pyvarium", "new", environment.path, "--backend", "uv")
    script = tmp_path / "script.py"
    write(script, SCRIPT)
    words = ("analyze", "--format", "requirements", script)
    requests = equipped("-D", environment.path, "pyvarium", *words).out.split()
    assert requests == ["tensors==2.9.0", "webby"]
    assert equipped("-D", environment.path, "pyvarium", "add", *requests).out == (
        f"{environment.pyproject}: webby added\n"
    )
    specification = analyzed(equipped, environment, script)
    specification["git"] = {"TABLES": {"remote": served.remote, "ref": "v1"}}
    specification["http"] = {"REFERENCE": {"url": served.url, "sha256": served.digest}}
    specification["conda"]["dependencies"].append("gcc")
    pack = tmp_path / "pack.tar.gz"
    source = tmp_path / "specification.json"
    write(source, json.dumps(specification))
    equipped("pyvarium", "new", tmp_path / "new", "--from", source, "--skip-install")
    assert 'dependencies = ["webby==2.0"]' in (tmp_path / "new/pyproject.toml").read_text()
    done = equipped("pyvarium", "pack", source, "-o", pack)
    assert (
        f"Skipped: {source}: gcc: is a compiler of Conda's; Spack has its own for each build: see"
        " 'spack compilers'"
    ) in done.err
    again = tmp_path / "again.tar.gz"
    equipped("pyvarium", "pack", source, "-o", again)
    assert again.read_bytes() == pack.read_bytes()
    shutil.rmtree(environment.path)

    expected = ["store index", "TABLES of the tag", "REFERENCE of the server"]
    command = ("python", script, "3")
    ours = ("pyvarium", "run", "--environment", pack, "--unpack-to", tmp_path / "cache", "--")
    assert equipped(*ours, *command, code=3).out.splitlines() == expected
    runner = tmp_path / "pyvarium-run"
    unpack = ["tar", "-xOf", str(pack), "bin/pyvarium-run"]
    runner.write_bytes(subprocess.run(unpack, check=True, capture_output=True).stdout)
    own = ("-u", tmp_path / "another cache", "--")
    assert run("sh", runner, "-e", pack, *own, *command) == expected

    manifest = members(pack, tmp_path / "output")
    assert manifest["data"] == [
        {
            "variable": "TABLES",
            "path": "data/TABLES",
            "source": served.remote,
            "commit": served.commit,
        },
        {
            "variable": "REFERENCE",
            "path": "data/REFERENCE",
            "source": served.url,
            "digest": served.digest,
        },
    ]
    tool = tmp_path / "output/data/TABLES/bin/tool.la"
    assert (tool.read_text(), os.access(tool, os.X_OK)) == (TOOL, True)
    # TaskVine: unpacked with no command, moved into a cache, linked into the sandbox of a task.
    run(tmp_path / "output/bin/run_in_env", code=0)
    (tmp_path / "output").rename(tmp_path / "moved away")
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    (sandbox / "package").symlink_to(tmp_path / "moved away")
    assert run("package/bin/run_in_env", *command, cwd=sandbox) == expected


@pytest.mark.usefixtures("on_one_spack")
def test_environment_is_kept(equipped: Spack, tmp_path: Path) -> None:
    """Only pip, from stdin, in a directory that the same command goes on from."""
    text = json.dumps({"pip": ["plain==1.0"]})
    kept = tmp_path / "kept"
    packs = [tmp_path / "one.tar.gz", tmp_path / "other.tar.gz"]
    for pack in packs:
        process = equipped.start("pyvarium", "pack", "-", "-o", pack, "--environment", kept)
        out, err = process.communicate(text, timeout=300)
        assert process.returncode == 0, (out, err)
    assert packs[0].read_bytes() == packs[1].read_bytes()
    members(packs[0], tmp_path / "output")
    code = "import plain; print(plain.SOURCE)"
    assert run(tmp_path / "output/bin/run_in_env", "python", "-c", code, code=0) == ["index"]

    write(tmp_path / "another.json", json.dumps({"pip": ["plain"]}))
    words = ("-o", tmp_path / "x.tar.gz", "--environment", kept)
    assert equipped("pyvarium", "pack", tmp_path / "another.json", *words, code=1).err == (
        f"==> Error: {kept}: is there, and was not made from this specification; name another, or"
        " remove it\n"
    )
    assert not (tmp_path / "x.tar.gz").exists()


@pytest.mark.usefixtures("on_one_spack")
@pytest.mark.parametrize(
    ("specification", "error"),
    [
        ({"pip": "plain"}, "pip is not a list of strings; mend it"),
        ({"git": {"DATA": {"remote": "ext::sh"}}}, "git.DATA.remote: 'ext::sh' is no address"),
        ({"pip": [], "http": {"DATA": {"url": "http://127.0.0.1:1/x"}}}, "http.DATA.url: http:"),
    ],
    ids=str,
)
def test_refused(equipped: Spack, tmp_path: Path, specification: Any, error: str) -> None:
    source = tmp_path / "specification.json"
    write(source, json.dumps(specification))
    pack = tmp_path / "pack.tar.gz"
    done = equipped("pyvarium", "pack", source, "-o", pack, code=1)
    [line] = [line for line in done.err.splitlines() if line.startswith("==> Error: ")]
    assert line.startswith(f"==> Error: {source}: {error}")
    assert not pack.exists()


@pytest.mark.usefixtures("on_one_spack")
def test_under_poncho(
    equipped: Spack,
    new_environment: NewEnvironment,
    served: Served,
    poncho: Path,
    tmp_path: Path,
) -> None:
    """Poncho's own run of our pack, from a file and from a directory; its reader of our JSON."""
    environment = new_environment("py-tensors", pyproject=None)
    equipped("pyvarium", "new", environment.path, "--backend", "uv")
    equipped("-D", environment.path, "pyvarium", "add", "webby")
    script = tmp_path / "script.py"
    write(script, SCRIPT)
    specification = analyzed(equipped, environment, script)
    specification["git"] = {"TABLES": {"remote": served.remote}}
    source = tmp_path / "package.json"
    write(source, json.dumps(specification))
    pack = tmp_path / "pack.tar.gz"
    equipped("pyvarium", "pack", source, "-o", pack)
    shutil.rmtree(environment.path)

    expected = ["store index", "TABLES newer"]
    command = ("python", script, "3")
    runs = poncho / "poncho_package_run"
    unpacked = tmp_path / "unpacked"
    for environment_of in (("-e", pack, "-u", unpacked), ("-e", unpacked), ("-e", pack)):
        assert run(runs, *environment_of, "--", *command, cwd=tmp_path) == expected

    program = (
        "import json, sys, package_create\n"
        "specification = json.load(sys.stdin)\n"
        "print(json.dumps(package_create.create_conda_spec(specification, sys.argv[1], {})))\n"
    )
    (tmp_path / "poncho-output").mkdir()
    [line] = run(
        *(sys.executable, "-c", program, tmp_path / "poncho-output"),
        code=0,
        cwd=tmp_path,
        env={**BARE, "PYTHONPATH": str(poncho)},
        input=json.dumps(specification),
    )
    found = json.loads(line)
    assert found["channels"] == ["conda-forge"]
    assert found["dependencies"] == specification["conda"]["dependencies"]
    assert [one for one in found["dependencies"] if isinstance(one, dict)] == [
        {"pip": ["tensors==2.9.0", "webby==2.0"]}
    ]
