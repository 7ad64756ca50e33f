# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Versions and their files, license and homepage: taken over only in the form they should have."""

from __future__ import annotations

from typing import List, Optional

import pytest

from made_projects import SHA256, project, release
from pyvarium.listing import homepage, licenses, listed, pypi_of, usable
from pyvarium.recipe import License, Listed

SOURCE = "https://files.pythonhosted.org/packages/source/f/foo"


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("MIT", "MIT"),
        ("(Apache-2.0 OR MIT)", "(Apache-2.0 OR MIT)"),
        ("GPL-2.0-only WITH Classpath-exception-2.0",) * 2,
        ("MIT License", None),
        ('MIT")\nimport os', None),
        ("M" * 400, None),
        ("", None),
        (None, None),
    ],
    ids=["one", "or", "exception", "prose", "hostile", "long", "empty", "none"],
)
def test_license_expressions(text: Optional[str], expression: Optional[str]) -> None:
    releases, _ = usable(project(release("1.0", license=text)), None)
    assert licenses(releases) == ((License(expression),) if expression else ())


def test_a_license_may_change() -> None:
    texts = {"3.0": "MIT", "2.0": None, "1.1": "BSD-3-Clause", "1.0": "BSD-3-Clause"}
    rows = [release(version, license=text) for version, text in texts.items()]
    releases, _ = usable(project(*rows), None)
    assert licenses(releases) == (License("MIT", "2:"), License("BSD-3-Clause", ":1"))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["https://foo.org/a?b=c#d"], "https://foo.org/a?b=c#d"),
        ([None, "https://foo.org"], "https://foo.org"),
        (["javascript:alert(1)"], "https://pypi.org/project/foo/"),
        (['https://foo.org/"+x+"'], "https://pypi.org/project/foo/"),
        (["https://foo.org/\nimport os"], "https://pypi.org/project/foo/"),
        (["https://foo.org/" + "x" * 400], "https://pypi.org/project/foo/"),
        (["UNKNOWN"], "https://pypi.org/project/foo/"),
    ],
    ids=["plain", "of-an-older-version", "scheme", "quote", "line", "long", "unknown"],
)
def test_homepages(addresses: List[Optional[str]], expected: str) -> None:
    rows = [release(f"{9 - at}.0", homepage=one) for at, one in enumerate(addresses)]
    assert homepage("foo", usable(project(*rows), None)[0]) == expected


def test_files() -> None:
    rows = [
        release("2.0rc1"),
        release("1.4", file="foo-1.4.tar.gz"),
        release("1.3", file="Foo-1.3.tar.gz"),
        release("1.2", file="foo-1.2.zip"),
        release("1.1", file="foo-1.1.0.tar.gz"),
        release("1.0", yanked=""),
    ]
    releases, problems = usable(project(*rows), None)
    assert (problems, pypi_of("foo", releases)) == ([], "foo/foo-1.4.tar.gz")
    assert listed("foo", "foo/foo-1.4.tar.gz", releases) == (
        Listed("2.0-rc1", SHA256, f"{SOURCE}/foo-2.0rc1.tar.gz"),
        Listed("1.4", SHA256),
        Listed("1.3", SHA256, f"{SOURCE}/Foo-1.3.tar.gz"),
        Listed("1.2", SHA256, f"{SOURCE}/foo-1.2.zip"),
        Listed("1.1", SHA256, f"{SOURCE}/foo-1.1.0.tar.gz"),
        Listed("1.0", SHA256, deprecated=True),
    )


def test_what_a_recipe_leaves_out() -> None:
    rows = [
        release("1!3.0"),
        release("2.0", sha256=None),
        release("1.1", file="../foo-1.1.tar.gz"),
        release("1.0", file="foo-1.0.exe"),
    ]
    assert usable(project(*rows), None) == (
        {},
        [
            "foo 1!3.0: Spack cannot write this version; the recipe leaves it out",
            "foo 2.0: the index gives no sha256 for its sdist; the recipe leaves it out",
            "foo 1.1: its sdist has no usable name; the recipe leaves it out",
            "foo 1.0: its sdist has no usable name; the recipe leaves it out",
        ],
    )
