# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumFindpython(PythonPackage):
    """Finds the Pythons that are installed on a machine."""

    homepage = "https://github.com/frostming/findpython"
    pypi = "findpython/findpython-0.9.0.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("0.9.0", sha256="497c6b5eb13734be2542dfb6a93267946339601cbc2f1138c8cd4d40311fefe5")
        version("0.8.0", sha256="53b32264874dfa5990bd09d717819386d8db3149d89fe20f88fe1078de286bae")
        version("0.7.1", sha256="9f29e6a3dabdb75f2b39c949772c0ed26eab15308006669f3478cdab0d867c78")

        depends_on("py-pdm-backend", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.10:", when="@0.9:")
            depends_on("python@3.9:", when="@0.8:")
            depends_on("python@3.8:")
            depends_on("py-packaging@20:")
            depends_on("py-platformdirs@4.3.6:")
