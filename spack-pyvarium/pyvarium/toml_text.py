# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Change values in the text of a TOML file; what is not changed stays, to the byte.

A change is a splice of text, so what is not spliced is the user's. Where to splice is proposed by
the look of the text and decided by its meaning: the first proposal is taken that, when parsed,
differs from the file as it was in the one value that is to change.

A value is named by its keys, as ``("tool", "uv", "index")``, and new ones are given as plain
values: strings, booleans, lists, dicts. ``subject`` names the file in a PyprojectError.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import re
import sys
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from .errors import PyprojectError

if sys.version_info >= (3, 11):
    import tomllib

Keys = Sequence[str]

_MARKER = "e6f0c0de-spack-pyvarium-marker"
#: The tokens of an array that holds strings without quotes in them. Comments end at their line.
_TOKEN = re.compile(r"""(?P<comment>\#[^\r\n]*)|(?P<string>"[^"]*"|'[^']*')|(?P<line>\n)""")
_HEADER = re.compile(r"^[ \t]*\[[^\n]*(?:\n|\Z)", re.MULTILINE)
#: An array of so many strings is put on a line each.
_LONG = 4


def parse(text: str, subject: str) -> Mapping[str, Any]:
    """Parse a file; raises PyprojectError where it is not valid TOML.

    The answer is for reading only: it is given again for the same text.
    """
    try:
        return _load(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise PyprojectError(f"{subject}: is not valid TOML ({reason}); mend it") from None


def value_at(data: Mapping[str, Any], keys: Keys) -> Any:
    """The value that the keys lead to; None where there is none."""
    value: Any = data
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def with_value(text: str, keys: Keys, value: object, subject: str) -> str:
    """Set a value."""
    return _with_value(text, keys, render(value), subject)


def without(text: str, keys: Keys, subject: str) -> str:
    """Remove a value with its line, and the tables above that are empty then."""
    data = _load(text)
    if value_at(data, keys) is None:
        return text
    kept = copy.deepcopy(data)
    del value_at(kept, keys[:-1])[keys[-1]]
    for proposal in _cut(text, keys):
        if _meaning(proposal) in (kept, _pruned(kept, keys[:-1])):
            return proposal
    raise _untouchable(keys, subject)


def with_strings(
    text: str,
    keys: Keys,
    strings: Sequence[str],
    subject: str,
    *,
    same: Callable[[str], str] = str,
    head: Optional[str] = None,
) -> str:
    """Set an array of strings, and keep the comments in it.

    Comments on a line of their own stay before the string that they stand before, those behind a
    string go with it; strings that are the ``same`` are one string with another value. ``head`` is
    the comment that a new array starts with; it also asks for a line for each string.
    """
    span = _span(text, keys)
    array = text[slice(*span)] if span else f"[\n{head}\n]" if head else "[]"
    lines = head is not None or "\n" in array or "#" in array or len(strings) > _LONG
    try:
        value = _render_array(array, strings, same) if lines else render(list(strings))
    except ValueError:
        raise PyprojectError(
            f"{subject}: {'.'.join(keys)} has strings of several lines or with escapes;"
            " write them plainly"
        ) from None
    return _with_value(text, keys, value, subject)


def with_entries(
    text: str, keys: Keys, old: Iterable[str], new: Mapping[str, object], subject: str
) -> str:
    """Replace the ``old`` entries of a table by ``new`` ones; its other entries are kept."""
    data = _load(text)
    present = value_at(data, keys) or {}
    dropped = {*old, *new} & present.keys()
    if {name: present[name] for name in dropped} == new:
        return text
    expected = copy.deepcopy(data)
    table = _made(expected, keys)
    for name in dropped:
        del table[name]
    table.update(new)
    accepted = [expected] if new else [expected, _pruned(expected, keys)]
    for proposal in _with_lines(text, keys, dropped, new):
        if _meaning(proposal) in accepted:
            return proposal
    for name in sorted(dropped - new.keys()):
        text = without(text, (*keys, name), subject)
    for name, value in new.items():
        text = with_value(text, (*keys, name), value, subject)
    return text


def with_named_table(
    text: str, keys: Keys, name: str, new: Optional[Mapping[str, object]], subject: str
) -> str:
    """Set the one of an array of tables that has this ``name``, or remove it; others are kept."""
    data = _load(text)
    expected = copy.deepcopy(data)
    tables = _made(expected, keys[:-1]).setdefault(keys[-1], [])
    names = [one.get("name") for one in tables]
    if name not in names and not new:
        return text
    place = names.index(name) if name in names else len(tables)
    tables[place : place + 1] = [new] if new else []
    if expected == data:
        return text
    accepted = [expected] if new else [expected, _pruned(expected, keys)]
    for proposal in _with_block(text, keys, name, new):
        if _meaning(proposal) in accepted:
            return proposal
    raise _untouchable(keys, subject)


def render(value: object) -> str:
    """Render a value as TOML on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_render_key(key)} = {render(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(render, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # A string of JSON is one of TOML.


def _render_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _untouchable(keys: Keys, subject: str) -> PyprojectError:
    return PyprojectError(
        f"{subject}: {'.'.join(keys)} cannot be set without touching your text;"
        f" write a plain [{'.'.join(keys[:-1])}] table"
    )


def _with_value(text: str, keys: Keys, value: str, subject: str) -> str:
    """Set a key to a value given as TOML text: the first proposal that means what it should.

    Each proposal keeps the user's bytes by how it is made; whether it also sets the right key
    depends on how the file is written (``[table]``, dotted keys, inline tables), which is seen by
    parsing the result.
    """
    newline = _newline(text)
    value = value.replace("\n", newline)
    expected = _expected(_load(text), keys, value)
    for propose in (_replaced, _added_to_table, _appended, _placed_by_tomlkit):
        for proposal in propose(text, keys, value, newline):
            if _meaning(proposal) == expected:
                return proposal
    raise _untouchable(keys, subject)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _span(text: str, keys: Keys) -> Optional[Tuple[int, int]]:
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
    """Where a value may end: one in brackets at one of those behind it, others on their line."""
    closing = {"[": r"\]", "{": r"\}"}.get(text[start : start + 1])
    if closing:
        yield from (match.end() for match in re.compile(closing).finditer(text, start))
    else:
        match = re.compile(r"""("[^"\n]*"|'[^'\n]*'|[^\s,#}]*)""").match(text, start)
        if match:
            yield match.end()


def _replaced(text: str, keys: Keys, value: str, _: str) -> Iterator[str]:
    span = _span(text, keys)
    if span is not None:
        yield text[: span[0]] + value + text[span[1] :]


def _added_to_table(text: str, keys: Keys, value: str, newline: str) -> Iterator[str]:
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
            line = f"{_render_key(keys[-1])} = {value}{newline}"
            yield text[:position] + gap + line + text[position:]


def _placed_by_tomlkit(text: str, keys: Keys, value: str, _: str) -> Iterator[str]:
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


def _appended(text: str, keys: Keys, value: str, newline: str) -> Iterator[str]:
    """A new table at the end of the file."""
    header = ".".join(map(_render_key, keys[:-1]))
    yield _at_end(text, f"[{header}]{newline}{_render_key(keys[-1])} = {value}{newline}")


def _expected(data: Dict[str, Any], keys: Keys, value: str) -> Dict[str, Any]:
    expected = copy.deepcopy(data)
    _made(expected, keys[:-1])[keys[-1]] = _load(f"value = {value}")["value"]
    return expected


def _meaning(text: str) -> Optional[Dict[str, Any]]:
    """What a text means, None where it is not valid."""
    try:
        return _load(text)
    except ValueError:
        return None


@functools.lru_cache(maxsize=2)
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


@dataclass(frozen=True)
class _Section:
    """A table with a header of its own: where the header starts, its body, and where it ends.

    The end is behind the last line with a value, so that space and comments belong to what
    follows. ``array`` tells whether it is one of an array of tables.
    """

    keys: Tuple[str, ...]
    array: bool
    start: int
    body: int
    end: int


def _sections(text: str) -> Iterator[_Section]:
    """The sections by the look of the lines: one in a string of several lines is a false one."""
    headers = list(_HEADER.finditer(text))
    ends = [match.start() for match in headers[1:]] + [len(text)]
    for match, end in zip(headers, ends):
        table: Any = _meaning(match[0].strip()) or {}
        keys = []
        while isinstance(table, dict) and table:
            ((key, table),) = table.items()
            keys.append(key)
        if keys:
            yield _Section(
                tuple(keys), isinstance(table, list), match.start(), match.end(),
                match.end() + _used(text[match.end() : end]),
            )  # fmt: skip


def _used(body: str) -> int:
    """The length of a body without the space and the comments at its end."""
    lines = body.splitlines(keepends=True)
    while lines and lines[-1].strip()[:1] in ("", "#"):
        lines.pop()
    return sum(map(len, lines))


def _with_lines(
    text: str, keys: Keys, dropped: Iterable[str], new: Mapping[str, object]
) -> Iterator[str]:
    """A table with lines dropped from it, and new ones at its end."""
    newline = _newline(text)
    added = "".join(f"{_render_key(key)} = {render(new[key])}{newline}" for key in new)
    for section in _sections(text):
        if section.keys == tuple(keys) and not section.array:
            names = set(dropped)
            lines = text[section.body : section.end].splitlines(keepends=True)
            kept = "".join(line for line in lines if names.isdisjoint(_meaning(line) or ()))
            gap = "" if not kept or kept.endswith("\n") else newline
            head = text[section.start : section.body]
            head += "" if head.endswith("\n") else newline
            if not (kept + added).strip():
                yield _joined(text[: section.start], text[section.end :])
            yield text[: section.start] + head + kept + gap + added + text[section.end :]
    yield _at_end(text, f"[{'.'.join(map(_render_key, keys))}]{newline}{added}")


def _with_block(
    text: str, keys: Keys, name: str, new: Optional[Mapping[str, object]]
) -> Iterator[str]:
    """An array of tables with the section of one changed, removed or put at the end."""
    newline = _newline(text)
    block = ""
    if new:
        block = f"[[{'.'.join(map(_render_key, keys))}]]{newline}"
        block += "".join(f"{_render_key(key)} = {render(new[key])}{newline}" for key in new)
    for section in _sections(text):
        if section.keys == tuple(keys) and section.array:
            table = _meaning(text[section.body : section.end]) or {}
            if table.get("name") == name and block:
                yield text[: section.start] + block + text[section.end :]
            elif table.get("name") == name:
                yield _joined(text[: section.start], text[section.end :])
    if new:
        yield _at_end(text, block)
    span = _span(text, keys)  # An array of inline tables.
    if span:
        inner = text[span[0] + 1 : span[1] - 1].rstrip()
        others = [one for one in value_at(_load(text), keys) if one.get("name") != name]
        arrays = [f"[{inner}{comma}{render(new)}]" for comma in ("", ", ")] if new else []
        for array in (*arrays, render([*others, new] if new else others)):
            yield text[: span[0]] + array + text[span[1] :]


def _cut(text: str, keys: Keys) -> Iterator[str]:
    """A text without a value: without its section, its line, or its place in an inline table."""
    span = _span(text, keys)
    if span is not None:
        start = text.rfind("\n", 0, span[0]) + 1
        end = text.find("\n", span[1]) + 1 or len(text)
        for section in _sections(text):
            rest = text[section.body : start] + text[end : section.end]
            if section.body <= start < section.end and not rest.strip():
                yield _joined(text[: section.start], text[max(end, section.end) :])
        yield text[:start] + text[end:]
    import tomlkit

    document = tomlkit.parse(text)
    del value_at(document, keys[:-1])[keys[-1]]
    yield tomlkit.dumps(document)


def _joined(before: str, after: str) -> str:
    """What stood around a section that was cut out, without the space that was around it."""
    if not after.strip():
        return before.rstrip() + ("\n" if before.strip() else "")
    return before + after.lstrip("\r\n")


def _at_end(text: str, block: str) -> str:
    newline = _newline(text)
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + block


def _made(data: Dict[str, Any], keys: Keys) -> Dict[str, Any]:
    for key in keys:
        data = data.setdefault(key, {})
    return data


def _pruned(data: Dict[str, Any], keys: Keys) -> Dict[str, Any]:
    """A copy without the empty tables that the keys lead through."""
    data = copy.deepcopy(data)
    for count in range(len(keys), 0, -1):
        if not value_at(data, keys[:count]):
            value_at(data, keys[: count - 1]).pop(keys[count - 1], None)
    return data


def _render_array(array: str, strings: Sequence[str], same: Callable[[str], str]) -> str:
    """Render an array with one string a line, and with the comments that the given one has.

    Raises ValueError where the strings in it are written in another way than plainly.
    """
    names = {same(string) for string in strings}
    head: List[str] = []
    before: Dict[str, List[str]] = {}
    behind: Dict[str, str] = {}
    pending = head
    name = None  # Of the string that a comment on this line belongs to.
    for token in _TOKEN.finditer(array):
        if token["line"]:
            name = None
        elif token["string"]:
            name = same(token["string"][1:-1])
            if pending is head:
                pending = []
            elif name in names:
                before[name], pending = pending, []
        elif name is None:
            pending.append(token["comment"].rstrip())
        else:
            behind[name] = "  " + token["comment"].rstrip()
    lines = list(head)
    for string in strings:
        name = same(string)
        lines += [*before.get(name, ()), f"{render(string)},{behind.get(name, '')}"]
    if pending is not head:
        lines += pending
    return "\n".join(["[", *(f"    {line}" for line in lines), "]"])
