# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Change one entry in a scope of Spack's configuration, and keep all else in the file to the byte.

What is written is text (``configuration``); what it means is asked of Spack before it is written.
"""

from __future__ import annotations

import re
from typing import Callable, List, Optional, Tuple, Union

from . import configuration, files, spack_api
from .errors import PyvariumError
from .files import FileChange
from .spack_api import SECTION, SectionFile

#: What a setting can be set to.
Value = Union[str, bool, Tuple[str, ...]]
#: Tells of an entry, as it stands in the file or as Spack reads it, whether it is the one meant.
Ours = Callable[[str], bool]


def is_key(key: str) -> Ours:
    """Match the entry of a key; one with ``::`` is the admin's own."""
    pattern = re.compile(rf"\s*(['\"]?){re.escape(key)}\1:(?!:)")
    return lambda entry: pattern.match(entry) is not None


def with_setting(
    scope: str, key: str, value: Optional[Value], *, force: bool = False
) -> FileChange:
    """Plan to set a setting of ours, or with None to remove it; raises PyvariumError.

    With ``force`` it is one that no higher scope changes (``::``), and only so one that is forced
    already is changed or removed.
    """
    section = spack_api.section_file(scope, SECTION)
    if len(section.keys) > 1:  # Spack's manifest knows no section of ours.
        raise PyvariumError(f"{section.path}: cannot hold {key}; use another --scope")
    *outer, last = key.split(".")
    file = SectionFile(section.path, (*section.keys, *outer), section.shared)
    there = entries(file)
    is_forced = is_key(f"{last}:")
    if any(map(is_forced, there)) and not force:
        raise PyvariumError(f"{file.path}: forces {key} by '::'; add --force, or change it there")
    ours = is_any(is_key(last), is_forced)
    if value is not None:
        return changed(file, f"{last}{'::' if force else ':'} {_render(value)}\n", ours)
    if outer and there and all(map(ours, there)):
        return changed(section, "", is_key(outer[-1]))
    return changed(file, "", ours)


def is_any(*those: Ours) -> Ours:
    return lambda entry: any(one(entry) for one in those)


def _render(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_render, value))}]"
    quoted = value.replace("'", "''")
    return f"'{quoted}'"


def changed(file: SectionFile, entry: str, ours: Ours) -> FileChange:
    """Plan to have this entry (none: "") and no other of ours; raises PyvariumError."""
    before = files.read_optional(file.path)
    text = decode(before)
    there = spack_api.parse_entries(text, file)
    wanted = spack_api.parse_entries(configuration.with_entry("", file.keys, entry), file)
    if list(filter(ours, there)) == wanted:
        return FileChange(file.path, before, before)
    after = configuration.without_entries(text, file.keys, ours)
    if entry:
        after = configuration.with_entry(after, file.keys, entry)
    # Spack reads the result before anybody else: all that stood there must stand there still.
    expected = [*wanted, *(one for one in there if not ours(one))]
    try:
        same = spack_api.parse_entries(after, file) == expected
        same = same and _beside(after, file) == _beside(text, file)
    except PyvariumError:
        same = False
    if not same:
        raise PyvariumError(
            f"{file.path}: '{file.keys[-1]}' is not written with one entry a line; rewrite it so,"
            " or use another --scope"
        )
    data = after.encode("utf-8", "surrogateescape") if after.strip() else None
    return FileChange(file.path, before, data, file.shared)


def entries(file: SectionFile) -> List[str]:
    """What stands in the file below its keys, each as one line; raises PyvariumError."""
    return spack_api.parse_entries(decode(files.read_optional(file.path)), file)


def _beside(text: str, file: SectionFile) -> List[str]:
    """What stands beside the last of the keys."""
    *outer, last = file.keys
    key = re.compile(rf"{re.escape(last)}::? ")
    beside = spack_api.parse_entries(text, SectionFile(file.path, tuple(outer)))
    return [entry for entry in beside if not key.match(entry)]


def decode(data: Optional[bytes]) -> str:
    """The text of a file, of which every byte can be written again."""
    return (data or b"").decode("utf-8", "surrogateescape")
