# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import random
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from fake_index import SIMPLE, Index, bzipped, metadata, tar, zipped
from pyvarium.cache import Cache
from pyvarium.errors import MetadataError, PyvariumError
from pyvarium.gathering import fetch_project, read_wheel
from pyvarium.releases import Build, Project
from pyvarium.selection import ALL

PYPROJECT = "[build-system]\nrequires = ['flit_core']\nbuild-backend = 'flit_core.buildapi'\n"
FLIT = Build((Requirement("flit_core"),), "flit_core.buildapi")
WHEEL = "foo-1.0-py3-none-any.whl"


def wheel(*lines: str, version: str = "1.0") -> bytes:
    name = f"foo-{version}.dist-info"
    text = metadata("foo", version, *lines)
    return zipped({"foo/__init__.py": "", "_foo.abi3.so": "", f"{name}/METADATA": text}, top="")


def sdist(*lines: str, version: str = "1.0", of: str = "2.4", **files: str) -> bytes:
    text = metadata("foo", version, *lines, of=of)
    return tar({"pyproject.toml": PYPROJECT, "PKG-INFO": text, **files}, top=f"foo-{version}/")


def index_with(*sources: bytes, **files: bytes) -> Index:
    """An index with sdists 1.0, 2.0, ... of foo."""
    index = Index()
    for number, data in enumerate(sources, start=1):
        index.add("foo", f"foo-{number}.0.tar.gz", data, requires_python=">=3.8")
    for name, data in files.items():
        index.add("foo", name, data)
    return index


def fetch(index: Index, versions: str = ALL, name: str = "foo", **options: Any) -> Project:
    return fetch_project(name, versions, index.fetcher(**options))


def asked(index: Index) -> List[str]:
    return sorted(one.replace(SIMPLE, "").rpartition("/")[2] or "page" for one in index.asked)


def test_a_release() -> None:
    index = index_with(sdist())
    index.add("foo", WHEEL, wheel())
    index.files[f"https://index.example/files/{WHEEL}.metadata"] = metadata(
        "foo",
        "1.0",
        "Requires-Dist: bar>=1",
        "Provides-Extra: x",
        "Summary: A foo.",
        "License-Expression: MIT",
        "Home-page: https://foo.example",
    ).encode()
    (release,) = fetch(index).releases
    assert (
        release.version,
        release.source.name,
        release.requires,
        release.requires_python,
        release.extras,
        release.license,
        release.summary,
        release.homepage,
        release.modules,
        release.build,
        release.problems,
    ) == (
        Version("1.0"),
        "foo-1.0.tar.gz",
        (Requirement("bar>=1"),),
        SpecifierSet(">=3.8"),
        ("x",),
        "MIT",
        "A foo.",
        "https://foo.example",
        (),
        FLIT,
        (),
    )
    assert asked(index) == ["foo-1.0-py3-none-any.whl.metadata", "foo-1.0.tar.gz", "page"]


OTHER = "foo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize(
    ("beside", "inside", "requires", "problems"),
    [
        ({WHEEL: "bar"}, {}, ["bar"], ()),
        ({OTHER: "bar"}, {WHEEL: "no"}, ["bar"], ()),
        ({}, {WHEEL: "bar"}, ["bar"], ()),
        ({}, {OTHER: "bar"}, ["bar"], ()),
        ({}, {}, ["from-sdist"], ()),
    ],
    ids=["beside", "beside-another", "inside", "inside-another", "sdist"],
)
def test_where_metadata_is_looked_for(
    ranges: bool,
    beside: Dict[str, str],
    inside: Dict[str, str],
    requires: List[str],
    problems: Tuple[str, ...],
) -> None:
    index = index_with(sdist("Requires-Dist: from-sdist"))
    index.ranges = ranges
    for name in (WHEEL, OTHER):
        known = name in inside
        data = wheel(f"Requires-Dist: {inside[name]}") if known else b"broken"
        url = index.add("foo", name, data)
        if name in beside:
            text = metadata("foo", "1.0", f"Requires-Dist: {beside[name]}")
            index.files[f"{url}.metadata"] = text.encode()
    (release,) = fetch(index).releases
    assert ([str(one) for one in release.requires], release.problems) == (requires, problems)


def test_import_names_come_with_what_is_read_of_a_wheel() -> None:
    index = index_with(sdist())
    index.add("foo", WHEEL, wheel())
    (release,) = fetch(index).releases
    assert release.modules == ("_foo", "foo")


DOUBTFUL = "its requirements are those of its PKG-INFO, which may leave some out"
PACKED = "its requirements are those of its requires.txt, as of the machine that packed it"
SILENT = "its metadata does not say what it requires"
STATIC = f"{PYPROJECT}[project]\ndependencies = ['static']\n"


@pytest.mark.parametrize(
    ("of", "lines", "files", "requires", "problems"),
    [
        ("2.2", ["Requires-Dist: a"], {}, ["a"], ()),
        ("2.2", [], {}, [], ()),
        ("2.1", ["Requires-Dist: a"], {}, ["a"], (DOUBTFUL,)),
        ("2.1", [], {}, [], (SILENT,)),
        ("2.2", ["Dynamic: Requires-Dist"], {}, [], (SILENT,)),
        ("2.1", [], {"foo.egg-info/requires.txt": "a"}, ["a"], (PACKED,)),
        ("2.1", [], {"pyproject.toml": STATIC}, ["static"], ()),
        ("2.2", ["Requires-Dist: a"], {"foo.egg-info/requires.txt": "b"}, ["a"], ()),
    ],
)
def test_how_far_an_sdist_is_trusted(
    of: str, lines: List[str], files: Dict[str, str], requires: List[str], problems: Tuple[str]
) -> None:
    (release,) = fetch(index_with(sdist(*lines, of=of, **files))).releases
    assert ([str(one) for one in release.requires], release.problems) == (requires, problems)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("foo-1.0.tar.bz2", bzipped({"pyproject.toml": PYPROJECT, "PKG-INFO": metadata()})),
        ("foo-1.0.zip", zipped({"pyproject.toml": PYPROJECT, "PKG-INFO": metadata()})),
    ],
)
def test_other_formats_of_sdists(name: str, data: bytes) -> None:
    index = Index()
    index.add("foo", name, data)
    assert [one.build for one in fetch(index).releases] == [FLIT]


def test_newest_first_and_each_told_of() -> None:
    index = index_with(*(sdist(version=f"{number}.0") for number in range(1, 8)))
    told: List[Tuple[int, int]] = []
    project = fetch_project(
        "Foo", ALL, index.fetcher(), progress=lambda done, total, _: told.append((done, total))
    )
    assert [str(one.version) for one in project.releases] == [f"{n}.0" for n in range(7, 0, -1)]
    assert (project.name, told) == ("foo", [(done, 7) for done in range(1, 8)])


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    index = index_with(sdist(), sdist(version="2.0"))
    index.add("foo", WHEEL, wheel())
    cache = Cache(tmp_path)
    fetched = fetch(index, cache=cache)
    del index.asked[:]
    again = fetch(index, cache=cache)
    assert asked(index) == ["page"]
    del index.asked[:]
    offline = fetch(index, cache=cache, offline=True)
    assert asked(index) == []
    assert [
        [(one.version, one.requires, one.build) for one in project.releases]
        for project in (again, offline)
    ] == [[(one.version, one.requires, one.build) for one in fetched.releases]] * 2


def test_a_call_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    """The second sdist cannot be reached, at the first call."""
    index = index_with(sdist(), sdist(version="2.0"))
    cache = Cache(tmp_path)
    late = index.files.pop("https://index.example/files/foo-1.0.tar.gz")

    def stop(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_project("foo", "==2.0", index.fetcher(cache), progress=stop)
    index.files["https://index.example/files/foo-1.0.tar.gz"] = late
    del index.asked[:]
    assert len(fetch(index, cache=cache).releases) == 2
    assert asked(index) == ["foo-1.0.tar.gz", "page"]


def test_offline_and_never_fetched(tmp_path: Path) -> None:
    index = index_with(sdist())
    with pytest.raises(PyvariumError) as raised:
        fetch(index, offline=True)
    assert str(raised.value) == (
        f"{SIMPLE}/foo/: is not in the cache; run this once without --offline"
    )


def test_offline_and_fetched_in_part(tmp_path: Path) -> None:
    index = index_with(sdist(), sdist(version="2.0"))
    cache = Cache(tmp_path)
    fetch(index, "1", cache=cache)
    project = fetch(index, cache=cache, offline=True)
    assert [str(one.version) for one in project.releases] == ["2.0"]
    (problem,) = project.problems
    assert problem.startswith("1.0 is left out: foo 1.0: there is no metadata of it (how it is")
    assert problem.endswith("is not in the cache; run this once without --offline)")


def left_out(version: str, why: str) -> str:
    return f"{version} is left out: foo {version}: {why}"


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (
            b"no archive",
            left_out("2.0", "there is no metadata of it (its sdist could not be read: it is"
                            " broken (Error -3 while decompressing data: incorrect header"
                            " check))"),
        ),
        (
            sdist(version="2.0")[:100],
            left_out("2.0", "there is no metadata of it (its sdist could not be read: it is"
                            " broken (it ends early))"),
        ),
        (
            tar({"x": ""}),
            left_out("2.0", "there is no metadata of it (its sdist has no PKG-INFO)"),
        ),
        (sdist(version="3.0"), left_out("2.0", "its metadata is of 'foo' '3.0'")),
        (
            tar({"PKG-INFO": "<html>"}),
            left_out("2.0", "its metadata has no name or no version"),
        ),
    ],
    ids=["garbage", "truncated", "no-metadata", "of-another", "invalid"],
)  # fmt: skip
def test_one_bad_release_stops_no_other(bad: bytes, problem: str) -> None:
    project = fetch(index_with(sdist(), bad))
    assert ([str(one.version) for one in project.releases], project.problems) == (
        ["1.0"],
        (problem,),
    )


def test_what_is_left_out_is_told_newest_first() -> None:
    project = fetch(index_with(*[b"x"] * 4, sdist(version="5.0"), *[b"x"] * 4))
    assert [one.partition(" ")[0] for one in project.problems] == (
        "9.0 8.0 7.0 6.0 4.0 3.0 2.0 1.0".split()
    )


def test_a_file_that_is_refused_stops_no_other() -> None:
    index = index_with(sdist(), sdist(version="2.0"))
    del index.files["https://index.example/files/foo-2.0.tar.gz"]
    project = fetch(index)
    assert [str(one.version) for one in project.releases] == ["1.0"]
    assert "(HTTP 404)" in project.problems[0]


def test_a_file_that_was_changed() -> None:
    index = index_with(sdist("Summary: as published"))
    index.add("foo", WHEEL, wheel())
    index.files["https://index.example/files/foo-1.0.tar.gz"] = sdist("Summary: changed")
    (release,) = fetch(index).releases
    assert (release.build.known, release.problems) == (
        False,
        ("its sdist could not be read: it has another sha256 than the index says",),
    )


def test_of_a_large_sdist_only_what_tells_of_its_build_is_read() -> None:
    """Where a wheel has the metadata; else all of it, and its digest is looked at."""
    rest = random.Random(0).randbytes(2 << 20)
    data = tar({"pyproject.toml": PYPROJECT, "PKG-INFO": metadata(), "data": rest})
    index = index_with(data)
    index.files["https://index.example/files/foo-1.0.tar.gz"] = data[:-99] + bytes(99)
    with pytest.raises(PyvariumError, match="its sdist could not be read"):
        fetch(index)
    index.add("foo", WHEEL, wheel())
    (release,) = fetch(index).releases
    assert release.build == FLIT


def yanked(*names: str) -> Index:
    index = Index()
    for name in names:
        index.add("foo", name, b"", yanked="it broke\nall")
    return index


def wheels_only() -> Index:
    index = Index()
    index.add("foo", WHEEL, wheel())
    return index


def answering(data: bytes) -> Index:
    return Index({f"{SIMPLE}/foo/": data})


ERRORS: Dict[str, Tuple[Index, str, str, str]] = {
    "unknown": (
        Index(),
        "foo",
        ALL,
        f"foo: is not on {SIMPLE}; check its spelling, or name another index by PIP_INDEX_URL",
    ),
    "yanked": (
        yanked("foo-1.0.tar.gz", WHEEL),
        "foo",
        ALL,
        "foo: all its sdists are yanked ('it broke\\nall'); ask for another project",
    ),
    "wheels-only": (
        wheels_only(),
        "foo",
        ALL,
        f"foo: has wheels alone on {SIMPLE}, no sdist to build from; write a recipe that takes its"
        " sources from elsewhere, or its wheels",
    ),
    "empty": (
        answering(b"<html></html>"),
        "foo",
        ALL,
        f"foo: has no files on {SIMPLE}; name another index",
    ),
    "garbage": (
        answering(b"\xff<<"), "foo", ALL, f"foo: has no files on {SIMPLE}; name another index"
    ),
    "versions": (
        index_with(sdist(), sdist(version="2.0")),
        "foo",
        ">=9",
        "foo: has no release for '>=9'; its newest are 2.0, 1.0",
    ),
    "selection": (
        index_with(sdist()),
        "foo",
        "some",
        "versions 'some': selects none; say 'minor', 'all', a number, or a specifier such as"
        " '>=2,<4'",
    ),
    "metadata": (
        index_with(tar({"x": ""})),
        "foo",
        ALL,
        "foo: has no release with metadata that can be used (1.0 is left out: foo 1.0: there is no"
        " metadata of it (its sdist has no PKG-INFO)); ask for other versions",
    ),
    "down": (
        Index(first=[503] * 4),
        "foo",
        ALL,
        f"{SIMPLE}/foo/: the server fails (HTTP 503); try again later",
    ),
    "timeout": (
        Index(first=[TimeoutError("timed out")] * 4),
        "foo",
        ALL,
        f"{SIMPLE}/foo/: cannot be reached (timed out); check the network, or take what was"
        " fetched before by --offline",
    ),
    "name": (
        Index(), "foo bar", ALL, "'foo bar': is not the name of a project; check its spelling"
    ),
    "path": (Index(), "../foo", ALL, "'../foo': is not the name of a project; check its spelling"),
    "nothing": (Index(), "", ALL, "'': is not the name of a project; check its spelling"),
    "dash": (Index(), "-foo", ALL, "'-foo': is not the name of a project; check its spelling"),
    "unicode": (
        Index(), "f\u00f6o", ALL, "'f\\xf6o': is not the name of a project; check its spelling"
    ),
    "lines": (
        Index(), "foo\n", ALL, "'foo\\n': is not the name of a project; check its spelling"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("index", "name", "versions", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(index: Index, name: str, versions: str, message: str) -> None:
    with pytest.raises(PyvariumError) as raised:
        fetch(index, versions, name)
    assert str(raised.value) == message


@pytest.mark.parametrize("name", ["class", "None", "3to2", "a", "Foo.Bar_baz", "foo--bar"])
def test_names_that_are_valid(name: str) -> None:
    with pytest.raises(PyvariumError, match="is not on"):
        fetch(Index(), name=name)


def test_an_index_that_goes_down_stops_all() -> None:
    index = index_with(*(sdist(version=f"{number}.0") for number in range(1, 5)))

    class Down(Index):
        def __call__(self, request: Any, timeout: float) -> Any:
            if request.full_url.endswith(".gz"):
                raise ConnectionRefusedError(111, "Connection refused")
            return super().__call__(request, timeout)

    with pytest.raises(PyvariumError, match=r"cannot be reached \(Connection refused\)"):
        fetch(Down(index.files))


def test_what_could_not_be_cached_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    project = fetch(index_with(sdist()), cache=Cache(tmp_path / "cache"))
    assert [one.partition(": ")[0] for one in project.problems] == ["nothing was cached"]


@pytest.mark.parametrize(
    ("names", "modules"),
    [
        (["foo.py"], ("foo",)),
        (["foo/a.py", "foo/b/c.py"], ("foo",)),
        (["foo.cpython-312-x86_64-linux-gnu.so"], ("foo",)),
        (["foo-1.0.data/purelib/bar/x.py", "foo-1.0.data/scripts/run.py"], ("bar",)),
        (["foo.libs/x.so.1", "foo/data.txt", "README.md", "a-b.py"], ()),
    ],
)
def test_import_names(names: List[str], modules: Tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "wheel"
    files = {**dict.fromkeys(names, ""), "foo-1.0.dist-info/METADATA": "m"}
    path.write_bytes(zipped(files, top=""))
    with path.open("rb") as file:
        assert read_wheel(file, "foo.whl") == (b"m", modules)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"foo.py": ""}, "foo.whl: has no METADATA"),
        ({"a.dist-info/METADATA": "", "b.dist-info/METADATA": ""}, "foo.whl: has no METADATA"),
        ({"x/a.dist-info/METADATA": ""}, "foo.whl: has no METADATA"),
        (
            {"a.dist-info/METADATA": b"\0" * (9 << 20)},
            "foo.whl: its METADATA has more than 8388608 bytes",
        ),
    ],
    ids=["none", "two", "deep", "bomb"],
)
def test_wheels_that_will_not_do(files: Dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "wheel"
    path.write_bytes(zipped(files, top=""))
    with path.open("rb") as file, pytest.raises(MetadataError) as raised:
        read_wheel(file, "foo.whl")
    assert str(raised.value) == message


@pytest.mark.parametrize(("beside", "expected"), [(None, 8), (9, 8), (3, 12)])
def test_what_nothing_has_is_not_asked_for_each_time(beside: Optional[int], expected: int) -> None:
    """Metadata beside the wheels of twelve releases, of which one has it or none."""
    index = Index()
    for number in range(12):
        wheel_name = f"foo-1.{number}-py3-none-any.whl"
        index.add("foo", f"foo-1.{number}.tar.gz", sdist(version=f"1.{number}"))
        index.add("foo", wheel_name, wheel("Requires-Dist: bar", version=f"1.{number}"))
        if beside is not None and number == 12 - beside:
            url = f"https://index.example/files/{wheel_name}.metadata"
            index.files[url] = metadata("foo", f"1.{number}", "Requires-Dist: bar").encode()
    found = fetch(index, connections=1)
    assert {str(one) for release in found.releases for one in release.requires} == {"bar"}
    assert len([one for one in asked(index) if one.endswith(".metadata")]) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([], None),
        (["py3-none-any"], False),
        (["py3-none-any", "cp312-cp312-manylinux_2_17_x86_64"], True),
    ],
)
def test_whether_its_wheels_are_compiled(tags: List[str], expected: Optional[bool]) -> None:
    files = {f"foo-1.0-{tag}.whl": wheel() for tag in tags}
    (release,) = fetch(index_with(sdist(), **files)).releases
    assert release.compiled == expected
