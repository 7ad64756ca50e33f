# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.distributions import metadata_paths, read_distribution, site_packages
from pyvarium.errors import MetadataError
from pyvarium.model import Distribution
from pyvarium.pins import parse_pin


def dist_info(root: Path, metadata: bytes) -> Path:
    path = root / "any-1.dist-info"
    path.mkdir(exist_ok=True)
    (path / "METADATA").write_bytes(metadata)
    return path


@pytest.mark.parametrize(
    ("metadata", "name", "version"),
    [
        (b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\n\nbody\nVersion: 9\n", "a", "1.0"),
        (b"Name: Zope.Interface_x\nVersion: 2025.08.20\n", "zope-interface-x", "2025.8.20"),
        (b"Name: a\r\nVersion: 1.0+cuda.12\r\n\r\nName: b\r\n", "a", "1.0+cuda.12"),
        (b"name: a\nVERSION: 1.0rc1\nSummary: x\n Version: 2\n", "a", "1.0rc1"),
        (b"Name: a\nVersion: 1\nAuthor: J\xf6rg\n", "a", "1"),
        (b"Name: a\nName: b\nVersion: 1\n", "a", "1"),
    ],
    ids=["plain", "normalized", "crlf-local", "case-folded", "latin-1", "first-wins"],
)
def test_reads_name_and_version(tmp_path: Path, metadata: bytes, name: str, version: str) -> None:
    path = dist_info(tmp_path, metadata)
    assert read_distribution(path) == Distribution(name, version, path)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        (b"Version: 1\n", "has no Name"),
        (b"Name: a\n", "has no Version"),
        (b"Name:  \nVersion: 1\n", "has no Name"),
        (b"\nName: a\nVersion: 1\n", "has no Name"),
        (b"Name: a\n b\nVersion: 1\n", r"'a\n b' is not a valid project name"),
        (b'Name: a"]\nVersion: 1\n', "'a\"]' is not a valid project name"),
        (b"Name: -a\nVersion: 1\n", "'-a' is not a valid project name"),
        (b"Name: \xc3\xa4\nVersion: 1\n", "'ä' is not a valid project name"),
        (b'Name: a\nVersion: 1", "evil\n', "'1\", \"evil' is not a PEP 440 version"),
        (b"Name: a\nVersion: main\n", "'main' is not a PEP 440 version"),
    ],
    ids=[
        "no-name",
        "no-version",
        "blank-name",
        "no-headers",
        "newline",
        "quote",
        "dash",
        "not-ascii",
        "hostile-version",
        "branch",
    ],
)
def test_refuses_bad_metadata(tmp_path: Path, metadata: bytes, problem: str) -> None:
    path = dist_info(tmp_path, metadata)
    with pytest.raises(MetadataError) as caught:
        read_distribution(path)
    assert str(caught.value) == f"{path / 'METADATA'}: {problem}"


def test_missing_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.dist-info").mkdir()
    with pytest.raises(MetadataError) as caught:
        read_distribution(tmp_path / "a.dist-info")
    assert str(caught.value) == (
        f"{tmp_path / 'a.dist-info' / 'METADATA'}: cannot be read (No such file or directory)"
    )


def test_egg_info_as_directory_and_as_file(tmp_path: Path) -> None:
    (tmp_path / "a-1.egg-info").mkdir()
    (tmp_path / "a-1.egg-info" / "PKG-INFO").write_text("Name: a\nVersion: 1\n")
    (tmp_path / "b-2.egg-info").write_text("Name: b\nVersion: 2\n")
    (tmp_path / "c").mkdir()
    assert [read_distribution(path) for path in metadata_paths(tmp_path)] == [
        Distribution("a", "1", tmp_path / "a-1.egg-info"),
        Distribution("b", "2", tmp_path / "b-2.egg-info"),
    ]


def test_site_packages_of_both_libraries(tmp_path: Path) -> None:
    for name in ("lib/python3.11", "lib64/python3.9", "lib/python3", "lib/tcl8.6"):
        (tmp_path / name / "site-packages").mkdir(parents=True)
    assert site_packages(tmp_path) == (
        ("3.11", tmp_path / "lib/python3.11/site-packages"),
        ("3.9", tmp_path / "lib64/python3.9/site-packages"),
    )


def test_lib64_may_be_lib(tmp_path: Path) -> None:
    (tmp_path / "lib/python3.11/site-packages").mkdir(parents=True)
    (tmp_path / "lib64").symlink_to("lib")
    assert site_packages(tmp_path) == (("3.11", tmp_path / "lib/python3.11/site-packages"),)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_is_read_makes_a_pin(
    tmp_path_factory: pytest.TempPathFactory, name: bytes, version: bytes
) -> None:
    """Nothing that metadata may hold gets past the reader but as a valid exact requirement."""
    path = dist_info(
        tmp_path_factory.mktemp("any"), b"Name: " + name + b"\nVersion: " + version + b"\n"
    )
    try:
        found = read_distribution(path)
    except MetadataError as error:
        assert "\n" not in str(error)
    else:
        pin = parse_pin(f"{found.name}=={found.version}")
        assert (pin.name, pin.version) == (found.name, found.version)
