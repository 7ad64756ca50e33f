# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Tell what each Python file below a directory is there for, by its place.

A directory is a project's if it has the file of a build in it. What a project distributes is what
its build metadata says; where that says nothing, all but what setuptools leaves out of a flat
layout, or, with a ``src``, what is in it. What it declares to need is not looked at.
"""

from __future__ import annotations

import configparser
import enum
import fnmatch
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Mapping, Optional, Tuple

from packaging.utils import canonicalize_name

from .errors import PyvariumError


class Role(str, enum.Enum):
    """What a file is there for. Of a file with several the first one counts."""

    RUN = "run"
    TEST = "test"
    DOCS = "docs"  # Examples too.
    DEVELOPMENT = "development"  # To build, release or measure it.
    VENDORED = "vendored"  # In a copy of another project, by something that is not used of it.


@dataclass(frozen=True)
class Place:
    """A file below a directory."""

    path: Path
    role: Role


#: A directory that has one of these is a project: what is installed of it is what it needs.
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_ENDINGS = (".py", ".pyw", ".pyx", ".ipynb")
#: Directories of tests, wherever they are.
_TESTS = frozenset(("test", "tests"))
#: Directories of copies, as vendoring, pip's tool for it, and Python's larger projects call them.
_VENDORED = frozenset(
    "_vendor _vendored _vendors vendored extern externals third_party thirdparty".split()
)
#: What at the top of a project is in no package, by the names that setuptools leaves out of a flat
#: layout (``FlatLayoutPackageFinder`` and ``FlatLayoutModuleFinder``), but for ``manage.py``.
_NOT_PACKAGED = frozenset(
    """
    benchmark benchmarks bin build changelog ci debian doc docs documentation example examples
    exercise exercises htmlcov manpages news newsfragments python scripts test tests tools
    unit_test unit_tests util utils
    """.split()
)
_NOT_PACKAGED_MODULES = frozenset(
    """
    benchmark benchmarks build conanfile conftest dodo example examples exercise exercises fabfile
    noxfile pavement setup tasks test tests toxfile versioneer
    """.split()
)
#: What of an undistributed name tells what it is for.
_OF_TESTS = re.compile("test")
_OF_DOCS = re.compile("doc|example|exercise|tutorial|demo|manpages|news|changelog")
#: Backends that distribute the package or module that is called as the project.
_BY_NAME = ("flit_core", "flit", "hatchling", "poetry")


def python_files(directory: Path, unreadable: Callable[[OSError], None]) -> Iterator[Place]:
    """The sources below a directory, sorted in each. Not those of a venv, nor what is hidden.

    ``unreadable`` is told of directories that cannot be read.
    """
    is_project = any(os.path.isfile(directory / one) for one in _PROJECT_FILES)
    distributed = read_distributed(directory) if is_project else None
    for folder, folders, names in os.walk(directory, onerror=unreadable):
        folders[:] = sorted(
            one
            for one in folders
            if not one.startswith(".")
            and one not in ("__pycache__", "node_modules", "site-packages")
            and not os.path.exists(os.path.join(folder, one, "pyvenv.cfg"))
        )
        parts = Path(folder).relative_to(directory).parts
        for name in sorted(names):
            if not name.endswith(_ENDINGS) or name.startswith("."):
                continue
            stem = name.partition(".")[0]
            role = Role.RUN
            if any(part in _TESTS for part in parts) or _is_test(stem, is_project):
                role = Role.TEST
            elif distributed is not None and not distributed.has(parts, stem):
                role = _beside((*parts, stem)[0])
            elif is_project and stem == "setup_package":  # Of extension-helpers.
                role = Role.DEVELOPMENT
            elif is_project and any(part in _VENDORED for part in parts):
                role = Role.VENDORED
            yield Place(Path(folder, name), role)


def _is_test(stem: str, is_project: bool) -> bool:
    """By the names that pytest collects by default."""
    return (
        stem == "conftest" or stem.startswith("test_") or (is_project and stem.endswith("_test"))
    )


def _beside(top: str) -> Role:
    if _OF_TESTS.search(top):
        return Role.TEST
    return Role.DOCS if _OF_DOCS.search(top) else Role.DEVELOPMENT


@dataclass(frozen=True)
class Distributed:
    """What a project distributes of its directory: patterns of names at the top of it.

    ``told`` if its build metadata says so.
    """

    packages: Tuple[str, ...] = ("*",)
    modules: Tuple[str, ...] = ("*",)
    excluded: Tuple[str, ...] = ()
    told: bool = False

    def has(self, parts: Tuple[str, ...], stem: str) -> bool:
        """Whether a file in some directories is distributed."""
        top = (*parts, stem)[0]
        chosen, usual = (
            (self.packages, _NOT_PACKAGED) if parts else (self.modules, _NOT_PACKAGED_MODULES)
        )
        if not self.told and top in usual:
            return False
        # As setuptools has it, without a package its inner ones may still be there.
        return _matches(top, chosen) and not _matches(f"{top}.inner", self.excluded)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, one) for one in patterns)


def read_distributed(directory: Path) -> Distributed:
    """What a project distributes. What cannot be read says nothing."""
    pyproject = _read_pyproject(directory / "pyproject.toml")
    told = _setuptools(_table(pyproject, "tool", "setuptools"))
    told = told or _setup_cfg(directory / "setup.cfg") or _others(pyproject)
    # Where nothing of it is there, the rule is not understood, so that another one may hold.
    if told is not None and any(told.has(*one) for one in _entries(directory)):
        return told
    if os.path.isdir(directory / "src") and next((directory / "src").glob("**/*.py"), None):
        return Distributed(("src",), ())
    return Distributed()


def _setuptools(table: Mapping[str, Any]) -> Optional[Distributed]:
    """By ``[tool.setuptools]``, or the same of setup.cfg."""
    packages, modules = table.get("packages"), _strings(table.get("py-modules"))
    if table.get("package-dir") or (packages is None and not modules):
        return None
    if isinstance(packages, dict):
        find = _table(packages, "find") or _table(packages, "find-namespace")
        where = [os.path.normpath(one) for one in _strings(find.get("where"))]
        excluded = tuple(_strings(find.get("exclude")))
        if where not in ([], ["."]):
            return Distributed(_tops(where), tuple(modules), told=True)
        include = _tops(_strings(find.get("include")) or ["*"])
        return Distributed(include, tuple(modules), excluded, told="*" not in include)
    return Distributed(_tops(_strings(packages)), tuple(modules), told=True)


def _setup_cfg(path: Path) -> Optional[Distributed]:
    """By ``[options]``: its lists are lines, or words between commas."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, ValueError, configparser.Error):
        return None
    options = dict(parser["options"]) if parser.has_section("options") else {}
    find = "options.packages.find"
    listed = {
        name: [one.strip() for one in re.split(r"[\n,]", text) if one.strip()]
        for name, text in (*options.items(), *(parser.items(find) if find in parser else ()))
    }
    packages: Any = listed.get("packages")
    if packages in (["find:"], ["find_namespace:"]):
        packages = {"find": {one: listed.get(one) for one in ("where", "include", "exclude")}}
    table = {
        "packages": packages,
        "py-modules": listed.get("py_modules"),
        # ``= src`` is what ``where`` says too.
        "package-dir": listed.get("package_dir") if not isinstance(packages, dict) else None,
    }
    return _setuptools(table)


def _others(pyproject: Mapping[str, Any]) -> Optional[Distributed]:
    """By the tables of Flit, Hatch and Poetry, or by the project's name as they do."""
    tool = _table(pyproject, "tool")
    hatch = _table(tool, "hatch", "build", "targets", "wheel")
    poetry = _table(tool, "poetry").get("packages")
    tops = [
        *_strings(hatch.get("packages")),
        *_strings(hatch.get("only-include")),
        *_strings([_table(tool, "flit", "module").get("name")]),
    ]
    for one in poetry if isinstance(poetry, list) else ():
        if isinstance(one, dict):
            tops += _strings([one.get("from") or one.get("include")])
    backend = str(_table(pyproject, "build-system").get("build-backend", ""))
    chosen_otherwise = "include" in hatch or "force-include" in hatch
    if not tops and not chosen_otherwise and backend.partition(".")[0] in _BY_NAME:
        name = _table(pyproject, "project").get("name") or _table(tool, "poetry").get("name")
        tops = [canonicalize_name(str(name)).replace("-", "_")] if name else []
    return Distributed(_tops(tops), _tops(tops), told=True) if tops else None


def _entries(directory: Path) -> Iterator[Tuple[Tuple[str, ...], str]]:
    for _, folders, names in os.walk(directory):
        yield from (((name,), "__init__") for name in folders)
        yield from (((), name.partition(".")[0]) for name in names if name.endswith(_ENDINGS))
        break


def _tops(names: Iterable[str]) -> Tuple[str, ...]:
    """The first parts of the names of packages, or of paths."""
    tops = [re.split(r"[./]", one[2:] if one.startswith("./") else one)[0] for one in names]
    return tuple(dict.fromkeys(one for one in tops if one))


def _read_pyproject(path: Path) -> Mapping[str, Any]:
    from . import toml_text  # Its library is slow to import, and few analyze projects.

    try:
        return toml_text.parse(path.read_text("utf-8"), str(path))
    except (OSError, ValueError, PyvariumError):
        return {}


def _table(value: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> List[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
