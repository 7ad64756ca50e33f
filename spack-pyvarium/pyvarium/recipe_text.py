# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The text of a recipe, for Package API 2, in the form that Spack's own style check asks for.

What is ours stands in the class between two marks. It can be made anew; the rest is the user's.
Only texts of a known form reach a directive; what else comes from an index ends up in a docstring
or a comment, without anything in it that could end these.
"""

from __future__ import annotations

import ast
import re
import textwrap
import unicodedata
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Dict, FrozenSet, Iterator, List, Optional, Sequence, Set

from .errors import RecipeError
from .recipe import BUILD, Dependency, Listed, Recipe, Variant, class_name, directory_name

_WIDTH = 99
#: What Spack's own recipes keep to in docstrings.
_DOCSTRING_WIDTH = 79
_LONGEST_SUMMARY = 600
BEGIN = "# pyvarium: begin"
END = "# pyvarium: end"
_MARK = re.compile(r"^[ \t]*# pyvarium: (begin|end)[ \t]*(?:\r?\n|\r?\Z)", re.MULTILINE)
#: In a comment whose lines may be broken anywhere.
_MADE_OF = re.compile(
    r"'spack[\s#]+pyvarium[\s#]+recipe[\s#]+create[\s#]+(--hooks[\s#]+)?([a-z0-9][a-z0-9-]*)'"
)
#: What a recipe that extends another one imports.
_EXTENDED = re.compile(r"spack_repo\.([A-Za-z0-9_.]+)\.packages\.\w+\.package")
_LIBRARIES = (
    "FIXME: no metadata names the libraries that it links, such as BLAS, HDF5 or MPI."
    " Add them below the mark at the end."
)
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REPO = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_BUILT_IN = "spack_repo.builtin.build_systems.python"

_HEADER = """\
# Copyright Spack Project Developers. See COPYRIGHT file for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

{imports}


{heading}
{docstring}

{generated}"""


def render(recipe: Recipe) -> str:
    """The whole of a new ``package.py``; raises RecipeError."""
    if not _NAME.fullmatch(recipe.name) or not _REPO.fullmatch(recipe.repo or "builtin"):
        where = f" of repo {recipe.repo!r}" if recipe.repo else ""
        raise RecipeError(f"recipe {recipe.name!r}{where}: is no name of Spack's; rename it")
    name = class_name(recipe.name)
    if recipe.repo is None:
        base, imports = "PythonPackage", f"from {_BUILT_IN} import PythonPackage"
    else:
        base = "".join(part.capitalize() for part in recipe.repo.split(".")) + name
        module = f"spack_repo.{recipe.repo}.packages.{directory_name(recipe.name)}.package"
        imports = f"from {module} import {name} as {base}"
        if len(imports) > _WIDTH:
            imports = f"from {module} import (\n    {name} as {base},\n)"
    return _HEADER.format(
        imports=f"{imports}\n\nfrom spack.package import *",
        heading="\n".join(_heading(name, base)),
        docstring="\n".join(_docstring(recipe)),
        generated=generated(recipe),
    )


def with_generated(text: str, recipe: Recipe) -> str:
    """Put what is said now between the marks of a recipe; all else stays to the byte."""
    first, last = _marks(text, f"recipe {recipe.name}")
    new = generated(recipe)
    if not last[0].endswith("\n"):
        new = new[:-1]
    if first[0].endswith("\r\n"):
        new = new.replace("\n", "\r\n")
    return text[: first.start()] + new + text[last.end() :]


def generated(recipe: Recipe) -> str:
    """What is ours in the class, with the marks around it."""
    hooks = "--hooks " if recipe.hooks else ""
    made = (
        f"Made by 'spack pyvarium recipe create {hooks}{recipe.project}'. What stands between the"
        f" marks is made anew by 'spack pyvarium recipe update {recipe.project}'."
    )
    blocks = [[BEGIN, *_comment(made)]]
    if recipe.repo is None:
        blocks.append(
            [*_assigned("homepage", recipe.homepage), *_assigned("pypi", recipe.pypi)],
        )
        blocks.append(
            [
                line
                for one in recipe.licenses
                for line in _call("license", [_quoted(one.expression), *_when(one.versions)])
            ]
            or ["# FIXME: no metadata names the license as an SPDX expression."]
        )
    blocks.append([line for one in recipe.versions for line in _version(one)])
    blocks.append([line for one in recipe.variants for line in _variant(one)])
    blocks += _dependencies(recipe)
    blocks.append(_unsaid(recipe))
    blocks.append([END])
    lines = [line for block in blocks if block for line in ("", *block)][1:]
    return "".join(f"    {line}\n" if line else "\n" for line in lines)


@dataclass(frozen=True)
class Generated:
    """What stands between the marks of a recipe, as far as it is needed to make it anew.

    ``repo`` is the namespace of the repo whose recipe it extends, None where it stands alone;
    ``hooks`` whether it has what build backends were asked for.
    """

    name: str
    project: str
    repo: Optional[str]
    labels: FrozenSet[str]
    extras: FrozenSet[str]
    hooks: bool = False


def read_generated(text: str, name: str, subject: str) -> Generated:
    """Read a recipe that ``render`` has made, without running it; raises RecipeError."""
    first, last = _marks(text, subject)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise RecipeError(f"{subject}: is not valid Python ({error}); mend it") from None
    ours = range(text.count("\n", 0, first.start()) + 1, text.count("\n", 0, last.start()) + 2)
    calls: Dict[str, Set[str]] = {"version": set(), "variant": set()}
    repo = None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            match = _EXTENDED.fullmatch(node.module)
            repo = match[1] if match else repo
        elif (
            isinstance(node, ast.Call) and node.lineno in ours and isinstance(node.func, ast.Name)
        ):
            words = [one.value for one in node.args[:1] if isinstance(one, ast.Constant)]
            calls.get(node.func.id, set()).update(map(str, words))
    project = _MADE_OF.search(text, first.start(), last.start())
    if project is None:
        raise RecipeError(f"{subject}: does not say of which project it is; create it again")
    return Generated(
        name,
        project[2],
        repo,
        frozenset(calls["version"]),
        frozenset(calls["variant"]),
        hooks=project[1] is not None,
    )


def _marks(text: str, subject: str) -> List[re.Match[str]]:
    marks = list(_MARK.finditer(text))
    if [mark[1] for mark in marks] == ["begin", "end"]:
        return marks
    if not marks:
        raise RecipeError(
            f"{subject}: has no marks of ours, and is kept as it was written by hand; name another"
            " repo, or move it away"
        )
    found = ", ".join(mark[1] for mark in marks)
    raise RecipeError(
        f"{subject}: '{BEGIN}' and '{END}' must stand in it once each, in this order (found:"
        f" {found}); restore them, or move the recipe away"
    )


def _heading(name: str, base: str) -> List[str]:
    line = f"class {name}({base}):"
    return [line] if len(line) <= _WIDTH else [f"class {name}(", f"    {base}", "):"]


def _assigned(name: str, value: str) -> List[str]:
    """In parentheses if it then fits into a line, as black has it; else it stays too long."""
    line, indented = f"{name} = {_quoted(value)}", f"    {_quoted(value)}"
    if len(line) <= _WIDTH - 4 or len(indented) > _WIDTH - 4:
        return [line]
    return [f"{name} = (", indented, ")"]


def _version(one: Listed) -> List[str]:
    arguments = [_quoted(one.label), f"sha256={_quoted(one.sha256)}"]
    arguments += [f"url={_quoted(one.url)}"] if one.url else []
    arguments += ["deprecated=True"] if one.deprecated else []
    return _call("version", arguments)


def _variant(one: Variant) -> List[str]:
    description = _quoted(f"Add what the extra {one.name} requires")
    arguments = [_quoted(one.name), "default=False", f"description={description}"]
    return _call("variant", [*arguments, *_when(one.versions)])


def _dependencies(recipe: Recipe) -> Iterator[List[str]]:
    """In groups: languages, what else is needed to build, what is needed to run, for a variant."""
    for (language, types, variants), group in groupby(
        recipe.dependencies, key=lambda one: (one.is_language, one.types, one.when.variants)
    ):
        if language:
            lines = [line for one in group for line in _depends_on(one, ['type="build"'], 4)]
            yield [*lines, *(_comment(_LIBRARIES) if recipe.links else [])]
            continue
        said = '"build"' if types == BUILD else '("build", "run")'
        header = f"default_args(type={said})"
        if variants:
            header = f"when({_quoted(' '.join(variants))}), {header}"
        plain = [replace(one, when=replace(one.when, variants=())) for one in group]
        lines = [line for one in plain for line in _depends_on(one, [], 8)]
        yield [f"with {header}:", *(f"    {line}" for line in lines)]


def _depends_on(one: Dependency, arguments: List[str], indentation: int) -> List[str]:
    when = [f"when={_quoted(str(one.when))}"] if one.when else []
    return _call("depends_on", [_quoted(one.spec), *when, *arguments], indentation)


def _when(versions: str) -> List[str]:
    return [f"when={_quoted(f'@{versions}')}"] if versions else []


def _unsaid(recipe: Recipe) -> List[str]:
    if not recipe.unsaid:
        return []
    lines = ["# The metadata says more than this recipe can:"]
    return lines + [line for one in recipe.unsaid for line in _comment(str(one), "- ")]


def _call(name: str, arguments: Sequence[str], indentation: int = 4) -> List[str]:
    """A call as black writes it: on one line, or with its arguments on one, or on one each."""
    inner = ", ".join(arguments)
    if indentation + len(f"{name}({inner})") <= _WIDTH:
        return [f"{name}({inner})"]
    if indentation + 4 + len(inner) <= _WIDTH or len(arguments) == 1:
        return [f"{name}(", f"    {inner}", ")"]
    return [f"{name}(", *(f"    {one}," for one in arguments), ")"]


def _quoted(text: str) -> str:
    """A literal, of text that has been parsed and written anew; raises RecipeError."""
    if not _PLAIN.fullmatch(text):
        raise RecipeError(f"recipe: {text!r} cannot stand in a directive; report it")
    return f'"{text}"'


def _docstring(recipe: Recipe) -> List[str]:
    text = _printable(recipe.summary).replace('"', "'").replace("\\", "/")
    text = text.replace("# pyvarium:", "pyvarium:")[:_LONGEST_SUMMARY].rstrip()
    text = text or f"{recipe.project}, from PyPI."
    lines = textwrap.wrap(text, _DOCSTRING_WIDTH - 4, break_on_hyphens=False)
    if len(lines) == 1:
        return [f'    """{lines[0]}"""']
    return [f'    """{lines[0]}', *(f"    {line}" for line in lines[1:]), '    """']


def _comment(text: str, bullet: str = "") -> List[str]:
    """Indented where it goes on, so that no line of it can be a mark or an order to a tool."""
    return textwrap.wrap(
        _printable(text),
        _WIDTH - 4,
        initial_indent=f"# {bullet}",
        subsequent_indent=f"#   {' ' * len(bullet)}",
        break_on_hyphens=False,
    )


def _printable(text: str) -> str:
    """On one line, and without what could change how the lines around it are shown."""
    text = unicodedata.normalize("NFC", text)
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
