# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import json
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from pyvarium.errors import PyvariumError
from pyvarium.index import Page, PageError, parse_page, project_url, split_sdist_name
from pyvarium.releases import File

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "index"
URL = "https://index.example/simple/foo/"
DIGEST = "ab" * 32


def html_page(*anchors: str) -> bytes:
    return ("<!DOCTYPE html><html><body>" + "\n".join(anchors) + "</body></html>").encode()


def parse(data: bytes, content_type: str = "text/html", project: str = "foo") -> Page:
    return parse_page(data, content_type, URL, project)


def parse_json(*files: Dict[str, Any], **top: Any) -> Page:
    data = {"meta": {"api-version": "1.1"}, "name": "foo", "files": files, **top}
    return parse(json.dumps(data).encode(), "application/vnd.pypi.simple.v1+json; charset=utf-8")


def summary(page: Page) -> List[Tuple[str, str, bool, bool]]:
    return [(one.name, one.label, one.yanked is not None, one.metadata) for one in page.files]


@pytest.mark.parametrize("kind", ["html", "json"])
@pytest.mark.parametrize("project", ["numpy", "mpi4py", "rich"])
def test_both_forms_say_the_same(project: str, kind: str) -> None:
    """The JSON pages were made from the recorded ones, in the form of PEP 691."""
    types = {"html": "text/html", "json": "application/vnd.pypi.simple.v1+json"}
    page = parse_page(
        (RECORDED / f"{project}.{kind}").read_bytes(),
        types[kind],
        f"https://pypi.org/simple/{project}/",
        project,
    )
    assert [
        {
            "name": one.name,
            "version": str(one.version),
            "label": one.label,
            "sha256": (one.sha256 or "")[:8],
            "requires-python": str(one.requires_python),
            "yanked": one.yanked,
            "host": one.url.split("/")[2],
        }
        for one in page.files
    ] + [list(page.problems)] == json.loads((RECORDED / f"{project}.expected.json").read_text())


@pytest.mark.parametrize(
    ("index", "project", "url"),
    [
        ("https://pypi.org/simple", "rich", "https://pypi.org/simple/rich/"),
        ("https://pypi.org/simple/", "Foo_Bar", "https://pypi.org/simple/foo-bar/"),
        ("file:///srv/simple", "a.b", "file:///srv/simple/a-b/"),
    ],
)
def test_the_page_of_a_project(index: str, project: str, url: str) -> None:
    assert project_url(index, project) == url


def test_all_that_html_says() -> None:
    page = parse(
        html_page(
            '<a href="foo-1.0.tar.gz#sha256=' + DIGEST.upper() + '" data-yanked="bad &amp; ugly"'
            ' data-requires-python="&gt;=3.9" data-core-metadata="sha256=x" rel="internal">any</a>'
        )
    )
    assert page == Page(
        (
            File(
                "foo-1.0.tar.gz",
                f"{URL}foo-1.0.tar.gz",
                Version("1.0"),
                "1.0",
                DIGEST,
                SpecifierSet(">=3.9"),
                "bad & ugly",
                True,
            ),
        )
    )


def test_all_that_json_says() -> None:
    page = parse_json(
        {
            "filename": "foo-1.0.tar.gz",
            "url": "/files/1",
            "hashes": {"sha256": DIGEST, "md5": "x"},
            "requires-python": ">=3.9",
            "yanked": "bad",
            "core-metadata": {"sha256": "x"},
            "size": 1,
        }
    )
    assert page == Page(
        (
            File(
                "foo-1.0.tar.gz",
                "https://index.example/files/1",
                Version("1.0"),
                "1.0",
                DIGEST,
                SpecifierSet(">=3.9"),
                "bad",
                True,
            ),
        )
    )


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("", (False, False)),
        ("data-yanked", (True, False)),
        ('data-yanked=""', (True, False)),
        ('data-dist-info-metadata="true"', (False, True)),
        ('data-core-metadata="false"', (False, False)),
        ('DATA-YANKED="x" data-Core-Metadata="true"', (True, True)),
    ],
)
def test_attributes(attributes: str, expected: Tuple[bool, bool]) -> None:
    page = parse(html_page(f'<a href="foo-1.0.tar.gz" {attributes}>'))
    assert summary(page) == [("foo-1.0.tar.gz", "1.0", *expected)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, (False, False)),
        ({"yanked": False, "core-metadata": False}, (False, False)),
        ({"yanked": True, "dist-info-metadata": True}, (True, True)),
        ({"yanked": "", "core-metadata": {}}, (True, False)),
        ({"requires-python": None, "hashes": None, "yanked": None}, (False, False)),
    ],
)
def test_keys(said: Dict[str, Any], expected: Tuple[bool, bool]) -> None:
    page = parse_json({"filename": "foo-1.0.tar.gz", "url": "x", **said})
    assert summary(page) == [("foo-1.0.tar.gz", "1.0", *expected)]


@pytest.mark.parametrize(
    ("name", "label", "version"),
    [
        ("foo-1.0.tar.gz", "1.0", "1.0"),
        ("foo-1.0.zip", "1.0", "1.0"),
        ("foo-1.0.tar.bz2", "1.0", "1.0"),
        ("Foo-1.0.0.tar.gz", "1.0.0", "1.0.0"),
        ("foo-1.0-1.tar.gz", "1.0-1", "1.0.post1"),
        ("foo-1.0-beta1.tar.gz", "1.0-beta1", "1.0b1"),
        ("foo-1.0RC1.tar.gz", "1.0RC1", "1.0rc1"),
        ("foo-1!2.0+cpu.tar.gz", "1!2.0+cpu", "1!2.0+cpu"),
    ],
)
def test_versions_of_sdists(name: str, label: str, version: str) -> None:
    assert split_sdist_name(name, "foo") == (label, Version(version))


@pytest.mark.parametrize(
    ("name", "project", "label"),
    [
        ("foo_bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("foo-bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("foo.bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("3to2-1.1.1.zip", "3to2", "1.1.1"),
        ("a-2-3.0.tar.gz", "a-2", "3.0"),
    ],
)
def test_names_of_sdists(name: str, project: str, label: str) -> None:
    assert split_sdist_name(name, project)[0] == label


@pytest.mark.parametrize(
    "name",
    [
        "foo-bar-1.0.tar.gz",
        "bar-1.0.tar.gz",
        "foo-1.0",
        "foo-1.0.tar.xz",
        "foo.tar.gz",
        "foo-.tar.gz",
        "foo-latest.tar.gz",
        "foo-1.0 .tar.gz",
        "foo-1.0\n.tar.gz",
        "../foo-1.0.tar.gz",
        "foo-1.0;x.tar.gz",
        "foo-\u0661.0.tar.gz",
    ],
)
def test_names_that_are_of_no_sdist(name: str) -> None:
    with pytest.raises(ValueError, match="it is not named as an sdist"):
        split_sdist_name(name, "foo")


@pytest.mark.parametrize(
    ("href", "problem"),
    [
        ("javascript:/foo-1.0.tar.gz", "its URL is not one to download from"),
        ("file:///etc/foo-1.0.tar.gz", "its URL is not one to download from"),
        ("ftp://host/foo-1.0.tar.gz", "its URL is not one to download from"),
        ("https:///foo-1.0.tar.gz", "its URL is not one to download from"),
        ("https://[host/foo-1.0.tar.gz", "its URL is not one to download from"),
        ("https://h\u00f6st/foo-1.0.tar.gz", "its URL is not one to download from"),
        ("https://host/a b/foo-1.0.tar.gz", "its URL is not one to download from"),
        ("foo-1.0.tar.gz#sha256=abc", "its sha256 is not one"),
        ("foo-1.0.tar.gz#sha256=" + "g" * 64, "its sha256 is not one"),
        ("foo-1.0-py3-any.whl", "it is not named as a wheel"),
        ("bar-1.0-py3-none-any.whl", "it is not of foo"),
        ("foo-x-py3-none-any.whl", "its version is not valid"),
        ("bar-1.0.tar.gz", "it is not named as an sdist of foo, or its version is not valid"),
        (f"foo-{'1' * 5000}.tar.gz", "its name is not as that of any file of an index"),
        ("%22;foo-1.0.tar.gz", "its name is not as that of any file of an index"),
        ("%2e%2e%2ffoo-1.0.tar.gz", "its name is not as that of any file of an index"),
    ],
)
def test_links_that_are_passed_over(href: str, problem: str) -> None:
    page = parse(html_page(f'<a href="{href}">', '<a href="foo-2.0.tar.gz">'))
    assert [one.name for one in page.files][-1:] == ["foo-2.0.tar.gz"]
    assert [one.partition(": ")[2] for one in page.problems] == [problem]


def test_a_local_index_has_local_files() -> None:
    url = "file:///srv/simple/foo/"
    page = parse_page(html_page('<a href="../../files/foo-1.0.tar.gz">'), "text/html", url, "foo")
    assert [one.url for one in page.files] == ["file:///srv/files/foo-1.0.tar.gz"]


def test_nobody_who_logs_in_is_in_a_url() -> None:
    page = parse(html_page('<a href="https://me:secret@host/x/foo-1.0.tar.gz">'))
    assert [one.url for one in page.files] == ["https://host/x/foo-1.0.tar.gz"]


def test_a_base() -> None:
    page = parse(html_page('<base href="https://other.example/x/"><a href="foo-1.0.tar.gz">'))
    assert [one.url for one in page.files] == ["https://other.example/x/foo-1.0.tar.gz"]


def test_a_digest_of_another_kind_is_none() -> None:
    page = parse(html_page('<a href="foo-1.0.tar.gz#md5=abc">'))
    assert [one.sha256 for one in page.files] == [None]


def test_other_kinds_of_files_are_counted() -> None:
    page = parse(
        html_page('<a href="foo-1.0.win32.exe">', '<a href="foo-1.0.egg">', '<a href="x">')
    )
    assert page == Page((), ("3 files are neither wheels nor sdists (.egg, .exe, no suffix)",))


def test_what_python_an_sdist_requires_in_other_words() -> None:
    page = parse(html_page('<a href="foo-1.0.tar.gz" data-requires-python="3.x\nimport os">'))
    assert page.problems == (
        "foo-1.0.tar.gz requires Python '3.x\\nimport os', which is no specifier",
    )


@pytest.mark.parametrize(
    ("data", "content_type", "message"),
    [
        (b"{", "application/vnd.pypi.simple.v1+json", "is not valid JSON; name another index"),
        (b"[" * 100_000, "application/json", "is not valid JSON; name another index"),
        (b"[]", "application/json", "has no list of files; name another index"),
        (b'{"files": {}}', "application/json", "has no list of files; name another index"),
        (
            b'{"files": [], "meta": {"api-version": "2.0"}}',
            "application/json",
            "is of version '2.0' of the index format, and 1 is known; name another index",
        ),
        (
            b'<meta name="pypi:repository-version" content="2.1">',
            "text/html",
            "is of version '2.1' of the index format, and 1 is known; name another index",
        ),
    ],
    ids=["broken", "deep", "list", "no-list", "version-json", "version-html"],
)
def test_answers_that_cannot_be_read(data: bytes, content_type: str, message: str) -> None:
    with pytest.raises(PageError) as raised:
        parse(data, content_type)
    assert str(raised.value) == f"{URL}: {message}"
    assert isinstance(raised.value, PyvariumError)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"<a <a href=<<<>>",
        b"<a href>x</a>",
        b"<![if gte mso 9]><a href='",
        b"plain",
        b"<!-- <a href='foo-1.0.tar.gz'> -->",
    ],
)
def test_garbage_has_no_files(data: bytes) -> None:
    assert parse(data).files == ()


def test_entries_that_are_none() -> None:
    page = parse_json({}, {"filename": 1, "url": "x"}, {"filename": "foo-1.0.tar.gz", "url": "x"})
    assert (len(page.files), page.problems) == (1, ("2 files have no name or no URL",))
