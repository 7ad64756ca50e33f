# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The life of an environment: create it, add to it, take away, lock, install.

Spack concretizes and installs its half, a sync brings the other in step with it, and the backend
locks and installs that one; each does its own work in a process of its own. What fails leaves the
files that it began with, or files that the same command can go on from, and says which.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from packaging.utils import canonicalize_name

from . import choice, files, locks, pyproject, spack_api, spack_recipes, tools
from .choice import Choice, Source
from .errors import FileError, PyvariumError
from .files import FileChange
from .installers import Installer, InstallerError, depends_on, group_with
from .lockfile import Lockfile, read_lockfile
from .markers import environment_of as markers_of
from .model import Backend, Environment, Inventory, Skipped
from .provided import provided_distributions
from .sync import Plan, choices, plan, sync
from .toml_text import parse, value_at, with_value

Report = Callable[[str], None]

#: By what each backend knows that a project is no distribution, to be built and installed itself.
_IS_PACKAGE: Mapping[Backend, Tuple[str, ...]] = {
    Backend.UV: ("tool", "uv", "package"),
    Backend.POETRY: ("tool", "poetry", "package-mode"),
    Backend.PDM: ("tool", "pdm", "distribution"),
}
_REQUIRES_PYTHON = ("project", "requires-python")


class SpackFailedError(PyvariumError):
    """A command of Spack's has failed, and has said why; what is left is added to this."""


@dataclass(frozen=True)
class Session:
    """What a command is called with: the options of Spack itself, processes for a build."""

    report: Report
    options: Sequence[str] = ()
    jobs: Optional[int] = None

    def spack(self, path: Path, *arguments: str) -> None:
        """Run a command of Spack's in an environment; raises PyvariumError where it fails."""
        words = " ".join(arguments)
        self.report(f"spack {words}")
        code = spack_api.run(self.options, path, *arguments)
        if code:
            raise SpackFailedError(
                f"{path / 'spack.yaml'}: 'spack {words}' ended with exit code {code}, for the"
                " reason above"
            )

    def spack_install(self, path: Path) -> None:
        options = (*self.options, *spack_api.install_options(path))
        words = ["install", *([f"-j{self.jobs}"] if self.jobs else [])]
        replace(self, options=options).spack(path, *words)


def install(path: Path, session: Session) -> Plan:
    """Bring both halves from their files to a working environment; returns what it is then."""
    environment = spack_api.read_environment(path)
    installer = _installer(environment, session)  # Better missed now than after hours of building.
    try:
        session.spack_install(path)
    except SpackFailedError as error:
        raise PyvariumError(
            f"{error}; mend this and run '{command_for(path, 'install')}'"
        ) from None
    return _finish(environment, installer, session)


def lock(environment: Environment, session: Session) -> Backend:
    """Bring the project in step, and lock what comes from the index against it."""
    unlocked = _not_concretized(environment)
    if unlocked:
        raise PyvariumError(f"{unlocked}; run '{command_for(environment.path, 'install')}'")
    installer = _installer(environment, session)
    _bound_python(environment, session)
    changes = sync(environment, spack_api.defaults())
    for one in changes.skipped:
        if one.fault:
            session.report(f"Warning: {one}")
    installer.lock()
    return installer.backend


def lock_differs(environment: Environment, session: Session) -> Optional[str]:
    """Say what is not locked as it is; None if nothing. Writes nothing."""
    unlocked = _not_concretized(environment)
    if unlocked:
        return unlocked
    if not environment.pyproject.exists():
        return f"{environment.pyproject}: does not exist"
    if plan(environment, spack_api.defaults()).pyproject:
        return f"{environment.pyproject}: is not made from this spack.lock"
    backend = chosen_backend(environment)
    if backend is None:
        return f"{environment.pyproject}: no backend is chosen that could lock"
    installer = Installer(environment, backend, find_tool(backend), session.report)
    if not installer.is_locked():
        path = locks.path_of(environment, backend)
        return f"{path}: is not made from this pyproject.toml"
    return None


def plan_addition(
    environment: Environment, requests: Sequence[str], forced: Optional[Source]
) -> Tuple[Choice, ...]:
    """Choose for each request; raises PyvariumError where one contradicts what is provided."""
    inventory = inventory_of(environment)
    chosen = choice.choose(
        dict.fromkeys(requests),
        spack_recipes.recipes(),
        inventory.provided,
        forced,
        markers_of(inventory.python),
    )
    refuse(chosen)
    return chosen


def add(environment: Environment, chosen: Sequence[Choice], session: Session) -> None:
    """Do what was chosen: Spack's half first, since the other is locked against it."""
    specs = [one.spec for one in chosen if one.spec is not None]
    requirements = [str(one.requirement) for one in chosen if one.requirement is not None]
    if not (specs or requirements):
        return
    installer = _installer(environment, session)
    if specs:
        roots = {spack_api.name_of(root) for root in spack_api.roots(environment.path)}
        asked = [one.spec for one in chosen if one.spec and one.source is Source.SPACK]
        known = _names_locked(environment)
        contradicts = any(spack_api.name_of(spec) in known for spec in asked)

        def change() -> None:
            new = [spec for spec in specs if spack_api.name_of(spec) not in roots]
            changed = [spec for spec in specs if spack_api.name_of(spec) in roots]
            spack_api.change_manifest(environment.path, add=new, change=changed)

        _change_manifest(environment, session, change, force=contradicts)
    try:
        _finish(environment, installer, session, requirements)
    except InstallerError as error:
        done = f"{', '.join(specs)} stands in spack.yaml and is installed" if specs else ""
        raise PyvariumError("; ".join(filter(None, [str(error), done]))) from None


@dataclass(frozen=True)
class Removal:
    """What a removal takes out of the manifest and out of the project, by name.

    ``kept`` says of what is taken out of the manifest what else needs it.
    """

    specs: Tuple[str, ...]
    projects: Tuple[str, ...]
    kept: Tuple[Skipped, ...] = ()


def plan_removal(environment: Environment, names: Sequence[str]) -> Removal:
    """Find each name among the roots of the manifest or what the project depends on.

    Raises PyvariumError for what is in neither, with the reason why it is there all the same.
    """
    roots = {spack_api.name_of(root): root for root in spack_api.roots(environment.path)}
    provided = {one.name: one for one in inventory_of(environment).provided}
    asked = {
        text: provided[name].spec.partition("@")[0] if name in provided else text
        for text, name in ((text, canonicalize_name(text)) for text in names)
    }
    specs: List[str] = []
    projects: List[str] = []
    kept: List[Skipped] = []
    for text, spec in asked.items():
        name = canonicalize_name(text)
        needed_by = ", ".join(sorted(_needed_by(environment, spec) - {*asked.values()}))
        if spec in roots:
            specs.append(roots[spec])
            if needed_by:
                kept.append(Skipped(spec, f"stays installed, as {needed_by} needs it"))
        if depends_on(environment, name):
            projects.append(name)
        elif spec not in roots:
            raise PyvariumError(_why_not_removed(environment, text, spec, needed_by))
    if specs and len(specs) == len(roots):
        raise PyvariumError(
            f"{environment.path / 'spack.yaml'}: would ask for nothing, not even for a python;"
            " first add what is to stay: 'spack pyvarium add python'"
        )
    return Removal(tuple(specs), tuple(projects), tuple(kept))


def _why_not_removed(environment: Environment, text: str, spec: str, needed_by: str) -> str:
    if needed_by:
        return f"{text}: is there because {needed_by} needs {spec}; remove what needs it"
    group = group_with(environment, canonicalize_name(text))
    if group is not None:
        return (
            f"{text}: stands in the group '{group}' in {environment.pyproject}; remove it there"
            " by the backend's own command"
        )
    return (
        f"{text}: is neither in {environment.path / 'spack.yaml'} nor among the dependencies in"
        f" {environment.pyproject}; see 'spack pyvarium status'"
    )


def remove(environment: Environment, removal: Removal, session: Session) -> None:
    """Take out what was planned, from the project first: it may need what Spack provides."""
    installer = _installer(environment, session)
    if removal.projects:
        installer.remove(removal.projects)
    if removal.specs:

        def change() -> None:
            spack_api.change_manifest(environment.path, remove=removal.specs)

        _change_manifest(environment, session, change)
        _finish(environment, installer, session)


def _change_manifest(
    environment: Environment, session: Session, change: Callable[[], None], force: bool = False
) -> None:
    """Change the manifest and install it; where it cannot be concretized it is as it was.

    With ``force`` also that is concretized anew which nobody asked to change.
    """
    paths = (environment.path / "spack.yaml", environment.lockfile)
    before = {path: files.read_optional(path) for path in paths}
    unlocked = before[environment.lockfile]
    try:
        change()
        unlocked = files.read_optional(environment.lockfile)
        if force:
            session.spack(environment.path, "concretize", "--force")
        session.spack_install(environment.path)
    except BaseException as error:
        if files.read_optional(environment.lockfile) != unlocked:  # What was built so far counts.
            resumed = f"'{command_for(environment.path, 'install')}'"
            if isinstance(error, SpackFailedError):
                raise PyvariumError(
                    f"{error}; the change stands: mend this and run {resumed}, or undo the change"
                ) from None
            session.report(f"{environment.path}: the change stands; go on by {resumed}")
            raise
        for path, content in before.items():
            FileChange(path, files.read_optional(path), content).write()
        kept = "spack.yaml and spack.lock are as they were"
        if isinstance(error, SpackFailedError):
            raise PyvariumError(f"{error}; {kept}") from None
        session.report(f"{environment.path}: {kept}")
        raise


def _finish(
    environment: Environment,
    installer: Installer,
    session: Session,
    requirements: Sequence[str] = (),
) -> Plan:
    """Bring the other half in step with what Spack has installed, and add requirements to it."""
    environment = spack_api.read_environment(environment.path)
    _bound_python(environment, session)
    changes = sync(environment, spack_api.defaults())
    if changes:
        session.report(f"{environment.pyproject}: {changes}")
    installer.lock()  # PDM and Poetry look at the group only in a lock that knows it.
    if requirements:
        installer.add(requirements)
    else:
        installer.install()
    # What was in the venv before Spack provided it, the backend may have replaced by now.
    done = plan(environment, spack_api.defaults(), thorough=False)
    for one in done.skipped:
        if one.fault:
            session.report(f"Warning: {one}")
    return done


def _names_locked(environment: Environment) -> Set[str]:
    lockfile = _read_lockfile(environment)
    return {node.name for node in lockfile.nodes.values()} if lockfile else set()


def _needed_by(environment: Environment, name: str) -> Set[str]:
    """The names of the specs that need one of this name to link or run."""
    lockfile = _read_lockfile(environment)
    if lockfile is None:
        return set()
    nodes = [lockfile.nodes[dag_hash] for dag_hash in lockfile.runtime()]
    return {
        one.name
        for one in nodes
        if any(lockfile.nodes[dag_hash].name == name for dag_hash in one.needs)
    }


def _read_lockfile(environment: Environment) -> Optional[Lockfile]:
    return read_lockfile(environment.lockfile) if environment.lockfile.exists() else None


def inventory_of(environment: Environment) -> Inventory:
    """What is provided; nothing where nothing is concretized."""
    if not environment.lockfile.exists():
        return Inventory((), (), None)
    if environment.views is None:
        environment = spack_api.read_environment(environment.path)
    return provided_distributions(environment, read_lockfile(environment.lockfile))


def _not_concretized(environment: Environment) -> Optional[str]:
    """Say what the manifest asks for that the lockfile does not know, or the other way round."""
    if not environment.lockfile.exists():
        return f"{environment.lockfile}: does not exist"
    wanted, found = set(spack_api.roots(environment.path)), set(_locked_roots(environment))
    for one, reason in ((wanted - found, "does not hold"), (found - wanted, "still holds")):
        if one:
            return f"{environment.lockfile}: {reason} {', '.join(sorted(one))} of spack.yaml"
    return None


def _locked_roots(environment: Environment) -> Iterator[str]:
    data = json.loads(files.read_optional(environment.lockfile) or b"{}")
    return (str(root["spec"]) for root in data.get("roots", ()))


def chosen_backend(environment: Environment) -> Optional[Backend]:
    subject = str(environment.pyproject)
    text = read_text(environment.pyproject)
    return choices(environment, text, pyproject.owned(text, subject), spack_api.defaults())[0]


def _installer(environment: Environment, session: Session) -> Installer:
    """The backend of a project, ready to work. Where none is chosen, it is now."""
    backend = chosen_backend(environment)
    if backend is None:
        path, subject = environment.pyproject, str(environment.pyproject)
        backend = default_backend(environment.path, None)
        before = files.read_optional(path)
        text = (
            read_text(path) if before is not None else pyproject.new_text(environment.name, None)
        )
        text = as_virtual(text, backend, subject)
        text = pyproject.with_setting(text, "backend", backend.value, subject)
        FileChange(path, before, text.encode("utf-8")).write()
        session.report(f"{path}: tool.pyvarium.backend set to {backend.value}")
    return Installer(environment, backend, find_tool(backend), session.report)


def find_tool(backend: Backend) -> Optional[tools.Tool]:
    """The program of a backend; None for the pip in the venv. Raises PyvariumError."""
    configured = spack_api.configured_tool(backend)
    if backend is Backend.PIP and configured is None:
        return None
    return tools.find(backend, configured)


def default_backend(path: Path, source: Optional[str]) -> Backend:
    """What the project shows, else what is configured, else uv if it is there, else pip."""
    subject = str(path / "pyproject.toml")
    text = source if source is not None else read_text(path / "pyproject.toml")
    environment = Environment(path, path.name, ())
    found, _ = choices(environment, text, pyproject.owned(text, subject), spack_api.defaults())
    if found is not None:
        return found
    try:
        find_tool(Backend.UV)
    except tools.ToolError:
        return Backend.PIP
    return Backend.UV


def refuse(chosen: Sequence[Choice]) -> None:
    refused = [one.reason for one in chosen if one.source is Source.REFUSED]
    if refused:
        raise PyvariumError("\n".join(refused))


def as_virtual(text: str, backend: Backend, subject: str) -> str:
    """Tell a backend that there is nothing to build, where the project does not say otherwise."""
    keys = _IS_PACKAGE.get(backend)
    data = parse(text, subject)
    built = value_at(data, ("build-system",)) is not None
    if keys is None or value_at(data, keys) is not None or (backend is Backend.UV and not built):
        return text  # uv takes what has no build system for no package.
    return with_value(text, keys, False, subject)


def with_requires_python(text: str, bounds: str, subject: str) -> str:
    """Say in ``[project]`` which pythons it is for, on a line before the dependencies."""
    plain = with_value(text, _REQUIRES_PYTHON, bounds, subject)
    line = f'requires-python = "{bounds}"\n'
    placed = re.sub(r"(?m)^dependencies\s*=", f"{line}\\g<0>", text, count=1)
    try:
        return placed if parse(placed, subject) == parse(plain, subject) else plain
    except PyvariumError:
        return plain


def _bound_python(environment: Environment, session: Session) -> None:
    """Say in a project for which pythons it is, where it does not: no lock holds for all."""
    before = files.read_optional(environment.pyproject)
    text, subject = read_text(environment.pyproject), str(environment.pyproject)
    project = value_at(parse(text, subject), ("project",))
    if project is None or "requires-python" in project:
        return
    python = inventory_of(environment).python
    if python is not None:
        bounds = pyproject.python_bounds(python)
        text = with_requires_python(text, bounds, subject)
        FileChange(environment.pyproject, before, text.encode("utf-8")).write()
        session.report(f"{subject}: requires-python set to '{bounds}'")


def read_text(path: Path) -> str:
    try:
        return (files.read_optional(path) or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None


def command_for(path: Path, words: str) -> str:
    return f"spack {spack_api.selector(path)} pyvarium {words}"
