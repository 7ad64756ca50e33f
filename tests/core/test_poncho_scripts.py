# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What Poncho and TaskVine call in a pack that they have unpacked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Dict

import pytest

from pyvarium import run_script
from pyvarium.pack_manifest import PACK
from pyvarium.variables import Action, Change

CHANGES = (
    Change("TABLES", Action.SET, f"{PACK}/data/TABLES"),
    Change("LIST", Action.APPEND, f"{PACK}/x"),
    Change("GONE", Action.UNSET),
)
ENVIRON = {"PATH": "/usr/bin:/bin", "LIST": "/y", "GONE": "1", "PYTHONPATH": "/z"}
SHOW = 'echo "$TABLES,$LIST,${GONE-unset},${PYTHONPATH-unset},$PATH"'


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The scripts of a pack, in a directory with a blank in its name."""
    top = tmp_path / "a pack"
    (top / "bin").mkdir(parents=True)
    for name in (run_script.NAME, run_script.SOURCED):
        (top / name).write_bytes(run_script.render(name, CHANGES, [f"{PACK}/python/bin"], None))
    unpacked = run_script.template("conda-unpack").read_bytes()
    (top / run_script.UNPACKED).write_bytes(unpacked)
    for path in (top / "bin").iterdir():
        path.chmod(0o755)
    return top


def said(*command: str, environ: Dict[str, str] = ENVIRON) -> str:
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_activate(pack: Path) -> None:
    """Sourced with an empty argument, as ``poncho_package_run`` does, it sets the same."""
    expected = f"{pack}/data/TABLES,/y:{pack}/x,unset,unset,{pack}/python/bin:/usr/bin:/bin"
    script = f'source "$1/bin/activate" ""; {SHOW}'
    assert said("bash", "-c", script, "x", str(pack)) == expected
    assert said(str(pack / "bin/run_in_env"), "sh", "-c", SHOW) == expected
    link = pack.parent / "link"
    link.symlink_to(pack)
    assert said("bash", "-c", f"cd '{link}'; . bin/activate ''; pwd") == str(link)


def test_nothing_to_do(pack: Path) -> None:
    """TaskVine calls ``run_in_env`` without a command, and Poncho what is to relocate."""
    assert [said(str(pack / "bin" / name)) for name in ("run_in_env", "conda-unpack")] == ["", ""]
