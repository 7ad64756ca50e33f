# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Every session that a document shows is run, in a shell on a real Spack, and prints what it says.

Which block is run when, and what stands for what cannot be had here, is declared in
``tests/scenarios.py``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Tuple

import documents
import pytest
import scenarios
from documents import Command
from index import Index, Release
from installers import NEWEST, Installer
from scenarios import MAPPED, Scenario
from spacks import TOP, Spack, write

import test_recipes

#: What the index has besides, in the words of the documents.
PROJECTS = (
    Release("rich", "14.2.0"),
    Release("pyyaml", "6.0.3", imported="yaml"),
    Release("scikit-learn", "1.7.2", imported="sklearn"),
    Release("ipykernel", "7.1.0"),
    Release("numpy", "2.4.0"),
    Release("mpi4py", "5.0.0"),
    Release("httpx", "0.28.1"),
    Release("xarray", "2026.1.0", ("numpy>=2",)),
)
#: What there are no recipes for. Their real releases ask for more, which would be built for long.
RECIPES: Tuple[Tuple[str, Tuple[str, ...], Tuple[str, ...]], ...] = (
    ("cyclopts", ("5.0.0", "5.1.0", "5.2.0", "5.3.3", "5.4.0"), ("rich-rst>=2.0.1,<3",)),
    (
        "rich-rst",
        ("0.1.0", "0.2.0", "1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.0.1", "2.1.0", "2.2.0"),
        ("packaging>=20",),
    ),
    ("idna", ("3.4",), ()),
    ("tomli", ("2.0.1",), ()),
)
STUB = """\
from spack.package import *
from spack.pkg.pyvarium_tests.py_facets import Distributed


class {name}(Distributed):
    homepage = "https://example.org/"
    project = "{project}"

    version("{version}")

    depends_on("c", type="build")
"""
#: What may be another one tomorrow, or on another machine, as patterns.
WILD = (
    (r"\d+(\.\d+)+[\w.]*", r"\\d+(?:\\.\\d+)+[\\w.]*"),
    (r"\b[0-9a-f]{12,}\b", "[0-9a-f]{12,}"),
)
_BASH = """\
set -o pipefail
cd {home}
run() {{  # The words are those of a line: what it changes in the shell, stays.
    eval "$1" >"$2.out" 2>&1
    echo $? >"$2.code"
}}
"""


@dataclass(frozen=True)
class Reader:
    """Somebody who reads a document, with a home and a Spack."""

    spack: Spack
    home: Path
    environ: Mapping[str, str]
    #: What the documents call otherwise.
    places: Mapping[str, str]

    def here(self, text: str) -> str:
        """A text of a document in the terms of this machine."""
        for name in sorted(self.places, key=len, reverse=True):
            text = text.replace(name, self.places[name])
        return text

    def does(self, scenario: Scenario, directory: Path) -> Iterator[Tuple[Command, int, str]]:
        """Run the steps in one shell; yield for each command how it ended and what it printed."""
        sessions = documents.sessions()
        lines, commands = [_BASH.format(home=self.home)], []
        for number, step in enumerate(scenario.steps):
            if step.before:
                lines += ["set -e", self.here(step.before), "set +e"]
            for index, command in enumerate(scenarios.block_of(step, sessions).commands):
                text = step.instead.get(command.text.partition("  #")[0].strip(), command.text)
                name = directory / f"{number}-{index}"
                write(name.with_suffix(".sh"), self.here(text))
                lines.append(f'run "$(cat {name}.sh)" {name}')
                commands.append((command, step.codes.get(command.text, 0), name))
                # What comes later means nothing where this has failed.
                lines.append(f'[ "$(cat {name}.code)" = {commands[-1][1]} ] || exit 1')
        write(directory / "script", "\n".join([*lines, "exit 0", ""]))
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", directory / "script"],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1200,
        )
        for command, code, name in commands:
            out = name.with_suffix(".out")
            assert out.exists(), f"{command}: what precedes it fails:\n{done.stdout}"
            yield command, int(name.with_suffix(".code").read_text()) - code, out.read_text()


@pytest.fixture
def reader(
    request: pytest.FixtureRequest,
    spack: Spack,
    installer_of: Callable[[str], Installer],
    tmp_path: Path,
) -> Iterator[Callable[[Scenario], Reader]]:
    """Makes a home and a Spack as a scenario begins."""
    index = Index()
    for release in PROJECTS:
        index.add(release)

    with_recipes = Index()
    for name, versions, requires in RECIPES:
        for version in versions:
            test_recipes.add(with_recipes, Release(name, version, requires, ">=3.8"))

    def make(scenario: Scenario) -> Reader:
        missing = [one for one in scenario.needs if not (shutil.which(one) or Path(one).exists())]
        if missing:
            pytest.skip(f"no {' and '.join(missing)} here")
        if scenario.thorough:
            request.getfixturevalue("thoroughly")
        home = tmp_path / "home"
        (home / "bin").mkdir(parents=True)
        tools = {one.partition("==")[0]: installer_of(one) for one in NEWEST}
        environ: Dict[str, str] = {**spack.environ, "HOME": str(home)}
        if scenario.index != "real":
            url = (with_recipes if scenario.index == "recipes" else index).url
            environ.update(tools["uv"].environ, PIP_INDEX_URL=url, UV_DEFAULT_INDEX=url)
            environ.update(HOME=str(home), PDM_PYPI_URL=url, no_proxy="127.0.0.1")
        if scenario.index == "recipes":
            del environ["HTTPS_PROXY"]  # Spack finds the sources of what builtin has.
            test_recipes.with_own_cache(spack)
        mine, clone, site = spack, tmp_path / "spack-pyvarium", tmp_path / "site"
        if scenario.spack == "fresh":
            mine = _fresh(spack, clone, site)
            environ["SPACK_SYSTEM_CONFIG_PATH"] = str(tmp_path / "system")
        else:
            named = "".join(
                f"    {key}: {one.python.parent}/{key}\n" for key, one in tools.items()
            )
            spack.configure("pyvarium", f"pyvarium:\n  tools:\n{named}")
        roots = f"roots: {{tcl: {home}/modules/tcl, lmod: {home}/modules/lmod}}"
        spack.configure("modules", f"modules:\n  default:\n    {roots}\n")
        if scenario.stubs:
            _add_stubs(mine, tmp_path / "stubs", scenario.stubs)
        for key, one in tools.items():
            if key != "pip":
                (home / "bin" / key).symlink_to(one.python.parent / key)
        program = home / "bin/spack"
        write(program, f'#!/bin/sh\nexec {mine.host.prefix}/spack/bin/spack "$@"\n')
        program.chmod(0o755)
        environ["PATH"] = f"{home}/bin:/usr/bin:/bin"
        environ["HOST_SPACK"] = str(spack.host.prefix / "spack")
        places = {
            "{clone}": str(clone),
            "{configuration}": str(spack.configuration),
            "{extension}": str(TOP / "spack-pyvarium"),
            "{home}": str(home),
            "{python}": sys.executable,
            "{root}": str(spack.root),
            "{site}": str(mine.host.prefix / "spack"),
        }
        mapped = {**MAPPED, **scenario.mapped}
        for name, place in mapped.items():
            for key, value in places.items():
                place = place.replace(key, value)
            mapped[name] = place
        return Reader(mine, home, environ, {**places, **mapped})

    with index, with_recipes:
        yield make


def _fresh(spack: Spack, clone: Path, site: Path) -> Spack:
    """A clone of Spack that knows nothing of us, and a clone of us beside it."""
    ignored = shutil.ignore_patterns("__pycache__", "libraries", ".cache", ".git", ".quickstart")
    origin = clone.with_name("origin")
    shutil.copytree(TOP, origin, symlinks=True, ignore=ignored)
    author = ("-c", "user.name=reader", "-c", "user.email=reader@example.org")
    for words in (
        ("init", "--quiet", "--initial-branch=main", origin),
        ("-C", origin, "add", "--all"),
        ("-C", origin, *author, "commit", "--quiet", "--message=All"),
        ("clone", "--quiet", origin, clone),
        ("clone", "--quiet", spack.host.prefix / "spack", site / "spack"),
    ):
        subprocess.run(["git", *map(str, words)], check=True, stderr=subprocess.DEVNULL)
    for name in ("include.yaml", "pyvarium.yaml"):
        (spack.configuration / name).unlink(missing_ok=True)
    return replace(spack, host=replace(spack.host, prefix=site))


def _add_stubs(spack: Spack, repo: Path, specs: Tuple[str, ...]) -> None:
    write(repo / "repo.yaml", "repo:\n  namespace: stubs\n")
    for spec in specs:
        name, version = spec.split("@")
        project = name[len("py-") :]
        words = "".join(word.capitalize() for word in name.split("-"))
        text = STUB.format(name=words, project=project, version=version)
        write(repo / "packages" / name / "package.py", text)
    spack("repo", "add", "--scope", "user", repo)


def pattern(line: str) -> str:
    """A line that a document shows, with what may be another one tomorrow left open."""
    text = re.escape(line)
    for wild, by in WILD:
        text = re.sub(wild.replace(r"\.", r"\\\."), by, text)
    return text


def not_printed(shown: Tuple[str, ...], printed: str) -> List[str]:
    """The lines that a document shows and a command has not printed, in their order."""
    lines = iter(printed.splitlines())
    return [
        line
        for line in filter(None, shown)
        if not any(re.fullmatch(pattern(line), one.rstrip()) for one in lines)
    ]


@pytest.mark.usefixtures("on_one_spack")
@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda one: one.name)
def test_session(scenario: Scenario, reader: Callable[[Scenario], Reader], tmp_path: Path) -> None:
    somebody = reader(scenario)
    for command, difference, printed in somebody.does(scenario, tmp_path / "run"):
        assert difference == 0, f"{command}: fails:\n{printed}"
        shown = tuple(somebody.here(line).rstrip() for line in command.shown)
        assert not_printed(shown, printed) == [], f"{command}: prints:\n{printed}"
