# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Make an environment on another one, which may be somebody else's and read-only.

The other is included as Spack includes a concrete environment: its specs are the new one's too,
in a view of its own, and nobody builds them again. Where this Spack does not know the store that
they are in, the new manifest names it as an upstream; where it may not write to its own, another.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional, Tuple

from . import spack_api
from .distributions import metadata_file
from .errors import PyvariumError
from .lockfile import read_lockfile
from .model import Inventory
from .provided import provided_distributions

#: Where specs are installed that are added on top, if the configured store is somebody else's.
STORE = ".spack-store"


@dataclass(frozen=True)
class Lower:
    """An environment that another is made on.

    ``upstreams`` are the stores that the other's manifest has to name, ``own_store`` tells whether
    it needs a store of its own.
    """

    path: Path
    inventory: Inventory
    upstreams: Tuple[Path, ...]
    own_store: bool

    def render(self) -> str:
        """What a manifest says of it, indented to stand below ``spack:``."""
        key, file = spack_api.included_environment(self.path)
        lines = [f"  {key}:", f"  - {json.dumps(str(file), ensure_ascii=False)}"]
        if self.own_store:
            lines += ["  config:", "    install_tree:", f"      root: ./{STORE}"]
        if self.upstreams:
            lines += ["  upstreams:"]
        for number, root in enumerate(self.upstreams, 1):
            tree = json.dumps(str(root), ensure_ascii=False)
            lines += [f"    lower-{number}:", f"      install_tree: {tree}"]
        return "".join(f"{line}\n" for line in lines)


def find(text: str) -> Lower:
    """Find a concrete environment by its directory or its name; raises PyvariumError."""
    path = Path(os.path.abspath(text))
    if not (path / "spack.yaml").exists():
        named = None if os.sep in text else spack_api.named_environment(text)
        if named is None:
            raise PyvariumError(
                f"--on {text}: is no environment of Spack's, by its directory nor by its name;"
                " see 'spack env list'"
            )
        path = named
    if not (path / "spack.lock").exists():
        raise PyvariumError(
            f"--on {path}: is not concretized; run 'spack -D {path} install', or have its owner"
        )
    if not str(path).isprintable() or re.search(r"[$~]", str(path)):
        raise PyvariumError(
            f"--on {path}: cannot stand in spack.yaml, where '$' and '~' have a meaning; move it"
        )
    environment = spack_api.read_environment(path)
    inventory = provided_distributions(environment, read_lockfile(environment.lockfile))
    own = spack_api.store()
    own_store = not _is_writable(own)
    stores = [*_unknown_stores(inventory), *([own] if own_store else [])]
    upstreams = tuple(dict.fromkeys(stores))
    return Lower(path, inventory, upstreams, own_store)


def _unknown_stores(inventory: Inventory) -> Iterator[Path]:
    """The stores of specs that this Spack does not find, told by where they really are."""
    for one in inventory.provided:
        if spack_api.locate(one.dag_hash) is None:
            found = _store_of(Path(os.path.realpath(metadata_file(one.path))))
            if found is None:
                raise PyvariumError(
                    f"{one.path}: is in no store of Spack's, so that it cannot be built upon;"
                    " have its owner link the view instead of copying it"
                )
            yield found


def _store_of(path: Path) -> Optional[Path]:
    return next((one for one in path.parents if (one / ".spack-db").is_dir()), None)


def _is_writable(directory: Path) -> bool:
    """Whether this process may make files in a directory, or make it where it is not there."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return os.access(directory, os.W_OK)
