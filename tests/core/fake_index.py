# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""An index that answers from memory, and the sdists and wheels that are on it."""

import bz2
import email.message
import gzip
import hashlib
import html
import io
import tarfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Mapping, Optional, Tuple, Union

from pyvarium.cache import Cache
from pyvarium.fetching import Fetcher

HOST = "https://index.example"
SIMPLE = f"{HOST}/simple"


class Response(io.BytesIO):
    """What an opener returns. With ``breaks`` the connection ends after so many bytes."""

    def __init__(
        self,
        data: bytes,
        headers: Mapping[str, str],
        status: int = 200,
        breaks: Optional[int] = None,
    ) -> None:
        super().__init__(data if breaks is None else data[:breaks])
        self.status = status
        self.headers = email.message.Message()
        for key, value in {"Content-Length": str(len(data)), **headers}.items():
            self.headers[key] = value


@dataclass
class Index:
    """Serves ``files`` by URL; ``first`` are errors or statuses to answer with before that.

    ``ranges`` is whether it serves parts; ``breaks`` are the bytes after which the connection
    ends, one number for each of the first answers.
    """

    files: Dict[str, bytes] = field(default_factory=dict)
    headers: Dict[str, Dict[str, str]] = field(default_factory=dict)
    first: List[Union[int, Exception, Tuple[int, Dict[str, str]]]] = field(default_factory=list)
    ranges: bool = True
    breaks: List[int] = field(default_factory=list)
    asked: List[str] = field(default_factory=list)
    requests: List[urllib.request.Request] = field(default_factory=list)
    slept: List[float] = field(default_factory=list)

    def __call__(self, request: urllib.request.Request, timeout: float) -> Response:
        url = request.full_url
        part = request.get_header("Range")
        self.asked.append(f"{url} {part}" if part else url)
        self.requests.append(request)
        if self.first:
            answer = self.first.pop(0)
            if isinstance(answer, Exception):
                raise answer
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            raise self.error(url, status, headers)
        if url not in self.files:
            raise self.error(url, 404, {})
        data, headers = self.files[url], self.headers.get(url, {})
        if "ETag" in headers and request.get_header("If-none-match") == headers["ETag"]:
            raise self.error(url, 304, {})
        breaks = self.breaks.pop(0) if self.breaks else None
        if part is None or not self.ranges:
            return Response(data, headers, breaks=breaks)
        first, last = part[len("bytes=") :].split("-")
        start = int(first) if first else max(0, len(data) - int(last))
        stop = int(last) + 1 if first and last else len(data)
        span = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        return Response(data[start:stop], {**headers, **span}, 206, breaks)

    @staticmethod
    def error(url: str, status: int, headers: Mapping[str, str]) -> urllib.error.HTTPError:
        message = email.message.Message()
        for key, value in headers.items():
            message[key] = value
        return urllib.error.HTTPError(url, status, "of the test", message, io.BytesIO())

    def fetcher(self, cache: Optional[Cache] = None, **options: object) -> Fetcher:
        return Fetcher(
            cache or Cache(None),
            **{"index": SIMPLE, "clock": lambda: 0.0, **options},  # type: ignore[arg-type]
            open_url=self,
            sleep=self.slept.append,
        )

    def add(self, project: str, name: str, data: bytes, **attributes: str) -> str:
        """Put a file on the page of a project; returns its URL."""
        url = f"{HOST}/files/{name}"
        self.files[url] = data
        said = "".join(
            f' data-{key.replace("_", "-")}="{html.escape(value)}"'
            for key, value in attributes.items()
        )
        digest = hashlib.sha256(data).hexdigest()
        page = f"{SIMPLE}/{project}/"
        before = self.files.get(page, b"<!DOCTYPE html><html><body>")
        anchor = f'<a href="../../files/{name}#sha256={digest}"{said}>{name}</a>\n'
        self.files[page] = before + anchor.encode()
        self.headers[page] = {"Content-Type": "text/html"}
        return url


Files = Mapping[str, Union[str, bytes]]


def tar(
    files: Files, top: str = "foo-1.0/", compress: Callable[[bytes], bytes] = gzip.compress
) -> bytes:
    """An sdist, with its files below one directory."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(f"{top}{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return compress(raw.getvalue())


def bzipped(files: Files) -> bytes:
    return tar(files, compress=bz2.compress)


def zipped(files: Files, top: str = "foo-1.0/") -> bytes:
    """A zip file: an sdist, or without a ``top`` a wheel."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{top}{name}", content)
    return raw.getvalue()


def metadata(name: str = "foo", version: str = "1.0", *lines: str, of: str = "2.4") -> str:
    head = (f"Metadata-Version: {of}", f"Name: {name}", f"Version: {version}")
    return "\n".join((*head, *lines, "", "Text.", ""))
