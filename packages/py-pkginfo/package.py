# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

try:
    from spack_repo.builtin.packages.py_pkginfo.package import PyPkginfo as Builtin
except ImportError:  # Spack 0.23
    from spack.pkg.builtin.py_pkginfo import PyPkginfo as Builtin

from spack.package import *


class PyPkginfo(Builtin):
    """Reads the metadata of distributions."""

    # What others get by default stays what builtin would give them.
    default = max(Builtin.versions)
    version(str(default), **{**Builtin.versions[default], "preferred": True})

    version("1.12.1.2", sha256="5cd957824ac36f140260964eba3c6be6442a8359b8c48f4adf90210f33a04b7b")

    depends_on("python@3.8:", when="@1.12:", type=("build", "run"))
