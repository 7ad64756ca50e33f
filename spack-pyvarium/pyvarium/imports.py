# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Find what a Python source imports, and under which circumstances. Pure: nothing is run.

A statement counts wherever it stands, with labels that tell what it depends on. Calls of
``import_module`` and ``__import__`` count where their argument can be told without running them.
"""

from __future__ import annotations

import ast
import bisect
import enum
import functools
import re
import sys
import warnings
from dataclasses import dataclass
from typing import (
    Any,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from .skeleton import may_import, skeleton


class Label(str, enum.Enum):
    """What an import depends on; one without any is required as soon as the file is run."""

    OPTIONAL = "optional"  # The file goes on without it.
    FALLBACK = "fallback"  # Only where another one is missing.
    CONDITIONAL = "conditional"  # Below an ``if`` or ``case``.
    LAZY = "lazy"  # When a function is called.
    TYPING = "typing"  # For type checkers.
    DYNAMIC = "dynamic"  # By a call.
    MAIN = "main"  # When the file is run, not when it is imported.
    ELSEWHERE = "elsewhere"  # For another version of Python, or another platform.


Labels = FrozenSet[Label]
NONE: Labels = frozenset()
#: A file goes on without what has one of these labels.
TRIED = frozenset((Label.OPTIONAL, Label.FALLBACK))
#: Without any of these labels an import is needed where it stands.
DISPENSABLE = TRIED | {Label.TYPING, Label.ELSEWHERE}
#: With any of these labels nothing happens when the file is imported.
_LATER = frozenset((Label.LAZY, Label.TYPING, Label.MAIN, Label.ELSEWHERE))


@dataclass(frozen=True)
class Host:
    """The python that is to run what is analyzed."""

    version: Tuple[int, int] = (sys.version_info[0], sys.version_info[1])
    platform: str = sys.platform


class Import(NamedTuple):
    """One name that a statement imports: ``from ..module import name``; None imports the module.

    ``level`` counts the leading dots, ``bound`` is the name by which the file then knows it.
    """

    module: str
    name: Optional[str]
    level: int
    line: int
    labels: Labels
    bound: Optional[str] = None

    @property
    def runs_on_import(self) -> bool:
        return not self.labels & _LATER


class UnparsableError(Exception):
    """A source is no Python, or none of the running version; the message says why."""


def parse(source: bytes, *, whole: bool = False) -> ast.Module:
    """Parse a source, by default only what can hold imports; raises UnparsableError."""
    if b"\0" in source:
        raise UnparsableError("is binary")
    if not whole and not may_import(source):
        return ast.Module([], [])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of escapes and the like: not ours to tell.
            if whole:
                return ast.parse(source)
            try:
                return ast.parse(skeleton(source))
            except SyntaxError:
                return ast.parse(source)  # The error is told as it stands there.
    except SyntaxError as error:
        line = f"line {error.lineno}: " if error.lineno else ""
        raise UnparsableError(
            f"is not valid for Python {sys.version_info[0]}.{sys.version_info[1]}"
            f" ({line}{_one_line(error.msg)})"
        ) from None
    except (RecursionError, MemoryError):
        raise UnparsableError("is nested too deeply") from None
    except (ValueError, LookupError) as error:  # Of its encoding.
        raise UnparsableError(f"cannot be decoded ({_one_line(str(error))})") from None


def imports_of(source: bytes, host: Host, *, whole: bool = False) -> Tuple[Import, ...]:
    """What a source imports, in the order of its lines; raises UnparsableError.

    Only if it is read as a ``whole`` is an error found wherever it is.
    """
    return _imports(parse(source, whole=whole), host, source)


def imports_of_function(source: bytes, name: str, host: Host) -> Optional[Tuple[Import, ...]]:
    """What a function or ``Class.method`` imports, itself and by all that it refers to.

    None where there is no such function; raises UnparsableError.
    """
    tree = parse(source, whole=True)
    module = _Names(tree)
    function = module.find(name)
    if function is None:
        return None
    reached, names = module.reached_from(function, name)
    found = [one for one in _imports(tree, host, source) if Label.LAZY not in one.labels]
    chosen = [one for one in found if one.bound in names]
    # What a star import brings is not known without looking: it may be any name that is left.
    if names - module.names - {one.bound for one in chosen} - _BUILTINS:
        chosen += [one for one in found if one.name == "*"]
    body = [one for node in reached for one in (node.body if _is_function(node) else [node])]
    own = _Walk(host, tree, source).walk(body)
    unique = dict.fromkeys((*chosen, *own))
    return tuple(sorted(unique, key=lambda one: (one.line, one.module, one.name or "")))


def _imports(tree: ast.Module, host: Host, source: bytes) -> Tuple[Import, ...]:
    found = _Walk(host, tree, source).walk(tree.body)
    return tuple(sorted(found, key=lambda one: one.line))


_LAZY = frozenset((Label.LAZY,))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_RENAMED = re.compile(rb"import_module[ \t]+as[ \t]+([A-Za-z_]\w*)")
#: Statements without others below them, of which most are.
_SIMPLE = {
    *(ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Raise, ast.Pass),
    *(ast.Assert, ast.Delete, ast.Global, ast.Nonlocal, ast.Break, ast.Continue),
}
_TRIES: Tuple[Any, ...] = (ast.Try, ast.TryStar) if sys.version_info >= (3, 11) else (ast.Try,)
_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_EXITS = {"exit", "quit", "_exit", "abort", "skip", "fail"}
_BUILTINS = frozenset(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)


class _Walk:
    """Collects the imports below some statements. A stack of its own: nesting knows no limit."""

    def __init__(self, host: Host, tree: ast.Module, source: bytes) -> None:
        self.host = host
        self.tree = tree
        self.found: List[Import] = []
        self.importers = {"__import__", "import_module"}
        if b"import_module" in source:
            self.importers.update(name.decode() for name in _RENAMED.findall(source))
        self.lines = _lines_with(self.importers, source)

    def walk(self, statements: Iterable[ast.AST]) -> List[Import]:
        waiting: List[Tuple[ast.AST, Labels]] = [(one, NONE) for one in statements]
        while waiting:
            node, labels = waiting.pop()
            kind = type(node)
            if kind in _SIMPLE:
                if self.lines and self.may_call(node):
                    self.calls(node, labels)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    self.found.append(Import(alias.name, None, 0, node.lineno, labels, bound))
            elif isinstance(node, ast.ImportFrom):
                module, level, line = node.module or "", node.level, node.lineno
                for alias in node.names:
                    bound = alias.asname or alias.name
                    self.found.append(Import(module, alias.name, level, line, labels, bound))
            elif isinstance(node, ast.stmt):
                if self.lines and self.may_call(node):
                    self.calls(node, labels)
                waiting.extend(self.below(node, labels))
        return self.found

    def may_call(self, node: Any) -> bool:
        """Whether a statement has a word in its lines that imports when it is called."""
        at = bisect.bisect_left(self.lines, node.lineno)
        return at < len(self.lines) and self.lines[at] <= (node.end_lineno or node.lineno)

    @functools.cached_property
    def constants(self) -> Mapping[str, str]:
        return _constants(self.tree)

    def below(self, node: ast.stmt, labels: Labels) -> Iterator[Tuple[ast.AST, Labels]]:
        """The statements within one, with what each of them depends on."""
        if isinstance(node, _FUNCTIONS):
            labels |= _LAZY
            yield from ((one, labels) for one in node.body)
        elif isinstance(node, ast.If):
            taken, other = (labels | one for one in self.branches(node.test))
            yield from ((one, taken) for one in node.body)
            yield from ((one, other) for one in node.orelse)
        elif isinstance(node, _TRIES):
            yield from self.attempt(node, labels)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            own = NONE
            if any(_suppresses_import_errors(one.context_expr) for one in node.items):
                own = frozenset((Label.OPTIONAL,))
            yield from ((one, labels | own) for one in node.body)
        elif isinstance(node, _MATCHES):
            for case in node.cases:
                yield from ((one, labels | {Label.CONDITIONAL}) for one in case.body)
        else:
            for name in ("body", "orelse"):
                yield from ((one, labels) for one in getattr(node, name, ()))

    def branches(self, test: ast.expr) -> Tuple[Labels, Labels]:
        """What the two branches of an ``if`` depend on."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            taken, other = self.branches(test.operand)
            return other, taken
        if _name(test) == "TYPE_CHECKING":
            return frozenset((Label.TYPING,)), NONE
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            first = frozenset().union(*(self.branches(one)[0] for one in test.values))
            return first, frozenset((Label.CONDITIONAL,))
        if isinstance(test, ast.Compare) and _name(test.left) == "__name__":
            return frozenset((Label.MAIN,)), frozenset((Label.CONDITIONAL,))
        holds = self.holds(test)
        conditional = frozenset((Label.CONDITIONAL,))
        elsewhere = conditional | {Label.ELSEWHERE}
        if holds is None:
            return conditional, conditional
        return (conditional, elsewhere) if holds else (elsewhere, conditional)

    def holds(self, test: ast.expr) -> Optional[bool]:
        """Whether a test of Python's version or the platform holds; None where it is another."""
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            if isinstance(test, ast.Call) and _dotted(test.func) == "sys.platform.startswith":
                start = _literal(test.args[0]) if len(test.args) == 1 else None
                return self.host.platform.startswith(start) if isinstance(start, str) else None
            return None
        left, value = _dotted(test.left), _literal(test.comparators[0])
        here: Any = {
            "sys.version_info": self.host.version,
            "sys.version_info[0]": self.host.version[0],
            "sys.version_info.major": self.host.version[0],
            "sys.version_info[:2]": self.host.version,
            "sys.platform": self.host.platform,
            "os.name": "nt" if self.host.platform == "win32" else "posix",
        }.get(left or "")
        if isinstance(here, tuple) and isinstance(value, tuple):
            # ``sys.version_info`` is longer than what it is compared with.
            value = value[:2]
            here = (*here, 0) if left == "sys.version_info" else here
        elif type(here) is not type(value) or here is None:
            return None
        try:
            return bool(_COMPARISONS[type(test.ops[0])](here, value))
        except (KeyError, TypeError):
            return None

    def attempt(self, node: Any, labels: Labels) -> Iterator[Tuple[ast.AST, Labels]]:
        """A ``try``: what fails to be imported in it may be optional, by what is caught how."""
        caught = [one for one in node.handlers if _catches_import_errors(one.type)]
        optional = bool(caught) and not all(_leaves(one.body) for one in caught)
        tried = labels | {Label.OPTIONAL} if optional else labels
        yield from ((one, tried) for one in (*node.body, *node.orelse))
        for handler in node.handlers:
            own = Label.FALLBACK if handler in caught else Label.CONDITIONAL
            yield from ((one, labels | {own}) for one in handler.body)
        yield from ((one, labels) for one in node.finalbody)

    def calls(self, statement: ast.AST, labels: Labels) -> None:
        """Imports by calls in the expressions of one statement, not in the statements below."""
        waiting = list(ast.iter_child_nodes(statement))
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.stmt, ast.ExceptHandler, *_CASES)):
                continue
            if isinstance(node, ast.Call) and node.args and _name(node.func) in self.importers:
                self.call(node, labels | {Label.DYNAMIC})
            waiting.extend(ast.iter_child_nodes(node))

    def call(self, node: ast.Call, labels: Labels) -> None:
        name = self.fold(node.args[0])
        if name is None:
            return
        module = name.lstrip(".")
        if all(part.isidentifier() for part in module.split(".")) or (not module and name):
            self.found.append(Import(module, None, len(name) - len(module), node.lineno, labels))

    def fold(self, node: ast.expr) -> Optional[str]:
        """The text that an expression is for sure; None where that depends."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self.constants.get(node.id)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [self.fold(node.left), self.fold(node.right)]
        elif isinstance(node, ast.JoinedStr):
            parts = [
                self.fold(one.value if isinstance(one, ast.FormattedValue) else one)
                for one in node.values
            ]
        else:
            return None
        return None if None in parts else "".join(one for one in parts if one is not None)


class _Names:
    """Which definition or assignment stands behind each name at the top level of a module."""

    def __init__(self, tree: ast.Module) -> None:
        self.behind: Dict[str, List[ast.AST]] = {}
        waiting: List[ast.AST] = list(tree.body)
        while waiting:
            node = waiting.pop(0)
            if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                self.behind.setdefault(node.name, []).append(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
                for name in _stored(node):
                    self.behind.setdefault(name, []).append(node)
            elif isinstance(node, (ast.stmt, ast.ExceptHandler)):
                waiting.extend(ast.iter_child_nodes(node))

    @property
    def names(self) -> Set[str]:
        return set(self.behind)

    def find(self, name: str) -> Optional[Any]:
        """The function of that name; the last of several, as when the module is run."""
        owner, _, method = name.rpartition(".")
        nodes = self.behind.get(name, [])
        for part in owner.split(".") if owner else ():
            nodes = [one for one in self.behind.get(part, []) if isinstance(one, ast.ClassDef)]
            inside: List[Any] = [one for body in nodes for one in getattr(body, "body", ())]
            nodes = [one for one in inside if _is_function(one) and one.name == method]
        functions = [one for one in nodes if isinstance(one, _FUNCTIONS)]
        return functions[-1] if functions else None

    def reached_from(self, function: Any, name: str) -> Tuple[List[Any], Set[str]]:
        """All nodes that a function refers to, itself first, and the names that they use."""
        owner = name.rpartition(".")[0]
        reached: List[Any] = []
        names: Set[str] = set()
        waiting = [function]
        while waiting:
            node = waiting.pop(0)
            if node in reached:
                continue
            reached.append(node)
            used = _used(node)
            names |= used
            waiting.extend(other for one in sorted(used) for other in self.behind.get(one, ()))
            if owner and _is_function(node):
                methods = (self.find(f"{owner}.{one}") for one in sorted(_of_self(node)))
                waiting.extend(one for one in methods if one is not None)
        return reached, names


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, _FUNCTIONS)


def _used(node: ast.AST) -> Set[str]:
    """The names that a definition uses and does not itself define."""
    loaded: Set[str] = set()
    stored: Set[str] = set()
    outer: Set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            (loaded if isinstance(one.ctx, ast.Load) else stored).add(one.id)
        elif isinstance(one, ast.arg):
            stored.add(one.arg)
        elif isinstance(one, ast.Global):
            outer.update(one.names)
    return loaded - (stored - outer) if _is_function(node) else loaded


def _of_self(node: Any) -> Set[str]:
    """The attributes of a method's first argument."""
    first = next(iter((*node.args.posonlyargs, *node.args.args)), None)
    return {
        one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute)
        and isinstance(one.value, ast.Name)
        and first is not None
        and one.value.id == first.arg
    }


def _stored(node: ast.AST) -> Set[str]:
    return {
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }


def _lines_with(words: Iterable[str], source: bytes) -> List[int]:
    """The numbers of the lines that have any of these words, sorted."""
    encoded = [word.encode() for word in words]
    if not any(word in source for word in encoded):
        return []
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines: List[int] = []
    line, start = 1, 0
    for match in re.finditer(b"|".join(map(re.escape, encoded)), source):
        line += source.count(b"\n", start, match.start())
        start = match.start()
        lines.append(line)
    return lines


def _constants(tree: ast.Module) -> Mapping[str, str]:
    """Names that are given one text at the top level and nothing else anywhere."""
    values: Dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    values[target.id] = node.value.value
    times: Dict[str, int] = dict.fromkeys(values, 0)
    for one in ast.walk(tree):
        name = one.arg if isinstance(one, ast.arg) else getattr(one, "id", None)
        if name in times and not isinstance(getattr(one, "ctx", None), ast.Load):
            times[name] += 1
    return {name: value for name, value in values.items() if times[name] == 1}


def _catches_import_errors(caught: Optional[ast.expr]) -> bool:
    if caught is None:
        return True
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(_name(one) in _IMPORT_ERRORS for one in kinds)


def _suppresses_import_errors(context: ast.expr) -> bool:
    return (
        isinstance(context, ast.Call)
        and _name(context.func) == "suppress"
        and any(_name(one) in _IMPORT_ERRORS for one in context.args)
    )


def _leaves(body: List[ast.stmt]) -> bool:
    """Whether a handler ends the program, so that what it is for is required after all."""
    last = body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return _name(last.value.func) in _EXITS
    return isinstance(last, ast.Raise)


def _name(node: ast.AST) -> Optional[str]:
    """The last part of a dotted name."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def _dotted(node: ast.AST) -> Optional[str]:
    try:
        return ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Subscript)) else None
    except RecursionError:
        return None


def _literal(node: ast.AST) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _one_line(text: str) -> str:
    return " ".join(text.split())


_MATCHES: Tuple[Any, ...] = (ast.Match,) if sys.version_info >= (3, 10) else ()
_CASES: Tuple[Any, ...] = (ast.match_case,) if sys.version_info >= (3, 10) else ()
_COMPARISONS: Mapping[Any, Any] = {
    ast.Eq: lambda one, other: one == other,
    ast.NotEq: lambda one, other: one != other,
    ast.Lt: lambda one, other: one < other,
    ast.LtE: lambda one, other: one <= other,
    ast.Gt: lambda one, other: one > other,
    ast.GtE: lambda one, other: one >= other,
}
