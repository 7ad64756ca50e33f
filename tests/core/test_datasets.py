# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Git is real, and so are the servers on loopback that it and the downloads ask."""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import http.server
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

from pyvarium.datasets import DataError, fetch, fetch_download, fetch_repository
from pyvarium.pack_file import TIME
from pyvarium.pack_manifest import Data
from pyvarium.specification import Download, Repository, Specification

KEY = "spec.json: git.DATA"
ENVIRON = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "NO_PROXY": "*",
}

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(directory: Path, *words: str) -> str:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody"]
    command = ["git", "-C", str(directory), *who, *words]
    return subprocess.run(
        command, env=ENVIRON, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a branch, both kinds of tags, a name for both, and a link."""
    path = tmp_path_factory.mktemp("git") / "origin"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=main")
    for content in ("first", "second", "third"):
        (path / "table").write_text(content)
        (path / "link").unlink(missing_ok=True)
        (path / "link").symlink_to("table")
        git(path, "add", ".")
        git(path, "commit", "--quiet", "-m", content)
        if content == "first":
            git(path, "tag", "plain")
            git(path, "tag", "-a", "-m", "x", "annotated")
            git(path, "branch", "both")
        elif content == "second":
            git(path, "branch", "side/2")
            git(path, "tag", "both")
    git(path, "update-ref", "refs/changes/7", "main~1")
    git(path, "tag", "of-a-tree", "main^{tree}")
    return path


def fetched(
    repository: Repository, directory: Path, environ: Optional[Dict[str, str]] = None
) -> Tuple[Data, List[str]]:
    found = fetch_repository(repository, directory, KEY, environ or ENVIRON)
    return found, sorted(one.name for one in (directory / repository.variable).iterdir())


@pytest.mark.parametrize(
    ("ref", "content"),
    [
        (None, "third"),
        ("main", "third"),
        ("side/2", "second"),
        ("plain", "first"),
        ("annotated", "first"),
        ("refs/tags/both", "second"),
        ("refs/heads/both", "first"),
        ("refs/changes/7", "second"),
        ("COMMIT", "second"),
        ("ABBREVIATED", "second"),
    ],
)
def test_ref(origin: Path, tmp_path: Path, ref: Optional[str], content: str) -> None:
    second = git(origin, "rev-parse", "main~1")
    ref = {"COMMIT": second, "ABBREVIATED": second[:9]}.get(ref or "", ref)
    found = fetched(Repository("DATA", str(origin), ref), tmp_path)
    commit = git(origin, "rev-parse", {"first": "plain", "second": second}.get(content, "main"))
    assert found == (Data("DATA", "data/DATA", str(origin), commit=commit), ["link", "table"])
    assert (tmp_path / "DATA" / "link").read_text() == content
    assert os.readlink(tmp_path / "DATA" / "link") == "table"
    assert [one.name for one in tmp_path.iterdir()] == ["DATA"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ref": "nowhere"}, ".ref: {origin} has no branch, tag or commit nowhere; mend it"),
        ({"ref": "abcd12"}, ".ref: {origin} has no branch, tag or commit abcd12; mend it"),
        ({"ref": "0" * 40}, f".ref: {{origin}} has no branch, tag or commit {'0' * 40}; mend it"),
        (
            {"commit": "0" * 40},
            f".commit: {{origin}} has no branch, tag or commit {'0' * 40}; mend it",
        ),
        (
            {"ref": "of-a-tree"},
            ".ref: {origin} has no branch, tag or commit of-a-tree; mend it",
        ),
        (
            {"ref": "both"},
            ".ref: {origin} has a branch and a tag both; write refs/heads/both or refs/tags/both",
        ),
        (
            {"ref": "main", "commit": "0" * 40},
            ".commit: {origin} has {main} at main; name the right one, or another ref",
        ),
        (
            {"remote": "/nowhere"},
            ".remote: 'git ls-remote' of /nowhere fails (fatal: '/nowhere' does not appear to be a"
            " git repository); mend it, or try again",
        ),
    ],
    ids=str,
)
def test_not_there(origin: Path, tmp_path: Path, keys: Dict[str, str], message: str) -> None:
    with pytest.raises(DataError) as error:
        fetched(Repository("DATA", **{"remote": str(origin), **keys}), tmp_path)
    main = git(origin, "rev-parse", "main")
    assert str(error.value) == KEY + message.format(origin=origin, main=main)
    assert list(tmp_path.iterdir()) == []


def test_what_a_repository_may_not_do(origin: Path, tmp_path: Path) -> None:
    """No program is a transport, no hook or template of the user runs, no other place is used."""
    home = tmp_path / "home"
    hook = home / "templates" / "hooks" / "post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    (home / "config").write_text(
        f"[init]\n\ttemplateDir = {home}/templates\n[core]\n\thooksPath = {hook.parent}\n"
        f'[protocol "ext"]\n\tallow = always\n[url "ext::sh -c touch% {tmp_path}/ran "]\n'
        "\tinsteadOf = evil:\n"
    )
    environ = {
        **ENVIRON,
        "GIT_CONFIG_GLOBAL": str(home / "config"),
        "GIT_DIR": "/nowhere",
        "GIT_TEMPLATE_DIR": str(home / "templates"),
        "GIT_WORK_TREE": "/nowhere",
    }
    (tmp_path / "out").mkdir()
    assert fetched(Repository("DATA", str(origin)), tmp_path / "out", environ)[1] == [
        "link",
        "table",
    ]
    with pytest.raises(DataError, match=r"transport 'ext' not allowed"):
        fetched(Repository("MORE", "evil:x"), tmp_path / "out", environ)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "target", "wrong"),
    [
        ("link", "/etc/passwd", "its link 'link' leads out of the repository"),
        ("link", "../outside", "its link 'link' leads out of the repository"),
        ("link", "folder/../../outside", "its link 'link' leads out of the repository"),
        ("a\nb", ".", "its file 'a\\nb' has control characters in its name"),
    ],
    ids=ascii,
)
def test_what_a_pack_may_not_have(tmp_path: Path, name: str, target: str, wrong: str) -> None:
    path = tmp_path / "origin"
    path.mkdir()
    git(path, "init", "--quiet")
    (path / name).symlink_to(target)
    git(path, "add", ".")
    git(path, "commit", "--quiet", "-m", "x")
    with pytest.raises(DataError) as error:
        fetched(Repository("DATA", str(path)), tmp_path)
    assert str(error.value) == f"{KEY}: {wrong}; name a commit without it"


def test_git_is_missing(origin: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        fetched(Repository("DATA", str(origin)), tmp_path, {"PATH": str(tmp_path)})
    assert str(error.value) == (
        "git: cannot be run (No such file or directory); install it, as spec.json: git.DATA needs"
        " it"
    )


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and below ``/smart`` repositories as git itself does."""

    def do_GET(self) -> None:
        if self.path.startswith("/smart/"):
            self.smart(b"")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.smart(body)

    def smart(self, body: bytes) -> None:
        path, _, query = self.path[len("/smart") :].partition("?")
        environ = {
            **ENVIRON,
            "GIT_PROJECT_ROOT": self.directory,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], env=environ, input=body, capture_output=True, check=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().splitlines():
            key, _, value = line.partition(": ")
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Tuple[Path, str]]:
    """A directory and the URL that it has."""
    directory = tmp_path / "served"
    directory.mkdir()
    handler = functools.partial(Handler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield directory, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("folder", ["", "smart/"], ids=["dumb", "smart"])
@pytest.mark.parametrize("ref", ["annotated", "COMMIT"])
def test_repository_by_http(
    origin: Path, served: Tuple[Path, str], tmp_path: Path, folder: str, ref: str
) -> None:
    """A server of files alone can give no commit without its history."""
    directory, url = served
    git(directory, "clone", "--quiet", "--bare", str(origin), "x.git")
    git(directory / "x.git", "update-server-info")
    commit = git(origin, "rev-parse", {"COMMIT": "main~1"}.get(ref, "plain"))
    remote = f"{url}/{folder}x.git"
    ref = {"COMMIT": commit}.get(ref, ref)
    with_login = remote.replace("://", "://user:secret@")
    found, names = fetched(Repository("DATA", with_login, ref), tmp_path)
    shown = remote.replace("://", "://***@")
    assert (found, names) == (Data("DATA", "data/DATA", shown, commit=commit), ["link", "table"])


def tar(*members: Tuple[str, Any], compress: Callable[[bytes], bytes] = gzip.compress) -> bytes:
    """A tar file of contents, ``None`` for a directory, or pairs of a kind and a target."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            data = content if isinstance(content, bytes) else b""
            info.size, info.mode = len(data), 0o4755 if name.endswith(".sh") else 0o600
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, tuple):
                info.type, info.linkname = content
            archive.addfile(info, io.BytesIO(data))
    return compress(raw.getvalue())


def tree(top: Path) -> Dict[str, Any]:
    """What stands below a directory: contents with modes, links, or None."""
    found: Dict[str, Any] = {}
    for path in sorted(top.rglob("*")):
        name = path.relative_to(top).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = (path.read_bytes(), oct(path.stat().st_mode & 0o7777))
    return found


def downloaded(
    served: Tuple[Path, str], data: bytes, directory: Path, largest: int = 1 << 20, **keys: Any
) -> Data:
    (served[0] / "file").write_bytes(data)
    download = Download("DATA", f"{served[1]}/file", **keys)
    return fetch_download(download, directory, KEY, largest=largest)


@pytest.mark.parametrize(
    ("data", "keys", "content"),
    [
        (b"data", {}, b"data"),
        (b"", {}, b""),
        (gzip.compress(b"data"), {}, gzip.compress(b"data")),
        (gzip.compress(b"data"), {"compression": "gzip"}, b"data"),
        (bz2.compress(b"data"), {"compression": "bzip2"}, b"data"),
        (lzma.compress(b"data"), {"compression": "xz"}, b"data"),
        (b"data", {"sha256": hashlib.sha256(b"data").hexdigest()}, b"data"),
    ],
    ids=lambda one: str(one) if isinstance(one, dict) else "",
)
def test_file(
    served: Tuple[Path, str], tmp_path: Path, data: bytes, keys: Dict[str, Any], content: bytes
) -> None:
    found = downloaded(served, data, tmp_path, **keys)
    digest = hashlib.sha256(data).hexdigest()
    assert found == Data("DATA", "data/DATA", f"{served[1]}/file", digest=digest)
    assert (tmp_path / "DATA").read_bytes() == content


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_tar(served: Tuple[Path, str], tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    members = (
        ("./deep", None),
        ("./deep/x", b"old"),
        ("deep/x", b"x"),
        ("run.sh", b"#!"),
        ("hard", (tarfile.LNKTYPE, "deep/x")),
        ("deep/up", (tarfile.SYMTYPE, "../run.sh")),
        ("dangling", (tarfile.SYMTYPE, "nowhere")),
    )
    downloaded(served, tar(*members, compress=compress), tmp_path, kind="tar")
    assert tree(tmp_path / "DATA") == {
        "dangling": "nowhere",
        "deep": None,
        "deep/up": "../run.sh",
        "deep/x": (b"x", "0o644"),
        "hard": (b"x", "0o644"),
        "run.sh": (b"#!", "0o755"),
    }


_LINK, _HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tar(("../x", b"x")), "its member '../x' would be outside of it"),
        (tar(("/x", b"x")), "its member '/x' would be outside of it"),
        (tar(("a/../../x", b"x")), "its member 'a/../../x' would be outside of it"),
        (tar(("a\nb", b"")), "its member 'a\\nb' has control characters in its name"),
        (tar(("x", (_LINK, "/etc"))), "its link 'x' leads out of it"),
        (tar(("x", (_LINK, "../y"))), "its link 'x' leads out of it"),
        (tar(("a", (_LINK, ".")), ("b", (_LINK, "a/../.."))), "its link 'b' leads out of it"),
        (tar(("a", (_LINK, "../..")), ("a/x", b"x")), "its link 'a' leads out of it"),
        (tar(("a", (_LINK, "b")), ("a/x", b"x")), "its member 'a' is there twice"),
        (tar(("a", b""), ("a/x", b"x")), "it cannot be unpacked (File exists)"),
        (tar(("x", (_HARD, "/etc/passwd"))), "its member '/etc/passwd' would be outside of it"),
        (tar(("x", (tarfile.CHRTYPE, ""))), "its member 'x' is no file, directory or link"),
        (tar(("x", (tarfile.FIFOTYPE, ""))), "its member 'x' is no file, directory or link"),
        (tar(("x", bytes(2 << 20))), "it has more than 64 GiB"),
        (b"no archive", "it cannot be unpacked (file could not be opened successfully"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_hostile_tar(served: Tuple[Path, str], tmp_path: Path, data: bytes, reason: str) -> None:
    directory = tmp_path / "a" / "b"
    directory.mkdir(parents=True)
    with pytest.raises(DataError) as error:
        downloaded(served, data, directory, kind="tar")
    assert str(error.value).startswith(f"{KEY}: {served[1]}/file: {reason}")
    shutil.rmtree(directory / "DATA", ignore_errors=True)
    assert tree(tmp_path / "a") == {"b": None}


@pytest.mark.parametrize(
    ("data", "keys", "reason"),
    [
        (b"data", {"compression": "gzip"}, "it cannot be unpacked (Not a gzipped file"),
        (b"data", {"compression": "bzip2"}, "it cannot be unpacked (Invalid data stream"),
        (b"data", {"compression": "xz"}, "it cannot be unpacked (Compressed file ended"),
        (gzip.compress(b"data")[:-9], {"compression": "gzip"}, "it cannot be unpacked ("),
        (gzip.compress(bytes(2 << 20)), {"compression": "gzip"}, "it has more than 64 GiB"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_broken_file(
    served: Tuple[Path, str], tmp_path: Path, data: bytes, keys: Dict[str, Any], reason: str
) -> None:
    with pytest.raises(DataError) as error:
        downloaded(served, data, tmp_path, **keys)
    assert str(error.value).startswith(f"{KEY}: {served[1]}/file: {reason}")


def test_not_what_was_said(served: Tuple[Path, str], tmp_path: Path) -> None:
    digest = hashlib.sha256(b"data").hexdigest()
    with pytest.raises(DataError) as error:
        downloaded(served, b"data", tmp_path, sha256="0" * 64)
    assert str(error.value) == (
        f"{KEY}.sha256: {served[1]}/file has {digest}; name the right one, or another url"
    )
    with pytest.raises(DataError) as error:
        downloaded(served, b"data" * 99, tmp_path, largest=99)
    assert str(error.value) == (
        f"{KEY}.url: {served[1]}/file: is larger than 99 bytes; mend it, or try again later"
    )
    with pytest.raises(DataError) as error:
        fetch_download(Download("DATA", f"{served[1]}/nowhere"), tmp_path, KEY)
    assert str(error.value) == (
        f"{KEY}.url: {served[1]}/nowhere: does not exist (HTTP 404); mend it, or try again later"
    )
    assert not (tmp_path / "DATA").exists()


def test_all(origin: Path, served: Tuple[Path, str], tmp_path: Path) -> None:
    from pyvarium.project import Project

    (served[0] / "file").write_bytes(b"data")
    wanted = Specification(
        Project(),
        (Repository("TABLES", str(origin), "plain"),),
        (Download("FILE", f"{served[1]}/file"),),
    )
    said: List[str] = []
    found = fetch(
        wanted,
        tmp_path / "data",
        subject="spec.json",
        environ=ENVIRON,
        open_url=None,
        report=said.append,
    )
    assert [one.variable for one in found] == ["TABLES", "FILE"]
    assert said == [
        f"TABLES: fetching {origin}",
        f"TABLES: commit {git(origin, 'rev-parse', 'plain')}",
        f"FILE: fetching {served[1]}/file",
        f"FILE: sha256 {hashlib.sha256(b'data').hexdigest()}",
    ]
    assert (tmp_path / "data" / "TABLES" / "table").read_text() == "first"
    assert {one.lstat().st_mtime for one in tmp_path.glob("data/**/*") if not one.is_dir()} == {
        float(TIME)
    }
