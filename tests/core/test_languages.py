# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Each case is the build of a real project, cut down to what tells the languages apart."""

from typing import Any, Dict, Mapping, Tuple

import pytest

from pyvarium import toml_text
from pyvarium.archives import Archive
from pyvarium.languages import detect, is_all_there, wanted

MESON = "mesonpy"
CMAKE = "scikit_build_core.build"
SETUPTOOLS = "setuptools.build_meta"


def found(backend: str, files: Mapping[str, str], requires: str = "") -> str:
    texts = {name: text for name, text in files.items() if wanted(name)}
    pyproject: Mapping[str, Any] = {}
    if "pyproject.toml" in files:
        pyproject = toml_text.parse(files["pyproject.toml"], "pyproject.toml")
    archive = Archive(tuple(files), texts)
    return " ".join(detect(archive, pyproject, backend, requires.split()))


MESON_CASES: Dict[str, Tuple[Dict[str, str], str]] = {
    "c-and-cxx": ({"meson.build": "project('x', 'c', 'cpp', 'cython', version: '1')"}, "c cxx"),
    "a-list": ({"meson.build": "project('x', ['cpp', 'fortran'])"}, "cxx fortran"),
    "lines": ({"meson.build": "project(\n  'x',\n  'c',\n  license: 'cpp',\n)"}, "c"),
    "calls-in-it": ({"meson.build": "project('x', 'c', version: run(['cpp']).out())"}, "c"),
    "added": (
        {"meson.build": "project('x', 'c')\nadd_languages('fortran', native: false)"}, "c fortran",
    ),
    "optional": (
        {"meson.build": "project('x', 'c')\nadd_languages('rust', required: false)"}, "c",
    ),
    "below": (
        {"meson.build": "project('x', 'c')\nsubdir('a')", "a/meson.build": "subdir('b')",
         "a/b/meson.build": "add_languages('fortran')"},
        "c fortran",
    ),
    "vendored": (
        {"meson.build": "project('x', 'c')",
         "vendored-meson/meson/test cases/meson.build": "project('y', 'fortran')"},
        "c",
    ),
    "comment": ({"meson.build": "# project('x', 'fortran')\nproject('x', 'c')"}, "c"),
    "circle": ({"meson.build": "project('x', 'c')\nsubdir('.')\nsubdir('../x')"}, "c"),
    "none": ({"meson.build": "project('x')"}, ""),
    "not-there": ({}, ""),
    "library": ({"meson.build": "project('x', 'c')\ndependency('zlib')"}, "c pkgconfig"),
    "library-that-may-lack": (
        {"meson.build": "project('x', 'c')\ndependency('zlib', required: false)\n"
                        "dependency('openmp')\npy.dependency()"},
        "c",
    ),
    "backend-brought-along": (
        {"pyproject.toml": "[build-system]\nbackend-path = ['vendored']",
         "meson.build": "project('x', 'c')"},
        "c ninja",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), MESON_CASES.values(), ids=MESON_CASES)
def test_meson(files: Dict[str, str], expected: str) -> None:
    assert found(MESON, files) == expected


CMAKE_CASES: Dict[str, Tuple[Dict[str, str], str]] = {
    "stated": ({"CMakeLists.txt": "project(x LANGUAGES C CXX Fortran)"}, "c cxx fortran"),
    "by-itself": ({"CMakeLists.txt": "project(x CXX)"}, "cxx"),
    "default": ({"CMakeLists.txt": "project(x)"}, "c cxx"),
    "only-a-version": ({"CMakeLists.txt": "PROJECT(x VERSION 1.0)"}, "c cxx"),
    "of-the-backend": (
        {"CMakeLists.txt": "project(${SKBUILD_PROJECT_NAME} VERSION ${V} LANGUAGES CXX)"}, "cxx",
    ),
    "words": (
        {"CMakeLists.txt": 'project(x DESCRIPTION "written in Fortran" LANGUAGES C)'}, "c",
    ),
    "only-words": ({"CMakeLists.txt": 'project(x DESCRIPTION "a b" VERSION 1)'}, "c cxx"),
    "none": ({"CMakeLists.txt": "project(x NONE)"}, ""),
    "enabled": (
        {"CMakeLists.txt": "project(x C)\nenable_language(Fortran OPTIONAL)"}, "c fortran",
    ),
    "cuda": ({"CMakeLists.txt": "project(x LANGUAGES CUDA)"}, "cxx"),
    "below": (
        {"CMakeLists.txt": "project(x NONE)\nadd_subdirectory(src)",
         "src/CMakeLists.txt": "enable_language(Fortran)"},
        "fortran",
    ),
    "tests": (
        {"CMakeLists.txt": "project(x C)\nadd_subdirectory(tests)",
         "tests/CMakeLists.txt": "enable_language(Fortran)"},
        "c",
    ),
    "variable": (
        {"CMakeLists.txt": "project(x LANGUAGES ${ALL})", "src/a.f90": "", "docs/b.cpp": ""},
        "fortran",
    ),
    "comment": ({"CMakeLists.txt": "# project(x Fortran)\nproject(x C)"}, "c"),
    "elsewhere": (
        {"pyproject.toml": '[tool.scikit-build]\ncmake.source-dir = "src"',
         "src/CMakeLists.txt": "project(x C)"},
        "c",
    ),
    "nonsense": ({"pyproject.toml": "[tool.scikit-build.cmake]\nsource-dir = [1]"}, ""),
}  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), CMAKE_CASES.values(), ids=CMAKE_CASES)
def test_cmake(files: Dict[str, str], expected: str) -> None:
    assert found(CMAKE, files) == expected


SETUPTOOLS_CASES: Dict[str, Tuple[Dict[str, str], str, str]] = {
    "pure": ({"setup.py": "setup(name='x')", "src/bench.c": ""}, "", ""),
    "no-script": ({"pyproject.toml": "", "a.c": ""}, "", ""),
    "c": ({"setup.py": "setup(ext_modules=[Extension('a', ['a.c'])])"}, "", "c"),
    # distutils compiles C++ by the compiler for C.
    "cxx": ({"setup.py": "setup(ext_modules=[Extension('a', ['a.cpp'])])"}, "", "c cxx"),
    "pybind11": (
        {"setup.py": "setup(ext_modules=[Pybind11Extension('a', [x])])"}, "pybind11", "c cxx",
    ),
    "cython": (
        {"setup.py": "setup(ext_modules=cythonize('a/*.pyx'))", "a/x.pyx": "x"}, "cython", "c",
    ),
    "cython-cxx": (
        {"setup.py": "setup(ext_modules=cythonize('a/*.pyx'))",
         "a/x.pyx": "# cython: x\n# distutils: language = c++\n"},
        "cython",
        "c cxx",
    ),
    "cython-cxx-in-tests": (
        {"setup.py": "setup(ext_modules=cythonize('a/*.pyx'))",
         "tests/x.pyx": "# distutils: language = c++\n"},
        "cython",
        "c",
    ),
    "globbed": (
        {"setup.py": "setup(ext_modules=[Extension('a', find_sources())])", "src/a.cc": "",
         "tests/b.f90": "", "third_party/lib/c.f": "", "doc/d.f": ""},
        "",
        "c cxx",
    ),
    "named-though-vendored": (
        {"setup.py": "setup(ext_modules=[Extension('a', ['third_party/a.cpp'])])"}, "", "c cxx",
    ),
    "package-data": (
        {"setup.py": "setup(ext_modules=[Extension('a', ['a.c'])], package_data={'a': ['b.C']})"},
        "",
        "c",
    ),
    "beside": (
        {"setup.py": "import setup_build\nsetup(ext_modules=[setup_build.dummy()])",
         "setup_build.py": "Extension('a', ['a.cpp'])",
         "setup_other.py": "Extension('b', ['b.f'])"},
        "",
        "c cxx",
    ),
    "numpy-distutils": (
        {"setup.py": "from numpy.distutils.core import setup",
         "lib/setup.py": "config.add_extension('a', sources=['a.f', 'b.c.src'])",
         "lib/tests/setup.py": "config.add_extension('a', sources=['a.cpp'])"},
        "numpy",
        "c fortran",
    ),
    "extension-helpers": (
        {"pyproject.toml": "[tool.extension-helpers]\nuse_extension_helpers = true",
         "a/b/setup_package.py": "def get_extensions(): return Extension('a', ['a.pyx'])",
         "a/tests/setup_package.py": "Extension('b', ['b.cpp'])"},
        "extension-helpers",
        "c",
    ),
    "extension-helpers-alone": ({"a/b.pyx": "x", "c.cpp": ""}, "extension-helpers", "c"),
    "own-backend": (
        {"pyproject.toml": "[build-system]\nbackend-path = ['packaging']",
         "packaging/hooks/__init__.py": "", "src/a/_b.pyx": "", "tests/c.pyx": ""},
        "setuptools",
        "c",
    ),
    "own-backend-with-a-script": (
        {"pyproject.toml": "[build-system]\nbackend-path = ['.']",
         "setup.py": "setup()", "src/a/_b.pyx": ""},
        "setuptools",
        "",
    ),
    "f2py": ({"setup.py": "Extension('a', sources=['a.pyf', 'b.f90'])"}, "numpy", "c fortran"),
    "cffi": ({"setup.py": "setup(cffi_modules=['b.py:f'])"}, "cffi", "c"),
    "mypyc-on-demand": (
        {"setup.py": "if USE:\n    m = mypycify([])\nelse:\n    m = []\nsetup(ext_modules=m)"},
        "",
        "",
    ),
    "rust": (
        {"setup.py": "setup(rust_extensions=[RustExtension('a')])", "Cargo.toml": ""},
        "setuptools-rust",
        "c rust",
    ),
    "rust-declared": (
        {"pyproject.toml": "[[tool.setuptools-rust.ext-modules]]\ntarget = 'a'"}, "", "c rust",
    ),
    "cmake": (
        {"setup.py": "setup(ext_modules=[CMakeExtension('a')])",
         "CMakeLists.txt": "project(a LANGUAGES CXX)"},
        "cmake",
        "cxx",
    ),
    "scikit-build": (
        {"setup.py": "from skbuild import setup", "CMakeLists.txt": "project(a C)"},
        "scikit-build",
        "c",
    ),
    "script-that-calls-cmake": (
        {"setup.py": "cmd = [sys.executable, os.path.join(here, 'ffi', 'build.py')]\nspawn(cmd)",
         "ffi/build.py": "check_call(['cmake', '--build', '.'])",
         "ffi/CMakeLists.txt": "project(x CXX)", "CMakeLists.txt": "project(y C)"},
        "",
        "cxx cmake",
    ),
    "script-in-a-place-that-is-computed": (
        {"setup.py": "call([sys.executable, os.path.join(ROOT, 'setup_cython.py'), 'build_ext'])",
         "a/_vendored/b/setup_cython.py": "setup(ext_modules=[Extension('c', ['c.pyx'])])"},
        "",
        "c",
    ),
    "script-that-calls-make": (
        {"setup.py": "os.system('python lib/build.py')", "other.f90": "", "lib/a.cpp": "",
         "lib/build.py": "os.system(f'cd {x} && make all')", "lib/tests/b.f90": ""},
        "",
        "c cxx",
    ),
    "make-without-sources": ({"setup.py": "call(['make', '-C', 'docs'])"}, "", ""),
    "cmake-without-a-list": ({"setup.py": "run('cmake -G Ninja .')"}, "", "cmake"),
    "compiler": (
        {"setup.py": "new_compiler().compile(sources=['%s/a.c' % root])", "x/a.c": ""}, "", "c",
    ),
    "astropy-helpers": (
        {"setup.py": "setup(**get_package_info())", "a/b.pyx": "", "a/tests/c.f": ""}, "", "c",
    ),
    "asked-for": (
        {"setup.py": "import os, sys\nif '--fast' in sys.argv or os.environ.get('FAST'):\n"
                     "    x = [Extension('a', ['a.c'])]\nelse:\n    x = []\n"
                     "setup(ext_modules=x)", "a.c": ""},
        "",
        "",
    ),
    "declared": (
        {"pyproject.toml": "[[tool.setuptools.ext-modules]]\nname = 'a'\nsources = ['a.cpp', 1]"},
        "",
        "c cxx",
    ),
    "python-2": (
        {"setup.py": "print 'x'\nsetup(ext_modules=[Extension('a', ['a.cpp'])])"}, "", "c cxx",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "requires", "expected"), SETUPTOOLS_CASES.values(), ids=SETUPTOOLS_CASES
)
@pytest.mark.parametrize("backend", [SETUPTOOLS, "backend"])
def test_setuptools(backend: str, files: Dict[str, str], requires: str, expected: str) -> None:
    assert found(backend, files, requires) == expected


OTHERS: Dict[str, Tuple[str, Dict[str, str], str]] = {
    # rustc links by the C compiler.
    "maturin": ("maturin", {"Cargo.toml": "[package]"}, "c rust"),
    "maturin-cmake": (
        "maturin", {"Cargo.toml": "[build-dependencies]\ncmake = '1'"}, "c cxx rust cmake",
    ),
    "workspace": (
        "maturin",
        {"Cargo.toml": "[workspace]", "src/rust/x/Cargo.toml": "[build-dependencies]\ncc = '1'",
         "vendor/y/Cargo.toml": "[build-dependencies]\ncmake = '1'"},
        "c rust",
    ),
    "broken-cargo": ("maturin", {"Cargo.toml": "["}, "c rust"),
    "flit": ("flit_core.buildapi", {"a.c": "", "setup.py": "Extension('a', ['a.c'])"}, ""),
    "hatch": ("hatchling.build", {"a.c": "", "setup.py": "Extension('a', ['a.c'])"}, ""),
    "hatch-hook": (
        "hatchling.build",
        {"pyproject.toml": "[tool.hatch.build.hooks.custom]",
         "hatch_build.py": "Extension('a', ['a.cpp'])"},
        "c cxx",
    ),
    "hatch-hook-in-its-own-file": (
        "hatchling.build",
        {"hatch.toml": "[build.hooks.custom]\npath = 'hatch_build.py'",
         "hatch_build.py": "from rs import hatch", "rs/Cargo.toml": "[package]",
         "rs/hatch.py": "check_output(('cargo', 'build'))"},
        "c rust",
    ),
    "hatch-hook-that-starts-another": (
        "hatchling.build",
        {"pyproject.toml": "[tool.hatch.build.hooks.custom]",
         "hatch_build.py": "subprocess.run([sys.executable, '_setup.py', 'build_ext', '-i'])",
         "_setup.py": "setup(ext_modules=[Extension('a', ['a.c'])])"},
        "c",
    ),
    "hatch-hook-for-files": (
        "hatchling.build",
        {"pyproject.toml": "[tool.hatch.build.hooks.custom]", "hatch_build.py": "write()"},
        "",
    ),
    "hatch-mypyc": (
        "hatchling.build",
        {"pyproject.toml": "[tool.hatch.build.targets.wheel.hooks.mypyc]"},
        "c",
    ),
    "hatch-mypyc-on-demand": (
        "hatchling.build",
        {"pyproject.toml": "[tool.hatch.build.hooks.mypyc]\nenable-by-default = false"},
        "",
    ),
    "poetry": ("poetry.core.masonry.api", {"build.py": "Extension('a', ['a.c'])"}, ""),
    "poetry-script": (
        "poetry.core.masonry.api",
        {"pyproject.toml": "[tool.poetry.build]\nscript = 'build.py'",
         "build.py": "cythonize(Extension('a', ['a.c']))"},
        "c",
    ),
    "pdm": ("pdm.backend", {"a.c": ""}, ""),
    "pdm-setuptools": (
        "pdm.backend",
        {"pyproject.toml": "[tool.pdm.build]\nrun-setuptools = true",
         "setup.py": "setup(ext_modules=[Extension('a', ['a.c'])])"},
        "c",
    ),
    "sip": ("sipbuild.api", {}, "c cxx"),
    "nonsense": ("hatchling.build", {"pyproject.toml": "[tool]\nhatch = 1"}, ""),
}  # fmt: skip


@pytest.mark.parametrize(("backend", "files", "expected"), OTHERS.values(), ids=OTHERS)
def test_other_backends(backend: str, files: Dict[str, str], expected: str) -> None:
    assert found(backend, files) == expected


PYPROJECT = '[build-system]\nbuild-backend = "mesonpy"\n'


@pytest.mark.parametrize(
    ("name", "texts", "expected"),
    [
        ("pyproject.toml", {"meson.build": "subdir('a')", "a/meson.build": ""}, True),
        ("pyproject.toml", {"meson.build": "subdir('z')"}, False),
        ("tests/meson.build", {"meson.build": ""}, False),
        ("pyproject.toml", {}, False),
    ],
)
def test_all_that_meson_reads(name: str, texts: Dict[str, str], expected: bool) -> None:
    assert is_all_there(name, {**texts, "pyproject.toml": PYPROJECT}) is expected


SCRIPT = {"setup.cfg": "", "setup.py": "import os\nfrom setuptools import setup\nsetup()"}


@pytest.mark.parametrize(
    ("backend", "texts", "expected"),
    [
        ("flit_core.buildapi", {}, True),
        ("uv_build", {}, True),
        ("poetry.core.masonry.api", {}, True),
        ("hatchling.build", {}, True),
        ("hatchling.build", {"hatch.toml": "[build.hooks.custom]"}, False),
        ("pdm.backend", {}, False),  # Its script may still come.
        ("maturin", {}, False),
        ("setuptools.build_meta", {}, False),
        ("setuptools.build_meta", SCRIPT, True),
        ("setuptools.build_meta", {"setup.py": SCRIPT["setup.py"]}, False),
        ("setuptools.build_meta", {**SCRIPT, "setup.py": "import build_ext"}, False),
        ("setuptools.build_meta", {**SCRIPT, "setup.py": "setup(ext_modules=x)"}, False),
        ("setuptools.build_meta", {**SCRIPT, "setup.py": "run(['make'])"}, False),
    ],
)
def test_what_tells_all_of_a_build(backend: str, texts: Dict[str, str], expected: bool) -> None:
    pyproject = f"[build-system]\nrequires = ['x']\nbuild-backend = '{backend}'\n"
    assert is_all_there("pyproject.toml", {**texts, "pyproject.toml": pyproject}) is expected


@pytest.mark.parametrize(
    "more",
    [
        "[tool.poetry.build]\nscript = 'b.py'",
        "[tool.hatch.build.hooks.cython]",
        "backend-path = ['.']",
        "[[tool.setuptools.ext-modules]]",
        "requires = ['setuptools-rust']",
        "[",
    ],
)
def test_what_makes_a_build_tell_more(more: str) -> None:
    word = more.split(".")[1] if more.startswith("[tool") else "setuptools"
    backend = {"poetry": "poetry.core.masonry.api", "hatch": "hatchling.build"}.get(word, word)
    pyproject = f"[build-system]\nbuild-backend = '{backend}'\n{more}\n"
    assert is_all_there("setup.py", {**SCRIPT, "pyproject.toml": pyproject}) is False


@pytest.mark.parametrize(
    ("backend", "name", "text"),
    [
        (MESON, "meson.build", "project(" * 30_000),
        (CMAKE, "CMakeLists.txt", "project(" * 30_000),
        (SETUPTOOLS, "setup.py", "print 'x'\n" + "\n" * 200_000 + "#" * 50_000),
        (MESON, "meson.build", "subdir" + " " * 200_000),
    ],
    ids=["meson", "cmake", "lines", "blanks"],
)
def test_no_text_takes_long(backend: str, name: str, text: str) -> None:
    assert found(backend, {name: text}) == ""
