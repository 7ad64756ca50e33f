# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Rewrite the text files of a pack in which paths of this machine stand and are used. Pure.

Each in its own notation for "from where this file is": the first line of a script, a path file of
python's, a package configuration file, a CMake file, the record of python's build.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import shlex
import struct
import urllib.parse
from dataclasses import dataclass
from typing import Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

#: Where python is in a pack.
PYTHON = "python/bin/python3"

_SHEBANG = re.compile(rb"#![ \t]*(/\S*)[ \t]*(.*)")
_PYTHON_NAME = re.compile(r"(python|pypy)[\d.]*[a-z]*")
#: What pip and uv write where a path is too long for a first line, or has a blank.
_TWO_LINES = re.compile(rb"\A#!/bin/sh\r?\n'''exec' .*\r?\n' '''\r?\n")
#: Spack's way to write a long first line, which is then the second one.
_SBANG = b"/sbang"
#: Comments, which are that to sh too, and blank lines.
_COMMENTS = re.compile(rb"(?:[ \t\f]*(?:#[^\n]*|\r?)\n)*")
_DOCSTRING = re.compile(rb"[rRuU]?[\"']")
#: To sh, a command that starts python on this file; to python, a string.
_START = """\
''':'
file=$0
case $file in */*) ;; *) file=./$file ;; esac
if [ -h "$file" ]; then file=$(readlink -f -- "$file"); fi
exec "${{file%/*}}/{python}" {options}"$0" "$@"
'''"""


#: What reading JSON raises that is no JSON, or other than expected.
_OTHER = (ValueError, LookupError, TypeError, RecursionError)


@dataclass(frozen=True)
class Origins:
    """Where members are on this machine: directories of it, and those of the pack they become.

    ``has`` tells whether there is a member, or a directory, of that name.
    """

    roots: Sequence[Tuple[str, str]]
    has: Callable[[str], bool]

    def member(self, path: str) -> Optional[str]:
        """The member that an absolute path leads to; None where it leads out of the pack."""
        path = os.path.normpath(path)
        for root, member in self.roots:
            if path == root or path.startswith(f"{root}/"):
                name = os.path.normpath(f"{member}{path[len(root) :]}")
                if self.has(name):
                    return name
        return None

    def covers(self, path: str) -> bool:
        """Whether a path is below one of the directories, be there such a member or not."""
        path = os.path.normpath(path)
        return any(path == root or path.startswith(f"{root}/") for root, _ in self.roots)

    def replaced(self, text: str, render: Callable[[str], str]) -> str:
        """A text with each path that leads to a member as ``render`` writes that."""

        def replace(match: re.Match[str]) -> str:
            path = match[0]
            name = self.member(path)
            if name is None:
                return path
            # What follows may be a variable.
            return render(name) + ("/" if path.endswith("/") else "")

        return self._pattern().sub(replace, text)

    def _pattern(self) -> re.Pattern[str]:
        roots = "|".join(re.escape(root) for root, _ in self.roots)
        # A path begins behind what is no part of one, or right behind an option such as -I.
        before = r"(?=/)(?:(?<![\w./-])|(?<=\A-[A-Za-z])|(?<=[\s'\"`:;,=]-[A-Za-z]))"
        return re.compile(rf"{before}(?:{roots})(?:/[^\s'\"`:;,<>()\[\]{{}}|=$\\]*)?(?![\w.-])")


def with_first_line(name: str, data: bytes, python: str = PYTHON) -> Optional[bytes]:
    """A script of python's that finds its python by its own path; None where it is no such script.

    Also through a link to it, and with blanks in the path. Without one it starts no process but
    python. Comments stay before it, since the second line may tell the encoding, and a docstring
    goes on where it ends, since only that may precede an import from ``__future__``.
    """
    two = _TWO_LINES.match(data)
    if two:
        return _rendered(name, data[two.end() :], "", python)
    first, _, rest = data.partition(b"\n")
    if first.rstrip().endswith(_SBANG):
        first, _, rest = rest.partition(b"\n")
    match = _SHEBANG.match(first.rstrip())
    if match is None:
        return None
    interpreter = os.path.basename(match[1].decode("utf-8", "replace"))
    if not _PYTHON_NAME.fullmatch(interpreter):
        return None
    return _rendered(name, rest, match[2].decode("utf-8", "replace").strip(), python)


def _rendered(name: str, rest: bytes, options: str, python: str) -> bytes:
    relative = os.path.relpath(python, os.path.dirname(name))
    words = f"{shlex.quote(options)} " if options else ""
    start = _START.format(python=relative, options=words).encode()
    found = _COMMENTS.match(rest)
    comments = b"" if found is None else found[0]
    after = rest[len(comments) :]
    # To sh, a line of a form feed or a carriage return is a command.
    comments = b"".join(line if line.strip() else b"\n" for line in comments.splitlines(True))
    end = b" \\\n" if _DOCSTRING.match(after) else b"\n"
    return b"#!/bin/sh\n" + comments + start + end + after


def with_interpreter(data: bytes, origins: Origins) -> Optional[bytes]:
    """A script of an interpreter of the pack that is found on PATH; None if it is none."""
    first, end, rest = data.partition(b"\n")
    if first.rstrip().endswith(_SBANG):
        return with_interpreter(rest, origins) or rest
    match = _SHEBANG.match(first.rstrip())
    if match is None or origins.member(os.fsdecode(match[1])) is None:
        return None
    return b"#!/usr/bin/env " + os.path.basename(match[1]) + end + rest


def with_package_config(name: str, text: str, origins: Origins) -> str:
    """A ``*.pc`` whose paths begin at itself (``pcfiledir`` of pkg-config and pkgconf)."""
    return origins.replaced(text, lambda one: f"${{pcfiledir}}/{_relative(one, name)}")


def with_cmake(name: str, text: str, origins: Origins) -> str:
    """A CMake file whose paths begin at itself."""
    return origins.replaced(
        text, lambda one: f"${{CMAKE_CURRENT_LIST_DIR}}/{_relative(one, name)}"
    )


def with_build_variables(text: str, origins: Origins) -> str:
    """The module ``_sysconfigdata*`` with the paths of where python is when it is imported."""
    replaced = origins.replaced(text, lambda one: f"{_MARK}/{one}")
    if replaced == text:
        return text
    return replaced + _BUILD_VARIABLES


_MARK = "@pack@"
_BUILD_VARIABLES = f"""
# Appended by spack-pyvarium: the paths are those of where this pack is.
import os as _os
import sys as _sys
_pack = _os.path.dirname(_sys.base_prefix)
build_time_vars = {{
    key: value.replace("{_MARK}", _pack) if isinstance(value, str) else value
    for key, value in build_time_vars.items()
}}
"""


def with_kernel(data: bytes, origins: Origins) -> bytes:
    """A Jupyter kernel whose python is that of the Jupyter which starts it."""
    try:
        kernel = json.loads(data)
        command = kernel["argv"][0]
    except _OTHER:
        return data
    if not isinstance(command, str) or origins.member(command) is None:
        return data
    kernel["argv"][0] = "python"
    return (json.dumps(kernel, indent=1, sort_keys=True) + "\n").encode()


def _relative(target: str, name: str) -> str:
    return os.path.relpath(target, os.path.dirname(name))


def source_of(name: str) -> Optional[str]:
    """The source that compiled code is of, by its name (PEP 3147); None for what is none."""
    directory, base = os.path.split(name)
    if not base.endswith(".pyc"):
        return None
    if os.path.basename(directory) == "__pycache__":
        return os.path.join(os.path.dirname(directory), f"{base.partition('.')[0]}.py")
    return name[:-1]


def with_source_time(data: bytes, before: int, size: int, after: int) -> bytes:
    """Compiled code that is as valid for a source of another time as it was (PEP 552).

    ``size`` is that of the source in bytes; ``before`` and ``after`` are in seconds since 1970.
    """
    flags, time, length = struct.unpack_from("<4x3I", data) if len(data) >= 16 else (1, 0, 0)
    if flags:  # By a digest of the source, or no compiled code.
        return data
    is_valid = (time, length) == (before & 0xFFFFFFFF, size & 0xFFFFFFFF)
    return data[:8] + struct.pack("<I", after if is_valid else 0) + data[12:]


def path_lines(text: str) -> Iterator[Tuple[str, bool]]:
    """The lines of a path file, and whether each adds a directory (``site.addpackage``)."""
    for line in text.splitlines():
        is_path = bool(line.strip()) and not line.startswith(("#", "import ", "import\t"))
        yield line.rstrip(), is_path and "\0" not in line


def is_local_url(data: bytes) -> bool:
    """Whether a ``direct_url.json`` names a place on the machine that it was written on."""
    try:
        return str(json.loads(data)["url"]).startswith("file:")
    except _OTHER:
        return False


def editable_directory(data: bytes) -> Optional[str]:
    """What a ``direct_url.json`` names as the place of an editable installation (PEP 610)."""
    try:
        origin = json.loads(data)
        if origin["dir_info"]["editable"]:
            path = urllib.parse.unquote(urllib.parse.urlsplit(str(origin["url"])).path)
            return None if "\0" in path else path
    except _OTHER:
        pass
    return None


def with_record(
    name: str,
    data: bytes,
    changed: Mapping[str, Tuple[int, str]],
    has: Callable[[str], bool],
) -> bytes:
    """A RECORD of what is in the pack: ``changed`` has the size and SHA-256 of what was rewritten.

    The format is https://packaging.python.org/en/latest/specifications/recording-installed-packages/.
    """
    base = os.path.dirname(os.path.dirname(name))
    text = data.decode("utf-8", "surrogateescape")
    rows: List[List[str]] = []
    differs = False
    try:
        before = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:
        return data
    for row in before:
        member = os.path.normpath(os.path.join(base, row[0])) if row else ""
        if not has(member):
            differs = True
            continue
        if member in changed and len(row) == 3 and row[1]:
            size, digest = changed[member]
            encoded = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
            row = [row[0], f"sha256={encoded}", str(size)]
            differs = True
        rows.append(row)
    if not differs:
        return data
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "surrogateescape")
