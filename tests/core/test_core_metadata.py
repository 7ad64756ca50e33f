# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from typing import List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from fake_index import metadata
from pyvarium.core_metadata import (
    Metadata,
    parse_metadata,
    parse_requirements,
    parse_requires_txt,
)
from pyvarium.errors import MetadataError


def parse(*lines: str, of: str = "2.4") -> Metadata:
    return parse_metadata(metadata("foo", "1.0", *lines, of=of).encode(), "foo", Version("1.0"))


def test_all_that_is_used() -> None:
    assert parse(
        "Summary: A foo.",
        "Home-page: https://foo.example",
        "License-Expression: MIT",
        "Requires-Python: >=3.9",
        "Requires-Dist: bar>=1",
        "Requires-Dist: baz; extra == 'x'",
        "Requires-Dist: bar>=1",
        "Provides-Extra: x",
        "Provides-Extra: Y_z",
        "Dynamic: Version",
    ) == Metadata(
        (Requirement("bar>=1"), Requirement('baz; extra == "x"')),
        SpecifierSet(">=3.9"),
        ("x", "y-z"),
        "MIT",
        "A foo.",
        "https://foo.example",
    )


@pytest.mark.parametrize(
    ("lines", "requires", "problems"),
    [
        (["Requires-Dist: a (>=1)"], ["a>=1"], 0),
        (["Requires-Dist: a @ https://x/y.whl"], ["a @ https://x/y.whl"], 0),
        (["Requires-Dist: a[b]>=1 ; os_name == 'nt'"], ['a[b]>=1; os_name == "nt"'], 0),
        (["Requires-Dist: a\n        ; os_name == 'nt'"], ['a; os_name == "nt"'], 0),
        (["Requires-Dist: UNKNOWN"], [], 0),
        (["Requires-Dist: a>=1.x", "Requires-Dist: b"], ["b"], 1),
        (["Requires-Dist: a>>1"], [], 1),
        (["Requires-Dist: ../x"], [], 1),
        (["Requires-Dist: a; python_version in 3"], [], 1),
        (["Requires-Dist: a; " + "(" * 3000], [], 1),
        ([f"Requires-Dist: a>={'1' * 5000}"], [], 1),
        (["Requires: old"], [], 0),
        (["X-Other: y", "no colon"], [], 0),
    ],
    ids=lambda one: str(one)[:40],
)
def test_requirements(lines: List[str], requires: List[str], problems: int) -> None:
    found = parse(*lines)
    expected = [str(Requirement(one)) for one in requires]  # As this packaging spells them.
    assert ([str(one) for one in found.requires], len(found.problems)) == (expected, problems)


def test_a_requirement_that_is_none_is_shown_on_one_line() -> None:
    found = parse("Requires-Dist: a\x0bimport os\u2028x" + "y" * 100)
    (problem,) = found.problems
    assert problem.isprintable() and problem.isascii() and len(problem) < 140
    assert problem.endswith("... is not a requirement and was left out") or "'" in problem


@pytest.mark.parametrize(
    ("text", "expected", "problems"),
    [
        (">=3.9", ">=3.9", ()),
        ("", "", ()),
        ("3." + "9" * 200, "", (f"it requires Python '3.{'9' * 75}...', which is no specifier",)),
        ("3.9+", "", ("it requires Python '3.9+', which is no specifier",)),
    ],
)
def test_requires_python(text: str, expected: str, problems: Tuple[str, ...]) -> None:
    found = parse(f"Requires-Python: {text}")
    assert (str(found.requires_python), found.problems) == (expected, problems)


@pytest.mark.parametrize("extra", ["a b", "a;b", "-x", "x-", '"', "\u00e9"])
def test_names_that_are_of_no_extra(extra: str) -> None:
    found = parse(f"Provides-Extra: {extra}")
    assert (found.extras, len(found.problems)) == ((), 1)


@pytest.mark.parametrize(
    ("of", "lines", "complete"),
    [
        ("2.4", [], True),
        ("2.2", ["Dynamic: Classifier"], True),
        ("2.2", ["Dynamic: Requires-Dist"], False),
        ("2.2", ["Dynamic: requires-dist"], False),
        ("2.1", [], False),
        ("1.0", [], False),
        ("x", [], False),
    ],
)
def test_whether_it_says_all(of: str, lines: List[str], complete: bool) -> None:
    assert parse(*lines, of=of).complete is complete


@pytest.mark.parametrize(
    ("lines", "homepage"),
    [
        (["Home-page: https://a.example/x"], "https://a.example/x"),
        (["Project-URL: Source Code, https://b.example"], "https://b.example"),
        (
            [
                "Project-URL: Repository, https://r.example",
                "Project-URL: Homepage, http://h.example",
            ],
            "http://h.example",
        ),
        (["Project-URL: Funding, https://f.example"], None),
        (["Home-page: UNKNOWN"], None),
        (["Home-page: foo.example"], None),
        (["Home-page: javascript:alert(1)"], None),
        (['Home-page: https://a.example/"+x+"'], None),
        (["Home-page: https://me:secret@a.example/"], None),
        (["Home-page: https://a.example/\n        import os"], None),
        (["Home-page: https://a.example/\\"], None),
    ],
    ids=lambda one: str(one)[:40],
)
def test_home_pages(lines: List[str], homepage: Optional[str]) -> None:
    assert parse(*lines).homepage == homepage


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A foo.", "A foo."),
        ("A foo\n        that bars", "A foo that bars"),
        ('"""', '"""'),
        ("\x00\x1b[31m", "[31m"),
        ("UNKNOWN", ""),
        ("x" * 9999, "x" * 512),
    ],
)
def test_summaries(text: str, expected: str) -> None:
    assert parse(f"Summary: {text}").summary == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "foo 1.0: its metadata has no name or no version"),
        (b"<html>404</html>", "foo 1.0: its metadata has no name or no version"),
        (b"\xff\xfe", "foo 1.0: its metadata has no name or no version"),
        (b"Name: foo\n", "foo 1.0: its metadata has no name or no version"),
        (b"Name: bar\nVersion: 1.0\n", "foo 1.0: its metadata is of 'bar' '1.0'"),
        (b"Name: foo\nVersion: 2\n", "foo 1.0: its metadata is of 'foo' '2'"),
        (b"Name: foo\nVersion: one\n", "foo 1.0: its metadata is of 'foo' 'one'"),
        (
            b"Name: foo\nVersion: " + b"1" * 5000,
            f"foo 1.0: its metadata is of 'foo' '{'1' * 77}...'",
        ),
        (
            b"\nText.\n\nName: foo\nVersion: 1.0\n",
            "foo 1.0: its metadata has no name or no version",
        ),
    ],
)
def test_what_is_no_metadata_of_the_release(data: bytes, message: str) -> None:
    with pytest.raises(MetadataError) as raised:
        parse_metadata(data, "foo", Version("1.0"))
    assert str(raised.value) == message


def test_other_spellings_are_the_same() -> None:
    found = parse_metadata(b"Name: Foo_Bar\r\nVersion: 1.0.0\r\n", "foo-bar", Version("1"))
    assert found == Metadata(complete=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a>=1\nb\n", ["a>=1", "b"]),
        ("a\n\n[x]\nb\n", ["a", 'b; extra == "x"']),
        ("[:python_version < '3']\na\n", ['a; python_version < "3"']),
        ("[x:os_name == 'nt']\na\n", ['a; os_name == "nt" and extra == "x"']),
        ("a; os_name == 'nt'\n", ['a; os_name == "nt"']),
        ("[bad extra]\na\n[y]\nb\n", ['b; extra == "y"']),
        ("# comment\n\n", []),
        ("", []),
    ],
)
def test_requires_txt(text: str, expected: List[str]) -> None:
    assert [
        str(one).replace("(", "").replace(")", "") for one in parse_requires_txt(text, [])
    ] == (expected)


def test_distribute_is_setuptools() -> None:
    found = parse_requirements(["distribute>=0.6; os_name == 'nt'", "setuptools"], [])
    assert [str(one) for one in found] == ['setuptools; os_name == "nt"', "setuptools"]


@given(st.text(max_size=200))
def test_no_text_does_harm(text: str) -> None:
    found = parse("Summary: x", f"Requires-Dist: {text}", f"License: {text}", f"Home-page: {text}")
    assert all(one.isprintable() and one.isascii() for one in found.problems)
