# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The libraries the core stands on, for a Spack whose Python has none of them.

The installed distribution brings them as its dependencies. Beside a clone they are kept in a
directory of their own, so that a system's Python is never touched. Imports nothing of them itself,
and what only installing needs where that is done: every command asks here first.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, Optional, Sequence, Tuple

import pyvarium

from .errors import FileError, PyvariumError
from .files import share

if TYPE_CHECKING:
    import subprocess

NAMES = ("packaging", "tomlkit")
#: As in ``pyproject.toml``; the wheels must suit every Python that may run Spack from this clone.
REQUIREMENTS = ("packaging>=22", "tomlkit>=0.12")
OLDEST_PYTHON = "3.9"

DIRECTORY = Path(pyvarium.root(), "spack-pyvarium", "libraries")

#: What a user's pip may be told for good and that is wrong where we run it; and no word on pip
#: itself after the last line, which is to say what is wrong.
PIP_ENVIRON = {
    "PIP_USER": "0",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def require() -> None:
    """Make the libraries importable; raises PyvariumError, with the remedy, where they are not."""
    absent = missing()
    if absent:
        raise PyvariumError(
            f"{', '.join(absent)}: missing for {sys.executable};"
            " run 'spack pyvarium setup', or install them there"
        )


def missing() -> Tuple[str, ...]:
    """The names of those that cannot be imported, also not from beside the clone."""
    absent = _absent()
    if absent and DIRECTORY.is_dir() and str(DIRECTORY) not in sys.path:
        sys.path.append(str(DIRECTORY))
        importlib.invalidate_caches()
        absent = _absent()
    return absent


def _absent() -> Tuple[str, ...]:
    return tuple(name for name in NAMES if importlib.util.find_spec(name) is None)


def install(
    directory: Path, *, run: Optional[Runner] = None, source: Optional[Path] = None
) -> None:
    """Install the libraries into a directory from the package index, or from a local directory.

    Only wheels of pure Python for the oldest Python, so any pip will do. The directory appears
    complete or not at all. Raises PyvariumError.
    """
    import shutil
    import tempfile

    installer = find_installer(sys.executable)
    if installer is None:
        raise PyvariumError(
            f"{sys.executable}: has no pip, nor is pip or uv on PATH; install one of them,"
            f" or copy {' and '.join(NAMES)} into {directory}"
        )
    command = [*installer, "--python-version", OLDEST_PYTHON, "--only-binary", ":all:"]
    if source is not None:
        command += ["--no-index", "--find-links", str(source)]
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".libraries.", dir=directory.parent) as temporary:
            target = Path(temporary) / directory.name
            done = (run or _run)([*command, "--target", str(target), *REQUIREMENTS])
            if done.returncode:
                raise PyvariumError(
                    f"{directory}: the libraries could not be installed"
                    f" ({last_error(done)}); fetch them elsewhere, by"
                    f" 'pip download --dest DIR {' '.join(NAMES)}', and add --libraries-from DIR"
                )
            if directory.exists():
                shutil.rmtree(directory)  # What stands there is not complete.
            share(target, like=directory.parent)  # A clone that all can read is for all.
            target.rename(directory)
    except OSError as error:
        raise FileError(
            f"{directory}: cannot be written ({error.strerror}); let its owner run"
            " 'spack pyvarium setup'"
        ) from None


def find_installer(python: str) -> Optional[List[str]]:
    """The command of an installer that exists: Spack's own Python's, or one on PATH."""
    import shutil

    if importlib.util.find_spec("pip") is not None:
        return [python, "-m", "pip", "install", "--quiet"]
    for name, words in (
        ("pip3", ["install"]),
        ("pip", ["install"]),
        ("uv", ["pip", "install", "--python", python]),  # Else it fetches a Python of its own.
    ):
        path = shutil.which(name)
        if path:
            return [path, *words, "--quiet"]
    return None


def last_error(done: subprocess.CompletedProcess[str]) -> str:
    """The line in which a command, such as pip, says why it failed."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no message"]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines)[-1].strip()


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    import subprocess

    return subprocess.run(
        command,
        env={**os.environ, **PIP_ENVIRON},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
