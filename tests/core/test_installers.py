# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""With programs that stand in for the backends: what they are called with, and what they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Optional

import pytest

from pyvarium.errors import PyvariumError
from pyvarium.installers import Installer, depends_on, group_with
from pyvarium.model import Backend, Environment
from pyvarium.tools import Tool

PROJECT = """\
[project]
name = "analysis"
dependencies = ["Web.By>=1", "plain; sys_platform == 'linux'"]
optional-dependencies = { plot = ["graph"] }

[dependency-groups]
dev = ["checker", { include-group = "spack" }]
spack = ["provided==1.0"]

[tool.poetry.dependencies]
old-style = "^1"

[tool.poetry.group.docs.dependencies]
writer = "^2"

[tool.poetry.group.spack-provided.dependencies]
spack-provided = { path = "x" }
"""
#: Writes down how it was called, spoils the project, and ends with the code in ``code``.
PROGRAM = """\
#!/bin/sh
echo "$(basename "$0") $*" >> calls
echo "$VIRTUAL_ENV ${PYTHONPATH-unset}" > environ
cp pyproject.toml was; echo spoilt >> pyproject.toml; echo '# spoilt' > uv.lock
exit "$(cat code)"
"""

NewInstaller = Callable[..., Installer]


@pytest.fixture
def new_installer(tmp_path: Path) -> NewInstaller:
    """Makes backends at work in an environment, whose program ends with a code."""

    def make(backend: Backend, code: int = 0, report: Optional[List[str]] = None) -> Installer:
        environment = Environment(tmp_path, "work", ())
        environment.pyproject.write_text(PROJECT)
        (tmp_path / "code").write_text(str(code))
        program = tmp_path / "programs" / backend.value
        program.parent.mkdir()
        program.write_text(PROGRAM)
        program.chmod(0o755)
        lines: List[str] = [] if report is None else report
        return Installer(environment, backend, Tool(program, "1.0"), lines.append)

    return make


def calls(installer: Installer) -> List[str]:
    return (installer.environment.path / "calls").read_text().splitlines()


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (
            Backend.UV,
            ["uv lock", "uv lock --check", "uv sync", "uv add a b>=1", "uv remove plain"],
        ),
        (
            Backend.POETRY,
            [
                "poetry lock --no-interaction",
                "poetry check --lock --no-interaction",
                "poetry install --no-interaction",
                "poetry add --no-interaction a>=0 b>=1",
                "poetry remove --no-interaction plain",
            ],
        ),
        (
            Backend.PDM,
            [
                "pdm lock --update-reuse",
                "pdm lock --check",
                "pdm sync",
                "pdm add a b>=1",
                "pdm remove plain",
            ],
        ),
    ],
)
def test_words(backend: Backend, expected: List[str], new_installer: NewInstaller) -> None:
    installer = new_installer(backend)
    installer.lock()
    assert installer.is_locked()
    installer.install()
    installer.add(["a", "b>=1"])
    installer.remove(["plain"])
    assert calls(installer) == expected


def test_pip_changes_the_dependencies_itself(new_installer: NewInstaller, tmp_path: Path) -> None:
    report: List[str] = []
    installer = new_installer(Backend.PIP, report=report)
    installer.tool.path.write_text("#!/bin/sh\necho $* >> calls\n")  # type: ignore[union-attr]
    installer.lock()
    installer.add(["web-by>=2", "a"])
    installer.remove(["plain"])
    python = f"--python {tmp_path}/.venv/bin/python"
    assert calls(installer) == [
        f"{python} install plain; sys_platform == 'linux' web-by>=2 a",
        f"{python} uninstall --yes plain",
    ]
    after = PROJECT.replace('"Web.By>=1", "plain; sys_platform == \'linux\'"', '"web-by>=2", "a"')
    assert installer.environment.pyproject.read_text() == after


def test_a_failure_leaves_the_project_as_it_was(new_installer: NewInstaller) -> None:
    report: List[str] = []
    installer = new_installer(Backend.UV, code=2, report=report)
    subject = installer.environment.pyproject
    for act, words in ((installer.add, "add a"), (installer.remove, "remove a")):
        with pytest.raises(PyvariumError) as raised:
            act(["a"])
        assert str(raised.value) == (
            f"{subject}: 'uv {words}' ended with exit code 2, for the reason above; the project is"
            " as it was"
        )
        assert subject.read_text() == PROJECT
        assert not (subject.parent / "uv.lock").exists()
    assert report == ["uv add a", "uv remove a"]


@pytest.mark.parametrize(("code", "locked"), [(0, True), (1, False)])
def test_is_locked(code: int, locked: bool, new_installer: NewInstaller) -> None:
    assert new_installer(Backend.UV, code).is_locked() is locked


def test_a_check_that_cannot_tell_is_an_error(new_installer: NewInstaller) -> None:
    with pytest.raises(PyvariumError, match="'uv lock --check' ended with exit code 2"):
        new_installer(Backend.UV, 2).is_locked()


def test_works_in_the_venv_of_the_environment(
    new_installer: NewInstaller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere/else")
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    new_installer(Backend.UV).install()
    assert (tmp_path / "environ").read_text() == f"{tmp_path}/.venv unset\n"


def test_no_pip(tmp_path: Path) -> None:
    environment = Environment(tmp_path, "work", ())
    environment.pyproject.write_text(PROJECT)
    with pytest.raises(PyvariumError, match=r"\.venv: has no pip; name one by 'spack pyvarium"):
        Installer(environment, Backend.PIP, None).install()


@pytest.mark.parametrize(
    ("name", "depends", "group"),
    [
        ("web-by", True, None),
        ("old-style", True, None),
        ("graph", False, "plot"),
        ("checker", False, "dev"),
        ("writer", False, "docs"),
        ("provided", False, None),
        ("spack-provided", False, None),
    ],
)
def test_who_asks_for_a_project(
    name: str, depends: bool, group: Optional[str], tmp_path: Path
) -> None:
    environment = Environment(tmp_path, "work", ())
    environment.pyproject.write_text(PROJECT)
    assert (depends_on(environment, name), group_with(environment, name)) == (depends, group)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ('["default"]', "pdm lock --update-reuse --group :all"),
        ('["default", "spack"]', "pdm lock --update-reuse"),
    ],
    ids=["without-ours", "with-ours"],
)
def test_a_lock_of_pdm_gets_our_group(
    groups: str, words: str, new_installer: NewInstaller
) -> None:
    installer = new_installer(Backend.PDM)
    lock = installer.environment.path / "pdm.lock"
    lock.write_text(f"[metadata]\ngroups = {groups}\n")
    installer.lock()
    assert calls(installer) == [words]
