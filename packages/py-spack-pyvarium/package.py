# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import pathlib

from spack import spack_version_info
from spack.package import *


class PySpackPyvarium(PythonPackage):
    """Keeps pyproject.toml in step with the Python distributions that Spack provides.

    What is installed is what the clone that this recipe lies in has committed. Where the recipe
    itself came with an installed distribution, there is no clone: use ``spack develop`` then.
    """

    git = pathlib.Path(__file__).resolve().parents[2].as_uri()

    license("Apache-2.0 OR MIT")

    if spack_version_info >= (1, 0):  # What comes with older ones has too old dependencies.
        version("main", branch="main")

        depends_on("py-hatchling@1.27:", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:")
            depends_on("py-packaging@22:")
            depends_on("py-tomlkit@0.12:")
