# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumPdm(PythonPackage):
    """Package and dependency manager that follows the packaging standards of Python."""

    homepage = "https://pdm-project.org"
    pypi = "pdm/pdm-2.29.3.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        # 2.29.4 needs httpx2, and a newer certifi than builtin has.
        version(
            "2.29.3", sha256="320df1661a60a4e29ce813992dcd5c8c5583c1bf27d36b713895cf38f4c49e9e"
        )
        version(
            "2.28.2", sha256="dc31c1d11c2e90564207181f87ca3d6fc16ee6584d703c0a9e0c03ba287a925a"
        )
        version(
            "2.27.0", sha256="dbfbc484065d0150fa5b29484ead908354313d8699cf74c099d4531826bd04de"
        )
        version(
            "2.26.9", sha256="6f7279b5e54b2948db3dcc1495197e9d0b2c8643e8159cc835e22d8f9af083b5"
        )

        depends_on("py-pdm-backend", type="build")
        depends_on("pyvarium-pdm-build-locked", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.10:", when="@2.27:")
            depends_on("python@3.9:")
            depends_on("pyvarium-argcomplete@3.6.3:", when="@2.28:")
            depends_on("py-blinker")
            depends_on("py-certifi@2024.8.30:")
            depends_on("pyvarium-dep-logic@0.5:")
            depends_on("py-filelock@3.13:")
            depends_on("pyvarium-findpython@0.7:0")
            depends_on("pyvarium-hishel+httpx@1:")
            depends_on("py-httpcore@1.0.6:")
            depends_on("py-httpx@0.20.1:0")
            depends_on("py-id@1.5:")
            depends_on("py-importlib-metadata@3.6:", when="@:2.26 ^python@:3.9")
            depends_on("pyvarium-installer@1:", when="@2.27:")
            depends_on("pyvarium-installer@0.7:")
            depends_on("py-packaging@22.0.1:")
            depends_on("pyvarium-pbs-installer@2025.10.7:")
            depends_on("py-platformdirs")
            depends_on("py-pyproject-hooks")
            depends_on("py-python-dotenv@0.15:")
            depends_on("pyvarium-resolvelib@1.1:")
            depends_on("py-rich@12.3:")
            depends_on("py-shellingham@1.3.2:")
            depends_on("pyvarium-socksio@1")
            depends_on("py-tomli@1.1:", when="^python@:3.10")
            depends_on("py-tomlkit@0.11.1:0")
            depends_on("pyvarium-truststore@0.10.4:", when="^python@3.10:")
            depends_on("pyvarium-unearth@0.17.5:")
            depends_on("py-virtualenv@20:")
