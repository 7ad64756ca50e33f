# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A Spack of one's own: cloned at a pinned release with matching package recipes, set apart from
the user's and the site's configuration.

Everything lies under one prefix, which can be deleted as a whole; only a shared ``source_cache``
may lie elsewhere. Not done here: installing specs, and keeping two calls for one prefix apart.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional, Sequence, Tuple

from .errors import PyvariumError
from .files import read_optional, write_atomically

SPACK_URL = "https://github.com/spack/spack.git"
RECIPES_URL = "https://github.com/spack/spack-packages.git"

#: Spack release -> release of the recipes that it was tried with; None where they are inside.
RELEASES: Mapping[str, Optional[str]] = {
    "v0.23.1": None,
    "v1.0.2": "v2025.07.0",
    "v1.1.0": "v2025.11.0",
    "develop": "v2025.11.0",
}

DEFAULT_RELEASE = "v1.1.0"

#: Build tools to take from the machine, as far as Spack finds them there. To build them would be
#: most of the work of a first installation, and no Python distribution is the better for it.
EXTERNALS: Tuple[str, ...] = (
    *("autoconf", "automake", "bison", "cmake", "coreutils", "diffutils", "findutils", "flex"),
    *("gawk", "git", "gmake", "libtool", "m4", "ninja", "perl", "pkgconf", "sed", "tar"),
)

# Answers what Spack's recipe of python would find out, but about one given interpreter and the
# one below its venv. Spack itself searches directories, and there meets other versions, and the
# scripts by which version managers stand in for them.
_PROBE = """
import importlib, json, os, platform, sys, sysconfig
found = {}
for module in "bz2 ctypes dbm lzma readline sqlite3 ssl tkinter uuid zlib".split():
    try:
        importlib.import_module(module)
        found[module] = "+"
    except ImportError:
        found[module] = "~"
found["pythoncmd"] = "+" if os.path.exists(sys.base_prefix + "/bin/python") else "~"
json.dump({
    "executable": getattr(sys, "_base_executable", sys.executable),
    "version": platform.python_version(),
    "prefix": sys.base_prefix,
    "variants": "".join(found[name] + name for name in sorted(found)),
    "headers": os.path.exists(os.path.join(sysconfig.get_config_var("INCLUDEPY"), "Python.h")),
}, sys.stdout)
"""

Report = Callable[[str], None]


class HostError(PyvariumError):
    """A Spack cannot be prepared."""


@dataclass(frozen=True)
class Host:
    """A prepared Spack."""

    prefix: Path
    #: The wrapper ``bin/spack``, which sets ``environ`` by itself.
    spack: Path
    #: The interpreter that runs Spack.
    python: Path
    #: What to add to the environment variables where Spack is started without the wrapper.
    environ: Mapping[str, str]


@dataclass(frozen=True)
class Interpreter:
    """A Python that is not a venv, in the terms of Spack's recipe of it."""

    executable: str
    version: str
    prefix: str
    variants: str
    headers: bool


@dataclass(frozen=True)
class Preparation:
    """What a prefix is made from; kept there as ``host.json``."""

    #: The release that was cloned, or the path of the Spack whose code is used.
    origin: str
    #: The interpreter that the specs are for.
    python: str
    source_cache: str
    #: The interpreter that runs Spack; None until everything is in place.
    runner: Optional[str] = None


def prepare(
    prefix: Path,
    release: str = DEFAULT_RELEASE,
    *,
    spack_root: Optional[Path] = None,
    python: Optional[str] = None,
    source_cache: Optional[Path] = None,
    report: Report = lambda _: None,
) -> Host:
    """Make ``prefix`` a complete Spack; at once where it is one already.

    With ``spack_root`` the code of that Spack is used, without its settings and its store, and
    ``release`` is not looked at. ``python`` is the interpreter that the specs are for and that
    runs Spack, by default the running one. Several hosts may share one ``source_cache``. Later
    calls need not repeat these two. What a killed call left is used where it is whole. Raises
    HostError.
    """
    prefix = Path(os.path.realpath(prefix))
    origin = _checked_release(release) if spack_root is None else _checked_root(spack_root)
    earlier = _read_preparation(prefix)
    if earlier is None:
        _check_unused(prefix)
    sources = source_cache or (earlier.source_cache if earlier else prefix / "sources")
    wanted = Preparation(
        origin,
        probe(python or sys.executable).executable if python or not earlier else earlier.python,
        os.path.realpath(sources),
    )
    if earlier and wanted != replace(earlier, runner=None):
        made = f"{earlier.origin}, {earlier.python} and {earlier.source_cache}"
        raise HostError(f"{prefix}: was prepared with {made}; choose another path or remove it")
    if earlier and earlier.runner:
        return _host(prefix, earlier)

    _write_preparation(prefix, wanted)
    root = prefix / "spack"
    if spack_root is None:
        recipes = RELEASES[release]
        _clone(SPACK_URL, release, root, report)
    else:
        borrow(Path(origin), root)
        version = _run([wanted.python, "-B", root / "bin/spack", "--version"])
        recipes = RELEASES[nearest_release(version)]
    if recipes:
        _clone(RECIPES_URL, recipes, prefix / "packages", report)

    interpreter = probe(wanted.python)
    if not interpreter.headers:
        report(f"{interpreter.executable}: has no Python.h; extension modules will not compile")
    runner = _make_venv(interpreter, prefix / "python", report) or interpreter.executable
    complete = replace(wanted, runner=runner)
    host = _host(prefix, complete)
    files = render_configuration(prefix, wanted.source_cache, interpreter, _family(), recipes)
    for name, text in files.items():
        _write(prefix / "config" / name, text)
    _write(host.spack, render_wrapper(root / "bin/spack", host.environ))
    host.spack.chmod(0o755)

    report("looking for compilers and build tools")
    _run([host.spack, "compiler", "find", "--scope", "user"])
    _run([host.spack, "external", "find", "--scope", "user", *EXTERNALS])
    _write_preparation(prefix, complete)
    return host


def register(host: Host, root: Path) -> None:
    """Register the clone at ``root`` with a prepared Spack; raises HostError."""
    extension = json.dumps(str(root / "spack-pyvarium"))
    _run([host.spack, "-c", f"config:extensions:[{extension}]", "pyvarium", "setup"])


def nearest_release(version: str) -> str:
    """Return the release in the table to treat a Spack of this ``--version`` as."""
    major, minor = (int(number) for number in version.split(".")[:2])
    if major == 0:
        return "v0.23.1"
    return next((name for name in RELEASES if name.startswith(f"v{major}.{minor}.")), "develop")


def render_configuration(
    prefix: Path,
    source_cache: str,
    interpreter: Interpreter,
    family: str,
    recipes: Optional[str],
) -> Dict[str, str]:
    """Render the files of the one scope that ranks above Spack's defaults.

    ``family`` is the generic target, preferred so that the store and a lockfile serve other
    machines too; an environment may still ask for another one.
    """
    files = {
        "config.yaml": f"""\
config:
  install_tree:
    root: {_quoted(prefix / "store")}
  build_stage::
  - {_quoted(prefix / "stage")}
  test_stage: {_quoted(prefix / "test")}
  source_cache: {_quoted(source_cache)}
  misc_cache: {_quoted(prefix / "cache/misc")}
  environments_root: {_quoted(prefix / "environments")}
""",
        "modules.yaml": f"""\
modules:
  default:
    roots:
      tcl: {_quoted(prefix / "modules/tcl")}
      lmod: {_quoted(prefix / "modules/lmod")}
""",
        "packages.yaml": f"""\
packages:
  all:
    target: [{family}]
  python:
    buildable: false
    externals:
    - spec: {_quoted(f"python@{interpreter.version}{interpreter.variants}")}
      prefix: {_quoted(interpreter.prefix)}
""",
    }
    if recipes:
        directory = prefix / "packages/repos/spack_repo/builtin"
        files["repos.yaml"] = f"repos:\n  builtin: {_quoted(directory)}\n"
    return files


def render_wrapper(spack: Path, environ: Mapping[str, str]) -> str:
    """Render the script by which a user goes on with this Spack."""
    exports = "".join(f"export {key}={shlex.quote(environ[key])}\n" for key in sorted(environ))
    return f"""\
#!/bin/sh
# Written by spack-pyvarium: a Spack that neither reads nor writes the configuration of others.
unset SPACK_DISABLE_LOCAL_CONFIG
{exports}exec {shlex.quote(str(spack))} "$@"
"""


def _host(prefix: Path, preparation: Preparation) -> Host:
    assert preparation.runner is not None
    environ = {
        "SPACK_PYTHON": preparation.runner,
        "SPACK_SYSTEM_CONFIG_PATH": str(prefix / "no-system-config"),
        "SPACK_USER_CACHE_PATH": str(prefix / "cache"),
        "SPACK_USER_CONFIG_PATH": str(prefix / "config"),
    }
    if preparation.origin not in RELEASES:
        # The code is another's: not even bytecode is to be left there.
        environ["PYTHONDONTWRITEBYTECODE"] = "1"
    return Host(prefix, prefix / "bin/spack", Path(preparation.runner), environ)


def _checked_release(release: str) -> str:
    if release not in RELEASES:
        known = ", ".join(RELEASES)
        raise HostError(f"Spack {release}: is not known here; choose one of {known}")
    return release


def _checked_root(spack_root: Path) -> str:
    if not (spack_root / "bin/spack").is_file():
        raise HostError(f"{spack_root}: is not a Spack; give the directory that has bin/spack")
    return os.path.realpath(spack_root)


def _check_unused(prefix: Path) -> None:
    if re.search(r"[\s$%#?:'\"]", str(prefix)):
        # Spack substitutes in paths of its configuration, and its store stands in PATH and #!.
        raise HostError(f"{prefix}: has a character that Spack cannot handle; choose another path")
    if prefix.exists() and (not prefix.is_dir() or any(prefix.iterdir())):
        raise HostError(f"{prefix}: is there already, for something else; choose another path")


def _clone(url: str, ref: str, target: Path, report: Report) -> None:
    """Clone one branch or tag without history; whole or not at all."""
    if target.exists():
        return
    report(f"cloning {url} at {ref}")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _run(
        ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--depth", "1"]
        + ["--branch", ref, url, str(partial)]
    )
    partial.rename(target)


def borrow(spack_root: Path, target: Path) -> None:
    """Make a Spack of links to another one's code, with its own place for settings and state.

    Spack finds itself by the real path of ``bin/spack``, which therefore is a copy, and reads the
    site's configuration from ``etc/spack`` next to it.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(spack_root / "bin", target / "bin")
    for name in ("lib", "share", "etc/spack/defaults", "var/spack/repos", "var/spack/test_repos"):
        if (spack_root / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).symlink_to(spack_root / name)
    includes = spack_root / "etc/spack/include.yaml"  # Spack 1.1 names the user's scope in it.
    if includes.exists():
        shutil.copy(includes, target / "etc/spack")


def _make_venv(interpreter: Interpreter, target: Path, report: Report) -> Optional[str]:
    """Make a venv with clingo and return its interpreter, or None where that cannot be had."""
    python = target / "bin/python"
    try:
        _run([python, "-c", "import clingo"])
        return str(python)
    except HostError:
        report(f"making a venv of {interpreter.executable} with clingo")
    try:
        _run([interpreter.executable, "-m", "venv", "--clear", target])
        _run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            + ["--no-input", "--only-binary", ":all:", "clingo"]
        )
    except HostError as error:
        report(f"no venv, so that Spack will fetch clingo itself when it first needs it: {error}")
        shutil.rmtree(target, ignore_errors=True)
        return None
    return str(python)


def probe(python: str) -> Interpreter:
    try:
        return Interpreter(**json.loads(_run([python, "-"], stdin=_PROBE)))
    except ValueError:
        raise HostError(f"{python}: is not a Python; give the path of one") from None


def _family() -> str:
    machine = platform.machine()
    return {"arm64": "aarch64", "AMD64": "x86_64"}.get(machine, machine)


def _run(command: Sequence[object], stdin: str = "") -> str:
    """Run a command apart from whatever Spack and Python stack are active; return its stdout."""
    arguments = [str(argument) for argument in command]
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("SPACK_") and key not in ("PYTHONHOME", "PYTHONPATH")
    }
    environ["GIT_TERMINAL_PROMPT"] = "0"
    try:
        done = subprocess.run(arguments, env=environ, input=stdin, capture_output=True, text=True)
    except OSError as error:
        raise HostError(f"{arguments[0]}: {error.strerror}; install it or name another") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-3:] or [f"failed with status {done.returncode}"]
        reason = " / ".join(line.strip() for line in last)
        raise HostError(f"{shlex.join(arguments)}: {reason}; mend this and try again")
    return done.stdout


def _quoted(text: object) -> str:
    return json.dumps(str(text))  # A JSON string is a YAML string.


def _read_preparation(prefix: Path) -> Optional[Preparation]:
    text = read_optional(prefix / "host.json")
    try:
        return Preparation(**json.loads(text)) if text else None
    except (TypeError, ValueError) as error:
        raise HostError(f"{prefix}/host.json: {error}; remove {prefix}") from None


def _write_preparation(prefix: Path, preparation: Preparation) -> None:
    _write(prefix / "host.json", json.dumps(asdict(preparation), indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"{path.parent}: {error.strerror}; choose another path") from None
    write_atomically(path, text.encode(), expected=read_optional(path))
