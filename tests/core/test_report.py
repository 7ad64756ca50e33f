# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What people are told, beyond what each command's own tests look at."""

from __future__ import annotations

from pathlib import Path

from pyvarium.model import Skipped
from pyvarium.report import Answer, annotated, skipped_notes


def test_many_of_one_reason_are_one_line() -> None:
    absent = [Skipped(f"py-{letter}@1", "is not installed") for letter in "abcdefg"]
    few = [Skipped(f"py-{letter}@1", "is external") for letter in "xy"]
    faults = [Skipped(f"py-{letter}@1", "is broken", fault=True) for letter in "abcdefg"]
    assert skipped_notes([*absent, *few, *faults]) == (
        "Skipped: py-a@1, py-b@1, py-c@1, py-d@1, py-e@1 and 2 more (--json names all): each is"
        " not installed",
        "Skipped: py-x@1: is external",
        "Skipped: py-y@1: is external",
        *(f"Error: py-{letter}@1: is broken" for letter in "abcdefg"),
    )


def test_annotations() -> None:
    answer = Answer("a: 100% wrong\n", ("Skipped: b", "Error: c"), 3)
    assert annotated(answer, Path("/repo/x,y/pyproject.toml"), Path("/repo")) == Answer(
        "::error file=x%2Cy/pyproject.toml::a: 100%25 wrong\n"
        "::error file=x%2Cy/pyproject.toml::Error: c\n",
        ("Skipped: b",),
        3,
    )
    assert annotated(Answer("fine\n"), Path("x"), Path("/")) == Answer("fine\n")
