# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A venv that somebody made by hand on a python of Spack's, as courses teach it.

What it sees besides its own is looked up as python does: what its python has, where it was made
with ``--system-site-packages``, and ``PYTHONPATH``, by which modules of Spack's bring theirs. What
is wrong is said in the words of ``verify``, what somebody asked for is told to ``new --from``.
Nothing is changed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .distributions import metadata_file as metadata_file_of
from .distributions import metadata_paths, read_distribution, site_packages
from .errors import FileError, MetadataError
from .files import read_optional
from .markers import applies, environment_of
from .model import Distribution, Inventory, Provided, Skipped
from .project import Project, parse_asked, without_password
from .provided import prefix_of
from .verify import Code, Fault, incompatible, requirements_of

#: What every venv has, or makes others.
_TOOLS = frozenset(("pip", "setuptools", "wheel"))
#: As many distributions are named one by one.
_NAMED = 5
_ENTRY = re.compile(r"^(?P<key>[\w-]+)\s*=\s*(?P<value>.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Venv:
    """A venv, and where its python looks for modules: first ``before``, last ``below``.

    ``origin`` is the prefix or view whose python made it; what is there is seen only if it is
    among the others.
    """

    path: Path
    python: Optional[str]
    home: Path
    system: bool
    origin: Optional[Path]
    own: Tuple[Path, ...]
    before: Tuple[Path, ...]
    below: Tuple[Path, ...]


def is_venv(path: Path) -> bool:
    """Whether a directory is a venv of its own, and not that of an environment."""
    return (path / "pyvenv.cfg").is_file() and not (path / "spack.yaml").exists()


def read_venv(path: Path, environ: Mapping[str, str]) -> Venv:
    """Read a venv by its ``pyvenv.cfg`` (PEP 405); raises FileError."""
    data = read_optional(path / "pyvenv.cfg")
    if data is None:
        raise FileError(f"{path}: has no pyvenv.cfg; name the directory of a venv")
    text = data.decode("utf-8", "replace")
    entries = {one["key"].lower(): one["value"] for one in _ENTRY.finditer(text)}
    home = Path(entries.get("home") or "/nowhere/bin").parent
    own = site_packages(path)
    python = own[0][0] if own else None
    system = entries.get("include-system-site-packages", "").lower() == "true"
    below = _of_python(home, python) if system else ()
    names = environ.get("PYTHONPATH", "").split(os.pathsep)
    return Venv(
        path=path,
        python=python,
        home=home,
        system=system,
        origin=_origin(entries.get("command", "")),
        own=tuple(directory for _, directory in own),
        before=tuple(Path(one) for one in names if one and os.path.isdir(one)),
        below=below,
    )


def _of_python(prefix: Path, python: Optional[str]) -> Tuple[Path, ...]:
    return tuple(path for version, path in site_packages(prefix) if python in (None, version))


def _origin(command: str) -> Optional[Path]:
    """The prefix of the python that a venv says it was made by, since Python 3.11."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    python = Path(words[0]) if words else Path()
    return python.parent.parent if python.is_absolute() and python.parent.name == "bin" else None


def installed_in(directories: Sequence[Path]) -> Iterator[Distribution]:
    """The distributions of directories; one without usable metadata is passed over."""
    for directory in directories:
        for path in metadata_paths(directory):
            try:
                yield read_distribution(path)
            except MetadataError:
                continue  # Left by an installation that was killed.


def provided_in(directories: Sequence[Path]) -> Tuple[Provided, ...]:
    """Those of Spack's, each with the spec that its prefix was installed for."""
    found: Dict[str, Provided] = {}
    for one in installed_in(directories):
        prefix = prefix_of(metadata_file_of(one.path))
        spec = _spec_of(prefix) if prefix else None
        if spec is not None:
            name, version, dag_hash = spec
            provided = Provided(
                one.name, one.version, f"{name}@{version}", dag_hash, False, one.path
            )
            found.setdefault(one.name, provided)
    return tuple(found.values())


def _spec_of(prefix: str) -> Optional[Tuple[str, str, str]]:
    """Name, version and DAG hash by what Spack wrote into a prefix."""
    try:
        data = json.loads(Path(prefix, ".spack", "spec.json").read_text(encoding="utf-8"))
        node = data["spec"]["nodes"][0]
        return str(node["name"]), str(node.get("version", "")), str(node["hash"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def verify(venv: Venv) -> Tuple[Fault, ...]:
    """List what is wrong with a venv, sorted, with the way to an environment as the remedy."""
    return tuple(sorted(_faults(venv)))


def _faults(venv: Venv) -> Iterator[Fault]:
    remedy = _remedy(venv)
    if not (venv.path / "bin" / "python").exists():
        reason = f"its python is gone ({venv.home})"
        yield Fault(Code.WRONG_PYTHON, str(venv.path), reason, remedy)
    if venv.before:
        paths = os.pathsep.join(map(str, venv.before))
        reason = f"is set ('{paths}'), so that python imports from there before the venv"
        yield Fault(Code.PYTHONPATH, "PYTHONPATH", reason, remedy)
    first = {one.name: one for one in provided_in(venv.before)}
    seen = {one.name: one for one in provided_in(venv.below)}
    unseen = {one.name: one for one in _unseen(venv)}
    if unseen:
        named = ", ".join(list(unseen)[:_NAMED])
        more = f" and {len(unseen) - _NAMED} more" if len(unseen) > _NAMED else ""
        reason = f"does not see what Spack provides in {_place(venv)} ({named}{more})"
        yield Fault(Code.DETACHED, str(venv.path), reason, remedy)
    own: Dict[str, Distribution] = {}
    for one in installed_in(venv.own):
        other = own.setdefault(one.name, one)
        if other is not one:
            reason = f"{one.name} is there a second time, as {other.path.name}"
            again = f"install {one.name} again"
            yield Fault(Code.TWO_DIST_INFOS, str(one.path), reason, again)
            continue
        below = first.get(one.name) or seen.get(one.name) or unseen.get(one.name)
        if below is None or one.name in _TOOLS:
            continue
        verb = "stands behind" if one.name in first else "shadows"
        reason = f"{verb} Spack's {one.name} {below.version} ({below.spec})"
        yield Fault(Code.SHADOWED, str(one.path), reason, remedy)
    everything = {one.name: one for one in installed_in((*venv.below, *venv.before))}
    others = [
        Provided(one.name, one.version, "", "", False, one.path)
        for one in everything.values()
        if one.name not in own
    ]
    yield from incompatible(list(own.values()), Inventory(tuple(others), (), venv.python), remedy)


def _unseen(venv: Venv) -> Tuple[Provided, ...]:
    """What Spack provides where the venv was made from, and its python does not look."""
    places = [venv.home, *([venv.origin] if venv.origin else [])]
    looked = {os.path.realpath(one) for one in (*venv.below, *venv.before)}
    directories = [
        directory
        for place in places
        for directory in _of_python(place, venv.python)
        if os.path.realpath(directory) not in looked
    ]
    seen = {one.name for one in provided_in((*venv.below, *venv.before))}
    return tuple(one for one in provided_in(directories) if one.name not in seen)


def _place(venv: Venv) -> Path:
    return venv.origin if venv.origin is not None else venv.home


def _remedy(venv: Venv) -> str:
    lower = environment_of_view(_place(venv))
    on = f" --on {shlex.quote(str(lower))}" if lower else ""
    return f"run 'spack pyvarium new DIR --from {shlex.quote(str(venv.path))}{on}'"


def environment_of_view(view: Path) -> Optional[Path]:
    """The environment that a view is of, where it is at the usual place."""
    for above in view.parents:
        if above.name == ".spack-env" and (above.parent / "spack.yaml").is_file():
            return above.parent
    return None


def as_project(path: Path, environ: Mapping[str, str]) -> Project:
    """What somebody has asked for in a venv: what they installed by name, and what of Spack's
    that needs, or has got a second time. Raises FileError.
    """
    venv = read_venv(path, environ)
    own = {one.name: one for one in installed_in(venv.own)}
    needed = _needed(own.values(), venv)
    asked = {name for name, one in own.items() if (one.path / "REQUESTED").exists()}
    if not asked - _TOOLS:
        asked = own.keys() - needed
    lower = {one.name for one in (*provided_in((*venv.before, *venv.below)), *_unseen(venv))}
    asked |= lower & (own.keys() | needed)
    skipped: List[Skipped] = []
    requirements: List[Requirement] = []
    left: List[str] = []
    for name in sorted(asked - _TOOLS):
        one = own.get(name)
        text = name if one is None or name in lower else _request(one, skipped)
        if text is not None:
            requirements += parse_asked(text, str(path), skipped)
        if one is not None and text == name:
            left.append(f"{name} {one.version}")
    if left:
        reason = f"versions are not taken over ({', '.join(left)}); bound them in pyproject.toml"
        skipped.append(Skipped(str(path), f"its {reason}"))
    return Project(
        name=path.resolve().name.lstrip("."),
        requirements=tuple(requirements),
        skipped=tuple(skipped),
    )


def _needed(own: Iterable[Distribution], venv: Venv) -> Set[str]:
    """The projects that distributions require."""
    markers = environment_of(venv.python)
    return {
        canonicalize_name(requirement.name)
        for one in own
        for requirement in requirements_of(one)
        if applies(requirement.marker, markers)
    }


def _request(one: Distribution, skipped: List[Skipped]) -> Optional[str]:
    """The requirement by which a distribution came (PEP 610); None where it is of this machine."""
    data = read_optional(one.path / "direct_url.json")
    try:
        direct = json.loads(data) if data else {}
        url, source = direct.get("url"), direct.get("vcs_info")
    except (ValueError, AttributeError, RecursionError):
        url, source = None, None
    if not isinstance(url, str):
        return one.name
    if url.startswith("file:"):
        reason = f"is installed from {url}; add it to the new environment from there"
        skipped.append(Skipped(one.name, reason))
        return None
    if isinstance(source, dict) and source.get("commit_id"):
        url = f"{source.get('vcs', 'git')}+{url}@{source['commit_id']}"
    return f"{one.name} @ {without_password(url)}"
