# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read ``spack.lock`` as a file, without Spack.

Follows ``Environment._to_lockfile_dict`` of ``spack.environment.environment`` and
``SpecfileReaderBase`` of ``spack.spec``. Formats 4 to 8 are keyed by DAG hash and differ only in
where a dependency keeps its types. Earlier formats are refused: Spack itself updates them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, Mapping, Optional, Tuple

from .errors import LockfileError

OLDEST, NEWEST = 4, 8
INCLUDED = "include_concrete"


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
        reached = set()
        waiting = list(self.roots)
        while waiting:
            dag_hash = waiting.pop()
            if dag_hash not in reached:
                reached.add(dag_hash)
                waiting.extend(self.nodes[dag_hash].needs)
        return frozenset(reached)


def read_lockfile(path: Path) -> Lockfile:
    """Read and parse a ``spack.lock``; raises LockfileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LockfileError(f"{path}: does not exist; run 'spack concretize' first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockfileError(f"{path}: cannot be read ({error}); restore the file") from None
    return parse_lockfile(text, str(path))


def parse_lockfile(text: str, subject: str = "spack.lock") -> Lockfile:
    """Turn the text of a lockfile into a value; ``subject`` names it in a LockfileError."""
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
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LockfileError(
            f"{subject}: is malformed ({type(error).__name__}: {error});"
            " run 'spack concretize --force' to write it anew"
        ) from None
    missing = sorted(needed - nodes.keys())
    if missing:
        raise LockfileError(
            f"{subject}: names {missing[0]!r}, which it does not hold;"
            " run 'spack concretize --force' to write it anew"
        )
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
            if not {"link", "run"}.isdisjoint(_types(dependency))
        ),
    )


def _types(dependency: Mapping[str, Any]) -> Tuple[str, ...]:
    if "parameters" in dependency:
        return tuple(dependency["parameters"]["deptypes"])
    return tuple(dependency["type"])
