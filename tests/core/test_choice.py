# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from pyvarium.choice import Choice, Recipe, Recipes, Source, choose, parse_requirement
from pyvarium.model import Provided

NUMPY = Recipe("py-numpy", ("2.3.1", "2.1.3", "1.26.4"), True, "compiles C", "numpy")
REQUESTS = Recipe("py-requests", ("2.32.3",), False, "is pure Python", "requests")
ATTRS = Recipe("py-attrs", ("26.1.0", "25.3.0"), False, "is pure Python", "attrs")
GDAL = Recipe("gdal", ("3.8.1", "3.7.0"), True, "compiles C++", None, "+python")
HDF5 = Recipe("hdf5", ("1.14.3", "1.12.0"), True, "compiles C")
GRAPHVIZ = Recipe("graphviz", ("9",), True, "compiles C")
PY_GRAPHVIZ = Recipe("py-graphviz", ("0.20",), False, "is pure Python", "graphviz")

BY_PROJECT = {
    "numpy": NUMPY,
    "requests": REQUESTS,
    "attrs": ATTRS,
    "gdal": GDAL,
    "graphviz": PY_GRAPHVIZ,
}
BY_NAME = {one.name: one for one in (*BY_PROJECT.values(), HDF5, GRAPHVIZ)}
RECIPES = Recipes(BY_PROJECT.get, BY_NAME.get)

BY_NAME_ONLY = " (found by name; the recipe does not tell its project)"
PURE = "py-requests is pure Python: newer and quicker from the index"


def provided(name: str, version: str, *, direct: bool = True) -> Provided:
    return Provided(name, version, f"py-{name}@{version}", "h" * 32, direct, Path("/any"))


def spack(request: str, spec: str, reason: str) -> Choice:
    return Choice(request, Source.SPACK, reason, spec)


def pypi(request: str, reason: str) -> Choice:
    return Choice(request, Source.PYPI, reason, requirement=Requirement(request))


def refused(request: str, message: str) -> Choice:
    return Choice(request, Source.REFUSED, f"{request}: {message}")


NO_RECIPE = "Spack has no recipe for it"
SHOWN = "py-numpy has no such version (2.3.1, 2.1.3, 1.26.4)"


@pytest.mark.parametrize(
    "expected",
    [
        spack("numpy", "py-numpy", "py-numpy compiles C"),
        spack("NumPy >=1.26, <2.2", "py-numpy@1.26:2.1", "py-numpy compiles C"),
        spack("numpy==2.1.3", "py-numpy@=2.1.3", "py-numpy compiles C"),
        spack("gdal>=3.8", "gdal@3.8:+python", "gdal compiles C++" + BY_NAME_ONLY),
        pypi("requests", PURE),
        pypi("requests>=99", PURE),
        pypi("cattrs>=23", NO_RECIPE),
        pypi("x @ git+https://example.org/x", "names its own source"),
        pypi("numpy@https://example.org/numpy-2.whl", "names its own source"),
        spack("py-numpy", "py-numpy", "is the name of a recipe"),
        spack("py-numpy>=2", "py-numpy@2:", "is the name of a recipe"),
        spack("hdf5", "hdf5", "is the name of a recipe"),
        spack("py-numpy@2:", "py-numpy@2:", "is a spec"),
        spack("hdf5+mpi", "hdf5+mpi", "is a spec"),
        spack("hdf5~mpi", "hdf5~mpi", "is a spec"),
        spack("hdf5 api=v110", "hdf5 api=v110", "is a spec"),
        spack("numpy %gcc", "py-numpy %gcc", "is a spec"),
        spack("numpy@2", "py-numpy@2", "is a spec"),
        spack("hdf5 ^openmpi@5", "hdf5 ^openmpi@5", "is a spec"),
        spack("graphviz+x", "graphviz+x", "is a spec"),
        refused("nope+x", "Spack has no recipe nope; see 'spack list'"),
        refused(
            "numpy>=9",
            f"{SHOWN}; relax the request, or go without Spack's:"
            " spack pyvarium add --from pypi 'numpy>=9'",
        ),
        refused(
            "hdf5>=9",
            "hdf5 has no such version (1.14.3, 1.12.0); relax it, or see 'spack versions hdf5'",
        ),
        *(
            refused(
                text,
                "is neither a requirement nor a spec;"
                " write it as 'numpy>=2', 'py-numpy@2:' or 'NAME @ URL'",
            )
            for text in ("./here", "https://example.org/x.whl", "+mpi", "", "-e .", "a b", "a@")
        ),
    ],
    ids=lambda one: one.request or "empty",
)
def test_choices(expected: Choice) -> None:
    assert choose([expected.request], RECIPES, []) == (expected,)


@pytest.mark.parametrize(
    "expected",
    [
        spack("numpy>=2", "py-numpy@2:", "py-numpy compiles C"),
        pypi("numpy==1.24.2", "py-numpy compiles C, but has no such version"),
    ],
    ids=lambda one: one.request,
)
def test_lenient(expected: Choice) -> None:
    asked = [Requirement(expected.request)]
    assert choose(asked, RECIPES, [], lenient=True) == (expected,)


def test_native() -> None:
    """What is asked of pip is pip's, and still not where Spack provides another version."""
    asked = [Requirement("numpy==2.1.3")]
    assert choose(asked, RECIPES, [], native={"numpy==2.1.3"}) == (
        pypi("numpy==2.1.3", "is asked of pip"),
    )
    there = [provided("numpy", "2.3.1")]
    [choice] = choose(asked, RECIPES, there, native={"numpy==2.1.3"})
    assert choice.source is Source.REFUSED


@pytest.mark.parametrize(
    ("forced", "expected"),
    [
        ("spack", spack("requests", "py-requests", "py-requests is pure Python")),
        ("pypi", pypi("numpy", "--from pypi asks for it")),
        ("pypi", pypi("numpy>=9", "--from pypi asks for it")),
        ("pypi", pypi("hdf5", NO_RECIPE)),
        ("spack", refused("cattrs", f"{NO_RECIPE}; drop --from spack")),
        ("spack", refused("numpy>=9", f"{SHOWN}; relax the request or drop --from spack")),
        (
            "spack",
            refused(
                "x @ git+https://example.org/x",
                "names its own source, which Spack cannot take;"
                " drop --from spack, or write a recipe for it",
            ),
        ),
        (
            "pypi",
            refused(
                "hdf5+mpi",
                "is a spec, and PyPI knows no variants, compilers or hashes;"
                " drop --from pypi or write a requirement",
            ),
        ),
    ],
)
def test_forced(forced: str, expected: Choice) -> None:
    assert choose([expected.request], RECIPES, [], Source(forced)) == (expected,)


HERE = Source.PROVIDED
FITS = "py-attrs@25.3.0 provides attrs 25.3.0"
ONLY_NEEDED = FITS + ", so far only as a dependency of another spec"
WHEEL = "; what [x] needs beyond it comes from the index"
CLASH = "py-attrs@25.3.0 provides it, and python would import only one of the two"
WAYS = "relax the request to a range that holds 25.3.0"


@pytest.mark.parametrize(
    ("request_", "direct", "forced", "expected"),
    [
        ("attrs", True, None, Choice("attrs", HERE, FITS)),
        ("Attrs>=20", True, None, Choice("Attrs>=20", HERE, FITS)),
        ("py-attrs", True, None, Choice("py-attrs", HERE, FITS)),
        ("attrs", True, "spack", Choice("attrs", HERE, FITS)),
        ("attrs>=20", False, None, Choice("attrs>=20", HERE, ONLY_NEEDED, "py-attrs@20:")),
        (
            "attrs[x]",
            True,
            None,
            Choice("attrs[x]", HERE, FITS + WHEEL, None, Requirement("attrs[x]")),
        ),
        (
            "attrs==26.1.0",
            True,
            None,
            refused(
                "attrs==26.1.0",
                f"py-attrs@25.3.0 provides 25.3.0; {WAYS}, or change the spec:"
                " spack pyvarium add --from spack attrs==26.1.0",
            ),
        ),
        (
            "attrs==26.1.0",
            True,
            "spack",
            spack("attrs==26.1.0", "py-attrs@=26.1.0", "py-attrs is pure Python"),
        ),
        (
            "attrs>=99",
            True,
            None,
            refused(
                "attrs>=99",
                f"py-attrs@25.3.0 provides 25.3.0, and Spack has no version that fits; {WAYS}",
            ),
        ),
        *(
            (
                text,
                True,
                forced,
                refused(
                    text,
                    f"{CLASH}; ask for 'attrs' alone, or remove what needs py-attrs"
                    " from the manifest",
                ),
            )
            for text, forced in (("attrs", "pypi"), ("attrs @ https://example.org/a.whl", None))
        ),
    ],
)
def test_of_what_is_provided(
    request_: str, direct: bool, forced: Optional[str], expected: Choice
) -> None:
    there = [provided("attrs", "25.3.0", direct=direct)]
    source = None if forced is None else Source(forced)
    assert choose([request_], RECIPES, there, source) == (expected,)


def test_a_provided_project_whose_recipe_is_gone() -> None:
    there = [provided("lost", "1.0", direct=False)]
    (choice,) = choose(["lost>=1"], RECIPES, there)
    assert (choice.source, choice.spec) == (Source.PROVIDED, "py-lost@1:")


def test_an_extra_of_what_is_compiled() -> None:
    (choice,) = choose(["numpy[x]>=2"], RECIPES, [])
    assert (choice.spec, choice.requirement) == ("py-numpy@2:", Requirement("numpy[x]>=2"))
    assert choice.reason == "py-numpy compiles C" + WHEEL


def test_a_requirement_is_never_a_spec() -> None:
    """In a file of requirements, hdf5 is what PyPI calls so."""
    (choice,) = choose([Requirement("hdf5")], RECIPES, [])
    assert choice == pypi("hdf5", NO_RECIPE)


@pytest.mark.parametrize("version", ["3.10", "3.12"])
def test_markers(version: str) -> None:
    text = "numpy; python_version < '3.11'"
    (choice,) = choose([text], RECIPES, [], None, {"python_version": version})
    if version == "3.10":
        assert choice == spack(text, "py-numpy", "py-numpy compiles C")
    else:
        reason = 'its marker does not hold for this python: python_version < "3.11"'
        assert choice == pypi(text, reason)


def test_versions_that_no_range_selects() -> None:
    odd = replace(NUMPY, versions=("1.0.dev1", "1.0", "0.9"))
    (choice,) = choose(["numpy>=1"], Recipes({"numpy": odd}.get, {}.get), [])
    listed = "; no range of Spack's says this, so its versions are listed"
    assert choice == spack("numpy>=1", "py-numpy@=1.0", "py-numpy compiles C" + listed)


@pytest.mark.parametrize("text", ["a@2:", "a@main:develop", "a@=1.0", "a@1.2,1.4"])
def test_versions_of_spack_are_no_urls(text: str) -> None:
    assert parse_requirement(text) is None


@given(st.text(max_size=30), st.sampled_from([None, Source.SPACK, Source.PYPI]))
def test_whatever_is_asked_for_gets_one_answer(text: str, forced: Optional[Source]) -> None:
    (choice,) = choose([text], RECIPES, [provided("attrs", "25.3.0")], forced)
    assert choice.reason
    assert "\n" not in choice.reason or "\n" in text
    if choice.source is Source.REFUSED:
        assert (choice.spec, choice.requirement) == (None, None)
