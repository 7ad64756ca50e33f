# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read what a file of another tool asks for, to start an environment from it.

Which tool a file is of is seen by its name, and where that is free by what stands in it. Of a
directory both halves are taken: the specs of its ``spack.yaml``, and the Python project beside it,
as in an environment that Pyvarium 0.2 has made.
"""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Set, Tuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from . import toml_text
from .analysis import as_project
from .classic import as_project as as_classic
from .classic import is_venv
from .conda import is_environment, parse_environment
from .declared import parse_pipfile, parse_pylock, parse_pyproject
from .errors import FileError, LockfileError
from .files import read_optional
from .lockfile import read_lockfile
from .model import Skipped
from .project import Asked, Project, SourceError
from .requirements import read_requirements
from .specification import parse_project

__all__ = ["Project", "SourceError", "read_project"]

#: Turns YAML into plain values; raises ValueError.
LoadYaml = Callable[[str], Any]

#: The Python half of a directory is in the first of these that it has.
_IN_DIRECTORY = "pyproject.toml Pipfile environment.yml environment.yaml requirements.txt".split()
_KINDS = (
    "a pyproject.toml, a pylock.toml, a Pipfile, an environment.yml, a .txt of requirements,"
    " a .py or .ipynb, a .json of Poncho's,"
    " a venv, or a directory with one of them or a spack.yaml"
)
#: What Pyvarium 0.2 wrote into spack.yaml and is made anew.
_MADE_ANEW = ("specs", "view", "concretizer")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_project(path: Path, load_yaml: LoadYaml, environ: Mapping[str, str] = {}) -> Project:
    """Read what a file or directory asks for; raises PyvariumError.

    The variables say what a venv sees besides.
    """
    if is_venv(path):
        return as_classic(path, environ)
    if path.is_dir():
        return _read_directory(path, load_yaml)
    name = path.name.lower()
    if name.endswith((".yml", ".yaml")):
        data = _load_yaml(path, load_yaml)
        if isinstance(data, Mapping) and "spack" in data:
            return _parse_manifest(data, path)
        if is_environment(data):
            return parse_environment(data, path, read_text)
        raise SourceError(f"{path}: is neither of Conda nor of Spack; name {_KINDS}")
    if name.endswith(".json"):
        return parse_project(read_text(path), str(path), read_text)
    if name.endswith((".txt", ".in")):
        return read_requirements(path, read_text)
    if name.endswith((".py", ".ipynb")) and name != "setup.py" and path.exists():
        return as_project(path)
    if name == "pipfile" or name.endswith(".toml"):
        text = read_text(path)
        data = toml_text.parse(text, str(path))
        if name.startswith("pylock") or "lock-version" in data:
            return parse_pylock(data, str(path))
        if name == "pipfile" or "packages" in data:
            return parse_pipfile(data, str(path))
        if not {"project", "tool", "dependency-groups", "build-system"}.isdisjoint(data):
            return replace(parse_pyproject(data, str(path)), pyproject=text)
    elif not path.exists():
        raise SourceError(f"{path}: does not exist; name {_KINDS}")
    raise SourceError(f"{path}: is of no kind that is known here; name {_KINDS}")


def read_text(path: Path) -> str:
    """Read a text as pip does: UTF-8, or what a byte order mark says. Raises PyvariumError."""
    data = read_optional(path)
    if data is None:
        raise SourceError(f"{path}: does not exist; mend what names it")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path}: is not {encoding.upper()} at byte {error.start}; save it as UTF-8"
        ) from None


def _load_yaml(path: Path, load_yaml: LoadYaml) -> Any:
    try:
        return load_yaml(read_text(path))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise SourceError(f"{path}: is not valid YAML ({reason}); mend it") from None


def _read_directory(path: Path, load_yaml: LoadYaml) -> Project:
    manifest = path / "spack.yaml"
    found = next((path / name for name in _IN_DIRECTORY if (path / name).is_file()), None)
    if found is None and not manifest.is_file():
        raise SourceError(f"{path}: has nothing to start from; name {_KINDS}")
    project = Project() if found is None else read_project(found, load_yaml)
    if not manifest.is_file():
        return project
    specs = _parse_manifest(_load_yaml(manifest, load_yaml), manifest)
    if found is not None and found.name == "Pipfile":
        project = _without_spacks(project, specs, path)
    skipped = [*specs.skipped, *project.skipped]
    if (path / "pyvarium.toml").is_file():
        reason = "names the programs that Pyvarium 0.2 ran; not needed any more"
        skipped.append(Skipped(str(path / "pyvarium.toml"), reason))
    return replace(
        project,
        name=project.name or path.resolve().name,
        specs=(*specs.specs, *project.specs),
        skipped=tuple(skipped),
    )


def _parse_manifest(data: Any, path: Path) -> Project:
    """The specs of a ``spack.yaml``; what else stands in it is skipped, or is made anew."""
    section = data.get("spack") if isinstance(data, Mapping) else None
    listed = section.get("specs") or [] if isinstance(section, Mapping) else None
    if section is None or not isinstance(listed, list):
        raise SourceError(f"{path}: has no list of specs; mend it")
    skipped = []
    specs = []
    for one in listed:
        if isinstance(one, str) and not one.startswith("$"):
            specs.append(str(one))
        else:
            reason = "is made of other lists, which are not taken over; write its specs out"
            skipped.append(
                Skipped(f"{path}: {one if isinstance(one, str) else 'a matrix'}", reason)
            )
    for key in section:
        if key not in _MADE_ANEW:
            reason = "is not taken over; copy it into the new spack.yaml"
            skipped.append(Skipped(f"{path}: {key}", reason))
    return Project(name=path.resolve().parent.name, specs=tuple(specs), skipped=tuple(skipped))


def _without_spacks(project: Project, specs: Project, path: Path) -> Project:
    """Leave out of a Pipfile what Pyvarium 0.2 put into it: a pin for all that Spack provided.

    What Spack provided is seen by the lockfile; where that cannot be read, by the specs.
    """
    skipped: List[Skipped] = []
    provided: Set[Tuple[str, str]] = set()
    named = {_project_of(spec) for spec in specs.specs} | {"pip", "setuptools", "wheel"}
    try:
        nodes = read_lockfile(path / "spack.lock").nodes.values()
        provided = {(_project_of(node.name), _canonical(node.version)) for node in nodes}
    except (LockfileError, FileError) as error:
        skipped.append(Skipped(str(path / "spack.lock"), f"shows no pins to leave out: {error}"))
    kept: List[Asked] = []
    dropped: List[str] = []
    for asked in project.requirements:
        pinned = _pinned(asked)
        if pinned is not None and (pinned in provided or pinned[0] in named):
            dropped.append(str(asked))
        else:
            kept.append(asked)
    if dropped:
        reason = f"{', '.join(dropped)}: pinned what Spack provided; the new environment's pins do"
        skipped.append(Skipped(str(path / "Pipfile"), reason))
    return replace(project, requirements=tuple(kept), skipped=(*project.skipped, *skipped))


def _project_of(spec: str) -> str:
    """The project that a spec most likely brings, by its name alone."""
    name = spec.replace("@", " ").replace("+", " ").replace("~", " ").replace("%", " ").split()[0]
    return str(canonicalize_name(name[3:] if name.startswith("py-") else name))


def _canonical(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion:
        return version


def _pinned(asked: Asked) -> Optional[Tuple[str, str]]:
    requirement = Requirement(str(asked))
    clauses = list(requirement.specifier)
    if len(clauses) != 1 or clauses[0].operator != "==" or requirement.extras:
        return None
    return str(canonicalize_name(requirement.name)), _canonical(clauses[0].version)
