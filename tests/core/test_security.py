# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What docs/security.md claims of the whole, and that each of its claims has a test."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import HERE, Site
from pyvarium.sync import sync

TOP = Path(__file__).resolve().parents[2]

#: Runs a command while nothing may be started, written or connected to, and no code of others be
#: run: whatever does one of these has Python raise an event first (PEP 578).
WATCHED = """
import os, sys
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn")
REACHES = ("socket.connect", "socket.getaddrinfo", "urllib.Request", "ctypes.dlopen")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod",
           "os.chown", "os.truncate", "os.utime", "shutil.rmtree")
place = sys.argv[-1]

def watch(event, arguments):
    if event in (*STARTS, *REACHES, *CHANGES):
        raise SystemExit(f"{event}: {arguments!r}")
    if event == "open" and isinstance(arguments[2], int):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            raise SystemExit(f"written: {arguments!r}")
    if event == "exec" and arguments[0].co_filename.startswith(place):
        raise SystemExit(f"run: {arguments[0]!r}")

import pyvarium.__main__
sys.dont_write_bytecode = True
sys.addaudithook(watch)
sys.exit(pyvarium.__main__.main(sys.argv[1:]))
"""
HOSTILE = "import os\nos.system('touch /tmp/harmed')\nraise SystemExit('run')\n"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """An environment with code of its owner wherever some could be run."""
    site = Site(tmp_path, HERE)
    site.add_python()
    site.add_venv()
    dag_hash = site.install("py-a", "1")
    site.add(dag_hash, site.library / "a.py", HOSTILE)
    site.add(dag_hash, site.library / "a-1.dist-info" / "entry_points.txt", "[x]\ny = a:b\n")
    environment = site.finish()
    sync(environment)
    python = site.view / "bin" / "python3"
    python.unlink()
    python.write_text("#!/bin/sh\nexit 9\n")
    python.chmod(0o755)
    library = environment.venv / site.library
    (library / "harm.pth").write_text("import os; os.system('touch /tmp/harmed')\n")
    for name in ("sitecustomize.py", "usercustomize.py", "conftest.py", "setup.py", "tomllib.py"):
        for directory in (library, environment.path):
            (directory / name).write_text(HOSTILE)
    return environment.path


def watched(command: str, path: Path) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-P" if sys.version_info >= (3, 11) else "-B", "-c", WATCHED]
    environ = {**os.environ, "PYTHONPATH": str(TOP / "spack-pyvarium")}
    return subprocess.run(
        [*words, command, str(path)], env=environ, capture_output=True, text=True, cwd="/"
    )


@pytest.mark.parametrize("command", ["check", "status", "verify", "analyze"])
def test_a_look_at_an_environment_runs_and_changes_nothing(hostile: Path, command: str) -> None:
    """As in continuous integration, where it is anybody's."""
    done = watched(command, hostile)
    assert done.returncode in (0, 1, 3) and "Traceback" not in done.stderr, done.stderr
    assert not re.match(r"[\w.]+: \(", done.stderr), done.stderr
    assert not re.match(r"(written|run): ", done.stderr), done.stderr


def test_whoever_watches_sees_what_is_changed(hostile: Path) -> None:
    assert re.match(r"(written|[\w.]+): \(", watched("sync", hostile).stderr)


def test_every_claim_names_tests_that_are_there() -> None:
    text = (TOP / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:core|harness|end_to_end)/\w+\.py)`?:?:?`?(\w+)?", text)
    assert len(named) > 30
    for file, test in named:
        path = TOP / "tests" / file
        assert path.is_file(), file
        assert not test or f"def {test}(" in path.read_text(encoding="utf-8"), (file, test)
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    claims = [row for row in rows if len(row) == 2 and row[0].strip() != "Claim"]
    assert len(claims) > 25
    assert all(re.search(r"`(core|harness|end_to_end)/", test) for _, test in claims), claims
