# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumDepLogic(PythonPackage):
    """Evaluates and combines dependency specifiers and environment markers."""

    homepage = "https://github.com/pdm-project/dep-logic"
    pypi = "dep-logic/dep_logic-0.7.2.tar.gz"

    license("Apache-2.0")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("0.7.2", sha256="2a3c49526075b0bc6825f0ea8c2d9f464de48b7b85f3f3d2900b4e5950fefedf")
        version("0.5.2", sha256="f8dc4a74d1bad0d35a45c236572cf5d6534b5c2e84de87f2a354c849eec7e562")

        depends_on("py-pdm-backend", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.10:", when="@0.7:")
            depends_on("python@3.8:")
            depends_on("py-packaging@22:")
