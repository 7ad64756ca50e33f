# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumMsgpack(PythonPackage):
    """Reads and writes MessagePack."""

    homepage = "https://msgpack.org/"
    pypi = "msgpack/msgpack-1.1.2.tar.gz"

    license("Apache-2.0")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("1.1.2", sha256="3b60763c1373dd60f398488069bcdc703cd08a711477b5d480eecc9f9626f47e")

        depends_on("c", type="build")
        depends_on("py-setuptools@80.9:", type="build")

        depends_on("python@3.9:", type=("build", "link", "run"))
