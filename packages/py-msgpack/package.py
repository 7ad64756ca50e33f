# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

try:
    from spack_repo.builtin.packages.py_msgpack.package import PyMsgpack as Builtin
except ImportError:  # Spack 0.23
    from spack.pkg.builtin.py_msgpack import PyMsgpack as Builtin

from spack import spack_version_info
from spack.package import *


class PyMsgpack(Builtin):
    """Reads and writes MessagePack."""

    # What others get by default stays what builtin would give them.
    default = max(Builtin.versions)
    version(str(default), **{**Builtin.versions[default], "preferred": True})

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("1.1.2", sha256="3b60763c1373dd60f398488069bcdc703cd08a711477b5d480eecc9f9626f47e")

        depends_on("c", when="@1.1.2:", type="build")
        depends_on("py-setuptools@80.9:", when="@1.1.2:", type="build")
        depends_on("python@3.9:", when="@1.1.2:", type=("build", "run"))
