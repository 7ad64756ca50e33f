# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Choose for each request whether Spack or the package index serves it, and say why. Pure.

What is compiled comes from Spack, which has the site's BLAS, MPI and compilers; what is not comes
from the index, which is newer and quicker. Nothing is installed or written here.
"""

from __future__ import annotations

import enum
import re
import shlex
from dataclasses import dataclass
from typing import Callable, Container, Iterable, Mapping, Optional, Sequence, Tuple, Union

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .model import Provided
from .versions import Constraint, constraint

#: What separates a direct reference (PEP 508) from a version of Spack's: both stand behind ``@``.
_URL = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*://|file:)")
#: A named spec with at least one of version, variant, compiler, dependency, hash or ``key=value``.
_SPEC = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)"
    r"(?P<rest>\s*([@+~%^/]\s*[^@+~%^/\s=][^\n]*|\s[A-Za-z_][\w-]*==?[^\s=][^\n]*))"
)
_SHOWN_VERSIONS = 3


class Source(str, enum.Enum):
    """Where a request is served from."""

    SPACK = "spack"
    PYPI = "pypi"
    PROVIDED = "provided"
    REFUSED = "refused"


@dataclass(frozen=True)
class Recipe:
    """A recipe of Spack's, as far as the choice needs it.

    ``versions`` are newest first, without branches and what is deprecated. ``reason`` completes
    the sentence that begins with the recipe's name: "compiles C and links blas". ``project`` is
    the project on PyPI that the recipe itself names, normalized; None where it names none, and is
    only known to be called alike. ``variants`` are what it needs to bring its Python half.
    """

    name: str
    versions: Tuple[str, ...]
    compiled: bool
    reason: str
    project: Optional[str] = None
    variants: str = ""


@dataclass(frozen=True)
class Recipes:
    """How to find recipes: by the project that they bring, and by their own name.

    ``of_project`` leaves out what brings no Python distribution, ``named`` does not.
    """

    of_project: Callable[[str], Optional[Recipe]]
    named: Callable[[str], Optional[Recipe]]


@dataclass(frozen=True)
class Choice:
    """Where a request is served from and why.

    ``spec`` is to be a root of the manifest, ``requirement`` is to be installed on top. Both may
    be there, where an extra of what Spack provides needs further projects, and neither, where
    nothing is left to do. The ``reason`` of what is refused is a message with its remedy.
    """

    request: str
    source: Source
    reason: str
    spec: Optional[str] = None
    requirement: Optional[Requirement] = None


def choose(
    requests: Iterable[Union[str, Requirement]],
    recipes: Recipes,
    provided: Sequence[Provided],
    forced: Optional[Source] = None,
    marker_environment: Optional[Mapping[str, str]] = None,
    *,
    lenient: bool = False,
    native: Container[str] = (),
) -> Tuple[Choice, ...]:
    """Choose for each request in turn; ``forced`` is what the user said by ``--from``.

    A text may be a requirement or a spec; a Requirement is of a project for sure, as in a file of
    requirements. Without the values of the environment's python for markers, each one applies.
    With ``lenient`` a version that no recipe has comes from the index, and is not refused. What is
    ``native`` comes from there in any case, unless it is provided already.
    """
    by_name = {one.name: one for one in provided}
    return tuple(
        _Case(one, recipes, by_name, forced, marker_environment, lenient, native).choose()
        for one in requests
    )


@dataclass(frozen=True)
class _Case:
    """One request, and all that its choice depends on."""

    request: Union[str, Requirement]
    recipes: Recipes
    provided: Mapping[str, Provided]
    forced: Optional[Source]
    marker_environment: Optional[Mapping[str, str]]
    lenient: bool
    native: Container[str]

    @property
    def text(self) -> str:
        return str(self.request).strip()

    def choose(self) -> Choice:
        if isinstance(self.request, Requirement):
            return self.project(self.request)
        requirement = parse_requirement(self.text)
        if requirement is not None:
            return self.project(requirement)
        match = _SPEC.fullmatch(self.text)
        if match is None:
            return self.refused(
                "is neither a requirement nor a spec",
                "write it as 'numpy>=2', 'py-numpy@2:' or 'NAME @ URL'",
            )
        if self.forced is Source.PYPI:
            return self.refused(
                "is a spec, and PyPI knows no variants, compilers or hashes",
                "drop --from pypi or write a requirement",
            )
        name = match["name"]
        recipe = self.recipes.named(name) or self.recipes.of_project(name)
        if recipe is None:
            return self.refused(f"Spack has no recipe {name}", "see 'spack list'")
        return Choice(self.text, Source.SPACK, "is a spec", f"{recipe.name}{match['rest']}")

    def project(self, requirement: Requirement) -> Choice:
        name = canonicalize_name(requirement.name)
        provided = self.provided.get(name)
        if not self.applies(requirement):
            reason = f"its marker does not hold for this python: {requirement.marker}"
            return Choice(self.text, Source.PYPI, reason, requirement=requirement)
        recipe = self.recipes.of_project(name)
        if recipe is None and provided is None and self.may_be_spec(requirement):
            recipe = self.recipes.named(name)
            provided = self.provided_by(recipe)
            if recipe is not None and self.forced is not Source.PYPI:
                return self.recipe_itself(requirement, recipe, provided)
            recipe = None
        if provided is not None:
            return self.on_top_of(requirement, provided, recipe)
        if requirement.url is not None:
            return self.from_url(requirement)
        if self.text in self.native:
            return self.from_index(requirement, "is asked of pip")
        if recipe is None:
            if self.forced is Source.SPACK:
                return self.refused("Spack has no recipe for it", "drop --from spack")
            return self.from_index(requirement, "Spack has no recipe for it")
        if self.forced is Source.PYPI:
            return self.from_index(requirement, "--from pypi asks for it")
        if not recipe.compiled and self.forced is not Source.SPACK:
            reason = f"{recipe.name} {recipe.reason}: newer and quicker from the index"
            return self.from_index(requirement, reason)
        return self.from_spack(requirement, recipe)

    def may_be_spec(self, requirement: Requirement) -> bool:
        plain = not (requirement.url or requirement.extras or requirement.marker)
        return plain and isinstance(self.request, str)

    def provided_by(self, recipe: Optional[Recipe]) -> Optional[Provided]:
        if recipe is None:
            return None
        return next(
            (one for one in self.provided.values() if _spec_name(one) == recipe.name), None
        )

    def applies(self, requirement: Requirement) -> bool:
        if requirement.marker is None or self.marker_environment is None:
            return True
        return requirement.marker.evaluate({"extra": "", **self.marker_environment})

    def recipe_itself(
        self, requirement: Requirement, recipe: Recipe, provided: Optional[Provided]
    ) -> Choice:
        """A request by the name of a recipe: ``hdf5``, ``py-numpy``, ``py-numpy>=2``."""
        if provided is not None and _is_in(provided.version, requirement.specifier):
            return self.already(requirement, provided, recipe)
        found = constraint(requirement.specifier, recipe.versions)
        if not found:
            return self.no_version(recipe, f"relax it, or see 'spack versions {recipe.name}'")
        reason = f"is the name of a recipe{_listed(found)}"
        return Choice(self.text, Source.SPACK, reason, _spec(recipe, found))

    def on_top_of(
        self, requirement: Requirement, provided: Provided, recipe: Optional[Recipe]
    ) -> Choice:
        """A request for what Spack provides in this environment already."""
        if self.forced is Source.PYPI or requirement.url is not None:
            return self.refused(
                f"{provided.spec} provides it, and python would import only one of the two",
                f"ask for '{requirement.name}' alone, or remove what needs {_spec_name(provided)}"
                " from the manifest",
            )
        if _is_in(provided.version, requirement.specifier):
            return self.already(requirement, provided, recipe)
        if recipe is not None and self.forced is Source.SPACK:
            return self.from_spack(requirement, recipe)
        wrong = f"{provided.spec} provides {provided.version}"
        remedy = f"relax the request to a range that holds {provided.version}"
        if recipe is not None and constraint(requirement.specifier, recipe.versions):
            request = shlex.quote(self.text)
            change = f"change the spec: spack pyvarium add --from spack {request}"
            return self.refused(wrong, f"{remedy}, or {change}")
        return self.refused(f"{wrong}, and Spack has no version that fits", remedy)

    def already(
        self, requirement: Requirement, provided: Provided, recipe: Optional[Recipe]
    ) -> Choice:
        reason = f"{provided.spec} provides {provided.name} {provided.version}"
        spec = None
        if not provided.direct:
            reason += ", so far only as a dependency of another spec"
            found = constraint(requirement.specifier, _versions(recipe, provided))
            spec = f"{_spec_name(provided)}{_at(found)}"
        if requirement.extras:
            reason += f"; what {_extras(requirement)} needs beyond it comes from the index"
        return Choice(
            self.text,
            Source.PROVIDED,
            reason,
            spec,
            requirement if requirement.extras else None,
        )

    def from_url(self, requirement: Requirement) -> Choice:
        if self.forced is Source.SPACK:
            return self.refused(
                "names its own source, which Spack cannot take",
                "drop --from spack, or write a recipe for it",
            )
        return self.from_index(requirement, "names its own source")

    def from_index(self, requirement: Requirement, reason: str) -> Choice:
        return Choice(self.text, Source.PYPI, reason, requirement=requirement)

    def from_spack(self, requirement: Requirement, recipe: Recipe) -> Choice:
        found = constraint(requirement.specifier, recipe.versions)
        if not found:
            if self.forced is Source.SPACK:
                return self.no_version(recipe, "relax the request or drop --from spack")
            if self.lenient:
                reason = f"{recipe.name} {recipe.reason}, but has no such version"
                return self.from_index(requirement, reason)
            request = shlex.quote(self.text)
            return self.no_version(
                recipe,
                "relax the request, or go without Spack's:"
                f" spack pyvarium add --from pypi {request}",
            )
        reason = f"{recipe.name} {recipe.reason}{_listed(found)}"
        if recipe.project is None:
            reason += " (found by name; the recipe does not tell its project)"
        if requirement.extras:
            reason += f"; what {_extras(requirement)} needs beyond it comes from the index"
        return Choice(
            self.text,
            Source.SPACK,
            reason,
            _spec(recipe, found),
            requirement if requirement.extras else None,
        )

    def no_version(self, recipe: Recipe, remedy: str) -> Choice:
        shown = ", ".join(recipe.versions[:_SHOWN_VERSIONS]) or "only branches"
        more = ", ..." if len(recipe.versions) > _SHOWN_VERSIONS else ""
        return self.refused(f"{recipe.name} has no such version ({shown}{more})", remedy)

    def refused(self, wrong: str, remedy: str) -> Choice:
        return Choice(self.text, Source.REFUSED, f"{self.text}: {wrong}; {remedy}")


def parse_requirement(text: str) -> Optional[Requirement]:
    """Parse a requirement; None where it is none, as ``py-numpy@2:``, which is a spec."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    if requirement.url is not None and not _URL.match(requirement.url):
        return None
    return requirement


def _is_in(version: str, specifier: SpecifierSet) -> bool:
    try:
        return specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return not str(specifier)


def _spec(recipe: Recipe, found: Constraint) -> str:
    return f"{recipe.name}{_at(found)}{recipe.variants}"


def _at(found: Constraint) -> str:
    return f"@{found.text}" if found.text else ""


def _spec_name(provided: Provided) -> str:
    return provided.spec.partition("@")[0]


def _versions(recipe: Optional[Recipe], provided: Provided) -> Tuple[str, ...]:
    """The version that is there counts, even where the recipe no longer has it."""
    label = provided.spec.partition("@")[2]
    known = recipe.versions if recipe is not None and recipe.name == _spec_name(provided) else ()
    return known if label in known else (label, *known)


def _extras(requirement: Requirement) -> str:
    return f"[{','.join(sorted(requirement.extras))}]"


def _listed(found: Constraint) -> str:
    return "" if found.expressed else "; no range of Spack's says this, so its versions are listed"
