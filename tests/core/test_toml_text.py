# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvarium.errors import PyprojectError
from pyvarium.toml_text import (
    parse,
    render,
    value_at,
    with_entries,
    with_named_table,
    with_strings,
    with_value,
    without,
)
from toml_texts import BODY, HEADER, SPACE, loads

KEYS = ("tool", "own", "list")
TABLE = KEYS[:-1]


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("", True, "[tool.own]\nlist = true\n"),
        ("a = 1", 1, "a = 1\n\n[tool.own]\nlist = 1\n"),
        ("[tool.own]\n", [], "[tool.own]\nlist = []\n"),
        ("[tool.own]", "x", '[tool.own]\nlist = "x"\n'),
        ("[tool.own]\na = 1 # c\n\n# of b\n[b]\n", 1, None),
        ("[tool.own.deep]\na = 1\n", 1, "[tool.own.deep]\na = 1\n\n[tool.own]\nlist = 1\n"),
        ("[tool]\nown.a = 1\n[b]\n", 1, "[tool]\nown.a = 1\nown.list = 1\n[b]\n"),
        ("tool = {own = {a = 1}}\n", 1, "tool = {own = {a = 1, list = 1}}\n"),
        ("tool.own.list = 'a' # c\n", "b", 'tool.own.list = "b" # c\n'),
        ("tool.own.list = 'a\"b'\n", "b", 'tool.own.list = "b"\n'),
        ('tool.own.list = "a\\"b"#\n', "b", 'tool.own.list = "b"#\n'),
        ('tool.own.list = """a\n"b" """#\n', "b", 'tool.own.list = "b"#\n'),
        ("tool.own.list = '''\na''b'''#\n", "b", 'tool.own.list = "b"#\n'),
        ("tool.own.list = 2020-01-01 10:00:00 # c\n", "b", 'tool.own.list = "b" # c\n'),
        ("tool.own = {list = [']', '}'], a = 1}\n", 1, "tool.own = {list = 1, a = 1}\n"),
        ("[tool.own]\r\nlist = 1\r\n", 2, "[tool.own]\r\nlist = 2\r\n"),
        ("[[tool.other]]\nlist = 1\n", 1, "[[tool.other]]\nlist = 1\n\n[tool.own]\nlist = 1\n"),
    ],
)
def test_with_value(before: str, value: object, after: Optional[str]) -> None:
    expected = after or "[tool.own]\na = 1 # c\nlist = 1\n\n# of b\n[b]\n"
    assert with_value(before, KEYS, value, "x.toml") == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("[tool]\nother = 1\n", "[tool]\nother = 1\n"),
        ("[tool.own]\nlist = 1\n", ""),
        ("[tool.own]\nlist = 1\nb = 2\n", "[tool.own]\nb = 2\n"),
        ("[tool.own]\n# c\nlist = 1\n", "[tool.own]\n# c\n"),
        ("[tool.own]\nlist = [\n 1, # c\n] # d\nb = 2\n", "[tool.own]\nb = 2\n"),
        ("a = 1\n\n[tool.own]\nlist = 1\n\n[b]\nc = 1\n", "a = 1\n\n[b]\nc = 1\n"),
        ("a = 1\n[tool.own]\nlist = 1\n[b]\nc = 1\n", "a = 1\n[b]\nc = 1\n"),
        ("a = 1\n\n\n[tool.own]\nlist = 1\n", "a = 1\n\n"),
        ("a = 1\r\n\r\n[tool.own]\r\nlist = 1\r\n", "a = 1\r\n"),
        ("a = 1\n\n[tool.own]\nlist = 1\n\n\n# c\n", "a = 1\n\n\n# c\n"),
        ("[tool.own.list]\na = 1\nb = 2\n\n[c]\n", "[c]\n"),
        ("tool.own.list = 1\ntool.a = 1\n", "tool.a = 1\n"),
        ("[tool]\nown = {list = 1, a = 2} # c\n", "[tool]\nown = {a = 2} # c\n"),
        ("[tool]\nown = {list = 1} # c\nb = 1\n", "[tool]\nb = 1\n"),
        ('[tool.own]\nlist = """\n[b]\n"""\n', ""),
    ],
)
def test_without(before: str, after: str) -> None:
    assert without(before, KEYS, "x.toml") == after


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("tool = 1\n", "tool"),
        ("tool.own = []\n", "tool.own"),
        ("[[tool]]\na = 1\n", "tool"),
        ("[[tool.own]]\na = 1\n", "tool.own"),
    ],
)
def test_what_is_no_table_is_refused(text: str, keys: str) -> None:
    message = f"x.toml: {keys} is not a table; make it one or remove it"
    for edit in (
        lambda: with_value(text, KEYS, 1, "x.toml"),
        lambda: with_strings(text, KEYS, ["a"], "x.toml"),
        lambda: with_entries(text, TABLE, [], {"a": 1}, "x.toml"),
        lambda: with_named_table(text, KEYS, "a", {"name": "a"}, "x.toml"),
    ):
        with pytest.raises(PyprojectError) as caught:
            edit()
        assert str(caught.value) == message
    assert without(text, KEYS, "x.toml") == text


@pytest.mark.parametrize("text", ["tool.own.list = 1\n", "tool.own.list = [1]\n"])
def test_what_is_no_array_of_tables_is_refused(text: str) -> None:
    with pytest.raises(PyprojectError) as caught:
        with_named_table(text, KEYS, "a", {"name": "a"}, "x.toml")
    assert str(caught.value) == (
        "x.toml: tool.own.list is not an array of tables; make it one or remove it"
    )


@pytest.mark.parametrize(
    ("before", "strings", "after"),
    [
        ("tool.own.list = ['a']\n", ["b"], 'tool.own.list = ["b"]\n'),
        ("tool.own.list = [\n  'a', # c\n]\n", ["b", "a"], None),
        (
            'tool.own.list = [\n  "a; m < \\"3\\"", # of "a"\n  "b#c", # of b\n]\n',
            ['a; m < "3"', "b#c", "d"],
            'tool.own.list = [\n    "a; m < \\"3\\"",  # of "a"\n    "b#c",  # of b\n'
            '    "d",\n]\n',
        ),
        (
            "tool.own.list = [\n  \"\"\"a # b\"\"\", # of a\n  '''c\n# d''', # of c\n]\n",
            ["a # b", "c\n# d"],
            'tool.own.list = [\n    "a # b",  # of a\n    "c\\n# d",  # of c\n]\n',
        ),
        (
            "",
            list("abcde"),
            "[tool.own]\nlist = [\n" + "".join(f'    "{one}",\n' for one in "abcde") + "]\n",
        ),
    ],
    ids=["one-line", "lines", "escapes", "long-strings", "many"],
)
def test_with_strings(before: str, strings: List[str], after: Optional[str]) -> None:
    expected = after or 'tool.own.list = [\n    "b",\n    "a",  # c\n]\n'
    assert with_strings(before, KEYS, strings, "x.toml") == expected


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        ("", [], {"a": {"x": 1}}, "[tool.own]\na = { x = 1 }\n"),
        ("[tool.own]\nb = 1 # c\n", [], {"a": 1}, "[tool.own]\nb = 1 # c\na = 1\n"),
        ("[tool.own]\nb = 1", ["b"], {"a": 1}, "[tool.own]\na = 1\n"),
        ("[tool.own]\na = 1\n\n[b]\n", ["a"], {}, "[b]\n"),
        ("[tool.own]\na.x = 1\n[c]\n", ["a"], {"b": {"x": 1}}, "[tool.own]\nb = { x = 1 }\n[c]\n"),
        ("[tool.own.a]\nx = 1\n[c]\n", ["a"], {"b": 1}, "[c]\n\n[tool.own]\nb = 1\n"),
        ("[tool.own]\na = [\n1,\n]\nc = 1\n", ["a"], {"b": 1}, "[tool.own]\nc = 1\nb = 1\n"),
        ("[tool]\nown = { a = 1 }\n", ["a"], {"b": 1}, None),
        ("[tool.own]\n# mine\na = 1\n", ["a"], {}, "[tool.own]\n# mine\n"),
    ],
)
def test_with_entries(
    before: str, old: Sequence[str], new: Mapping[str, object], after: Optional[str]
) -> None:
    result = with_entries(before, TABLE, old, new, "x.toml")
    if after is None:
        assert loads(result) == {"tool": {"own": new}}
    else:
        assert result == after


INLINE = "tool.own.list = [\n  {name = 'b', x = [1]}, # of b\n  {name = 'a'} # of a\n]\n"


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        ("", 1, '[[tool.own.list]]\nname = "a"\nx = 1\n'),
        ("", None, ""),
        (
            "[[tool.own.list]]\nname = 'b'\n\n# of c\n[c]\n",
            1,
            "[[tool.own.list]]\nname = 'b'\n\n# of c\n[c]\n\n"
            '[[tool.own.list]]\nname = "a"\nx = 1\n',
        ),
        (
            "[[tool.own.list]] # first\nname = 'a'\n\n[[tool.own.list]]\nname = 'b'\n",
            1,
            "[[tool.own.list]]\nname = \"a\"\nx = 1\n\n[[tool.own.list]]\nname = 'b'\n",
        ),
        (
            "[[tool.own.list]]\nname = 'a'\n\n[[tool.own.list]]\nname = 'b'\n",
            None,
            "[[tool.own.list]]\nname = 'b'\n",
        ),
        ("[[tool.own.list]]\nx = [\n  [1],\n]\nname = 'a'\n[b]\n", None, "[b]\n"),
        ("[[tool.own.list]]\nname = 'a'\n[tool.own.list.sub]\nx = 1\n[b]\n", None, "[b]\n"),
        ("tool.own.list = []\n", 1, 'tool.own.list = [{ name = "a", x = 1 }]\n'),
        (INLINE, 1, INLINE.replace("{name = 'a'}", '{ name = "a", x = 1 }')),
        (INLINE, None, "tool.own.list = [\n  {name = 'b', x = [1]}, # of b\n   # of a\n]\n"),
        (
            INLINE.replace("'a'", "'c'"),
            1,
            "tool.own.list = [\n  {name = 'b', x = [1]}, # of b\n  "
            "{name = 'c'}, { name = \"a\", x = 1 } # of a\n]\n",
        ),
    ],
)
def test_with_named_table(before: str, new: Optional[int], after: str) -> None:
    table = None if new is None else {"name": "a", "x": new}
    assert with_named_table(before, KEYS, "a", table, "x.toml") == after


def test_parse_says_where_a_text_is_wrong() -> None:
    for text in ("[project\n", "a = 1\na = 2\n", "a = 2020-13-45\n", "a = " + "[" * 5000):
        with pytest.raises(
            PyprojectError, match=r"^x.toml: is not valid TOML \([^\n]*\); mend it$"
        ):
            parse(text, "x.toml")


VALUE: st.SearchStrategy[object] = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(VALUE)
def test_a_value_is_rendered_as_it_is(value: object) -> None:
    assert loads(f"value = {render(value)}") == {"value": value}


#: Each example is many edits, and every edit parses several times.
FEWER = settings(max_examples=settings().max_examples // 3)

# Files with a value of a user's under our key, written in each way that TOML has, or without it.

OLD = st.sampled_from(
    ["1", "true", "'a'", '"#"', "'''\n[x]\nlist = 1'''", '"""a\\"""\n"""', "[]", "[1, [2]]"]
    + ["{ list = 1 }", "[\n  'a', # ]\n  \"]\",\n]", "1.5", "2020-01-01 10:00:00Z"]
)
PLACES = {
    "header": ("\n[tool.own]\n", "{body}list = ", " # of it\n{body}"),
    "quoted": ("\n[ 'tool' . \"own\" ] # of table\n", "{body}'list'= ", "\n{body}"),
    "dotted": ("\n[tool]\n", "{body}own.list=", "\n{body}"),
    "inline": ("\n[tool]\n", "{body}own = { other = 1, list = ", ' , more = "}" }\n{body}'),
    "alone": ("\n[tool]\n", "{body}own = {list = ", "}\n{body}"),
}


@dataclass(frozen=True)
class File:
    """A text with the value of a key somewhere in the middle, if ``old`` is not empty."""

    start: str
    old: str
    end: str

    @property
    def text(self) -> str:
        return self.start + self.old + self.end


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """Tables, none of which is that of our key."""
    names = draw(st.lists(HEADER, max_size=2))
    return "".join(f"{draw(SPACE)}{name}\n{draw(BODY)}" for name in names)


@st.composite
def files(draw: st.DrawFn, places: Sequence[str] = tuple(PLACES)) -> File:
    start, old, end = draw(BODY) + draw(blocks()), "", draw(blocks())
    if draw(st.booleans()):
        header, before, after = PLACES[draw(st.sampled_from(places))]
        start += header + before.replace("{body}", draw(BODY))
        old = draw(OLD.filter(lambda text: "\n" not in text)) if "{ " in before else draw(OLD)
        end = after.replace("{body}", draw(BODY)) + end
    elif draw(st.booleans()):
        start += draw(st.sampled_from(["\n[tool.own]\n", "\n[tool.own.sub]\n"])) + draw(BODY)
    if draw(st.booleans()):
        end = end.rstrip("\n")
    if draw(st.booleans()):
        start, old, end = (one.replace("\n", "\r\n") for one in (start, old, end))
    loads(start + old + end)
    return File(start, old, end)


def expected(file: File, value: object) -> Dict[str, Any]:
    data = loads(file.text)
    data.setdefault("tool", {}).setdefault("own", {})["list"] = value
    return data


def is_one_insertion(shorter: str, longer: str) -> bool:
    start = len(os.path.commonprefix([shorter, longer]))
    return longer.endswith(shorter[start:])


@FEWER
@given(files(), VALUE)
def test_setting_a_value_changes_nothing_else(file: File, value: object) -> None:
    result = with_value(file.text, KEYS, value, "x.toml")
    assert loads(result) == expected(file, value)
    if file.old:
        assert result == file.start + render(value) + file.end
    else:
        assert is_one_insertion(file.text, result)
    assert with_value(result, KEYS, value, "x.toml") == result


def pruned(data: Any) -> Any:
    """Without tables that hold nothing."""
    if not isinstance(data, dict):
        return data
    inner = {key: pruned(value) for key, value in data.items()}
    return {key: value for key, value in inner.items() if value != {}}


@FEWER
@given(files())
def test_removing_a_value_removes_nothing_else(file: File) -> None:
    result = without(file.text, KEYS, "x.toml")
    assert value_at(loads(result), KEYS) is None
    data = loads(file.text)
    data.get("tool", {}).get("own", {}).pop("list", None)
    assert pruned(loads(result)) == pruned(data)
    assert is_one_insertion(result, file.text)
    assert without(result, KEYS, "x.toml") == result


@FEWER
@given(files(), VALUE)
def test_set_and_removed_is_as_it_was(file: File, value: object) -> None:
    """To the byte, but for a line end at the end of the text and for a table that is empty."""
    text = without(file.text, KEYS, "x.toml")
    result = without(with_value(text, KEYS, value, "x.toml"), KEYS, "x.toml")
    assert pruned(loads(result)) == pruned(loads(text))
    table = value_at(loads(text), TABLE)
    if table != {} and (text == "" or text.endswith("\n")):
        assert result == text


STRINGS = st.lists(
    st.sampled_from(["a", "b", "c<1", "d; m < '3'", 'e "', "f#", "g]"]), unique=True
)


@FEWER
@given(files(), STRINGS, STRINGS)
def test_strings(file: File, first: List[str], second: List[str]) -> None:
    text = file.text
    is_array = isinstance(value_at(loads(text), KEYS), list)
    if file.old and not is_array:
        text = without(text, KEYS, "x.toml")
    for strings in (first, second):
        before, text = text, with_strings(text, KEYS, strings, "x.toml")
        assert loads(text) == expected(File(before, "", ""), strings)
    assert with_strings(text, KEYS, second, "x.toml") == text
    if is_array:
        assert (text.startswith(file.start), text.endswith(file.end)) == (True, True)


ENTRY = st.one_of(st.just({"index": "spack"}), st.just({"path": "a"}), st.just("1"))
ENTRIES = st.dictionaries(st.sampled_from(["o1", "o2", "o.3", "o 4"]), ENTRY)


@FEWER
@given(files(), ENTRIES, ENTRIES)
def test_entries(file: File, first: Dict[str, object], second: Dict[str, object]) -> None:
    text = file.text
    old: List[str] = []
    for entries in (first, second, {}):
        data = loads(text)
        text = with_entries(text, TABLE, old, entries, "x.toml")
        table = data.setdefault("tool", {}).setdefault("own", {})
        for name in old:
            table.pop(name, None)
        table.update(entries)
        assert pruned(loads(text)) == pruned(data)
        assert with_entries(text, TABLE, entries, entries, "x.toml") == text
        old = list(entries)
    if value_at(loads(file.text), TABLE) != {} and file.text.endswith("\n"):
        assert text == file.text


TABLES: st.SearchStrategy[Optional[Dict[str, object]]] = st.none() | st.fixed_dictionaries(
    {"name": st.just("spack"), "url": st.sampled_from(["a", "b"]), "list": st.lists(st.just("x"))}
)
NAMED = ("tool", "many")


@FEWER
@given(files(), TABLES, TABLES)
def test_named_tables(
    file: File, first: Optional[Dict[str, object]], second: Optional[Dict[str, object]]
) -> None:
    text = file.text
    for table in (first, second, None):
        data = loads(text)
        text = with_named_table(text, NAMED, "spack", table, "x.toml")
        tables = data.setdefault("tool", {}).setdefault("many", [])
        kept = [one for one in tables if one.get("name") != "spack"]
        after = value_at(loads(text), NAMED) or []
        assert [one for one in after if one.get("name") != "spack"] == kept
        assert [one for one in after if one.get("name") == "spack"] == ([table] if table else [])
        data["tool"]["many"] = after or {}
        assert pruned(loads(text)) == pruned(data)
        assert with_named_table(text, NAMED, "spack", table, "x.toml") == text
    if file.text.endswith("\n"):
        assert text == file.text
