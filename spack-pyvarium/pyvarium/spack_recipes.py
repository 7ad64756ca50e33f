# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What the recipes of a Spack say: which project each brings, in which versions, and how built.

A part of the adapter to Spack (see ``spack_api``). Known to work with 0.23 to 1.3.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Tuple

import spack
import spack.deptypes
import spack.error
import spack.repo

from .errors import PyvariumError

if TYPE_CHECKING:
    from .choice import Recipe, Recipes

#: What Spack calls the compiled languages, and what each is called.
_LANGUAGES = {"c": "C", "cxx": "C++", "fortran": "Fortran"}
_LANGUAGE_OF_OLD = re.compile(
    r"""^[^#\n]*\bdepends_on\(\s*["'](c|cxx|fortran)["']""", re.MULTILINE
)
_SHOWN_LIBRARIES = 3


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

    name = canonicalize_name(project)
    for candidate in (f"py-{name}", name, f"py-{name.replace('-', '')}"):
        if spack.repo.PATH.exists(candidate):
            recipe = recipe_named(candidate)
            alike = recipe.project is None and candidate in (f"py-{name}", name)
            if "python" in _recipe_class(candidate).extendees and (
                alike or recipe.project == name
            ):
                return recipe
    return None


def recipe_named(name: str) -> Optional[Recipe]:
    """The recipe of that name; None where there is none. Raises PyvariumError.

    Few virtuals have one, as mpi; to ask for the others would load all recipes.
    """
    from packaging.utils import canonicalize_name

    from .choice import Recipe

    if not spack.repo.PATH.exists(name):
        return None
    recipe = _recipe_class(name)
    pypi = getattr(recipe, "pypi", None)
    versions = [
        one
        for one, details in recipe.versions.items()
        if not one.isdevelop() and not details.get("deprecated")
    ]
    compiled, reason = _compiled(recipe)
    return Recipe(
        name=name,
        versions=tuple(str(one) for one in sorted(versions, reverse=True)),
        compiled=compiled,
        reason=reason,
        project=canonicalize_name(pypi.partition("/")[0]) if pypi else None,
        variants="+python" if _has_python_variant(recipe) else "",
    )


def _recipe_class(name: str) -> Any:
    try:
        return spack.repo.PATH.get_pkg_class(name)
    except spack.error.SpackError as error:
        reason = " ".join(str(error).split())
        raise PyvariumError(
            f"recipe {name}: cannot be loaded ({reason}); mend it or remove its repo"
        ) from None


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
