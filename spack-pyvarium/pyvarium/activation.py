# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Render the scripts that activate an environment in a shell. Nothing is written here.

What activating does stands in ``templates/activate``: text, in which each shell's own quoting of
the environment's paths is put. The quoting is as careful as it is because the text is executed.
"""

from __future__ import annotations

import enum
import os
import re
import shlex
import string
from pathlib import Path
from typing import Callable, Mapping, Sequence

from . import root
from .errors import PyvariumError


class Shell(str, enum.Enum):
    """A family of shells that can read one script; the value is what the option is called."""

    SH = "sh"  # POSIX: sh, bash, zsh, ksh
    FISH = "fish"
    CSH = "csh"  # and tcsh

    @property
    def file(self) -> str:
        """The name of its script, beside the venv."""
        return f"activate.{self.value}"


def render(shell: Shell, venv: Path, path: Sequence[Path], prompt: str) -> str:
    """The script, for a file beside the venv, that puts directories in front of ``PATH``.

    ``path`` begins with the venv's own ``bin``. Raises PyvariumError for what cannot be said in
    a shell: a line break, or the separator of ``PATH`` in one of its directories.
    """
    quote = _QUOTES[shell]
    file = venv.parent / shell.file
    directories = [str(directory) for directory in path]
    for text in (str(venv), prompt, *directories):
        _check(text)
    for directory in directories:
        if ":" in directory:
            raise PyvariumError(
                f"{directory}: PATH separates directories by the colon in this one; "
                "move the environment to another directory"
            )
    missing = f"error: {venv}: is missing or has no python; run spack pyvarium sync"
    not_sourced = f"error: {file}: has to be sourced; use: {render_source(shell, file)}"
    values = {
        "file": quote(str(file)),
        "missing": quote(missing),
        "not_sourced": quote(not_sourced),
        "path": (
            " ".join(map(quote, directories))
            if shell is Shell.FISH
            else quote(":".join(directories))
        ),
        "prefix": quote(f"({_shown(shell, prompt)}) "),
        "prompt": quote(prompt),
        "python": quote(str(venv / "bin" / "python")),
        "venv": quote(str(venv)),
    }
    template = Path(root(), "spack-pyvarium", "templates", "activate", shell.file)
    return _Template(template.read_text(encoding="utf-8")).substitute(values)


def render_source(shell: Shell, file: Path) -> str:
    """The line, to be evaluated, that sources a script.

    In csh it is read twice, as the words that a command substitution leaves and by ``eval``: a
    blank would be lost, a ``*`` be expanded. So it is written as nothing but octal numbers there.
    """
    _check(str(file))
    if shell is Shell.SH:
        return f". {shlex.quote(str(file))}"
    if shell is Shell.FISH:
        return f"source {_quote_for_fish(str(file))}"
    if _PLAIN.match(str(file)):
        return f"source {file}"
    octal = "".join(
        chr(byte) if _PLAIN.match(chr(byte)) else f"\\{byte:03o}" for byte in os.fsencode(file)
    )
    return f"source \"`printf '{octal}'`\""


class _Template(string.Template):
    """With a delimiter that means nothing to a shell."""

    delimiter = "@"


#: What no script can hold.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+\Z")


def _check(text: str) -> None:
    if CONTROL.search(text):
        raise PyvariumError(
            f"{text!r}: no script can hold its control characters; give it another name"
        )


def _shown(shell: Shell, prompt: str) -> str:
    """The prompt without what shells expand in theirs, each by rules and options of its own."""
    return prompt if shell is Shell.FISH else re.sub(r"[$`\\%!]", "_", prompt)


def _quote_for_fish(text: str) -> str:
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"


def _quote_for_csh(text: str) -> str:
    """A backslash stands outside of quotes, where it means the same under every option.

    History is expanded within quotes too.
    """
    return "'" + re.sub(r"(['\\!])", r"'\\\1'", text) + "'"


_QUOTES: Mapping[Shell, Callable[[str], str]] = {
    Shell.SH: shlex.quote,
    Shell.FISH: _quote_for_fish,
    Shell.CSH: _quote_for_csh,
}
