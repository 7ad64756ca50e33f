# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Render the script of a pack that runs a command in it. Pure but for the template.

Values are quoted for POSIX sh; the directory of the pack is found when the script runs.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Iterable, Iterator, Optional, Sequence

from . import root
from .errors import PyvariumError
from .pack_manifest import PACK, Reference
from .variables import Action, Change

NAME = "bin/run_in_env"
#: The same for a shell that sources it, and what is called before: what Poncho's program needs.
SOURCED = "bin/activate"
UNPACKED = "bin/conda-unpack"
#: What a shell can name; others Spack may set, and no script can.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def template(name: str) -> Path:
    """A file of ``templates/pack``."""
    return Path(root(), "spack-pyvarium", "templates", "pack", name)


def render(
    name: str, changes: Iterable[Change], path: Sequence[str], reference: Optional[Reference]
) -> bytes:
    """One of the scripts; ``path`` are the directories of the pack that come first in PATH."""
    everything = [*changes, *(Change("PATH", Action.PREPEND, one) for one in reversed(path))]
    text = template(Path(name).name).read_text(encoding="utf-8")
    end = "return" if name == SOURCED else "exit"
    text = text.replace("@check\n", "" if reference is None else _check(reference, end))
    text = text.replace("@variables\n", "".join(f"{line}\n" for line in _lines(everything)))
    return text.encode("utf-8", "surrogateescape")


def _check(reference: Reference, end: str) -> str:
    lines = []
    for path in (reference.python, reference.view):
        quoted = shlex.quote(path)
        said = shlex.quote(
            f"error: {path}: is not on this machine, and this pack was made without it"
            " (--lower reference); mount it there, or pack without that option"
        )
        lines += [f"if [ ! -e {quoted} ]; then", f"    printf '%s\\n' {said} >&2"]
        lines += [f"    {end} 1", "fi"]
    return "".join(f"{line}\n" for line in lines)


def _lines(changes: Iterable[Change]) -> Iterator[str]:
    for one in changes:
        if one.action is Action.REMOVE:
            continue  # Of what is on this machine.
        if not _VARIABLE.fullmatch(one.name):
            raise PyvariumError(f"{one.name}: is a name that no shell can set; rename it")
        name, value, separator = one.name, _quoted(one.value), shlex.quote(one.separator)
        if one.action is Action.UNSET:
            yield f"unset {name}"
            continue
        if one.action is Action.PREPEND:
            value = f"{value}${{{name}:+{separator}${name}}}"
        elif one.action is Action.APPEND:
            value = f"${{{name}:+${name}{separator}}}{value}"
        # Not in one line: old shells split what stands behind ``export`` at blanks.
        yield f"{name}={value}"
        yield f"export {name}"


def _quoted(value: str) -> str:
    return '"$_pack"'.join(shlex.quote(part) if part else "" for part in value.split(PACK)) or "''"
