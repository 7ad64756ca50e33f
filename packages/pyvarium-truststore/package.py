# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumTruststore(PythonPackage):
    """Verifies certificates with the trust store of the operating system."""

    homepage = "https://github.com/sethmlarson/truststore"
    pypi = "truststore/truststore-0.10.4.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "0.10.4", sha256="9d91bd436463ad5e4ee4aba766628dd6cd7010cf3e2461756b3303710eebc301"
        )

        depends_on("py-flit-core@3.11:3", type="build")

        depends_on("python@3.10:", type=("build", "run"))
