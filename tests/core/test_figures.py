# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What was measured is in the documents as the results have it, and none of it is by hand."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Set, Tuple

import documents
import pytest
from documents import TOP

sys.path.append(str(TOP / "tests" / "benchmarks"))

import measuring
import reporting
from measuring import PROCESSOR, Row

#: Numbers with units that nobody has measured: what is waited for at most, and what was set.
NOT_MEASURED = {
    ("docs/clusters.md", "20 seconds"),
    ("docs/recipes.md", "60 seconds"),
}
_FIGURE = re.compile(
    r"\b\d[\d.,]*(?: |\n)?(?:ms|MB|GB|s|seconds|minutes|per cent|times)\b|\b\d[\d.,]*(?= of `)"
)


@pytest.mark.parametrize("name", documents.NAMES)
def test_a_figure_is_that_of_the_results(name: str) -> None:
    """Else run 'python tests/benchmarks --documents'."""
    text = (TOP / name).read_text(encoding="utf-8")
    assert reporting.rendered(text, reporting.RESULTS) == text


def test_no_other_figure_is_of_a_measurement() -> None:
    found: Set[Tuple[str, str]] = set()
    for name in documents.NAMES:
        text = reporting.REGION.sub("", (TOP / name).read_text(encoding="utf-8"))
        text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
        found |= {(name, " ".join(one[0].split())) for one in _FIGURE.finditer(text)}
    assert found == NOT_MEASURED


def test_the_plot_is_that_of_the_results(tmp_path: Path) -> None:
    """Else run 'python tests/benchmarks --plot'."""
    import plot

    plot.draw(reporting.RESULTS / "scale.json", tmp_path / "scale.svg")
    assert (tmp_path / "scale.svg").read_text() == (TOP / "docs" / "scale.svg").read_text()


def test_results_name_no_path_of_a_machine() -> None:
    for path in sorted(reporting.RESULTS.glob("*.json")):
        assert not re.search(
            r"(?<![\w./-])/\w", path.read_text(encoding="utf-8").replace("/bin/true", "")
        )


ROWS = [
    Row("check", 10, "specs", PROCESSOR, 123.4, (100, 130), 3, "pip list", 246.8, memory=20.2),
    Row("check", 10, "specs", PROCESSOR, 123.4, (100, 130), 3, bar=100),
    Row("check", 10, "specs", "power of size", 0.987, bar=1.1),
    Row("start", 1000, "nodes", "operations", 145000),
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    measuring.write(tmp_path / "some.json", ROWS)
    return tmp_path


def test_results_are_read_as_they_were_written(results: Path) -> None:
    assert measuring.read(results / "some.json")["rows"] == [
        Row(**{**vars(one), "spread": one.spread and list(one.spread)}) for one in ROWS
    ]


def test_a_region_is_made_of_its_template(results: Path) -> None:
    template = (
        "{check; 10; ms} {check; 10; memory} {check; 10; pip list; ratio} {check; 10; power}"
        " {start; 1000; count}"
    )
    made = "123 ms 20 MB 0.50 1.0 145,000"
    text = "a\n<!-- from results: some\n{}\n-->\n{}\n<!-- end -->\nb\n"
    assert reporting.rendered(text.format(template, "old"), results) == text.format(template, made)
    assert reporting.rendered(text.format(template, made), results) == text.format(template, made)
    with pytest.raises(LookupError, match="no such row"):
        reporting.rendered(text.format("{sync; 10; ms}", ""), results)


def test_the_table(results: Path) -> None:
    assert reporting.table(results).splitlines()[2:6] == [
        "| check | 10 specs | pip list | 0.50 |  | 123.4 ms of processor | 100 to 130 | 20 MB |",
        "| check | 10 specs |  |  | 100 MISSED | 123.4 ms of processor | 100 to 130 |  |",
        "| check | 10 specs |  |  | 1.1 met | 0.987 power of size |  |  |",
        "| start | 1,000 nodes |  |  |  | 145,000 operations |  |  |",
    ]
