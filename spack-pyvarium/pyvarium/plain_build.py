# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What of a setup.py a plain build passes over, from its syntax tree. Nothing of it is ever run.

A build is plain if it is told nothing: no option on the command line, no variable; and its python
is one that Spack may have. What stands below ``if "--with-cython" in sys.argv`` is for those who
ask for it. Whatever is not certain counts as run.
"""

from __future__ import annotations

import ast
from typing import Any, Dict, Iterable, List, Mapping, Set, Tuple

#: Words that the command line of a build may well have.
_COMMANDS = frozenset(
    "bdist bdist_wheel build build_clib build_ext build_py develop dist_info editable_wheel"
    " egg_info install sdist".split()
)
#: Variables that the environment of a build may well have.
_VARIABLES = frozenset(
    "AR CC CFLAGS CPATH CPPFLAGS CXX CXXFLAGS F77 F90 FC FFLAGS HOME LANG LD LDFLAGS LIBRARY_PATH"
    " MAKEFLAGS PATH PWD TMPDIR USER".split()
)
#: No python of a build is older.
_OLDEST = (3, 6)


class _Unknown:
    """What is not known, or can be one or the other."""


_UNKNOWN = _Unknown()
_Values = Dict[str, Any]


def plain(tree: ast.Module) -> Tuple[ast.Module, Set[int]]:
    """The script without what a plain build never comes to.

    Also the ``id`` of each node of it that such a build may, or may not come to.
    """
    maybe: Set[int] = set()
    return ast.Module(body=_run(tree.body, {}, maybe), type_ignores=[]), maybe


def _run(body: Iterable[ast.stmt], values: _Values, maybe: Set[int]) -> List[ast.stmt]:
    """Follow statements in their order, noting what they assign; those that are come to."""
    kept: List[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If):
            kept += _run_if(node, values, maybe)
            continue
        kept.append(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            # It runs later, when names may be something else.
            node.body = _run(node.body, {}, maybe)
            values[node.name] = _UNKNOWN
        elif isinstance(node, (ast.Try, ast.For, ast.AsyncFor, ast.While, ast.With)):
            _forget(node, values)
            for block in (node, *getattr(node, "handlers", ())):
                for name in ("body", "orelse", "finalbody"):
                    setattr(block, name, _run(getattr(block, name, ()), values, maybe))
            _forget(node, values)
            if not isinstance(node, ast.With):
                maybe.update(map(id, ast.walk(node)))
        else:
            _Chosen(values).visit(node)
            value = _UNKNOWN
            if isinstance(node, ast.Assign):
                value = _value(node.value, values)
            _forget(node, values)
            for target in node.targets if isinstance(node, ast.Assign) else ():
                if isinstance(target, ast.Name):
                    values[target.id] = value
    return kept


def _run_if(node: ast.If, values: _Values, maybe: Set[int]) -> List[ast.stmt]:
    test = _value(node.test, values)
    if test is not _UNKNOWN:
        return _run(node.body if test else node.orelse, values, maybe)
    other = dict(values)
    node.body, node.orelse = _run(node.body, values, maybe), _run(node.orelse, other, maybe)
    maybe.update(map(id, ast.walk(node)))
    for name in values.keys() | other.keys():
        if not _same(values.get(name, _UNKNOWN), other.get(name, _UNKNOWN)):
            values[name] = _UNKNOWN
    return [node]


class _Chosen(ast.NodeTransformer):
    """Puts the branch that is taken for an expression that has two."""

    def __init__(self, values: _Values) -> None:
        self._values = values

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        test = _value(node.test, self._values)
        if test is _UNKNOWN:
            return self.generic_visit(node)
        found: ast.AST = self.visit(node.body if test else node.orelse)
        return found


def _forget(node: ast.AST, values: _Values) -> None:
    """Take it that names which are assigned to anywhere below are not known."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
            values[inner.id] = _UNKNOWN
        elif isinstance(inner, ast.alias):
            values[(inner.asname or inner.name).partition(".")[0]] = _UNKNOWN


def _same(one: Any, other: Any) -> bool:
    return one is not _UNKNOWN and type(one) is type(other) and bool(one == other)


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """What an expression is in a plain build: a constant, or ``_UNKNOWN``."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values.get(node.id, _UNKNOWN)
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        each = [_value(one, values) for one in node.elts]
        return _UNKNOWN if _UNKNOWN in each else tuple(each)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _value(node.operand, values)
        return inner if inner is _UNKNOWN else not inner
    if isinstance(node, ast.BoolOp):
        return _both_or_either(node, values)
    if isinstance(node, ast.IfExp):
        test = _value(node.test, values)
        if test is not _UNKNOWN:
            return _value(node.body if test else node.orelse, values)
        body, orelse = _value(node.body, values), _value(node.orelse, values)
        return body if _same(body, orelse) else _UNKNOWN
    if _part_of_version(node) == "major":
        return 3
    if isinstance(node, ast.Attribute) and node.attr in ("PY2", "PY3"):  # Of six.
        return node.attr == "PY3"
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _compared(node.left, node.ops[0], node.comparators[0], values)
    if isinstance(node, ast.Call):
        return _called(node, values)
    return _UNKNOWN


def _both_or_either(node: ast.BoolOp, values: Mapping[str, Any]) -> Any:
    decides = isinstance(node.op, ast.Or)
    found = [_value(one, values) for one in node.values]
    for one in found:
        if one is not _UNKNOWN and bool(one) == decides:
            # One before it that is not known would have the same outcome.
            return one if found[0] is one else decides
    return _UNKNOWN if _UNKNOWN in found else found[-1]


def _compared(
    left: ast.expr, operator: ast.cmpop, right: ast.expr, values: Mapping[str, Any]
) -> Any:
    given = _value(left, values)
    if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(given, str):
        absent = (_is(right, "argv") and given not in _COMMANDS) or (
            _is(right, "environ") and given not in _VARIABLES
        )
        if absent:
            return isinstance(operator, ast.NotIn)
    other = _value(right, values)
    is_word = isinstance(left, ast.Subscript) and _is(left.value, "argv")
    if is_word and isinstance(other, str) and isinstance(operator, (ast.Eq, ast.NotEq)):
        return _UNKNOWN if other in _COMMANDS else isinstance(operator, ast.NotEq)
    part = _part_of_version(left)
    if part in ("all", "minor"):
        return _of_version(operator, other, _OLDEST if part == "all" else _OLDEST[1])
    if given is _UNKNOWN or other is _UNKNOWN:
        return _UNKNOWN
    if isinstance(operator, (ast.Is, ast.Eq)):
        return given == other
    if isinstance(operator, (ast.IsNot, ast.NotEq)):
        return given != other
    if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(other, tuple):
        return (given in other) == isinstance(operator, ast.In)
    if isinstance(given, int) and isinstance(other, int):
        if isinstance(operator, (ast.Lt, ast.GtE)):
            return (given < other) == isinstance(operator, ast.Lt)
        return (given > other) == isinstance(operator, ast.Gt)
    return _UNKNOWN


def _part_of_version(node: ast.expr) -> str:
    """Whether that is ``sys.version_info``: ``all`` of it, or its ``major`` or ``minor``."""
    if isinstance(node, ast.Attribute) and node.attr in ("major", "minor"):
        return node.attr if _part_of_version(node.value) == "all" else ""
    if isinstance(node, ast.Subscript) and _part_of_version(node.value) == "all":
        if not isinstance(node.slice, ast.Constant):
            return "all"  # As ``[:2]``.
        return "major" if node.slice.value == 0 else "minor" if node.slice.value == 1 else ""
    return "all" if isinstance(node, ast.Attribute) and node.attr == "version_info" else ""


def _of_version(operator: ast.cmpop, other: Any, oldest: Any) -> Any:
    """What a comparison of the version of python with another one is, if it is sure."""
    if type(other) is not type(oldest) or not (
        isinstance(other, int) or all(isinstance(one, int) for one in other)
    ):
        return _UNKNOWN
    if isinstance(operator, (ast.Lt, ast.GtE)) and other <= oldest:
        return isinstance(operator, ast.GtE)
    if isinstance(operator, (ast.LtE, ast.Gt, ast.Eq, ast.NotEq)) and other < oldest:
        return isinstance(operator, (ast.Gt, ast.NotEq))
    return _UNKNOWN


def _called(node: ast.Call, values: Mapping[str, Any]) -> Any:
    """Of the few calls that a condition has: a variable, what is in it, and a set of options."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    name = node.func.id if isinstance(node.func, ast.Name) else name
    of = node.func.value if isinstance(node.func, ast.Attribute) else None
    given = [_value(one, values) for one in node.args]
    if name == "getenv" or (name == "get" and of is not None and _is(of, "environ")):
        if not given or not isinstance(given[0], str) or given[0] in _VARIABLES:
            return _UNKNOWN
        return given[1] if len(given) > 1 else None
    if name == "intersection" and of is not None and len(node.args) == 1:
        words = _value(of, values)
        if isinstance(words, tuple) and _is(node.args[0], "argv"):
            return _UNKNOWN if _COMMANDS.intersection(map(str, words)) else ()
    if name in ("lower", "upper", "strip") and of is not None and not node.args:
        text = _value(of, values)
        return getattr(text, name)() if isinstance(text, str) else _UNKNOWN
    if name in ("bool", "int") and of is None and len(given) == 1 and given[0] is not _UNKNOWN:
        try:
            return bool(given[0]) if name == "bool" else int(given[0])
        except (ValueError, TypeError):
            return _UNKNOWN
    return _UNKNOWN


def _is(node: ast.expr, name: str) -> bool:
    """Whether an expression is ``sys.argv`` or ``os.environ``, or a part of the first."""
    if isinstance(node, ast.Subscript):
        return name == "argv" and _is(node.value, name)
    return (isinstance(node, ast.Attribute) and node.attr == name) or (
        isinstance(node, ast.Name) and node.id == name
    )
