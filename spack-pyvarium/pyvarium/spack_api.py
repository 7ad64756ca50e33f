# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Every question to Spack and every order for it, and every difference between its releases.

Known to work with 0.23 to the development version 1.3. Nothing here is used by the core. What is
asked of recipes and of module files stands in ``spack_recipes`` and ``spack_modules``.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import spack
import spack.config
import spack.environment
import spack.error
import spack.paths
import spack.schema.environment
import spack.spec
import spack.store
import spack.user_environment
import spack.util.environment
import spack.util.spack_yaml

from . import foreground, root
from .errors import PyvariumError
from .model import Backend, Environment
from .settings import (
    AUTO_SYNC,
    AUTO_SYNC_PATHS,
    BACKEND,
    LOG,
    MODE,
    QUIET,
    VARIABLE,
    Defaults,
    Policy,
    Setting,
    parse_policy,
    parse_switch,
    resolve_policy,
    tool_key,
)
from .variables import HIDING, Action, Change

SECTION = "pyvarium"

#: The names of scopes that are files of Spack, of a distribution, or no file at all.
_INTERNAL = re.compile(r"(_builtin|command_line|spack|defaults([:/].*)?|plugin-.*)\Z")


def active_state() -> Optional[Path]:
    """Where the active environment keeps what is ours. Does not touch the database."""
    active = spack.environment.active_environment()
    return None if active is None else _environment(active).state


def active_environment() -> Optional[Environment]:
    """The active environment, if there is one."""
    active = spack.environment.active_environment()
    return None if active is None else _environment(active)


def require_environment() -> Environment:
    """The active environment; raises PyvariumError where there is none."""
    environment = active_environment()
    if environment is None:
        raise PyvariumError(
            "no Spack environment is active; choose one: spack -e NAME pyvarium ...,"
            " spack -D DIR pyvarium ..., or 'spack env activate'"
        )
    return environment


def _environment(active: Any) -> Environment:
    path = Path(active.path)
    views = active.views
    name = _view_name(active)
    chosen = () if name is None else (Path(views[name].root),)
    return Environment(path, path.name, chosen, locate)


def _view_name(active: Any) -> Optional[str]:
    """The view that python imports from: the default one, or another where there is no default."""
    default = str(spack.environment.default_view_name)
    return default if default in active.views else next(iter(active.views), None)


def locate(dag_hash: str) -> Optional[Path]:
    """The prefix of an installed spec, in this store or in an upstream."""
    _, record = spack.store.STORE.db.query_by_spec_hash(dag_hash)
    return Path(record.path) if record and record.installed and record.path else None


def variable_changes(path: Path) -> Tuple[Change, ...]:
    """What an environment changes in a shell: what ``spack env activate`` would, by Spack itself.

    That is ``env_vars`` of its configuration, the directories of its view, and what the recipes
    set. What would hide the upper layer is left out. Raises PyvariumError.
    """
    modifications = spack.util.environment.EnvironmentModifications()
    try:
        with spack.environment.Environment(str(path)) as active:
            if "env_vars" in spack.config.SECTION_SCHEMAS:  # Since 1.0.
                entries = spack.config.get("env_vars") or {}
                modifications.extend(spack.schema.environment.parse(entries))
            view = _view_name(active)
            with spack.store.STORE.db.read_transaction():
                if view is not None:
                    active.add_view_to_env(modifications, view)
                else:
                    specs = [one for one in active.concrete_roots() if one.installed]
                    modifications.extend(
                        spack.user_environment.environment_modifications_for_specs(*specs)
                    )
    except spack.error.SpackError as error:
        raise PyvariumError(f"{path}: {' '.join(str(error).split())}; mend spack.yaml") from None
    changes = reversed(list(_changes(modifications.env_modifications)))
    return tuple(reversed(dict.fromkeys(changes)))  # The last of equal ones decides their order.


def _changes(modifications: Sequence[Any]) -> Iterator[Change]:
    for one in modifications:
        action = _ACTIONS.get(type(one).__name__)
        if action is not None and one.name not in HIDING:
            value = one.value if action is not Action.UNSET else ""
            entries = [str(one) for one in (value if isinstance(value, list) else [value])]
            if action in (Action.PREPEND, Action.APPEND) and os.path.isabs(entries[0]):
                entries = [os.path.normpath(entry) for entry in entries]
            yield Change(one.name, action, one.separator.join(entries), one.separator)


#: What Spack calls a change of a variable; others only put a list in order.
_ACTIONS = {
    "SetEnv": Action.SET,
    "SetPath": Action.SET,
    "UnsetEnv": Action.UNSET,
    "PrependPath": Action.PREPEND,
    "AppendPath": Action.APPEND,
    "AppendFlagsEnv": Action.APPEND,
    "RemovePath": Action.REMOVE,
    "RemoveFirstPath": Action.REMOVE,
    "RemoveLastPath": Action.REMOVE,
    "RemoveFlagsEnv": Action.REMOVE,
}


def forced(key: str) -> Optional[Setting[object]]:
    """The value that an admin forces on everybody, by ``::`` in the lowest scope."""
    return next((setting for setting in _configured(key) if setting.forced), None)


def forced_policy() -> Optional[Setting[Policy]]:
    """The policy that an admin forces on everybody."""
    return _as_policy(forced(AUTO_SYNC))


def configured_policy() -> Optional[Setting[Policy]]:
    """The policy of the highest scope that has one."""
    return _as_policy(configured(AUTO_SYNC))


def quiet() -> Setting[bool]:
    """Whether automatic sync says only what has to be mended; raises PyvariumError."""
    found = forced(QUIET) or configured(QUIET)
    if found is None:
        return Setting(False, "default")
    return replace(parse_switch(found.value, found.origin), forced=found.forced)


def switch(key: str) -> Setting[bool]:
    """A switch that is off where nobody has set it; raises PyvariumError."""
    found = configured(key)
    return Setting(False, "default") if found is None else parse_switch(found.value, found.origin)


def log() -> Optional[Setting[Path]]:
    """The file that automatic sync is logged to, if any."""
    found = forced(LOG) or configured(LOG)
    return found and replace(found, value=Path(canonicalize_path(found.value)))


def paths() -> Optional[Setting[Tuple[str, ...]]]:
    """The real paths that automatic sync acts below, and with ``!`` does not; if they are set."""
    found = forced(AUTO_SYNC_PATHS) or configured(AUTO_SYNC_PATHS)
    return found and replace(found, value=tuple(map(_real_path, found.value)))


def _real_path(path: str) -> str:
    sign = "!" if path.startswith("!") else ""
    return sign + os.path.realpath(canonicalize_path(path[len(sign) :]))


def policy(auto_sync: bool = True) -> Setting[Policy]:
    """Where automatic sync acts; ``auto_sync`` is the project's own switch."""
    return resolve_policy(
        forced=forced_policy(),
        variable=os.environ.get(VARIABLE),
        auto_sync=auto_sync,
        configured=configured_policy(),
    )


def configured(key: str, scope: Optional[str] = None) -> Optional[Setting[object]]:
    """The value of a key, such as ``tools.uv``, in one scope or in the highest that has it."""
    found = reversed(list(_configured(key)))
    return next((one for one in found if scope is None or one.origin == origin(scope)), None)


def defaults() -> Defaults:
    """What the configuration says for projects that say nothing themselves."""
    return Defaults(backend=configured(BACKEND), mode=configured(MODE))


def configured_tool(backend: Backend) -> Optional[Setting[str]]:
    """The path of a backend's program, with Spack's variables and ``~`` replaced."""
    setting = configured(tool_key(backend))
    return setting and Setting(canonicalize_path(setting.value), setting.origin)


def _as_policy(setting: Optional[Setting[object]]) -> Optional[Setting[Policy]]:
    if setting is None:
        return None
    return replace(parse_policy(setting.value, setting.origin), forced=setting.forced)


def _configured(key: str) -> Iterator[Setting[object]]:
    """The values of a key in Spack's scopes, the lowest first; ``::`` marks those forced."""
    *outer, last = key.split(".")
    for scope in spack.config.CONFIG.scopes.values():
        table = scope.get_section(SECTION) or {}
        for name in (SECTION, *outer):
            table = table.get(name) or {}
        for name, value in table.items():
            if str(name) == last:
                override = bool(getattr(name, "override", False))
                yield Setting(value, origin(scope.name), override)


def origin(scope: str) -> str:
    """What the user is told of a setting in this scope."""
    return f"scope {scope}"


def forget_configuration() -> None:
    """Have Spack read its files again, since one was written."""
    spack.config.CONFIG.clear_caches()


@dataclass(frozen=True)
class SectionFile:
    """Where a scope keeps a section: a file, and the keys in it that lead there.

    Where the scope is ``shared``, a file that others cannot read would stop their Spack.
    """

    path: Path
    keys: Tuple[str, ...]
    shared: bool = False


def section_file(scope: str, section: str) -> SectionFile:
    """Where a scope keeps a section; raises PyvariumError where it is not ours to write."""
    if _INTERNAL.match(scope):
        raise PyvariumError(f"scope {scope}: is Spack's own; use another --scope")
    known = spack.config.CONFIG.scopes
    shared = not scope.startswith(("user", "env:"))
    if scope in known:
        path = Path(known[scope].get_section_filename(section))
        return SectionFile(path, (*getattr(known[scope], "yaml_path", ()), section), shared)
    absent = dict(_absent_scopes())
    if scope in absent:
        return SectionFile(absent[scope] / f"{section}.yaml", (section,), shared)
    names = ", ".join(sorted(scope_names()))
    raise PyvariumError(f"scope {scope}: is not known; use one of {names}")


def scope_names() -> Tuple[str, ...]:
    """The same as ``scopes``, and with those that Spack leaves out until there is a directory."""
    return (*scopes(), *(name for name, _ in _absent_scopes() if name not in scopes()))


def scopes() -> Tuple[str, ...]:
    """The names of the scopes that configuration can be written to, the lowest first.

    Not that of ours, which registering includes.
    """
    known = spack.config.CONFIG.scopes
    own = os.path.join(root(), "spack-pyvarium") + os.sep
    return tuple(
        name
        for name, scope in known.items()
        if not (_INTERNAL.match(name) or str(getattr(scope, "path", "")).startswith(own))
    )


def _absent_scopes() -> Iterator[Tuple[str, Path]]:
    """The scopes that Spack leaves out until there is a directory: in 1.1 even the user's."""
    if not has_includes():
        return
    for scope in spack.config.CONFIG.scopes.values():
        for entry in (scope.get_section("include") or {}).get("include", ()):
            if isinstance(entry, dict) and entry.get("name") and entry.get("optional"):
                path = os.environ.get(entry.get("path_override_env_var", ""), entry.get("path"))
                if path and spack.spec.eval_conditional(entry.get("when", "True")):
                    yield entry["name"], Path(canonicalize_path(path))


def has_includes() -> bool:
    """Whether this Spack reads ``include.yaml`` (since 1.0)."""
    return "include" in spack.config.SECTION_SCHEMAS


def parse_entries(text: str, file: SectionFile) -> List[str]:
    """Let Spack read what is listed below the keys, each as one line; raises PyvariumError."""
    try:
        value = spack.util.spack_yaml.load_config(text)
    except spack.error.SpackError as error:
        reason = " ".join(str(error).split())
        raise PyvariumError(f"{file.path}: {reason}; mend it, or use another --scope") from None
    for key in file.keys:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, dict):
        marks = (":" if getattr(key, "override", False) else "" for key in value)
        return [f"{key}{mark}: {one}" for mark, (key, one) in zip(marks, value.items())]
    return [str(dict(one)) if isinstance(one, dict) else str(one) for one in value or ()]


def extension_paths() -> Tuple[Path, ...]:
    """The extensions that Spack looks for commands in."""
    import spack.extensions

    return tuple(Path(path) for path in spack.extensions.get_extension_paths())


def template_directories() -> Tuple[Path, ...]:
    """The directories of templates that extensions bring."""
    import spack.extensions

    return tuple(Path(path) for path in spack.extensions.get_template_dirs())


def repository_roots() -> Tuple[Path, ...]:
    """The package repositories on this machine that Spack takes recipes from.

    Those that Spack clones are left out: asking its own list would begin to clone them.
    """
    repositories = spack.config.get("repos")
    paths = repositories.values() if isinstance(repositories, dict) else repositories
    return tuple(Path(canonicalize_path(path)) for path in paths if isinstance(path, str))


def canonicalize_path(path: str) -> str:
    """The path that Spack reads in its configuration, with variables and ``~`` replaced."""
    try:
        from spack.config import canonicalize_path as canonicalize  # Since 1.2.
    except ImportError:
        from spack.util.path import canonicalize_path as canonicalize
    return str(canonicalize(path))


def load_yaml(text: str) -> Any:
    """Read YAML as Spack does; raises ValueError."""
    try:
        return spack.util.spack_yaml.load_config(text)
    except spack.error.SpackError as error:
        raise ValueError(" ".join(str(error).split())) from None


def version() -> str:
    return str(spack.spack_version)


def read_environment(path: Path) -> Environment:
    """Read an environment from its directory, as it is now; raises PyvariumError."""
    try:
        return _environment(spack.environment.Environment(str(path)))
    except spack.error.SpackError as error:
        raise PyvariumError(f"{path}: {' '.join(str(error).split())}; mend spack.yaml") from None


def named_directory(name: str) -> Path:
    """The directory of a named environment; raises PyvariumError for a name that can be none."""
    try:
        return Path(spack.environment.root(name))
    except (spack.error.SpackError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise PyvariumError(f"--name {reason}; use another name") from None


def environments_root() -> Path:
    """The directory of all named environments."""
    return Path(spack.environment.root("any")).parent


def named_environment(name: str) -> Optional[Path]:
    """The directory of a named environment; None where there is none."""
    with contextlib.suppress(spack.error.SpackError, ValueError):  # Not every name can be one.
        if spack.environment.exists(name):
            return Path(spack.environment.root(name))
    return None


def included_environment(path: Path) -> Tuple[str, Path]:
    """By which key a manifest includes a concrete environment, and which path stands there."""
    if hasattr(spack.environment.environment, "manifest_include_name"):  # Since 1.3.
        return "include", path / "spack.lock"
    return "include_concrete", path


def store() -> Path:
    """The directory that this Spack installs into."""
    return Path(spack.store.parse_install_tree(spack.config.get("config"))[0])


def roots(path: Path) -> Tuple[str, ...]:
    """The specs that the manifest of an environment asks for; raises PyvariumError."""
    try:
        return tuple(str(spec) for spec in spack.environment.Environment(str(path)).user_specs)
    except spack.error.SpackError as error:
        raise PyvariumError(f"{path}: {' '.join(str(error).split())}; mend spack.yaml") from None


def name_of(spec: str) -> str:
    """The name of a spec; raises PyvariumError where it is none."""
    try:
        return str(spack.spec.Spec(spec).name)
    except spack.error.SpackError as error:
        raise PyvariumError(f"{spec}: {' '.join(str(error).split())}; mend the spec") from None


def change_manifest(
    path: Path, *, add: Sequence[str] = (), change: Sequence[str] = (), remove: Sequence[str] = ()
) -> None:
    """Change what the manifest of an environment asks for; raises PyvariumError.

    A spec that is changed keeps what the new one does not contradict. Nothing is concretized.
    """
    environment = spack.environment.Environment(str(path))
    try:
        with environment.write_transaction():
            for spec in remove:
                environment.remove(spec)
            for spec in add:
                environment.add(spec)
            for spec in change:
                environment.change_existing_spec(spack.spec.Spec(spec))
            environment.write(regenerate=False)
    except (spack.error.SpackError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise PyvariumError(f"{path / 'spack.yaml'}: {reason}; change it by hand") from None


def selector(path: Path) -> str:
    """What selects an environment on Spack's command line, in words for the user."""
    named = named_environment(path.name)
    if named is not None and os.path.realpath(named) == os.path.realpath(path):
        return f"-e {shlex.quote(path.name)}"
    return f"-D {shlex.quote(str(path))}"


def external_pythons() -> Tuple[str, ...]:
    """The specs of the pythons outside of Spack that its configuration names."""
    entry = (spack.config.get("packages") or {}).get("python") or {}
    return tuple(str(one.get("spec")) for one in entry.get("externals") or ())


def install_options(path: Path) -> Tuple[str, ...]:
    """Options of Spack's by which it can install an environment.

    Where a root is in an upstream only, and no root there, the new installer of 1.3 fails, as it
    cannot mark it as one (``KeyError`` in ``Database._mark``). The old one does without.
    """
    try:
        from spack.new_installer import MarkExplicitAction  # noqa: F401
    except ImportError:
        return ()
    with spack.environment.Environment(str(path)).manifest.use_config():
        return ("-c", "config:installer:old") if spack.config.get("upstreams") else ()


def run(options: Sequence[str], path: Path, *arguments: str) -> int:
    """Run a command of this Spack in an environment, with its output on stderr.

    A process of its own, which shows its progress as ever and may be interrupted. It makes no
    automatic sync: who calls this syncs. ``options`` are those of the running Spack itself.
    """
    command = [sys.executable, spack.paths.spack_script, *options, "-D", str(path), *arguments]
    environ = {**os.environ, VARIABLE: Policy.OFF.value}
    environ.pop("SPACK_ENV", None)
    environ.pop("SPACK_ENV_VIEW", None)
    with _open_input() as source:
        return foreground.run(command, environ, source)


@contextlib.contextmanager
def _open_input() -> Iterator[Any]:
    """The input of this process, or a pipe: the new installer watches it, and cannot a file."""
    if sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty():
        yield sys.stdin
        return
    reader, writer = os.pipe()
    try:
        yield reader
    finally:
        os.close(reader)
        os.close(writer)


def environment_directory(word: str) -> Path:
    """The directory of an environment by its name or as it is; raises PyvariumError.

    As for 'spack env activate', a name comes first; what has a slash is a directory.
    """
    if os.sep not in word and word not in (os.curdir, os.pardir):
        with contextlib.suppress(spack.error.SpackError, ValueError):  # No name can be that.
            named = Path(spack.environment.root(word))
            if named.is_dir():
                return named
    return Path(os.path.abspath(word))
