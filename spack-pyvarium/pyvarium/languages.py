# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""In which compiled languages an sdist is written, and what builds it, as far as it says. Pure.

Asked of the files by which it is built, not of all that lies about: an sdist may hold the sources
of a library that is only used where asked for, or of tests that compile something.
"""

from __future__ import annotations

import contextlib
import itertools
import posixpath
import re
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Sequence, Set, Tuple

from . import toml_text
from .archives import Archive
from .errors import PyvariumError
from .releases import LANGUAGES, PROGRAMS
from .setup_script import Script, parse_script

#: Languages by the suffix of a source. What Cython and cffi write is C where nothing says C++.
_BY_SUFFIX: Mapping[str, str] = {
    **dict.fromkeys((".c", ".m", ".pyx"), "c"),
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".c++", ".C", ".cu", ".mm", ".sip"), "cxx"),
    **dict.fromkeys(
        (".f", ".for", ".f77", ".f90", ".f95", ".f03", ".f08", ".F", ".F90", ".pyf"), "fortran"
    ),
}
#: Directories of which a build takes nothing unless it names them.
_ASIDE = re.compile(
    r"(.*/)?(tests?|testing|docs?|examples?|samples?|demos?|benchmarks?|bench|tools?|ci|\.\w+"
    r"|vendor(ed)?(-\w+)?|_vendor|third[-_]?party|3rd-?party|externals?|extern|subprojects|contrib"
    r"|deps|submodules|fuzz(ing)?)/"
)
#: Scripts that others may start, wherever they are.
_OF_A_BUILD = re.compile(r"_?(setup|build|compile|hatch|backend)")
_MESON_SUBDIRECTORY = r"\bsubdir\s*\(\s*'([^'\n]+)'\s*\)"
_MESON: Mapping[str, str] = {"c": "c", "cpp": "cxx", "fortran": "fortran", "rust": "rust"}
#: Dependencies that Meson finds without pkg-config, and those that come as distributions.
_FOUND_BY_MESON = frozenset(
    "appleframeworks boost cuda dl intl mpi numpy openmp pybind11 python python3 threads".split()
)
_CMAKE_WORD = re.compile(r'"[^"]*"|[^\s"]+')
_CMAKE: Mapping[str, str] = {
    "c": "c",
    "cxx": "cxx",
    "fortran": "fortran",
    "cuda": "cxx",
    "hip": "cxx",
}
#: Crates with which a build script compiles what is not Rust.
_CRATES: Mapping[str, Tuple[str, ...]] = {
    "cmake": ("c", "cxx", "cmake"),
    "cxx-build": ("cxx",),
}
_BY_ARGUMENT: Mapping[str, str] = {
    "cffi_modules": "c",
    "rust_extensions": "rust",
    "RustExtension": "rust",
    **dict.fromkeys(
        ("Pybind11Extension", "CppExtension", "CUDAExtension", "intree_extensions"), "cxx"
    ),
    "mypycify": "c",
}
#: Modules from which a setup.py takes nothing that is compiled.
_KNOWN_MODULES = frozenset(
    "__future__ ast codecs collections configparser contextlib datetime distutils functools glob"
    " importlib inspect io itertools json logging os packaging pathlib pkg_resources platform re"
    " runpy setuptools setuptools_scm shutil string subprocess sys tempfile textwrap time types"
    " typing versioneer warnings".split()
)
#: Backends that install files and build nothing.
_PURE = ("flit_core", "flit", "flit_scm", "uv_build", "whey")

_MOST_TEXT = 256 << 10
_HEAD = 8 << 10
_MOST_CALLS = 200
_MOST_SCRIPTS = 200

Found = Set[str]


def wanted(name: str) -> int:
    """How much of a file of an sdist is needed to tell."""
    base = posixpath.basename(name)
    if base in ("meson.build", "CMakeLists.txt", "Cargo.toml") or name == "hatch.toml":
        return _MOST_TEXT
    if base.endswith(".py") and (name.count("/") == 0 or _OF_A_BUILD.match(base)):
        return _MOST_TEXT
    return _HEAD if base.endswith(".pyx") and not _ASIDE.match(name) else 0


def is_all_there(name: str, texts: Mapping[str, str]) -> bool:
    """Whether ``name`` was the last file that tells of the build, so far as this shows.

    Of Meson, these are all that its files lead to; where nothing is compiled, pyproject.toml, and
    of setuptools also setup.py and setup.cfg, which it puts into each sdist.
    """
    if name.endswith("/meson.build") or name == "meson.build":
        return not _ASIDE.match(name) and _is_all_of_meson(texts)
    if name not in ("pyproject.toml", "setup.cfg", "setup.py") or "pyproject.toml" not in texts:
        return False
    try:
        pyproject = toml_text.parse(texts["pyproject.toml"], "pyproject.toml")
    except PyvariumError:
        return False
    system = _table(pyproject, "build-system")
    root = _name_at(system, "build-backend").partition(":")[0].partition(".")[0]
    if "backend-path" in system:
        return False
    if root == "mesonpy":
        return _is_all_of_meson(texts)
    if root == "hatchling":
        hooks = _hooks_of_hatch(hatch_build(texts, pyproject))
        return not hooks.keys() & {"custom", "scikit-build", "cython", "mypyc"}
    if root.startswith("poetry"):
        return "build" not in _table(pyproject, "tool", "poetry")
    if root == "setuptools" and {"setup.cfg", "setup.py"} <= texts.keys():
        return _compiles_nothing(pyproject, texts["setup.py"])
    return root in _PURE


def _compiles_nothing(pyproject: Mapping[str, Any], text: str) -> bool:
    """Whether a setup.py shows by itself that it compiles nothing, and starts nothing."""
    listed = _at(pyproject, "build-system", "requires")
    requires = " ".join(map(str, listed if isinstance(listed, list) else ())).lower()
    script = parse_script(text)
    return not (
        script.compiles
        or script.starts
        or script.programs
        or {one.partition(".")[0] for one in script.imports} - _KNOWN_MODULES
        or re.search(r"cmake|scikit-build|rust|meson|cython|cffi|extension|mypyc|numpy", requires)
        or re.search(r"cmake|get_package_info", text.lower())
        or _at(pyproject, "tool", "setuptools", "ext-modules")
        or _at(pyproject, "tool", "setuptools-rust")
    )


def _is_all_of_meson(texts: Mapping[str, str]) -> bool:
    if not {"meson.build", "pyproject.toml"} <= set(texts):
        return False
    if not re.search(r"(?m)^build-backend\s*=\s*['\"]mesonpy['\"]", texts["pyproject.toml"]):
        return False
    waiting, seen = [""], set()
    while waiting:
        directory = waiting.pop()
        path = posixpath.join(directory, "meson.build")
        if path not in texts:
            return False
        if path not in seen:
            seen.add(path)
            below = re.findall(_MESON_SUBDIRECTORY, texts[path])
            waiting += [posixpath.normpath(posixpath.join(directory, one)) for one in below]
    return True


def detect(
    archive: Archive, pyproject: Mapping[str, Any], backend: str, requires: Iterable[str]
) -> Tuple[str, ...]:
    """The languages that building needs, in the order of LANGUAGES, and then the programs.

    ``pyproject`` is what the pyproject.toml holds, ``requires`` the normalized names of what the
    build requires.
    """
    root = backend.partition(":")[0].partition(".")[0]
    needed = set(requires)
    found: Found = set()
    if root == "mesonpy":
        found = _meson(archive, "")
        if _at(pyproject, "build-system", "backend-path"):
            found.add("ninja")  # It brings meson-python along, and not what that needs.
    elif root == "maturin":
        found = _rust(archive)
    elif root == "scikit_build_core" and ".setuptools" not in backend:
        found = _cmake(archive, _name_at(pyproject, "tool", "scikit-build", "cmake", "source-dir"))
    elif root == "py_build_cmake":
        source = _name_at(pyproject, "tool", "py-build-cmake", "cmake", "source_path")
        found = _cmake(archive, source)
    elif root == "sipbuild":
        found = {"c", "cxx"}
    elif root == "hatchling":
        found = _hatch(archive, hatch_build(archive.texts, pyproject))
    elif root == "pdm":
        build = _table(pyproject, "tool", "pdm", "build")
        scripts = [_name_at(build, "custom-hook") or "pdm_build.py"]
        found = _hooks(archive, [*scripts, *(["setup.py"] if build.get("run-setuptools") else [])])
    elif root.startswith("poetry"):
        build = _table(pyproject, "tool", "poetry")
        found = _hooks(archive, [_name_at(build, "build") or _name_at(build, "build", "script")])
    elif root not in _PURE:
        found = _setuptools(archive, pyproject, needed)
    return tuple(one for one in (*LANGUAGES, *PROGRAMS) if one in found)


def hatch_build(texts: Mapping[str, str], pyproject: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a project tells hatchling of its build: in hatch.toml, or else in pyproject.toml."""
    with contextlib.suppress(PyvariumError):
        own = toml_text.parse(texts.get("hatch.toml", ""), "hatch.toml")
        if "build" in own:
            return _table(own, "build")
    return _table(pyproject, "tool", "hatch", "build")


def _hatch(archive: Archive, build: Mapping[str, Any]) -> Found:
    hooks = _hooks_of_hatch(build)
    found: Found = set()
    if "custom" in hooks:
        found |= _hooks(archive, [_name_at(hooks, "custom", "path") or "hatch_build.py"])
    if "scikit-build" in hooks:
        found |= _cmake(archive, _name_at(hooks, "scikit-build", "cmake", "source-dir"))
    if hooks.keys() & {"cython", "mypyc"}:
        found.add("c")
    return found


def _hooks_of_hatch(build: Mapping[str, Any]) -> Dict[str, Any]:
    """The hooks that run unless somebody says otherwise."""
    hooks = {**_table(build, "hooks"), **_table(build, "targets", "wheel", "hooks")}
    return {key: one for key, one in hooks.items() if _at(one, "enable-by-default") is not False}


def _hooks(archive: Archive, names: Iterable[str]) -> Found:
    """What the scripts compile that a project adds to a backend which only installs files."""
    first = [one for one in map(posixpath.normpath, names) if one in archive.texts]
    scripts = dict(itertools.islice(_scripts(archive, first), _MOST_SCRIPTS))
    found = _script(archive, list(scripts.values())) | _started(archive, scripts)
    if any("cmake" in archive.texts[one] for one in first):
        found |= _cmake(archive, "")
    return found


def _setuptools(archive: Archive, pyproject: Mapping[str, Any], needed: Set[str]) -> Found:
    found: Found = set()
    by_name = dict(itertools.islice(_scripts(archive, _first(archive, needed)), _MOST_SCRIPTS))
    scripts = list(by_name.values())
    if scripts:
        found |= _script(archive, scripts) | _started(archive, by_name)
        words = archive.texts.get("setup.py", "").lower()
        by_cmake = {"cmake", "scikit-build", "cmake-build-extension"}.intersection(needed) or any(
            "CMakeExtension" in one.compiles for one in scripts
        )
        if (by_cmake or "cmake" in words) and "CMakeLists.txt" in archive.texts:
            found |= _cmake(archive, "")
        elif by_cmake:
            for name in sorted(archive.texts):
                if name.endswith("/CMakeLists.txt") and not _ASIDE.match(name):
                    found |= _cmake(archive, posixpath.dirname(name))
                    break
        if "meson" in needed and "meson.build" in archive.texts:
            found |= _meson(archive, "")
    by_own_backend = not scripts and _at(pyproject, "build-system", "backend-path")
    if "extension-helpers" in needed or by_own_backend or _has_astropy_helpers(archive):
        # They make an extension of all that is of Cython.
        found |= _by_suffix([one for one in archive.names if _is_own_cython(one)], archive)
    modules = _at(pyproject, "tool", "setuptools", "ext-modules")
    for module in modules if isinstance(modules, list) else ():
        sources = _at(module, "sources")
        names = sources if isinstance(sources, list) else []
        found |= _by_suffix([str(one) for one in names], archive) | {"c"}
    by_rust = "setuptools-rust" in needed and any(
        one.endswith("Cargo.toml") for one in archive.texts
    )
    if by_rust or "rust" in found or _at(pyproject, "tool", "setuptools-rust"):
        found |= _rust(archive)
    return found


def _first(archive: Archive, needed: Set[str]) -> List[str]:
    """setup.py, and those of its packages.

    These are of numpy.distutils or extension-helpers, which run them all.
    """
    text = archive.texts.get("setup.py", "")
    inner = []
    if "extension-helpers" in needed or _has_astropy_helpers(archive):
        inner.append("/setup_package.py")
    if "numpy.distutils" in text:
        inner.append("/setup.py")
    others = (one for one in sorted(archive.texts) if one.endswith(tuple(inner)))
    first = ["setup.py"] if "setup.py" in archive.texts else []
    return first + [one for one in others if not _ASIDE.match(one)]


def _has_astropy_helpers(archive: Archive) -> bool:
    """Whether the setup.py has what extension-helpers was before."""
    return "get_package_info" in archive.texts.get("setup.py", "")


def _scripts(archive: Archive, first: Iterable[str]) -> Iterator[Tuple[str, Script]]:
    """Some scripts, the modules that they take parts from, and the scripts that they start."""
    seen: Set[str] = set()
    waiting = list(first)
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        script = parse_script(archive.texts[name])
        yield name, script
        for module in script.imports:
            path = module.replace(".", "/")
            for one in (f"{path}.py", f"{path}/__init__.py", f"{path.partition('/')[0]}.py"):
                if one in archive.texts and one not in seen:
                    waiting.append(one)
        for path in script.starts:
            found = [one for one in archive.texts if f"/{one}".endswith(f"/{path}")]
            waiting += sorted(found, key=len)[:1]


def _started(archive: Archive, scripts: Mapping[str, Script]) -> Found:
    """The programs that scripts start, and the languages of what these build."""
    found: Found = set()
    for name, script in scripts.items():
        directory = posixpath.dirname(name)
        programs = set(script.programs)
        found |= programs.intersection(PROGRAMS)
        if "cargo" in programs:
            found |= _rust(archive)
        if "cmake" in programs:
            near = [posixpath.join(one, "CMakeLists.txt") for one in (directory, "")]
            listed = [one for one in near if one in archive.texts]
            found |= _cmake(archive, posixpath.dirname(listed[0])) if listed else set()
        if "make" in programs:
            below = [one for one in archive.names if one.startswith(posixpath.join(directory, ""))]
            built = _by_suffix([one for one in below if not _ASIDE.match(one)], archive)
            found |= {*built, "c"} if built else set()
    return found


def _script(archive: Archive, scripts: Sequence[Script]) -> Found:
    """What scripts say that make extensions by setuptools or distutils."""
    compiles = {one for script in scripts for one in script.compiles}
    if not compiles:
        return set()
    found = {_BY_ARGUMENT[one] for one in compiles if one in _BY_ARGUMENT}
    by_itself = {"cffi_modules", "rust_extensions", "RustExtension", "CMakeExtension", "mypycify"}
    if compiles <= by_itself:
        return found
    sources = {one for script in scripts for one in script.sources}
    named = _by_suffix(sources, archive)
    cxx = any(script.cxx for script in scripts)
    if compiles <= by_itself | {"ext_modules"} and compiles & by_itself and not named and not cxx:
        return found  # ``ext_modules=[CMakeExtension(...)]``
    found |= named
    if not named or any(re.search(r"\*\.?\*?$", one) for one in sources):
        found |= _by_suffix([one for one in archive.names if not _ASIDE.match(one)], archive)
    if cxx:
        found.add("cxx")
    # distutils compiles by the C compiler whatever the language, and only links by that of C++.
    return found | {"c"}


def _by_suffix(names: Iterable[str], archive: Archive) -> Found:
    found: Found = set()
    cython = False
    for name in names:
        plain = name[:-4] if name.endswith(".src") else name  # A template of numpy.distutils.
        suffix = posixpath.splitext(plain)[1]
        if suffix in _BY_SUFFIX:
            found.add(_BY_SUFFIX[suffix])
        cython = cython or suffix == ".pyx"
    if cython and any(
        _is_cxx(text) for one, text in archive.texts.items() if one.endswith(".pyx")
    ):
        found.add("cxx")
    return found


def _is_own_cython(name: str) -> bool:
    return name.endswith(".pyx") and not _ASIDE.match(name)


def _is_cxx(text: str) -> bool:
    return (
        re.search(r"(?m)^[ \t]*#[ \t]*distutils:[ \t]*language[ \t]*=[ \t]*c\+\+", text)
        is not None
    )


def _meson(archive: Archive, directory: str) -> Found:
    """``project()`` and ``add_languages()`` of Meson, in all that is reached from the top."""
    found: Found = set()
    for text in _reached(archive, directory, "meson.build", _MESON_SUBDIRECTORY, "#"):
        for function, skipped in (("project", 1), ("add_languages", 0)):
            for arguments in _calls(text, function):
                if function == "add_languages" and re.search(r"required\s*:\s*false", arguments):
                    continue
                positional = re.split(r"\b\w+\s*:", arguments, maxsplit=1)[0]
                words = re.findall(r"'([^'\n]*)'", positional)[skipped:]
                found |= {_MESON[one.lower()] for one in words if one.lower() in _MESON}
        for arguments in _calls(text, "dependency"):
            name = re.match(r"\s*'([^'\n]+)'", arguments)
            optional = re.search(r"required\s*:\s*false", arguments)
            if name and not optional and name[1].lower() not in _FOUND_BY_MESON:
                found.add("pkgconfig")
    return found


def _cmake(archive: Archive, directory: str) -> Found:
    """``project()`` and ``enable_language()`` of CMake."""
    found: Found = set()
    pattern = r"(?i)\badd_subdirectory\s*\(\s*\"?([^\s\"()$]+)"
    for text in _reached(archive, directory, "CMakeLists.txt", pattern, "#"):
        for arguments in _calls(text, "project"):
            found |= _cmake_project(_CMAKE_WORD.findall(arguments)[1:], archive)
        for arguments in _calls(text, "enable_language"):
            found |= {_CMAKE[one.lower()] for one in arguments.split() if one.lower() in _CMAKE}
    return found


def _cmake_project(words: Sequence[str], archive: Archive) -> Found:
    """Of a project that names no language CMake takes it that it has C and C++."""
    languages: List[str] = []
    stated = False
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word in ("VERSION", "DESCRIPTION", "HOMEPAGE_URL", "COMPAT_VERSION"):
            position += 1
            continue
        stated = True
        languages.append(word)
    if any("$" in one for one in languages):
        return _by_suffix([one for one in archive.names if not _ASIDE.match(one)], archive)
    if not stated:
        return {"c", "cxx"}
    return {_CMAKE[one.lower()] for one in languages if one.lower() in _CMAKE}


def _reached(
    archive: Archive, directory: str, name: str, names_another: str, comment: str
) -> Iterator[str]:
    """The texts of a build's files that are reached from a directory, without their comments."""
    seen: Set[str] = set()
    waiting = [posixpath.normpath(directory or ".")]
    while waiting:
        current = waiting.pop()
        path = name if current == "." else f"{current}/{name}"
        if path in seen or path not in archive.texts:
            continue
        seen.add(path)
        text = re.sub(rf"(?m){comment}.*$", "", archive.texts[path])
        yield text
        for one in re.findall(names_another, text):
            below = posixpath.normpath(posixpath.join(current, one))
            if not _ASIDE.match(f"{one.strip('/')}/") or name == "meson.build":
                waiting.append(below)


def _calls(text: str, function: str) -> Iterator[str]:
    """The arguments of each call, up to the parenthesis that closes it."""
    found = re.finditer(rf"(?i)(?<![\w.]){function}\s*\(", text)
    for match in itertools.islice(found, _MOST_CALLS):
        depth = 1
        for position in range(match.end(), min(len(text), match.end() + _HEAD)):
            depth += {"(": 1, ")": -1}.get(text[position], 0)
            if depth == 0:
                yield text[match.end() : position]
                break


def _rust(archive: Archive) -> Found:
    """Rust, which links by the C compiler, and what its build scripts compile besides."""
    found: Found = {"rust", "c"}
    for name, text in archive.texts.items():
        if posixpath.basename(name) != "Cargo.toml" or _ASIDE.match(name):
            continue
        try:
            data = toml_text.parse(text, name)
        except PyvariumError:
            continue
        for crate in _table(data, "build-dependencies"):
            found.update(_CRATES.get(crate, ()))
    return found


def _at(data: Any, *keys: str) -> Any:
    """The value that the keys lead to, None where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _name_at(data: Any, *keys: str) -> str:
    found = _at(data, *keys)
    return found if isinstance(found, str) else ""


def _table(data: Any, *keys: str) -> Dict[str, Any]:
    found = _at(data, *keys)
    return dict(found) if isinstance(found, Mapping) else {}
