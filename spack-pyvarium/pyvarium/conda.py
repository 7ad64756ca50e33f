# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What an ``environment.yml`` of Conda asks for, as parsed YAML.

Conda's names are not PyPI's: some are programs and libraries, which Spack has under its own names,
some are Python projects with another name, and some belong to Conda's way of shipping a compiler.
The tables say which, as far as the names differ. A name that is in none may be either, and is
handed on as text, for the recipes to decide. Its match specifications follow
https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/pkg-specs.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from .model import Skipped
from .project import Asked, Project, Read, SourceError, parse_asked, string
from .requirements import parse_lines
from .versions import translate

_MATCH = re.compile(
    r"(?:(?P<channel>[^:\s]+)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)"
    r"(?:\[(?P<bracket>[^\]]*)\]|(?P<rest>[\s=<>!~*].*)?)"
)
_FUZZY = re.compile(r"=\s*(?P<version>[^=\s]+)(?:[=\s]+(?P<build>\S+))?")
_EXACT = re.compile(r"(?:==\s*)?(?P<version>[0-9*][^=\s<>!~,]*)(?:[=\s]+(?P<build>\S+))?")
_RANGE = re.compile(r"(?P<version>[<>!~].*?)(?:(?:=|\s+)(?P<build>[A-Za-z_][^\s,=<>]*))?")
_CLAUSE = re.compile(r"(?P<operator>===?|=|!=|~=|>=|<=|>|<)?\s*(?P<version>[^\s<>=!~]+)")
_QUOTED = re.compile(
    r"(?P<key>version|build)\s*=\s*(?P<quote>['\"]?)(?P<value>.*?)(?P=quote)\s*(,|$)"
)

#: What Spack has under another name, or under the same, where PyPI has the name as well.
_SPECS = {
    "boost-cpp": "boost",
    "cmake": "cmake",
    "cuda-nvcc": "cuda",
    "cuda-toolkit": "cuda",
    "cudatoolkit": "cuda",
    "eigen": "eigen",
    "fftw": "fftw",
    "git": "git",
    "graphviz": "graphviz",
    "gsl": "gsl",
    "hdf5": "hdf5",
    "libboost": "boost",
    "libboost-devel": "boost",
    "libgdal": "gdal",
    "libnetcdf": "netcdf-c",
    "libopenblas": "openblas",
    "lz4-c": "lz4",
    "make": "gmake",
    "mkl": "intel-oneapi-mkl",
    "mpi": "mpi",
    "mpich": "mpich",
    "ndcctools": "cctools",
    "netcdf-fortran": "netcdf-fortran",
    "ninja": "ninja",
    "nodejs": "node-js",
    "openblas": "openblas",
    "openjdk": "openjdk",
    "openmpi": "openmpi",
    "parallel-netcdf": "parallel-netcdf",
    "pkg-config": "pkgconf",
    "proj": "proj",
    "pytorch-cuda": "cuda",
    "r-base": "r",
    "swig": "swig",
    "tbb": "intel-tbb",
    "ucx": "ucx",
    "zeromq": "libzmq",
    "zlib": "zlib",
}
#: Projects that PyPI has under another name.
_PROJECTS = {
    "dask-core": "dask",
    "faiss": "faiss-cpu",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python",
    "py-opencv": "opencv-python",
    "py-xgboost": "xgboost",
    "pyqt": "PyQt5",
    "pytables": "tables",
    "python-blosc": "blosc",
    "python-duckdb": "duckdb",
    "python-flatbuffers": "flatbuffers",
    "python-graphviz": "graphviz",
    "python-kubernetes": "kubernetes",
    "python-lmdb": "lmdb",
    "python-tzdata": "tzdata",
    "python-xxhash": "xxhash",
    "pytorch": "torch",
    "pytorch-gpu": "torch",
    "pytorch_geometric": "torch-geometric",
    "ruamel_yaml": "ruamel.yaml",
    "tensorflow-base": "tensorflow",
    "tensorflow-gpu": "tensorflow",
}
_COMPILER = "is a compiler of Conda's; Spack has its own for each build: see 'spack compilers'"
_BLAS = "is how Conda chooses a BLAS; Spack's is set as a provider in packages.yaml"
_RUNTIME = "belongs to Conda's own compilers and libc; Spack needs it not"
_SKIPPED = {
    "c-compiler": _COMPILER,
    "compilers": _COMPILER,
    "cxx-compiler": _COMPILER,
    "fortran-compiler": _COMPILER,
    "gcc": _COMPILER,
    "gfortran": _COMPILER,
    "gxx": _COMPILER,
    "anaconda": "is a collection; name what you use of it",
    "conda": "is Conda itself; not needed here",
    "conda-pack": "packs what Conda installs; 'spack pyvarium pack' does that here",
    "mamba": "is Conda itself; not needed here",
    "ca-certificates": "comes with the system; not needed here",
    "blas": _BLAS,
    "lapack": _BLAS,
    "libblas": _BLAS,
    "libcblas": _BLAS,
    "liblapack": _BLAS,
    "libgcc": _RUNTIME,
    "libgfortran": _RUNTIME,
    "libgfortran5": _RUNTIME,
    "libgomp": _RUNTIME,
    "libstdcxx": _RUNTIME,
    "llvm-openmp": _RUNTIME,
    "nomkl": _BLAS,
    "pip": "is no requirement; an installer of your own installs into the venv",
    "python_abi": _RUNTIME,
    "tzdata": "comes with the system; not needed here",
}
_TOOLCHAIN = re.compile(r"_.*|.*_(linux|osx|win)-(64|aarch64|ppc64le|arm64)|.*-ng")
#: Names that are Spack's as well: R's and Perl's.
_SAME = re.compile(r"(r|perl)-.+")
#: What Conda builds for an MPI by its build string, and Spack by a variant.
_WITH_MPI = {
    "hdf5": "hdf5",
    "libnetcdf": "netcdf-c",
    "fftw": "fftw",
    "h5py": "py-h5py",
    "netcdf4": "py-netcdf4",
}


def parse_environment(data: Any, path: Path, read: Read) -> Project:
    """Read what an ``environment.yml`` at ``path`` asks for; raises SourceError."""
    subject = str(path)
    if not isinstance(data, dict) or not isinstance(data.get("dependencies"), list):
        raise SourceError(f"{subject}: has no list of dependencies; mend it")
    requirements: List[Asked] = []
    specs: List[str] = []
    skipped: List[Skipped] = []
    requires_python = None
    for entry in data["dependencies"]:
        if isinstance(entry, dict) and isinstance(entry.get("pip"), list):
            found = parse_lines([str(line) for line in entry["pip"]], path, read)
            requirements += found.requirements
            skipped += found.skipped
        elif isinstance(entry, str):
            asked = _Match.parse(entry, f"{subject}: {entry}", skipped)
            if asked is None:
                continue
            if asked.name == "python":
                requires_python = asked.python()
            requirements += asked.requirements(skipped)
            specs += asked.specs(skipped)
        else:
            reason = "is neither a name nor a list for pip; mend it"
            skipped.append(Skipped(f"{subject}: {entry!r}", reason, fault=True))
    if data.get("variables"):
        reason = "are not taken over; set them where you activate"
        skipped.append(Skipped(f"{subject}: variables {', '.join(data['variables'])}", reason))
    return Project(
        name=string(data, subject, "name"),
        requires_python=requires_python,
        requirements=tuple(requirements),
        specs=tuple(dict.fromkeys(specs)),
        skipped=tuple(skipped),
    )


@dataclass(frozen=True)
class _Match:
    """One match specification of Conda's: name, version as a specifier of PEP 440, build."""

    name: str
    specifier: str
    build: str
    subject: str

    @classmethod
    def parse(cls, text: str, subject: str, skipped: List[Skipped]) -> Optional[_Match]:
        match = _MATCH.fullmatch(text.strip())
        if match is None:
            skipped.append(Skipped(subject, "is not a name with a version; mend it", fault=True))
            return None
        name = match["name"].lower()
        if _TOOLCHAIN.fullmatch(name):
            skipped.append(Skipped(subject, _RUNTIME))
            return None
        if name in _SKIPPED:
            skipped.append(Skipped(subject, _SKIPPED[name]))
            return None
        if match["bracket"] is None:
            version, build, fuzzy = _split((match["rest"] or "").strip())
        else:
            keys = {one["key"]: one["value"] for one in _QUOTED.finditer(match["bracket"])}
            version, build, fuzzy = keys.get("version", ""), keys.get("build", ""), False
        specifier = _specifier(version, fuzzy)
        if specifier is None:
            reason = f"the version '{version}' has no words in PEP 440; any version is taken"
            skipped.append(Skipped(subject, reason))
        return cls(name, specifier or "", build, subject)

    def python(self) -> Optional[str]:
        """The pythons that it asks for, in the form that ``requires-python`` mostly has."""
        match = re.fullmatch(r"==(\d+)\.(\d+)(?:\.\*)?", self.specifier)
        if match is None:
            return self.specifier or None
        major, minor = match.groups()
        return f">={major}.{minor},<{major}.{int(minor) + 1}"

    def specs(self, skipped: List[Skipped]) -> List[str]:
        if self.name == "mpi":  # Whose build tells which, and whose version tells nothing.
            return [self.build or "mpi"]
        if self.with_mpi() is not None:
            name, variants = _WITH_MPI[self.name], self.with_mpi()
        elif self.name == "python" or _SAME.fullmatch(self.name):
            name, variants = _SPECS.get(self.name, self.name), ""
        elif self.name in _SPECS:
            name, variants = _SPECS[self.name], ""
        else:
            return []
        version = translate(SpecifierSet(self.specifier))
        if version is None:
            reason = f"the version '{self.specifier}' is not taken over: Spack has no words for it"
            skipped.append(Skipped(self.subject, reason))
        return [f"{name}{'@' + version if version else ''}{variants}"]

    def with_mpi(self) -> Optional[str]:
        if self.name not in _WITH_MPI or "mpi" not in self.build:
            return None
        return "~mpi" if self.build.startswith("nompi") else "+mpi"

    def requirements(self, skipped: List[Skipped]) -> List[Asked]:
        is_spec = self.name == "python" or self.name in _SPECS or _SAME.fullmatch(self.name)
        if is_spec or self.with_mpi() is not None:
            return []
        name = _PROJECTS.get(self.name, self.name)
        found = parse_asked(f"{name}{self.specifier}", self.subject, skipped)
        return list(found) if self.name in _PROJECTS else [str(one) for one in found]


def _split(rest: str) -> Tuple[str, str, bool]:
    """Version, build, and whether the version is only how it begins."""
    for pattern, fuzzy in ((_FUZZY, True), (_EXACT, False), (_RANGE, False)):
        match = pattern.fullmatch(rest)
        if match is not None:
            build = match["build"] or ""
            return match["version"], build, fuzzy and not build
    return rest, "", False


def _specifier(version: str, fuzzy: bool) -> Optional[str]:
    """A version of Conda's as a specifier of PEP 440; None where that has no words for it."""
    if "|" in version:
        return None
    clauses = []
    for part in filter(None, (one.strip() for one in version.split(","))):
        match = _CLAUSE.fullmatch(part)
        if match is None:
            return None
        operator, text = match["operator"] or "==", match["version"]
        begins = text.endswith("*") or operator == "=" or fuzzy
        text = text.rstrip("*").rstrip(".")
        if not text:
            continue
        if operator in ("==", "=", "!="):
            clauses.append(f"{operator[0] if operator == '!=' else '='}={text}{'.*' * begins}")
        else:
            clauses.append(f"{operator}{text}")
    try:
        return str(SpecifierSet(",".join(clauses))) and ",".join(clauses)
    except InvalidSpecifier:
        return None


def name_of(project: str) -> str:
    """What Conda calls a project, by its normalized name."""
    known = (name for name, other in _PROJECTS.items() if canonicalize_name(other) == project)
    return next(known, project)


def is_environment(data: Any) -> bool:
    return isinstance(data, Mapping) and "dependencies" in data
