# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Where a Spack keeps module files, and how it renders them.

A part of the adapter to Spack (see ``spack_api``). Known to work with 0.23 to 1.3.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, List, Mapping, Optional

import spack.config
import spack.environment
import spack.error
import spack.spec

from . import root, spack_api
from .errors import PyvariumError
from .settings import MODULE_NAME

if TYPE_CHECKING:
    from .modulegen import Render, Site


def site(path: Path, module_set: str) -> Site:
    """Where module files for an environment go, by ``modules.yaml`` and our own setting.

    The environment's own configuration counts too. Raises PyvariumError.
    """
    from .modulefile import Language
    from .modulegen import Place, Site

    with _active(path) as active:
        modules = spack.config.get("modules") or {}
        table = modules.get(module_set)
        if table is None and module_set != "default":
            raise PyvariumError(f"module set {module_set}: is not in modules.yaml; add it there")
        table = table or {}
        enabled = [str(one) for one in table.get("enable") or ()]
        name = spack_api.configured(MODULE_NAME)
        places = {}
        for language in Language:
            rules = table.get(language.kind) or {}
            projections = {str(key): one for key, one in (rules.get("projections") or {}).items()}
            projection = projections.get(spack_api.SECTION, projections.get("all"))
            places[language] = Place(
                directory=_module_directory(
                    active,
                    language.kind,
                    module_set,
                    hierarchical=rules.get("hierarchical", language.kind == "lmod"),  # Since 1.3.
                ),
                template=(rules.get(spack_api.SECTION) or {}).get("template") or language.template,
                name=None if name is None else str(name.value),
                projection=projection and str(projection),
            )
    languages = tuple(one for one in Language if not enabled or one.kind in enabled)
    return Site(languages, places)


def _module_directory(
    active: Optional[Any], kind: str, module_set: str, *, hierarchical: bool
) -> Path:
    """What 'module use' would take for the modules of Spack's own that need no others."""
    import spack.modules.common

    root = Path(spack.modules.common.root_path(kind, module_set))
    parts: List[str] = []
    if spack.config.get(f"modules:{module_set}:arch_folder", True):
        installed = [] if active is None else list(active.concrete_roots())
        architecture = installed[0].architecture if installed else _default_architecture()
        if hierarchical:
            target = architecture.target.family
            parts.append(f"{architecture.platform}-{architecture.os}-{target}")
        else:
            parts.append(str(architecture))
    if hierarchical:
        parts.append("Core")  # An environment brings all that it needs.
    return root.joinpath(*parts)


def _default_architecture() -> Any:
    return spack.spec.ArchSpec(spack.spec.ArchSpec.default_arch())


@contextlib.contextmanager
def _active(path: Path) -> Iterator[Optional[Any]]:
    """An environment whose configuration counts; None where there is none. Raises PyvariumError.

    What is raised inside is passed on.
    """
    if not (path / "spack.yaml").exists():
        yield None
        return
    try:
        active = spack.environment.Environment(str(path))
    except spack.error.SpackError as error:
        raise PyvariumError(f"{path}: {' '.join(str(error).split())}; mend spack.yaml") from None
    with active:
        yield active


def renderer(path: Path) -> Render:
    """What renders templates for an environment, as Spack's own module files are rendered.

    Those of the site (``config:template_dirs``) come before those of extensions, and ours.
    """
    import spack.tengine

    with _active(path):
        configured = spack.config.get("config:template_dirs") or ["$spack/share/spack/templates"]
        places = [spack_api.canonicalize_path(one) for one in configured]
    places += map(str, spack_api.template_directories())
    own = os.path.join(root(), "spack-pyvarium", "templates")
    directories = tuple(dict.fromkeys([*places, own]))

    def render(name: str, values: Mapping[str, object]) -> str:
        from .modulefile import FILTERS

        engine = spack.tengine.make_environment(directories).overlay()
        engine.filters = {**engine.filters, **FILTERS}
        library = importlib.import_module(type(engine).__module__.rpartition(".")[0])
        try:
            return str(engine.get_template(name).render(values))
        except library.TemplateNotFound as error:
            raise PyvariumError(
                f"template {error}: is in none of {', '.join(directories)}; mend modules.yaml"
            ) from None
        except library.TemplateError as error:
            raise PyvariumError(f"template {name}: {error}; mend it") from None

    return render
