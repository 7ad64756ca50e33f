# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A large environment as it is committed, made of a lockfile that a Spack has written."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

from pyvarium import backends, pins, pyproject
from pyvarium.lockfile import parse_lockfile
from pyvarium.model import Backend, Mode, Pin

STACK = Path(__file__).resolve().parents[1] / "data" / "stack.spack.lock.xz"


def write_environment(directory: Path, count: int) -> None:
    """Write both halves of an environment with so many pins, in step."""
    directory.mkdir(parents=True)
    lock = lzma.decompress(STACK.read_bytes()).decode()
    (directory / "spack.lock").write_text(lock)
    (directory / "spack.yaml").write_text("spack:\n  specs: []\n")
    wanted = [Pin(f"project-{number:03}", f"1.{number}") for number in range(count)]
    text = '[project]\nname = "large"\nversion = "1"\nrequires-python = "==3.11.*"\n'
    digest = pins.digest(parse_lockfile(lock).nodes)
    text = pyproject.with_pins(text, pyproject.Owned(), wanted, digest, "pyproject.toml")
    wheels = {pin.name: f"{pin.name.replace('-', '_')}-{pin.version}-0_x.whl" for pin in wanted}
    text, _ = backends.with_keys(
        text, Backend.UV, Mode.BOUND, wanted, (), wheels, "pyproject.toml"
    )
    (directory / "pyproject.toml").write_text(text)
    assert json.loads(lock)["roots"]
