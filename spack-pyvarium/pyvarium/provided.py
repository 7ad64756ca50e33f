# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What Spack provides in an environment: the distributions that python finds there, by spec.

The view is what python imports from, so the view is scanned and each distribution found in it is
mapped to its spec by its real path; the store stands in where an environment has no view. The DAG
only explains what is absent: it holds specs that are not installed, not linked or not python's.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from .distributions import metadata_file, metadata_paths, read_distribution, site_packages
from .errors import MetadataError, ProvidedError, StaleViewError
from .lockfile import Lockfile, Node
from .model import Distribution, Environment, Inventory, Provided, Skipped

#: The end of an installation prefix under Spack's default projection, ``{name}-{version}-{hash}``.
_HASH = re.compile(r"-([a-z0-9]{32})$")
#: A path below the library of a python, and the prefix that this is in.
_LIBRARY = re.compile(r"(.*)/lib(?:64)?/python[^/]*/", re.DOTALL)


class Known(NamedTuple):
    """What a metadata path was found to hold, and the spec that it belongs to."""

    name: str
    version: str
    dag_hash: str


#: For who remembers nothing.
_NOTHING: Mapping[str, Known] = {}


class _Found(NamedTuple):
    """A metadata path, and the spec that it belongs to (None where it is not Spack's)."""

    path: Path
    dag_hash: Optional[str]


def provided_distributions(
    environment: Environment, lockfile: Lockfile, known: Mapping[str, Known] = _NOTHING
) -> Inventory:
    """List what the environment provides, and with a reason each what it does not.

    What is ``known``, by metadata path, is not read again. Raises ProvidedError where the view is
    stale or two specs provide the same project: what python would import is not what the lockfile
    says, so no pin would be right.
    """
    if environment.views:
        directories = [found for view in environment.views for found in site_packages(view)]
        found = list(_in_view(environment, lockfile, [path for _, path in directories], known))
        _refuse_stale(environment, lockfile, found)
    else:
        directories, found = _in_store(environment, lockfile)

    skipped: List[Skipped] = []
    provided: Dict[str, Provided] = {}
    seen: Set[str] = set()
    for path, dag_hash in found:
        if dag_hash is None:
            reason = "is not Spack's but stands in the view; it is lost when the view is renewed"
            if _dangles(path) or _dangles(metadata_file(path)):
                reason = "points to a spec that is no longer installed; run 'spack install'"
            skipped.append(Skipped(str(path), reason))
            continue
        node = lockfile.nodes[dag_hash]
        seen.add(dag_hash)
        try:
            before = known.get(str(path))
            distribution = Distribution(*before[:2], path) if before else read_distribution(path)
        except MetadataError as error:
            remedy = f"run 'spack install --overwrite {node.name}/{dag_hash[:7]}'"
            if _dangles(path) or _dangles(metadata_file(path)):
                # As after a rebuild of 'spack develop': Spack takes the view for up to date.
                remedy = "run 'spack env view disable' and 'spack env view enable'"
            skipped.append(Skipped(node.spec, f"{error}; {remedy}", fault=True))
            continue
        _add(provided, _provided(distribution, node, dag_hash, lockfile))

    for dag_hash in lockfile.runtime() - seen:
        node = lockfile.nodes[dag_hash]
        if node.name.startswith("py-"):
            skipped.append(Skipped(node.spec, _absence(environment, node, dag_hash)))
    pythons = sorted({version for version, _ in directories})
    python = pythons[0] if len(pythons) == 1 else None
    if not pythons:
        python = _python_of(lockfile)
    return Inventory(
        provided=tuple(provided[name] for name in sorted(provided)),
        skipped=tuple(sorted(skipped, key=lambda one: (one.subject, one.reason))),
        python=python,
        interpreter=_interpreter(environment, lockfile, python) if python else None,
        site_packages=tuple(path for _, path in directories),
    )


def _python_of(lockfile: Lockfile) -> Optional[str]:
    """The ``X.Y`` of the python that the specs are for, where nothing is installed for it yet."""
    nodes = (lockfile.nodes[dag_hash] for dag_hash in lockfile.runtime())
    versions = {".".join(one.version.split(".")[:2]) for one in nodes if one.name == "python"}
    return versions.pop() if len(versions) == 1 else None


def _interpreter(environment: Environment, lockfile: Lockfile, python: str) -> Optional[Path]:
    """The python that imports what is provided: the view's, or else that of the specs.

    Below it may lie a ``python-venv``, since Spack 0.22. A venv's own interpreter is of no use to
    make another one from, so it is followed to the one that it was made from (PEP 405).
    """
    prefixes = list(environment.views or ())
    for dag_hash in sorted(lockfile.runtime()):
        node = lockfile.nodes[dag_hash]
        if node.name == "python":
            found = Path(node.external) if node.external else environment.locate(dag_hash)
            prefixes += [found] if found else []
    for prefix in prefixes:
        for name in (f"python{python}", "python3"):
            if os.path.exists(prefix / "bin" / name):  # Not if somebody may not look there.
                return _base_interpreter(prefix, name)
    return None


def _base_interpreter(prefix: Path, name: str) -> Path:
    try:
        text = (prefix / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return (prefix / "bin" / name).resolve()
    home = re.search(r"^home\s*=\s*(.+?)\s*$", text, re.MULTILINE)
    base = Path(home[1], name) if home else prefix / "bin" / name
    return base if os.path.exists(base) else (prefix / "bin" / name).resolve()


def _dangles(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _in_view(
    environment: Environment,
    lockfile: Lockfile,
    directories: List[Path],
    known: Mapping[str, Known],
) -> Iterator[_Found]:
    """Map what stands in a view to specs. Copies and hard links have no real path to go by."""
    copied: Optional[Mapping[str, str]] = None
    for directory in directories:
        for path in metadata_paths(directory):
            before = known.get(str(path))
            if before is not None:
                yield _Found(path, before.dag_hash)
                continue
            prefix = prefix_of(metadata_file(path))
            dag_hash = _hash_of(prefix, lockfile) if prefix else None
            if dag_hash is None:
                if copied is None:
                    copied = _names_in_store(environment, lockfile)
                dag_hash = copied.get(path.name)
            yield _Found(path, dag_hash)


def _in_store(
    environment: Environment, lockfile: Lockfile
) -> Tuple[List[Tuple[str, Path]], List[_Found]]:
    directories: List[Tuple[str, Path]] = []
    found: List[_Found] = []
    for dag_hash in sorted(lockfile.runtime()):
        prefix = environment.locate(dag_hash)
        if prefix is None or lockfile.nodes[dag_hash].external:
            continue
        for version, directory in site_packages(prefix):
            directories.append((version, directory))
            found.extend(_Found(path, dag_hash) for path in metadata_paths(directory))
    return directories, found


def _names_in_store(environment: Environment, lockfile: Lockfile) -> Mapping[str, str]:
    _, found = _in_store(environment, lockfile)
    return {path.name: dag_hash for path, dag_hash in found if dag_hash}


def prefix_of(metadata: Path) -> Optional[str]:
    """The installation prefix that a metadata file really lies in, if it is one of Spack's.

    A view links files, or whole directories, straight into the store. To resolve every part of
    both paths would cost more than all the rest; it is done for what is linked otherwise.
    """
    file = str(metadata)
    for link in (file, os.path.dirname(file)):
        with contextlib.suppress(OSError):  # It is none.
            prefix = _above_library(os.path.join(os.path.dirname(link), os.readlink(link)))
            if prefix is not None:
                return prefix
    return _above_library(os.path.realpath(metadata))


def _above_library(path: str) -> Optional[str]:
    match = _LIBRARY.match(path)
    return match[1] if match and os.path.isdir(f"{match[1]}/.spack") else None


def _hash_of(prefix: str, lockfile: Lockfile) -> Optional[str]:
    """The DAG hash of an installation prefix, by its name or else by what Spack wrote into it."""
    match = _HASH.search(prefix)
    if match and match[1] in lockfile.nodes:
        return match[1]
    try:
        data = json.loads(Path(prefix, ".spack", "spec.json").read_text(encoding="utf-8"))
        return str(data["spec"]["nodes"][0]["hash"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def _refuse_stale(environment: Environment, lockfile: Lockfile, found: List[_Found]) -> None:
    stale = [path for path, dag_hash in found if dag_hash and dag_hash not in lockfile.nodes]
    if stale:
        raise StaleViewError(
            f"{stale[0]}: stands in the view but not in {environment.lockfile};"
            " run 'spack env view regenerate'"
        )


def _provided(
    distribution: Distribution, node: Node, dag_hash: str, lockfile: Lockfile
) -> Provided:
    return Provided(
        name=distribution.name,
        version=distribution.version,
        spec=node.spec,
        dag_hash=dag_hash,
        direct=dag_hash in lockfile.roots,
        path=distribution.path,
    )


def _add(provided: Dict[str, Provided], one: Provided) -> None:
    """Keep one distribution of a project. A spec may leave both kinds of metadata behind."""
    other = provided.setdefault(one.name, one)
    if (other.dag_hash, other.version) != (one.dag_hash, one.version):
        remedy = "set 'concretizer:unify:true' or remove one of them"
        if other.spec.partition("@")[0] != one.spec.partition("@")[0]:  # To Spack two projects.
            remedy = "give one of them an environment of its own"
        raise ProvidedError(
            f"{one.name}: provided twice, by {other.spec}/{other.dag_hash[:7]} and"
            f" {one.spec}/{one.dag_hash[:7]}; {remedy}"
        )


def _absence(environment: Environment, node: Node, dag_hash: str) -> str:
    """Why a python extension that the lockfile holds is not among the provided distributions."""
    if node.external:
        return f"is external ({node.external}), which views leave out"
    prefix = environment.locate(dag_hash)
    if prefix is None:
        return "is not installed, or not linked into the view"
    if not any(True for _, path in site_packages(prefix) for _ in metadata_paths(path)):
        return "leaves no *.dist-info or *.egg-info"
    return "is installed but not linked into the view"
