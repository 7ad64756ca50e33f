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
import itertools
import json
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
#: What a value consists of, but for commas and space.
_TOKEN = re.compile(
    r"""
    (?P<string>
        \"{3} (?: \\. | [^\\] )*? \"{3} (?!") | '{3} .*? '{3} (?!')
        | " (?: \\. | [^"\\\n] )* " | ' [^'\n]* '
    )
    | (?P<comment> \# [^\r\n]* ) | (?P<line> \n ) | (?P<open> [\[{] ) | (?P<close> [\]}] )
    # A time may stand behind its date and a blank.
    | [^\s,="'\[\]{}\#]+ (?: [ ] \d [^\s,\]}\#]* )?
    """,
    re.VERBOSE | re.DOTALL,
)
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


def table_at(data: Mapping[str, Any], keys: Keys, subject: str) -> Mapping[str, Any]:
    """The table that the keys lead to, empty where there is none; raises PyprojectError."""
    for count, key in enumerate(keys, start=1):
        data = data.get(key, {})
        if not isinstance(data, dict):
            raise _misshapen(keys[:count], "a table", subject)
    return data


def tables_at(data: Mapping[str, Any], keys: Keys, subject: str) -> Sequence[Mapping[str, Any]]:
    """The array of tables that the keys lead to, as ``table_at``."""
    found = table_at(data, keys[:-1], subject).get(keys[-1], [])
    if not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
        raise _misshapen(keys, "an array of tables", subject)
    return found


def strings_at(data: Mapping[str, Any], keys: Keys, subject: str) -> Sequence[str]:
    """The list of strings that the keys lead to, as ``table_at``."""
    found = table_at(data, keys[:-1], subject).get(keys[-1], [])
    if not (isinstance(found, list) and all(isinstance(one, str) for one in found)):
        raise _misshapen(keys, "a list of strings", subject)
    return found


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
    return _chosen(_cut(text, keys), [_pruned(kept, keys[:-1]), kept], keys, subject)


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
    lines = head is not None or "\n" in array or len(strings) > _LONG
    value = _render_array(array, strings, same) if lines else render(list(strings))
    return _with_value(text, keys, value, subject)


def with_entries(
    text: str, keys: Keys, old: Iterable[str], new: Mapping[str, object], subject: str
) -> str:
    """Replace the ``old`` entries of a table by ``new`` ones; its other entries are kept."""
    table = table_at(_load(text), keys, subject)
    dropped = {*old, *new} & table.keys()
    if {name: table[name] for name in dropped} == new:
        return text
    expected = copy.deepcopy(_load(text))
    table = _made(expected, keys, subject)
    for name in dropped:
        del table[name]
    table.update(new)
    accepted = [expected] if new else [_pruned(expected, keys), expected]
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
    tables = list(tables_at(data, keys, subject))
    names = [one.get("name") for one in tables]
    if name not in names and not new:
        return text
    place = names.index(name) if name in names else len(tables)
    if new and tables[place : place + 1] == [new]:
        return text
    tables[place : place + 1] = [new] if new else []
    expected = copy.deepcopy(data)
    _made(expected, keys[:-1], subject)[keys[-1]] = tables
    accepted = [expected] if new else [_pruned(expected, keys), expected]
    return _chosen(_with_block(text, keys, place, new), accepted, keys, subject)


def render(value: object) -> str:
    """Render a value as TOML on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{render_key(key)} = {render(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(render, value)) + "]"
    # A string of JSON is one of TOML, but for one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def render_key(key: str) -> str:
    """Render a key, in quotes where it is not a bare one."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else render(key)


def _render_keys(keys: Keys) -> str:
    return ".".join(map(render_key, keys))


def _chosen(
    proposals: Iterable[str], meanings: Sequence[Mapping[str, Any]], keys: Keys, subject: str
) -> str:
    """The first proposal that has one of the meanings.

    Each proposal keeps the user's bytes by how it is made; whether it also changes the right key
    depends on how the file is written (``[table]``, dotted keys, inline tables), which is seen by
    parsing the result.
    """
    for proposal in proposals:
        if _meaning(proposal) in meanings:
            return proposal
    raise PyprojectError(
        f"{subject}: {'.'.join(keys)} cannot be set without touching your text;"
        f" write a plain [{'.'.join(keys[:-1])}] table"
    )


def _with_value(text: str, keys: Keys, value: str, subject: str) -> str:
    """Set a key to a value given as TOML text."""
    value = value.replace("\n", _newline(text))
    expected = _expected(_load(text), keys, value, subject)
    ways = (_replaced, _added_to_table, _appended, _added_with_dots)
    proposals = (proposal for propose in ways for proposal in propose(text, keys, value))
    return _chosen(proposals, [expected], keys, subject)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _span(text: str, keys: Keys) -> Optional[Tuple[int, int]]:
    """Where the value of a key starts and ends in the text, if it stands behind a ``key =``."""
    if value_at(_load(text), keys) is None:
        return None
    marked = copy.deepcopy(_load(text))
    value_at(marked, keys[:-1])[keys[-1]] = _MARKER
    key = re.compile(rf"""(?<![\w-])["']?{re.escape(keys[-1])}["']?[ \t]*=[ \t]*""")
    for match in key.finditer(text):
        start, end = match.end(), _value_end(text, match.end())
        if _meaning(f'{text[:start]}"{_MARKER}"{text[end:]}') == marked:
            return start, end
    return None


def _value_end(text: str, start: int) -> int:
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += bool(token["open"]) - bool(token["close"])
        if depth <= 0:
            return token.end()
    return len(text)


def _replaced(text: str, keys: Keys, value: str) -> Iterator[str]:
    span = _span(text, keys)
    if span is not None:
        yield text[: span[0]] + value + text[span[1] :]


def _added_to_table(text: str, keys: Keys, value: str, count: int = -1) -> Iterator[str]:
    """A line of its own in a ``[table]``, before the space or the comments that end it."""
    newline = _newline(text)
    line = f"{_render_keys(keys[count:])} = {value}{newline}"
    for section in _sections(text):
        if section.keys == tuple(keys[:count]) and not section.array:
            before = text[: section.end]
            gap = "" if not before or before.endswith("\n") else newline
            yield before + gap + line + text[section.end :]


def _appended(text: str, keys: Keys, value: str) -> Iterator[str]:
    """A new table at the end of the file."""
    newline = _newline(text)
    header = _render_keys(keys[:-1])
    yield _at_end(text, f"[{header}]{newline}{render_key(keys[-1])} = {value}{newline}")


def _added_with_dots(text: str, keys: Keys, value: str) -> Iterator[str]:
    """In a table above, by dotted keys or in an inline table."""
    for count in range(len(keys) - 1, -1, -1):
        span = _span(text, keys[:count]) if count else None
        if span is not None and text[span[0]] == "{":
            inner = text[span[0] + 1 : span[1] - 1]
            used = inner.rstrip()
            gap = ", " if used else " "
            added = f"{gap}{_render_keys(keys[count:])} = {value}{inner[len(used) :]}"
            yield text[: span[0] + 1] + used + added + text[span[1] - 1 :]
        yield from _added_to_table(text, keys, value, count)


def _expected(data: Dict[str, Any], keys: Keys, value: str, subject: str) -> Dict[str, Any]:
    expected = copy.deepcopy(data)
    _made(expected, keys[:-1], subject)[keys[-1]] = _load(f"value = {value}")["value"]
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


@functools.lru_cache(maxsize=2)
def _sections(text: str) -> Sequence[_Section]:
    """The table of the root, and those that have a header."""
    sections = []
    keys: Tuple[str, ...] = ()
    array, start, body, end, depth = False, 0, 0, 0, 0
    for token in _TOKEN.finditer(text):
        if token["comment"] or token["line"]:
            continue
        line = text.rfind("\n", 0, token.start()) + 1 if token["open"] and not depth else 0
        if token["open"] == "[" and not depth and not text[line : token.start()].strip():
            sections.append(_Section(keys, array, start, body, _line_end(text, end) if end else 0))
            start, end = line, _value_end(text, token.start())
            body = _line_end(text, end)
            keys, array = _keys_of(text[start:end])
        depth += bool(token["open"]) - bool(token["close"])
        end = max(end, token.end())
    return (*sections, _Section(keys, array, start, body, _line_end(text, end) if end else 0))


def _line_end(text: str, position: int) -> int:
    return text.find("\n", position) + 1 or len(text)


def _keys_of(header: str) -> Tuple[Tuple[str, ...], bool]:
    """The keys of a header, and whether it is one of an array of tables."""
    table: Any = _meaning(header.strip())
    keys: Tuple[str, ...] = ()
    while isinstance(table, dict) and table:
        ((key, table),) = table.items()
        keys = (*keys, key)
    return keys, isinstance(table, list)


def _with_lines(
    text: str, keys: Keys, dropped: Iterable[str], new: Mapping[str, object]
) -> Iterator[str]:
    """A table with lines dropped from it, and new ones at its end."""
    newline = _newline(text)
    added = "".join(f"{render_key(key)} = {render(new[key])}{newline}" for key in new)
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
    yield _at_end(text, f"[{_render_keys(keys)}]{newline}{added}")


def _with_block(
    text: str, keys: Keys, place: int, new: Optional[Mapping[str, object]]
) -> Iterator[str]:
    """An array of tables with the one at a place changed, removed or put at the end."""
    newline = _newline(text)
    block = ""
    if new:
        block = f"[[{_render_keys(keys)}]]{newline}"
        block += "".join(f"{render_key(key)} = {render(new[key])}{newline}" for key in new)
    sections = _sections(text)
    heads = [one for one in sections if one.keys == tuple(keys) and one.array]
    for first in heads[place : place + 1]:
        # With the tables of their own that belong to it.
        rest = iter(sections[sections.index(first) + 1 :])
        own = itertools.takewhile(lambda one: one.keys[:-1][: len(keys)] == tuple(keys), rest)
        *_, last = first, *own
        if new:
            yield text[: first.start] + block + text[last.end :]
        else:
            yield _joined(text[: first.start], text[last.end :])
    if new:
        yield _at_end(text, block)
    span = _span(text, keys)
    if span:  # An array of inline tables.
        items = list(_items(text, *span))
        if place < len(items):
            start, end = items[place]
            inline = (
                [text[:start] + render(new) + text[end:]] if new else _unlisted(text, start, end)
            )
            yield from inline
        elif items:
            end = items[-1][1]
            yield f"{text[:end]}, {render(new)}{text[end:]}"
        else:
            yield text[: span[0] + 1] + render(new) + text[span[0] + 1 :]


def _items(text: str, start: int, end: int) -> Iterator[Tuple[int, int]]:
    """Where each of the tables in an array starts and ends."""
    position = start + 1
    while position < end:
        token = _TOKEN.search(text, position)
        assert token is not None  # There is the closing bracket at least.
        position = _value_end(text, token.start()) if token["open"] else token.end()
        if token["open"]:
            yield token.start(), position


def _cut(text: str, keys: Keys) -> Iterator[str]:
    """A text without a value: without its line, with its section, or its place among others."""
    sections = _sections(text)
    span = _span(text, keys)
    if span is not None:
        start = text.rfind("\n", 0, span[0]) + 1
        end = text.find("\n", span[1]) + 1 or len(text)
        for section in sections[1:]:
            rest = text[section.body : start] + text[end : section.end]
            if section.body <= start < section.end and not rest.strip():
                yield _joined(text[: section.start], text[max(end, section.end) :])
        yield text[:start] + text[end:]
        key = re.search(r"""[\w."' \t-]+=[ \t]*\Z""", text[: span[0]])
        if key:
            yield from _unlisted(text, key.start() + len(key[0]) - len(key[0].lstrip()), span[1])
    kept = text
    for section in reversed(sections):
        if section.keys[: len(keys)] == tuple(keys):
            kept = _joined(kept[: section.start], kept[section.end :])
    yield kept


def _unlisted(text: str, start: int, end: int) -> Iterator[str]:
    """A text without one of several, and without the comma behind it or else before it."""
    comma = re.compile(r"[ \t]*,[ \t]*").match(text, end)
    if comma:
        yield text[:start] + text[comma.end() :]
    yield re.sub(r"[ \t]*,\s*\Z", "", text[:start]) + text[end:]
    yield text[:start] + text[end:]


def _joined(before: str, after: str) -> str:
    """What stood around a section that was cut out, with the one blank line that parts it."""
    newline = _newline(before or after)
    if not before:
        return after[len(newline) :] if after.startswith(newline) else after
    if before.endswith(f"\n{newline}") and (not after.strip() or after.startswith(newline)):
        before = before[: -len(newline)]
    return before + after


def _at_end(text: str, block: str) -> str:
    newline = _newline(text)
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + block


def _made(data: Dict[str, Any], keys: Keys, subject: str) -> Dict[str, Any]:
    """The table that the keys lead to, made where it is missing; raises PyprojectError."""
    for count, key in enumerate(keys, start=1):
        data = data.setdefault(key, {})
        if not isinstance(data, dict):
            raise _misshapen(keys[:count], "a table", subject)
    return data


def _misshapen(keys: Keys, shape: str, subject: str) -> PyprojectError:
    return PyprojectError(f"{subject}: {'.'.join(keys)} is not {shape}; make it one or remove it")


def _pruned(data: Dict[str, Any], keys: Keys) -> Dict[str, Any]:
    """A copy without the empty tables that the keys lead through."""
    data = copy.deepcopy(data)
    for count in range(len(keys), 0, -1):
        if not value_at(data, keys[:count]):
            value_at(data, keys[: count - 1]).pop(keys[count - 1], None)
    return data


def _render_array(array: str, strings: Sequence[str], same: Callable[[str], str]) -> str:
    """Render an array with one string a line, and with the comments that the given one has."""
    names = {same(string) for string in strings}
    head: List[str] = []
    before: Dict[str, List[str]] = {}
    behind: Dict[str, str] = {}
    pending = head
    name: Optional[str] = None  # Of the string that a comment on this line belongs to.
    for token in _TOKEN.finditer(array):
        if token["line"]:
            name = None
        elif token["string"]:
            name = same(_load(f"value = {token['string']}")["value"])
            if pending is head:
                pending = []
            elif name in names:
                before[name], pending = pending, []
        elif token["comment"] and name is not None:
            behind[name] = "  " + token["comment"].rstrip()
        elif token["comment"]:
            pending.append(token["comment"].rstrip())
    lines = list(head)
    for string in strings:
        name = same(string)
        lines += [*before.get(name, ()), f"{render(string)},{behind.get(name, '')}"]
    if pending is not head:
        lines += pending
    return "\n".join(["[", *(f"    {line}" for line in lines), "]"])
