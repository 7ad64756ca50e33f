# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read and change the keys we own in the text of ``pyproject.toml``, and nothing else.

tomlkit understands the file; the change itself is a splice of text: a marker put in place by
tomlkit shows where a value stands, and the result is accepted only if everything before and after
is the user's text to the byte and the file then means what it should. The formats are those of
PEP 518 (``[tool]``), PEP 621 (``[project]``) and PEP 735 (``[dependency-groups]``).
"""

from __future__ import annotations

import copy
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import tomlkit
from packaging.utils import canonicalize_name
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import InlineTable

from .errors import PyprojectError
from .model import Pin
from .pins import digest, parse_pin

GROUP = ("dependency-groups", "spack")
LOCKFILE_DIGEST = ("tool", "pyvarium", "lockfile-digest")
PINS_DIGEST = ("tool", "pyvarium", "pins-digest")

_MARKER = "e6f0c0de-spack-pyvarium-marker"
_COMMENT = "# Provided by Spack. Kept in step by 'spack pyvarium sync': put your own elsewhere."
#: The tokens of an array that holds strings without quotes in them. Comments end at their line.
_TOKEN = re.compile(r"""(?P<comment>\#[^\r\n]*)|(?P<string>"[^"]*"|'[^']*')|(?P<line>\n)""")


@dataclass(frozen=True)
class Owned:
    """What stands under the keys we own, and the user's settings for us.

    ``pins`` is None where there is no group. The digests are those of the lockfile that the pins
    were made from and of the pins as they were written, None where they are missing. ``opted_in``
    tells whether there is a ``[tool.pyvarium]``, ``auto_sync`` is the user's switch in it.
    """

    pins: Optional[Tuple[Pin, ...]] = None
    lockfile_digest: Optional[str] = None
    pins_digest: Optional[str] = None
    opted_in: bool = False
    auto_sync: bool = True


def owned(text: str, subject: str = "pyproject.toml") -> Owned:
    """Read the keys we own; ``subject`` names the file in a PyprojectError."""
    data = _parse(text, subject).unwrap()
    group = _table(data, GROUP[:-1], subject).get(GROUP[-1])
    table = _table(data, ("tool", "pyvarium"), subject)
    return Owned(
        pins=None if group is None else _pins(group, subject),
        lockfile_digest=_setting(table, LOCKFILE_DIGEST[-1], str, None, subject),
        pins_digest=_setting(table, PINS_DIGEST[-1], str, None, subject),
        opted_in="pyvarium" in _table(data, ("tool",), subject),
        auto_sync=_setting(table, "auto-sync", bool, True, subject),
    )


def with_pins(
    text: str, pins: Sequence[Pin], lockfile_digest: str, subject: str = "pyproject.toml"
) -> str:
    """Return the text with our keys set to the sorted pins; every other byte is kept.

    Comments among the pins are kept: those on a line of their own stay before the pin that they
    stand before, those behind a pin go with it. What this returns, it returns unchanged.
    """
    old = owned(text, subject)
    if old.pins != tuple(pins):
        span = _span(text, GROUP)
        array = f"[\n{_COMMENT}\n]" if span is None else text[slice(*span)]
        try:
            value = _render_array(array, pins)
        except ValueError:
            raise PyprojectError(
                f"{subject}: {'.'.join(GROUP)} has strings of several lines or with escapes;"
                " write them plainly"
            ) from None
        text = _with_value(text, GROUP, value, subject)
    if old.lockfile_digest != lockfile_digest:
        text = _with_value(text, LOCKFILE_DIGEST, f'"{lockfile_digest}"', subject)
    if old.pins_digest != digest(pins):
        text = _with_value(text, PINS_DIGEST, f'"{digest(pins)}"', subject)
    return text


def new_text(name: str, python: Optional[str]) -> str:
    """A minimal valid ``pyproject.toml`` for an environment whose python is ``X.Y``.

    The bound on python is needed: Spack's pins hold for that python, and a resolver that has to
    find a solution for every other one fails.
    """
    project = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "environment"
    lines = ["[project]", f'name = "{canonicalize_name(project)}"', 'version = "0"']
    if python is not None:
        major, minor = python.split(".")
        lines.append(f'requires-python = ">={python},<{major}.{int(minor) + 1}"')
    return "\n".join([*lines, "dependencies = []", ""])


def _parse(text: str, subject: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        raise PyprojectError(
            f"{subject}:{error.line}:{error.col}: is not valid TOML"
            f" ({_first_line(error)}); mend it there"
        ) from None
    except (TOMLKitError, ValueError, TypeError, RecursionError) as error:
        raise PyprojectError(
            f"{subject}: is not valid TOML ({_first_line(error)}); mend it"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _table(data: Mapping[str, Any], keys: Sequence[str], subject: str) -> Mapping[str, Any]:
    for position, key in enumerate(keys, start=1):
        data = data.get(key, {})
        if not isinstance(data, dict):
            name = ".".join(keys[:position])
            raise PyprojectError(f"{subject}: {name} is not a table; make it one or remove it")
    return data


def _setting(table: Mapping[str, Any], key: str, kind: type, default: Any, subject: str) -> Any:
    value = table.get(key, default)
    if value is not default and not isinstance(value, kind):
        raise PyprojectError(
            f"{subject}: tool.pyvarium.{key} is {value!r}; make it a {kind.__name__} or remove it"
        )
    return value


def _pins(group: object, subject: str) -> Tuple[Pin, ...]:
    name = ".".join(GROUP)
    if not isinstance(group, list):
        raise PyprojectError(f"{subject}: {name} is not a list; rename it, Spack's pins go there")
    pins: List[Pin] = []
    for entry in group:
        try:
            pins.append(parse_pin(entry if isinstance(entry, str) else ""))
        except ValueError:
            shown = entry if isinstance(entry, str) else repr(entry)
            raise PyprojectError(
                f"{subject}: {name} holds {shown!r}, which is not a pin of Spack's;"
                " move it to another group"
            ) from None
    return tuple(pins)


def _with_value(text: str, keys: Sequence[str], value: str, subject: str) -> str:
    """Set a key to a value given as TOML text: the first proposal that means what it should.

    Each proposal keeps the user's bytes by how it is made; whether it also sets the right key
    depends on how the file is written (``[table]``, dotted keys, inline tables), which is seen by
    parsing the result.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    value = value.replace("\n", newline)
    expected = _expected(_parse(text, subject).unwrap(), keys, value)
    for propose in (_replaced, _after_last_key, _placed_by_tomlkit, _appended):
        proposal = propose(text, keys, value, newline)
        if proposal is not None and _unwrap(proposal) == expected:
            return proposal
    raise PyprojectError(
        f"{subject}: {'.'.join(keys)} cannot be set without touching your text;"
        f" write a plain [{'.'.join(keys[:-1])}] table"
    )


def _span(text: str, keys: Sequence[str]) -> Optional[Tuple[int, int]]:
    """Where the value of a key starts and ends in the text, if the key is there."""
    document = tomlkit.parse(text)
    parent = _lookup(document, keys[:-1])
    if not isinstance(parent, Mapping) or keys[-1] not in parent:
        return None
    parent[keys[-1]] = _MARKER  # type: ignore[index]
    before, _, after = tomlkit.dumps(document).partition(f'"{_MARKER}"')
    if not text.startswith(before) or not text.endswith(after):
        return None
    return len(before), len(text) - len(after)


def _replaced(text: str, keys: Sequence[str], value: str, _: str) -> Optional[str]:
    span = _span(text, keys)
    return None if span is None else text[: span[0]] + value + text[span[1] :]


def _after_last_key(text: str, keys: Sequence[str], value: str, newline: str) -> Optional[str]:
    """A line of its own in a table that has keys, before the space that ends the table."""
    table = _lookup(tomlkit.parse(text), keys[:-1])
    if not isinstance(table, Mapping):
        return None
    ends = [
        span[1]
        for key, other in table.items()
        if not isinstance(other, Mapping) and (span := _span(text, [*keys[:-1], key]))
    ]
    if not ends:
        return None
    line_end = text.find("\n", max(ends)) + 1
    before, after = (text[:line_end], text[line_end:]) if line_end else (text + newline, "")
    return f"{before}{keys[-1]} = {value}{newline}{after}"


def _placed_by_tomlkit(text: str, keys: Sequence[str], value: str, _: str) -> Optional[str]:
    """Wherever tomlkit puts a key that is missing: inline tables, dotted keys, empty tables."""
    document = tomlkit.parse(text)
    parent: Any = document
    for key in keys[:-1]:
        if key not in parent:
            if not isinstance(parent, InlineTable):
                return None
            parent[key] = tomlkit.inline_table()
        parent = parent[key]
    parent[keys[-1]] = _MARKER
    dumped = tomlkit.dumps(document)
    common = len(os.path.commonprefix([text, dumped]))
    if not dumped.endswith(text[common:]):
        return None
    return dumped.replace(f'"{_MARKER}"', value)


def _appended(text: str, keys: Sequence[str], value: str, newline: str) -> Optional[str]:
    """A new table at the end of the file."""
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return f"{text}{gap}[{'.'.join(keys[:-1])}]{newline}{keys[-1]} = {value}{newline}"


def _lookup(data: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if not isinstance(data, Mapping) or key not in data:
            return None
        data = data[key]
    return data


def _expected(data: Mapping[str, Any], keys: Sequence[str], value: str) -> Dict[str, Any]:
    expected: Dict[str, Any] = copy.deepcopy(dict(data))
    table = expected
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = tomlkit.parse(f"value = {value}").unwrap()["value"]
    return expected


def _unwrap(text: str) -> Optional[Dict[str, Any]]:
    try:
        return tomlkit.parse(text).unwrap()
    except (TOMLKitError, ValueError):
        return None


def _render_array(array: str, pins: Sequence[Pin]) -> str:
    """Render an array with one pin a line, and with the comments that the given one has.

    Raises ValueError where the strings in it are written in another way than plainly.
    """
    names = {pin.name for pin in pins}
    head: List[str] = []
    before: Dict[str, List[str]] = {}
    behind: Dict[str, str] = {}
    pending = head
    name = None  # Of the pin that a comment on this line belongs to.
    for token in _TOKEN.finditer(array):
        if token["line"]:
            name = None
        elif token["string"]:
            name = parse_pin(token["string"][1:-1]).name
            if pending is head:
                pending = []
            elif name in names:
                before[name], pending = pending, []
        elif name is None:
            pending.append(token["comment"].rstrip())
        else:
            behind[name] = "  " + token["comment"].rstrip()
    lines = list(head)
    for pin in pins:
        lines += [*before.get(pin.name, ()), f'"{pin}",{behind.get(pin.name, "")}']
    if pending is not head:
        lines += pending
    return "\n".join(["[", *(f"    {line}" for line in lines), "]"])
