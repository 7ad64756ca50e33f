# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Venvs as people make them by hand, on a python of Spack's, on a view, and on modules."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

import pytest

from conftest import Site
from pyvarium import analysis, classic
from pyvarium.__main__ import main
from pyvarium.errors import FileError
from pyvarium.sources import read_project
from pyvarium.verify import Code

METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n{}\n"


@dataclass(frozen=True)
class Classic:
    """A venv made by hand, with what was installed into it."""

    path: Path
    site: Site

    @property
    def library(self) -> Path:
        return self.path / self.site.library

    def configure(
        self, home: Path, *, system: bool = True, command: Optional[Path] = None
    ) -> None:
        lines = [f"home = {home}/bin", f"include-system-site-packages = {str(system).lower()}"]
        lines += ["version = 3.11.7", f"executable = {home}/bin/python3.11"]
        if command:
            lines.append(f"command = {command}/bin/python3 -m venv {self.path}")
        self.library.mkdir(parents=True, exist_ok=True)
        (self.path / "pyvenv.cfg").write_text("".join(f"{line}\n" for line in lines))
        (self.path / "bin").mkdir(exist_ok=True)
        (self.path / "bin" / "python").touch()

    def install(
        self, name: str, version: str, *requires: str, requested: bool = False, url: object = None
    ) -> Path:
        path = self.library / f"{name}-{version}.dist-info"
        path.mkdir()
        lines = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (path / "METADATA").write_text(METADATA.format(name, version, lines))
        if requested:
            (path / "REQUESTED").touch()
        if url:
            (path / "direct_url.json").write_text(json.dumps(url))
        return path

    def faults(self, environ: Mapping[str, str] = {}) -> List[Tuple[Code, str, str]]:
        venv = classic.read_venv(self.path, environ)
        return [(one.code, one.subject, one.reason) for one in classic.verify(venv)]


@pytest.fixture
def made(site: Site, tmp_path: Path) -> Classic:
    """On a view whose python finds what is in it, as where Spack copies python into views."""
    site.install("py-numpy", "2.1.3")
    site.install("py-attrs", "25.3.0")
    site.finish()
    made = Classic(tmp_path / "venvs" / "analysis", site)
    made.configure(site.view)
    return made


def test_nothing_is_wrong(made: Classic) -> None:
    made.install("rich", "14.2.0", "attrs>=25", requested=True)
    assert made.faults() == []


def test_copies_and_what_does_not_fit(made: Classic) -> None:
    numpy = made.install("numpy", "2.4.0")
    cattrs = made.install("cattrs", "26.2", "attrs>=25.4", "missing; python_version < '3'")
    twice = made.install("rich", "14.2.0"), made.install("rich", "13.0")
    assert made.faults() == [
        (
            Code.INCOMPATIBLE,
            str(cattrs),
            "requires attrs>=25.4, but 25.3.0 is there",
        ),
        (Code.SHADOWED, str(numpy), "shadows Spack's numpy 2.1.3 (py-numpy@2.1.3)"),
        (
            Code.TWO_DIST_INFOS,
            str(twice[0]),
            f"rich is there a second time, as {twice[1].name}",
        ),
    ]
    [fault] = [
        one
        for one in classic.verify(classic.read_venv(made.path, {}))
        if one.code is Code.SHADOWED
    ]
    assert fault.remedy == (
        f"run 'spack pyvarium new DIR --from {made.path} --on {made.site.path}'"
    )


@pytest.mark.parametrize("system", [True, False])
def test_it_does_not_see_the_view(made: Classic, tmp_path: Path, system: bool) -> None:
    """A view's python is a venv itself, and what is made from it looks past the view."""
    bare = tmp_path / "python"
    (bare / made.site.library).mkdir(parents=True)
    made.configure(bare, system=system, command=made.site.view)
    numpy = made.install("numpy", "2.4.0")
    view = made.site.view
    assert made.faults() == [
        (
            Code.DETACHED,
            str(made.path),
            f"does not see what Spack provides in {view} (attrs, numpy)",
        ),
        (Code.SHADOWED, str(numpy), "shadows Spack's numpy 2.1.3 (py-numpy@2.1.3)"),
    ]


def test_another_one_of_the_name_is_not_spacks(made: Classic, tmp_path: Path) -> None:
    """As where the system's python has a numpy, too."""
    base = Classic(tmp_path / "python", made.site)
    base.library.mkdir(parents=True)
    base.install("numpy", "1.26.4")
    made.configure(base.path, command=made.site.view)
    assert [code for code, _, _ in made.faults()] == [Code.DETACHED]


def test_modules_that_set_pythonpath(made: Classic, tmp_path: Path) -> None:
    made.configure(tmp_path / "python")
    numpy = made.install("numpy", "2.4.0")
    path = made.site.view / made.site.library
    environ = {"PYTHONPATH": f"{path}{os.pathsep}{tmp_path / 'gone'}"}
    assert made.faults(environ) == [
        (
            Code.PYTHONPATH,
            "PYTHONPATH",
            f"is set ('{path}'), so that python imports from there before the venv",
        ),
        (Code.SHADOWED, str(numpy), "stands behind Spack's numpy 2.1.3 (py-numpy@2.1.3)"),
    ]


def test_its_python_is_gone(made: Classic) -> None:
    (made.path / "bin" / "python").unlink()
    assert made.faults() == [
        (Code.WRONG_PYTHON, str(made.path), f"its python is gone ({made.site.view})")
    ]


def test_analyze_tells_what_is_of_spack(made: Classic) -> None:
    made.install("rich", "14.2.0")
    installed = analysis.read_installed(made.path)
    assert installed.python == "3.11"
    assert sorted(one.spec for one in installed.provided.values()) == [
        "py-attrs@25.3.0",
        "py-numpy@2.1.3",
    ]


def project_of(made: Classic) -> Tuple[List[str], Dict[str, str]]:
    project = read_project(made.path, json.loads)
    skipped = {one.subject: one.reason for one in project.skipped}
    return [str(one) for one in project.requirements], skipped


def test_what_was_asked_for(made: Classic) -> None:
    """By name, with what of Spack's that needs or has as a copy."""
    made.install("pip", "25.1", requested=True)
    made.install("xarray", "2026.1", "numpy>=1", "plain", requested=True)
    made.install("plain", "1.0")
    made.install("attrs", "26.1.0")
    made.install("mine", "1", requested=True, url={"url": "file:///home/me/mine", "dir_info": {}})
    source = {"vcs": "git", "commit_id": "abc"}
    made.install("theirs", "2", requested=True, url={"url": "https://x.org/y", "vcs_info": source})
    assert project_of(made) == (
        ["attrs", "numpy", "theirs @ git+https://x.org/y@abc", "xarray"],
        {
            "mine": "is installed from file:///home/me/mine; add it to the new environment from"
            " there",
            str(made.path): "its versions are not taken over (attrs 26.1.0, xarray 2026.1); bound"
            " them in pyproject.toml",
        },
    )


def test_what_modules_bring_is_asked_for(made: Classic, tmp_path: Path) -> None:
    made.configure(tmp_path / "python")
    made.install("xarray", "2026.1", "numpy>=1", requested=True)
    environ = {"PYTHONPATH": str(made.site.view / made.site.library)}
    requirements = read_project(made.path, json.loads, environ).requirements
    assert [str(one) for one in requirements] == ["numpy", "xarray"]


def test_what_nobody_else_needs_where_nothing_tells(made: Classic) -> None:
    made.install("xarray", "2026.1", "plain")
    made.install("plain", "1.0")
    assert project_of(made)[0] == ["xarray"]


def test_verify_without_spack(
    made: Classic, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    made.install("numpy", "2.4.0")
    made.configure(made.site.view)
    assert main(["verify", str(made.path)]) == 3
    assert capsys.readouterr().out.startswith(f"shadowed: {made.library}/numpy-2.4.0.dist-info: ")
    assert main(["verify", "--json", str(made.path)]) == 3
    assert json.loads(capsys.readouterr().out)["faults"][0]["code"] == "shadowed"
    assert main(["verify", "--fix", str(made.path)]) == 1
    assert capsys.readouterr().err == (
        f"error: {made.path}: is no environment, and is not changed; leave out --fix\n"
    )


def test_what_is_no_venv(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="has no pyvenv"):
        classic.read_venv(tmp_path, {})
    (tmp_path / "pyvenv.cfg").write_bytes(b"\xff\0 = \ncommand = 'unclosed\n")
    venv = classic.read_venv(tmp_path, {})
    assert (venv.python, venv.origin, venv.own) == (None, None, ())
    assert [one.code for one in classic.verify(venv)] == [Code.WRONG_PYTHON]
