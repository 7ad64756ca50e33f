# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Ask the build backend of a release what else it requires (PEP 517): this runs code of it.

Only ``--hooks`` comes here. The backend runs in a venv of its own, with few variables and a limit
of time: apart from the user's configuration, not from the user's files. It is no sandbox. Nothing
is ever built, neither the release nor what it requires. What the backend says is not trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from packaging.utils import canonicalize_name

from . import toml_text
from .cache import Cache
from .core_metadata import parse_requirements
from .errors import PyvariumError, quoted
from .fetching import MEBIBYTE, Fetcher, index_of
from .gathering import LARGEST_SDIST
from .libraries import PIP_ENVIRON, last_error
from .releases import Build, File, Release
from .unpacking import unpack

#: Changes whenever an answer may be another one than before.
KIND = "hooks-1"
#: Seconds for the backend, and for making a venv or installing what the backend consists of.
LIMIT = 60.0
PREPARATION_LIMIT = 600.0
LARGEST_ANSWER = MEBIBYTE
MOST_REQUIREMENTS = 200
#: How much is read of what a program said, from its end.
_MOST_SAID = 64 << 10

#: Without these a python may not start that a module file brought.
_FOR_PYTHON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
#: What pip needs of the user's variables to reach the index, and not to fetch again what it has.
_FOR_PIP = (
    *("HOME", "XDG_CACHE_HOME", "PIP_CACHE_DIR", "PIP_DEFAULT_TIMEOUT", "PIP_TRUSTED_HOST"),
    *("PIP_CERT", "PIP_CLIENT_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("CURL_CA_BUNDLE", "PIP_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)

#: Runs in the venv. pip brings the library that calls backends along, from 23.0 on, where nobody
#: has promised that it stays; so it is installed where pip has none.
_CALL = """\
import json, resource, subprocess, sys
try:
    from pip._vendor.pyproject_hooks import BuildBackendHookCaller
except ImportError:
    from pyproject_hooks import BuildBackendHookCaller
largest, hard = 256 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
largest = largest if hard == resource.RLIM_INFINITY else min(largest, hard)
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
answer, source, backend, *backend_path = sys.argv[1:]
try:
    caller = BuildBackendHookCaller(source, backend, backend_path or None)
    requires = caller.get_requires_for_build_wheel()
except subprocess.CalledProcessError:
    sys.exit(1)  # What went wrong has been printed.
except Exception as error:
    sys.exit("%s: %s" % (type(error).__name__, error))
with open(answer, "w") as file:
    json.dump(requires, file)
"""

Report = Callable[[str], None]


class HooksError(PyvariumError):
    """A backend cannot be asked, or its answer is none; the message is a part of a sentence."""


@dataclass(frozen=True)
class Program:
    """A program to run, all its variables, where, and for how many seconds at most."""

    command: Sequence[str]
    environ: Mapping[str, str]
    directory: Path
    limit: float


#: Runs a program; raises OSError and ``subprocess.TimeoutExpired``.
Run = Callable[[Program], "subprocess.CompletedProcess[str]"]


def run_limited(program: Program) -> subprocess.CompletedProcess[str]:
    """Run a program in a group of its own, of which nothing is left afterwards.

    What it says goes to files: whoever holds a pipe, having left the group, would be waited for.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        process = subprocess.Popen(
            program.command,
            env=program.environ,
            cwd=program.directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=error,
            start_new_session=True,
        )
        try:
            code = process.wait(program.limit)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return subprocess.CompletedProcess(program.command, code, _said(out), _said(error))


def amend(
    project: str,
    release: Release,
    fetcher: Fetcher,
    environ: Mapping[str, str],
    *,
    report: Report = lambda _: None,
    run: Run = run_limited,
    limit: float = LIMIT,
) -> Release:
    """Add to the build requirements of a release what its backend asks for; needs its sdist.

    Where that fails it is a problem of the release. An answer is cached.
    """
    sha256 = release.source.sha256
    try:
        if sha256 is None:
            raise HooksError("the index tells no sha256 of its sdist")
        if not (release.build.known or release.build.requires):
            raise HooksError("which one that is could not be read")
        texts = _parse_cached(fetcher.cache.read(KIND, sha256))
        if texts is None:
            _check_python(release)
            report(f"{project} {release.source.label}: code of {project} runs (--hooks)")
            with _temporary_directory() as directory:
                source = _fetch(release.source, fetcher, directory)
                make_venv(release.build, directory, environ, run)
                texts = ask(release.build, source, directory, environ, run, limit)
            fetcher.cache.write(KIND, sha256, json.dumps(texts).encode())
    except (PyvariumError, OSError) as error:
        said = " ".join(str(error).split())
        problem = f"its build backend could not be asked what else it requires: {said}"
        return replace(release, problems=(*release.problems, problem))
    return with_answer(release, texts)


def recall(release: Release, cache: Cache) -> Release:
    """Add what the backend of a release has asked for before; nothing runs.

    Where that is not known any more it is a problem of the release.
    """
    sha256 = release.source.sha256
    texts = _parse_cached(cache.read(KIND, sha256)) if sha256 else None
    if texts is None:
        problem = "what its build backend asks for is not known; ask it again by --hooks"
        return replace(release, problems=(*release.problems, problem))
    return with_answer(release, texts)


def with_answer(release: Release, texts: Sequence[str]) -> Release:
    """Add what a backend asks for; of a name that was there already, the range there is kept."""
    problems: List[str] = []
    found = parse_requirements(texts, problems)
    names = {canonicalize_name(one.name) for one in release.build.requires}
    more = tuple(one for one in found if canonicalize_name(one.name) not in names)
    build = replace(release.build, requires=(*release.build.requires, *more), known=True)
    said = tuple(f"its build backend asks for more: {problem}" for problem in problems)
    return replace(release, build=build, problems=(*release.problems, *said))


def make_venv(build: Build, directory: Path, environ: Mapping[str, str], run: Run) -> None:
    """Make a venv in a directory, with what a build requires, as wheels alone.

    Raises HooksError, and what ``run`` raises.
    """
    venv = directory / "venv"
    apart = _hook_environ(directory, environ)
    command = [sys.executable, "-I", "-m", "venv", str(venv)]
    _step(run, "the venv for it", Program(command, apart, directory, PREPARATION_LIMIT))
    requires = [str(one) for one in build.requires]
    if next(venv.glob("lib/python*/site-packages/pip/_vendor/pyproject_hooks"), None) is None:
        requires.append("pyproject-hooks>=1")
    if requires:
        # No sdist: its code would run as well, without a limit and for minutes.
        words = ["install", "--quiet", "--no-input", "--only-binary", ":all:"]
        command = [_python(directory), "-I", "-m", "pip", *words, "--", *requires]
        program = Program(command, _pip_environ(environ, apart), directory, PREPARATION_LIMIT)
        _step(run, "installing what it requires", program)


def ask(
    build: Build,
    source: Path,
    directory: Path,
    environ: Mapping[str, str],
    run: Run,
    limit: float,
) -> Tuple[str, ...]:
    """Have a backend say what else it requires, in the venv that was made in a directory.

    Raises HooksError, and what ``run`` raises.
    """
    answer = directory / "answer.json"
    command = [_python(directory), "-I", "-c", _CALL, str(answer), str(source), build.backend]
    command += _backend_path(source)
    _step(run, "it", Program(command, _hook_environ(directory, environ), source, limit))
    return parse_answer(_read_answer(answer))


def parse_answer(data: bytes) -> Tuple[str, ...]:
    """The strings in an answer; raises HooksError for what is no list of some strings."""
    try:
        read = json.loads(data)
    except (ValueError, RecursionError):
        raise HooksError("its answer cannot be read") from None
    if not isinstance(read, list) or not all(isinstance(one, str) for one in read):
        raise HooksError("its answer is not a list of strings")
    if len(read) > MOST_REQUIREMENTS:
        raise HooksError(f"its answer has more than {MOST_REQUIREMENTS} requirements")
    return tuple(read)


def _parse_cached(data: Optional[bytes]) -> Optional[Tuple[str, ...]]:
    try:
        return None if data is None else parse_answer(data)
    except HooksError:
        return None


def _check_python(release: Release) -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    if not release.requires_python.contains(python, prereleases=True):
        raise HooksError(f"it does not run on Python {python}, which runs this command")


@contextlib.contextmanager
def _temporary_directory() -> Iterator[Path]:
    temporary = tempfile.TemporaryDirectory(prefix="pyvarium-hooks-")
    try:
        yield Path(temporary.name).resolve()
    finally:
        with contextlib.suppress(OSError):  # Code that was run may have made it hard to remove.
            temporary.cleanup()


def _fetch(source: File, fetcher: Fetcher, directory: Path) -> Path:
    """Fetch an sdist and unpack it; raises FetchError, ArchiveError and HooksError."""
    with fetcher.download(source.url, LARGEST_SDIST) as file:
        digest = hashlib.sha256()
        for part in iter(lambda: file.read(MEBIBYTE), b""):
            digest.update(part)
        if digest.hexdigest() != source.sha256:
            raise HooksError("its sdist has another sha256 than the index says")
        file.seek(0)
        target = directory / "sdist"
        target.mkdir()
        return unpack(file, source.name, target)


def _backend_path(source: Path) -> List[str]:
    """``backend-path`` (PEP 517), of which the library checks that it stays in the source."""
    try:
        text = (source / "pyproject.toml").read_text("utf-8")
    except FileNotFoundError:
        return []
    except ValueError:
        raise HooksError("its pyproject.toml is not UTF-8") from None
    keys = ("build-system", "backend-path")
    return list(toml_text.strings_at(toml_text.parse(text, "pyproject.toml"), keys, "it"))


def _python(directory: Path) -> str:
    return str(directory / "venv" / "bin" / "python")


def _hook_environ(directory: Path, environ: Mapping[str, str]) -> Dict[str, str]:
    """No programs but those of the venv: what a backend asks for depends on what it finds."""
    home = directory / "home"
    home.mkdir(exist_ok=True)
    return {
        **{name: environ[name] for name in _FOR_PYTHON if name in environ},
        "PATH": str(directory / "venv" / "bin"),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
    }


def _pip_environ(environ: Mapping[str, str], apart: Mapping[str, str]) -> Dict[str, str]:
    """The user's index and way to it, and no configuration else."""
    passed = {name: environ[name] for name in _FOR_PIP if name in environ}
    fixed = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index_of(environ)}
    return {**apart, **passed, **PIP_ENVIRON, **fixed}


def _step(run: Run, what: str, program: Program) -> None:
    try:
        done = run(program)
    except subprocess.TimeoutExpired:
        raise HooksError(f"{what} was stopped after {program.limit:g} s") from None
    if done.returncode:
        raise HooksError(f"{what} failed ({quoted(last_error(done))})")


def _read_answer(path: Path) -> bytes:
    """Not what a link leads to, and without waiting: the backend has put there what it likes."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with open(path, "rb", opener=lambda path, mode: os.open(path, mode | flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise HooksError("its answer is no file")
            data = file.read(LARGEST_ANSWER + 1)
    except OSError:
        raise HooksError("it gave no answer") from None
    if len(data) > LARGEST_ANSWER:
        raise HooksError(f"its answer has more than {LARGEST_ANSWER} bytes")
    return data


def _said(file: IO[bytes]) -> str:
    """The end of what was written to a file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _MOST_SAID))
    return file.read(_MOST_SAID).decode("utf-8", "replace")
