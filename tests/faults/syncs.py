# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The scenarios of a sync: of each backend, from nothing, and of files that are links."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Callable, Iterator, Optional, Tuple

from faults import UNFINISHED, Contents, Scenario, Scenarios, differences

from conftest import HERE, Site
from pyvarium import building
from pyvarium.model import Environment
from pyvarium.sync import sync

USERS = ("notes.txt", "spack.yaml", "spack.lock", "rich", "rich-1.dist-info")
PROJECT = """\
# The user's own words.
[project]
name = "x"
version = "0"
dependencies = ["rich"]  # and why

[tool.pyvarium]
backend = "{}"
mode = "{}"
"""


def _site(root: Path) -> Site:
    site = Site(root, HERE)
    site.add_python()
    return site


def _provide(site: Site, name: str, version: str) -> str:
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: a\n\n"
    dag_hash = site.install(f"py-{name}", version, text)
    info = site.library / f"{name}-{version}.dist-info"
    site.add(dag_hash, info / "entry_points.txt", f"[console_scripts]\n{name}-run = {name}:main\n")
    site.add(dag_hash, info / "RECORD", f"../../../bin/{name}-run,,\n{name}.py,,\n")
    return dag_hash


def _environment(site: Site) -> Environment:
    environment = site.finish()
    (environment.path / "notes.txt").write_text("the user's\n")
    info = environment.path / ".venv" / site.library / "rich-1.dist-info"
    if info.parent.is_dir():
        info.mkdir()
        (info / "METADATA").write_text("Name: rich\nVersion: 1\n")
        (info / "RECORD").write_text("../../../bin/rich,,\n")
        (environment.path / ".venv" / "bin" / "rich").write_text("#!/bin/sh\n")
    return environment


def _quietly(environment: Environment) -> None:
    """Sync. The pip that python itself brings is not wanted: it takes seconds."""
    building._bring_pip = lambda *_: iter(())  # type: ignore[assignment]
    sync(environment)


def _update(
    backend: str, mode: str = "bound", link: str = "", then: Optional[str] = None
) -> Callable[[Path], Scenario]:
    """One distribution has another version, one is gone, one has come."""

    def make(root: Path) -> Scenario:
        site = _site(root)
        site.add_venv()
        first = [_provide(site, name, version) for name, version in (("a", "1"), ("b", "1"))]
        environment = _environment(site)
        file = environment.pyproject
        if link:
            file = environment.path / "real" / "project.toml"
            file.parent.mkdir()
        file.write_text(PROJECT.format(backend, mode))
        if link == "linked":
            environment.pyproject.symlink_to(file)
        elif link:
            os.link(file, environment.pyproject)
        _quietly(environment)

        def link_hard() -> None:
            if link == "hard-linked":
                environment.pyproject.unlink()
                os.link(file, environment.pyproject)

        if link == "hard-linked":  # It was replaced, so that the other name has kept the old one.
            file.unlink()
            os.link(environment.pyproject, file)
        file.write_text(file.read_text().replace(f'"{backend}"', f'"{then or backend}"'))
        for dag_hash, name in zip(first, ("a", "b")):
            shutil.rmtree(site.view / site.library / f"{name}-1.dist-info")
            site.nodes.pop(dag_hash)
            site.roots.remove(dag_hash)
        _provide(site, "a", "2")
        _provide(site, "c", "1")
        site.finish()
        return _scenario(root, environment, USERS, restored=link_hard)

    return make


def _first(root: Path) -> Scenario:
    """There is no file yet, and in .venv nothing of ours."""
    site = _site(root)
    site.add_venv()
    for name in "ab":
        _provide(site, name, "1")
    return _scenario(root, _environment(site), USERS)


def _venv(root: Path) -> Scenario:
    """All of it from nothing, with a venv that python makes."""
    site = _site(root)
    _provide(site, "a", "1")
    environment = _environment(site)
    environment.pyproject.write_text(PROJECT.format("uv", "bound"))
    return _scenario(root, environment, ("notes.txt", "spack.yaml", "spack.lock"), programs=True)


def _unhealed(before: Contents, found: Contents, expected: Contents) -> Iterator[str]:
    """As it was to be; or with a copy of python, as its venv makes where it can make no link."""
    program = Path(sys.executable).resolve().read_bytes()
    links = {
        name: expected.get(name)
        for name, one in found.items()
        if name.startswith(".venv/bin/python") and isinstance(one, tuple) and one[0] == program
    }
    return differences(before, {**found, **links}, expected)


def _scenario(
    root: Path,
    environment: Environment,
    users: Tuple[str, ...],
    *,
    restored: Callable[[], None] = lambda: None,
    programs: bool = False,
) -> Scenario:
    def torn(before: Contents, now: Contents, after: Contents) -> Iterator[str]:
        made = ".venv" if programs else None  # By python, and anew by the next sync.
        return torn_files(before, now, after, users=users, made=made)

    return Scenario(
        root.name,
        environment.path,
        lambda: _quietly(environment),
        torn,
        unhealed=_unhealed if programs else differences,
        restored=restored,
        programs=programs,
    )


def torn_files(
    before: Contents,
    now: Contents,
    after: Contents,
    *,
    users: Tuple[str, ...] = (),
    made: Optional[str] = None,
) -> Iterator[str]:
    """What is neither as before nor as after; nobody but the user changes what is the user's."""
    for name in sorted({*before, *now}):
        if UNFINISHED.search(name):
            continue
        parts = name.split("/")
        mine = next((part for part in parts if part in users), None)
        if mine and now.get(name) != before.get(name):
            yield f"{name}: is the user's, and was changed"
        elif parts[0] == made:
            continue
        elif name not in now and ".dist-info" in name:
            continue  # All of it is gone, else it is found below: no directory replaces one.
        elif now.get(name) not in (before.get(name), after.get(name)):
            yield f"{name}: is torn ({now.get(name)!r:.80})"
    for name in {one.rpartition("/")[0] for one in now if ".dist-info/" in one}:
        if UNFINISHED.search(name):
            continue
        states = [below(name, one) for one in (now, before, after)]
        if states[0] not in states[1:]:
            yield f"{name}: is not whole"


def below(name: str, found: Contents) -> Contents:
    return {key: one for key, one in found.items() if key.startswith(f"{name}/")}


SCENARIOS: Scenarios = {
    "uv": _update("uv"),
    "poetry": _update("poetry"),
    "pdm": _update("pdm"),
    "pip": _update("pip"),
    "portable": _update("uv", "portable"),
    "linked": _update("uv", link="linked"),
    "hard-linked": _update("poetry", link="hard-linked"),
    "other-backend": _update("poetry", then="uv"),
    "first": _first,
    "venv": _venv,
}
