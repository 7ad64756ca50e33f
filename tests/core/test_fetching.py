# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import http.client
import io
import ssl
import urllib.error
import zipfile
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fake_index import HOST, SIMPLE, Index, zipped
from pyvarium.cache import Cache
from pyvarium.errors import PyvariumError
from pyvarium.fetching import (
    DEFAULT_INDEX,
    AbsentError,
    Fetcher,
    FetchError,
    NotFoundError,
    RefusedError,
    index_of,
    split_login,
)
from pyvarium.ranges import RangeFile

URL = f"{HOST}/files/foo-1.0.tar.gz"
PAGE = f"{SIMPLE}/foo/"
BYTES = bytes(range(256)) * 1024


def refused(reason: BaseException) -> urllib.error.URLError:
    return urllib.error.URLError(reason)


@pytest.mark.parametrize(
    ("first", "slept"),
    [
        ([], []),
        ([503], [0.5]),
        ([500, 502, 504], [0.5, 1.0, 2.0]),
        ([(429, {"Retry-After": "7"})], [7.0]),
        ([(429, {"Retry-After": "86400"})], [60.0]),
        ([(503, {"Retry-After": "Thu, 01 Jan 1970 00:00:09 GMT"})], [9.0]),
        ([(503, {"Retry-After": "soon"})], [0.5]),
        ([(503, {"Retry-After": "-3"})], [0.5]),
        ([TimeoutError("timed out")], [0.5]),
        ([refused(ConnectionRefusedError(111, "Connection refused")), 408], [0.5, 1.0]),
        ([http.client.RemoteDisconnected("closed")], [0.5]),
        ([http.client.BadStatusLine("x")], [0.5]),
    ],
    ids=str,
)
def test_tried_again(first: List[Any], slept: List[float]) -> None:
    index = Index({URL: b"data"}, first=list(first))
    assert (index.fetcher().content(URL, 10), index.slept) == (b"data", slept)


@pytest.mark.parametrize(
    ("first", "error", "message", "attempts"),
    [
        ([404], NotFoundError, "does not exist (HTTP 404); check its spelling", 1),
        ([410], NotFoundError, "does not exist (HTTP 410); check its spelling", 1),
        ([401], RefusedError, "may not be read (HTTP 401); mend the login for the index", 1),
        ([403], RefusedError, "may not be read (HTTP 403); mend the login for the index", 1),
        ([451], RefusedError, "cannot be had (HTTP 451); name another index", 1),
        ([500] * 4, FetchError, "the server fails (HTTP 500); try again later", 4),
        ([429] * 4, FetchError, "the server fails (HTTP 429); try again later", 4),
        (
            [refused(ConnectionRefusedError(111, "Connection refused"))] * 4,
            FetchError,
            "cannot be reached (Connection refused); check the network, or take what was fetched"
            " before by --offline",
            4,
        ),
        (
            [TimeoutError("timed out")] * 4,
            FetchError,
            "cannot be reached (timed out); check the network, or take what was fetched"
            " before by --offline",
            4,
        ),
        (
            [refused(ssl.SSLCertVerificationError(1, "certificate verify failed"))],
            FetchError,
            "cannot be reached (certificate verify failed); check the network, or take what was"
            " fetched before by --offline",
            1,
        ),
        (
            [refused(FileNotFoundError(2, "x"))],
            NotFoundError,
            "does not exist; check its spelling",
            1,
        ),
    ],
    ids=str,
)
def test_given_up(first: List[Any], error: type, message: str, attempts: int) -> None:
    index = Index({URL: b"data"}, first=list(first))
    with pytest.raises(PyvariumError) as raised:
        index.fetcher().content(URL, 10)
    assert type(raised.value) is error
    assert (str(raised.value), len(index.asked)) == (f"{URL}: {message}", attempts)


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize("breaks", [[1000], [0], [100_000, 90_000], [1, 1, 1]], ids=str)
def test_taken_up_where_it_broke_off(breaks: List[int], ranges: bool) -> None:
    if not ranges:
        breaks = breaks[:1]
    index = Index({URL: BYTES}, breaks=list(breaks), ranges=ranges)
    assert index.fetcher().content(URL, len(BYTES)) == BYTES
    assert len(index.asked) == len(breaks) + 1


def test_not_taken_up_for_ever() -> None:
    index = Index({URL: BYTES}, breaks=[10] * 9)
    with pytest.raises(FetchError) as raised:
        index.fetcher().content(URL, len(BYTES))
    assert str(raised.value) == (
        f"{URL}: breaks off (the connection ended early); check the network, or try again"
    )
    assert len(index.asked) == 4


def test_taken_up_of_the_same_file_only() -> None:
    index = Index({URL: BYTES}, {URL: {"ETag": '"a"'}}, breaks=[1000])
    index.fetcher().content(URL, len(BYTES))
    assert [one.get_header("If-range") for one in index.requests] == [None, '"a"']


@pytest.mark.parametrize("announced", [True, False])
def test_no_more_than_the_limit(announced: bool) -> None:
    index = Index({URL: BYTES}, {} if announced else {URL: {"Content-Length": "unknown"}})
    with pytest.raises(RefusedError, match="is larger than 1000 bytes; not read further"):
        index.fetcher().content(URL, 1000)


def test_a_server_that_trickles() -> None:
    now = iter(range(0, 10_000, 400))
    index = Index({URL: BYTES})
    with pytest.raises(FetchError, match="takes more than 600 s; try again"):
        index.fetcher(clock=lambda: float(next(now))).content(URL, len(BYTES))


def test_a_page_is_sent_once(tmp_path: Path) -> None:
    index = Index({PAGE: b"page"}, {PAGE: {"Content-Type": "text/html", "ETag": '"1"'}})
    cache = Cache(tmp_path)
    answers = [index.fetcher(cache).page(PAGE) for _ in range(2)]
    assert answers[0] == answers[1]
    assert [one.get_header("If-none-match") for one in index.requests] == [None, '"1"']


def test_a_page_that_has_changed_is_sent_again(tmp_path: Path) -> None:
    index = Index({PAGE: b"page"}, {PAGE: {"ETag": '"1"', "Last-Modified": "then"}})
    cache = Cache(tmp_path)
    index.fetcher(cache).page(PAGE)
    index.files[PAGE], index.headers[PAGE] = b"new", {"ETag": '"2"'}
    assert index.fetcher(cache).page(PAGE).data == b"new"
    assert index.requests[1].get_header("If-modified-since") == "then"
    assert index.fetcher(cache, offline=True).page(PAGE).data == b"new"


def test_a_page_that_is_said_to_be_as_it_was_and_never_was_there() -> None:
    with pytest.raises(FetchError, match="is said to be as it was, and was not there; try again"):
        Index(first=[304]).fetcher().page(PAGE)


def test_both_forms_of_a_page_are_accepted() -> None:
    index = Index({PAGE: b"page"})
    index.fetcher().page(PAGE)
    assert index.requests[0].get_header("Accept") == (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2,"
        " text/html;q=0.1"
    )


@pytest.mark.parametrize("ask", ["page", "content", "seekable"])
def test_offline_asks_nobody(ask: str) -> None:
    index = Index({PAGE: b"page"})
    fetcher = index.fetcher(offline=True)
    arguments = (PAGE, 10) if ask == "content" else (PAGE,)
    with pytest.raises(AbsentError) as raised:
        getattr(fetcher, ask)(*arguments)
    assert str(raised.value) == f"{PAGE}: is not in the cache; run this once without --offline"
    assert index.asked == []


@pytest.mark.parametrize("cached", [b"", b"{", b"[]\nx", b'{"content-type": 1}\n', b"\xff"])
def test_what_was_cached_by_another_is_asked_for_again(tmp_path: Path, cached: bytes) -> None:
    cache = Cache(tmp_path)
    cache.write("pages", PAGE, cached)
    assert Index({PAGE: b"page"}).fetcher(cache).page(PAGE).data == b"page"


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    cache = Cache(tmp_path / "cache")
    assert Index({PAGE: b"page"}).fetcher(cache).page(PAGE).data == b"page"
    assert (cache.failure or "").endswith("(Not a directory); move away what stands there")


def test_no_key_is_a_path(tmp_path: Path) -> None:
    Cache(tmp_path / "cache").write("pages", "../../../x\0/y", b"data")
    names = [one.name for one in (tmp_path / "cache" / "pages").rglob("*") if one.is_file()]
    assert [len(one) for one in names] == [64]
    assert Cache(tmp_path / "cache").read("pages", "../../../x\0/y") == b"data"


@pytest.mark.parametrize(
    ("environ", "index"),
    [
        ({}, DEFAULT_INDEX),
        ({"PIP_INDEX_URL": "https://a/simple", "UV_INDEX_URL": "https://b"}, "https://a/simple"),
        ({"PIP_INDEX_URL": "", "UV_INDEX_URL": "https://b"}, "https://b"),
        ({"UV_DEFAULT_INDEX": "https://c", "UV_INDEX_URL": "https://b"}, "https://c"),
    ],
)
def test_the_index_that_the_environment_names(environ: Dict[str, str], index: str) -> None:
    assert index_of(environ) == index


def test_who_logs_in_is_told_to_that_host_alone() -> None:
    other = "https://files.example/foo-1.0.tar.gz"
    plain = URL.replace("https:", "http:")
    index = Index({PAGE: b"page", URL: b"data", other: b"data", plain: b"data"})
    fetcher = index.fetcher(index="https://me:s%40crt@index.example/simple")
    fetcher.page(PAGE)
    fetcher.content(URL, 10)
    fetcher.content(other, 10)
    fetcher.content(plain, 10)
    assert fetcher.index == SIMPLE
    # urllib sends none of these along to where it is redirected to.
    assert [one.unredirected_hdrs for one in index.requests] == [
        {"Authorization": "Basic bWU6c0BjcnQ="},
        {"Authorization": "Basic bWU6c0BjcnQ="},
        {},
        {},
    ]


def test_a_password_is_in_no_message() -> None:
    index = Index(first=[403])
    fetcher = index.fetcher(index="https://me:secret@index.example/simple")
    with pytest.raises(FetchError) as raised:
        fetcher.page(PAGE)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["pypi.org", "ftp://host/x", "https://", "me:secret@host", "//[x"])
def test_what_is_no_index(url: str) -> None:
    with pytest.raises(FetchError) as raised:
        split_login(url)
    assert str(raised.value).endswith(
        f": is not the URL of an index; give one such as {DEFAULT_INDEX}"
    )


def test_a_local_index(tmp_path: Path) -> None:
    (tmp_path / "foo").mkdir()
    (tmp_path / "foo" / "index.html").write_text("<a>")
    fetcher = Fetcher(Cache(None), tmp_path.as_uri())
    assert fetcher.page(f"{tmp_path.as_uri()}/foo/").data == b"<a>"
    with pytest.raises(NotFoundError):
        fetcher.page(f"{tmp_path.as_uri()}/bar/")


WHEEL = zipped({"foo/data": bytes(range(256)) * 2000, "foo/a.py": "", "x/METADATA": "m"}, top="")


@pytest.mark.parametrize(
    ("ranges", "first", "asked"),
    [
        (True, [], ["bytes=-65536"]),
        (False, [], ["bytes=-65536", ""]),
        (True, [416], ["bytes=-65536", ""]),
        (True, [503], ["bytes=-65536", "bytes=-65536"]),
    ],
    ids=["ranges", "ignored", "refused", "failed"],
)
def test_the_end_of_a_wheel(ranges: bool, first: List[Any], asked: List[str]) -> None:
    index = Index({URL: WHEEL}, first=list(first), ranges=ranges)
    with index.fetcher().seekable(URL) as file, zipfile.ZipFile(file) as archive:
        assert archive.read("x/METADATA") == b"m"
    assert [one.partition(" ")[2] for one in index.asked] == asked


@pytest.mark.parametrize("span", ["bytes 5-9/20", "bytes 0-1/1", "bytes 9-1/20"])
def test_another_part_than_asked_for(span: str) -> None:
    class Liar(Index):
        def __call__(self, request: Any, timeout: float) -> Any:
            answer = super().__call__(request, timeout)
            del answer.headers["Content-Range"]
            answer.headers["Content-Range"] = span
            return answer

    with pytest.raises(FetchError, match="was answered by another part of it; try again"):
        Liar({URL: WHEEL}).fetcher().seekable(URL)


def test_a_range_that_breaks_off() -> None:
    index = Index({URL: bytes(500_000)}, breaks=[65536, 10])
    with index.fetcher().seekable(URL) as file:
        assert file.read(100) == bytes(100)
    assert len(index.asked) == 3


@pytest.mark.parametrize("position", [0, 1, 999, 40_000, 99_999, 100_000, 200_000])
@pytest.mark.parametrize("size", [0, 1, 10, 50_000, 100_000])
def test_parts_are_as_of_the_whole(position: int, size: int) -> None:
    data = BYTES[:100_000]
    whole = io.BytesIO(data)
    parts = io.BufferedReader(
        RangeFile(lambda one, other: data[one:other], len(data), data[-500:])
    )
    for file in (whole, parts):
        file.seek(position)
    assert parts.read(size) == whole.read(size)
    assert parts.tell() == whole.tell()


def test_parts_are_not_read_for_ever() -> None:
    size = 1 << 40
    file = RangeFile(lambda one, other: bytes(other - one), size, b"")
    with pytest.raises(OSError, match="more than 33554432 bytes of it are asked for"):
        for at in range(0, size, 1 << 25):
            file.seek(at)
            file.read(1 << 25)
