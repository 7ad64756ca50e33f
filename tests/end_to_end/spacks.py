# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Real Spacks and their environments, as values that tests pass around."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import tomlkit
from packaging.utils import canonicalize_name

from pyvarium.host import Host

TOP = Path(__file__).resolve().parents[2]
#: Installed once, in a store that the tests see as an upstream.
UPSTREAM = (
    *("py-clicker", "py-idna@3.4", "py-localized", "py-site-only", "py-six@1.16.0"),
    "py-tensors",
)
#: What environments may ask for. Without a version: recipes of ``tests/repo``, without sources.
RECORDED = (
    *("py-external", "py-facets", "py-failing", "py-ply@3.11", "py-silent", "py-six@1.15.0"),
    *("py-tiny@1.0", "py-tiny@2.0", "py-waiting", "tiny-tool", *UPSTREAM),
)
#: Nothing here needs them; without them Spack (since 1.1) concretizes in 2 seconds, not in 20.
NOT_BUILT = """
    acfl aocc cce cuda fj intel-oneapi-compilers intel-oneapi-compilers-classic llvm llvm-amdgpu
    nvhpc xl binutils gmp guile isl mold mpc mpfr texinfo zip zlib zlib-ng zstd bzip2 expat gdbm
    gettext libffi libxcrypt ncurses openssl readline sqlite tcl tix tk util-linux-uuid xz
""".split()

EXTERNAL = """\
  py-external:
    buildable: false
    externals: [{spec: py-external@1.0, prefix: /usr}]
"""
#: The user's own text, to be kept to the byte.
PYPROJECT = """\
# A project of somebody's.
[project]
name = "analysis"   # do not rename
version = "0.1"
dependencies = [
    "rich>=13",  # from PyPI
]

[tool.black]
line-length = 99
"""
#: The requirements of all distributions on the path that are not met, with those of extras that
#: others ask for. Is run by the python that they are for.
UNMET = """
import importlib.metadata, json, sys
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
found = {}
for one in importlib.metadata.distributions():
    found.setdefault(canonicalize_name(one.metadata["Name"]), one)
waiting = [(name, "") for name in found]
seen, unmet = set(), []
while waiting:
    name, extra = waiting.pop()
    if (name, extra) in seen or name not in found:
        continue
    seen.add((name, extra))
    for requirement in map(Requirement, found[name].requires or ()):
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        other = found.get(canonicalize_name(requirement.name))
        if other is None or not requirement.specifier.contains(other.version, True):
            unmet.append(f"{name}[{extra}]: {requirement}: {other and other.version}")
        waiting += [(canonicalize_name(requirement.name), extra) for extra in requirement.extras]
print(json.dumps({"distributions": len(found), "unmet": sorted(unmet)}))
"""


@dataclass(frozen=True)
class Done:
    """How a Spack command ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> List[str]:
        """The lines that are ours."""
        ours = ("==> pyvarium: ", "==> Warning: pyvarium: ")
        return [line for line in self.err.splitlines() if line.startswith(ours)]


@dataclass(frozen=True)
class Spack:
    """A Spack of one release with its installer; ``root`` holds its configuration."""

    name: str
    host: Host
    root: Path
    store: Path
    environ: Mapping[str, str]
    #: The lockfile that holds all of ``RECORDED``.
    recorded: Mapping[str, Any] = field(default_factory=dict)
    #: What starts it: a command that changes the user, or looks on.
    prefix: Tuple[str, ...] = ()

    @property
    def release(self) -> str:
        return self.name.partition(":")[0]

    @property
    def installer(self) -> str:
        """The installer that was asked for, or empty for the default of the release."""
        return self.name.partition(":")[2]

    @property
    def links_directories(self) -> bool:
        """Whether a view has links to directories of the store, in which one could write."""
        return self.release not in ("v0.23.1", "v1.0.2", "v1.1.0")

    @property
    def configuration(self) -> Path:
        return self.root / "config"

    def command(self, *arguments: object) -> List[str]:
        return [*self.prefix, str(self.host.prefix / "spack/bin/spack"), *map(str, arguments)]

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start a command; the new installer wants a pipe, or a terminal, to read from."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environ,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            **options,
        )

    def __call__(self, *arguments: object, code: int = 0, timeout: float = 300) -> Done:
        """Run a command, which must exit with ``code``."""
        done = finish(self.start(*arguments), timeout)
        assert done.code == code, f"{arguments} exits with {done.code}\n{done.out}\n{done.err}"
        return done

    def with_environ(self, **environ: str) -> Spack:
        return replace(self, environ={**self.environ, **environ})

    def configure(self, section: str, text: str) -> None:
        """Write a section of the configuration in the user's scope."""
        write(self.configuration / f"{section}.yaml", text)


@dataclass(frozen=True)
class Environment:
    """The directory of a Spack environment."""

    path: Path

    @property
    def pyproject(self) -> Path:
        return self.path / "pyproject.toml"

    @property
    def view(self) -> Path:
        return self.path / ".spack-env" / "view"

    @property
    def text(self) -> str:
        return self.pyproject.read_text()

    @property
    def pins(self) -> Optional[Dict[str, str]]:
        """What pyproject.toml pins, by project; None where it has no group for Spack."""
        if not self.pyproject.exists():
            return None
        group = tomlkit.parse(self.text).unwrap().get("dependency-groups", {}).get("spack")
        return None if group is None else dict(pin.split("==") for pin in group)

    @property
    def importable(self) -> Dict[str, str]:
        """What the import system itself finds in the view."""
        return distributions(self.view)

    def says(self, message: str, warning: bool = False) -> str:
        """A line of ours about pyproject.toml."""
        return f"==> {'Warning: ' if warning else ''}pyvarium: {self.pyproject}: {message}"


@dataclass(frozen=True)
class NewEnvironment:
    """Makes environments with a part of what is recorded, as a clone of a repository has them."""

    parent: Path
    recorded: Mapping[str, Any]

    def __call__(
        self,
        *specs: str,
        name: str = "work",
        view: str = "true",
        unify: str = "true",
        pyproject: Optional[str] = PYPROJECT,
    ) -> Environment:
        path = self.parent / name
        text = f"spack:\n  specs: {json.dumps(specs)}\n  view: {view}\n"
        write(path / "spack.yaml", f"{text}  concretizer:\n    unify: {unify}\n")
        write(path / "spack.lock", json.dumps(part_of(self.recorded, specs)))
        if pyproject is not None:
            write(path / "pyproject.toml", pyproject)
        return Environment(path)


def distributions(prefix: Path) -> Dict[str, str]:
    """What the import system finds below a prefix."""
    paths = [str(path) for path in prefix.glob("lib*/python3*/site-packages")]
    found = importlib.metadata.distributions(path=paths)
    return {str(canonicalize_name(one.metadata["Name"])): one.version for one in found}


def python_of(lockfile: Mapping[str, Any]) -> str:
    """The feature release of the python that a lockfile has."""
    specs = lockfile["concrete_specs"].values()
    [version] = {spec["version"] for spec in specs if spec["name"] == "python"}
    return ".".join(version.split(".")[:2])


def part_of(lockfile: Mapping[str, Any], specs: Sequence[str]) -> Dict[str, Any]:
    """The lockfile of an environment that has only these roots."""
    roots = [root for root in lockfile["roots"] if root["spec"] in specs]
    assert len(roots) == len(specs), f"not recorded: {specs}"
    nodes: Dict[str, Any] = {}
    waiting = [root["hash"] for root in roots]
    while waiting:
        dag_hash = waiting.pop()
        nodes[dag_hash] = lockfile["concrete_specs"][dag_hash]
        waiting += [one["hash"] for one in nodes[dag_hash].get("dependencies", ())]
    return {**lockfile, "roots": roots, "concrete_specs": nodes}


def finish(process: subprocess.Popen[str], timeout: float = 300) -> Done:
    """Wait for a command to end."""
    out, err = process.communicate(timeout=timeout)
    return Done(process.returncode, out, err)


def environ_for(host: Host, root: Path) -> Dict[str, str]:
    """The environment variables, apart from any Spack that is active."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("SPACK_")}
    own.pop("PYTHONPATH", None)
    return {**own, **host.environ, "SPACK_USER_CONFIG_PATH": str(root / "config")}


def write_configuration(spack: Spack) -> None:
    host = spack.host.prefix
    if not spack.configuration.exists():
        shutil.copytree(host / "config", spack.configuration)
        packages = "".join(f"  {name}:\n    buildable: false\n" for name in NOT_BUILT)
        with (spack.configuration / "packages.yaml").open("a") as file:
            file.write(packages + EXTERNAL)
        if spack.release not in ("v0.23.1", "v1.0.2"):  # No analysis, and one that fails.
            spack.configure("concretizer", "concretizer:\n  static_analysis: true\n")
    installer = f"  installer: {spack.installer}\n" if spack.installer else ""
    spack.configure(
        "config",
        f"""\
config:
  install_tree:
    root: {spack.store}
  environments_root: {spack.root / "environments"}
  build_stage:: [{spack.root / "stage"}]
  source_cache: {host.parent / "sources"}
  misc_cache: {host / "cache/misc"}
{installer}""",
    )


def apart(prepared: Spack, root: Path) -> Spack:
    """A prepared Spack with a configuration and an empty store of its own."""
    spack = replace(prepared, root=root, store=root / "store")
    shutil.copytree(prepared.configuration, spack.configuration)
    write_configuration(spack)
    spack.configure("upstreams", f"upstreams:\n  host:\n    install_tree: {prepared.store}\n")
    return spack.with_environ(SPACK_USER_CONFIG_PATH=str(spack.configuration))


def register(spack: Spack) -> Spack:
    """Make us known to a Spack; one without ``include.yaml`` finds us as a distribution."""
    if spack.release != "v0.23.1":
        spack("-c", f"config:extensions:[{TOP / 'spack-pyvarium'}]", "pyvarium", "setup")
        return spack
    site = spack.root / "site-packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site), str(TOP)]
    subprocess.run(command, check=True)
    return spack.with_environ(PYTHONPATH=str(site))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def fill(path: Path) -> None:
    """Fill up the disk that a file is to be on."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def heed_interrupts() -> None:
    """A shell starts what runs in the background with interrupts ignored, and children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_reader(pipe: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a process reads a named pipe."""
    while process.poll() is None:
        with contextlib.suppress(OSError):  # Nobody reads it.
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            return
        time.sleep(0.01)
    raise AssertionError(f"the process ended before it read {pipe}: {finish(process)}")
