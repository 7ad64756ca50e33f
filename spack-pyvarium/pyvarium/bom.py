# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A bill of materials of both layers, in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/).

Spack since 1.3 writes a document in SPDX for each spec that it installs: where from, of which
licence, with which hash. It is used where it is there. Licences are those that the installed
metadata states; nothing is guessed. There is no time in it, so the same environment is the same
document.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple
from urllib.parse import quote

from packaging.utils import canonicalize_name
from packaging.version import Version

from . import __version__
from .core_metadata import Metadata, parse_metadata
from .distributions import metadata_file
from .errors import MetadataError
from .exports import MARK, Contents
from .files import read_optional
from .layer import installed_distributions
from .licenses import parse_expression
from .lockfile import Node
from .markers import applies, environment_of
from .model import Provided
from .report import render_json

_ROOT = "environment"
#: The names of hashes in CycloneDX, by those of hashlib.
_ALGORITHMS = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
}
#: Where Spack keeps its own document, below a prefix.
_SPDX = Path(".spack", "sbom", "spdx-2.3.json")


@dataclass(frozen=True)
class Origin:
    """What Spack says of the source of a spec."""

    url: Optional[str] = None
    hashes: Tuple[str, ...] = ()
    license: Optional[str] = None


@dataclass(frozen=True)
class Component:
    """A part of an environment. ``needs`` are the references of others."""

    reference: str
    name: str
    version: str
    purl: str
    license: Optional[str] = None
    summary: str = ""
    files: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()
    needs: Tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


def render_cyclonedx(contents: Contents) -> str:
    """Render the document; raises PyvariumError."""
    components = sorted(_components(contents), key=lambda one: one.reference)
    needed = {name for one in components for name in one.needs}
    roots = {
        one.reference
        for one in components
        if one.reference not in needed or one.properties.get("spack:root") == "true"
    }
    environment = contents.environment
    value: Dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "bom-ref": _ROOT,
                "type": "application",
                "name": environment.name,
            },
            "properties": _properties(
                {"pyvarium:made-by": MARK, "pyvarium:upper-layer": contents.origin}
            ),
            "tools": {
                "components": [
                    {"type": "application", "name": "spack-pyvarium", "version": __version__}
                ]
            },
        },
        "components": [_as_json(one) for one in components],
        "dependencies": [
            {"ref": _ROOT, "dependsOn": sorted(roots)},
            *({"ref": one.reference, "dependsOn": sorted(one.needs)} for one in components),
        ],
    }
    content = json.dumps(value, sort_keys=True)
    value["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    return render_json(value)


def parse_origin(text: str) -> Origin:
    """Parse a document of Spack's; what is not in it is left open."""
    try:
        package = json.loads(text)["packages"][0]
        url = str(package.get("downloadLocation", ""))
        hashes = sorted(
            f"{one['algorithm'].lower()}:{one['checksumValue']}"
            for one in package.get("checksum") or package.get("checksums") or ()
        )
        return Origin(
            url if url.startswith(("http://", "https://")) else None,
            tuple(hashes),
            parse_expression(str(package.get("licenseDeclared", "")).replace("NOASSERTION", "")),
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return Origin()


def _components(contents: Contents) -> Iterator[Component]:
    """Each spec that is linked or run, and each distribution on top.

    A spec that brings distributions stands there as these, since that is what is looked up in
    lists of vulnerabilities.
    """
    provided: Dict[str, List[Provided]] = {}
    for one in contents.inventory.provided:
        provided.setdefault(one.dag_hash, []).append(one)
    lockfile = contents.lockfile
    runtime = lockfile.runtime()
    references = {
        dag_hash: [f"pypi:{one.name}" for one in provided.get(dag_hash, ())]
        or [f"spack:{lockfile.nodes[dag_hash].name}/{dag_hash}"]
        for dag_hash in runtime
    }
    stores = _stores(contents.inventory.provided)
    for dag_hash in runtime:
        node = lockfile.nodes[dag_hash]
        needs = tuple(one for other in node.needs for one in references[other])
        prefix = contents.environment.locate(dag_hash) or _beside(stores, node, dag_hash)
        origin = Origin()
        if prefix is not None:
            data = read_optional(prefix / _SPDX)
            origin = parse_origin((data or b"{}").decode("utf-8", "replace"))
        properties = {"spack:hash": dag_hash, "spack:spec": node.spec}
        properties.update({"spack:root": "true"} if dag_hash in lockfile.roots else {})
        properties.update({"spack:external": node.external} if node.external else {})
        files = ((origin.url, origin.hashes),) if origin.url else ()
        for one in provided.get(dag_hash, ()):
            metadata = _metadata(one.path, one.name, one.version)
            known = one.name not in contents.not_on_index and "+" not in one.version
            yield Component(
                reference=f"pypi:{one.name}",
                name=one.name,
                version=one.version,
                purl=_purl("pypi" if known else "generic", one.name, one.version),
                license=metadata.license or origin.license,
                summary=metadata.summary,
                files=files,
                needs=needs,
                properties=properties,
            )
        if dag_hash not in provided:
            yield Component(
                reference=references[dag_hash][0],
                name=node.name,
                version=node.version,
                purl=_purl("generic", node.name, node.version),
                license=origin.license,
                files=files,
                needs=needs,
                properties=properties,
            )
    yield from _on_top(contents)


def _on_top(contents: Contents) -> Iterator[Component]:
    installed, _ = installed_distributions(contents.environment)
    paths = {(one.name, one.version): one.path for one in installed}
    markers = environment_of(contents.python)
    given = {one.name for one in contents.inventory.provided}
    known = given.union(one.name for one in contents.all)
    # Where there is no view, what Spack provides is known by its pins alone.
    bare = [one for one in contents.provided if one.name not in given]
    for one in (*bare, *contents.upper):
        path = paths.get((one.name, one.version))
        metadata = Metadata() if path is None else _metadata(path, one.name, one.version)
        needed = {
            canonicalize_name(requirement.name)
            for requirement in metadata.requires
            if applies(requirement.marker, markers)
        }
        yield Component(
            reference=f"pypi:{one.name}",
            name=one.name,
            version=one.version,
            purl=_purl("pypi", one.name, one.version),
            license=metadata.license,
            summary=metadata.summary,
            files=tuple((file.url, (file.hash,)) for file in one.files if file.url),
            needs=tuple(f"pypi:{name}" for name in needed & known),
        )


def _metadata(path: Path, name: str, version: str) -> Metadata:
    data = read_optional(metadata_file(path))
    try:
        return parse_metadata(data or b"", name, Version(version))
    except MetadataError:  # Was read for its name and version before.
        return Metadata()


def _stores(provided: Sequence[Provided]) -> Tuple[str, ...]:
    """The directories with the prefixes of what is provided, where there is no Spack to ask."""
    found: Set[str] = set()
    for one in provided:
        real = Path(os.path.realpath(metadata_file(one.path)))
        found.update(str(path.parent) for path in real.parents if (path / ".spack").is_dir())
    return tuple(sorted(found))


def _beside(stores: Sequence[str], node: Node, dag_hash: str) -> Optional[Path]:
    paths = (Path(store, f"{node.name}-{node.version}-{dag_hash}") for store in stores)
    return next((path for path in paths if path.is_dir()), None)


def _purl(kind: str, name: str, version: str) -> str:
    """A package URL (https://github.com/package-url/purl-spec); Spack has no type of its own."""
    return f"pkg:{kind}/{quote(name, safe='')}@{quote(version, safe='')}"


def _as_json(one: Component) -> Dict[str, Any]:
    value: Dict[str, Any] = {
        "type": "library",
        "bom-ref": one.reference,
        "name": one.name,
        "version": one.version,
        "purl": one.purl,
    }
    if one.summary:
        value["description"] = one.summary
    if one.license:
        value["licenses"] = [{"expression": one.license}]
    if one.files:
        value["externalReferences"] = [_file(url, hashes) for url, hashes in one.files]
    if one.properties:
        value["properties"] = _properties(one.properties)
    return value


def _file(url: str, hashes: Sequence[str]) -> Dict[str, Any]:
    split = (one.partition(":") for one in hashes)
    listed = [
        {"alg": _ALGORITHMS[algorithm], "content": digest}
        for algorithm, _, digest in split
        if algorithm in _ALGORITHMS
    ]
    return {"type": "distribution", "url": url, **({"hashes": listed} if listed else {})}


def _properties(values: Mapping[str, str]) -> List[Dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(values.items())]
