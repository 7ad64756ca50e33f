# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Plan and build the layer: the ``.venv`` in which installers work, on top of what Spack provides.

It is an ordinary venv of the same python, with one path file that leads to what Spack provides and
a shim for each distribution of it. Everything here is ours and can be rebuilt from nothing, but
what the user has installed into the venv: that is never removed, only reported.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Set, Tuple
from urllib.parse import quote, unquote

from . import __version__, activation, files, locks, shims, stamps, umbrella
from .distributions import metadata_file, metadata_paths, read_distribution, site_packages
from .errors import MetadataError
from .files import FileChange
from .model import Backend, Distribution, Environment, Inventory, Mode, Provided, Skipped
from .pins import UNCONSTRAINED, UNPINNED
from .provided import Known
from .shims import Script, Shim, Source

#: The path file that leads to what Spack provides, in no distribution's RECORD.
PATH_FILE = "_spack_pyvarium.pth"
RECORD, STAMPS = "layer.json", "stamps"
_LONGEST_PATH = 4096
#: What is behind the name of a shim, or a script, while it is written, and while it is removed.
#: The first alone is the name of a file in a venv while that is made.
NEW, OLD = ".spack-new~", ".spack-old~"
#: What a shim repeats of a ``*.dist-info``, or goes by, besides its metadata.
_REPEATED = ("entry_points.txt", "requires.txt", "RECORD")
#: What must be there, or must not, for installers to take a shim for what they have locked.
_TELLING = ("RECORD", "direct_url.json")

_SCRIPT = re.compile(rb"^\.\./\.\./\.\./bin/([\w.+-]+),", re.MULTILINE)

#: The backends that install shims into the isolated environments of builds too, from where only an
#: absolute path leads to the code. The others' wheels, and so their locks, tell no directory.
ISOLATING = (Backend.PDM, Backend.PIP, None)


@dataclass(frozen=True)
class Record:
    """What the last sync has left of itself, to be believed as far as it holds.

    ``content`` is empty where nothing is left.
    """

    directory: Path

    @functools.cached_property
    def content(self) -> Mapping[str, Any]:
        try:
            content = json.loads((self.directory / RECORD).read_bytes())
            return content if isinstance(content, dict) else {}
        except (OSError, ValueError, RecursionError):
            return {}

    @functools.cached_property
    def holds(self) -> bool:
        """Whether it is as it was left, and so is every file that it was made from."""
        return stamps.hold(self.directory / STAMPS)

    def known(self) -> Mapping[str, Known]:
        """What was read of each metadata path, where that is still there."""
        provided = self.content.get("provided", {}) if self.holds else {}
        return {path: Known(*one) for path, one in provided.items()}


@dataclass(frozen=True)
class Layer:
    """What the layer of an environment is made from; it changes when any of this changes."""

    environment: Environment
    inventory: Inventory
    backend: Optional[Backend]
    mode: Mode

    @functools.cached_property
    def wheels(self) -> Path:
        return self.environment.wheels

    @property
    def record(self) -> Path:
        return self.environment.state / RECORD

    @property
    def stamps(self) -> Path:
        """Where it is kept how the files looked that were compared last."""
        return self.environment.state / STAMPS

    @functools.cached_property
    def site_packages(self) -> Path:
        return self.environment.venv / "lib" / f"python{self.inventory.python}" / "site-packages"

    @functools.cached_property
    def python(self) -> Path:
        return self.environment.venv / "bin" / "python"

    @property
    def has_umbrella(self) -> bool:
        """Whether one project leads an installer to all shims."""
        bound = self.mode is Mode.BOUND and self.backend is Backend.POETRY
        return bound and bool(self.versions.keys() - UNPINNED)

    @functools.cached_property
    def versions(self) -> Mapping[str, str]:
        """What is provided: version by project."""
        return {one.name: one.version for one in self.inventory.provided}

    def digest(self) -> str:
        """Identify all of it, without a look at the content of what Spack provides."""
        parts: List[object] = [__version__, self.backend, self.mode, self.inventory.interpreter]
        parts += [self.environment.path, *self.inventory.site_packages]
        for one in self.inventory.provided:
            parts += [one.name, one.version, one.dag_hash, one.path]
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class LayerPlan:
    """What is out of step with a layer; falsy if nothing.

    ``wheels`` are the file names of the shims' wheels, by project. ``copies`` are what was
    installed into the venv though Spack provides it, ``foreign`` tells that the venv is somebody's
    of another python, ``skipped`` is what else is not as it should be: none is ours to change.
    ``scripts`` are the names of those that belong to some shim. ``watched`` are the files that
    were read, or should be there, and the record of it.
    """

    layer: Layer
    wheels: Mapping[str, str]
    skipped: Tuple[Skipped, ...] = ()
    copies: Tuple[Distribution, ...] = ()
    foreign: bool = False
    make_venv: bool = False
    missing: Tuple[Shim, ...] = ()
    stale: Tuple[Path, ...] = ()
    archives: Tuple[FileChange, ...] = ()
    files: Tuple[FileChange, ...] = ()
    scripts: FrozenSet[str] = frozenset()
    watched: Tuple[str, ...] = ()

    def __bool__(self) -> bool:
        changes = (*self.archives, *self.files)
        return self.make_venv or bool(self.missing or self.stale or any(changes))

    def __str__(self) -> str:
        """What happens to the layer, in one line."""
        parts = ["made" if self.make_venv else ""]
        parts += [f"{len(self.missing)} shims written" if self.missing else ""]
        parts += [f"{len(self.stale)} removed" if self.stale else ""]
        return ", ".join(filter(None, parts)) or ("brought up to date" if self else "in step")

    @property
    def unlinked(self) -> bool:
        """Whether the path file is gone that leads to the code, as where a tool made the venv."""
        return not (self.layer.site_packages / PATH_FILE).exists()

    def faults(self) -> Iterator[Skipped]:
        """What the user has to mend, with the remedies."""
        if self.foreign:
            reason = (
                f"is of another python than Spack's ({self.layer.inventory.interpreter});"
                " remove it, and 'spack pyvarium sync' makes it anew"
            )
            yield Skipped(str(self.layer.environment.venv), reason, fault=True)
        for copy in self.copies:
            reason = f"shadows Spack's {copy.name}; run 'spack pyvarium verify --fix'"
            yield Skipped(str(copy.path), reason, fault=True)


def plan(layer: Layer, record: Record, *, thorough: bool) -> Optional[LayerPlan]:
    """Compare a layer with what is there; reads only. None where there is no python for one.

    What the record says to be in step is believed as far as names go. A ``thorough`` comparison
    renders every shim and reads those that are installed, but where none of the files that this
    takes has changed since it was done.
    """
    if layer.inventory.interpreter is None:
        return None
    reason = _impossible(layer)
    if reason is not None:
        return LayerPlan(layer, {}, (Skipped(str(layer.environment.venv), reason, fault=True),))
    known = _by_record(layer, record.content)
    if known is not None and (not thorough or _unchanged(known, record)):
        return known
    return _by_content(layer)


def is_shim(dist_info: Path) -> bool:
    """Whether an installed distribution is one of our shims, whoever installed it."""
    try:
        return f"\nGenerator: {shims.GENERATOR} ".encode() in (dist_info / "WHEEL").read_bytes()
    except OSError:
        return False


def installed_distributions(
    environment: Environment,
) -> Tuple[List[Distribution], List[MetadataError]]:
    """What stands in ``.venv`` on top of what Spack provides, and why any of it was not read."""
    found: List[Distribution] = []
    unread: List[MetadataError] = []
    for _, directory in site_packages(environment.venv):
        for path in metadata_paths(directory):
            if is_shim(path):
                continue  # It stands for what Spack provides.
            try:
                found.append(read_distribution(path))
            except MetadataError as error:
                unread.append(error)
    return found, unread


def base_interpreter(venv: Path) -> Optional[Path]:
    """The real path of the interpreter of a venv; None where it is gone."""
    python = venv / "bin" / "python"
    return Path(os.path.realpath(python)) if python.exists() else None


def _impossible(layer: Layer) -> Optional[str]:
    """Why no layer can be there, with the remedy; None where one can."""
    venv = layer.environment.venv
    if any(os.path.realpath(view) == os.path.realpath(venv) for view in _views(layer)):
        return "is a view of Spack's; give that another 'root' in spack.yaml, such as 'view: true'"
    for directory in (venv, *_views(layer)):
        if os.pathsep in str(directory) or activation.CONTROL.search(str(directory)):
            return "cannot be made: no PATH can hold a colon or a line break; move the environment"
    return None


def _views(layer: Layer) -> Tuple[Path, ...]:
    return layer.environment.views or ()


def _is_free(venv: Path) -> bool:
    """Whether a venv can be made there: nothing is in the way, or one of ours."""
    if not venv.exists() or (venv.is_dir() and not os.listdir(venv)) or (venv / NEW).exists():
        return True
    return any((directory / PATH_FILE).exists() for _, directory in site_packages(venv))


def _fits(layer: Layer) -> bool:
    """Whether the venv that is there is one of the right python."""
    interpreter = layer.inventory.interpreter
    assert interpreter is not None
    whole = layer.site_packages.is_dir() and not (layer.environment.venv / NEW).exists()
    return whole and (
        base_interpreter(layer.environment.venv) == Path(os.path.realpath(interpreter))
    )


def _by_record(layer: Layer, record: Mapping[str, Any]) -> Optional[LayerPlan]:
    """The plan by what the last sync has recorded, None where that is another layer."""
    if record.get("digest") != layer.digest() or record["copies"] or not _fits(layer):
        return None
    skipped = tuple(Skipped(**one) for one in record["skipped"])
    wheels: Dict[str, str] = record["wheels"]
    installed = {path.name for path in metadata_paths(layer.site_packages)}
    found = set(os.listdir(layer.wheels)) if layer.wheels.is_dir() else set()
    if not installed.issuperset(record["installed"]) or found != _expected_wheels(layer, wheels):
        return None
    changes = (*_files(layer, wheels, in_venv=True), *_umbrella_files(layer, wheels))
    return None if any(changes) else LayerPlan(layer, wheels, skipped, files=changes)


def _unchanged(known: LayerPlan, record: Record) -> bool:
    """Whether what a record says still holds for content too, with nothing new beside it."""
    layer = known.layer
    expected = set(record.content["installed"])
    versions = layer.versions
    if any(_unfinished(layer)):
        return False
    for name in os.listdir(layer.site_packages):
        if name.endswith((".dist-info", ".egg-info")) and name not in expected:
            path = layer.site_packages / name
            if is_shim(path) or _copy(path, versions):
                return False
    return not any(_stale_umbrellas(layer, known.wheels)) and record.holds


def _expected_wheels(layer: Layer, wheels: Mapping[str, str]) -> Set[str]:
    return set(wheels.values()) if layer.mode is Mode.BOUND else set()


def _by_content(layer: Layer) -> LayerPlan:
    versions = layer.versions
    lines = _path_lines(layer, relative=layer.backend not in ISOLATING)
    rendered: List[Shim] = []
    skipped: List[Skipped] = []
    watched: List[str] = []
    for one in layer.inventory.provided:
        shim, widened = shims.render(_source(one, watched), versions, lines)
        rendered.append(shim)
        skipped += widened

    fits = _fits(layer)
    foreign = not (fits or _is_free(layer.environment.venv))
    wheels = {shim.name: shim.wheel for shim in rendered}
    copies = tuple(_copies(layer, versions)) if fits else ()
    shadowed = {copy.name for copy in copies}
    wanted = [shim for shim in rendered if shim.name not in shadowed]
    wanted += [umbrella.shim(wheels)] if layer.has_umbrella else []
    missing = [shim for shim in wanted if not (foreign or (fits and _is_installed(shim, layer)))]
    for shim in wanted:
        watched += _paths(shim, layer)
    expected = {shim.dist_info for shim in wanted}
    stale = [path for path in _shims_in(layer) if path.name not in expected] if fits else []

    present = set(os.listdir(layer.wheels)) if layer.wheels.is_dir() else set()
    kept = _expected_wheels(layer, wheels)
    stale += [layer.wheels / name for name in sorted(present - kept)]
    stale += _stale_umbrellas(layer, wheels)
    archives = []
    for shim in rendered if layer.mode is Mode.BOUND else ():
        path = layer.wheels / shim.wheel
        after = shims.render_wheel(shim)
        archives.append(FileChange(path, files.read_optional(path), after))
        watched.append(str(path))
    watched.append(str(layer.record))
    record = {
        "copies": [str(copy.path) for copy in copies],
        "digest": layer.digest(),
        "installed": sorted(expected),
        "provided": {
            str(one.path): (one.name, one.version, one.dag_hash)
            for one in layer.inventory.provided
        },
        "skipped": [asdict(one) for one in skipped],
        "wheels": wheels,
    }
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    return LayerPlan(
        layer=layer,
        wheels=wheels,
        skipped=tuple(skipped),
        copies=tuple(copy for copy in copies if copy.name not in UNPINNED),
        foreign=foreign,
        make_venv=not (fits or foreign),
        missing=tuple(missing),
        stale=tuple(stale),
        archives=tuple(archives),
        files=(
            *(_files(layer, wheels, in_venv=fits) if not foreign else ()),
            *_umbrella_files(layer, wheels),
            FileChange(layer.record, files.read_optional(layer.record), text.encode()),
        ),
        scripts=frozenset(name for shim in wanted for name in script_names(shim)),
        watched=tuple(watched),
    )


def _source(one: Provided, watched: List[str]) -> Source:
    """Read what a shim repeats of a provided distribution. Raises MetadataError.

    The paths that this depends on are added to ``watched``.
    """
    file, directory = metadata_file(one.path), str(one.path)
    watched.append(str(file))
    try:
        metadata = _read(str(file))
        if file == one.path:  # An ``*.egg-info`` of distutils is a file.
            return Source(one, metadata)
        names = set(os.listdir(directory))
        entry_points, requires, recorded = (
            _read(f"{directory}/{name}") if name in names else b"" for name in _REPEATED
        )
    except OSError as error:
        raise MetadataError(
            f"{error.filename}: cannot be read ({error.strerror});"
            f" run 'spack install --overwrite' for {one.spec}"
        ) from None
    watched.append(directory)
    watched += [f"{directory}/{name}" for name in _REPEATED if name in names]
    known = shims.parse_console_scripts(entry_points)
    scripts = tuple(_scripts(directory, recorded, known, watched))
    return Source(one, metadata, entry_points, requires, scripts)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _scripts(
    dist_info: str, recorded: bytes, known: Mapping[str, str], watched: List[str]
) -> Iterator[Script]:
    """The Python scripts of a distribution that are not entry points.

    Their first line is the interpreter that Spack installed with, or ``sbang`` and then it.
    """
    names = [one for one in dict.fromkeys(recorded_scripts(recorded)) if one not in known]
    if not names:
        return
    prefix = os.path.normpath(os.path.join(os.path.realpath(f"{dist_info}/RECORD"), *[".."] * 5))
    for name in filter(shims.is_script_name, names):
        path = f"{prefix}/bin/{name}"
        watched.append(path)
        try:
            data = _read(path)
        except OSError:
            continue
        first, _, rest = data.partition(b"\n")
        if first.startswith(b"#!") and first.rstrip().endswith(b"/sbang"):
            first, _, rest = rest.partition(b"\n")
        if re.match(rb"#!.*\bpython[\d.]*\b", first):
            yield Script(name, rest)


def recorded_scripts(record: bytes) -> List[str]:
    """The names of what a RECORD has in ``bin``, seen from site-packages."""
    return [name.decode() for name in _SCRIPT.findall(record)]


def _copies(layer: Layer, versions: Mapping[str, str]) -> Iterator[Distribution]:
    """The distributions in the venv that Spack provides too; shims are none."""
    for path in metadata_paths(layer.site_packages):
        found = _copy(path, versions)
        if found:
            yield found


def _copy(path: Path, versions: Mapping[str, str]) -> Optional[Distribution]:
    if is_shim(path):
        return None
    try:
        found = read_distribution(path)
    except MetadataError:
        return None
    return found if found.name in versions else None


def _shims_in(layer: Layer) -> Iterator[Path]:
    """The shims in the venv, and what is left of some by a sync that was killed."""
    yield from (path for path in metadata_paths(layer.site_packages) if is_shim(path))
    yield from _unfinished(layer)


def _unfinished(layer: Layer) -> Iterator[Path]:
    for directory in (layer.site_packages, layer.environment.venv / "bin"):
        for name in sorted(os.listdir(directory)):
            if name.endswith((NEW, OLD)):
                yield directory / name


def installed_files(shim: Shim, layer: Layer) -> Dict[str, bytes]:
    mode = Mode.BOUND if shim.name in UNPINNED else layer.mode
    direct_url = None
    if layer.backend is Backend.POETRY:
        kind = "dir_info" if shim.name == umbrella.NAME else "archive_info"
        direct_url = json.dumps({kind: {}, "url": _origin(shim, layer).as_uri()}).encode()
    return shims.render_installed(shim, mode, layer.python, direct_url)


def _origin(shim: Shim, layer: Layer) -> Path:
    """What an installer would install a shim from."""
    if shim.name == umbrella.NAME:
        return layer.environment.path / umbrella.directory(shim)
    return layer.wheels / shim.wheel


def _is_installed(shim: Shim, layer: Layer) -> bool:
    """Whether a shim stands there whole, by whatever installer.

    Each writes some of the files in its own way; what counts is what installers go by. Where the
    layer's path file is gone a tool has made the venv anew, and all shims are written again: those
    from wheels have brought a path file each, which would make python start slowly.
    """
    if not os.path.exists(f"{layer.site_packages}/{PATH_FILE}"):
        return False
    dist_info = f"{layer.site_packages}/{shim.dist_info}"
    expected = installed_files(shim, layer)
    exact = [f"{shim.dist_info}/{name}" for name in (*shim.files, "INSTALLER")]
    if f"{shim.dist_info}/RECORD" in expected:  # Else INSTALLER tells who does not uninstall it.
        del expected[exact.pop()]  # Older PDMs write none.
    try:
        present = set(os.listdir(dist_info))
        # pip notes where it took a shim from, and does not go by it.
        telling = _TELLING[:1] if layer.backend in (Backend.PIP, None) else _TELLING
        if any((f"{shim.dist_info}/{name}" in expected) != (name in present) for name in telling):
            return False
        if "direct_url.json" in present:
            url = _read(f"{dist_info}/direct_url.json").decode("utf-8")
            if f"/{_origin(shim, layer).name}" not in unquote(url):
                return False
        return all(
            _read(f"{layer.site_packages}/{name}") == expected[name] for name in exact
        ) and all(_is_there(name, layer) for name in expected if name not in exact)
    except OSError:
        return False


def _is_there(name: str, layer: Layer) -> bool:
    """Whether a file is there, and if it is a script, is one of this venv where it is now."""
    path = f"{layer.site_packages}/{name}"
    if not name.startswith("../"):
        return os.path.exists(path)
    with open(path, "rb", buffering=0) as file:
        return os.fsencode(f"{layer.environment.venv}/bin") in file.read(_LONGEST_PATH)


def _paths(shim: Shim, layer: Layer) -> Iterator[str]:
    """What an installed shim consists of: its directory, the files in it, its scripts."""
    dist_info = f"{layer.site_packages}/{shim.dist_info}"
    yield dist_info
    yield from (f"{dist_info}/{name}" for name in (*shim.files, "INSTALLER", *_TELLING))
    yield from (f"{layer.environment.venv}/bin/{name}" for name in script_names(shim))


def script_names(shim: Shim) -> Tuple[str, ...]:
    return (*shim.entry_points, *(script.name for script in shim.scripts))


def _umbrella_files(layer: Layer, wheels: Mapping[str, str]) -> Iterator[FileChange]:
    """The files of the project that leads to the shims; none of them is in the venv."""
    if layer.has_umbrella:
        directory = layer.environment.path / umbrella.directory(umbrella.shim(wheels))
        for name, data in umbrella.files(wheels).items():
            yield FileChange(directory / name, files.read_optional(directory / name), data)


def _stale_umbrellas(layer: Layer, wheels: Mapping[str, str]) -> Iterator[Path]:
    """The directories of former projects that led to the shims, and what is left of some.

    With a new one goes all but that which is locked: Poetry looks there until it locks again, and
    would warn of each shim.
    """
    directory = layer.environment.path / umbrella.DIRECTORY
    present = os.listdir(directory) if directory.is_dir() else []
    locked = b""
    if layer.has_umbrella:
        if umbrella.shim(wheels).build in present:
            return
        lock = locks.path_of(layer.environment, layer.backend)
        locked = files.read_optional(lock) or b"" if lock else b""
    yield from (directory / name for name in sorted(present) if name.encode() not in locked)


def _files(layer: Layer, wheels: Mapping[str, str], *, in_venv: bool) -> Iterator[FileChange]:
    """The single files of a layer: how python finds the code, and what pip and a shell need.

    Those that are ``in_venv`` stay; else it is made anew, without any.
    """
    environment = layer.environment
    relative = not environment.venv.is_symlink()
    texts = {layer.site_packages / PATH_FILE: _path_lines(layer, relative=relative)}
    if layer.mode is Mode.BOUND:
        pip_constraints = environment.state / "pip-constraints.txt"
        place = layer.wheels.as_uri()
        lines = [
            f"{one.name} @ {place}/{quote(wheels[one.name])}\n"
            for one in layer.inventory.provided
            if one.name not in UNCONSTRAINED
        ]
        texts[pip_constraints] = "".join(lines)
    else:
        pip_constraints = environment.constraints
    texts[environment.venv / "pip.conf"] = (
        "# Written by spack-pyvarium: what Spack provides stays as it is.\n"
        f"[install]\nconstraint = {pip_constraints.as_uri()}\n"  # pip splits a path at blanks.
    )
    path = [environment.venv / "bin", *(view / "bin" for view in _views(layer))]
    for shell in activation.Shell:
        texts[environment.path / shell.file] = activation.render(
            shell, environment.venv, path, environment.name
        )
    for file, text in texts.items():
        stays = in_venv or not file.is_relative_to(environment.venv)
        before = files.read_optional(file) if stays else None
        yield FileChange(file, before, os.fsencode(text))


def _path_lines(layer: Layer, *, relative: bool) -> str:
    """The lines of a path file: relative, if asked for, as far as they stay in the environment."""
    lines = []
    for directory in layer.inventory.site_packages:
        line = str(directory)
        if relative and directory.is_relative_to(layer.environment.path):
            line = os.path.relpath(directory, layer.site_packages)
        lines.append(f"{line}\n")
    return "".join(lines)
