# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The scenarios of ``spack pyvarium new --skip-install``, inside a Spack: run.py --spack SPACK."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, Mapping

from faults import Contents, Scenario, Scenarios
from syncs import torn_files

from pyvarium.errors import PyvariumError
from pyvarium.model import Backend

PROJECT = "# mine\n[project]\nname = 'x'\nversion = '0'\nrequires-python = '>=3.9'\n"
HALVES = {"pyproject.toml": PROJECT, "spack.yaml": "spack:\n  specs: []\n  # mine\n"}


def _new(files: Mapping[str, str], force: bool = False) -> Callable[[Path], Scenario]:
    def make(root: Path) -> Scenario:
        from pyvarium import creation, lifecycle

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
                creation.create(
                    creation.Wish(path, backend=Backend.UV), session, skip_install=True
                )
            except PyvariumError as error:
                if "is an environment already" not in str(error):
                    raise

        def torn(before: Contents, now: Contents, after: Contents) -> Iterator[str]:
            yield from torn_files(before, now, after, users=("notes.txt",))
            whole = [one[0] for one in now.values() if isinstance(one, tuple)]
            for text in files.values() if force else ():
                if text.encode() not in whole:
                    yield f"{text!r}: is lost"

        return Scenario(root.name, path, act, torn, again, _lacking)

    return make


def _lacking(_: Contents, found: Contents, expected: Contents) -> Iterator[str]:
    """Where a file was there already, it is not moved away."""
    lacking = expected.keys() - found.keys() - {one for one in expected if ".bak" in one}
    if lacking:
        yield f"lacks {sorted(lacking)}"


SCENARIOS: Scenarios = {
    "new": _new({}),
    "new-half": _new({"pyproject.toml": PROJECT}),
    "new-force": _new({**HALVES, "uv.lock": "version = 1\n"}, force=True),
}
