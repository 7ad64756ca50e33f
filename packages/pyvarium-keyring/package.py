# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumKeyring(PythonPackage):
    """Stores and reads passwords in the keyring of the system."""

    homepage = "https://github.com/jaraco/keyring"
    pypi = "keyring/keyring-25.7.0.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "25.7.0", sha256="fe01bd85eb3f8fb3dd0405defdeac9a5b4f6f0439edbb3149577f244a2e8245b"
        )
        version(
            "25.6.0", sha256="0b39998aa941431eb3d9b0d4b2460bc773b9df6fed7621c2dfb291a7e0187a66"
        )

        depends_on("py-coherent-licensed", when="@25.7:", type="build")
        depends_on("py-setuptools@77:", when="@25.7:", type="build")
        depends_on("py-setuptools@61.2:", type="build")
        depends_on("py-setuptools-scm+toml@3.4.1:", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:")
            depends_on("py-importlib-metadata@4.11.4:", when="^python@:3.11")
            depends_on("py-jaraco-classes")
            depends_on("py-jaraco-context")
            depends_on("py-jeepney@0.4.2:", when="platform=linux")
            depends_on("py-secretstorage@3.2:", when="platform=linux")
            # What is older hides what setuptools brings of it, and needs.
            depends_on("pyvarium-jaraco-functools@4:")
