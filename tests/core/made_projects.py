# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Projects for tests of recipes: written down in short, or drawn at random."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Tuple, Union

from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from pyvarium.releases import LANGUAGES, Build, File, Project, Release

SHA256 = "0123456789abcdef" * 4


def release(
    version: str,
    requires: Sequence[Union[str, Requirement]] = (),
    python: str = ">=3.8",
    build: Sequence[Union[str, Requirement]] = ("hatchling",),
    languages: Sequence[str] = (),
    known: bool = True,
    file: Optional[str] = None,
    yanked: Optional[str] = None,
    sha256: Optional[str] = SHA256,
    **others: Any,
) -> Release:
    name = file or f"foo-{version}.tar.gz"
    source = File(name, f"https://x.org/{name}", Version(version), version, sha256, yanked=yanked)
    build_of = Build(_parsed(build), "b", tuple(languages), known)
    return Release(
        Version(version),
        source,
        _parsed(requires),
        SpecifierSet(python),
        build=build_of,
        **{"license": "MIT", "summary": "A foo.", "homepage": "https://foo.org", **others},
    )


def _parsed(requires: Sequence[Union[str, Requirement]]) -> Tuple[Requirement, ...]:
    return tuple(Requirement(one) if isinstance(one, str) else one for one in requires)


def project(*releases: Release, name: str = "foo") -> Project:
    return Project(name, releases)


NUMBERS = st.lists(st.integers(0, 3), min_size=2, max_size=3).map(
    lambda parts: ".".join(map(str, parts))
)
CLAUSES = st.one_of(
    st.builds("{}{}".format, st.sampled_from([">=", "<=", ">", "<", "==", "!="]), NUMBERS),
    st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), NUMBERS),
    st.builds("~={}.{}".format, NUMBERS, st.integers(0, 3)),
)
MINORS = st.sampled_from(["3.5", "3.6", "3.8", "3.9", "3.10", "3.14", "3.15"])
MICROS = st.builds("{}.{}".format, MINORS, st.integers(0, 12))
ORDERS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
ATOMS = st.one_of(
    st.builds("python_version {} '{}'".format, ORDERS, MINORS),
    st.builds("'{1}' {0} python_version".format, ORDERS, MINORS),
    st.builds("python_full_version {} '{}'".format, ORDERS, MICROS),
    st.builds(
        "{} '{}'".format,
        st.sampled_from(["sys_platform ==", "sys_platform !="]),
        st.sampled_from(["linux", "darwin", "win32", "cygwin"]),
    ),
    st.builds("os_name == '{}'".format, st.sampled_from(["nt", "posix"])),
    st.builds("platform_system != '{}'".format, st.sampled_from(["Windows", "Darwin", "Java"])),
    st.builds(
        "platform_machine {} '{}'".format,
        st.sampled_from(["==", "!="]),
        st.sampled_from(["x86_64", "aarch64", "arm64", "AMD64", "i686"]),
    ),
    st.builds("implementation_name {} 'cpython'".format, st.sampled_from(["==", "!="])),
    st.builds("extra == '{}'".format, st.sampled_from(["x", "y"])),
)
MARKERS = st.recursive(
    ATOMS,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=4,
)
REQUIREMENTS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["bar", "baz", "baz[z]", "foo[x]", "foo[y]", "quux"]),
    st.one_of(st.just(""), CLAUSES, st.builds("{},{}".format, CLAUSES, CLAUSES)),
    st.one_of(st.just(""), st.builds("; {}".format, MARKERS)),
)
PYTHON_RANGES = st.one_of(
    st.sampled_from(["", ">=3.6", ">=3.9", ">=3.8,<4", ">=3.9,!=3.9.7", "~=3.8", "<=3.12", ">3.9"])
)


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """A few releases, whose neighbours are mostly alike, as they are."""
    versions = draw(st.lists(NUMBERS.map(Version), min_size=1, max_size=6, unique=True))
    releases = []
    requires = draw(st.lists(REQUIREMENTS, max_size=5))
    python = draw(PYTHON_RANGES)
    for version in sorted(versions, reverse=True):
        if draw(st.booleans()):
            requires = [one for one in requires if draw(st.booleans())]
            requires += draw(st.lists(REQUIREMENTS, max_size=2))
            python = draw(PYTHON_RANGES)
        releases.append(
            release(
                str(version),
                requires,
                python,
                build=draw(st.lists(REQUIREMENTS, max_size=2)),
                languages=[one for one in LANGUAGES if draw(st.booleans())],
                known=draw(st.booleans()),
                extras=draw(st.sampled_from([(), ("x",), ("x", "y")])),
            )
        )
    return project(*releases)
