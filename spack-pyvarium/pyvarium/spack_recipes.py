# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What the recipes of a Spack say: which project each brings, in which versions, and how built.

A part of the adapter to Spack (see ``spack_api``). Known to work with 0.23 to 1.3.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, Mapping, Optional, Tuple

import spack
import spack.deptypes
import spack.error
import spack.package_base
import spack.repo
import spack.version

from .errors import PyvariumError

if TYPE_CHECKING:
    from .choice import Recipe, Recipes
    from .grid import Condition
    from .recipe import Existing, Known

#: What Spack calls the compiled languages, and what each is called.
_LANGUAGES = {"c": "C", "cxx": "C++", "fortran": "Fortran"}
_LANGUAGE_OF_OLD = re.compile(
    r"""^[^#\n]*\bdepends_on\(\s*["'](c|cxx|fortran)["']""", re.MULTILINE
)
_SHOWN_LIBRARIES = 3
#: What every directive of the base class of Python recipes is conditioned on.
_PYTHON_PIP = "build_system=python_pip"
_PYPI = re.compile(rb"""\n +pypi = ["']([A-Za-z0-9._-]+)/""")


def recipes() -> Recipes:
    """The recipes of all configured repos. A look imports the few recipes that it may mean."""
    from .choice import Recipes

    return Recipes(of_project=recipe_of, named=recipe_named)


def recipe_of(project: str) -> Optional[Recipe]:
    """The recipe that brings a project; None where there is none. Raises PyvariumError.

    Looks under the few names that such a recipe has, since to load all recipes takes 10 s. One
    that names another project on PyPI is passed over, and one that names none is taken by name.
    """
    from packaging.utils import canonicalize_name

    found = name_of(canonicalize_name(project))
    return recipe_named(found) if found else None


def name_of(project: str) -> Optional[str]:
    """The name of the recipe that brings a project, by its normalized name. As ``recipe_of``."""
    for candidate in (f"py-{project}", project, f"py-{project.replace('-', '')}"):
        if spack.repo.PATH.exists(candidate):
            recipe = _recipe_class(candidate)
            brought = _project(recipe)
            alike = brought is None and candidate in (f"py-{project}", project)
            if "python" in recipe.extendees and (alike or brought == project):
                return candidate
    return None


def names() -> Mapping[str, str]:
    """The names of all recipes that name a project on PyPI, by that project.

    Read from the text of the recipes, of which there are thousands: to load them takes 10 s.
    """
    from packaging.utils import canonicalize_name

    found: Dict[str, str] = {}
    for repo in spack.repo.PATH.repos:
        # Which of them are virtual, Spack would load them all for.
        for name in repo.all_package_names(include_virtuals=True):
            try:
                with open(repo.filename_for_package_name(name), "rb") as file:
                    match = _PYPI.search(file.read())
            except OSError:
                continue
            if match is not None:
                found.setdefault(canonicalize_name(match[1].decode()), name)
    return found


def known(name: str) -> Known:
    """What others can depend on of a recipe; raises PyvariumError."""
    from .recipe import Known

    recipe = _recipe_class(name)
    return Known(recipe.name, frozenset(recipe.variant_names()), _newest_first(recipe))


def known_by_name(name: str) -> Optional[Known]:
    """The same, and None where there is none; a virtual has none."""
    return known(name) if spack.repo.PATH.exists(name) else None


def existing(name: str) -> Existing:
    """What a recipe says, so that another one can extend it; raises PyvariumError."""
    from .recipe import Dependency, Existing

    recipe = _recipe_class(name)
    dependencies = [
        Dependency(
            name=one,
            versions=_versions(dependency.spec),
            variants=_variants(dependency.spec),
            types=spack.deptypes.flag_to_tuple(dependency.depflag),
            when=_condition(when),
        )
        for when, needed in recipe.dependencies.items()
        for one, dependency in needed.items()
    ]
    return Existing(
        name=recipe.name,
        repo=recipe.namespace,
        versions=tuple(str(one) for one in sorted(recipe.versions, reverse=True)),
        dependencies=tuple(dependencies),
        variants=frozenset(recipe.variant_names()),
        enabled=frozenset(_enabled(recipe)),
        pypi=getattr(recipe, "pypi", None),
        build_system=recipe.build_system_class,
    )


def _versions(spec: Any) -> str:
    text = str(spec.versions)
    return "" if text == ":" else text


def _variants(spec: Any) -> Tuple[str, ...]:
    return tuple(sorted(str(one).strip() for one in spec.variants.values()))


def _condition(when: Any) -> Condition:
    """What of a condition is understood, and the rest of it as a text."""
    from .grid import Condition

    rest = when.copy(deps=False)
    rest.versions = spack.version.VersionList([":"])
    rest.variants.clear()
    variants = tuple(one for one in _variants(when) if one != _PYTHON_PIP)
    platform = target = python = ""
    if when.architecture is not None and not when.architecture.os:
        platform = str(when.architecture.platform or "")
        family = str(when.architecture.target or "")
        target = family[:-1] if family.endswith(":") else ""
        if not family or target:
            rest.architecture = None
    others = []
    for edge in when.edges_to_dependencies():
        alone = edge.spec.copy(deps=False)
        alone.versions = spack.version.VersionList([":"])
        if str(alone) == "python" and not python:
            python = _versions(edge.spec)
        else:
            others.append(f"{'%' if getattr(edge, 'direct', False) else '^'}{edge.spec}")
    other = " ".join([part for part in (str(rest).strip(), *others) if part])
    return Condition(_versions(when), variants, platform, target, python, other)


def _enabled(recipe: Any) -> Iterator[str]:
    """The variants that are on by default, as ``+x`` or ``x=y``."""
    for name in recipe.variant_names():
        for _, variant in recipe.variant_definitions(name):
            if variant.default is True or variant.default == "True":
                yield f"+{name}"
            elif variant.default not in (False, "False"):
                yield f"{name}={variant.default}"


def _newest_first(recipe: Any) -> Tuple[str, ...]:
    """The versions that others may depend on."""
    versions = [
        one
        for one, details in recipe.versions.items()
        if not one.isdevelop() and not details.get("deprecated")
    ]
    return tuple(str(one) for one in sorted(versions, reverse=True))


def _project(recipe: Any) -> Optional[str]:
    from packaging.utils import canonicalize_name

    pypi = getattr(recipe, "pypi", None)
    return canonicalize_name(pypi.partition("/")[0]) if pypi else None


def recipe_named(name: str) -> Optional[Recipe]:
    """The recipe of that name; None where there is none. Raises PyvariumError.

    Few virtuals have one, as mpi; to ask for the others would load all recipes.
    """
    from .choice import Recipe

    if not spack.repo.PATH.exists(name):
        return None
    recipe = _recipe_class(name)
    compiled, reason = _compiled(recipe)
    return Recipe(
        name=name,
        versions=_newest_first(recipe),
        compiled=compiled,
        reason=reason,
        project=_project(recipe),
        variants="+python" if _has_python_variant(recipe) else "",
    )


def _recipe_class(name: str) -> Any:
    try:
        found = spack.repo.PATH.get_pkg_class(name)
        if issubclass(found, spack.package_base.PackageBase):
            return found
        reason = f"{found.__name__} is no package"
    except (spack.error.SpackError, AttributeError) as error:  # One without its class.
        reason = " ".join(str(error).split())
    raise PyvariumError(f"recipe {name}: cannot be loaded ({reason}); mend it or remove its repo")


def _compiled(recipe: Any) -> Tuple[bool, str]:
    """Whether Spack's build differs from the wheel on the index, and why.

    It does if it is compiled for this machine or links what Spack provides. A program in Rust that
    links nothing is the same in the wheel, and would need Rust to be built first.
    """
    needs = {}
    for condition, dependencies in recipe.dependencies.items():
        if _is_by_default(condition, recipe):
            for name, dependency in dependencies.items():
                needs[name] = needs.get(name, 0) | dependency.depflag
    languages = [word for name, word in _LANGUAGES.items() if name in needs]
    if not languages and spack.spack_version_info[:2] < (1, 0):  # It drops them when it loads.
        file = Path(spack.repo.PATH.filename_for_package_name(recipe.name))
        found = set(_LANGUAGE_OF_OLD.findall(file.read_text(encoding="utf-8")))
        languages = [word for name, word in _LANGUAGES.items() if name in found]
    libraries = sorted(
        name
        for name, flags in needs.items()
        if flags & spack.deptypes.LINK
        and not name.startswith("py-")
        and name not in (*_LANGUAGES, "python", "python-venv", "rust", "cargo", "go")
    )
    if "rust" in needs and not libraries:
        return False, "is written in Rust and links nothing of Spack's"
    parts = [f"compiles {', '.join(languages)}"] if languages else []
    if libraries:
        more = ", ..." if len(libraries) > _SHOWN_LIBRARIES else ""
        parts.append(f"links {', '.join(libraries[:_SHOWN_LIBRARIES])}{more}")
    if parts:
        return True, " and ".join(parts)
    if not any(base.__name__ == "PythonPackage" for base in recipe.__mro__):
        return True, f"is a {recipe.build_system_class}"
    return False, "is pure Python"


def _is_by_default(condition: Any, recipe: Any) -> bool:
    """Whether a condition asks for no variant that somebody would have to switch on."""
    return all(
        str(wanted.value) in {str(one.default) for _, one in recipe.variant_definitions(name)}
        for name, wanted in condition.variants.items()
        if name != "build_system"
    )


def _has_python_variant(recipe: Any) -> bool:
    """Whether it brings a Python distribution only with ``+python``, as gdal does."""
    conditions = [one for one, needs in recipe.dependencies.items() if "python" in needs]
    return bool(conditions) and all("python" in one.variants for one in conditions)
