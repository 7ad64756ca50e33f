# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Which lines of a script are left: ``x`` stands for what is asked about."""

import ast
import textwrap
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.plain_build import plain


def left(text: str) -> str:
    tree, _ = plain(ast.parse(textwrap.dedent(text)))
    return ast.unparse(tree)


@pytest.mark.parametrize(
    "test",
    [
        "'--with-x' in sys.argv",
        "'test' in sys.argv[1:]",
        "{'ptr', 'pytest', 'test'}.intersection(sys.argv)",
        "len(sys.argv) > 1 and sys.argv[1] == '--with-x'",
        "os.environ.get('X')",
        "os.getenv('X', '0') == '1'",
        "os.environ.get('X', 'no').lower() in ('1', 'yes')",
        "bool(int(os.environ.get('X', 0)))",
        "'X' in os.environ",
        "not True",
        "sys.version_info < (3,)",
        "sys.version_info[0] == 2",
        "sys.version_info[:2] <= (2, 7)",
        "sys.version_info.major == 3 and sys.version_info.minor <= 4",
        "six.PY2",
        "None",
    ],
)
def test_what_a_plain_build_never_does(test: str) -> None:
    assert left(f"if {test}:\n    x\nelse:\n    y") == "y"
    assert left(f"z = x if {test} else y") == "z = y"
    assert left(f"a = {test}\nif not a:\n    y\nelse:\n    x") == f"{left(f'a = {test}')}\ny"
    assert left(f"def f():\n    if {test}:\n        x\n    y") == "def f():\n    y"


@pytest.mark.parametrize(
    "test",
    [
        "x",
        "f()",
        "sys.platform == 'win32'",
        "'bdist_wheel' in sys.argv",
        "{'test', 'install'}.intersection(sys.argv)",
        "sys.argv[1] == 'build_ext'",
        "len(sys.argv) > 1",
        "os.environ.get('CC')",
        "os.environ.get(name)",
        "os.environ['X']",
        "sys.version_info < (3, 9)",
        "sys.version_info >= (3, 12)",
        "sys.version_info < VERSION",
        "sys.version_info.minor == 9",
        "os.getenv('X') or f()",
        "1 < 2 < 3",
        "'a' < 2",
        "int('a')",
    ],
)
def test_what_it_may_do(test: str) -> None:
    text = ast.unparse(ast.parse(f"if {test}:\n    a\nelse:\n    b"))
    assert left(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a = False\nif f():\n    a = True",
        "a = 0\nfor a in b:\n    pass",
        "a = 0\ntry:\n    a = 1\nexcept E:\n    a = 2",
        "a = 0\nimport a",
        "a = 0\na += 1",
        "a, b = (0, 0)",
        "with f() as a:\n    pass",
    ],
    ids=["one-or-other", "loop", "try", "import", "added", "unpacked", "with"],
)
def test_a_name_that_may_be_anything(text: str) -> None:
    whole = ast.unparse(ast.parse(f"{text}\nif a:\n    x"))
    assert left(whole) == whole


def test_a_name_that_was_something_else_before() -> None:
    assert left("a = 0\nif '-x' in sys.argv:\n    a = 1\nif a:\n    x") == "a = 0"
    assert left("a = 0\ndef f():\n    if a:\n        x").endswith("    if a:\n        x")


def test_what_it_may_come_to() -> None:
    tree, maybe = plain(ast.parse("if f():\n    a\ntry:\n    b\nexcept E:\n    c\nd"))
    names = [one for one in ast.walk(tree) if isinstance(one, ast.Name) and id(one) in maybe]
    assert {one.id for one in names} == {"f", "a", "b", "E", "c"}


WORDS = st.sampled_from(
    [
        "a",
        "sys.argv",
        "'-x'",
        "os.environ.get('X')",
        "sys.version_info",
        "(3, 4)",
        "3",
        "None",
        "f()",
    ]
)
BINARY = st.sampled_from(["and", "or", "==", "in", "<", "is"])
TESTS = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, BINARY, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("{{{}}}.intersection({})".format, inner, inner),
        st.builds("int({})".format, inner),
    ),
    max_leaves=6,
)


@given(st.lists(TESTS, min_size=1, max_size=4))
def test_no_condition_harms(tests: List[str]) -> None:
    text = "\n".join(f"a = {one}\nif {one}:\n    b\nelse:\n    c" for one in tests)
    ast.parse(left(text))
