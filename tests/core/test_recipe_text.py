# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The text of a recipe: its form, what stays of the user's, and that nothing gets into it."""

from __future__ import annotations

import ast
import contextlib
import keyword
from dataclasses import replace
from typing import Callable, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement

from made_projects import project, projects, release
from pyvarium.errors import RecipeError
from pyvarium.recipe import Known, Recipe, class_name, directory_name
from pyvarium.recipe_text import render, with_generated
from pyvarium.releases import Project
from pyvarium.translation import describe

RECIPE = describe(project(release("1.0", ["bar"])))
DIRECTIVES = {"version", "variant", "depends_on", "license"}


def statements(text: str) -> List[str]:
    """What the text does when Spack loads it, in short; fails on anything unexpected."""
    found = []
    module = ast.parse(text)
    assert all(isinstance(node, (ast.ImportFrom, ast.ClassDef)) for node in module.body)
    (recipe,) = (node for node in module.body if isinstance(node, ast.ClassDef))
    pending = list(recipe.body)
    docstring = pending.pop(0)
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.With):
            names = [one.context_expr.func.id for one in node.items]  # type: ignore[attr-defined]
            assert set(names) <= {"default_args", "when"}
            pending = node.body + pending
        elif isinstance(node, ast.Assign):
            assert isinstance(node.value, ast.Constant)
            found.append(ast.unparse(node.targets[0]))
        else:
            assert isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            name = node.value.func.id  # type: ignore[attr-defined]
            assert name in DIRECTIVES
            values = [*node.value.args, *(one.value for one in node.value.keywords)]
            for value in values:
                parts = value.elts if isinstance(value, ast.Tuple) else [value]
                assert all(isinstance(part, ast.Constant) for part in parts)
            found.append(name)
    return found


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from(
            [
                *('"""', "'''", '"', "'", "\\", "\n", "\r", "\f", "\x1c", "\u2028"),
                *("import os", "; ", "#", " ", "# pyvarium: end", "# fmt: off", "{}", "%s"),
                *("\u202e", "\0", "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 30),
                *("é" * 90, "x" * 200, ")", "\t", "\ud800"),
            ]
        ),
        max_size=12,
    ).map("".join),
)


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
@settings(max_examples=settings().max_examples * 2)
def test_no_text_of_an_index_becomes_code(
    summary: str, homepage: str, spdx: str, file: str, sha256: str
) -> None:
    requires = []
    with contextlib.suppress(InvalidRequirement):
        requires.append(Requirement(f"bar; platform_release == {summary!r}"))
        requires.append(Requirement(f"baz>={file}; os_name == {homepage!r}"))
    named = {"summary": summary, "homepage": homepage, "license": spdx}
    newest = release("3.0", requires, **named)
    strange = [
        release("2.0", file=file or " ", build=requires),
        release("1.0", sha256=sha256, **named),
    ]
    recipe = describe(project(newest, *strange))
    text = render(recipe)
    text.encode()
    said = statements(text)
    assert said[:2] == ["homepage", "pypi"]
    assert [one for one in said if one == "version"] == ["version"]
    assert max(map(len, text.splitlines())) <= 99
    assert with_generated(text, recipe) == text


@given(projects())
@settings(max_examples=settings().max_examples)
def test_a_recipe_can_be_made_anew(drawn: Project) -> None:
    recipe = describe(drawn, ["x", "y"])
    text = render(recipe)
    assert statements(text).count("version") == len(recipe.versions)
    assert with_generated(text, recipe) == text


Format = Callable[[str], str]


@pytest.fixture(scope="module")
def formatted() -> Format:
    """isort and black as Spack's own ``pyproject.toml`` has them, without starting them."""
    black, isort = pytest.importorskip("black"), pytest.importorskip("isort")
    mode = black.Mode(line_length=99, magic_trailing_comma=False)
    config = isort.Config(profile="black", line_length=99, known_first_party=frozenset(["spack"]))
    return lambda text: black.format_str(isort.code(text, config=config), mode=mode)


LONG = "a-project-with-a-very-long-name-such-as-nobody-would-ever-want-to-write-down-twice"


def wide_recipes() -> List[Recipe]:
    """All forms that a line can have: short, too long for one line, too long for two."""
    requires = [
        "bar",
        f"{LONG}>=1.2.3,<2",
        "baz>=1.2.3,!=1.3.1,!=1.4.1,!=1.5.1,!=1.6.1,!=1.7.1,<4; python_version < '3.9'",
        "quux>=1.20.3,<3; sys_platform == 'linux' and platform_machine == 'x86_64' and"
        " python_full_version < '3.11.3'",
        "uno; extra == 'x'",
        "due; platform_release == '5.0'",
    ]
    new = release(
        "2.0.1.2.3.4.5",
        requires,
        ">=3.9",
        build=["setuptools>=61", "cython"],
        languages=["c", "cxx"],
        extras=("x",),
        summary="wide \N{CJK UNIFIED IDEOGRAPH-4E00}\N{CJK UNIFIED IDEOGRAPH-4E00} " * 9,
        yanked="",
    )
    old = release("1.0", ["bar>=1"], file="Foo-1.0.zip", summary="")
    plain = describe(project(new, old), ["x"])
    long = describe(project(release("1.0", license=None), name=LONG))
    existing = replace(plain, repo="builtin", versions=plain.versions[:1])
    return [
        plain,
        long,
        existing,
        replace(long, repo="builtin"),
        replace(long, name=f"py-{LONG}-{LONG}"),
        replace(plain, summary="x" * 76),
        replace(plain, summary="x" * 75),
        replace(plain, summary="\N{CJK UNIFIED IDEOGRAPH-4E00}" * 60),
        replace(plain, summary='"quoted" and \\'),
        replace(plain, summary=" " * 9),
    ]


@pytest.mark.parametrize("number", range(10))
def test_it_has_the_form_that_spack_asks_for(number: int, formatted: Format) -> None:
    text = render(wide_recipes()[number])
    assert formatted(text) == text


@pytest.mark.parametrize("length", [82, 83, 89, 90])
def test_an_address_as_long_as_a_line(length: int, formatted: Format) -> None:
    """Up to 82 it fits, up to 89 in parentheses, and then it is too long at any rate."""
    address = f"https://x.org/{'y' * (length - 14)}"
    text = render(replace(RECIPE, homepage=address, pypi=f"foo/{'z' * length}"))
    assert formatted(text) == text


@given(drawn=projects())
@settings(max_examples=settings().max_examples // 2)
def test_any_recipe_has_that_form(drawn: Project, formatted: Format) -> None:
    text = render(describe(drawn, ["x", "y"]))
    assert formatted(text) == text


NEWER = describe(project(release("2.0", ["bar>=2"]), release("1.0", ["bar"])))
OF_A_USER = "\n    def install(self):\n        pass  # \N{EURO SIGN}\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("after", [OF_A_USER, "", "\n\n\n"], ids=["method", "nothing", "blank"])
def test_what_the_user_wrote_stays(newline: str, after: str) -> None:
    before = render(RECIPE).replace("class", "import os  # mine\n\n\nclass")
    expected = render(NEWER).replace("class", "import os  # mine\n\n\nclass")
    old, new = ((text + after).replace("\n", newline) for text in (before, expected))
    assert with_generated(old, NEWER) == new


def test_a_file_may_end_without_a_newline() -> None:
    assert with_generated(render(RECIPE)[:-1], NEWER) == render(NEWER)[:-1]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("# pyvarium: begin\n", ""), "end"),
        (("# pyvarium: end\n", ""), "begin"),
        (("# pyvarium: end\n", "# pyvarium: end\n    # pyvarium: end\n"), "begin, end, end"),
        (("# pyvarium: begin\n", "# pyvarium: end\n"), "end, end"),
    ],
    ids=["no-begin", "no-end", "two-ends", "no-begin-but-an-end"],
)
def test_damaged_marks(change: Tuple[str, str], found: str) -> None:
    with pytest.raises(RecipeError) as error:
        with_generated(render(RECIPE).replace(*change), NEWER)
    assert str(error.value) == (
        "recipe py-foo: '# pyvarium: begin' and '# pyvarium: end' must stand in it once each, in"
        f" this order (found: {found}); restore them, or move the recipe away"
    )


@pytest.mark.parametrize(
    ("name", "directory", "cls"),
    [
        ("py-foo-bar", "py_foo_bar", "PyFooBar"),
        ("py-3to2", "py_3to2", "Py3to2"),
        ("py-import", "py_import", "PyImport"),
        ("3proxy", "_3proxy", "_3proxy"),
        ("pass", "_pass", "Pass"),
        ("none", "none", "_None"),
        ("cmake", "cmake", "Cmake"),
    ],
)
def test_names(name: str, directory: str, cls: str) -> None:
    assert (directory_name(name), class_name(name)) == (directory, cls)
    assert cls.isidentifier() and not keyword.iskeyword(cls)


@pytest.mark.parametrize("name", ["class", "import", "none", "3to2", "0-0-1", "self"])
def test_a_project_with_the_name_of_something_else(name: str) -> None:
    recipe = describe(project(release("1.0", file=f"{name}-1.0.tar.gz"), name=name))
    assert f"class {class_name(f'py-{name}')}(PythonPackage):" in render(recipe)


def test_a_name_from_a_repo_cannot_become_code() -> None:
    known = {"bar": Known('py-bar", when="@1:')}
    with pytest.raises(RecipeError, match="cannot stand in a directive"):
        render(describe(project(release("1.0", ["bar"])), named=known.get))


@pytest.mark.parametrize(
    ("name", "repo"), [("py-a\nimport os", None), ("py-a", "b import c; d"), ("", None)]
)
def test_a_recipe_that_spack_could_not_name(name: str, repo: Optional[str]) -> None:
    with pytest.raises(RecipeError, match="is no name of Spack's"):
        render(replace(RECIPE, name=name, repo=repo))
