# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A store, a view and a lockfile as Spack writes them, made of a few files."""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Dict, List, Optional, Union

import pytest
from hypothesis import settings

from pyvarium.model import Environment

settings.register_profile("fast", deadline=None, max_examples=20)
settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("default")


def dag_hash_of(name: str, version: str) -> str:
    digest = hashlib.sha256(f"{name}@{version}".encode()).hexdigest()
    return digest.translate(str.maketrans("0189", "ghij"))[:32]


class Site:
    """Builds what Spack would: ``install`` a spec, then ``finish`` the environment."""

    def __init__(self, root: Path, python: str = "3.11") -> None:
        self.root = root
        self.library = Path("lib") / f"python{python}" / "site-packages"
        self.path = root / "my-env"
        self.view = self.path / ".spack-env" / "view"
        self.prefixes: Dict[str, Path] = {}
        self.nodes: Dict[str, dict] = {}
        self.roots: List[str] = []
        (self.view / self.library).mkdir(parents=True)

    def spec(
        self,
        name: str,
        version: str,
        *,
        root: bool = True,
        needs: Optional[Dict[str, List[str]]] = None,
        external: Optional[str] = None,
    ) -> str:
        """Add a node to the lockfile; ``needs`` maps hashes to dependency types."""
        dag_hash = dag_hash_of(name, version)
        self.nodes[dag_hash] = {
            "name": name,
            "version": version,
            "hash": dag_hash,
            "dependencies": [
                {"name": "any", "hash": other, "parameters": {"deptypes": types, "virtuals": []}}
                for other, types in (needs or {}).items()
            ],
        }
        if external:
            self.nodes[dag_hash]["external"] = {"path": external, "module": None}
        if root:
            self.roots.append(dag_hash)
        return dag_hash

    def install(
        self,
        name: str,
        version: str,
        metadata: Optional[str] = "",
        *,
        kind: str = "dist-info",
        link: str = "file",
        **node: object,
    ) -> str:
        """Add a spec, install it with its metadata (None: without any) and link it to the view."""
        dag_hash = self.spec(name, version, **node)  # type: ignore[arg-type]
        project = name[3:] if name.startswith("py-") else name
        prefix = self.root / "store" / f"{name}-{version}-{dag_hash}"
        (prefix / ".spack").mkdir(parents=True)
        (prefix / ".spack" / "spec.json").write_text(
            json.dumps({"spec": {"nodes": [{"name": name, "version": version, "hash": dag_hash}]}})
        )
        self.prefixes[dag_hash] = prefix
        if metadata is None:
            return dag_hash
        folder = self.library / f"{project.replace('-', '_')}-{version}.{kind}"
        file = folder / ("METADATA" if kind == "dist-info" else "PKG-INFO")
        (prefix / folder).mkdir(parents=True)
        text = metadata or f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n\nText\n"
        (prefix / file).write_bytes(text.encode("utf-8", "surrogateescape"))
        if link == "directory":
            (self.view / folder).symlink_to(prefix / folder)
        elif link == "copy":
            (self.view / folder).mkdir()
            os.link(prefix / file, self.view / file)
        elif link == "file":
            (self.view / folder).mkdir()
            (self.view / file).symlink_to(prefix / file)
        return dag_hash

    def add(self, dag_hash: str, path: Union[str, Path], content: Union[str, bytes]) -> None:
        """Add a file to what is installed of a spec, by its path in the prefix, and link it."""
        file = self.prefixes[dag_hash] / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(0o755)
        if not (self.view / path).exists():
            (self.view / path).parent.mkdir(parents=True, exist_ok=True)
            (self.view / path).symlink_to(file)

    def add_python(self) -> Path:
        """Put the running python into the view."""
        python = self.view / "bin" / "python3"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.symlink_to(os.path.realpath(sys.executable))
        return python

    def add_venv(self) -> None:
        """A venv as far as a sync looks at it. To make one that runs takes longest of all."""
        (self.path / ".venv" / self.library).mkdir(parents=True)
        (self.path / ".venv" / "bin").mkdir()
        (self.path / ".venv" / "bin" / "python").symlink_to(os.path.realpath(sys.executable))

    def lockfile(self, version: int = 6) -> str:
        return json.dumps(
            {
                "_meta": {"file-type": "spack-lockfile", "lockfile-version": version},
                "roots": [{"hash": one, "spec": "any"} for one in self.roots],
                "concrete_specs": self.nodes,
            }
        )

    def finish(self, *, view: bool = True) -> Environment:
        """Write the lockfile and return the environment, with or without its view."""
        (self.path / "spack.lock").write_text(self.lockfile())
        (self.path / "spack.yaml").write_text("spack:\n  specs: []\n")
        return Environment(
            self.path, self.path.name, (self.view,) if view else (), self.prefixes.get
        )


#: The ``X.Y`` of the python that runs the tests.
HERE = "{}.{}".format(*sys.version_info)


@pytest.fixture
def python_site(tmp_path: Path) -> Site:
    """A site for the running python, that python being in the view."""
    site = Site(tmp_path, HERE)
    site.add_python()
    return site


@pytest.fixture
def venv_site(python_site: Site) -> Site:
    """A site with a venv of that python already, but none that runs."""
    python_site.add_venv()
    return python_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def interrupted_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a new file is interrupted as soon as it is there."""
    opening = os.open

    def interrupt(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opening(path, flags, mode)
        if not flags & os.O_EXCL:
            return descriptor
        os.close(descriptor)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupt)
