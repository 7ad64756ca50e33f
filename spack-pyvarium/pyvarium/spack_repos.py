# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The package repos of a Spack: which there are, a new one, and what Spack's audit says of one.

A part of the adapter to Spack (see ``spack_api``). Known to work with 1.0 to 1.3.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any, Iterator, Tuple

import spack
import spack.config
import spack.error
import spack.paths
import spack.repo
import spack.util.naming
import spack.util.web

from . import root
from .errors import PyvariumError
from .recipes import Repo
from .settings import RECIPE_REPO, VARIABLE, Policy
from .spack_api import canonicalize_path, configured

#: What every Spack from 1.0 on reads.
PACKAGE_API = (2, 0)
BUILTIN = "builtin"


def make(repo: Repo) -> None:
    """Make a repo, as ``spack repo create`` does, if it is not there; raises PyvariumError."""
    if repo.packages.is_dir():
        return
    base = repo.root.parent.parent  # Spack adds ``spack_repo/NAMESPACE`` to it.
    try:
        base.mkdir(parents=True, exist_ok=True)
        spack.repo.create_repo(str(base), repo.namespace, package_api=PACKAGE_API)
    except (spack.error.SpackError, OSError) as error:
        raise _unusable(str(repo.root), error) from None


@contextlib.contextmanager
def in_use(repo: Repo) -> Iterator[None]:
    """Have Spack look into a repo too, where it is not configured; raises PyvariumError."""
    if repo.configured or not repo.packages.is_dir():
        yield
        return
    try:
        found = spack.repo.from_path(str(repo.root))
    except spack.error.SpackError as error:
        raise _unusable(str(repo.root), error) from None
    with spack.repo.use_repositories(found, override=False):
        yield


def find(word: str) -> Repo:
    """The repo that a namespace or a directory means; raises PyvariumError.

    A directory that has none stands for a new one, whose namespace is its name.
    """
    if getattr(spack, "package_api_version", (1, 0)) < PACKAGE_API:
        raise PyvariumError(
            f"Spack {spack.spack_version}: has no Package API v2, which recipes are written for;"
            " use Spack 1.0 or newer"
        )
    configured = {one.namespace: one for one in spack.repo.PATH.repos}
    if word in configured:
        return _writable(configured[word], configured=True)
    if os.sep not in word and not os.path.isdir(word):
        raise PyvariumError(
            f"repo {word}: no repo of that namespace is configured (there are"
            f" {', '.join(sorted(configured))}); name one of them, or a directory, as ./{word}"
        )
    path = Path(canonicalize_path(word))
    if any(one.exists() and not one.is_dir() for one in (path, *path.parents)):
        raise PyvariumError(f"repo {word}: is not a directory; name one, or one to be made")
    found = _roots(path)
    if len(found) > 1:
        listed = ", ".join(str(one) for one in found)
        raise PyvariumError(f"repo {word}: there are several ({listed}); name one of them")
    if found:
        real = os.path.realpath(found[0])
        for one in configured.values():
            if os.path.realpath(one.root) == real:
                return _writable(one, configured=True)
        try:
            return _writable(spack.repo.from_path(str(found[0])), configured=False)
        except spack.error.SpackError as error:
            raise _unusable(word, error) from None
    namespace = path.name.replace("-", "_")
    if not spack.util.naming.valid_module_name(namespace, PACKAGE_API) or namespace == BUILTIN:
        raise PyvariumError(
            f"repo {word}: {path.name!r} cannot be the namespace of a repo; take another name of"
            " small letters, digits and '_', that is no word of Python's"
        )
    if namespace in configured:
        taken = configured[namespace].root
        raise PyvariumError(
            f"repo {word}: its namespace would be {namespace}, which {taken} has; take another"
        )
    root = path / "spack_repo" / namespace
    return Repo(root, namespace, root / "packages", configured=False)


def default() -> Repo:
    """The repo that is named by a setting, or the first one that is not builtin.

    As ``spack create`` takes it. Raises PyvariumError where there is none.
    """
    setting = configured(RECIPE_REPO)
    if setting is not None:
        return find(str(setting.value))
    ours = os.path.realpath(root())
    for one in spack.repo.PATH.repos:
        usable = one.namespace != BUILTIN and one.package_api >= PACKAGE_API
        if usable and os.path.realpath(one.root) != ours:
            return _writable(one, configured=True)
    raise PyvariumError(
        "--repo: is not given, and there is no repo but builtin; name a directory, which becomes"
        " one, as --repo ./recipes"
    )


def cache_directory() -> Path:
    """Where Spack keeps what it can make anew: ``config:misc_cache``."""
    path = spack.config.get("config:misc_cache", "$user_cache_path/cache")
    return Path(canonicalize_path(path), "pyvarium", "index")


def open_url(request: urllib.request.Request, timeout: float) -> Any:
    """Open an address as Spack does: with its certificates, and its proxies."""
    return spack.util.web.urlopen(request, timeout=timeout)


def run(repo: Repo, *arguments: str) -> Tuple[int, str]:
    """Run a Spack anew that looks into a repo; its exit code, and what it printed."""
    command = [sys.executable, spack.paths.spack_script]
    environ = {**os.environ, VARIABLE: Policy.OFF.value}
    with tempfile.TemporaryDirectory() as scope:
        if not repo.configured:
            entry = json.dumps({"repos": {repo.namespace: str(repo.root)}})
            Path(scope, "repos.yaml").write_text(entry, encoding="utf-8")
            command += ["-C", scope]
        done = subprocess.run(
            [*command, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    return done.returncode, done.stdout


def _roots(path: Path) -> Tuple[Path, ...]:
    """Where there is a ``repo.yaml``: in a directory, or as ``spack repo create`` lays it out."""
    if (path / "repo.yaml").is_file():
        return (path,)
    return tuple(sorted(one.parent for one in (path / "spack_repo").glob("*/repo.yaml")))


def _writable(found: spack.repo.Repo, configured: bool) -> Repo:
    if found.namespace == BUILTIN:
        raise PyvariumError(
            "repo builtin: is Spack's own, which an update of Spack replaces; name another"
        )
    if found.package_api < PACKAGE_API:
        raise PyvariumError(
            f"repo {found.root}: has Package API v{'.'.join(map(str, found.package_api))}, recipes"
            " are written for v2.0; run 'spack repo migrate' on it or name another"
        )
    return Repo(Path(found.root), found.namespace, Path(found.packages_path), configured)


def _unusable(word: str, error: Exception) -> PyvariumError:
    return PyvariumError(
        f"repo {word}: cannot be used ({' '.join(str(error).split())}); mend it or name another"
    )
