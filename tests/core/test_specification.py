# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.choice import Recipe
from pyvarium.errors import PyvariumError
from pyvarium.project import Project, SourceError
from pyvarium.specification import (
    Download,
    Repository,
    Specification,
    parse_project,
    parse_specification,
    settle,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA256 = "ab" * 32


def no_file(path: Path) -> str:
    raise SourceError(f"{path}: does not exist; mend what names it")


def parsed(data: Any) -> Specification:
    return parse_specification(json.dumps(data), "spec.json", no_file)


def asked(data: Any) -> Dict[str, Any]:
    """What is to be installed, without what is empty."""
    return shown(parsed(data).project)


def shown(project: Project) -> Dict[str, Any]:
    found = {
        "python": project.requires_python,
        "requirements": [str(one) for one in project.requirements],
        "specs": list(project.specs),
        "skipped": [str(one) for one in project.skipped],
    }
    return {key: value for key, value in found.items() if value}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param({"pip": []}, {}, id="empty"),
        pytest.param(
            {"pip": ["uproot==5.0.5", "tqdm"]},
            {"requirements": ["uproot==5.0.5", "tqdm"]},
            id="only-pip",
        ),
        pytest.param(
            {
                "conda": {
                    "channels": ["conda-forge"],
                    "dependencies": [
                        "numpy=1.24.2=py311h8e6699e_0",
                        "pytorch>=2",
                        "conda-forge::python=3.11",
                        {"pip": ["uproot==5.0.5"]},
                    ],
                },
                "name": "base",
                "prefix": "/home/somebody/conda",
            },
            {
                "python": ">=3.11,<3.12",
                "requirements": ["numpy==1.24.2", "torch>=2", "uproot==5.0.5"],
                "specs": ["python@3.11"],
            },
            id="dependencies",
        ),
        pytest.param(
            {"conda": {"packages": ["python", "gsl", "conda", "ndcctools"]}, "pip": ["dill"]},
            {
                "requirements": ["dill"],
                "specs": ["python", "gsl", "cctools"],
                "skipped": ["spec.json: conda: is Conda itself; not needed here"],
            },
            id="packages-and-pip",
        ),
        pytest.param(
            {"conda": ["defaults::python=3.9", "conda-forge::numpy"], "pip": ["dill"]},
            {"python": ">=3.9,<3.10", "requirements": ["numpy", "dill"], "specs": ["python@3.9"]},
            id="list",
        ),
        pytest.param(
            {"conda": {"dependencies": ["numpy"], "packages": ["scipy"]}, "pip": ["dill"]},
            {
                "requirements": ["numpy", "dill"],
                "skipped": [
                    "spec.json: conda.packages: is not read where there is conda.dependencies"
                ],
            },
            id="both-forms",
        ),
        pytest.param(
            {
                "conda": {"dependencies": ["numpy", "scipy=1.10"]},
                "pinned": {"conda": {"numpy": "1.24", "scipy": "1.11"}},
            },
            {
                "requirements": ["numpy==1.24.*", "scipy==1.10.*"],
                "skipped": [
                    "spec.json: pinned.conda.scipy: is not asked for by that name alone; give its"
                    " version where it is asked for"
                ],
            },
            id="pinned",
        ),
        pytest.param(
            {"pip": ["numpy==2.1.3"], "spack": ["py-numpy@2.1.3"], "certificates": []},
            {"requirements": ["numpy==2.1.3"], "specs": ["py-numpy@2.1.3"]},
            id="spack-and-unknown-keys",
        ),
    ],
)
def test_asked_for(data: Any, expected: Dict[str, Any]) -> None:
    assert asked(data) == expected


def test_data() -> None:
    found = parsed(
        {
            "git": {
                "TABLES": {"remote": "https://example.org/tables.git", "ref": "v1.2"},
                "CODE": {"remote": "git@example.org:code.git", "commit": COMMIT.upper()},
            },
            "http": {
                "REFERENCE": {"url": "http://example.org/x.dat", "sha256": SHA256},
                "TRAINING": {
                    "type": "tar",
                    "compression": "gzip",
                    "url": "https://example.org/y.tar.gz",
                },
            },
        }
    )
    assert (found.repositories, found.downloads) == (
        (
            Repository("TABLES", "https://example.org/tables.git", "v1.2"),
            Repository("CODE", "git@example.org:code.git", commit=COMMIT),
        ),
        (
            Download("REFERENCE", "http://example.org/x.dat", sha256=SHA256),
            Download("TRAINING", "https://example.org/y.tar.gz", "tar", "gzip"),
        ),
    )
    assert found.variables == ("TABLES", "CODE", "REFERENCE", "TRAINING")


def git(**keys: Any) -> Dict[str, Any]:
    return {"git": {"DATA": {"remote": "https://example.org/x.git", **keys}}}


def http(**keys: Any) -> Dict[str, Any]:
    return {"http": {"DATA": {"url": "https://example.org/x", **keys}}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], 'is no object of JSON; write it as {"pip": [...]}'),
        ({}, "asks for nothing; give one of conda, git, http, pip, spack"),
        ({"name": "x"}, "asks for nothing; give one of conda, git, http, pip, spack"),
        ({"imports": []}, "asks for nothing; write it by 'analyze --format poncho'"),
        ({"pip": "dill"}, "pip is not a list of strings; mend it"),
        ({"pip": [1]}, "pip is not a list of strings; mend it"),
        ({"conda": "numpy"}, "conda is not a table; mend it"),
        ({"conda": {"dependencies": {}}}, "conda.dependencies is not a list; mend it"),
        (
            {"conda": {"dependencies": ["a", 1]}},
            "conda.dependencies[1] is neither a string nor an object of pip alone; mend it",
        ),
        (
            {"conda": {"dependencies": [{"pip": "a"}]}},
            "conda.dependencies[0].pip is not a list of strings; mend it",
        ),
        ({"conda": {"packages": [[]]}}, "conda.packages is not a list of strings; mend it"),
        ({"conda": {}, "pinned": {"conda": {"a": 1}}}, "pinned.conda.a is not a string; mend it"),
        ({"spack": "py-numpy"}, "spack is not a list of strings; mend it"),
        ({"git": []}, "git is not a table; mend it"),
        ({"git": {"DATA": "x"}}, "git.DATA is not a table; mend it"),
        ({"git": {"DATA": {}}}, "git.DATA.remote is missing; say where the data are"),
        (
            {"git": {"A-B": {}}},
            "git.'A-B' is no name of a variable; use letters, digits and _",
        ),
        (
            {"http": {"../x": {}}},
            "http.'../x' is no name of a variable; use letters, digits and _",
        ),
        (
            {"http": {"LD_PRELOAD": {}}},
            "http.LD_PRELOAD would change what runs; name the data otherwise",
        ),
        ({**git(), **http()}, "DATA stands under git and under http; name one of them otherwise"),
        (
            git(remote="ext::sh -c touch%20x"),
            "git.DATA.remote has characters of no address; mend it",
        ),
        (
            git(remote="ext::sh"),
            "git.DATA.remote: 'ext::sh' is no address of a repository; name one by https, ssh, git"
            " or file",
        ),
        (
            git(remote="--upload-pack=x"),
            "git.DATA.remote: '--upload-pack=x' is no address of a repository; name one by https,"
            " ssh, git or file",
        ),
        (
            git(ref="--output=x"),
            "git.DATA.ref: '--output=x' cannot be a branch, a tag or a commit; mend it",
        ),
        (
            git(ref="abcd1234...."),
            "git.DATA.ref: 'abcd1234....' cannot be a branch, a tag or a commit; mend it",
        ),
        (git(ref=1), "git.DATA.ref is not a string; mend it"),
        (git(commit="v1"), "git.DATA.commit is not the 40 digits of a commit; mend it"),
        (
            http(url="file:///etc/passwd"),
            "http.DATA.url: 'file:///etc/passwd' is not of http or https; mend it",
        ),
        (http(url="http://[x"), "http.DATA.url: 'http://[x' is not of http or https; mend it"),
        (
            http(type="zip"),
            "http.DATA.type: 'zip' is not known here; choose of file, tar",
        ),
        (
            http(compression="rar"),
            "http.DATA.compression: 'rar' is not known here; choose of gzip, bzip2, xz",
        ),
        (http(sha256="12"), "http.DATA.sha256 is not the 64 digits of a sha256; mend it"),
    ],
    ids=str,
)
def test_refused(data: Any, message: str) -> None:
    with pytest.raises(SourceError) as error:
        parsed(data)
    assert str(error.value) == f"spec.json: {message}"


@pytest.mark.parametrize(
    "text", ["", "{", '{"pip": []} {}', '{"pip": ["a",]}', "[" * 100_000], ids=lambda one: one[:9]
)
def test_no_json(text: str) -> None:
    with pytest.raises(SourceError, match=r"^spec\.json: is not valid JSON \(.+\); mend it$"):
        parse_specification(text, "spec.json", no_file)


def recipe(name: str, project: Optional[str] = None) -> Recipe:
    return Recipe(name, ("2.1.3",), compiled=True, reason="compiles C", project=project)


RECIPES = {
    "py-numpy": recipe("py-numpy", "numpy"),
    "py-torch": recipe("py-torch"),
    "python": recipe("python"),
    "gsl": recipe("gsl"),
}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            {
                "pip": ["NumPy==2.1.3", "torch==1", "six", "numpy[all]"],
                "spack": ["py-numpy@2.1.3", "py-torch@1"],
            },
            {"requirements": ["six", "numpy[all]"], "specs": ["py-numpy@2.1.3", "py-torch@1"]},
            id="asked-for-twice",
        ),
        pytest.param(
            {"pip": ["ours==1"], "spack": ["py-ours@1", "gsl"]},
            {
                "requirements": ["ours==1"],
                "specs": ["gsl"],
                "skipped": [
                    "spec.json: spack: py-ours@1: has no recipe here; its project is taken as pip"
                    " has it"
                ],
            },
            id="no-recipe",
        ),
        pytest.param(
            {"conda": ["numpy", "six=1.16", "xrootd=5"], "pip": ["nowhere"]},
            {
                "requirements": ["numpy", "six==1.16.*", "nowhere"],
                "skipped": [
                    "spec.json: xrootd==5.*: is neither a recipe of Spack's nor on the index; left"
                    " out"
                ],
            },
            id="nowhere",
        ),
        pytest.param(
            {"conda": ["python=3.11.0=he550d4f_1_cpython"]},
            {
                "python": ">=3.11,<3.12",
                "specs": ["python@3.11"],
                "skipped": ["spec.json: python: this Spack has no 3.11.0; any 3.11 is taken"],
            },
            id="python-not-there",
        ),
        pytest.param(
            {"conda": ["python=3.11.7=he550d4f_1_cpython"]},
            {"python": ">=3.11,<3.12", "specs": ["python@3.11.7"]},
            id="python-outside",
        ),
    ],
)
def test_settled(data: Any, expected: Dict[str, Any]) -> None:
    project = settle(
        parsed(data).project,
        "spec.json",
        recipe_named=RECIPES.get,
        is_known=lambda name: f"py-{name}" in RECIPES,
        on_index={"six"}.__contains__,
        pythons=("3.13.1", "python@3.11.7+ssl"),
    )
    assert shown(project) == expected


def test_as_a_source() -> None:
    """What ``new --from`` makes of it."""
    text = '{"pip": ["six", "foo==1"], "spack": ["py-foo@1"], "git": {"A": {"remote": "x"}}}'
    assert shown(parse_project(text, "a.json", no_file)) == {
        "requirements": ["six"],
        "specs": ["py-foo@1"],
        "skipped": ["a.json: A: is data, which 'spack pyvarium pack' fetches"],
    }


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "conda dependencies packages pip pinned git http remote ref url type D".split()
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(_VALUES)
def test_any_json(data: Any) -> None:
    """Whatever it is, it is read or refused by an error of ours."""
    try:
        parsed(data)
    except PyvariumError as error:
        assert "\n" not in str(error)
