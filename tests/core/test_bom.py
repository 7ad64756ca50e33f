# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import json
from typing import Any, Dict

import pytest

from conftest import Site
from pyvarium.bom import Origin, parse_origin
from pyvarium.commands import export
from pyvarium.exports import Wish

SPDX = {
    "spdxVersion": "SPDX-2.3",
    "packages": [
        {
            "name": "hdf5",
            "downloadLocation": "https://example.org/hdf5.tar.gz",
            "licenseDeclared": "BSD-3-Clause OR MIT",
            "checksum": [{"algorithm": "SHA256", "checksumValue": "aa"}],
        }
    ],
}
HDF5 = Origin("https://example.org/hdf5.tar.gz", ("sha256:aa",), "BSD-3-Clause OR MIT")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps(SPDX), HDF5),
        ("{}", Origin()),
        ("no JSON", Origin()),
        ('{"packages": [1]}', Origin()),
        ('{"packages": [{"licenseDeclared": "NOASSERTION"}]}', Origin()),
        ('{"packages": [{"downloadLocation": "NOASSERTION"}]}', Origin()),
    ],
)
def test_what_spack_says_of_a_spec(text: str, expected: Origin) -> None:
    assert parse_origin(text) == expected


def document(site: Site) -> Dict[str, Any]:
    return json.loads(export(site.finish(), None, Wish("cyclonedx")).text)


def test_both_layers(venv_site: Site) -> None:
    hdf5 = venv_site.install("hdf5", "1.14", None, root=False)
    sbom = venv_site.prefixes[hdf5] / ".spack" / "sbom"
    sbom.mkdir()
    (sbom / "spdx-2.3.json").write_text(json.dumps(SPDX))
    build = venv_site.spec("cmake", "3", root=False)
    h5py = venv_site.install(
        "py-h5py",
        "3",
        "Name: h5py\nVersion: 3\nLicense-Expression: BSD-3-Clause\nSummary: Reads HDF5\n",
        needs={hdf5: ["link"], build: ["build"]},
    )
    library = venv_site.path / ".venv" / venv_site.library / "up-2.dist-info"
    library.mkdir()
    (library / "METADATA").write_text(
        "Name: up\nVersion: 2\nLicense: MIT\nRequires-Dist: H5PY\n"
        "Requires-Dist: absent\nRequires-Dist: h5py; sys_platform == 'none'\n"
    )
    found = document(venv_site)
    assert found["components"] == [
        {
            "bom-ref": "pypi:h5py",
            "description": "Reads HDF5",
            "licenses": [{"expression": "BSD-3-Clause"}],
            "name": "h5py",
            "properties": [
                {"name": "spack:hash", "value": h5py},
                {"name": "spack:root", "value": "true"},
                {"name": "spack:spec", "value": "py-h5py@3"},
            ],
            "purl": "pkg:pypi/h5py@3",
            "type": "library",
            "version": "3",
        },
        {
            "bom-ref": "pypi:up",
            "licenses": [{"expression": "MIT"}],
            "name": "up",
            "purl": "pkg:pypi/up@2",
            "type": "library",
            "version": "2",
        },
        {
            "bom-ref": f"spack:hdf5/{hdf5}",
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": "https://example.org/hdf5.tar.gz",
                    "hashes": [{"alg": "SHA-256", "content": "aa"}],
                }
            ],
            "licenses": [{"expression": "BSD-3-Clause OR MIT"}],
            "name": "hdf5",
            "properties": [
                {"name": "spack:hash", "value": hdf5},
                {"name": "spack:spec", "value": "hdf5@1.14"},
            ],
            "purl": "pkg:generic/hdf5@1.14",
            "type": "library",
            "version": "1.14",
        },
    ]
    assert found["dependencies"] == [
        {"ref": "environment", "dependsOn": ["pypi:h5py", "pypi:up"]},
        {"ref": "pypi:h5py", "dependsOn": [f"spack:hdf5/{hdf5}"]},
        {"ref": "pypi:up", "dependsOn": ["pypi:h5py"]},
        {"ref": f"spack:hdf5/{hdf5}", "dependsOn": []},
    ]
    assert document(venv_site) == found


def test_what_is_on_no_index(site: Site) -> None:
    site.install("py-a", "1+site")
    site.path.mkdir(exist_ok=True)
    (site.path / "pyproject.toml").write_text("[tool.pyvarium]\nnot-on-index = ['b']\n")
    site.install("py-b", "1")
    purls = [one["purl"] for one in document(site)["components"]]
    assert purls == ["pkg:generic/a@1%2Bsite", "pkg:generic/b@1"]
