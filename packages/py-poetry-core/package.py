# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

try:
    from spack_repo.builtin.packages.py_poetry_core.package import PyPoetryCore as Builtin
except ImportError:  # Spack 0.23
    from spack.pkg.builtin.py_poetry_core import PyPoetryCore as Builtin

from spack.package import *


class PyPoetryCore(Builtin):
    """The build backend of Poetry."""

    # What others get by default stays what builtin would give them.
    default = max(Builtin.versions)
    version(str(default), **{**Builtin.versions[default], "preferred": True})

    version("2.5.0", sha256="81d04c9253b19d0604718268d781867c8f7b2128e5b25bbf1e84141eec6b89c4")
    version("2.4.0", sha256="4e8c7496cf797998ffc493f2e23eba4b038c894c08eadacdcdf688945de6b43a")
    version("2.3.2", sha256="20cb71be27b774628da9f384effd9183dfceb53bcef84063248a8672aa47031f")
    version("2.2.1", sha256="97e50d8593c8729d3f49364b428583e044087ee3def1e010c6496db76bd65ac5")

    with default_args(type=("build", "run")):
        depends_on("python@3.10:3", when="@2.3:")
        depends_on("python@3.9:3", when="@2:")
