# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""From the name of a project to its releases: the index, the metadata, the sdists.

Each source is asked in turn, the cheapest first: the page of the index has all files and digests;
metadata is beside a wheel (PEP 658), else in the wheel, at its end, else in the sdist; how it is
built is in the sdist alone. What one release lacks is told of, and stops no other.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import (
    IO,
    Callable,
    Collection,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
    cast,
)

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from . import languages, sdists
from .archives import Archive, check_zip_member, read_archive
from .core_metadata import Metadata, parse_metadata
from .distributions import headers
from .errors import FileError, MetadataError, PyvariumError, quoted
from .fetching import MEBIBYTE, AbsentError, Fetcher, NotFoundError, RefusedError
from .index import parse_page, project_url, split_sdist_name
from .releases import File, Project, Release
from .sdists import Sdist
from .selection import Candidate, candidates, select
from .tarball import ArchiveError

LARGEST_METADATA = 8 * MEBIBYTE
LARGEST_SDIST = 1024 * MEBIBYTE
#: What is left of an sdist and not read where its build is known before.
_MUCH = MEBIBYTE // 2
#: How many wheels of a release are asked for its metadata before its sdist is.
_MOST_WHEELS = 2
#: How many files beside wheels are asked for before they are given up, where there is none.
_MOST_ABSENT = 8

#: What reading a wheel that is broken may raise.
_BROKEN = (
    *(OSError, EOFError, RuntimeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)

#: Told of each release that is read: how many are, of how many, and which.
Progress = Callable[[int, int, str], None]


class ReleasesError(PyvariumError):
    """A project has no release of which a recipe could be made."""


def fetch_project(
    name: str,
    versions: Optional[str],
    fetcher: Fetcher,
    *,
    specifier: Optional[SpecifierSet] = None,
    keep: Collection[str] = (),
    progress: Progress = lambda *_: None,
) -> Project:
    """Fetch what an index has of a project: releases as ``selection.select`` chooses them.

    Raises PyvariumError where there is no such project, where it has no release of that kind, or
    where the index cannot be reached. What is read is cached at once, so that a call which was
    broken off goes on where it was.
    """
    if not _is_name(name):
        raise ReleasesError(f"{quoted(name)}: is not the name of a project; check its spelling")
    project = canonicalize_name(name)
    files, problems = _fetch_files(project, fetcher)
    found = candidates(files)
    chosen = select(found, versions, specifier, keep)
    if not chosen:
        named = versions if versions and any(one in "<>=!~" for one in versions) else ""
        asked = ",".join(filter(None, [str(specifier or ""), named, *sorted(keep)]))
        raise _nothing(project, files, found, asked, fetcher.index)
    releases: Dict[int, Release] = {}
    left_out: Dict[int, str] = {}
    beside = _Beside()
    with ThreadPoolExecutor(fetcher.connections) as pool:
        pending = {
            pool.submit(_fetch_release, project, one, fetcher, beside): at
            for at, one in enumerate(chosen)
        }
        try:
            for done, future in enumerate(as_completed(pending), start=1):
                at = pending[future]
                version = chosen[at].source.label
                try:
                    releases[at] = future.result()
                except (MetadataError, RefusedError) as error:
                    left_out[at] = f"{version} is left out: {error}"
                progress(done, len(chosen), f"{project} {version}")
        except BaseException:
            for future in pending:
                future.cancel()
            raise
    if not releases:
        raise ReleasesError(
            f"{project}: has no release with metadata that can be used ({left_out[0]});"
            " ask for other versions"
        )
    problems += [left_out[at] for at in sorted(left_out)]
    if fetcher.cache.failure is not None:
        problems.append(f"nothing was cached: {fetcher.cache.failure}")
    return Project(project, tuple(releases[at] for at in sorted(releases)), tuple(problems))


def _is_name(name: str) -> bool:
    """The core metadata specification, "Name"."""
    plain = name.replace(".", "-").replace("_", "-")
    return (
        plain.isascii()
        and plain.replace("-", "").isalnum()
        and not plain.startswith("-")
        and not plain.endswith("-")
        and len(plain) <= 200
    )


def _fetch_files(project: str, fetcher: Fetcher) -> Tuple[Tuple[File, ...], List[str]]:
    url = project_url(fetcher.index, project)
    try:
        answer = fetcher.page(url)
    except NotFoundError:
        raise ReleasesError(
            f"{project}: is not on {fetcher.index}; check its spelling, or name another index by"
            " PIP_INDEX_URL"
        ) from None
    page = parse_page(answer.data, answer.content_type, url, project)
    return page.files, list(page.problems)


def _nothing(
    project: str, files: Sequence[File], found: Sequence[Candidate], asked: str, index: str
) -> ReleasesError:
    """Why there is no release of a project to choose."""
    if not files:
        return ReleasesError(f"{project}: has no files on {index}; name another index")
    if found:
        newest = ", ".join(one.source.label for one in found[:3])
        return ReleasesError(
            f"{project}: has no release for {quoted(asked)}; its newest are {newest}"
        )
    sources = [one for one in files if not one.is_wheel]
    if not sources:
        return ReleasesError(
            f"{project}: has wheels alone on {index}, no sdist to build from; write a recipe that"
            " takes its sources from elsewhere, or its wheels"
        )
    reason = next((one.yanked for one in reversed(sources) if one.yanked), "")
    why = f" ({quoted(reason)})" if reason else ""
    return ReleasesError(f"{project}: all its sdists are yanked{why}; ask for another project")


class _Beside:
    """Whether an index has the metadata of a project's wheels beside them (PEP 658).

    Some have it and do not say so, others for some files only: it is asked for until that is
    hopeless, which costs less than to read the wheels.
    """

    def __init__(self) -> None:
        self._found = False
        self._absent = 0

    def fetch(self, wheel: File, fetcher: Fetcher) -> Tuple[bytes, Tuple[str, ...]]:
        if not wheel.metadata and not self._found and self._absent >= _MOST_ABSENT:
            raise NotFoundError(f"{wheel.url}.metadata: is not asked for; others do not exist")
        try:
            data = fetcher.content(f"{wheel.url}.metadata", LARGEST_METADATA)
        except NotFoundError:
            self._absent += 1
            raise
        self._found = True
        return data, ()


def _fetch_release(
    project: str, candidate: Candidate, fetcher: Fetcher, beside: _Beside
) -> Release:
    """Raises MetadataError and RefusedError for this release, FetchError where none can be had."""
    source = candidate.source
    doubts: Tuple[str, ...] = ()
    wrong: List[str] = []
    found = _fetch_wheel_metadata(project, candidate, fetcher, beside, wrong)
    sdist = _fetch_sdist(source, fetcher, whole=found is None)
    if found is None:
        if sdist.metadata is None:
            said = "; ".join([*wrong[:1], *sdist.problems[:1]]) or "its sdist has no PKG-INFO"
            raise MetadataError(f"{project} {source.label}: there is no metadata of it ({said})")
        metadata, doubts = _sdist_metadata(project, candidate.version, sdist, sdist.metadata)
        found = metadata, ()
    release = _release(source, *found, sdist, doubts)
    return replace(release, compiled=_is_compiled(candidate))


_SDIST_WANTED = "name what 'python -m build --sdist' makes"


def read_project(path: Path) -> Project:
    """Read a project from an sdist on this machine, its only release; raises PyvariumError."""
    try:
        data = path.read_bytes()
        archive = read_archive(io.BytesIO(data), path.name, sdists.wanted)
    except OSError as error:
        raise FileError(
            f"{path}: cannot be read ({error.strerror}); name an sdist that can"
        ) from None
    except ArchiveError as error:
        raise FileError(f"{path}: is no sdist ({error}); {_SDIST_WANTED}") from None
    sdist = sdists.describe(archive)
    if sdist.metadata is None:
        raise FileError(f"{path}: has no PKG-INFO; {_SDIST_WANTED}")
    stated = {key.lower(): value for key, value in headers(sdist.metadata.encode())}
    name = stated.get("name", "")
    if not _is_name(name):
        raise FileError(f"{path}: its PKG-INFO names no project; mend it")
    project = canonicalize_name(name)
    try:
        label, version = split_sdist_name(path.name, project)
    except ValueError as error:
        raise FileError(f"{path}: {error}; give it its own name") from None
    source = File(
        path.name, path.resolve().as_uri(), version, label, hashlib.sha256(data).hexdigest()
    )
    metadata, doubts = _sdist_metadata(project, version, sdist, sdist.metadata)
    return Project(project, (_release(source, metadata, (), sdist, doubts),))


def _release(
    source: File,
    metadata: Metadata,
    modules: Tuple[str, ...],
    sdist: Sdist,
    doubts: Tuple[str, ...],
) -> Release:
    requires_python = metadata.requires_python
    return Release(
        version=source.version,
        source=source,
        requires=metadata.requires,
        requires_python=requires_python if str(requires_python) else source.requires_python,
        extras=metadata.extras,
        license=metadata.license,
        summary=metadata.summary,
        homepage=metadata.homepage,
        modules=modules,
        build=sdist.build,
        problems=(*metadata.problems, *doubts, *sdist.problems),
    )


def _is_compiled(candidate: Candidate) -> Optional[bool]:
    if not candidate.wheels:
        return None
    return not all(one.name.endswith("-none-any.whl") for one in candidate.wheels)


def _fetch_wheel_metadata(
    project: str, candidate: Candidate, fetcher: Fetcher, beside: _Beside, wrong: List[str]
) -> Optional[Tuple[Metadata, Tuple[str, ...]]]:
    """The metadata of a wheel, and the import names where they came along.

    None where no wheel has any that can be used; why is added to ``wrong``.
    """
    wheels = candidate.wheels[:_MOST_WHEELS]
    for wheel in wheels:
        data = fetcher.cache.read("metadata", wheel.sha256) if wheel.sha256 else None
        if data is not None:
            return parse_metadata(data, project, candidate.version), ()
    for ask in (beside.fetch, _fetch_from_wheel):
        for wheel in wheels:
            try:
                data, modules = ask(wheel, fetcher)
                metadata = parse_metadata(data, project, candidate.version)
            except (MetadataError, RefusedError) as error:
                wrong.append(str(error))
                continue
            if wheel.sha256:
                fetcher.cache.write("metadata", wheel.sha256, data)
            return metadata, modules
    return None


def _sdist_metadata(
    project: str, version: Version, sdist: Sdist, text: str
) -> Tuple[Metadata, Tuple[str, ...]]:
    """The metadata in an sdist, and what is doubtful of it."""
    metadata = parse_metadata(text.encode(), project, version)
    if metadata.complete:
        return metadata, ()
    if sdist.requires is not None and sdist.requires_origin != "requires.txt":
        return replace(metadata, requires=sdist.requires), ()
    if metadata.requires:
        return metadata, ("its requirements are those of its PKG-INFO, which may leave some out",)
    if sdist.requires is not None:
        return replace(metadata, requires=sdist.requires), (
            "its requirements are those of its requires.txt, as of the machine that packed it",
        )
    return metadata, ("its metadata does not say what it requires",)


def _fetch_from_wheel(wheel: File, fetcher: Fetcher) -> Tuple[bytes, Tuple[str, ...]]:
    """METADATA in a wheel, of which only the end is read if the server can do that."""
    with fetcher.seekable(wheel.url) as file:
        return read_wheel(file, wheel.name)


def read_wheel(file: IO[bytes], name: str) -> Tuple[bytes, Tuple[str, ...]]:
    """METADATA and the import names of a wheel; raises MetadataError."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            inside = [one for one in names if one.endswith(".dist-info/METADATA")]
            inside = [one for one in inside if one.count("/") == 1]
            if len(inside) != 1:
                raise MetadataError(f"{name}: has no METADATA")
            check_zip_member(archive.getinfo(inside[0]))
            with archive.open(inside[0]) as member:
                data = member.read(LARGEST_METADATA + 1)
    except _BROKEN as error:
        said = " ".join(str(error).split())
        raise MetadataError(f"{name}: cannot be read ({said})") from None
    if len(data) > LARGEST_METADATA:
        raise MetadataError(f"{name}: its METADATA has more than {LARGEST_METADATA} bytes")
    return data, _modules(names)


def _modules(names: Iterable[str]) -> Tuple[str, ...]:
    """What can be imported, by the names of the files in a wheel."""
    found: Set[str] = set()
    for name in names:
        top, slash, rest = name.partition("/")
        if top.endswith(".data") and rest.startswith(("purelib/", "platlib/")):
            top, slash, rest = rest.partition("/")[2].partition("/")
        module = top if slash else top.partition(".")[0]
        is_code = posixpath.splitext(name)[1] in (".py", ".so", ".pyd")
        if is_code and module.isidentifier() and module.isascii():
            found.add(module)
    return tuple(sorted(found))


def _fetch_sdist(source: File, fetcher: Fetcher, *, whole: bool) -> Sdist:
    """Read an sdist, or what was read of it before; what cannot be read is a problem of it.

    Where it need not be ``whole``, its build is enough.
    """
    kind = f"sdists-{sdists.FORMAT}"
    cached = sdists.parse_sdist(fetcher.cache.read(kind, source.sha256)) if source.sha256 else None
    if cached is not None and (cached.whole or not whole):
        return cached
    try:
        archive = _read_sdist(source, fetcher, whole=whole)
    except AbsentError as error:
        return Sdist(problems=(f"how it is built is not known: {error}",))
    except (ArchiveError, RefusedError) as error:
        return Sdist(problems=(f"its sdist could not be read: {error}",))
    sdist = sdists.describe(archive)
    if source.sha256:
        fetcher.cache.write(kind, source.sha256, sdists.render_sdist(sdist))
    return sdist


def _read_sdist(source: File, fetcher: Fetcher, *, whole: bool) -> Archive:
    if source.name.endswith(".zip"):
        # Its directory is at its end, and what is wanted all over it.
        with fetcher.download(source.url, LARGEST_SDIST) as file:
            _check_digest(_Digested(file), source)
            file.seek(0)
            return read_archive(file, source.name, sdists.wanted)
    with fetcher.stream(source.url, LARGEST_SDIST) as stream:
        digested = _Digested(stream)

        def enough(name: str, texts: Mapping[str, str]) -> bool:
            # To read a little more costs nothing, and then the digest is known.
            return not whole and stream.left > _MUCH and languages.is_all_there(name, texts)

        archive = read_archive(cast(IO[bytes], digested), source.name, sdists.wanted, enough)
        if archive.whole:
            _check_digest(digested, source)
        return archive


def _check_digest(digested: _Digested, source: File) -> None:
    if source.sha256 not in (None, digested.hexdigest()):
        raise ArchiveError("it has another sha256 than the index says")


class _Digested(io.RawIOBase):
    """Passes a stream on and takes its digest."""

    def __init__(self, stream: Union[IO[bytes], io.RawIOBase]) -> None:
        super().__init__()
        self._stream = stream
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size) or b""
        self._digest.update(data)
        return data

    def hexdigest(self) -> str:
        """The digest of all of it, with what has not been read."""
        while self.read(MEBIBYTE):
            pass
        return self._digest.hexdigest()
