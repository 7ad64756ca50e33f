# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from pyvarium.releases import File
from pyvarium.selection import SelectionError, candidates, select


def files(*names: str) -> List[File]:
    """Of ``1.0`` an sdist, of ``1.0 yanked`` one that is; others by their file names."""
    made = []
    for name in names:
        version, _, yanked = name.partition(" ")
        if version.startswith("foo-"):
            label = version.split("-")[1].replace(".tar.gz", "").replace(".zip", "")
            label = label.replace(".tar.bz2", "")
        else:
            version, label = f"foo-{version}.tar.gz", version
        url = f"https://index.example/{version}"
        made.append(File(version, url, Version(label), label, yanked="" if yanked else None))
    return made


MANY = files(*"1.0 1.0.1 1.1 1.2a1 2.0 2.0.1 2.1.dev1 2.1rc1 1!0.1".split(), "2.0.2 yanked")


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ("minor", "1!0.1 2.0.1 1.1 1.0.1"),
        ("all", "1!0.1 2.0.1 2.0 1.1 1.0.1 1.0"),
        ("2", "1!0.1 2.0.1"),
        ("99", "1!0.1 2.0.1 2.0 1.1 1.0.1 1.0"),
        (">=1.1,<2.0.1", "2.0 1.1"),
        ("~=1.0", "1.1 1.0.1 1.0"),
        ("==2.0.*", "2.0.1 2.0"),
        (">=2.1rc1,<3", "2.1rc1"),
        ("==1.2a1", "1.2a1"),
        ("==2.0.2", ""),
        (">=3,<4", ""),
        ("", "1!0.1 2.0.1 2.0 1.1 1.0.1 1.0"),
        (" minor ", "1!0.1 2.0.1 1.1 1.0.1"),
    ],
)
def test_selections(versions: str, expected: str) -> None:
    chosen = select(candidates(MANY), versions)
    assert [str(one.version) for one in chosen] == expected.split()


@pytest.mark.parametrize(
    ("versions", "expected"),
    [("minor", "1.1rc1 1.0b2"), ("all", "1.1rc1 1.0b2 1.0a1"), ("1", "1.1rc1"), (">=1", "1.1rc1")],
)
def test_pre_releases_where_there_is_nothing_else(versions: str, expected: str) -> None:
    chosen = select(candidates(files("1.0a1", "1.0b2", "1.1rc1")), versions)
    assert [str(one.version) for one in chosen] == expected.split()


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        ("newest", "'newest'"),
        ("-1", "'-1'"),
        ("1.0", "'1.0'"),
        (">=1 os.system('x')", "\">=1 os.system('x')\""),
    ],
)
def test_selections_that_are_none(versions: str, message: str) -> None:
    with pytest.raises(SelectionError) as raised:
        select(candidates(MANY), versions)
    assert str(raised.value) == (
        f"versions {message}: selects none; say 'minor', 'all', a number, or a specifier such as"
        " '>=2,<4'"
    )


def test_no_version() -> None:
    with pytest.raises(SelectionError, match="versions '0': selects none; "):
        select(candidates(MANY), "0")


def test_the_sdist_and_the_wheels_of_a_release() -> None:
    found = candidates(
        files(
            "foo-1.0.zip",
            "foo-1.0.tar.bz2",
            "foo-1.0.tar.gz",
            "foo-1.0-cp312-cp312-win_amd64.whl",
            "foo-1.0-cp312-cp312-manylinux_2_17_aarch64.whl",
            "foo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
            "foo-1.0-py2-none-any.whl",
            "foo-1.0-cp27-cp27mu-manylinux1_x86_64.whl",
            "foo-1.0-py2.py3-none-any.whl",
            "foo-1.0-py2-none-win32.whl yanked",
            "foo-2.0-py3-none-any.whl",
        )
    )
    assert [(one.source.name, [wheel.name for wheel in one.wheels]) for one in found] == [
        (
            "foo-1.0.tar.gz",
            [
                "foo-1.0-py2.py3-none-any.whl",
                "foo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
                "foo-1.0-cp312-cp312-manylinux_2_17_aarch64.whl",
                "foo-1.0-cp312-cp312-win_amd64.whl",
                "foo-1.0-py2-none-any.whl",
                "foo-1.0-cp27-cp27mu-manylinux1_x86_64.whl",
            ],
        )
    ]


versions = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))


@given(st.lists(versions, unique=True), st.integers(1, 9))
def test_so_many_are_the_newest(found: List[tuple], count: int) -> None:
    texts = [".".join(map(str, one)) for one in found]
    chosen = select(candidates(files(*texts)), str(count))
    assert [one.version.release for one in chosen] == sorted(found, reverse=True)[:count]


@given(st.lists(versions, unique=True))
def test_minor_has_the_newest_of_each_series(found: List[tuple]) -> None:
    texts = [".".join(map(str, one)) for one in found]
    chosen = select(candidates(files(*texts)), "minor")
    series = {one[:2] for one in found}
    newest = [max(one for one in found if one[:2] == key) for key in sorted(series, reverse=True)]
    assert [one.version.release for one in chosen] == newest
