# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumJaracoFunctools(PythonPackage):
    """Additions to functools."""

    homepage = "https://github.com/jaraco/jaraco.functools"
    pypi = "jaraco_functools/jaraco_functools-4.4.0.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("4.4.0", sha256="da21933b0417b89515562656547a77b4931f98176eb173644c0d35032a33d6bb")
        version("4.1.0", sha256="70f7e0e2ae076498e212562325e805204fc092d7b4c17e0e86c959e249701a9d")

        depends_on("py-coherent-licensed", when="@4.4:", type="build")
        depends_on("py-setuptools@77:", when="@4.4:", type="build")
        depends_on("py-setuptools@61.2:", type="build")
        depends_on("py-setuptools-scm+toml@3.4.1:", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:", when="@4.4:")
            depends_on("python@3.8:")
            depends_on("py-more-itertools")
