# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The scenarios of ``spack pyvarium new --skip-install``, inside a Spack: run.py --spack SPACK."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator

from faults import Scenario

from pyvarium import creation, lifecycle
from pyvarium.errors import PyvariumError
from pyvarium.model import Backend

PROJECT = "# mine\n[project]\nname = 'x'\nversion = '0'\nrequires-python = '>=3.9'\n"


def scenarios(root: Path) -> Iterator[Scenario]:
    yield _new(root / "new", {})
    yield _new(root / "new-half", {"pyproject.toml": PROJECT})
    halves = {"pyproject.toml": PROJECT, "spack.yaml": "spack:\n  specs: []\n  # mine\n"}
    yield _new(root / "new-force", {**halves, "uv.lock": "version = 1\n"}, force=True)


def _new(root: Path, files: Dict[str, str], force: bool = False) -> Scenario:
    path = root / "my-env"
    path.mkdir(parents=True)
    for name, text in {**files, "notes.txt": "the user's\n"}.items():
        (path / name).write_text(text)
    session = lifecycle.Session(report=lambda _: None)
    wish = creation.Wish(path, backend=Backend.UV, force=force)

    def act() -> None:
        creation.create(wish, session, skip_install=True)

    def again() -> None:
        """What was there when it failed may be there, and is not to be made anew."""
        try:
            creation.create(creation.Wish(path, backend=Backend.UV), session, skip_install=True)
        except PyvariumError as error:
            if "is an environment already" not in str(error):
                raise

    kept = tuple(files.values()) if force else ()
    return Scenario(root.name, root, path, act, ("notes.txt",), again=again, kept=kept)
