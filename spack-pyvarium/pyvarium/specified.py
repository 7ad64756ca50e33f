# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""An environment and data as a specification of Poncho's asks for, made to be packed.

What Conda's names mean here is settled with the recipes and the index before anything is made; the
rest is what ``new`` and ``install`` do. Data are fetched first, since a wrong address is better
found before hours of building.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Mapping, Optional

from . import creation, datasets, spack_api, spack_recipes
from .creation import Created
from .errors import FileError, PyvariumError
from .fetching import Fetcher, FetchError, NotFoundError
from .files import FileChange, read_optional
from .index import project_url
from .lifecycle import Session, install
from .members import Tree
from .pack import Extra
from .pack_manifest import PACK
from .project import Project, SourceError
from .sources import read_text
from .specification import Specification, parse_specification, settle
from .variables import Action, Change

#: In an environment that is kept: what it was made from.
KEPT = "specification.json"


@dataclass(frozen=True)
class Wish:
    """A specification, ``text`` of the file ``subject``; and where the environment is kept."""

    text: str
    subject: str
    kept: Optional[Path] = None


@dataclass(frozen=True)
class Made:
    """What can be packed, as long as it is there."""

    path: Path
    extra: Extra


def read_wish(source: str, kept: Optional[Path], read_stdin: Callable[[], bytes]) -> Wish:
    """Read a specification from a file, or from stdin for ``-``; raises PyvariumError."""
    path = Path(source)
    if source != "-" and path.is_dir():
        raise SourceError(
            f"{source}: is a directory; choose an environment by 'spack -D {source}'"
        )
    if source != "-" and not path.exists():
        raise SourceError(f"{source}: does not exist; name a specification, or '-' for stdin")
    if source != "-":
        return Wish(read_text(path), source, kept)
    try:
        return Wish(read_stdin().decode("utf-8-sig"), "stdin", kept)
    except UnicodeDecodeError as error:
        raise SourceError(f"stdin: is not UTF-8 at byte {error.start}; mend it") from None


@contextlib.contextmanager
def make(
    wish: Wish,
    session: Session,
    fetcher: Fetcher,
    environ: Mapping[str, str],
    announce: Callable[[Created], object],
) -> Iterator[Made]:
    """Make the environment, and fetch the data; what is not kept is removed behind.

    What is chosen for a new one is announced before it is installed. Raises PyvariumError.
    """
    specification = parse_specification(wish.text, wish.subject, read_text)
    there = wish.kept is not None and _is_from(wish.kept, wish.text)
    project = Project() if there else settled(specification, wish.subject, fetcher)
    with tempfile.TemporaryDirectory(prefix="pyvarium-") as own:
        directory = Path(own, datasets.FOLDER)
        fetched = datasets.fetch(
            specification,
            directory,
            subject=wish.subject,
            environ=environ,
            open_url=fetcher.open_url,
            report=session.report,
        )
        named = [Change(one.variable, Action.SET, f"{PACK}/{one.path}") for one in fetched]
        extra = Extra((Tree(directory, datasets.FOLDER),), fetched, tuple(named))
        path = wish.kept or Path(own, _name(wish.subject))

        def begin(created: Created) -> None:
            # Kept before the rest, so that the same command goes on from what it has left.
            FileChange(path / KEPT, None, wish.text.encode("utf-8")).write()
            announce(created)

        try:
            if there:
                install(path, session)
            else:
                new = creation.Wish(path, project=project, lenient=True)
                creation.create(new, session, skip_install=False, announce=begin)
        except PyvariumError as error:
            if wish.kept is None:
                remedy = "it was temporary: add --environment DIR to keep it and go on from it"
                raise PyvariumError(f"{error}; {remedy}") from None
            raise
        yield Made(path, extra)


def settled(specification: Specification, subject: str, fetcher: Fetcher) -> Project:
    """What is to be installed, with what Conda's names mean here; raises PyvariumError."""
    recipes = spack_recipes.recipes()

    def on_index(name: str) -> bool:
        try:
            fetcher.page(project_url(fetcher.index, name))
        except NotFoundError:
            return False
        except FetchError:  # Whoever installs it will say what is wrong.
            return True
        return True

    pythons = spack_recipes.recipe_named("python")
    known = (*(pythons.versions if pythons else ()), *spack_api.external_pythons())
    return settle(
        specification.project,
        subject,
        recipe_named=recipes.named,
        is_known=lambda name: bool(recipes.of_project(name) or recipes.named(name)),
        on_index=on_index,
        pythons=known,
    )


def _is_from(path: Path, text: str) -> bool:
    """Whether a directory is of an environment made from this text; raises FileError."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return False
    if path.is_dir() and read_optional(path / KEPT) == text.encode("utf-8"):
        return True
    raise FileError(
        f"{path}: is there, and was not made from this specification; name another, or remove it"
    )


def _name(subject: str) -> str:
    """A name for an environment that is nowhere else."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(subject).stem).strip("-")
    return name or "environment"
