# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The page of an environment: what it shows, and that nothing in it can do anything."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest

from conftest import Site
from pyvarium import commands, page
from pyvarium.model import Skipped
from pyvarium.page import Page, Row
from pyvarium.verify import Code, Fault

NOW = datetime(2026, 3, 1, 10, 0)
HASH = "abcdefghijklmnopqrstuvwxyz234567"
PAGE = Page(
    "my-env",
    "/home/me/my-env",
    (("Python", "3.11"),),
    (Row("numpy", "2.1.3", 21_500_000, "py-numpy@2.1.3", HASH, True),),
    (Row("rich", "14.2.0", None),),
    (Fault(Code.STALE_LOCK, "uv.lock", "holds a <b>", "run 'spack pyvarium lock'"),),
    (Skipped("py-external@1", "is external"),),
)
#: What somebody may call a project, a version or a directory.
EVIL = "\"'><script>alert(1)</script><img src=https://x/?a&b onerror=x>\x1b[31m\u202e\udce4"


class Elements(HTMLParser):
    """The elements of a page with their attributes, and whether each was closed."""

    VOID = ("meta", "br", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.open: List[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += "" if self.open[-1:] == ["style"] else data


def test_what_it_shows() -> None:
    shown = Elements(page.render(PAGE))
    lines = " ".join(shown.text.split())
    for text in (
        "my-env /home/me/my-env 1 fault Python3.11",
        ".venvrich1 installed on top Spacknumpy1 provided, 22 MB",
        "What is wrongstale-lock uv.lock holds a <b>run spack pyvarium lock",
        "what stands in .venv: 1 distribution",
        "numpy2.1.3py-numpy@2.1.3 abcdefgdirect22 MB",
        "Passed overpy-external@1 is external",
    ):
        assert text in lines
    assert shown.open == []
    assert page.render(PAGE) == page.render(PAGE)


@pytest.mark.parametrize("rows", [0, 1, 300])
def test_any_number_of_rows(rows: int) -> None:
    many = tuple(Row(f"p{number}", "1", 10**number % 10**9) for number in range(rows))
    shown = Elements(page.render(dataclasses.replace(PAGE, upper=many, lower=many, faults=())))
    assert "Nothing is wrong." in shown.text
    assert sum(tag == "tr" for tag, _ in shown.found) == 2 * rows + 2 * bool(rows)


def test_untrusted_text_stays_text() -> None:
    row = Row(EVIL, EVIL, 1, EVIL, EVIL)
    fault = Fault(Code.SHADOWED, EVIL, EVIL, EVIL)
    skipped = (Skipped(EVIL, EVIL),)
    evil = Page(EVIL, EVIL, ((EVIL, EVIL),), (row,), (row,), (fault,), skipped, EVIL)
    text = page.render(evil)
    harmless = Elements(page.render(dataclasses.replace(PAGE, error="x"))).found
    shown = Elements(text)
    assert {tag for tag, _ in shown.found} <= {tag for tag, _ in harmless}
    assert {name for _, given in shown.found for name in given} <= {
        name for _, given in harmless for name in given
    }
    text.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


def test_it_needs_nothing_from_elsewhere() -> None:
    text = page.render(PAGE)
    found = Elements(text).found
    assert [tag for tag, _ in found if tag in ("script", "link", "img", "iframe", "form")] == []
    links = {given["href"] for _, given in found if "href" in given}
    assert links == {"#faults", "#upper", "#lower"}
    assert not re.search(r"url\(|@import|https?:", text)
    [policy] = [one["content"] for _, one in found if one.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, ""),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_960, "10 kB"),
        (999_600, "1.0 MB"),
        (10**16, "10000 TB"),
    ],
)
def test_sizes(number: Optional[int], text: str) -> None:
    assert page.shown_size(number) == text


def test_size_by_record(tmp_path: Path) -> None:
    dist_info = tmp_path / "a-1.dist-info"
    dist_info.mkdir()
    for record, size in (
        (None, None),
        ("a.py,sha256=x,10\na-1.dist-info/RECORD,,\n", 10),
        ('a.py,,ten\nb.py\n\0\n"', None),
    ):
        if record is not None:
            (dist_info / "RECORD").write_text(record)
        assert page.size(dist_info) == size
    assert page.size(tmp_path / "b.egg-info") is None


def written(site: Site, output: Optional[str] = None) -> commands.Answer:
    return commands.status_page(site.finish(), None, {}, now=NOW, output=output)


def test_of_an_environment(venv_site: Site, tmp_path: Path) -> None:
    venv_site.install("py-a", "1")
    answer = written(venv_site)
    shown = " ".join(Elements(answer.text).text.split())
    assert "out-of-step" in shown and "As of2026-03-01 10:00 UTC" in shown
    assert "a1py-a@1" in shown
    path = tmp_path / "page.html"
    assert written(venv_site, str(path)).text == f"{path}: written\n"
    assert path.read_text() == answer.text
    assert written(venv_site, str(path)).text == f"{path}: is up to date\n"


def test_of_what_cannot_be_looked_at(site: Site) -> None:
    """A page all the same: it is where somebody looks for what is wrong."""
    site.install("py-a", "1")
    environment = site.finish()
    environment.pyproject.write_text("[broken")
    answer = commands.status_page(environment, None, {}, now=NOW, output=None)
    shown = Elements(answer.text).text
    assert "It cannot be looked at as a whole." in shown
    assert f"{environment.pyproject}: " in shown

    environment.pyproject.unlink()
    environment.lockfile.write_text(
        environment.lockfile.read_text().replace(site.roots[0], "gone")
    )
    answer = commands.status_page(environment, None, {}, now=NOW, output=None)
    assert "stale-view" in Elements(answer.text).text
