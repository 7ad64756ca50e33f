# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumHishel(PythonPackage):
    """An HTTP cache."""

    homepage = "https://hishel.com"
    pypi = "hishel/hishel-1.2.1.tar.gz"

    license("BSD-3-Clause")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("1.2.1", sha256="87212cd31a7a6904352ec5bd7119ed3b43d0ab1259d5995751a2a2b173d7c305")
        version("1.1.8", sha256="bcd15ad282bd530e97a676b2d16a58e5034750e8a6955e77babfea69fc5b4ad8")

        variant("httpx", default=False, description="Support HTTPX")

        depends_on("py-hatchling", type="build")
        depends_on("py-hatch-fancy-pypi-readme", when="@:1.1", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.10:", when="@1.2:")
            depends_on("python@3.9:")
            depends_on("pyvarium-msgpack@1.1.2:")
            depends_on("py-typing-extensions@4.14.1:")

        with when("+httpx"), default_args(type=("build", "run")):
            depends_on("py-anyio@4.9:")
            depends_on("pyvarium-anysqlite@0.0.5:")
            depends_on("py-httpx@0.28.1:")
