# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from typing import List, Optional, Tuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from pyvarium.versions import (
    Constraint,
    constraint,
    covering,
    label_of,
    newest_first,
    selects,
    translate,
)


@pytest.mark.parametrize(
    ("specifier", "text"),
    [
        ("", ""),
        (">=0", ""),
        (">=1.2.0", "1.2:"),
        (">1.5", "1.5.1:"),
        (">1.5.3", "1.5.4:"),
        ("<2.0", ":1"),
        ("<2.0a0", ":1"),
        ("<2.0.dev0", ":1"),
        ("<1.5.2", ":1.5.1"),
        ("<=1.5", ":1.5.0"),
        ("==1.5", "1.5:1.5.0"),
        ("==1.5.3", "1.5.3"),
        ("==1.5.*", "1.5"),
        ("!=1.25.0,!=1.25.1", ":1.24,1.25.2:"),
        ("!=3.0.*", ":2,3.1:"),
        ("!=1.*,!=3.*", ":0,2,4:"),
        ("~=1.4.2", "1.4.2:1.4"),
        ("~=2.2", "2.2:2"),
        (">=1.26,<3", "1.26:2"),
        (">=2,<1", None),
        ("<0", None),
        (">=2.0rc1", "2:"),
        (">2.0rc1", "2:"),
        ("<2.0rc1", ":1"),
        ("<=2.0rc1", ":1"),
        ("!=2.0rc1", ""),
        ("~=2.1rc1", "2.1:2"),
        ("==2.0rc1", None),
        ("<1.5.post1.dev0", None),
        ("==1.0+local", None),
        (">=1!2", None),
        ("===any", None),
    ],
)
def test_translations(specifier: str, text: Optional[str]) -> None:
    assert translate(SpecifierSet(specifier)) == text


@pytest.mark.parametrize(
    ("specifier", "labels", "expected"),
    [
        ("", ["2.0", "1.0"], Constraint("", ("2.0", "1.0"), True)),
        ("", [], Constraint("", (), True)),
        (">=1", ["main", "2.0", "0.9"], Constraint("1:", ("2.0",), True)),
        (">=1", ["2.0-rc1", "1.0"], Constraint("1:", ("1.0",), True)),
        (">=2.0rc1", ["2.0-rc1", "1.0"], Constraint("2:", ("2.0-rc1",), True)),
        (">=1", ["1.0.dev1", "1.0", "0.9"], Constraint("=1.0", ("1.0",), False)),
        ("==1.5", ["1.5.3", "1.5.0"], Constraint("=1.5.0", ("1.5.0",), True)),
        ("==2025.8.20", ["2025.08.20"], Constraint("=2025.08.20", ("2025.08.20",), True)),
        ("==1.0.*", ["1.0.1", "1", "0.9"], Constraint("=1,=1.0.1", ("1.0.1", "1"), False)),
        (">=1", ["2019-01-24", "1.0"], Constraint("=1.0", ("1.0",), False)),
        ("<=1.5", ["1.5.0.1", "1.5"], Constraint("=1.5", ("1.5",), False)),
    ],
    ids=[
        *("any", "only-branches", "branch", "pre-release", "pre-release-asked-for"),
        *("spack-takes-for-newer", "exact", "label-is-written-otherwise", "short-label"),
        *("not-a-version", "longer"),
    ],
)
def test_constraints(specifier: str, labels: List[str], expected: Constraint) -> None:
    assert constraint(SpecifierSet(specifier), labels) == expected


def test_no_version() -> None:
    assert not constraint(SpecifierSet(">=3"), ["2.0"])
    assert not constraint(SpecifierSet("===any"), ["2.0"])


RELEASES = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(
    lambda part: ".".join(map(str, part))
)
LABELS = st.lists(RELEASES, unique=True, max_size=12)
CLAUSES = st.one_of(
    st.builds("{}{}".format, st.sampled_from([">=", "<=", ">", "<", "==", "!="]), RELEASES),
    st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), RELEASES),
    st.builds("~={}.{}".format, RELEASES, st.integers(0, 3)),
)
SPECIFIERS = st.lists(CLAUSES, max_size=3).map(",".join).map(SpecifierSet)


def spack_selects(text: str, label: str) -> bool:
    """Spack's rule, for versions of numbers: ``lo:hi`` holds hi and all that begins with it."""
    version = _numbers(label)
    for part in text.split(","):
        if part.startswith("="):
            if version == _numbers(part[1:]):
                return True
            continue
        low, colon, high = part.partition(":")
        high = high if colon else low
        above = not low or version >= _numbers(low)
        upper = _numbers(high) if high else ()
        if above and (version <= upper or version[: len(upper)] == upper):
            return True
    return False


def _numbers(text: str) -> Tuple[int, ...]:
    return tuple(map(int, text.split(".")))


@given(SPECIFIERS, LABELS)
def test_what_is_selected_is_the_same(specifier: SpecifierSet, labels: List[str]) -> None:
    """PEP 440 decides, whichever way Spack orders its versions."""
    wanted = tuple(label for label in labels if specifier.contains(Version(label)))
    found = constraint(specifier, labels)
    assert found.selected == wanted
    assert bool(found) == bool(wanted or translate(specifier) == "")
    if found.text and wanted:
        assert tuple(label for label in labels if spack_selects(found.text, label)) == wanted


@given(SPECIFIERS, LABELS)
def test_a_range_holds_for_versions_to_come(specifier: SpecifierSet, labels: List[str]) -> None:
    """As long as these are written with three numbers, as nearly all are."""
    text = translate(specifier)
    assume(text is not None)
    for label in labels:
        if label.count(".") == 2:
            selected = not text or spack_selects(text, label)
            assert selected == specifier.contains(Version(label)) or _is_longer(specifier)


def _is_longer(specifier: SpecifierSet) -> bool:
    """A bound of four numbers lies between versions of three."""
    return any(clause.version.rstrip(".*").count(".") > 2 for clause in specifier)


@pytest.mark.parametrize(
    ("wanted", "labels", "free", "text"),
    [
        ("2.1 2.0 1.0", "2.1 2.0 1.0", "", ""),
        ("2.1 2.0", "2.1 2.0 1.9.5", "", "2:"),
        ("1.9.5", "2.1.0 2.0 1.9.5", "", ":1"),
        ("1.6 1.5.0", "2.0 1.6 1.5.0 1.4.9", "", "1.5:1"),
        ("1.5.0 1.5.1", "1.6 1.5.1 1.5.0 1.4", "", "1.5"),
        ("2.3.0", "2.3.1 2.3.0 2.2", "", "2.3.0"),
        ("1.5", "1.5.1 1.5 1.4", "", "1.5:1.5.0"),
        ("1.5", "1.5.1 1.5", "", ":1.5.0"),
        ("1.5", "1.5.post1 1.5 1.4", "", "=1.5"),
        ("2.0.0", "2.0.0 2.0.0-rc1", "", "2.0.0:"),
        ("2.0-rc1", "2.0 2.0-rc1 1.0", "", "2.0-rc1"),
        ("3.0 1.0", "3.0 2.0 1.0", "", ":1,3:"),
        ("3.0 1.0", "3.0 2.0 1.0", "2.0", ""),
        ("2.0", "4.0 3.0 2.0 1.0 0.9", "3.0 1.0", "2"),
        ("2.0", "3.0 2.0 1.0 0.9", "3.0", "2:"),
        ("2025.08.20", "2025.8.21 2025.08.20 2024.1", "", "2025.08.20"),
    ],
    ids=[
        *("all", "newest", "oldest", "middle", "prefix", "one", "a-longer-one-follows"),
        *("oldest-and-a-longer-one-follows", "post-release", "not-its-candidate"),
        *("candidate", "gap", "free-gap", "free-neighbours", "free-to-the-end", "zeros"),
    ],
)
def test_coverings(wanted: str, labels: str, free: str, text: str) -> None:
    assert covering(wanted.split(), labels.split(), free.split()) == text


ANY_LABELS = st.one_of(
    RELEASES,
    st.builds("{}{}{}".format, RELEASES, st.sampled_from(["-rc", ".post", "b"]), RELEASES),
)


@given(st.lists(st.tuples(ANY_LABELS, st.integers(0, 2)), unique_by=lambda one: one[0]))
def test_a_covering_selects_what_is_wanted(rows: List[Tuple[str, int]]) -> None:
    labels = [label for label, _ in rows]
    wanted = [label for label, kind in rows if kind == 0]
    free = [label for label, kind in rows if kind == 1]
    assume(wanted)
    text = covering(wanted, labels, free)
    assert [label for label in labels if selects(text, label) and label not in free] == wanted


@given(RELEASES, RELEASES, RELEASES)
def test_selecting_follows_spacks_rule(lower: str, upper: str, label: str) -> None:
    for text in (f"{lower}:", f":{upper}", f"{lower}:{upper}", lower, f"={lower}"):
        assert selects(text, label) == spack_selects(text, label)


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("1.5.0", "1.5.0"),
        ("2025.08.20", "2025.08.20"),
        ("2.0a1", "2.0-alpha1"),
        ("2.0.0rc2", "2.0.0-rc2"),
        ("1.0-1", "1.0.post1"),
        ("1.0.dev3", "1.0.dev3"),
        ("1!2.0", None),
        ("1.0+cu118", None),
    ],
)
def test_labels(written: str, label: Optional[str]) -> None:
    assert label_of(Version(written), written) == label


def test_a_name_of_another_version_is_not_its_label() -> None:
    assert label_of(Version("1.5"), "2.0") == "1.5"


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        (["0.2a5"], "0.2a5"),
        (["0.2.a5"], "0.2.a5"),
        (["0.2-alpha5"], "0.2-alpha5"),
        ([], "0.2-alpha5"),
    ],
)
def test_a_label_that_others_have_written(labels: List[str], label: str) -> None:
    assert label_of(Version("0.2.a5"), "0.2.a5", labels) == label


def test_spacks_order() -> None:
    labels = ["1.0", "main", "2.0-rc1", "1.0.0", "2.0", "1.0a1", "1.0-alpha1"]
    assert newest_first(labels) == "main 2.0 2.0-rc1 1.0.0 1.0a1 1.0 1.0-alpha1".split()
