# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

try:
    from spack_repo.builtin.packages.py_keyring.package import PyKeyring as Builtin
except ImportError:  # Spack 0.23
    from spack.pkg.builtin.py_keyring import PyKeyring as Builtin

from spack import spack_version_info
from spack.package import *


class PyKeyring(Builtin):
    """Stores and reads passwords in the keyring of the system."""

    # What others get by default stays what builtin would give them.
    default = max(Builtin.versions)
    version(str(default), **{**Builtin.versions[default], "preferred": True})

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "25.7.0", sha256="fe01bd85eb3f8fb3dd0405defdeac9a5b4f6f0439edbb3149577f244a2e8245b"
        )
        version(
            "25.6.0", sha256="0b39998aa941431eb3d9b0d4b2460bc773b9df6fed7621c2dfb291a7e0187a66"
        )

        depends_on("py-coherent-licensed", when="@25.7:", type="build")
        depends_on("py-setuptools@77:", when="@25.7:", type="build")
        depends_on("py-setuptools@61.2:", when="@25.6:", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:", when="@25.6:")
            depends_on("py-jaraco-context", when="@25:")
            # What is older hides what setuptools brings of it, and needs.
            depends_on("py-jaraco-functools@4:", when="@25:")
