# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Commands in an environment and in a real pack of it, started by Spack, by us and by others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from spacks import TOP, NewEnvironment, Spack

RUNNER = TOP / "templates" / "pack" / "pyvarium-run"
QUESTION = ("python3", "-c", "import idna, sys; print(sys.prefix, idna.__version__, sys.argv[1:])")
VARIABLES = "  env_vars:\n    set:\n      ANALYSIS_DATA: /data/{of-2026} $HOME\n"


def test_an_environment(
    spack: Spack, prepared: Spack, new_environment: NewEnvironment, tmp_path: Path
) -> None:
    environment = new_environment("py-idna@3.4")
    if not spack.release.startswith("v0."):
        manifest = environment.path / "spack.yaml"
        manifest.write_text(manifest.read_text() + VARIABLES)
    spack("-D", environment.path, "install")
    expected = f"{environment.path / '.venv'} 3.4 ['--', '-e', 'a b']\n"
    misleading = spack.with_environ(PYTHONPATH=str(tmp_path))
    for options in (("-D", environment.path), ()):
        chosen = () if options else ("-e", environment.path)
        done = misleading(*options, "pyvarium", "run", *chosen, *QUESTION, "--", "-e", "a b")
        assert (done.out, done.err) == (expected, "")
    run = ("-D", environment.path, "pyvarium", "run", "--")
    if not spack.release.startswith("v0."):
        shown = spack(*run, "sh", "-c", 'printf "%s" "$ANALYSIS_DATA"').out
        assert shown == "/data/{of-2026} $HOME"
    assert spack(*run, "sh", "-c", "exit 42", code=42).out == ""
    assert spack(*run, "no-such-program", code=127).err == (
        "==> Error: no-such-program: not found\n"
    )
    assert "cannot be run" in spack(*run, "/", code=126).err
    # What Python ignores, a command would inherit.
    shown = spack(*run, "grep", "SigIgn", "/proc/self/status").out
    assert int(shown.split()[1], 16) & (1 << 12) == 0

    without = subprocess.run(
        [sys.executable, "-m", "pyvarium", "run", "-e", environment.path, *QUESTION, "x"],
        env={**os.environ, "PYTHONPATH": str(TOP / "spack-pyvarium")},
        capture_output=True,
        text=True,
    )
    assert (without.stdout, without.stderr) == (f"{environment.path / '.venv'} 3.4 ['x']\n", "")
    assert spack("pyvarium", "run", "-e", "none", "true", code=1).err == (
        "==> Error: none: is neither a pack nor an environment\n"
    )
    assert spack("pyvarium", "run", code=2).err == (
        "==> Error: run: takes a command, or --clean without one; see --help\n"
    )


@pytest.mark.usefixtures("on_newest_spack")
def test_a_pack(spack: Spack, packed: Path, tmp_path: Path) -> None:
    """By Spack, which unpacks it in Python, and by the program in it, which leaves it to tar."""
    cache = tmp_path / "a cache"
    run = ("pyvarium", "run", "-e", packed, "-u", cache, "--")
    done = spack(*run, *QUESTION, "--", "x")
    (home,) = (one for one in cache.iterdir() if not one.name.startswith("."))
    assert (done.out, done.err) == (f"{home / 'python'} 3.4 ['--', 'x']\n", "")
    assert spack(*run, "sh", "-c", "exit 42", code=42).out == ""
    assert spack("pyvarium", "run", "-u", cache, "--clean").out == f"{home}: removed\n"

    program = tmp_path / "pyvarium-run"
    with program.open("wb") as file:
        subprocess.run(["tar", "-xOf", packed, "bin/pyvarium-run"], stdout=file, check=True)
    assert program.read_bytes() == RUNNER.read_bytes()
    by_tar = subprocess.run(
        ["sh", program, "-e", packed, "-u", cache, *QUESTION, "y"], capture_output=True, text=True
    )
    assert (by_tar.stdout, by_tar.stderr) == (f"{home / 'python'} 3.4 ['y']\n", "")


@pytest.mark.usefixtures("on_newest_spack")
def test_a_pack_is_what_others_start(packed: Path, tmp_path: Path) -> None:
    """TaskVine's sequence; and, where it is installed, Poncho's program."""
    # The name does not tell the format there; what is unpacked is moved and linked.
    (tmp_path / "input").symlink_to(packed)
    script = """
        mkdir output && tar xf input -C output && output/bin/run_in_env &&
        mkdir -p cache/one task && mv output cache/one/env && ln -s ../cache/one/env task/env &&
        chmod -R a-w cache/one/env && cd task && env/bin/run_in_env "$@"
    """
    done = subprocess.run(
        ["sh", "-c", script, "sh", *QUESTION], cwd=tmp_path, capture_output=True, text=True
    )
    subprocess.run(["chmod", "-R", "u+w", tmp_path / "cache"], check=True)
    prefix, version, *_ = done.stdout.split()
    assert (Path(prefix).resolve(), version, done.stderr) == (
        tmp_path / "cache" / "one" / "env" / "python",
        "3.4",
        "",
    )
    poncho = shutil.which("poncho_package_run")
    if poncho is not None:
        done = subprocess.run(
            [poncho, "-e", packed, "-u", "unpacked", "--", *QUESTION],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert (done.stdout, done.stderr) == (f"{tmp_path}/unpacked/python 3.4 []\n", "")
