# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Run a command in an environment, or in a pack of one, in place of this process.

So the exit code and the signals are the command's. A pack is unpacked by the program that comes
with it too, ``templates/pack/pyvarium-run``: what locks and caches exists once.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, NoReturn, Optional, Sequence

from . import root
from .errors import PyvariumError
from .model import Environment
from .packs import ENTRY
from .variables import Action, Change, apply, layered

#: As a shell says it.
NOT_FOUND = 127
NOT_EXECUTABLE = 126


@dataclass(frozen=True)
class Wish:
    """What the command line asks for besides the command; None: as the program decides."""

    unpack_to: Optional[str] = None
    wait_for_lock: Optional[str] = None
    keep: Optional[str] = None
    clean: bool = False


def is_pack(path: Path) -> bool:
    """Whether it is a file, or a directory that a pack was unpacked into."""
    return path.is_file() or (path / ENTRY).is_file()


def plain(words: Sequence[str]) -> List[str]:
    """A command without what separates it from the options."""
    return list(words[1:] if words[:1] == ["--"] else words)


def runner(wish: Wish, pack: Optional[Path], command: Sequence[str]) -> List[str]:
    """The command line of the program that unpacks a pack and runs a command in it."""
    program = Path(root(), "spack-pyvarium", "templates", "pack", "pyvarium-run")
    core = Path(__file__).resolve().parents[1]
    words = ["/bin/sh", str(program), "--unpack-with", sys.executable, str(core)]
    for option, value in (
        ("-u", wish.unpack_to),
        ("-w", wish.wait_for_lock),
        ("--keep", wish.keep),
        ("-e", None if pack is None else str(pack)),
    ):
        words += [] if value is None else [option, value]
    if wish.clean:
        return [*words, "--clean"]
    return [*words, "--", *command]


def variables(
    environment: Environment, changes: Iterable[Change], environ: Mapping[str, str]
) -> Dict[str, str]:
    """The variables in an environment; raises PyvariumError where it has no ``.venv``.

    ``changes`` are those of its lower layer.
    """
    python = environment.venv / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise PyvariumError(f"{python}: is missing; run 'spack pyvarium sync'")
    prompt = Change("VIRTUAL_ENV_PROMPT", Action.SET, environment.name)
    return apply([*layered(changes, environment.venv), prompt], {"PATH": os.defpath, **environ})


def changes_of_views(environment: Environment) -> List[Change]:
    """What is known of a lower layer without Spack: as ``activate.sh`` has it."""
    views = reversed(environment.views or ())
    return [Change("PATH", Action.PREPEND, str(view / "bin")) for view in views]


def replace_process(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Become a command; returns the exit code that a shell has only where it cannot be run."""
    sys.stdout.flush()
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and what it starts would too.
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        _replace_process(list(command), environ)
    except FileNotFoundError:
        return NOT_FOUND
    except OSError:
        return NOT_EXECUTABLE


def _replace_process(command: List[str], environ: Mapping[str, str]) -> NoReturn:
    program = shutil.which(command[0], path=environ.get("PATH"))
    try:
        # What cannot be started is left out by the search, too: it then says why.
        os.execvpe(program or command[0], command, environ)
    except OSError as error:
        if error.errno != errno.ENOEXEC or program is None:
            raise
        os.execve("/bin/sh", ["sh", program, *command[1:]], environ)  # As a shell does.
