# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumResolvelib(PythonPackage):
    """Resolves abstract dependencies into concrete ones."""

    homepage = "https://github.com/sarugaku/resolvelib"
    pypi = "resolvelib/resolvelib-1.2.1.tar.gz"

    license("ISC")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("1.2.1", sha256="7d08a2022f6e16ce405d60b68c390f054efcfd0477d4b9bd019cc941c28fad1c")
        version("1.1.0", sha256="b68591ef748f58c1e2a2ac28d0961b3586ae8b25f60b0ba9a5e4f3d87c1d6a79")

        depends_on("py-setuptools@62:", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:", when="@1.2:")
            depends_on("python@3.7:")
