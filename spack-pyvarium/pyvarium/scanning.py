# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read scripts, directories and notebooks, and the local modules that they import.

Only files are read; what cannot be is skipped, with a reason, and the rest goes on. A script's own
block of metadata (https://packaging.python.org/en/latest/specifications/inline-script-metadata/)
and what a notebook has pip install are requests.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import stat
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import (
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
)

from .errors import PyvariumError
from .imports import (
    NONE,
    Host,
    Import,
    Labels,
    UnparsableError,
    imports_of,
    imports_of_function,
)
from .layout import Place, Role, python_files
from .model import Skipped
from .notebook import parse_notebook
from .ways import INIT, NOT_RUN, Ways, add_way, reached

#: What is larger was not written by hand, and would take more memory than there may be.
LARGEST = 8 * 1024 * 1024
STDIN = Path("-")
#: So many files are worth the start of further processes.
_MANY = 200

_RANKS = list(Role).index
_CYTHON = ".pyx"
_NOTEBOOK = ".ipynb"
_COMPILED = (".so", ".pyd", ".pyx")
_BLOCK = re.compile(
    rb"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(?:^#(?:| .*)$\s)+)^# ///$"
)

ReadStdin = Callable[[], bytes]


@dataclass(frozen=True)
class Source:
    """One file: what it imports, and what it asks for by name.

    ``function`` tells whether the function that was asked for is in it.
    """

    file: str
    path: Path
    imports: Tuple[Tuple[str, Import], ...] = ()
    """Each with its place, as ``file.py:3``."""
    requests: Tuple[Tuple[str, str], ...] = ()
    requires_python: Optional[str] = None
    declared: bool = False
    """Whether it says in a block what it needs."""
    skipped: Tuple[Skipped, ...] = ()
    read: bool = True
    function: bool = False
    role: Role = Role.RUN
    reached: Labels = NONE
    """On what it depends that the file is imported at all."""


@dataclass(frozen=True)
class Local:
    """What a module's name leads to beside the file that imports it.

    A ``namespace``, a directory without ``__init__.py``, is found after all that is installed.
    """

    name: str
    files: Tuple[str, ...]
    namespace: bool = False


@dataclass(frozen=True)
class Scan:
    """All that was read; ``local`` tells what the imports lead to that are no distributions."""

    sources: Tuple[Source, ...]
    local: LocalModules
    skipped: Tuple[Skipped, ...]


def scan(
    paths: Sequence[Path],
    host: Host,
    *,
    toplevel: bool = False,
    function: Optional[str] = None,
    read_stdin: Optional[ReadStdin] = None,
) -> Scan:
    """Read what is named, and the local modules that it imports; raises PyvariumError."""
    skipped: List[Skipped] = []
    named: List[Path] = []
    found: Dict[Path, Place] = {}
    roots: List[Path] = []
    for path in paths:
        if path != STDIN and os.path.isdir(path):
            errors: List[OSError] = []
            below = list(python_files(path, errors.append))
            skipped += [_unreadable(Path(one.filename), one) for one in errors]
            roots += [one for one in (path, path / "src") if os.path.isdir(one)]
            for place in below:  # What is named by itself is meant.
                found[place.path] = min(place, found.get(place.path, place), key=_order)
            if not (below or errors):
                skipped.append(Skipped(shown(path), "has no Python in it"))
        else:
            named.append(path)
    local = LocalModules(tuple(roots), frozenset(map(_absolute, named)))
    read = functools.partial(read_source, host=host, toplevel=toplevel)
    given = {STDIN: read_stdin()} if read_stdin is not None and STDIN in named else {}
    sources = [
        read(one, function=function, whole=True, data=given.get(one))
        for one in dict.fromkeys(named)
    ]
    several = functools.partial(read, function=function)
    below_any = [one for one in found if one not in set(named)]
    read_below = (replace(one, role=found[one.path].role) for one in _each(several, below_any))
    # What they lead to is found while further ones are read.
    waiting: Iterable[Source] = itertools.chain(sources, read_below)
    if function is not None:
        waiting = list(waiting)
        _require_function(function, waiting)
    ways: Ways = {}
    sources = []
    while waiting:
        first = len(sources)
        for source in waiting:
            sources.append(source)
            leading = ways[str(source.path)] = {}
            search = local.search(source.path)
            for _, one in source.imports:
                for name in local.files(search, one):
                    add_way(leading, name, one.labels)
        behind = _behind(sources[first:], ways)
        # A link may lead to what is known by another name.
        seen = {_absolute(one.path) for one in sources} if behind else set()
        new = [Path(one) for one in behind if os.path.realpath(one) not in seen]
        waiting = [
            replace(one, requests=(), declared=False, role=behind[str(one.path)])
            for one in _each(read, new)
        ]
    sources = _with_ways(sources, ways)
    skipped += [one for source in sources for one in source.skipped]
    return Scan(tuple(sources), local, tuple(skipped))


def _order(place: Place) -> int:
    return _RANKS(place.role)


def _behind(sources: Sequence[Source], ways: Ways) -> Dict[str, Role]:
    """The files that some lead to and that are not read yet, with what they are there for."""
    behind: Dict[str, Role] = {}
    for source in sources:
        for name, labels in ways[str(source.path)].items():
            if name not in ways and not NOT_RUN & labels:
                behind[name] = min(source.role, behind.get(name, source.role), key=_RANKS)
    return behind


def _is_copy(source: Source) -> bool:
    return source.role is Role.VENDORED


def _with_ways(sources: Sequence[Source], ways: Ways) -> List[Source]:
    """The sources with what each depends on by the ways to it."""
    own = {str(one.path) for one in sources if one.role is Role.RUN}
    copies = {str(one.path) for one in sources if _is_copy(one)}
    by_name = reached(own, copies, ways)
    return [
        replace(one, reached=labels, role=Role.RUN)
        if (labels := by_name.get(str(one.path))) or (labels is not None and _is_copy(one))
        else one
        for one in sources
    ]


def read_source(
    path: Path,
    host: Host,
    *,
    toplevel: bool = False,
    function: Optional[str] = None,
    whole: bool = False,
    data: Optional[bytes] = None,
) -> Source:
    """Read one file. A fault of it is told in the answer, so that the others can be read."""
    file = "<stdin>" if path == STDIN else shown(path)
    try:
        data = _read(path) if data is None else _limited(data)
        if path.suffix == _NOTEBOOK or (path == STDIN and data.lstrip()[:1] == b"{"):
            return _read_notebook(path, file, data, host, toplevel, function)
        cython = path.suffix == _CYTHON
        imports, has_function = _imports(data, host, toplevel, function, whole, cython)
        requests, python, declared = _block(data, file)
    except UnparsableError as error:
        return Source(file, path, skipped=(Skipped(file, str(error)),), read=False)
    except PyvariumError as error:
        subject, _, reason = str(error).partition(": ")
        return Source(file, path, skipped=(Skipped(subject, reason),), read=False)
    return Source(
        file,
        path,
        tuple((f"{file}:{one.line}", one) for one in imports),
        requests,
        python,
        declared,
        function=has_function,
    )


def _unreadable(path: Path, error: OSError) -> Skipped:
    return Skipped(shown(path), f"cannot be read ({error.strerror})")


def shown(path: Path) -> str:
    """A path as it can be printed, whatever bytes are in it."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _imports(
    data: bytes,
    host: Host,
    toplevel: bool,
    function: Optional[str],
    whole: bool,
    cython: bool = False,
) -> Tuple[Tuple[Import, ...], bool]:
    if function is not None:
        if cython:
            return (), False
        used = imports_of_function(data, function, host)
        return used or (), used is not None
    if cython:
        from .cython_source import imports_of_cython  # Few have any.

        imports = imports_of_cython(data)
    else:
        imports = imports_of(data, host, whole=whole)
    return tuple(one for one in imports if one.runs_on_import or not toplevel), False


def _read_notebook(
    path: Path, file: str, data: bytes, host: Host, toplevel: bool, function: Optional[str]
) -> Source:
    notebook = parse_notebook(data)
    imports, has_function = _imports(notebook.source, host, toplevel, function, True)

    def place(line: int) -> str:
        return "{}[{}]:{}".format(file, *notebook.place(line))

    return Source(
        file,
        path,
        tuple((place(one.line), one) for one in imports),
        tuple((place(line), text) for line, text in notebook.requests),
        skipped=tuple(Skipped(f"{file}[{cell}]", why) for cell, why in notebook.skipped),
        read=bool(notebook.source.strip()) or not notebook.skipped,
        function=has_function,
    )


def _block(data: bytes, file: str) -> Tuple[Tuple[Tuple[str, str], ...], Optional[str], bool]:
    """What the block of a script asks for (PEP 723)."""
    if b"# /// script" not in data:
        return (), None, False
    text = data.replace(b"\r\n", b"\n")
    blocks = [one for one in _BLOCK.finditer(text) if one["type"] == b"script"]
    if not blocks:
        return (), None, False
    if len(blocks) > 1:
        raise UnparsableError("has several blocks '# /// script'; leave one")
    from . import toml_text  # Few scripts have one, and its library is slow to import.

    lines = blocks[0]["content"].decode("utf-8", "replace").splitlines(keepends=True)
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    table = toml_text.parse(content, file)
    asked = table.get("dependencies", [])
    python = table.get("requires-python")
    if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked):
        raise UnparsableError("has a block whose 'dependencies' is no list of strings; mend it")
    line = text.count(b"\n", 0, blocks[0].start()) + 1
    return (
        tuple((f"{file}:{line}", one) for one in asked),
        python if isinstance(python, str) else None,
        "dependencies" in table,
    )


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_open) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise UnparsableError("is no regular file")
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UnparsableError(f"cannot be read ({error.strerror})") from None
    except ValueError:
        raise UnparsableError("cannot be read (its name has a NUL)") from None
    return _limited(data)


def _open(path: str, flags: int) -> int:
    """Without waiting for whoever writes into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _limited(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise UnparsableError(f"is larger than {LARGEST // 1024 // 1024} MiB")
    return data


def _require_function(function: str, sources: Iterable[Source]) -> None:
    sources = tuple(sources)
    if any(one.read for one in sources) and not any(one.function for one in sources):
        where = ", ".join(one.file for one in sources[:3] if one.read)
        raise PyvariumError(
            f"--function {function}: is not in {where}; name a function, or a method as"
            " Class.method, that is at the top level"
        )


def _each(read: Callable[[Path], Source], paths: List[Path]) -> Iterator[Source]:
    """Read files in their order, on all cores where they are many."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    done = 0
    if len(paths) >= _MANY and cores > 1 and sys.platform == "linux":
        import concurrent.futures.process  # Slow to import, for what is rarely needed.
        import multiprocessing

        try:
            # A fork has all that is imported here, and starts in a millisecond.
            context = multiprocessing.get_context("fork")
            with concurrent.futures.ProcessPoolExecutor(cores, mp_context=context) as pool:
                for source in pool.map(read, paths, chunksize=min(32, len(paths) // cores)):
                    yield source
                    done += 1
        except (OSError, concurrent.futures.process.BrokenProcessPool):
            pass  # Semaphores or memory are short.
    yield from map(read, paths[done:])


def _absolute(path: Path) -> str:
    return os.path.realpath(path)


@dataclass(frozen=True)
class _Folder:
    """What a directory has; ``compiled`` are the stems of its compiled modules."""

    names: FrozenSet[str]
    compiled: FrozenSet[str]
    has_python: bool


#: The module, the name and the level of an import.
Key = Tuple[str, Optional[str], int]


@dataclass(frozen=True, eq=False)
class Search:
    """Where to look for what a file imports, and what was found there.

    It is the same object for all files that have the same answers.
    """

    folder: str
    """For a relative import."""
    roots: Tuple[str, ...]
    found: Dict[Key, Optional[Local]] = field(default_factory=dict)


_NO_FOLDER = _Folder(frozenset(), frozenset(), False)
#: What declares a namespace has nothing else in it.
_SHORT = 2000


class LocalModules:
    """Finds the modules that stand beside the files that import them. Remembers directories."""

    def __init__(self, roots: Tuple[Path, ...], scripts: FrozenSet[str]) -> None:
        self._roots = tuple(map(str, roots))
        self._scripts = scripts
        self._folders: Dict[str, _Folder] = {}
        self._tops: Dict[str, str] = {}
        self._names: Dict[str, str] = {}
        self._shared: Dict[str, bool] = {}
        self._searches: Dict[Tuple[str, bool], Search] = {}

    def find(self, search: Search, one: Import) -> Optional[Local]:
        """What an import of a file leads to; None where nothing local has that name."""
        key = one[:3]
        if key not in search.found:
            module = ".".join(part for part in (one.module, one.name) if part and part != "*")
            search.found[key] = (
                self._relative(search.folder, one.level, module, bool(one.module))
                if one.level
                else self._on_path(search.roots, module)
            )
        return search.found[key]

    def files(self, search: Search, one: Import) -> Tuple[str, ...]:
        """The sources that an import runs."""
        found = self.find(search, one)
        return found.files if found is not None else ()

    def search(self, importer: Path) -> Search:
        """Where to look for what a file imports."""
        folder = os.path.dirname(str(importer)) if importer != STDIN else ""
        is_script = importer == STDIN or (
            bool(self._scripts) and os.path.realpath(importer) in self._scripts
        )
        key = folder, is_script
        if key not in self._searches:
            own = [folder] if is_script else []
            roots = tuple(dict.fromkeys((*own, self._top(folder), *self._roots)))
            self._searches[key] = Search(folder, roots)
        return self._searches[key]

    def _on_path(self, search: Tuple[str, ...], module: str) -> Optional[Local]:
        found = [one for one in (self._below(root, module) for root in search) if one is not None]
        regular = (one for one in found if not one.namespace)
        return next(regular, found[0] if found else None)

    def _top(self, folder: str) -> str:
        """The directory that the outermost package of a directory is in."""
        if folder not in self._tops:
            top = folder
            while INIT in self._in(top).names:
                parent = _parent(top)
                # Only by ``..`` it may lead nowhere, from the root.
                if parent.endswith("..") and os.path.realpath(parent) == os.path.realpath(top):
                    break
                top = parent
            self._tops[folder] = top
        return self._tops[folder]

    def _name(self, folder: str) -> str:
        """The name of the outermost package that a directory is in."""
        if folder not in self._names:
            top = self._top(folder)
            self._names[folder] = os.path.relpath(folder or ".", top or ".").split(os.sep)[0]
        return self._names[folder]

    def _relative(self, base: str, level: int, module: str, has_module: bool) -> Optional[Local]:
        for _ in range(min(level, 100) - 1):
            base = _parent(base)
        found = self._below(base, module) if module else None
        here = (os.path.join(base, INIT),) if INIT in self._in(base).names else ()
        if found is None and (has_module or not here):
            return None
        name = self._name(base)
        if not name.isidentifier():
            name = found.name if found is not None else (module or ".")
        return Local(name, (*here, *(found.files if found is not None else ())))

    def _below(self, root: str, module: str) -> Optional[Local]:
        parts = module.split(".")
        folder = root
        files: List[str] = []
        namespace = False
        shared = True
        for number, part in enumerate(parts):
            here = self._in(folder)
            path = f"{folder}/{part}" if folder else part
            inner = self._in(path) if part in here.names else _NO_FOLDER
            if INIT in inner.names:
                files.append(f"{path}/{INIT}")
                shared = shared and self._is_shared(path)
                namespace = namespace or (number == 0 and shared)
            elif f"{part}.py" in here.names:
                return Local(parts[0], (*files, f"{path}.py"), namespace)
            elif part in here.compiled:
                return Local(parts[0], tuple(files), namespace)
            elif inner.has_python or (inner.names and number + 1 < len(parts)):
                namespace = namespace or number == 0
            else:
                # What is no module is a name within one, unless others may have that module.
                return Local(parts[0], tuple(files), namespace) if files and not shared else None
            folder = path
        return Local(parts[0], tuple(files), namespace)

    def _is_shared(self, package: str) -> bool:
        """Whether a package says, in the older way, that other projects have modules in it too."""
        if package not in self._shared:
            try:
                with open(os.path.join(package, INIT), "rb") as file:
                    text = file.read(_SHORT)
            except OSError:
                text = b""
            self._shared[package] = b"extend_path" in text or b"declare_namespace" in text
        return self._shared[package]

    def _in(self, folder: str) -> _Folder:
        if folder not in self._folders:
            try:
                names = os.listdir(folder or ".")
            except (OSError, ValueError):
                names = []
            self._folders[folder] = _Folder(
                frozenset(names),
                frozenset(one.partition(".")[0] for one in names if one.endswith(_COMPILED)),
                any(one.endswith(".py") for one in names),
            )
        return self._folders[folder]


def _parent(folder: str) -> str:
    base = os.path.basename(folder)
    return os.path.join(folder, "..") if base in ("", "..", ".") else os.path.dirname(folder)
