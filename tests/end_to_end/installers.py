# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Real installers, each of one release and with nobody's configuration, and what they do to a
layer.

An installer comes from the package index once, into a venv of its own. Whatever it does after
that, it does with the index of the tests.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple

from index import Release
from spacks import TOP, Done, Environment, NewEnvironment, Spack, distributions, python_of

from pyvarium import umbrella

#: The newest releases that were tried, and the oldest that are supported.
NEWEST = ("uv==0.13.8", "poetry==2.5.1", "pdm==2.29.3", "pip==26.3")
OLDEST = ("uv==0.6.17", "poetry==2.2.0", "pdm==2.20.1", "pip==25.1")

#: What Spack provides, and the part of it that is on the index, with other dependencies or none.
SPECS = ("py-localized", "py-site-only", "py-tensors")
SPECS_ON_INDEX = ("py-clicker", "py-tensors")
#: What the index has: of the provided projects other releases and another idea of what they need,
#: and projects that need them.
RELEASES = (
    Release("facets", "24.2.0"),
    Release("facets", "25.3.0"),
    Release("facets", "26.1.0"),
    *(
        Release("Clicker", version, ("facets>=24",), scripts={"clicker": "clicker:main"})
        for version in ("8.1.8", "8.3.0")
    ),
    Release("localized", "1.0"),
    Release("localized", "2.0"),
    *(
        Release("tensors", version, ("facets>=24", "tensors-cuda==12.8", "tensors-triton"))
        for version in ("2.9.0", "2.10.0")
    ),
    Release("tensors-cuda", "12.8"),
    Release("tensors-triton", "3.5"),
    Release("plain", "1.0"),
    Release("plain", "1.1"),
    Release("webby", "2.0", ("Clicker>=8", "plain"), scripts={"webby": "webby:main"}),
    Release("rich-clicker", "1.9", ("clicker>=8", "facets>=24")),
    Release("cfacets", "24.1.0", ("facets>=23",)),
    Release("cfacets", "25.2.0", ("facets>=25.1",)),
    Release("cfacets", "26.2.0", ("facets>=25.4",)),
    Release("trainer", "1.0", ("tensors>=2",)),
    Release("site-addon", "1.0", ("site-only>=0.3",)),
    Release("local-addon", "1.0", ("localized>=1.0",)),
)

#: What a user of each tool does, in the tool's own words. ``spack`` acts on the environment.
OPERATIONS: Mapping[str, Mapping[str, Tuple[str, ...]]] = {
    "uv": {
        "lock": ("uv lock",),
        "install": ("uv sync --inexact",),
        "sync": ("uv sync",),
        "add": ("uv add rich-clicker",),
        "update": ("uv sync --upgrade",),
        "remove": ("uv remove webby",),
        "reinstall": ("uv sync --reinstall",),
        # Of itself uv takes another python, since that of a view is in a venv.
        "recreate": ("uv venv --python .spack-env/view/bin/python3", "uv sync"),
        "run": ("uv run python -c pass",),
        "upgrade": ("uv pip install --upgrade clicker",),
    },
    "poetry": {
        "lock": ("poetry lock",),
        "install": ("poetry install",),
        "sync": ("poetry sync",),
        "add": ("poetry add rich-clicker",),
        "update": ("poetry update",),
        "remove": ("poetry remove webby",),
        "reinstall": ("poetry sync --only main", "poetry sync"),
        "recreate": ("poetry env remove --all", "poetry install"),
        "run": ("poetry run python -c pass",),
        "upgrade": ("poetry add clicker@latest",),
    },
    "pdm": {
        "lock": ("pdm lock",),
        "install": ("pdm install",),
        "sync": ("pdm sync --clean",),
        "add": ("pdm add rich-clicker",),
        "update": ("pdm update",),
        "remove": ("pdm remove webby",),
        "reinstall": ("pdm sync --reinstall",),
        "recreate": ("pdm venv remove --yes in-project", "pdm install"),
        "run": ("pdm run python -c pass",),
        "upgrade": ("pdm add clicker>=8.2",),
    },
    "pip": {
        "lock": ("pip lock --output pylock.toml webby",),
        "install": ("pip install --group spack webby",),
        "sync": ("pip install --upgrade webby",),
        "add": ("pip install rich-clicker",),
        "update": ("pip install --upgrade --upgrade-strategy eager webby",),
        "remove": ("pip uninstall --yes webby",),
        "reinstall": ("pip install --force-reinstall webby",),
        "recreate": ("rm -r .venv", "spack pyvarium sync", "pip install webby"),
        "run": (".venv/bin/python -c pass",),
        "upgrade": ("pip install --upgrade clicker",),
    },
}
#: The operations whose last word is a project, which may be another one.
OF_A_PROJECT = ("add", "remove")
#: What a user may ask for, of what is provided and of what is on the index only.
PROJECTS = (
    *("Clicker", "facets", "localized", "site-only", "tensors"),
    *("cfacets", "local-addon", "plain", "rich-clicker", "site-addon", "trainer", "webby"),
)
#: What a tool exits with an error from, since it would have to replace what is provided.
REFUSED: Mapping[Tuple[str, str], FrozenSet[str]] = {
    ("bound", "poetry"): frozenset(("upgrade",)),
    ("bound", "pdm"): frozenset(("upgrade",)),
    ("portable", "poetry"): frozenset(("reinstall", "upgrade")),
    ("portable", "pdm"): frozenset(("upgrade",)),
    ("portable", "pip"): frozenset(("reinstall",)),
}
#: The operations after which a layer does not hold in portable mode: from the index alone a venv
#: is made anew with all that its lock names.
COPYING: Mapping[str, FrozenSet[str]] = {
    "uv": frozenset(("reinstall", "recreate")),
    "poetry": frozenset(("recreate",)),
    "pdm": frozenset(("reinstall", "recreate")),
    "pip": frozenset(),
}

#: The project that the operations act on.
PROJECT = """\
[project]
name = "analysis"
version = "0.1"
requires-python = "=={python}.*"
dependencies = ["webby"]
"""
#: What a tool wants to be told besides: no package of its own, and Poetry its index by file.
OWN_WORDS = {
    "poetry": """
[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "loopback"
url = "{index}"
priority = "primary"
""",
    "pdm": """
[tool.pdm]
distribution = false
""",
}

#: What is read by us.
SETTINGS = """
[tool.pyvarium]
backend = "{backend}"
mode = "{mode}"
"""

_IMPORTED = """
import importlib, importlib.metadata, json, os, sys
found = {}
for name in sys.argv[1:]:
    try:
        file = os.path.realpath(importlib.import_module(name.replace("-", "_")).__file__)
        found[name] = [file, importlib.metadata.version(name)]
    except ImportError as error:
        found[name] = [str(error), ""]
json.dump(found, sys.stdout)
"""


class NoInstallerError(Exception):
    """An installer is not here and cannot be had."""


@dataclass(frozen=True)
class Installer:
    """A tool of one release."""

    tool: str
    version: str
    #: The interpreter of the venv that it is installed in.
    python: Path
    environ: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.tool}-{self.version}"

    def __call__(
        self, environment: Environment, *commands: str, spack: Optional[Spack] = None
    ) -> Done:
        """Run commands in an environment until one of them fails."""
        done = Done(0, "", "")
        for command in commands:
            tool, *arguments = command.split()
            if tool == "spack" and spack is not None:
                done = spack("-D", environment.path, *arguments)
            else:
                done = self._run(environment, [*self._start(environment, tool), *arguments])
            if done.code:
                break
        return done

    def _start(self, environment: Environment, tool: str) -> List[str]:
        if tool == "pip":
            venv = environment.path / ".venv/bin/python"
            return [str(self.python), "-m", "pip", "--python", str(venv)]
        if tool == "spack":  # The same without Spack, which takes seconds to start.
            library = f"PYTHONPATH={TOP / 'spack-pyvarium'}"
            return ["env", library, sys.executable, "-m"]
        return [str(self.python.parent / tool)] if tool == self.tool else [tool]

    def _run(self, environment: Environment, command: List[str]) -> Done:
        path = f"{environment.view / 'bin'}:/usr/bin:/bin"
        done = subprocess.run(
            command,
            cwd=environment.path,
            env={**self.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def had(tools: Path, requirement: str, report: Callable[[str], None]) -> Path:
    """Install ``name==version`` where it is missing; return the interpreter that has it."""
    name, version = requirement.split("==")
    prefix = tools / f"{name}-{version}"
    python = prefix / "bin" / "python"
    tools.mkdir(parents=True, exist_ok=True)
    with (tools / f".{prefix.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # The Spacks are tested side by side.
        if not (prefix / "ready").exists():
            report(f"installing {requirement}")
            # Of PDM's own dependencies newer releases break it; it states those that it was
            # tested with.
            words = f"pdm[locked]=={version}" if name == "pdm" else requirement
            for command in (
                [sys.executable, "-m", "venv", "--clear", str(prefix)],
                [str(python), "-m", "pip", "install", "--quiet", words],
            ):
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    last = done.stderr.strip().splitlines()[-1:]
                    raise NoInstallerError(f"no {requirement} here: {' '.join(last)}")
            (prefix / "ready").touch()
    return python


def environ_for(home: Path, index: str) -> Dict[str, str]:
    """The environment variables of somebody who has set nothing but the index."""
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "XDG_CONFIG_DIRS": str(home / "none"),
        # Whoever asks another server than the index finds nobody there.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "PDM_CHECK_UPDATE": "0",
        "PDM_PYPI_URL": index,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_INDEX_URL": index,
        "PIP_NO_INPUT": "1",
        "UV_DEFAULT_INDEX": index,
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_VENV_CLEAR": "1",
    }


@dataclass(frozen=True)
class State:
    """What is wrong with a layer; all empty where it holds."""

    #: Code in the venv of what Spack provides.
    copies: Tuple[str, ...] = ()
    #: Provided projects that are imported from elsewhere, or with another version.
    astray: Tuple[str, ...] = ()
    #: What ``pip check`` says.
    inconsistent: Tuple[str, ...] = ()
    #: What was changed in the store and the view.
    written: Tuple[str, ...] = ()


HOLDS = State()


@dataclass(frozen=True)
class Layer:
    """An environment to look at, and how its store and view were before."""

    environment: Environment
    pip: Installer
    provided: Mapping[str, str]
    before: Mapping[str, str]
    roots: Tuple[Path, ...]

    @classmethod
    def of(cls, environment: Environment, pip: Installer, *stores: Path) -> Layer:
        roots = (*stores, Path(os.path.realpath(environment.view)))
        return cls(environment, pip, environment.importable, checksums(*roots), roots)

    def look(self, *, with_pip: bool = True) -> State:
        now = checksums(*self.roots)
        return State(
            copies=tuple(copies(self.environment)),
            astray=tuple(self._astray()),
            inconsistent=tuple(self._inconsistent()) if with_pip else (),
            written=tuple(
                path
                for path in sorted({*now, *self.before})
                if now.get(path) != self.before.get(path)
            ),
        )

    @property
    def upper(self) -> Tuple[str, ...]:
        """The projects that an installer has put into the venv, apart from what is provided."""
        found = distributions(self.environment.path / ".venv")
        ours = {*self.provided, umbrella.NAME}
        return tuple(sorted({*found} - ours - {"pip", "setuptools"}))

    def _astray(self) -> List[str]:
        python = self.environment.path / ".venv/bin/python"
        if not python.exists():
            return ["there is no .venv"]
        # -I: neither the working directory nor PYTHONPATH.
        command = [str(python), "-I", "-c", _IMPORTED, *self.provided]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found: Dict[str, Tuple[str, str]] = json.loads(done.stdout)
        stores = tuple(str(root.resolve()) + os.sep for root in self.roots[:-1])
        return [
            f"{name} {version}: {file}"
            for name, (file, version) in found.items()
            if not file.startswith(stores) or version != self.provided[name]
        ]

    def _inconsistent(self) -> List[str]:
        done = self.pip(self.environment, "pip check")
        return done.out.splitlines() + done.err.splitlines() if done.code else []


def copies(environment: Environment) -> List[str]:
    """Find code in the venv that the view has too, by import name."""

    def code(prefix: Path) -> Dict[str, Path]:
        found = sorted(prefix.glob("lib/python3*/site-packages/*"))
        # A name with a hyphen is metadata; what begins with an underscore is the layer itself.
        return {one.stem: one for one in found if "-" not in one.name and one.name[0] != "_"}

    provided = code(environment.view)
    return [name for name in code(environment.path / ".venv") if name in provided]


def checksums(*roots: Path) -> Dict[str, str]:
    """What every file is made of, and where every link points to; not Spack's own bookkeeping."""
    found = {}
    for root in roots:
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if name not in (".spack-db", ".spack")]
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    found[path] = os.readlink(path)
                elif name in files:
                    status = os.stat(path)
                    times = (status.st_mtime_ns, status.st_ctime_ns)
                    found[path] = _checksum(path, (status.st_ino, status.st_size, *times))
    return found


@functools.cache
def _checksum(path: str, _status: Tuple[int, ...]) -> str:
    """Of a file that changes, the kernel changes the status too."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def read_again() -> None:
    """Have the next checksums be made from all files, whatever their status."""
    _checksum.cache_clear()


def upper_after(tool: str, mode: str, operation: str = "install") -> Tuple[str, ...]:
    """The projects that stand in the venv besides the provided ones after an operation."""
    found = {"plain", "webby"}
    if operation == "add":
        found |= {"rich-clicker"}
    if operation == "remove":
        found -= {"webby"} if tool == "pip" else {"plain", "webby"}
    if mode == "portable" and tool != "pip":  # A lock from the index knows only its metadata.
        found |= {"tensors-cuda", "tensors-triton"}
    return tuple(sorted(found))


def random_operations(tool: str, seed: int, length: int = 10) -> Iterator[Tuple[str, ...]]:
    """Draw operations, always the same for one seed."""
    chance = random.Random(f"{tool} {seed}")
    asked = ["webby"]
    for _ in range(length):
        operation = chance.choice([*OPERATIONS[tool], "add", "add", "add", "remove"])
        commands = OPERATIONS[tool][operation]
        if operation in OF_A_PROJECT:
            [command] = commands
            project = chance.choice(PROJECTS if operation == "add" else asked)
            if operation == "add":
                asked.append(project)
            commands = (f"{command.rpartition(' ')[0]} {project}",)
        yield commands


def layered(
    new_environment: NewEnvironment,
    spack: Spack,
    installer: Installer,
    mode: str = "bound",
    specs: Optional[Sequence[str]] = None,
    project: str = PROJECT,
    **options: str,
) -> Environment:
    """Make a layered environment, by nothing but what an installation does of itself."""
    own_words = OWN_WORDS.get(installer.tool, "") + SETTINGS
    text = (project + own_words).format(
        python=python_of(new_environment.recorded),
        index=installer.environ["PIP_INDEX_URL"],
        backend=installer.tool,
        mode=mode,
    )
    if specs is None:
        specs = SPECS if mode == "bound" else SPECS_ON_INDEX
    environment = new_environment(*specs, pyproject=text, **options)
    spack("-D", environment.path, "install")
    return environment


@contextlib.contextmanager
def put_back(environment: Environment) -> Iterator[None]:
    """Afterwards make an environment what it was, but for its view."""
    with tempfile.TemporaryDirectory() as directory:
        kept = Path(directory)
        for path in _parts(environment):
            _copy(path, kept / path.relative_to(environment.path))
        yield
        for path in _parts(environment):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for part in _parts(replace(environment, path=kept)):
            _copy(part, environment.path / part.relative_to(kept))


def _parts(environment: Environment) -> List[Path]:
    """What installers and we write: all but Spack's own, with our part of that."""
    parts = [path for path in environment.path.iterdir() if path.name != ".spack-env"]
    ours = environment.path / ".spack-env" / "pyvarium"
    return [*parts, ours] if ours.exists() else parts


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)
