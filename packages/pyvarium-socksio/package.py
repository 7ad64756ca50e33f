# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumSocksio(PythonPackage):
    """The client side of SOCKS4, SOCKS4A and SOCKS5, without input or output."""

    homepage = "https://github.com/sethmlarson/socksio"
    pypi = "socksio/socksio-1.0.0.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("1.0.0", sha256="f88beb3da5b5c38b9890469de67d0cb0f9d494b78b106ca1845f96c10b91c4ac")

        depends_on("py-flit-core@2:3", type="build")

        depends_on("python@3.6:", type=("build", "run"))
