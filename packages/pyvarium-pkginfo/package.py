# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumPkginfo(PythonPackage):
    """Reads the metadata of distributions."""

    homepage = "https://code.launchpad.net/~tseaver/pkginfo/trunk"
    pypi = "pkginfo/pkginfo-1.12.1.2.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "1.12.1.2", sha256="5cd957824ac36f140260964eba3c6be6442a8359b8c48f4adf90210f33a04b7b"
        )

        depends_on("py-setuptools", type="build")

        depends_on("python@3.8:", type=("build", "run"))
