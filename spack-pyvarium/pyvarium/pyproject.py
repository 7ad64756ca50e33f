# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read and change the keys we own in the text of ``pyproject.toml``, and nothing else.

A change is a splice of text, so what is not spliced is the user's to the byte. Where to splice is
proposed by the look of the text and decided by its meaning: the first proposal is taken that, when
parsed, differs from the file as it was in the one key that is to change. The formats are those of
PEP 518 (``[tool]``), PEP 621 (``[project]``) and PEP 735 (``[dependency-groups]``).
"""

from __future__ import annotations

import copy
import os
import re
import sys
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from packaging.utils import canonicalize_name

from .errors import PyprojectError
from .model import Pin
from .pins import digest, parse_pin

if sys.version_info >= (3, 11):
    import tomllib

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


def owned(text: str, subject: str) -> Owned:
    """Read the keys we own; ``subject`` names the file in a PyprojectError."""
    data = _parse(text, subject)
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
    text: str, old: Owned, pins: Sequence[Pin], lockfile_digest: str, subject: str
) -> str:
    """Return the text, which holds ``old``, with our keys set to sorted pins; the rest is kept.

    Comments among the pins are kept: those on a line of their own stay before the pin that they
    stand before, those behind a pin go with it. What this returns, it returns unchanged.
    """
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


def _parse(text: str, subject: str) -> Dict[str, Any]:
    try:
        return _load(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise PyprojectError(f"{subject}: is not valid TOML ({reason}); mend it") from None


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
    expected = _expected(_load(text), keys, value)
    for propose in (_replaced, _added_to_table, _appended, _placed_by_tomlkit):
        for proposal in propose(text, keys, value, newline):
            if _meaning(proposal) == expected:
                return proposal
    raise PyprojectError(
        f"{subject}: {'.'.join(keys)} cannot be set without touching your text;"
        f" write a plain [{'.'.join(keys[:-1])}] table"
    )


def _span(text: str, keys: Sequence[str]) -> Optional[Tuple[int, int]]:
    """Where the value of a key starts and ends in the text, if the key is there."""
    marked = _expected(_load(text), keys, f'"{_MARKER}"')
    key = re.compile(rf"""(?<![\w-])["']?{re.escape(keys[-1])}["']?[ \t]*=[ \t]*""")
    for match in key.finditer(text):
        start = match.end()
        for end in _value_ends(text, start):
            if _meaning(f'{text[:start]}"{_MARKER}"{text[end:]}') == marked:
                return start, end
    return None


def _value_ends(text: str, start: int) -> Iterator[int]:
    """Where a value may end: an array at one of the brackets behind it, others on their line."""
    if text.startswith("[", start):
        yield from (match.end() for match in re.compile(r"\]").finditer(text, start))
    else:
        match = re.compile(r"""("[^"\n]*"|'[^'\n]*'|[^\s,#}]*)""").match(text, start)
        if match:
            yield match.end()


def _replaced(text: str, keys: Sequence[str], value: str, _: str) -> Iterator[str]:
    span = _span(text, keys)
    if span is not None:
        yield text[: span[0]] + value + text[span[1] :]


def _added_to_table(text: str, keys: Sequence[str], value: str, newline: str) -> Iterator[str]:
    """A line of its own in a ``[table]``, before the space or the comments that end it."""
    names = r"[ \t]*\.[ \t]*".join(f"[\"']?{re.escape(key)}[\"']?" for key in keys[:-1])
    header = re.compile(rf"^[ \t]*\[[ \t]*{names}[ \t]*\][^\n]*(\n|\Z)", re.MULTILINE)
    for match in header.finditer(text):
        following = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, match.end())
        body = text[match.end() : following.start() if following else len(text)]
        lines = body.splitlines(keepends=True)
        used = len(lines)
        while used and lines[used - 1].strip()[:1] in ("", "#"):
            used -= 1
        # A line that looks like a header may stand in a value of several lines: it then takes a
        # later end. An empty table takes the line behind its header.
        for count in (used, *range(len(lines), -1, -1)):
            position = match.end() + sum(map(len, lines[:count]))
            gap = "" if text[:position].endswith("\n") else newline
            line = f"{keys[-1]} = {value}{newline}"
            yield text[:position] + gap + line + text[position:]


def _placed_by_tomlkit(text: str, keys: Sequence[str], value: str, _: str) -> Iterator[str]:
    """Wherever tomlkit puts a key that is missing: inline tables, dotted keys."""
    import tomlkit  # Here, since every Spack command that installs would pay for it.
    from tomlkit.items import InlineTable

    document = tomlkit.parse(text)
    parent: Any = document
    for key in keys[:-1]:
        if key not in parent:
            if not isinstance(parent, InlineTable):
                return
            parent[key] = tomlkit.inline_table()
        parent = parent[key]
    parent[keys[-1]] = _MARKER
    dumped = tomlkit.dumps(document)
    common = len(os.path.commonprefix([text, dumped]))
    if dumped.endswith(text[common:]):
        yield dumped.replace(f'"{_MARKER}"', value)


def _appended(text: str, keys: Sequence[str], value: str, newline: str) -> Iterator[str]:
    """A new table at the end of the file."""
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    yield f"{text}{gap}[{'.'.join(keys[:-1])}]{newline}{keys[-1]} = {value}{newline}"


def _expected(data: Dict[str, Any], keys: Sequence[str], value: str) -> Dict[str, Any]:
    expected = copy.deepcopy(data)
    table = expected
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = _load(f"value = {value}")["value"]
    return expected


def _meaning(text: str) -> Optional[Dict[str, Any]]:
    """What a text means, None where it is not valid."""
    try:
        return _load(text)
    except ValueError:
        return None


def _load(text: str) -> Dict[str, Any]:
    """Parse TOML, with Python's own parser where it has one; raises ValueError."""
    if sys.version_info >= (3, 11):
        return tomllib.loads(text)
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        data: Dict[str, Any] = tomlkit.parse(text).unwrap()
    except (TOMLKitError, TypeError, AttributeError) as error:  # It fails in its own ways too.
        raise ValueError(str(error)) from None
    return data


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
