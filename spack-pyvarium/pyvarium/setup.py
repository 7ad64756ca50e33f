# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Register spack-pyvarium with a Spack for good, show how it is registered, and undo it. Get what
it works with: the backends, and a Spack of one's own.

Only configuration is written, and only in the scope that was asked for: no file of Spack changes.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.metadata
import json
import os
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Tuple, TypeVar

import pyvarium

from . import host, libraries, log, registration, scopes, spack_api
from .errors import FileError, PyvariumError
from .files import FileChange
from .host import Host, HostError, Report
from .model import Backend
from .settings import AUTO_SYNC, Policy, tool_key

if TYPE_CHECKING:
    from .tools import Installation

DISTRIBUTION = "spack-pyvarium"


@dataclass(frozen=True)
class State:
    """How this Spack knows of us. ``hook`` tells whether automatic sync is on in this process.

    ``registrations`` are the top levels that the scopes name, of this clone or another.
    ``problems`` are what an admin has to mend, each a line with the remedy.
    """

    version: str
    spack: str
    python: str
    root: str
    distribution: Optional[str]
    scopes: Tuple[str, ...]
    registrations: Dict[str, Tuple[str, ...]]
    command: bool
    hook: bool
    repository: bool
    templates: bool
    libraries: Dict[str, Optional[str]]
    policy: Optional[str]
    policy_origin: Optional[str]
    policy_forced: bool
    auto_sync_paths: Optional[Tuple[str, ...]]
    quiet: Optional[bool]
    log: Optional[str]
    problems: Tuple[str, ...]

    def as_json(self) -> Dict[str, Any]:
        answer = {key.replace("_", "-"): value for key, value in asdict(self).items()}
        return {**answer, "ok": not self.problems}


#: The entry of ``include.yaml`` that registers everything below a top level.
#:
#: Its ``when`` is Python that Spack evaluates (``spack.spec.eval_conditional``), for questions on
#: the host. To run a registration in it is a use that Spack did not foresee, but the only way to a
#: hook where nothing can be installed into the Python that runs Spack. No failure gets out of it,
#: for it would be one of every Spack command: not that the clone was removed, nor that a merge
#: left it broken.
ENTRY = """\
- path: {scope}
  optional: true
  when: |-
    exec(r'''
    import os, sys
    extension = {extension}
    if os.path.isdir(extension):
        sys.path.append(extension)
        try:
            from pyvarium.registration import register
            register()
        except Exception as error:
            sys.stderr.write("==> Warning: pyvarium: %s; mend %s\\n" % (error, extension))
    ''') or True
"""


def include_entry(root: Path) -> str:
    """Render the entry; raises PyvariumError for a path that Spack would read as another one."""
    extension = root / "spack-pyvarium"
    if not str(root).isprintable() or re.search(r"[$%#?]|'''", str(root)):
        raise PyvariumError(f"{root}: cannot stand in Spack's configuration; move the clone")
    scope, path = (
        json.dumps(str(one), ensure_ascii=False) for one in (extension / "scope", extension)
    )  # Such a string is also one of YAML and one of Python.
    return ENTRY.format(scope=scope, extension=path)


def is_ours(entry: str) -> bool:
    """Whether an entry of ``include.yaml`` is one that this or an earlier ``setup`` wrote."""
    return "pyvarium.registration" in entry


#: Whether an entry of ``pyvarium.yaml`` is a policy, which ``setup`` may have written.
is_policy = scopes.is_any(scopes.is_key(AUTO_SYNC), scopes.is_key(f"{AUTO_SYNC}:"))

#: The directory that an entry of ``include.yaml`` adds to where Python looks for us.
_EXTENSION = re.compile(r"^ *extension = (\".*\")$", re.MULTILINE)

Found = TypeVar("Found")


def state() -> State:
    """Look at the running Spack."""
    problems: List[str] = []
    root = Path(pyvarium.root())
    extension = root / "spack-pyvarium"

    def ask(question: Callable[[], Found]) -> Optional[Found]:
        try:
            return question()
        except PyvariumError as error:
            problems.append(str(error))
            return None

    policy = ask(spack_api.policy)
    paths = ask(spack_api.paths)
    quiet = ask(spack_api.quiet)
    file = ask(spack_api.log)
    registrations = ask(_registrations) or {}
    missing = libraries.missing()  # Looks beside the clone too.
    distribution = _distribution()
    known = {
        "command": _is_in(extension, spack_api.extension_paths()),
        "hook": registration.is_registered(),
        "repository": _is_in(root, spack_api.repository_roots()),
        "templates": _is_in(extension / "templates", spack_api.template_directories()),
    }

    if distribution is None and not registrations:
        if policy is None or policy.value is not Policy.OFF:
            problems.append("automatic sync: is not registered; run 'spack pyvarium setup'")
    else:
        absent = [name for name, there in known.items() if not there]
        problems += (f"{name}: is registered, but not there; run setup again" for name in absent)
    for scope, roots in registrations.items():
        for one in roots:
            if not Path(one, "spack-pyvarium").is_dir():
                problems.append(
                    f"scope {scope}: registers {one}, which is gone; run 'spack pyvarium setup"
                    f" --scope {scope}' to name {root}, or add --remove"
                )
    if missing:
        problems.append(f"{', '.join(missing)}: missing; run 'spack pyvarium setup'")
    for backend in Backend:
        tool = spack_api.configured_tool(backend)
        if tool is not None and not os.access(tool.value, os.X_OK):
            problems.append(
                f"{tool.value}: cannot be run; mend {tool_key(backend)} in {tool.origin}"
            )
    fault = log.fault(file.value) if file else None
    if file is not None and fault is not None:
        problems.append(f"{fault}; make it writable, or mend log in {file.origin}")

    return State(
        version=pyvarium.__version__,
        spack=spack_api.version(),
        python=sys.executable,
        root=str(root),
        distribution=distribution,
        scopes=tuple(registrations),
        registrations=registrations,
        libraries={name: _version(name) for name in libraries.NAMES},
        policy=policy.value.value if policy else None,
        policy_origin=policy.origin if policy else None,
        policy_forced=policy is not None and policy.forced,
        auto_sync_paths=paths.value if paths else None,
        quiet=quiet.value if quiet else None,
        log=str(file.value) if file else None,
        problems=tuple(problems),
        **known,
    )


def register(
    scope: str, policy: Optional[Policy], source: Optional[Path] = None, *, force: bool = False
) -> Iterator[str]:
    """Write what registers us into a scope; yields what was done. Raises PyvariumError.

    ``force`` makes the policy one that no higher scope, project or user changes. The libraries
    come from the package index, or from ``source``, a directory of wheels.
    """
    root = Path(pyvarium.root())
    setting = _setting(scope, policy, force)
    include = None
    if _distribution() is not None:
        yield "Spack's Python has the distribution installed, which registers itself"
    elif not spack_api.has_includes():
        raise PyvariumError(
            f"Spack {spack_api.version()}: has no include.yaml to register in;"
            f" install the distribution: {sys.executable} -m pip install {root}"
        )
    else:
        include = scopes.changed(
            spack_api.section_file(scope, "include"), include_entry(root), is_ours
        )
    if libraries.missing():
        libraries.install(libraries.DIRECTORY, source=source)
        libraries.require()
        yield f"{libraries.DIRECTORY}: {', '.join(libraries.NAMES)} installed"
    if include is not None and include.write():
        yield f"{include.path}: registered"
    if setting is not None and setting.write():
        yield f"{setting.path}: auto-sync {'forced' if force else 'set'}"
    unreadable = _unreadable(scope, root)
    if unreadable is not None:
        yield f"warning: {unreadable}"


def unregister(scope: Optional[str]) -> Iterator[str]:
    """Undo what ``register`` and ``install_tool`` wrote, in one scope or in all; yields what was
    done. The programs themselves stay.

    Raises PyvariumError at the end if something had to be left.
    """
    left: List[PyvariumError] = []
    for name in spack_api.scopes() if scope is None else (scope,):
        for what, plan in _removals(name):
            try:
                change = plan()
                if change.write():
                    yield f"{change.path}: {what} removed"
                if change and change.after is None:
                    with contextlib.suppress(OSError):
                        change.path.parent.rmdir()  # If nothing else is in it.
            except PyvariumError as error:
                left.append(error)
    if libraries.DIRECTORY.is_dir() and not _registrations():
        try:
            shutil.rmtree(libraries.DIRECTORY)
            yield f"{libraries.DIRECTORY}: removed"
        except OSError as error:
            left.append(FileError(f"{libraries.DIRECTORY}: {error.strerror}; remove it"))
    if _distribution() is not None:
        yield f"left: remove it by {sys.executable} -m pip uninstall {DISTRIBUTION}"
    if left:
        raise left[0]


def install_tool(
    backend: Backend,
    prefix: Path,
    scope: str,
    *,
    version: Optional[str],
    python: Optional[str],
    report: Report,
) -> Tuple[Installation, FileChange]:
    """Install a backend and name its program in a scope; raises PyvariumError."""
    from . import tools  # Needs the libraries, which ``register`` is there to bring.

    path, key = str(tools.program(backend, prefix)), tool_key(backend)
    if not path.isprintable() or spack_api.canonicalize_path(path) != path:
        raise PyvariumError(
            f"{prefix}: cannot stand in Spack's configuration; choose another path"
        )
    scopes.with_setting(scope, key, path)  # If the scope will not do, this is the time to say so.
    installation = tools.install(backend, prefix, version=version, python=python, report=report)
    change = scopes.with_setting(scope, key, path)
    change.write()
    return installation, change


def prepare_spack(
    prefix: Path, release: Optional[str], python: Optional[str], report: Report
) -> Tuple[Host, bool]:
    """Prepare a Spack of its own and register with it; returns whether the latter was possible."""
    made = host.prepare(prefix, release or host.DEFAULT_RELEASE, python=python, report=report)
    root = Path(pyvarium.root())
    if not (root / "spack-pyvarium" / "pyvarium" / "registration.py").exists():
        report(f"not registered: run {made.python} -m pip install {DISTRIBUTION}")
        return made, False
    try:
        report("registering spack-pyvarium")
        host.register(made, root)
    except HostError as error:
        report(f"not registered: {error}")
        return made, False
    return made, True


def _removals(scope: str) -> Iterator[Tuple[str, Callable[[], FileChange]]]:
    """What takes out of a scope all that is ours, each with its name; raise PyvariumError."""
    ours = [("include", is_ours)] if spack_api.has_includes() else []
    for section, is_one in [*ours, (spack_api.SECTION, is_policy)]:
        yield "entry", functools.partial(_without, scope, section, is_one)
    for backend in Backend:
        key = tool_key(backend)
        setting = spack_api.configured(key, scope)
        if setting is not None and _is_installed(backend, str(setting.value)):
            yield key, functools.partial(scopes.with_setting, scope, key, None)


def _without(scope: str, section: str, ours: scopes.Ours) -> FileChange:
    return scopes.changed(spack_api.section_file(scope, section), "", ours)


def _is_installed(backend: Backend, path: str) -> bool:
    """Whether a program is one that ``install_tool`` installed; others are the user's to name."""
    if libraries.missing():
        return False
    from . import tools

    return tools.is_installed(backend, Path(path))


def _unreadable(scope: str, root: Path) -> Optional[str]:
    """Say what of the clone those cannot read who read a scope; None if they can all of it."""
    file = spack_api.section_file(scope, spack_api.SECTION)
    if not file.shared:
        return None
    there = next(one for one in file.path.parents if one.is_dir())
    if not _readers(there) & ~_readers(Path(pyvarium.__file__)):
        return None
    return (
        f"{root}: cannot be read by all who read {there}; run 'chmod -R go+rX {root}', or move it"
        " to where they can"
    )


def _readers(path: Path) -> int:
    """Whether a group (0o040) and others (0o004) come as far as a path and can read it."""
    modes = [path.stat().st_mode, *(one.stat().st_mode << 2 for one in path.parents)]
    return functools.reduce(int.__and__, modes, 0o044)


def _setting(scope: str, policy: Optional[Policy], force: bool) -> Optional[FileChange]:
    """Plan to set a policy; where many share a scope, one that surprises nobody of them."""
    if policy is None:
        file = spack_api.section_file(scope, spack_api.SECTION)
        there = any(map(is_policy, scopes.entries(file)))
        if scope.startswith(("user", "env:")) or there:
            return None
        policy = Policy.OPTED_IN
    return scopes.with_setting(scope, AUTO_SYNC, policy.value, force=force)


def _registrations() -> Dict[str, Tuple[str, ...]]:
    """The top levels that each scope registers, where one does."""
    if not spack_api.has_includes():
        return {}
    found = {}
    for name in spack_api.scopes():
        file = spack_api.section_file(name, "include")
        roots = tuple(_root_of(one) for one in scopes.entries(file) if is_ours(one))
        if roots:
            found[name] = roots
    return found


def _distribution() -> Optional[str]:
    """The version of the distribution that Spack's Python has, and that registers itself."""
    return _version(DISTRIBUTION)


def _root_of(entry: str) -> str:
    """The top level that an entry of ours registers."""
    include = ast.literal_eval(entry)
    match = _EXTENSION.search(str(include.get("when")))
    return os.path.dirname(json.loads(match[1]) if match else str(include.get("path")))


def _is_in(path: Path, paths: Tuple[Path, ...]) -> bool:
    return path.is_dir() and any(one.exists() and one.samefile(path) for one in paths)


def _version(name: str) -> Optional[str]:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
