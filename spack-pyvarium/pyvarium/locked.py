# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a backend's lock installs for one python: versions, and the files with their hashes.

``uv.lock``, ``poetry.lock``, ``pdm.lock`` and ``pylock.toml`` (PEP 751) are locks for many
platforms and groups at once. What of it is for this one is chosen here, as the backend itself
chooses: uv's by following its dependencies, the others' by the groups and markers of each entry.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)
from urllib.parse import unquote, urlsplit, urlunsplit

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name
from packaging.version import Version

from .errors import PyvariumError
from .markers import applies
from .model import Backend, Skipped
from .toml_text import parse, value_at

#: The index that a lock means where it names none.
PYPI = "https://pypi.org/simple"
#: The group of PDM's, and of Poetry's, with the dependencies of the project itself.
_MAIN = {Backend.POETRY: "main", Backend.PDM: "default"}
#: What else would be a line of its own in a file of requirements.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_HASH = re.compile(r"[a-z0-9]+:[0-9a-f]+")
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, order=True)
class File:
    """A wheel or an sdist; ``hash`` is as ``sha256:...``, ``url`` leads to a server if any."""

    name: str
    hash: str
    url: Optional[str] = None
    size: Optional[int] = None

    @property
    def is_wheel(self) -> bool:
        return self.name.endswith(".whl")


@dataclass(frozen=True, order=True)
class Locked:
    """A project in the version that is to be installed. ``index`` is None where none is named."""

    name: str
    version: str
    index: Optional[str] = None
    files: Tuple[File, ...] = ()


@dataclass(frozen=True)
class Selection:
    """Which part of a lock is wanted. Where ``everything`` is set, all groups and extras are.

    ``markers`` are the values of the environment that it is for (PEP 508).
    """

    markers: Mapping[str, str]
    groups: Tuple[str, ...] = ()
    extras: Tuple[str, ...] = ()
    everything: bool = False


def parse_locked(
    text: str, subject: str, backend: Backend, selection: Selection
) -> Tuple[Tuple[Locked, ...], Tuple[Skipped, ...]]:
    """What a lock has for a selection, sorted, and what of it is from no index.

    Raises PyvariumError where the file is no lock, or has no such group or extra.
    """
    data = parse(text, subject)
    choose: Callable[[Mapping[str, Any], str, Selection], Iterator[Mapping[str, Any]]] = {
        Backend.UV: _uv,
        Backend.POETRY: _poetry,
        Backend.PDM: _pdm,
        Backend.PIP: _pylock,
    }[backend]
    found: Dict[str, Locked] = {}
    skipped: List[Skipped] = []
    try:
        for entry in choose(data, subject, selection):
            if not _NAME.fullmatch(entry["name"]):
                raise ValueError(entry["name"])
            name = canonicalize_name(entry["name"])
            index, source = _index(entry)
            if source is not None or "version" not in entry:
                skipped.append(Skipped(name, f"comes from {source or 'here'}, which is no index"))
                continue
            one = Locked(name, str(Version(entry["version"])), index, tuple(_files(entry)))
            found[name] = one
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise PyvariumError(f"{subject}: is no lock ({error!r}); lock again") from None
    return tuple(found[name] for name in sorted(found)), tuple(sorted(set(skipped), key=str))


def _uv(
    data: Mapping[str, Any], subject: str, selection: Selection
) -> Iterator[Mapping[str, Any]]:
    """Follow the dependencies from the project, over those whose markers hold."""
    entries = data["package"]
    [root] = [one for one in entries if "." in one.get("source", {}).values()] or [None]
    if root is None:
        raise PyvariumError(f"{subject}: has no entry for the project itself; lock again")
    extras, groups = root.get("optional-dependencies", {}), root.get("dev-dependencies", {})
    _check(subject, selection, groups, extras)
    waiting = list(root.get("dependencies", ()))
    for known, wanted in ((extras, selection.extras), (groups, selection.groups)):
        for name, edges in known.items():
            if selection.everything or canonicalize_name(name) in wanted:
                waiting += edges
    seen: Set[Tuple[int, str]] = set()
    while waiting:
        edge = waiting.pop()
        if not applies(_marker(edge.get("marker")), selection.markers):
            continue
        entry = next((one for one in entries if _leads_to(edge, one)), None)
        if entry is None:
            raise KeyError(edge["name"])
        for extra in ("", *edge.get("extra", ())):
            if (id(entry), extra) not in seen:
                seen.add((id(entry), extra))
                optional = entry.get("optional-dependencies", {})
                waiting += optional.get(extra, ()) if extra else entry.get("dependencies", ())
                if not extra and entry is not root:
                    yield entry


def _leads_to(edge: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Version and source are named where there is more than one of the name."""
    return all(edge[key] == entry.get(key) for key in ("name", "version", "source") if key in edge)


def _poetry(
    data: Mapping[str, Any], subject: str, selection: Selection
) -> Iterator[Mapping[str, Any]]:
    groups = {group for one in data.get("package", ()) for group in one.get("groups", ())}
    extras = data.get("extras", {})
    _check(subject, selection, groups, extras)
    wanted = _wanted(Backend.POETRY, selection)
    active = tuple(extras) if selection.everything else selection.extras
    for entry in data.get("package", ()):
        marker = entry.get("markers")
        for group in entry.get("groups", ("main",)):
            own = marker.get(group) if isinstance(marker, Mapping) else marker
            chosen = selection.everything or canonicalize_name(group) in wanted
            if chosen and _holds_for_any(own, active, selection):
                yield entry
                break


def _pdm(
    data: Mapping[str, Any], subject: str, selection: Selection
) -> Iterator[Mapping[str, Any]]:
    groups = value_at(data, ("metadata", "groups")) or ()
    _check(subject, selection, groups, groups)
    wanted = {*_wanted(Backend.PDM, selection), *selection.extras}
    for entry in data.get("package", ()):
        own = {canonicalize_name(one) for one in entry.get("groups", ("default",))}
        chosen = selection.everything or own & wanted
        if chosen and applies(_marker(entry.get("marker")), selection.markers):
            yield entry


def _pylock(
    data: Mapping[str, Any],
    subject: str,  # noqa: ARG001 One of four alike.
    selection: Selection,
) -> Iterator[Mapping[str, Any]]:
    for entry in data["packages"]:
        if applies(_marker(entry.get("marker")), selection.markers):
            yield entry


def _wanted(backend: Backend, selection: Selection) -> Set[str]:
    return {_MAIN[backend], *selection.groups}


def _check(
    subject: str, selection: Selection, groups: Iterable[str], extras: Iterable[str]
) -> None:
    for what, wanted, known in (
        ("group", selection.groups, groups),
        ("extra", selection.extras, extras),
    ):
        missing = set(wanted) - {canonicalize_name(one) for one in known}
        if missing:
            raise PyvariumError(
                f"{subject}: has no {what} '{min(missing)}'; name another, or lock again"
            )


def _holds_for_any(marker: Optional[str], extras: Sequence[str], selection: Selection) -> bool:
    parsed = _marker(marker)
    return any(applies(parsed, {**selection.markers, "extra": one}) for one in ("", *extras))


def _marker(text: Optional[str]) -> Optional[Marker]:
    try:
        return Marker(text) if text else None
    except InvalidMarker:
        return None  # As one that cannot be evaluated.


def _index(entry: Mapping[str, Any]) -> Tuple[Optional[str], Optional[str]]:
    """The index of an entry, or else what it is from.

    ``source`` is uv's and Poetry's; PDM and PEP 751 have other keys for each kind of origin.
    """
    source = entry.get("source", {})
    kind = source.get("type")
    if kind is not None:  # Poetry's
        return (_plain(source["url"]), None) if kind == "legacy" else (None, str(kind))
    if "registry" in source:
        url = _plain(source["registry"])
        return url, None if url else "a directory"
    for key in (*source, *(key for key in ("vcs", "directory", "archive") if key in entry)):
        return None, key
    for key in ("git", "path", "url"):
        if key in entry:
            return None, key
    return _plain(entry.get("index", "")), None


def _files(entry: Mapping[str, Any]) -> Iterator[File]:
    """The files of an entry that have a hash, sorted."""
    listed = [*entry.get("files", ()), *entry.get("wheels", ())]
    listed += [entry["sdist"]] if "sdist" in entry else []
    found = set()
    for one in listed:
        name = one.get("file") or one.get("name") or _base(one.get("url") or one.get("path", ""))
        hashes = one.get("hashes") or {}
        digest = one.get("hash") or next((":".join(pair) for pair in sorted(hashes.items())), "")
        if name and _HASH.fullmatch(digest):
            found.add(File(name, digest, _plain(one.get("url", "")), one.get("size")))
    return iter(sorted(found, key=lambda one: (one.name, one.hash)))


def _base(url: str) -> str:
    return posixpath.basename(unquote(urlsplit(url).path))


def _plain(url: str) -> Optional[str]:
    """A URL of a server, without what one logs in with; None for what is on this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not _PRINTABLE.fullmatch(url):
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
