# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from typing import Dict, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from fake_index import metadata
from pyvarium.archives import Archive
from pyvarium.releases import Build
from pyvarium.sdists import Sdist, describe, parse_sdist, render_sdist, wanted

LEGACY = "setuptools.build_meta:__legacy__"


def read(files: Dict[str, str]) -> Sdist:
    return describe(Archive(tuple(files), {one: files[one] for one in files if wanted(one)}))


def system(requires: str, backend: str = "") -> str:
    named = f"build-backend = {backend}\n" if backend else ""
    return f"[build-system]\nrequires = {requires}\n{named}"


CASES: Dict[str, Tuple[Dict[str, str], str, str, bool]] = {
    "declared": (
        {"pyproject.toml": system("['hatch>=1', 'x; os_name == \"nt\"']", "'hatchling.build'")},
        'hatch>=1, x; os_name == "nt"',
        "hatchling.build",
        True,
    ),
    "no-backend": ({"pyproject.toml": system("['setuptools']")}, "setuptools", LEGACY, True),
    "no-build-system": (
        {"pyproject.toml": "[tool.black]", "setup.py": "setup()"}, "setuptools", LEGACY, True,
    ),
    "legacy": ({"setup.py": "setup(setup_requires=['a'])"}, "setuptools, a", LEGACY, True),
    "imported": (
        {"setup.py": "from Cython.Build import cythonize\nimport numpy, sys\n"
                     "try:\n    import torch\nexcept ImportError:\n    pass\n"
                     "def run():\n    import cffi\n"
                     "setup(setup_requires=['cython>=0.29'])"},
        "setuptools, cython>=0.29, numpy",
        LEGACY,
        True,
    ),
    "imported-from-beside": (
        {"setup.py": "import numpy.version, pkgconfig", "numpy/__init__.py": "",
         "pkgconfig.py": ""},
        "setuptools",
        LEGACY,
        True,
    ),
    "imported-though-not-declared": (
        {"pyproject.toml": system("['setuptools']"), "setup.py": "import numpy"},
        "setuptools",
        LEGACY,
        True,
    ),
    "setup-cfg": (
        {"setup.py": "setup()", "setup.cfg": "[options]\nsetup_requires =\n  a>=1\n  b\n"},
        "setuptools, a>=1, b",
        LEGACY,
        True,
    ),
    "setup-cfg-in-a-line": (
        {"setup.cfg": "[options]\nsetup_requires = a; b\n"}, "setuptools, a, b", LEGACY, True,
    ),
    "both": (
        {"pyproject.toml": system("['setuptools', 'Num_py>=2']", "'setuptools.build_meta'"),
         "setup.py": "setup(setup_requires=['numpy', 'cffi'])"},
        "setuptools, Num_py>=2, numpy, cffi",
        "setuptools.build_meta",
        True,
    ),
    "of-its-own": (
        {"pyproject.toml": system("['setuptools']", "'backend'") + "backend-path = ['conf']",
         "setup.py": "setup(setup_requires=['a'])"},
        "setuptools, a",
        "backend",
        True,
    ),
    "not-asked": (
        {"pyproject.toml": system("['flit_core']", "'flit_core.buildapi'"),
         "setup.py": "setup(setup_requires=['a'])"},
        "flit_core",
        "flit_core.buildapi",
        True,
    ),
    "of-its-own-that-asks-for-more": (
        {"pyproject.toml": system("['a']", "'backend'") + "backend-path = ['conf']",
         "conf/backend.py": "def get_requires_for_build_wheel(config=None):\n"
                            "    return ['cmake>=3.12', 'other'] if lacks('cmake') else []"},
        "a, cmake>=3.12",
        "backend",
        True,
    ),
    "hooks-of-hatch": (
        {"pyproject.toml": system("['hatchling']", "'hatchling.build'")
                           + "[tool.hatch.build]\ndependencies = ['a']\n"
                             "[tool.hatch.build.hooks.b]\ndependencies = ['b>=1', 'hatchling']\n"
                             "[tool.hatch.build.targets.wheel.hooks.c]\ndependencies = ['c']\n"
                             "[tool.hatch.build.hooks.d]\ndependencies = ['d']\n"
                             "enable-by-default = false\n"
                             "[tool.hatch.build.targets.wheel.hooks.e]\ndependencies = [1]\n"},
        "hatchling, a, b>=1, c",
        "hatchling.build",
        True,
    ),
    "computed": ({"setup.py": "setup(setup_requires=find())"}, "setuptools", LEGACY, False),
    "nothing": ({"README": "x"}, "setuptools", LEGACY, False),
    "empty": ({}, "setuptools", LEGACY, False),
    "no-toml": ({"pyproject.toml": "[", "setup.py": "setup()"}, "setuptools", LEGACY, False),
    "no-list": ({"pyproject.toml": system("'setuptools'")}, "", LEGACY, False),
    "no-requires": ({"pyproject.toml": "[build-system]"}, "", LEGACY, False),
    "no-strings": ({"pyproject.toml": system("[1]")}, "", LEGACY, False),
    "no-name": ({"pyproject.toml": system("['a']", "1")}, "a", LEGACY, False),
    "odd-name": ({"pyproject.toml": system("['a']", '"a\\nb"')}, "a", LEGACY, False),
    "no-requirement": ({"pyproject.toml": system("['a', 'b>>1']", "'x'")}, "a", "x", True),
    "no-cfg": ({"setup.py": "setup()", "setup.cfg": "x"}, "setuptools", LEGACY, True),
}  # fmt: skip


@pytest.mark.parametrize(("files", "requires", "backend", "known"), CASES.values(), ids=CASES)
def test_builds(files: Dict[str, str], requires: str, backend: str, known: bool) -> None:
    build = read(files).build
    assert (", ".join(map(str, build.requires)), build.backend, build.known) == (
        requires,
        backend,
        known,
    )


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("computed", "its setup.py computes what else the build requires; see there"),
        ("no-list", "its build-system.requires is not a list of strings"),
        ("no-name", "its build-backend is not the name of a module"),
        ("no-requirement", "'b>>1' is not a requirement and was left out"),
        ("no-cfg", "its setup.cfg cannot be read"),
    ],
)
def test_problems(name: str, problem: str) -> None:
    assert read(CASES[name][0]).problems == (problem,)


def test_a_broken_pyproject_is_told_of_on_one_line() -> None:
    (problem,) = read({"pyproject.toml": "a = [\n\n"}).problems
    assert problem.startswith("its pyproject.toml") and "\n" not in problem


@pytest.mark.parametrize(
    ("files", "requires", "origin"),
    [
        (
            {"pyproject.toml": "[project]\ndependencies = ['a']\n"
             "[project.optional-dependencies]\nx = ['b; os_name == \"nt\"', 'c']"},
            ["a", 'b; os_name == "nt" and extra == "x"', 'c; extra == "x"'],
            "pyproject.toml",
        ),
        ({"pyproject.toml": "[project]\nname = 'foo'"}, [], "pyproject.toml"),
        ({"pyproject.toml": "[project]\ndynamic = ['dependencies']"}, None, ""),
        ({"pyproject.toml": "[project]\ndependencies = 'a'"}, None, ""),
        ({"pyproject.toml": "[project]\noptional-dependencies = {'a b' = ['c']}"}, None, ""),
        ({"pyproject.toml": "[tool.x]"}, None, ""),
        ({"foo.egg-info/requires.txt": "a\n"}, ["a"], "requires.txt"),
        ({"src/foo.egg-info/requires.txt": "a\n"}, ["a"], "requires.txt"),
        ({"requires.txt": "a\n"}, None, ""),
        (
            {"setup.py": "setup(install_requires=['a' if six.PY3 else 'b'])",
             "foo.egg-info/requires.txt": "b\n[x]\nc\n"},
            ["a", 'c; extra == "x"'],
            "setup.py",
        ),
        ({"setup.py": "setup(install_requires=find())",
          "foo.egg-info/requires.txt": "a\n"}, ["a"], "requires.txt"),
        ({"tests/data/x.egg-info/requires.txt": "a\n"}, None, ""),
    ],
)  # fmt: skip
def test_what_an_sdist_states_to_require(
    files: Dict[str, str], requires: Optional[List[str]], origin: str
) -> None:
    found = read(files)
    stated = None if found.requires is None else list(map(str, found.requires))
    assert (stated, found.requires_origin) == (
        None if requires is None else [str(Requirement(one)) for one in requires],
        origin,
    )


def test_its_metadata() -> None:
    assert read({"PKG-INFO": metadata()}).metadata == metadata()


SDIST = Sdist(
    Build(
        (Requirement("a>=1"), Requirement('b; os_name == "nt"')),
        "x.y",
        ("c", "rust"),
        False,
        ("cmake",),
    ),
    "Name: foo",
    (Requirement("c"),),
    "requires.txt",
    ("one", "two"),
    False,
)


@pytest.mark.parametrize("sdist", [SDIST, Sdist()])
def test_as_it_was_cached(sdist: Sdist) -> None:
    assert parse_sdist(render_sdist(sdist)) == sdist


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"{}",
        b"[]",
        b"\xff",
        render_sdist(SDIST)[:-9],
        render_sdist(SDIST).replace(b"a>=1", b"a>>1"),
        render_sdist(SDIST).replace(b'["c", "rust"]', b"1"),
    ],
)
def test_what_was_not_cached_by_us(data: Optional[bytes]) -> None:
    assert parse_sdist(data) is None


@given(st.text(max_size=300))
def test_no_text_harms(text: str) -> None:
    for name in ("pyproject.toml", "setup.cfg", "setup.py", "PKG-INFO", "x.egg-info/requires.txt"):
        found = read({name: text})
        assert all("\n" not in one for one in found.problems)
        assert parse_sdist(render_sdist(found)) == found
