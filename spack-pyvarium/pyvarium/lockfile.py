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
import json
import re
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
_SPECS = "concrete_specs"
_SPACE = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode


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
    return _parsed(_hashes, lambda _: None, _read(path), str(path))


def parse_lockfile(text: str, subject: str = "spack.lock") -> Lockfile:
    """Turn the text of a lockfile into a value; ``subject`` names it in a LockfileError."""
    return _parsed(_lockfile, _node_or_entry, text, subject)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")  # Not as text, which takes thrice as long.
    except FileNotFoundError:
        raise LockfileError(f"{path}: does not exist; run 'spack concretize' first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockfileError(f"{path}: cannot be read ({error}); restore the file") from None


def _parsed(
    parse: Callable[[Any], _Value], reduce: Callable[[Any], Any], text: str, subject: str
) -> _Value:
    try:
        data = _decoded(text, reduce)
        version = data["_meta"]["lockfile-version"]
    except (ValueError, RecursionError, LookupError, TypeError):
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


def _decoded(text: str, reduce: Callable[[Any], Any]) -> Mapping[str, Any]:
    """Decode JSON with each concrete spec ``reduce``d before the next one is decoded.

    All of a large lockfile at once takes ten times the memory, and then as long to free as to
    decode. Raises ValueError or IndexError where it is not an object of JSON.
    """

    def reduced(_: str, start: int) -> Tuple[Any, int]:
        value, end = _decode(text, start)
        return reduce(value), end

    def member(key: str, start: int) -> Tuple[Any, int]:
        whole = key != _SPECS or text[start] != "{"
        return _decode(text, start) if whole else _object(text, start, reduced)

    data, end = _object(text, _behind_space(text, 0), member)
    if _behind_space(text, end) != len(text):
        raise ValueError("there is more than an object")
    return data


def _object(
    text: str, start: int, value_at: Callable[[str, int], Tuple[Any, int]]
) -> Tuple[Dict[str, Any], int]:
    """Decode the object that starts there, and where it ends, by what decodes each value."""
    if text[start] != "{":
        raise ValueError("this is no object")
    found: Dict[str, Any] = {}
    at = start
    while not found or text[at] == ",":
        at = _behind_space(text, at + 1)
        if text[at] == "}" and not found:
            break
        key, at = _decode(text, at)
        at = _behind_space(text, at)
        if not isinstance(key, str) or text[at] != ":":
            raise ValueError("a member is no key with a value")
        found[key], at = value_at(key, _behind_space(text, at + 1))
        at = _behind_space(text, at)
    if text[at] != "}":
        raise ValueError("an object is not closed")
    return found, at + 1


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # It matches anywhere.
    return found.end()


class _MissingError(Exception):
    """A node is named that is not there."""


def _hashes(data: Mapping[str, Any]) -> FrozenSet[str]:
    roots = frozenset(root["hash"] for part in _parts(data) for root in part["roots"])
    hashes = frozenset().union(*(part[_SPECS].keys() for part in _parts(data)))
    for dag_hash in sorted(roots - hashes):
        raise _MissingError(dag_hash)
    return hashes


def _lockfile(data: Mapping[str, Any]) -> Lockfile:
    roots = frozenset(root["hash"] for part in _parts(data) for root in part["roots"])
    nodes = {
        dag_hash: entry if isinstance(entry, Node) else _node(entry)
        for part in _parts(data)
        for dag_hash, entry in part[_SPECS].items()
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
    yield {"roots": data["roots"], _SPECS: data.get(_SPECS, {})}
    for included in data.get(INCLUDED, {}).values():
        yield from _parts(included)


def _node_or_entry(entry: Any) -> Any:
    """The node that an entry is; one that is none stays, to be refused after all else."""
    try:
        return _node(entry)
    except (LookupError, TypeError, AttributeError):
        return entry


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
