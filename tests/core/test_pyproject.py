# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import re
from typing import List, Sequence, Tuple

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from pyvarium.errors import PyprojectError
from pyvarium.model import Pin
from pyvarium.pins import digest
from pyvarium.pyproject import Owned, new_text, owned
from pyvarium.pyproject import with_pins as with_owned_pins
from toml_texts import BODY, HEADER, SPACE, loads


def with_pins(text: str, pins: Sequence[Pin], digest: str, subject: str = "pyproject.toml") -> str:
    return with_owned_pins(text, owned(text, subject), pins, digest, subject)


PINS = (Pin("attrs", "25.3.0"), Pin("numpy", "2.1.3"))
HEAD = "    # Provided by Spack. Kept in step by 'spack pyvarium sync': put your own elsewhere.\n"
GROUP = f'spack = [\n{HEAD}    "attrs==25.3.0",\n    "numpy==2.1.3",\n]\n'
TABLE = f'[tool.pyvarium]\nlockfile-digest = "sha256:0"\npins-digest = "{digest(PINS)}"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"[dependency-groups]\n{GROUP}\n{TABLE}"),
        ("a = 1", f"a = 1\n\n[dependency-groups]\n{GROUP}\n{TABLE}"),
        (
            "[dependency-groups]\ntest = ['x'] # mine\n\n# of project\n[project]\nname = 'x'\n",
            f"[dependency-groups]\ntest = ['x'] # mine\n{GROUP}\n# of project\n[project]\n"
            f"name = 'x'\n\n{TABLE}",
        ),
        (
            '[dependency-groups]\nspack = [ # top\n  "attrs==1", # why\n  # of numpy\n'
            "  'NumPy==2.1.3'\n  # end\n] # after\n[tool.pyvarium]\nauto-sync = false # off\n",
            '[dependency-groups]\nspack = [\n    # top\n    "attrs==25.3.0",  # why\n'
            '    # of numpy\n    "numpy==2.1.3",\n    # end\n] # after\n[tool.pyvarium]\n'
            f'auto-sync = false # off\nlockfile-digest = "sha256:0"\n'
            f'pins-digest = "{digest(PINS)}"\n',
        ),
        (
            "dependency-groups.test = []\n[tool]\npyvarium.auto-sync = true\n",
            "dependency-groups.test = []\n"
            f"dependency-groups.{GROUP}[tool]\npyvarium.auto-sync = true\n"
            f'pyvarium.lockfile-digest = "sha256:0"\npyvarium.pins-digest = "{digest(PINS)}"\n',
        ),
        (
            "[dependency-groups]\r\ntest = []\r\n",
            f"[dependency-groups]\ntest = []\n{GROUP}\n{TABLE}".replace("\n", "\r\n"),
        ),
    ],
    ids=["empty", "no-newline", "group-table", "comments", "dotted", "crlf"],
)
def test_with_pins(before: str, after: str) -> None:
    assert with_pins(before, PINS, "sha256:0") == after


def test_a_removed_pin_takes_the_comment_behind_it_along() -> None:
    before = '[dependency-groups]\nspack = [\n    "a==1",  # of a\n    # kept\n    "b==1",\n]\n'
    after = with_pins(before, [Pin("b", "1")], "sha256:0")
    assert after.startswith('[dependency-groups]\nspack = [\n    # kept\n    "b==1",\n]\n')


def test_owned() -> None:
    text = with_pins("[tool.pyvarium]\nauto-sync = false\n", PINS, "sha256:0")
    assert owned(text, "x.toml") == Owned(
        PINS, "sha256:0", digest(PINS), opted_in=True, auto_sync=False
    )
    assert owned("", "x.toml") == Owned()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project\n", "x.toml: is not valid TOML ("),
        ("a = 1\na = 2\n", "x.toml: is not valid TOML ("),
        ("a = 2020-13-45\n", "x.toml"),
        ("[dependency-groups]\nspack = 'a'\n", "x.toml: dependency-groups.spack is not a list;"),
        (
            "[dependency-groups]\nspack = ['a>=1']\n",
            "x.toml: dependency-groups.spack holds 'a>=1',",
        ),
        (
            "[dependency-groups]\nspack = [{include-group = 'b'}]\n",
            "x.toml: dependency-groups.spack holds \"{'include-group': 'b'}\",",
        ),
        ("dependency-groups = 1\n", "x.toml: dependency-groups is not a table;"),
        ("[[tool.pyvarium]]\n", "x.toml: tool.pyvarium is not a table;"),
        ("tool = []\n", "x.toml: tool is not a table;"),
        ("[tool.pyvarium]\nauto-sync = 'off'\n", "x.toml: tool.pyvarium.auto-sync is 'off';"),
        ("[tool.pyvarium]\npins-digest = 1\n", "x.toml: tool.pyvarium.pins-digest is 1;"),
    ],
)
def test_bad_text(text: str, message: str) -> None:
    with pytest.raises(PyprojectError) as caught:
        with_pins(text, PINS, "sha256:0", "x.toml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["my-env", "My_Env", "2024 ü env", "", "---", 'a"\nb'])
def test_new_text_is_valid(name: str) -> None:
    project = tomlkit.parse(new_text(name, "3.11")).unwrap()["project"]
    assert Requirement(project.pop("name"))
    assert project == {"version": "0", "requires-python": ">=3.11,<3.12", "dependencies": []}


def test_new_text_without_a_python() -> None:
    assert new_text("x", None) == '[project]\nname = "x"\nversion = "0"\ndependencies = []\n'


# Generated files, with our keys among what a user may write or not.

PIN = st.builds(Pin, st.sampled_from(["a", "b", "c-d", "e"]), st.sampled_from(["1", "2.0", "3+x"]))
SORTED_PINS = st.lists(PIN, unique_by=lambda pin: pin.name, max_size=4).map(
    lambda pins: tuple(sorted(pins))
)
ENTRY = st.builds(lambda quote, pin: f"{quote}{pin}{quote}", st.sampled_from("'\""), PIN)
ARRAY = st.builds(
    lambda entries, gap, last: "[" + "".join(f"{gap}{one}," for one in entries) + last + "]",
    st.lists(ENTRY, max_size=3, unique_by=lambda text: text[1]),
    st.sampled_from(["", " ", "\n  ", "\n # of it\n  ", " # behind\n"]),
    st.sampled_from(["", "\n", "\n# last\n"]),
)


@st.composite
def files(draw: st.DrawFn) -> Tuple[str, str, str]:
    """A file, our group as it stands in it, and what is left of the file with that group empty."""
    group = ""
    blocks: List[Tuple[str, str]] = []
    for header in draw(st.lists(HEADER, max_size=4)):
        block = f"{draw(SPACE)}{header}{draw(st.sampled_from(['', ' # of table']))}\n{draw(BODY)}"
        blocks.append((block, block))
    if draw(st.booleans()):
        before, after = draw(BODY), draw(BODY)
        line = group = f"spack = {draw(ARRAY)}" if draw(st.booleans()) else ""
        head = f"{draw(SPACE)}[dependency-groups]\n{before}"
        blocks.append((f"{head}{line}\n{after}", f"{head}{'spack = []' if line else ''}\n{after}"))
    if draw(st.booleans()):
        head = f"[tool.pyvarium]\n{draw(st.sampled_from(['', 'auto-sync = true # on', '# x']))}\n"
        blocks.append((head, head))
    blocks = draw(st.permutations(blocks))
    root = draw(BODY)
    text = root + "".join(full for full, _ in blocks)
    rest = root + "".join(user for _, user in blocks)
    if draw(st.booleans()):
        text, rest = text.rstrip("\n"), rest.rstrip("\n")
    if draw(st.booleans()):
        text, group, rest = (one.replace("\n", "\r\n") for one in (text, group, rest))
    return text, group, rest


def without_owned(text: str) -> str:
    """The text without what is ours, by other means than those under test."""
    text = re.sub(r'^(lockfile|pins)-digest = "sha256:\w*"\r?\n', "", text, flags=re.MULTILINE)
    return re.sub(
        r"^spack = \[\r?\n(    [^\r\n]*\r?\n)*\]", "spack = []", text, flags=re.MULTILINE
    )


def additions(rest: str, result: str) -> str:
    """What a result has that the rest had not, or an AssertionError if a byte is missing."""
    added = []
    position = 0
    for character in result:
        if position < len(rest) and rest[position] == character:
            position += 1
        else:
            added.append(character)
    assert position == len(rest)
    return "".join(added)


@given(files(), SORTED_PINS)
def test_every_byte_outside_the_owned_keys_is_kept(
    file: Tuple[str, str, str], pins: Tuple[Pin, ...]
) -> None:
    text, group, rest = file
    before = loads(text)
    result = with_pins(text, pins, "sha256:1")
    after = loads(result)

    assert after["dependency-groups"].pop("spack") == [str(pin) for pin in pins]
    assert after["tool"]["pyvarium"].pop("lockfile-digest") == "sha256:1"
    assert after["tool"]["pyvarium"].pop("pins-digest") == digest(pins)
    before.setdefault("dependency-groups", {}).pop("spack", None)
    before.setdefault("tool", {}).setdefault("pyvarium", {})
    assert after == before
    ours_emptied = without_owned(result.replace(group, "spack = []", 1) if group else result)
    added = additions(rest, ours_emptied).replace("\r", "").replace("\n", "")
    assert sorted(added) in [
        sorted(group + table)
        for group in ("", "spack = []", "[dependency-groups]spack = []")
        for table in ("", "[tool.pyvarium]")
    ]
    assert with_pins(result, pins, "sha256:1") == result
