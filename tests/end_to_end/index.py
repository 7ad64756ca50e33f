# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A package index on loopback, filled by tests from values. It needs nothing from outside.

The index speaks the HTML of PEP 503 with hashes, ``data-requires-python`` and the metadata files
of PEP 658. Wheels and sdists are made in memory, are valid to the byte and the same at every run.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import re
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Dict, Iterable, List, Mapping, Optional, Tuple

from packaging.utils import canonicalize_name

#: What every module of a wheel says of itself; a test's question is where it was imported from.
MODULE = '''\
"""Code from the index."""

SOURCE = "index"


def main():
    print(SOURCE, __file__)
'''


@dataclass(frozen=True)
class Release:
    """A version of a project, as a pure wheel with one module of the project's name."""

    name: str
    version: str
    requires: Tuple[str, ...] = ()
    requires_python: str = ">=3.6"
    #: Console scripts, name to entry point.
    scripts: Mapping[str, str] = field(default_factory=dict)
    module: str = MODULE
    extras: Tuple[str, ...] = ()
    #: What it is imported by, where that is not the project's name.
    imported: str = ""

    @property
    def escaped(self) -> str:
        """The name as it stands in file names, which is also the module's."""
        return canonicalize_name(self.name).replace("-", "_")

    @property
    def filename(self) -> str:
        return f"{self.escaped}-{self.version}-py3-none-any.whl"


def render_metadata(release: Release) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {release.name}", f"Version: {release.version}"]
    lines += [f"Requires-Python: {release.requires_python}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in release.requires]
    lines += [f"Provides-Extra: {extra}" for extra in release.extras]
    return "".join(f"{line}\n" for line in lines).encode()


def render_wheel(release: Release) -> bytes:
    """Render the archive with its RECORD; no clock, no compression, so always the same bytes."""
    metadata = f"{release.escaped}-{release.version}.dist-info"
    files = {
        f"{release.imported or release.escaped}/__init__.py": release.module.encode(),
        f"{metadata}/METADATA": render_metadata(release),
        f"{metadata}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }
    if release.scripts:
        lines = [f"{name} = {target}\n" for name, target in sorted(release.scripts.items())]
        files[f"{metadata}/entry_points.txt"] = "".join(["[console_scripts]\n", *lines]).encode()
    record = f"{metadata}/RECORD"
    rows = [f"{name},sha256={_record_hash(data)},{len(data)}\n" for name, data in files.items()]
    files[record] = "".join([*rows, f"{record},,\n"]).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as wheel:
        for name, data in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o100644 << 16
            wheel.writestr(member, data)
    return archive.getvalue()


def render_sdist(release: Release, files: Mapping[str, str]) -> bytes:
    """Render what it is built from, with its PKG-INFO."""
    top = f"{release.escaped}-{release.version}"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as sdist:
        for name, text in {"PKG-INFO": render_metadata(release).decode(), **files}.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size, member.mtime = len(text.encode()), 315619200  # A zip file begins in 1980.
            sdist.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(archive.getvalue(), mtime=0)


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


class Index:
    """A server of releases, from ``with`` to its end."""

    def __init__(self, releases: Iterable[Release] = ()) -> None:
        #: Path to content type and body.
        self.pages: Dict[str, Tuple[str, bytes]] = {}
        #: The paths that were asked for, in order.
        self.asked: List[str] = []
        self._links: Dict[str, List[str]] = {}
        self._server: Optional[ThreadingHTTPServer] = None
        for release in releases:
            self.add(release)

    @property
    def url(self) -> str:
        """The URL for an installer's index setting."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def add(self, release: Release) -> None:
        metadata = render_metadata(release)
        said = f"sha256={hashlib.sha256(metadata).hexdigest()}"
        self.pages[f"/files/{release.filename}.metadata"] = ("application/octet-stream", metadata)
        attributes = {"dist-info-metadata": said, "core-metadata": said}
        self._add_file(release, release.filename, render_wheel(release), attributes)

    def add_sdist(
        self, release: Release, files: Mapping[str, str], yanked: Optional[str] = None
    ) -> None:
        name = f"{release.escaped}-{release.version}.tar.gz"
        attributes = {} if yanked is None else {"yanked": yanked}
        self._add_file(release, name, render_sdist(release, files), attributes)

    def _add_file(
        self, release: Release, filename: str, data: bytes, attributes: Mapping[str, str]
    ) -> None:
        path = f"/files/{filename}"
        self.pages[path] = ("application/octet-stream", data)
        attributes = {**attributes, "requires-python": release.requires_python}
        said = "".join(f' data-{key}="{html.escape(text)}"' for key, text in attributes.items())
        sha256 = hashlib.sha256(data).hexdigest()
        link = f'<a href="{path}#sha256={sha256}"{said}>{filename}</a>'
        name = canonicalize_name(release.name)
        self._links.setdefault(name, []).append(link)
        self.pages[f"/simple/{name}/"] = _page(self._links[name])
        links = (f'<a href="/simple/{project}/">{project}</a>' for project in self._links)
        self.pages["/simple/"] = _page(links)

    def __enter__(self) -> Index:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # Installers keep their connections.

            def do_GET(self) -> None:
                path = re.sub("[?#].*", "", self.path)
                index.asked.append(path)
                content_type, body = index.pages.get(path, ("text/plain", b"not here\n"))
                self.send_response(200 if path in index.pages else 404)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-cache")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


def _page(links: Iterable[str]) -> Tuple[str, bytes]:
    body = "".join(f"{link}<br>\n" for link in links)
    head = '<meta name="pypi:repository-version" content="1.1">'
    text = f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{body}</body></html>\n"
    return "text/html; charset=utf-8", text.encode()
