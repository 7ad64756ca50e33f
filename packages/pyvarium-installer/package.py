# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumInstaller(PythonPackage):
    """Installs wheels."""

    homepage = "https://github.com/pypa/installer"
    pypi = "installer/installer-1.0.1.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("1.0.1", sha256="052c7fc3721d54c696e2dea019be67539d7b144e924f559f54beb3121831c364")
        version("0.7.0", sha256="a26d3e3116289bb08216e0d0f7d925fcef0b0194eedfa0c944bcaaa106c4b631")

        depends_on("py-flit-core@3.11:3", when="@1:", type="build")
        depends_on("py-flit-core@3.2:3", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.10:", when="@1:")
            depends_on("python@3.7:")
