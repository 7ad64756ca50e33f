# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.setup_script import Script, parse_script


def parse(text: str) -> Script:
    return parse_script(textwrap.dedent(text))


@pytest.mark.parametrize(
    ("text", "requires", "computed"),
    [
        ("setup(setup_requires=['a>=1', 'b'])", ["a>=1", "b"], False),
        ("setuptools.setup(setup_requires=('a',))", ["a"], False),
        ("setup(setup_requires='a')", ["a"], False),
        ("setup(setup_requires='''\na\nb>1\n''')", ["a", "b>1"], False),
        ("setup(setup_requires=None)", [], False),
        ("setup()", [], False),
        ("x = ['a']\nsetup(setup_requires=x)", ["a"], False),
        ("x = ['a']\nx += ['b']\nx.append('c')\nsetup(setup_requires=x)", ["a", "b", "c"], False),
        ("x = ['a']\nsetup(setup_requires=x + ['b'])", ["a", "b"], False),
        ("setup(setup_requires=[*x, 'b'])\nx = ['a']", ["a", "b"], False),
        ("V = '1.2'\nsetup(setup_requires=['a>=' + V])", ["a>=1.2"], False),
        ("V = '1.2'\nsetup(setup_requires=['a>=%s' % V])", ["a>=1.2"], False),
        ("V = '1.2'\nsetup(setup_requires=['a>=%s,<%s' % (V, '2')])", ["a>=1.2,<2"], False),
        ("V = '1.2'\nsetup(setup_requires=[f'a>={V}'])", ["a>=1.2"], False),
        ("o = {'setup_requires': ['a']}\nsetup(**o)", ["a"], False),
        ("o = dict(setup_requires=['a'])\nsetup(**o)", ["a"], False),
        ("o = {}\no['setup_requires'] = ['a']\nsetup(**o)", ["a"], False),
        ("o = {}\no.update(setup_requires=['a'])\nsetup(**o)", ["a"], False),
        ("setup(setup_requires=['a'] if x else [])", ["a"], True),
        ("setup(setup_requires=find())", [], True),
        ("setup(setup_requires=['a'] + find())", ["a"], True),
        ("setup(setup_requires=open('x').read().split())", [], True),
        ("setup(setup_requires=['a', x])", ["a"], True),
        ("import sys\nsetup(setup_requires=['p'] if 'test' in sys.argv else ['a'])", ["a"], False),
        (
            "test = {'x'}.intersection(sys.argv)\np = ['pytest-runner'] if test else []\n"
            "setup(setup_requires=p)",
            [],
            False,
        ),
        ("x = [y]\ny = [x]\nsetup(setup_requires=x)", [], False),
        ("def setup(): pass", [], False),
    ],
)
def test_setup_requires(text: str, requires: List[str], computed: bool) -> None:
    found = parse(text)
    assert (list(found.setup_requires), found.computed) == (requires, computed)


@pytest.mark.parametrize(
    ("text", "compiles", "sources"),
    [
        ("setup(ext_modules=[Extension('a', ['a.c'])])", "Extension ext_modules", "a.c"),
        ("setup(ext_modules=[])", "", ""),
        ("x = []\nsetup(ext_modules=x)", "", ""),
        ("x = []\nx.append(Extension('a', ['b.cpp']))\nsetup(ext_modules=x)",
         "Extension ext_modules", "b.cpp"),
        ("setup(ext_modules=cythonize('a/*.pyx'))", "cythonize ext_modules", "a/*.pyx"),
        ("setup(cffi_modules=['build.py:ffi'])", "cffi_modules", ""),
        ("from setuptools import setup as _setup\n_setup(cffi_modules=['b.py:f'])",
         "cffi_modules", ""),
        ("setup(rust_extensions=[RustExtension('a')])", "RustExtension rust_extensions", ""),
        ("Pybind11Extension('a', sorted(glob('src/*.cpp')))", "Pybind11Extension", "src/*.cpp"),
        ("config.add_extension('a', sources=['x.f90'])", "add_extension", "x.f90"),
        ("if x:\n    m = mypycify(['a.py'])\nsetup(ext_modules=m)", "", ""),
        ("setup(ext_modules=mypycify([]) if x else [])", "", ""),
        ("setup(ext_modules=mypycify(['a.py']))", "ext_modules mypycify", ""),
        ("setup(package_data={'a': ['x.c', 'y.pyx']})", "", ""),
        ("o = {'package_data': {'a': ['x.c']}}\nsetup(**o)", "", ""),
        ("setup(long_description='as in foo.c')", "", ""),
        ("class MyExtension(Extension): pass", "", ""),
        ("MyExtension('a')", "MyExtension", ""),
    ],
)  # fmt: skip
def test_what_is_compiled(text: str, compiles: str, sources: str) -> None:
    found = parse(text)
    assert (" ".join(found.compiles), " ".join(found.sources)) == (compiles, sources)


@pytest.mark.parametrize(
    ("text", "cxx"),
    [
        ("Extension('a', ['a.pyx'], language='c++')", True),
        ("Extension('a', ['a.pyx'], language='c')", False),
        ("Extension('a', ['a.pyx'])", False),
        ("data = {'a': {'language': 'c++'}}", True),
        ("extension.language = 'c++'", True),
        ("extra_compile_args = ['-std=c++17']", True),
        ("extra_compile_args = ['-std=c99']", False),
        ("setup(classifiers=['Programming Language :: C++'])", False),
        ("setup(keywords=['c++'])", False),
    ],
)
def test_cxx(text: str, cxx: bool) -> None:
    assert parse(text).cxx is cxx


def test_what_it_takes_parts_from() -> None:
    text = "import os\nfrom setup_build import build\nimport a.b"
    assert parse(text).imports == ("a.b", "os", "setup_build", "setup_build.build")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("setup(install_requires=['a>=1', 'b'])", ("a>=1", "b")),
        ("r = ['a' if sys.version_info >= (3,) else 'b']\nif six.PY2:\n    r.append('c')\n"
         "setup(install_requires=r)", ("a",)),
        ("r = ['a']\nif sys.version_info < (3, 9):\n    r.append('b')\nsetup(install_requires=r)",
         None),
        ("try:\n    r = ['a']\nexcept E:\n    r = []\nsetup(install_requires=r)", None),
        ("setup(install_requires=['a'] if x else [])", None),
        ("setup(install_requires=read('requirements.txt'))", None),
        ("setup(install_requires=['a'])\nsetup(install_requires=['b'])", None),
        ("setup()", None),
        ("print 'x'\nsetup(install_requires=['a'])", None),
    ],
)  # fmt: skip
def test_install_requires(text: str, expected: Optional[Tuple[str, ...]]) -> None:
    assert parse(text).install_requires == expected


def test_what_is_asked_for_only_is_not_required() -> None:
    text = "r = []\nif {'release'}.intersection(sys.argv):\n    r.append('a')\n"
    assert parse(f"{text}setup(setup_requires=r)").setup_requires == ()


def test_python_2() -> None:
    assert parse(
        """
        print "building"
        # Extension('no', ['no.f'])
        setup(
            setup_requires=['a>=1', "b"],
            ext_modules=[Extension('x', ['x.c', 'y.cpp'], language="c++")],
        )
        """
    ) == Script(("a>=1", "b"), False, ("Extension", "ext_modules"), ("x.c", "y.cpp"), True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ufeffsetup()",
        "\0",
        "(" * 5000,
        "-" * 20_000 + "1",
        "x" * 10_000,
        "\\d",
        '"\\d"',
        "a." * 9999,
    ],
    ids=range(9),
)
def test_nothing_harms(text: str) -> None:
    assert parse_script(text).setup_requires == ()


def test_no_script_takes_long() -> None:
    """Each name stands for the one before it ten times over."""
    lines = ["x0 = ['a']", *(f"x{n + 1} = [{', '.join([f'*x{n}'] * 10)}]" for n in range(50))]
    found = parse_script("\n".join([*lines, "setup(setup_requires=x50, ext_modules=x50)"]))
    assert found.setup_requires == ("a",)


def test_many_threads() -> None:
    text = f"x = [{', '.join(f'(a{n}, [b])' for n in range(2000))}]\nsetup(setup_requires=['a'])"
    with ThreadPoolExecutor(6) as pool:
        found = pool.map(lambda n: parse_script(f"{text}\n#{n}"), range(6))
    assert {one.setup_requires for one in found} == {("a",)}


@given(st.text())
def test_no_text_harms(text: str) -> None:
    parse_script(text)
    parse_script(f"setup(setup_requires=[{text!r}])")
