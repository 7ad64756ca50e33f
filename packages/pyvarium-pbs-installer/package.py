# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumPbsInstaller(PythonPackage):
    """Installs the standalone builds of Python."""

    homepage = "https://github.com/frostming/pbs-installer"
    pypi = "pbs-installer/pbs_installer-2026.9.29.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "2026.9.29", sha256="7feaf3d5a4c3d55fa57470956a5d2afa1b9eea323980bbdb4f3ef875f122f144"
        )
        version(
            "2025.12.17", sha256="cf32043fadd168c17a1b18c1c3f801090281bd5c9ce101e2deb7e0e51c8279dd"
        )

        variant("download", default=False, description="Download builds")
        # The newer ones unpack with backports.zstd, which has no recipe.
        variant("install", default=False, description="Install builds", when="@:2025")

        depends_on("py-pdm-backend", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:", when="@2026:")
            depends_on("python@3.8:")
            depends_on("py-httpx@0.27:0", when="+download")
            depends_on("pyvarium-zstandard@0.21:", when="+install")
