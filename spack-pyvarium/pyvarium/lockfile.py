# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read ``spack.lock`` as a file, without Spack.

Follows ``Environment._to_lockfile_dict`` of ``spack.environment.environment`` and
``SpecfileReaderBase`` of ``spack.spec``. Formats 4 to 8 are keyed by DAG hash and differ only in
where a dependency keeps its types. Earlier formats are refused: Spack itself updates them.
"""

from __future__ import annotations

import functools
import gc
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
)

from .errors import LockfileError

OLDEST, NEWEST = 4, 8
INCLUDED = "include_concrete"
_Value = TypeVar("_Value")
_RUNTIME = frozenset(("link", "run"))


@dataclass(frozen=True)
class Node:
    """A concrete spec: what it is called, and which specs it needs to link or run."""

    name: str
    version: str
    external: Optional[str]
    needs: Tuple[str, ...]

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Lockfile:
    """The concrete specs of an environment by DAG hash, those of included environments too.

    ``included`` are the roots of each environment that was included, by its path.
    """

    roots: FrozenSet[str]
    nodes: Mapping[str, Node]
    included: Mapping[str, FrozenSet[str]] = field(default_factory=dict)

    def runtime(self) -> FrozenSet[str]:
        """Hashes of the roots and of all that they need to link or run: no build dependency."""
        return self._runtime

    @functools.cached_property
    def _runtime(self) -> FrozenSet[str]:
        reached = set(self.roots)
        waiting = list(self.roots)
        while waiting:
            for dag_hash in self.nodes[waiting.pop()].needs:
                if dag_hash not in reached:
                    reached.add(dag_hash)
                    waiting.append(dag_hash)
        return frozenset(reached)


def read_lockfile(path: Path) -> Lockfile:
    """Read and parse a ``spack.lock``; raises LockfileError."""
    return parse_lockfile(_read(path), str(path))


def read_hashes(path: Path) -> FrozenSet[str]:
    """The DAG hashes of a ``spack.lock`` alone, in half the time; raises LockfileError."""
    return _uncollected(_hashes, _read(path), str(path))


def parse_lockfile(text: str, subject: str = "spack.lock") -> Lockfile:
    """Turn the text of a lockfile into a value; ``subject`` names it in a LockfileError."""
    return _uncollected(_lockfile, text, subject)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LockfileError(f"{path}: does not exist; run 'spack concretize' first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockfileError(f"{path}: cannot be read ({error}); restore the file") from None


def _uncollected(parse: Callable[[Any], _Value], text: str, subject: str) -> _Value:
    """Parse a text while no garbage is looked for, until all but the answer is gone.

    Among so many values that are none it takes four times as long as all the rest.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return _parsed(parse, text, subject)
    finally:
        if enabled:
            gc.enable()


def _parsed(parse: Callable[[Any], _Value], text: str, subject: str) -> _Value:
    try:
        data = json.loads(text)
        version = data["_meta"]["lockfile-version"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise LockfileError(
            f"{subject}: is not a Spack lockfile; run 'spack concretize --force' to write it anew"
        ) from None
    if not isinstance(version, int) or not OLDEST <= version <= NEWEST:
        remedy = "update spack-pyvarium" if _is_newer(version) else "run 'spack concretize'"
        raise LockfileError(
            f"{subject}: lockfile version {version!r} is not among the known {OLDEST} to {NEWEST};"
            f" {remedy}"
        )
    try:
        return parse(data)
    except _MissingError as error:
        raise LockfileError(
            f"{subject}: names {error.args[0]!r}, which it does not hold;"
            " run 'spack concretize --force' to write it anew"
        ) from None
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise LockfileError(
            f"{subject}: is malformed ({type(error).__name__}: {error});"
            " run 'spack concretize --force' to write it anew"
        ) from None


class _MissingError(Exception):
    """A node is named that is not there."""


def _hashes(data: Mapping[str, Any]) -> FrozenSet[str]:
    roots = frozenset(root["hash"] for part in _parts(data) for root in part["roots"])
    hashes = frozenset().union(*(part["concrete_specs"].keys() for part in _parts(data)))
    for dag_hash in sorted(roots - hashes):
        raise _MissingError(dag_hash)
    return hashes


def _lockfile(data: Mapping[str, Any]) -> Lockfile:
    roots = frozenset(root["hash"] for part in _parts(data) for root in part["roots"])
    nodes = {
        dag_hash: _node(entry)
        for part in _parts(data)
        for dag_hash, entry in part["concrete_specs"].items()
    }
    included = {
        str(path): frozenset(root["hash"] for root in part["roots"])
        for path, part in data.get(INCLUDED, {}).items()
    }
    needed = set(roots).union(*(node.needs for node in nodes.values()))
    for dag_hash in sorted(needed - nodes.keys()):
        raise _MissingError(dag_hash)
    return Lockfile(roots, nodes, included)


def _is_newer(version: object) -> bool:
    return isinstance(version, int) and version > NEWEST


def _parts(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The lockfile itself, then the environments that it includes."""
    yield {"roots": data["roots"], "concrete_specs": data.get("concrete_specs", {})}
    for included in data.get(INCLUDED, {}).values():
        yield from _parts(included)


def _node(entry: Dict[str, Any]) -> Node:
    external = entry.get("external")
    version = entry["version"] if "version" in entry else entry["versions"][0]
    return Node(
        name=str(entry["name"]),
        version=str(version),
        external=str(external.get("path") or external.get("module")) if external else None,
        needs=tuple(
            str(dependency["hash"])
            for dependency in entry.get("dependencies", ())
            if not _RUNTIME.isdisjoint(_types(dependency))
        ),
    )


def _types(dependency: Mapping[str, Any]) -> Iterable[str]:
    if "parameters" in dependency:
        return dependency["parameters"]["deptypes"]  # type: ignore[no-any-return]
    return dependency["type"]  # type: ignore[no-any-return]
