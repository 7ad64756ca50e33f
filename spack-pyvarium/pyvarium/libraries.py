# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The libraries the core stands on, for a Spack whose Python has none of them.

The installed distribution brings them as its dependencies. Beside a clone they are kept in a
directory of their own, so that a system's Python is never touched. Imports nothing of them itself.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

from .errors import PyvariumError

NAMES = ("packaging", "tomlkit")
#: As in ``pyproject.toml``; the wheels must suit every Python that may run Spack from this clone.
REQUIREMENTS = ("packaging>=22", "tomlkit>=0.12")
OLDEST_PYTHON = "3.9"

DIRECTORY = Path(__file__).resolve().parent.parent / "libraries"

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def require() -> None:
    """Make the libraries importable; raises PyvariumError, with the remedy, where they are not."""
    absent = missing()
    if absent:
        raise PyvariumError(
            f"{', '.join(absent)}: missing for the Python that runs Spack ({sys.executable});"
            " run 'spack pyvarium setup'"
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

    Only wheels of pure Python for the oldest Python, so any pip will do. Raises PyvariumError.
    """
    installer = find_installer(sys.executable)
    if installer is None:
        raise PyvariumError(
            f"{sys.executable}: has no pip, nor is pip or uv on PATH; install one of them,"
            f" or copy {' and '.join(NAMES)} into {directory}"
        )
    command = [*installer, "--target", str(directory), "--python-version", OLDEST_PYTHON]
    command += ["--only-binary", ":all:", "--upgrade"]
    if source is not None:
        command += ["--no-index", "--find-links", str(source)]
    done = (run or _run)([*command, *REQUIREMENTS])
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PyvariumError(
            f"{directory}: the libraries could not be installed ({last});"
            f" run '{' '.join(command)} {' '.join(REQUIREMENTS)}'"
        )


def find_installer(python: str) -> Optional[List[str]]:
    """The command of an installer that exists: Spack's own Python's, or one on PATH."""
    if importlib.util.find_spec("pip") is not None:
        return [python, "-m", "pip", "install", "--quiet"]
    for name, words in (("pip3", ["install"]), ("pip", ["install"]), ("uv", ["pip", "install"])):
        path = shutil.which(name)
        if path:
            return [path, *words, "--quiet"]
    return None


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
