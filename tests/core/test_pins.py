# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium import pins
from pyvarium.model import Mode, Pin, PinDiff, Provided, Skipped

A1, A2, B1 = Pin("a", "1"), Pin("a", "2"), Pin("b", "1")


def provided(name: str, version: str) -> Provided:
    return Provided(name, version, f"py-{name}@{version}", "h" * 32, True, Path("/any"))


def test_plan_is_sorted_and_leaves_the_installer_free() -> None:
    found = [provided("b", "1"), provided("pip", "25"), provided("a", "2")]
    assert pins.plan(found) == ((A2, B1), ())


def test_plan_leaves_out_what_no_index_has() -> None:
    found = [provided("b", "1+site"), provided("a", "2"), provided("c", "1")]
    bound = ((A2, Pin("b", "1+site"), Pin("c", "1")), ())
    portable = (
        (A2,),
        (
            Skipped("b", "1+site is a local version, which is on no index; not pinned"),
            Skipped("c", "is not on the index, as you said; not pinned"),
        ),
    )
    planned = [pins.plan(found, mode, ("c",)) for mode in (Mode.BOUND, Mode.PORTABLE)]
    assert planned == [bound, portable]


@pytest.mark.parametrize(
    ("old", "new", "diff"),
    [
        ([], [], PinDiff()),
        ([A1], [A1], PinDiff()),
        ([], [A1], PinDiff(added=(A1,))),
        ([A1], [A2], PinDiff(changed=((A1, A2),))),
        ([A1, B1], [A1], PinDiff(removed=(B1,))),
    ],
    ids=["empty", "equal", "added", "changed", "removed"],
)
def test_compare(old: list, new: list, diff: PinDiff) -> None:
    assert pins.compare(old, new) == diff
    assert bool(diff) == (old != new)


def test_a_difference_reads_as_one_line() -> None:
    diff = PinDiff(added=(A1,), changed=((A1, A2),), removed=(B1,))
    assert str(diff) == "a==1 added, a==1 -> 2, b==1 removed"
    assert diff.counted() == "pins of Spack's: 1 added, 1 changed, 1 removed"


@pytest.mark.parametrize("text", ["A==1", " a == 1.0 ", "a==1+local"])
def test_exact_pins(text: str) -> None:
    assert pins.parse_pin(text).name == "a"


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a>=1",
        "a==1,==1",
        "a==1.*",
        "a===1",
        "a[x]==1",
        "a==1; os_name=='x'",
        "a @ file:///x",
        "",
    ],
)
def test_other_requirements_are_no_pins(text: str) -> None:
    with pytest.raises(ValueError):
        pins.parse_pin(text)


def test_constraints_leave_build_tools_free() -> None:
    assert pins.render_constraints([B1, Pin("setuptools", "80"), A1, Pin("wheel", "1")]) == (
        "# What Spack provides here. Written by spack-pyvarium; changes are lost.\na==1\nb==1\n"
    )


PINS = st.lists(
    st.builds(Pin, st.sampled_from("abcdef"), st.sampled_from("123")),
    unique_by=lambda pin: pin.name,
)


@given(PINS, PINS)
def test_a_difference_leads_from_one_set_to_the_other(old: list, new: list) -> None:
    diff = pins.compare(old, new)
    result = set(old) - set(diff.removed) - {before for before, _ in diff.changed}
    assert result | set(diff.added) | {after for _, after in diff.changed} == set(new)


@given(PINS, PINS)
def test_digest_tells_sets_apart_whatever_their_order(old: list, new: list) -> None:
    assert (pins.digest(old) == pins.digest(new)) == (set(old) == set(new))
