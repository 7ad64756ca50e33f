# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumPdmBuildLocked(PythonPackage):
    """Puts the locked versions of a project's dependencies into its metadata, as an extra."""

    homepage = "https://github.com/pdm-project/pdm-build-locked"
    pypi = "pdm-build-locked/pdm_build_locked-0.3.8.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("0.3.8", sha256="c2a608b288ed08618228880c2e6d6a616049c25eeb71786d06d1061d129764ba")

        depends_on("py-pdm-backend", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:")
            depends_on("py-packaging")
            depends_on("py-tomli", when="^python@:3.10")
