# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumXattr(PythonPackage):
    """Reads and writes extended attributes of files."""

    homepage = "https://github.com/xattr/xattr"
    pypi = "xattr/xattr-1.3.0.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("1.3.0", sha256="30439fabd7de0787b27e9a6e1d569c5959854cb322f64ce7380fedbfa5035036")

        depends_on("c", type="build")
        depends_on("py-setuptools@77.0.3:", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:")
            depends_on("py-cffi@1.16:")
