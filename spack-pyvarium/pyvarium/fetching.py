# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Fetch from an index: again where that may help, on where it broke off, and never too much.

The one module of the core that opens the network, and only by the opener that it is given: inside
of Spack that is Spack's own, which knows the certificates and proxies of the site. Who logs in to
the index is told to its own host only and never printed.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import io
import json
import re
import shutil
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import IO, Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import unquote, urlsplit, urlunsplit

import pyvarium

from .cache import Cache
from .errors import PyvariumError
from .index import ACCEPT
from .ranges import RangeFile

DEFAULT_INDEX = "https://pypi.org/simple"
#: The variables that name an index for pip and uv, in our order.
INDEX_VARIABLES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")

#: How many files are fetched at a time.
CONNECTIONS = 6
#: How often a request is made before it is given up.
ATTEMPTS = 4
#: Seconds without a byte, and for all of one file.
TIMEOUT = 30.0
DEADLINE = 600.0
#: Seconds to wait before the second attempt, then twice that each time; and the most that a server
#: can ask for.
BACKOFF = 0.5
LONGEST_WAIT = 60.0

MEBIBYTE = 1 << 20
LARGEST_PAGE = 64 * MEBIBYTE
LARGEST_WHEEL = 512 * MEBIBYTE
#: How much of a wheel is read at once, from its end: mostly all that is needed.
TAIL = 64 << 10
_CHUNK = 64 << 10

_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

#: Opens a request with a timeout, as ``urllib.request.urlopen`` does, and raises what it raises.
OpenUrl = Callable[[urllib.request.Request, float], Any]


class FetchError(PyvariumError):
    """The index cannot be reached, or its answer cannot be used."""


class RefusedError(FetchError):
    """The index does not give this one file."""


class NotFoundError(RefusedError):
    """There is no such page or file."""


class AbsentError(RefusedError):
    """A page or file is not in the cache, and nothing may be fetched."""


@dataclass(frozen=True)
class Answer:
    """A page of an index."""

    data: bytes
    content_type: str


@dataclass(frozen=True)
class Login:
    """What an origin, a scheme and a host, is told to let us in."""

    origin: Tuple[str, str]
    authorization: str


def index_of(environ: Mapping[str, str]) -> str:
    """The index that a user has named for pip or uv, else PyPI."""
    return next((environ[name] for name in INDEX_VARIABLES if environ.get(name)), DEFAULT_INDEX)


def split_login(url: str) -> Tuple[str, Optional[Login]]:
    """A URL without the user and password in it, and these; raises FetchError."""
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
        scheme = parts.scheme
    except ValueError:
        hostname, scheme = None, ""
    if scheme not in ("http", "https", "file") or (scheme != "file" and not hostname):
        shown = re.sub(r"//.*@", "//***@", url)
        raise FetchError(
            f"{shown!a}: is not the URL of an index; give one such as {DEFAULT_INDEX}"
        )
    user, at, host = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=host))
    if not at:
        return plain, None
    pair = ":".join(unquote(one) for one in (user if ":" in user else f"{user}:").split(":", 1))
    return plain, Login((scheme, host), "Basic " + base64.b64encode(pair.encode()).decode())


class Fetcher:
    """Fetches from one index, over what a cache has of it.

    ``index`` may have a user and a password in it; the attribute has not. ``offline`` takes from
    the cache alone; ``deadline`` is of one file, in seconds.
    """

    def __init__(
        self,
        cache: Cache,
        index: str = DEFAULT_INDEX,
        *,
        offline: bool = False,
        connections: int = CONNECTIONS,
        deadline: float = DEADLINE,
        open_url: Optional[OpenUrl] = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cache = cache
        self.index, self._login = split_login(index)
        self.offline = offline
        self.connections = connections
        self.deadline = deadline
        self.clock = clock
        self.open_url = open_url or _open_url
        self._sleep = sleep

    def page(self, url: str) -> Answer:
        """A page that may change: asked for each time, sent only if it did. Raises FetchError."""
        cached = _parse_entry(self.cache.read("pages", url))
        if self.offline:
            if cached is None:
                raise self._absent(url)
            return cached.answer
        headers = {"Accept": ACCEPT, **(cached.validators if cached else {})}
        try:
            with self.stream(_page_location(url), LARGEST_PAGE, headers) as stream:
                answer = Answer(stream.read(), stream.headers.get("Content-Type") or "")
                validators = _validators(stream.headers)
        except _NotModifiedError:
            if cached is None:
                raise
            return cached.answer
        self.cache.write("pages", url, _render_entry(_Entry(answer, validators)))
        return answer

    def content(self, url: str, limit: int) -> bytes:
        """All of a file; raises FetchError."""
        with self.stream(url, limit) as stream:
            return stream.read()

    def stream(self, url: str, limit: int, headers: Optional[Mapping[str, str]] = None) -> Stream:
        """A file to be read once, from its start; raises FetchError, as its reading may."""
        if self.offline:
            raise self._absent(url)
        return Stream(self, url, limit, dict(headers or {}))

    def download(self, url: str, limit: int) -> IO[bytes]:
        """All of a file as a temporary one, which whoever reads it closes; raises FetchError."""
        with contextlib.ExitStack() as on_error:
            file = on_error.enter_context(tempfile.TemporaryFile())
            with self.stream(url, limit) as stream:
                shutil.copyfileobj(stream, file, MEBIBYTE)
            file.seek(0)
            on_error.pop_all()
            return file

    def seekable(self, url: str) -> IO[bytes]:
        """A file of which only the parts that are read are fetched, if the server can do that.

        Raises FetchError, as its reading may.
        """
        if self.offline:
            raise self._absent(url)
        try:
            response = self.open(url, {"Range": f"bytes=-{TAIL}"})
        except NotFoundError:
            raise
        except RefusedError:  # Of a server that does not count from the end.
            return self.download(url, LARGEST_WHEEL)
        with response:
            found = _content_range(response)
            if found is None:
                return self.download(url, LARGEST_WHEEL)
            start, stop, size = found
            if not 0 <= start < stop == size or stop - start > TAIL:
                raise RefusedError(f"{url}: was answered by another part of it; try again")
            try:
                tail = _read_exactly(response, stop - start)
            except (OSError, http.client.HTTPException) as error:
                raise _broken_off(url, error) from None
        parts = RangeFile(lambda first, last: self._range(url, first, last), size, tail)
        return io.BufferedReader(parts)

    def open(self, url: str, headers: Mapping[str, str]) -> Any:
        """Ask until there is an answer or no hope for one; raises FetchError."""
        wait = BACKOFF
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.open_url(self._request(url, headers), TIMEOUT)
            except urllib.error.HTTPError as error:
                error.close()
                _raise_for_status(error.code, url, last=attempt == ATTEMPTS)
                pause = _retry_after(error.headers, self.clock()) or wait
            except (OSError, http.client.HTTPException, ValueError) as error:
                if _is_missing(error):
                    raise NotFoundError(f"{url}: does not exist; check its spelling") from None
                if attempt == ATTEMPTS or not _may_pass(error):
                    raise FetchError(
                        f"{url}: cannot be reached ({reason_of(error)}); check the network, or"
                        " take what was fetched before by --offline"
                    ) from None
                pause = wait
            self._sleep(pause)
            wait *= 2
        raise AssertionError("The last attempt returns or raises.")

    def pause(self, failures: int) -> None:
        self._sleep(BACKOFF * 2 ** (failures - 1))

    def _request(self, url: str, headers: Mapping[str, str]) -> urllib.request.Request:
        agent = f"spack-pyvarium/{pyvarium.__version__}"
        request = urllib.request.Request(url, headers={"User-Agent": agent, **headers})
        if self._login is not None and urlsplit(url)[:2] == self._login.origin:
            # Not sent along where the host redirects to another one.
            request.add_unredirected_header("Authorization", self._login.authorization)
        return request

    def _range(self, url: str, first: int, last: int) -> bytes:
        for attempt in range(1, ATTEMPTS + 1):
            with self.open(url, {"Range": f"bytes={first}-{last - 1}"}) as response:
                found = _content_range(response)
                if found is None or found[:2] != (first, last):
                    raise RefusedError(f"{url}: was answered by another part of it; try again")
                try:
                    return _read_exactly(response, last - first)
                except (OSError, http.client.HTTPException) as error:
                    if attempt == ATTEMPTS:
                        raise _broken_off(url, error) from None
            self.pause(attempt)
        raise AssertionError("The last attempt returns or raises.")

    def _absent(self, url: str) -> AbsentError:
        return AbsentError(f"{url}: is not in the cache; run this once without --offline")


class Stream(io.RawIOBase):
    """A file as it is fetched. Where it breaks off it is taken up again, and read on."""

    _response: Any = None  # Also of a stream that could not be opened, which is closed too.

    def __init__(self, fetcher: Fetcher, url: str, limit: int, headers: Dict[str, str]) -> None:
        super().__init__()
        self._fetcher = fetcher
        self._url = url
        self._limit = limit
        self._request_headers = headers
        self._failures = 0
        self._position = 0
        self._started = fetcher.clock()
        self._response = fetcher.open(url, headers)
        self.headers: Mapping[str, str] = self._response.headers
        self._size = _length(self.headers)
        if self._size is not None and self._size > limit:
            self._response.close()
            raise self._too_large()

    @property
    def left(self) -> int:
        """How many bytes are still to come; 0 where that is not known."""
        return max((self._size or 0) - self._position, 0)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size >= 0:
            return self._read(size)
        parts: List[bytes] = []
        while True:
            part = self._read(_CHUNK)
            if not part:
                return b"".join(parts)
            parts.append(part)

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed and self._response is not None:
            self._response.close()
        super().close()

    def _read(self, size: int) -> bytes:
        while True:
            try:
                data: bytes = self._response.read(size)
            except (OSError, http.client.HTTPException) as error:
                self._resume(reason_of(error))
                continue
            # http.client takes an end of the connection for the end of the file.
            if not data and size and self._size is not None and self._position < self._size:
                self._resume("the connection ended early")
                continue
            self._position += len(data)
            if self._position > self._limit:
                raise self._too_large()
            deadline = self._fetcher.deadline
            if self._fetcher.clock() - self._started > deadline:
                raise RefusedError(f"{self._url}: takes more than {deadline:.0f} s; try again")
            return data

    def _resume(self, reason: str) -> None:
        self._response.close()
        self._failures += 1
        if self._failures == ATTEMPTS:
            raise FetchError(
                f"{self._url}: breaks off ({reason}); check the network, or try again"
            )
        self._fetcher.pause(self._failures)
        headers = dict(self._request_headers)
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
            validator = self.headers.get("ETag") or self.headers.get("Last-Modified")
            if validator and not validator.startswith("W/"):
                headers["If-Range"] = validator
        self._response = self._fetcher.open(self._url, headers)
        found = _content_range(self._response)
        if found is not None and found[0] == self._position:
            return
        if found is not None or self._size != _length(self._response.headers):
            raise RefusedError(f"{self._url}: changed while it was fetched; try again")
        skipped = 0
        while skipped < self._position:  # The server sends all of it again.
            part = self._response.read(min(_CHUNK, self._position - skipped))
            if not part:
                raise FetchError(f"{self._url}: breaks off ({reason}); try again")
            skipped += len(part)

    def _too_large(self) -> FetchError:
        return RefusedError(f"{self._url}: is larger than {self._limit} bytes; not read further")


@dataclass(frozen=True)
class _Entry:
    """A page as it is cached, with the headers that ask whether it has changed."""

    answer: Answer
    validators: Mapping[str, str]


class _NotModifiedError(FetchError):
    """The page is as we have it."""


def reason_of(error: BaseException) -> str:
    """What an error of the network says, on one line."""
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return " ".join(str(reason).split()) or type(reason).__name__


@functools.cache
def _opener() -> urllib.request.OpenerDirector:
    """As of ``urlopen``, which reads all certificates anew for each request."""
    handler = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    return urllib.request.build_opener(handler)


def _open_url(request: urllib.request.Request, timeout: float) -> Any:
    return _opener().open(request, timeout=timeout)


def _raise_for_status(code: int, url: str, *, last: bool) -> None:
    """Return where another attempt may help."""
    if code == 304:
        raise _NotModifiedError(f"{url}: is said to be as it was, and was not there; try again")
    if code in (404, 410):
        raise NotFoundError(f"{url}: does not exist (HTTP {code}); check its spelling")
    if code in (401, 403, 407):
        raise RefusedError(f"{url}: may not be read (HTTP {code}); mend the login for the index")
    if code not in _TRY_AGAIN:
        raise RefusedError(f"{url}: cannot be had (HTTP {code}); name another index")
    if last:
        raise FetchError(f"{url}: the server fails (HTTP {code}); try again later")


def _is_missing(error: BaseException) -> bool:
    reason = getattr(error, "reason", error)
    return isinstance(reason, (FileNotFoundError, NotADirectoryError)) or (
        isinstance(reason, str) and "No such file" in reason
    )


def _may_pass(error: BaseException) -> bool:
    reason = getattr(error, "reason", error)
    return not isinstance(error, ValueError) and not isinstance(
        reason, ssl.SSLCertVerificationError
    )


def _retry_after(headers: Any, now: float) -> Optional[float]:
    """What a server asks us to wait: seconds, or a date (RFC 9110, 10.2.3)."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isdecimal():
        seconds = float(value)
    else:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT) or None


def _length(headers: Mapping[str, str]) -> Optional[int]:
    value = headers.get("Content-Length") or ""
    return int(value) if value.isdecimal() else None


def _content_range(response: Any) -> Optional[Tuple[int, int, int]]:
    """First byte, the one behind the last, and all; None where the server sends all of it."""
    found = _CONTENT_RANGE.fullmatch((response.headers.get("Content-Range") or "").strip())
    if getattr(response, "status", None) != 206 or found is None:
        return None
    return int(found[1]), int(found[2]) + 1, int(found[3])


def _broken_off(url: str, error: BaseException) -> FetchError:
    return FetchError(f"{url}: breaks off ({reason_of(error)}); check the network, or try again")


def _read_exactly(response: Any, size: int) -> bytes:
    parts = []
    while size > 0:
        part = response.read(size)
        if not part:
            raise OSError("the connection ended early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _page_location(url: str) -> str:
    """A local index is a directory of files."""
    return f"{url}index.html" if url.startswith("file:") and url.endswith("/") else url


def _validators(headers: Mapping[str, str]) -> Dict[str, str]:
    pairs = (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since"))
    return {asks: headers[says] for says, asks in pairs if headers.get(says)}


def _render_entry(entry: _Entry) -> bytes:
    """One line of JSON, then the page."""
    head = {"content-type": entry.answer.content_type, "validators": entry.validators}
    return json.dumps(head).encode() + b"\n" + entry.answer.data


def _parse_entry(data: Optional[bytes]) -> Optional[_Entry]:
    """What was cached, None where it is not what we wrote."""
    head, _, body = (data or b"").partition(b"\n")
    try:
        read = json.loads(head)
        validators = {str(key): str(value) for key, value in read["validators"].items()}
        return _Entry(Answer(body, str(read["content-type"])), validators)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
