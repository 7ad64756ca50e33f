# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Both layers of an environment in the formats of other tools.

What Spack provides is known by the view, or where there is none by the pins of the last sync; what
is on top of it by the lock of the backend, or where there is none by what is installed in
``.venv``. No format gets a path of a build as its source, as ``pip freeze`` would write it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from packaging.utils import canonicalize_name

from . import conda, locks, pins, pyproject, report, sync, toml_text, umbrella
from .errors import FileError, PyvariumError
from .files import FileChange, read_optional
from .layer import installed_distributions
from .locked import PYPI, File, Locked, Selection, parse_locked
from .lockfile import Lockfile, read_lockfile
from .markers import environment_of
from .model import Backend, Environment, Inventory, Mode, Pin, Skipped
from .pins import UNCONSTRAINED, UNPINNED
from .provided import provided_distributions
from .settings import Defaults

#: What shows that a file is an export, and may be replaced by the next one.
MARK = "spack pyvarium export"
#: The lock of pip, which it does not keep itself: only what was installed is sure to be there.
PYLOCK = "pylock.toml"

#: The URL of each file of a project on an index, by its SHA-256; raises PyvariumError.
FindFiles = Callable[[Locked], Mapping[str, str]]


@dataclass(frozen=True)
class Wish:
    """What is to be exported. ``hashes`` None leaves it to the format."""

    format: str
    groups: Tuple[str, ...] = ()
    extras: Tuple[str, ...] = ()
    hashes: Optional[bool] = None


@dataclass(frozen=True)
class Contents:
    """What is in both layers.

    ``origin`` is what the upper one was read from. What Spack provides has files where a lock
    takes it from an index too, in portable mode.
    """

    environment: Environment
    python: Optional[str]
    backend: Optional[Backend]
    mode: Mode
    provided: Tuple[Locked, ...]
    upper: Tuple[Locked, ...]
    origin: str
    inventory: Inventory
    lockfile: Lockfile
    not_on_index: Tuple[str, ...] = ()
    skipped: Tuple[Skipped, ...] = ()

    @property
    def all(self) -> Tuple[Locked, ...]:
        return tuple(sorted((*self.provided, *self.upper)))


def read_contents(environment: Environment, defaults: Optional[Defaults], wish: Wish) -> Contents:
    """Read what is in both layers; raises PyvariumError."""
    lockfile = read_lockfile(environment.lockfile)
    text = (read_optional(environment.pyproject) or b"").decode("utf-8", "replace")
    subject = str(environment.pyproject)
    owned = pyproject.owned(text, subject)
    inventory = provided_distributions(environment, lockfile)
    backend, mode = sync.choices(environment, text, owned, defaults or Defaults())
    planned, skipped = _pins(environment, inventory, owned, mode)
    groups = tuple(map(canonicalize_name, wish.groups))
    selection = Selection(
        environment_of(inventory.python),
        # From an index, what Spack provides is locked with what it requires there.
        (*groups, pyproject.GROUP[-1]) if mode is Mode.PORTABLE else groups,
        tuple(map(canonicalize_name, wish.extras)),
        wish.format == "constraints",
    )
    upper, origin, unusable = _upper(environment, backend, selection)
    provided = {pin.name: Locked(pin.name, pin.version) for pin in planned}
    own = []
    for one in upper:
        pinned = provided.get(one.name)
        if pinned is None and one.name not in UNPINNED:
            own.append(one)
        elif pinned is not None and pinned.version == one.version:
            if mode is Mode.PORTABLE:  # Else it is the wheel without code.
                provided[one.name] = one
        elif pinned is not None:
            reason = f"{origin} has {one.version}, but Spack provides {pinned.version}; lock again"
            skipped = (*skipped, Skipped(one.name, reason))
    names = {*provided, *owned.not_on_index, umbrella.NAME}
    return Contents(
        environment=environment,
        python=inventory.python,
        backend=backend,
        mode=mode,
        provided=tuple(provided[name] for name in sorted(provided)),
        upper=tuple(own),
        origin=origin,
        inventory=inventory,
        lockfile=lockfile,
        not_on_index=owned.not_on_index,
        skipped=(*skipped, *(one for one in unusable if one.subject not in names)),
    )


def _pins(
    environment: Environment, inventory: Inventory, owned: pyproject.Owned, mode: Mode
) -> Tuple[Tuple[Pin, ...], Tuple[Skipped, ...]]:
    if environment.views is not None:
        planned, unpinned = pins.plan(inventory.provided, mode, owned.not_on_index)
        return planned, (*inventory.skipped, *unpinned)
    if owned.pins is None:
        raise PyvariumError(
            f"{environment.pyproject}: has no pins of what Spack provides, and there is no view;"
            " run 'spack pyvarium sync' where Spack installed it"
        )
    return tuple(pin for pin in owned.pins if pin.name not in UNPINNED), ()


def _upper(
    environment: Environment, backend: Optional[Backend], selection: Selection
) -> Tuple[Tuple[Locked, ...], str, Sequence[Skipped]]:
    """What is on top, and where that was read."""
    path = locks.path_of(environment, backend)
    data = read_optional(path) if path and backend else None
    if path and backend and data is not None:
        text = data.decode("utf-8", "replace")
        found, unusable = parse_locked(text, str(path), backend, selection)
        return found, path.name, unusable
    if selection.extras or set(selection.groups) - {pyproject.GROUP[-1]}:
        raise PyvariumError(
            f"{environment.path}: has no lock that knows groups or extras; run 'spack pyvarium"
            " lock', or leave them out"
        )
    installed, unread = installed_distributions(environment)
    files = _files_by_pin(environment.path / PYLOCK, selection)
    skipped = [Skipped(str(environment.venv), str(error)) for error in unread]
    upper = []
    for one in installed:
        if (one.path / "direct_url.json").exists():
            reason = "was installed from a directory or a URL, which is no index; left out"
            skipped.append(Skipped(one.name, reason))
        elif one.name not in UNCONSTRAINED:
            upper.append(files.get((one.name, one.version), Locked(one.name, one.version)))
    return tuple(sorted(upper)), ".venv", skipped


def _files_by_pin(path: Path, selection: Selection) -> Dict[Tuple[str, str], Locked]:
    """What ``pip lock`` has written; not what was exported from here."""
    text = (read_optional(path) or b"").decode("utf-8", "replace")
    if not text or MARK in text:
        return {}
    found, _ = parse_locked(text, str(path), Backend.PIP, selection)
    return {(one.name, one.version): one for one in found}


def with_urls(contents: Contents, find: FindFiles) -> Contents:
    """Add the URLs of files that a lock has by name and hash only, as an index tells them."""

    def located(one: Locked) -> Locked:
        if all(file.url for file in one.files):
            return one
        urls = find(one)
        files = (
            file if file.url else replace(file, url=urls.get(file.hash)) for file in one.files
        )
        return replace(one, files=tuple(file for file in files if file.url))

    return replace(
        contents,
        provided=tuple(map(located, contents.provided)),
        upper=tuple(map(located, contents.upper)),
    )


def index_files(environment: Environment) -> FindFiles:
    """Ask the index of each project, or else the one that the user has named."""
    from . import fetching, index
    from .cache import Cache

    cache = Cache(environment.state / "cache")

    def find(one: Locked) -> Mapping[str, str]:
        fetcher = fetching.Fetcher(cache, one.index or fetching.index_of(os.environ))
        url = index.project_url(fetcher.index, one.name)
        answer = fetcher.page(url)
        page = index.parse_page(answer.data, answer.content_type, url, one.name)
        return {f"sha256:{file.sha256}": file.url for file in page.files if file.sha256}

    return find


def render_requirements(contents: Contents, *, hashes: bool) -> str:
    """Exact requirements of both layers. Raises PyvariumError.

    Where one has hashes, pip wants them of all. What Spack provides in bound mode has those of the
    wheels without code, which are on this machine alone.
    """
    lines = [*_heading(contents, "requirements"), *_indexes(_from_index(contents))]
    lines += [_requirement(contents, one, hashes=hashes) for one in contents.all]
    return "".join(f"{line}\n" for line in lines)


def render_constraints(contents: Contents, *, hashes: bool) -> str:
    """The same as constraints, without build tools; raises PyvariumError."""
    kept = (one for one in contents.all if one.name not in UNCONSTRAINED)
    lines = _heading(contents, "constraints")
    lines += [_requirement(contents, one, hashes=hashes) for one in kept]
    return "".join(f"{line}\n" for line in lines)


def render_pylock(contents: Contents, output: Path) -> Tuple[str, Tuple[Skipped, ...]]:
    """A ``pylock.toml`` (PEP 751) that lies in ``output``, and what cannot be in it.

    What Spack provides is in it as the wheels without code, by relative paths; in portable mode
    as a lock has it from an index.
    """
    render = toml_text.render
    lines = [f"{line}" for line in _heading(contents, "pylock")]
    lines += ['lock-version = "1.0"', 'created-by = "spack-pyvarium"']
    if contents.python:
        lines.append(f"requires-python = {render(pyproject.python_bounds(contents.python))}")
    platform = f"sys_platform == {json.dumps(sys.platform)}"
    lines.append(f"environments = {render([platform.replace(chr(34), chr(39))])}")
    skipped = []
    packages = []
    for one in contents.all:
        provided = one in contents.provided
        files = [(file, {"url": file.url}) for file in one.files if file.url]
        if provided and contents.mode is Mode.BOUND:
            shim = _shim(contents.environment, one)
            path = os.path.relpath(contents.environment.wheels / shim.name, output)
            files = [(shim, {"path": path})]
        if not files:
            reason = "no lock has its files; left out, since a pylock.toml wants them"
            if one.files:
                reason = "the index has no file with a hash that the lock has; left out"
            skipped.append(Skipped(f"{one.name} {one.version}", reason))
            continue
        packages += ["", "[[packages]]", f"name = {render(one.name)}"]
        packages.append(f"version = {render(one.version)}")
        if one.index and not provided:
            packages.append(f"index = {render(one.index)}")
        tables = [(file.is_wheel, _file_table(file, where)) for file, where in files]
        packages += [f"sdist = {render(table)}" for is_wheel, table in tables if not is_wheel][:1]
        wheels = [f"    {render(table)}," for is_wheel, table in tables if is_wheel]
        packages += ["wheels = [", *wheels, "]"] if wheels else []
    if not packages:
        packages = ["packages = []"]
    return "".join(f"{line}\n" for line in (*lines, *packages)), tuple(skipped)


def _file_table(file: File, where: Mapping[str, Optional[str]]) -> Dict[str, object]:
    algorithm, _, digest = file.hash.partition(":")
    size = {} if file.size is None else {"size": file.size}
    return {"name": file.name, **where, **size, "hashes": {algorithm: digest}}


def _shim(environment: Environment, one: Locked) -> File:
    """The wheel without code that stands for a provided distribution; raises PyvariumError."""
    pattern = f"{one.name.replace('-', '_')}-{one.version}-*.whl"
    found = sorted(environment.wheels.glob(pattern))
    if len(found) != 1:
        raise PyvariumError(
            f"{environment.wheels}: has no wheel for {one.name}; run 'spack pyvarium sync', or"
            " export without hashes"
        )
    data = found[0].read_bytes()
    return File(found[0].name, f"sha256:{hashlib.sha256(data).hexdigest()}", size=len(data))


def render_conda(contents: Contents) -> Tuple[str, Tuple[Skipped, ...]]:
    """An ``environment.yml``: of Conda what Spack provides, and of pip what is on top.

    Which versions a channel has is not asked. A local version (PEP 440) is on none.
    """
    local = [one for one in contents.provided if "+" in one.version]
    provided = [one for one in contents.provided if one not in local]
    lines = _heading(contents, "conda")
    lines += [f"name: {json.dumps(contents.environment.name)}", "channels:", "- conda-forge"]
    lines += ["dependencies:"]
    lines += [f"- python={contents.python}"] if contents.python else ["- python"]
    names = sorted(f"{conda.name_of(one.name)}=={one.version}" for one in provided)
    lines += [f"- {name}" for name in names if not name.startswith("pip==")]
    if contents.upper:
        lines += ["- pip", "- pip:"]
        lines += [f"  - {line}" for line in _indexes(contents.upper)]
        lines += [f"  - {_pin(one)}" for one in contents.upper]
    reason = "is a local version, which is on no channel; left out"
    skipped = tuple(Skipped(f"{one.name} {one.version}", reason) for one in local)
    return "".join(f"{line}\n" for line in lines), skipped


def render_poncho(contents: Contents) -> str:
    """Poncho's specification, as ``analyze`` writes it, of all that there is."""
    requirements = [*_indexes(_from_index(contents)), *map(_pin, contents.all)]
    specs = {one.spec for one in contents.inventory.provided}
    return report.render_poncho(contents.python, requirements, sorted(specs), MARK)


def render_packages(
    contents: Contents, recipe_of: Callable[[str], Optional[str]]
) -> Tuple[str, Tuple[Skipped, ...]]:
    """A ``packages.yaml`` that has what is installed on top as externals of Spack's.

    ``recipe_of`` tells the recipe that brings a project.
    """
    installed, _ = installed_distributions(contents.environment)
    lines = _heading(contents, "packages")
    entries: List[str] = []
    skipped = []
    prefix = json.dumps(str(contents.environment.venv))
    for one in sorted(installed, key=lambda one: one.name):
        name = None if one.name in UNPINNED else recipe_of(one.name)
        if name is None:
            skipped.append(Skipped(one.name, "has no recipe; left out"))
            continue
        entries += [f"  {name}:", "    externals:"]
        entries += [f"    - spec: {name}@{one.version}", f"      prefix: {prefix}"]
    lines += ["packages:", *entries] if entries else ["packages: {}"]
    return "".join(f"{line}\n" for line in lines), tuple(skipped)


def change(output: Path, text: str, *, force: bool, sure: bool = True) -> FileChange:
    """Plan to write an export; raises FileError where what is there is somebody's own.

    ``sure`` tells that a former export is nobody's own either, as one may be that is added to.
    """
    if output.exists() and not output.is_file():
        raise FileError(f"{output}: is no regular file; name another, or '-' for stdout")
    before = read_optional(output)
    planned = FileChange(output, before, text.encode("utf-8"))
    exported = sure and before is not None and MARK.encode() in before
    if planned and before is not None and not (exported or force):
        raise FileError(
            f"{output}: is there already, with other content; name another file, replace it by"
            " --force, or see by '-o -' what to put into it"
        )
    return planned


def _heading(contents: Contents, form: str) -> List[str]:
    name = " ".join(contents.environment.name.split())
    python = f"Python {contents.python}" if contents.python else "Python"
    return [
        f"# {name} for {python} on {sys.platform}: what Spack provides, and {contents.origin} on"
        " top.",
        f"# Made by '{MARK} {form}', which replaces it.",
    ]


def _from_index(contents: Contents) -> Iterator[Locked]:
    yield from contents.upper
    yield from (one for one in contents.provided if one.files)


def _indexes(found: Iterable[Locked]) -> List[str]:
    """The options by which an installer finds what is not on PyPI."""
    urls = {(one.index or PYPI).rstrip("/") for one in found}
    others = sorted(urls - {PYPI})
    if len(others) == 1 and PYPI not in urls:
        return [f"--index-url {others[0]}/"]
    return [f"--extra-index-url {url}/" for url in others]


def _requirement(contents: Contents, one: Locked, *, hashes: bool) -> str:
    files = one.files if hashes else ()
    if hashes and one in contents.provided and contents.mode is Mode.BOUND:
        files = (_shim(contents.environment, one),)
    return " \\\n    ".join([_pin(one), *(f"--hash={file.hash}" for file in files)])


def _pin(one: Locked) -> str:
    return f"{one.name}=={one.version}"
