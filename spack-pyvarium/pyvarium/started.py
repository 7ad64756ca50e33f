# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a script of Python starts, from its syntax tree: other scripts, and programs that build.

Only what stands there plainly is seen: a list whose first word is a program, a command as a text,
a script that is given to a python. Nothing of it is ever run.
"""

from __future__ import annotations

import ast
import re
from typing import Iterable, Iterator, List, Mapping, Sequence, Set, Tuple

#: Programs that build something: these, and all that build what lies around as make does.
_PROGRAMS: Mapping[str, str] = {
    "cargo": "cargo",
    "cmake": "cmake",
    **dict.fromkeys("make gmake qmake cc gcc clang c++ g++ clang++ gfortran".split(), "make"),
}
#: Functions that start a command, and those that run a script in this process.
_STARTS = re.compile(r"(check_)?(call|output)|run|Popen|popen|system|spawn|execute|get\w*output")
_RUNS_SCRIPT = ("run_path", "execfile")
_LOOKS_FOR = ("which", "find_executable")
_COMMANDS = re.compile(r"(?:^|&&|\|\||[;|(`\n])\s*(?:\S*/)?([\w+-]+)")
_SCRIPT_OF_COMMAND = re.compile(r"\bpython[\d.]*\s+(?:-\w\s+)*([\w./-]+\.py)\b")
_NAME_OF_SCRIPT = re.compile(r"[\w.-]+(/[\w.-]+)*\.py")


def started(
    nodes: Sequence[ast.AST], assigned: Mapping[str, Sequence[ast.expr]]
) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """The scripts that are started, by as much of their paths as is told, and the programs.

    A program is left out where the script goes on without it. ``assigned`` is all that is assigned
    to each name.
    """
    scripts: Set[str] = set()
    programs: Set[str] = set()
    tried = {id(one) for node in nodes if isinstance(node, ast.Try) for one in _tried(node)}
    nodes = [one for one in nodes if id(one) not in tried]
    calls = [one for one in nodes if isinstance(one, ast.Call)]
    for call in calls:
        name, first = _name_of(call.func), call.args[0] if call.args else None
        if name in _RUNS_SCRIPT:
            scripts.update(_scripts([first] if first is not None else [], assigned))
        elif name in _LOOKS_FOR and isinstance(first, ast.Constant):
            programs.update(_programs([str(first.value)]))
        elif first is not None and _STARTS.fullmatch(name):
            text = "".join(_texts(first))
            programs.update(_programs(_COMMANDS.findall(text)))
            scripts.update(_SCRIPT_OF_COMMAND.findall(text))
    if any(_STARTS.fullmatch(_name_of(one.func)) for one in calls):
        for node in nodes:
            if isinstance(node, (ast.List, ast.Tuple)) and node.elts:
                first = node.elts[0]
                word = first.value if isinstance(first, ast.Constant) else None
                if isinstance(word, str):
                    programs.update(_programs([word]))
                if _name_of(first) == "executable" or str(word).startswith("python"):
                    scripts.update(_scripts(node.elts[1:], assigned))
    return tuple(sorted(scripts)), tuple(sorted(programs))


def _programs(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        name = word.rpartition("/")[2].partition(".exe")[0]
        if name in _PROGRAMS:
            yield _PROGRAMS[name]


def _tried(node: ast.Try) -> Iterator[ast.AST]:
    """What stands in a ``try`` of which each error is caught, and nothing made of it."""
    inside = [one for handler in node.handlers for one in ast.walk(handler)]
    ends = any(
        isinstance(one, ast.Raise) or (isinstance(one, ast.Call) and _name_of(one.func) == "exit")
        for one in inside
    )
    if node.handlers and not ends:
        for statement in node.body:
            yield from ast.walk(statement)


def _scripts(
    nodes: Iterable[ast.expr], assigned: Mapping[str, Sequence[ast.expr]]
) -> Iterator[str]:
    """The first of some words that is the path of a script, as far as it is written there."""
    for node in nodes:
        path = "/".join(_path(node, assigned, set())).lstrip("./")
        if _NAME_OF_SCRIPT.fullmatch(path):
            yield path
            return


def _path(node: ast.expr, assigned: Mapping[str, Sequence[ast.expr]], seen: Set[str]) -> List[str]:
    """The parts of a path, from the last one that is known not to be to the end."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Name) and node.id not in seen and len(assigned.get(node.id, ())) == 1:
        seen.add(node.id)
        return _path(assigned[node.id][0], assigned, seen)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _joined([node.left, node.right], assigned, seen)
    if isinstance(node, ast.Call) and _name_of(node.func) in ("str", "abspath", "realpath"):
        return _joined(node.args, assigned, seen)
    if isinstance(node, ast.Call) and _name_of(node.func) in ("join", "joinpath", "Path"):
        return _joined(node.args, assigned, seen)
    return []


def _joined(
    nodes: Iterable[ast.expr], assigned: Mapping[str, Sequence[ast.expr]], seen: Set[str]
) -> List[str]:
    parts: List[str] = []
    for node in nodes:
        some = _path(node, assigned, seen)
        parts = [*parts, *some] if some else []
    return parts


def _texts(node: ast.expr) -> Iterator[str]:
    """What of a command is written there, with a blank for what is put into it."""
    if isinstance(node, ast.Constant):
        yield node.value if isinstance(node.value, str) else ""
    elif isinstance(node, ast.JoinedStr):
        for one in node.values:
            yield from _texts(one)
    elif isinstance(node, ast.BinOp):
        yield from _texts(node.left)
        yield from _texts(node.right)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format":
            yield from _texts(node.func.value)
    else:
        yield " "


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
