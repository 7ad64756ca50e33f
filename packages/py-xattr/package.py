# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

try:
    from spack_repo.builtin.packages.py_xattr.package import PyXattr as Builtin
except ImportError:  # Spack 0.23
    from spack.pkg.builtin.py_xattr import PyXattr as Builtin

from spack import spack_version_info
from spack.package import *


class PyXattr(Builtin):
    """Reads and writes extended attributes of files."""

    # What others get by default stays what builtin would give them.
    default = max(one for one in Builtin.versions if not one.isdevelop())
    version(str(default), **{**Builtin.versions[default], "preferred": True})

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("1.3.0", sha256="30439fabd7de0787b27e9a6e1d569c5959854cb322f64ce7380fedbfa5035036")

    with default_args(type=("build", "run")):
        depends_on("python@3.9:", when="@1.2:")
        depends_on("py-cffi@1.16:", when="@1:")
