# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumPoetryCore(PythonPackage):
    """The build backend of Poetry."""

    homepage = "https://github.com/python-poetry/poetry-core"
    pypi = "poetry-core/poetry_core-2.5.0.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("2.5.0", sha256="81d04c9253b19d0604718268d781867c8f7b2128e5b25bbf1e84141eec6b89c4")
        version("2.4.0", sha256="4e8c7496cf797998ffc493f2e23eba4b038c894c08eadacdcdf688945de6b43a")
        version("2.3.2", sha256="20cb71be27b774628da9f384effd9183dfceb53bcef84063248a8672aa47031f")
        version("2.2.1", sha256="97e50d8593c8729d3f49364b428583e044087ee3def1e010c6496db76bd65ac5")

        with default_args(type=("build", "run")):
            depends_on("python@3.10:3", when="@2.3:")
            depends_on("python@3.9:3")

    # It asks Git what to leave out, which is everything if the stage lies in another repository.
    def setup_build_environment(self, env):
        env.set("GIT_DIR", join_path(self.stage.source_path, ".git"))

    def setup_dependent_build_environment(self, env, dependent_spec):
        env.set("GIT_DIR", join_path(dependent_spec.package.stage.source_path, ".git"))
