# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The samples under tests/data/sources each say in why.md why they are there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from pyvarium.declared import poetry_specifier
from pyvarium.errors import PyvariumError
from pyvarium.project import Project
from pyvarium.sources import read_project

SAMPLES = Path(__file__).parents[1] / "data" / "sources"
FILES = {
    "pep621": "pyproject.toml",
    "poetry": "pyproject.toml",
    "poetry-2": "pyproject.toml",
    "pdm": "pyproject.toml",
    "requirements": "requirements.txt",
    "pipfile": "Pipfile",
    "conda": "environment.yml",
    "conda-export": "environment.yml",
    "pylock": "pylock.toml",
    "pyvarium-0.2": ".",
}


def load_yaml(text: str) -> Any:
    """Read the few forms that the samples have: mappings and lists by indentation."""
    lines = [line for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    value, rest = _block(lines, 0)
    assert not rest, rest
    return value


def _block(lines: list, indent: int) -> tuple:
    value: Any = [] if lines[0].lstrip().startswith("- ") else {}
    while lines and _indent(lines[0]) >= indent:
        indent = _indent(lines[0])
        line, lines = lines[0].strip(), lines[1:]
        if isinstance(value, list) != line.startswith("- "):
            return value, [" " * indent + line, *lines]
        entry = line[2:] if isinstance(value, list) else line
        key = re.fullmatch(r"([\w.-]+):(?: (.*))?", entry)
        held: Any = _scalar(key[2] or "") if key else _scalar(entry)
        if key and not key[2]:
            deeper = indent + (0 if lines[0].lstrip().startswith("- ") else 1)
            deeper += isinstance(value, list)
            held, lines = _block(lines, deeper)
        if isinstance(value, list):
            value.append({key[1]: held} if key else held)
        else:
            assert key, line
            value[key[1]] = held
    return value, lines


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _scalar(text: str) -> Any:
    if text.startswith("["):
        return json.loads(re.sub(r"([^\[\], ]+)", r'"\1"', text))
    return text.strip("\"'")


def as_json(project: Project) -> Dict[str, Any]:
    return {
        "name": project.name,
        "requires-python": project.requires_python,
        # packaging 22 writes the first ``@`` of a reference another way.
        "requirements": [re.sub(r"(?<=\w)@ ", " @ ", str(one)) for one in project.requirements],
        "of-either-kind": [one for one in project.requirements if isinstance(one, str)],
        "groups": {name: [str(one) for one in asked] for name, asked in project.groups.items()},
        "specs": list(project.specs),
        "skipped": [f"{'fault: ' * one.fault}{one}" for one in project.skipped],
    }


@pytest.mark.parametrize("sample", FILES)
def test_samples(sample: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES / sample)
    project = read_project(Path(FILES[sample]), load_yaml)
    assert as_json(project) == json.loads(Path("expected.json").read_text())
    text = Path("pyproject.toml")
    assert project.pyproject == (text.read_text() if text.exists() else None)


def read(folder: Path, name: str, content: Any) -> Project:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(data)
    return read_project(folder / name, json.loads)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    """PowerShell's ``pip freeze > requirements.txt`` writes UTF-16."""
    project = read(tmp_path, "requirements.txt", "numpy\r\nattrs\r\n".encode(encoding))
    assert as_json(project)["requirements"] == ["numpy", "attrs"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pyproject.toml", "[project", "is not valid TOML (*); mend it"),
        ("pyproject.toml", "", "is of no kind that is known here; name *"),
        ("pylock.toml", "lock-version = '1'", "packages is not an array of tables; mend it"),
        ("other.toml", "version = '1'", "is of no kind that is known here; name *"),
        ("pyproject.toml", "project = 1", "project is not a table; mend it"),
        (
            "pyproject.toml",
            "[project]\ndependencies = 'a'",
            "project.dependencies is not a list of strings; mend it",
        ),
        (
            "pyproject.toml",
            "[dependency-groups]\na = [{include-group = 'b'}]",
            "dependency-groups.b is included, and does not exist; mend it",
        ),
        (
            "pyproject.toml",
            "[dependency-groups]\na = [{include-group = 'A'}]",
            "dependency-groups.A includes itself; mend it",
        ),
        (
            "pyproject.toml",
            "[dependency-groups]\na = [1]",
            "dependency-groups.a holds 1, which is not a requirement; mend it",
        ),
        ("pyproject.toml", "[tool.poetry.dependencies]\na = 1", "is 1; make it a version or *"),
        ("Pipfile", "[requires]\npython_version = 'new'", "* is 'new'; write it as '3.11'"),
        ("requirements.txt", b"\xff\xfe\xff", "is not UTF-16 at byte *; save it as UTF-8"),
        ("requirements.txt", b"a\xe9", "is not UTF-8 at byte 1; save it as UTF-8"),
        ("environment.yml", "{", "is not valid YAML (*); mend it"),
        ("environment.yml", "[]", "is neither of Conda nor of Spack; name *"),
        ("environment.yml", '{"dependencies": 1}', "has no list of dependencies; mend it"),
        ("spack.yaml", '{"spack": {"specs": 1}}', "has no list of specs; mend it"),
        ("spack.yaml", '{"spack": 1}', "has no list of specs; mend it"),
        ("setup.py", "", "is of no kind that is known here; name *"),
    ],
)
def test_errors(tmp_path: Path, name: str, content: Any, message: str) -> None:
    with pytest.raises(PyvariumError) as raised:
        read(tmp_path, name, content)
    subject, expected = (re.escape(one) for one in (str(tmp_path / name), message))
    expected = expected.replace(r"\*", ".*")
    assert re.fullmatch(rf"{subject}( \[[^:]*)?: {expected}", str(raised.value))


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "a.yml", "any", "Pipfile"])
def test_missing_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(PyvariumError, match=r"^[^\n]*: does not exist; [^\n]*$"):
        read_project(tmp_path / name, json.loads)


def test_a_file_that_is_named_and_missing(tmp_path: Path) -> None:
    with pytest.raises(PyvariumError, match=r"^[^\n]*/base.txt: does not exist; [^\n]*$"):
        read(tmp_path, "requirements.txt", "-r base.txt")


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(PyvariumError, match="has nothing to start from; name a"):
        read_project(tmp_path, json.loads)


def test_a_manifest_alone(tmp_path: Path) -> None:
    project = read(tmp_path, "spack.yaml", '{"spack": {"specs": ["hdf5+mpi"], "view": true}}')
    assert project == Project(name=tmp_path.name, specs=("hdf5+mpi",))
    assert read_project(tmp_path, json.loads) == project


def test_pyvarium_without_its_lockfile(tmp_path: Path) -> None:
    """Then only what the manifest names is known to be Spack's."""
    (tmp_path / "spack.yaml").write_text('{"spack": {"specs": ["py-numpy@1.22:"]}}')
    read(tmp_path, "Pipfile", '[packages]\nnumpy = "==1.22.3"\nsix = "==1.16.0"\n')
    project = read_project(tmp_path, json.loads)
    assert as_json(project)["requirements"] == ["six==1.16.0"]
    assert len(project.skipped) == 2


@pytest.mark.parametrize(
    ("constraint", "specifier"),
    [
        ("^1.2.3", ">=1.2.3,<2.0"),
        ("^1", ">=1,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("^2.0rc1", ">=2.0rc1,<3.0"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("~=1.2", "~=1.2"),
        ("1.*", "==1.*"),
        ("=1.0", "==1.0"),
        (">= 1.2 , < 2", ">=1.2,<2"),
        (">=1 <2", ">=1,<2"),
        ("*", ""),
        ("^1 || ^2", None),
        ("^a", None),
        (">=1.*", None),
        ("latest!", None),
    ],
)
def test_constraints_of_poetry(constraint: str, specifier: Optional[str]) -> None:
    assert poetry_specifier(constraint) == specifier


NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=3)


@given(NUMBERS, NUMBERS)
def test_a_caret_keeps_the_first_number_that_is_not_zero(base: list, other: list) -> None:
    """Poetry: an update is allowed if it does not modify the left-most non-zero digit."""
    specifier = poetry_specifier("^" + ".".join(map(str, base)))
    low, version = base + [0] * (3 - len(base)), other + [0] * (3 - len(other))
    kept = next((at for at, number in enumerate(base, 1) if number), len(base))
    allowed = version >= low and version[:kept] == low[:kept]
    text = ".".join(map(str, other))
    assert specifier is not None
    assert SpecifierSet(specifier).contains(Version(text)) == allowed
