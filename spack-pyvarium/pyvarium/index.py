# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Parse what an index says of a project: PEP 503 (HTML) and PEP 691 (JSON). Pure; fetches nothing.

An index is not trusted. A file is taken where its name is that of a wheel or an sdist of this very
project, its URL is one to download from, and its hash looks like one; any other is passed over.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .errors import PyvariumError, quoted
from .releases import File

#: Both forms, JSON first (PEP 691).
ACCEPT = (
    "application/vnd.pypi.simple.v1+json,"
    " application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
#: In the order of preference where a release has more than one.
SDIST_SUFFIXES = (".tar.gz", ".tar.bz2", ".zip")

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", re.ASCII)
#: No number of a version is as long; Python refuses to read some that are.
_ABSURD = re.compile(r"\d{100}")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_PRINTABLE = re.compile(r"[!-~]+")
#: What there is nothing to be said against, as nearly all are.
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?/[A-Za-z0-9._~!$&'()*+,;=:/?%-]*")
_KIND = re.compile(r"\.[A-Za-z]{1,8}\Z")
_MAJOR = 1


class PageError(PyvariumError):
    """The answer of an index cannot be read."""


@dataclass(frozen=True)
class Page:
    """The wheels and sdists of a project in the order of the index, and what was passed over."""

    files: Tuple[File, ...] = ()
    problems: Tuple[str, ...] = ()


@dataclass(frozen=True)
class _Link:
    """What the index says of a file, as it says it."""

    name: str
    url: str
    sha256: Optional[str]
    requires_python: str
    yanked: Optional[str]
    metadata: bool


def project_url(index: str, project: str) -> str:
    """Where an index has the page of a project (PEP 503)."""
    return f"{index.rstrip('/')}/{canonicalize_name(project)}/"


def parse_page(data: bytes, content_type: str, url: str, project: str) -> Page:
    """Parse the page of a project, which came from ``url``; raises PageError.

    ``url`` has no user and no password in it, nor has any that is returned.
    """
    text = data.decode("utf-8", "replace")
    is_json = content_type.partition(";")[0].strip().lower().endswith("json")
    links, problems = (_json_links if is_json else _html_links)(text, url)
    wanted = canonicalize_name(project)
    files: List[File] = []
    others: Counter[str] = Counter()
    for link in links:
        if not _is_wheel_or_sdist(link.name):
            kind = _KIND.search(link.name)
            others[kind[0].lower() if kind else "no suffix"] += 1
            continue
        try:
            file = _file(link, url, wanted)
        except ValueError as error:
            problems.append(f"{quoted(link.name)} is passed over: {error}")
            continue
        files.append(file)
        if link.requires_python and not file.is_wheel and not str(file.requires_python):
            wrong = quoted(link.requires_python)
            problems.append(f"{file.name} requires Python {wrong}, which is no specifier")
    if others:
        kinds = ", ".join(sorted(others))
        problems.append(f"{sum(others.values())} files are neither wheels nor sdists ({kinds})")
    return Page(tuple(files), tuple(problems))


def split_sdist_name(name: str, project: str) -> Tuple[str, Version]:
    """The version in the name of a project's sdist, as it is spelled and parsed.

    The project is known, so that versions with a dash, which older tools wrote, are understood:
    ``foo-1.0-1.tar.gz``. Raises ValueError.
    """
    suffix = next((one for one in SDIST_SUFFIXES if name.endswith(one)), None)
    if suffix is None or not _FILE_NAME.fullmatch(name):
        raise ValueError("it is not named as an sdist")
    stem = name[: -len(suffix)]
    for dash in re.finditer("-", stem):
        label = stem[dash.end() :]
        if _normalized(stem[: dash.start()]) == project:
            try:
                return label, _version(label)
            except InvalidVersion:
                continue
    raise ValueError(f"it is not named as an sdist of {project}, or its version is not valid")


def _split_wheel_name(name: str, project: str) -> Tuple[str, Version]:
    """As ``packaging.utils.parse_wheel_filename``, without its tags: an index has thousands."""
    parts = name[: -len(".whl")].split("-")
    if len(parts) not in (5, 6) or (len(parts) == 6 and not parts[2][:1].isdigit()):
        raise ValueError("it is not named as a wheel")
    if _normalized(parts[0]) != project:
        raise ValueError(f"it is not of {project}")
    try:
        return parts[1], _version(parts[1])
    except InvalidVersion:
        raise ValueError("its version is not valid") from None


@functools.lru_cache(maxsize=4096)
def _version(text: str) -> Version:
    return Version(text)


@functools.lru_cache(maxsize=4096)
def _specifier(text: str) -> SpecifierSet:
    try:
        return SpecifierSet() if _ABSURD.search(text) else SpecifierSet(text)
    except InvalidSpecifier:
        return SpecifierSet()


@functools.lru_cache(maxsize=4096)
def _normalized(name: str) -> str:
    return canonicalize_name(name)


def _is_wheel_or_sdist(name: str) -> bool:
    return name.endswith((".whl", *SDIST_SUFFIXES))


def _file(link: _Link, page: str, project: str) -> File:
    """Check a link; raises ValueError."""
    if not _FILE_NAME.fullmatch(link.name) or _ABSURD.search(link.name):
        raise ValueError("its name is not as that of any file of an index")
    if link.name.endswith(".whl"):
        label, version = _split_wheel_name(link.name, project)
    else:
        label, version = split_sdist_name(link.name, project)
    if link.sha256 is not None and not _SHA256.fullmatch(link.sha256):
        raise ValueError("its sha256 is not one")
    return File(
        link.name,
        _download_url(link.url, page),
        version,
        label,
        link.sha256 and link.sha256.lower(),
        _specifier(link.requires_python),
        link.yanked,
        link.metadata,
    )


def _download_url(url: str, page: str) -> str:
    """Check where a file is, and leave out who logs in there; raises ValueError."""
    if _PLAIN_URL.fullmatch(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:  # Of a host in brackets that is no IPv6 address.
        raise ValueError("its URL is not one to download from") from None
    local = parts.scheme == "file" and urlsplit(page).scheme == "file"
    if not _PRINTABLE.fullmatch(url) or not (
        local or (parts.scheme in ("http", "https") and parts.hostname)
    ):
        raise ValueError("its URL is not one to download from")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _json_links(text: str, url: str) -> Tuple[List[_Link], List[str]]:
    """PEP 691, PEP 700, PEP 714."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise PageError(f"{url}: is not valid JSON; name another index") from None
    listed = data.get("files") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise PageError(f"{url}: has no list of files; name another index")
    meta = data.get("meta")
    _check_major(str(meta.get("api-version", "")) if isinstance(meta, dict) else "", url)
    links: List[_Link] = []
    problems: List[str] = []
    for one in listed:
        link = _json_link(one, url) if isinstance(one, dict) else None
        if link is not None:
            links.append(link)
    if len(links) < len(listed):
        problems.append(f"{len(listed) - len(links)} files have no name or no URL")
    return links, problems


def _json_link(one: Mapping[str, Any], base: str) -> Optional[_Link]:
    name, href = one.get("filename"), one.get("url")
    if not isinstance(name, str) or not isinstance(href, str):
        return None
    url = _joined(base, href)
    hashes = one.get("hashes")
    sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
    requires_python = one.get("requires-python")
    yanked = one.get("yanked")
    return _Link(
        name,
        url,
        None if sha256 is None else str(sha256),
        requires_python if isinstance(requires_python, str) else "",
        yanked if isinstance(yanked, str) else "" if yanked else None,
        any(bool(one.get(key)) for key in ("core-metadata", "dist-info-metadata")),
    )


def _html_links(text: str, url: str) -> Tuple[List[_Link], List[str]]:
    """PEP 503, PEP 592, PEP 629, PEP 658, PEP 714."""
    parser = _Anchors()
    try:
        parser.feed(text)
        parser.close()
    except (AssertionError, ValueError):
        raise PageError(f"{url}: is not valid HTML; name another index") from None
    _check_major(parser.version, url)
    return list(_anchored(parser.anchors, _joined(url, parser.base))), []


def _anchored(anchors: Sequence[Mapping[str, str]], base: str) -> Iterator[_Link]:
    for anchor in anchors:
        url, _, fragment = _joined(base, anchor["href"]).partition("#")
        path = url.partition("?")[0]
        algorithm, _, value = fragment.partition("&")[0].partition("=")
        yield _Link(
            unquote(path.rpartition("/")[2]),
            url,
            value if algorithm == "sha256" else None,
            anchor.get("data-requires-python", ""),
            anchor.get("data-yanked"),
            any(
                anchor.get(key, "false") != "false"
                for key in ("data-core-metadata", "data-dist-info-metadata")
            ),
        )


def _joined(base: str, href: str) -> str:
    href = href.strip()
    if href.startswith(("https://", "http://")):
        return href
    try:
        return urljoin(base, href)
    except ValueError:
        return ""


def _check_major(version: str, url: str) -> None:
    """An index of another major version means what is not known here (PEP 629)."""
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) != _MAJOR:
        raise PageError(
            f"{url}: is of version {quoted(version)} of the index format, and {_MAJOR} is known;"
            " name another index"
        )


class _Anchors(HTMLParser):
    """Collects what PEP 503 gives a meaning to."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: List[Dict[str, str]] = []
        self.base = ""
        self.version = ""

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        attributes = {key: value or "" for key, value in reversed(attrs)}  # The first of two wins.
        if tag == "a" and attributes.get("href"):
            self.anchors.append(attributes)
        elif tag == "base":
            self.base = self.base or attributes.get("href", "")
        elif tag == "meta" and attributes.get("name") == "pypi:repository-version":
            self.version = attributes.get("content", "")
