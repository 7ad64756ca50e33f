# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What counts as the same in two recipes, and what is told of the rest."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

import pytest

from made_projects import project, release
from pyvarium.grid import Condition
from pyvarium.recipe import BUILD, Dependency, Existing, Known, no_extra, no_recipe
from pyvarium.releases import Release
from pyvarium.scoring import (
    Comparison,
    Departure,
    Kind,
    Score,
    Scored,
    Tongues,
    compare,
    rows,
    sample,
)

PYTHONS = ("3.12.0",)


def by_hand(
    *dependencies: Dependency, versions: Sequence[str] = ("1.0",), **others: object
) -> Existing:
    return Existing("py-foo", "builtin", tuple(versions), dependencies, **others)  # type: ignore[arg-type]


def scores(*compared: Comparison) -> Dict[str, Score]:
    return {one.what: one.score for one in rows(Scored((), compared, (), PYTHONS))}


def compared(
    theirs: Existing, *releases: Release, known: Optional[Dict[str, Known]] = None
) -> Comparison:
    named = no_recipe if known is None else known.get
    return compare(theirs, project(*releases), named, no_extra)


def test_names_and_ranges() -> None:
    """In two cells: 3 and 2 dependencies, of which 2 are in both, and 1 with the same range."""
    theirs = by_hand(Dependency("py-a", "1.0:"), Dependency("py-b", "3:", types=("run",)))
    found = compared(theirs, release("1.0", ["a>=1", "b>=2", "c"]))
    score = scores(found)["run"]
    assert score == Score(found=6, expected=4, common=4, equal=2)
    assert (score.precision, score.recall) == (4 / 6, 1.0)
    assert (score.name_f1, score.range_f1) == (8 / 10, 4 / 10)
    assert (found.differences, found.cells) == ((), 9 * 8)


def test_what_is_needed_to_build_only() -> None:
    """Whatever is needed to run, or comes with the base class, is not counted."""
    theirs = by_hand(
        Dependency("py-a"),
        Dependency("py-hatchling", types=BUILD),
        Dependency("py-pip", types=BUILD),
        Dependency("hdf5", types=("build", "link")),
        Dependency("py-numpy", types=("build", "link")),
        Dependency("c", types=BUILD),
    )
    one = release("1.0", ["a"], build=["hatchling>=1", "a", "wheel", "numpy"], languages=["c"])
    found = compared(theirs, one)
    assert scores(found)["build only"] == Score(4, 4, 4, 2)
    assert found.languages == Score(1, 1, 1, 1)


def test_a_recipe_that_the_wheels_refute() -> None:
    theirs = by_hand(Dependency("c", types=BUILD), versions=("3.0", "2.0", "1.0"))
    releases = [
        release(version, languages=languages, compiled=compiled)
        for version, languages, compiled in (
            ("3.0", [], False),
            ("2.0", ["c"], True),
            ("1.0", [], None),
        )
    ]
    found = compared(theirs, *releases)
    assert (found.languages, found.evident) == (Score(1, 3, 1, 1), Score(1, 2, 1, 1))
    assert found.tongues == (Tongues("3.0", (), ("c",), False), Tongues("1.0", (), ("c",), None))


def test_a_pre_release_as_upstream_writes_it() -> None:
    theirs = by_hand(
        Dependency("py-a", when=Condition("0.2a5")),
        Dependency("c", types=BUILD),
        versions=["0.2a5"],
    )
    found = compared(theirs, release("0.2a5", ["a"], build=[], languages=["c"]))
    assert found.labels == ("0.2-alpha5",)
    assert (scores(found)["run"], found.languages) == (Score(2, 2, 2, 2), Score(1, 1, 1, 1))


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ("a", [], Kind.LACKS),
        ("b", ["2:"], Kind.ADDS),
        ("a>=2", ["1:"], Kind.LOOSER),
        ("a>=2", ["1:", "2:3"], Kind.STRICTER),
        ("a>=2", ["1:4"], Kind.OTHER),
        ("a>=2.0.0", ["2:"], None),
        ("a>=2,<3", ["2"], None),
    ],
)
def test_kinds(ours: str, theirs: List[str], kind: Optional[Kind]) -> None:
    existing = by_hand(*(Dependency("py-a", text) for text in theirs))
    (one,) = (
        one
        for one in compared(existing, release("1.0", [ours])).pairs
        if one.name == "py-a" and one.cell.python in PYTHONS and one.cell.platform == "linux"
    )
    assert one.kind == kind


def test_departures_say_where_and_what() -> None:
    theirs = by_hand(
        Dependency("py-a", "2:"), Dependency("py-a", ":3"), versions=("2.0", "1.1", "1.0")
    )
    releases = [release("2.0", ["a>=2,<4"]), release("1.1", ["a"]), release("1.0", ["a"])]
    assert compared(theirs, *releases).departures(PYTHONS)[:1] == (
        Departure("py-foo", "py-a", False, Kind.STRICTER, ":1", "any", "@2: and @:3", 4),
    )


def test_versions_that_there_are() -> None:
    """No 1.5 is known, so that it does not matter who allows it."""
    known = {"a": Known("py-a", frozenset(), ("2.0", "1.0"))}
    theirs = by_hand(Dependency("py-a", "1.6:"))
    found = compared(theirs, release("1.0", ["a>=1.5"]), known=known)
    assert scores(found)["run"] == Score(2, 2, 2, 0)
    assert scores(found)["run, of the versions there are"] == Score(2, 2, 2, 2)


def test_variants_are_as_by_default() -> None:
    """An extra is on where it is a variant that is on, and else does not count against either."""
    theirs = by_hand(
        Dependency("py-a", when=Condition(variants=("+x",))),
        Dependency("py-b", when=Condition(variants=("+y",))),
        Dependency("py-c"),
        variants=frozenset(("x", "y")),
        enabled=frozenset(("+x",)),
    )
    extras = ["a; extra == 'x'", "b; extra == 'y'", "c; extra == 'z'"]
    found = compared(theirs, release("1.0", extras, extras=("x", "y", "z")))
    assert scores(found)["run"] == Score(2, 2, 2, 2)
    assert scores(found)["run, and what is an extra"] == Score(2, 4, 2, 2)


def test_programs_and_means() -> None:
    """A recipe that asks for nothing has no share in the mean of recipes."""
    theirs = by_hand(Dependency("py-a"), Dependency("samtools", types=("run",)))
    one = compared(theirs, release("1.0", ["a"]))
    other = compared(by_hand(), release("1.0", ["a"], build=[]))
    empty = compared(by_hand(), release("1.0", build=[]))
    found = rows(Scored((), (one, other, empty), (), PYTHONS))
    assert [(row.what, row.score, row.mean_name_f1) for row in (found[0], found[2])] == [
        ("run", Score(4, 4, 2, 2), (2 / 3 + 0) / 2),
        ("run, without programs", Score(4, 2, 2, 2), (1 + 0) / 2),
    ]


def test_what_one_needs_to_build_and_the_other_to_run() -> None:
    """It counts once, where it is needed to run."""
    theirs = by_hand(Dependency("py-a"), Dependency("py-b", types=BUILD))
    found = scores(compared(theirs, release("1.0", ["b"], build=["a"])))
    assert found["run"] == Score(2, 2, 0, 0)
    assert found["build only"] == Score()
    assert found["build only, and what the other needs to run"] == Score(2, 2, 0, 0)


def test_only_where_both_can_be_built() -> None:
    theirs = by_hand(Dependency("python", ":3.10"), Dependency("py-a"))
    found = compared(theirs, release("1.0", ["a"], python=">=3.10"), release("2.0", ["a"]))
    assert {(one.label, one.cell.python) for one in found.pairs} == {("1.0", "3.10.0")}


def test_languages_beside_those_by_hand_and_the_wheels() -> None:
    """3.0 is compiled, 2.0 is not, and 1.0 has no wheel; by hand all of them are."""
    theirs = by_hand(Dependency("cxx", types=BUILD), versions=("3.0", "2.0", "1.0"))
    releases = [
        release("3.0", languages=["c", "cxx"], compiled=True),
        release("2.0", compiled=False),
        release("1.0", languages=["c"]),
    ]
    found = compared(theirs, *releases)
    assert found.languages == Score(found=3, expected=3, common=1, equal=1)
    assert found.compiled == Score(1, 1, 1, 1)
    assert found.by_hand == Score(found=2, expected=1, common=1, equal=1)


def test_sample() -> None:
    assert sample(["d", "a", "c", "b", "e", "a"], 2, 1) == ("b", "d")
