# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The releases of a project, as far as a recipe is made of them. No behaviour beyond their shape.

All that is in them came from an index and is not trusted: what becomes a line of a recipe is
parsed and written anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

#: The compiled languages that a recipe of Spack's can ask a compiler for, in its order.
LANGUAGES = ("c", "cxx", "fortran", "rust")
#: The programs that it asks for where a build calls them. Nobody asks for make, which is there.
PROGRAMS = ("cmake", "ninja", "pkgconfig")


@dataclass(frozen=True)
class File:
    """A wheel or an sdist on an index (PEP 503, PEP 691).

    ``name`` is the file's name, ``label`` the version as it is written in it, ``sha256`` in
    hexadecimal. ``yanked`` is the reason, which may be empty (PEP 592); None is not yanked.
    """

    name: str
    url: str
    version: Version
    label: str
    sha256: Optional[str] = None
    requires_python: SpecifierSet = field(default_factory=SpecifierSet)
    yanked: Optional[str] = None
    metadata: bool = False

    @property
    def is_wheel(self) -> bool:
        return self.name.endswith(".whl")


@dataclass(frozen=True)
class Build:
    """How a release is built, read from its sdist without running anything of it.

    ``requires`` is ``build-system.requires``, or what stands for it in an older project;
    ``languages`` are some of LANGUAGES, in that order, and ``programs`` some of PROGRAMS.
    ``known`` is False where the sdist could not be read, or says by running code only what it
    needs: what is here is then not all.
    """

    requires: Tuple[Requirement, ...] = ()
    backend: str = "setuptools.build_meta:__legacy__"
    languages: Tuple[str, ...] = ()
    known: bool = True
    programs: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """A version of a project that can be built from source.

    ``requires`` and the rest up to ``modules`` come from its core metadata; ``modules`` are the
    import names of its wheel, where there is one. ``compiled`` tells whether its wheels are for
    some platforms only; None where it has none. ``problems`` are what could not be understood, one
    sentence each, for the report and for a comment in the recipe.
    """

    version: Version
    source: File
    requires: Tuple[Requirement, ...] = ()
    requires_python: SpecifierSet = field(default_factory=SpecifierSet)
    extras: Tuple[str, ...] = ()
    license: Optional[str] = None
    summary: str = ""
    homepage: Optional[str] = None
    modules: Tuple[str, ...] = ()
    compiled: Optional[bool] = None
    build: Build = Build()
    problems: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """A project, by its normalized name (PEP 503), and its releases, newest first."""

    name: str
    releases: Tuple[Release, ...]
    problems: Tuple[str, ...] = ()
