# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumAnysqlite(PythonPackage):
    """Asynchronous access to SQLite, for asyncio and trio."""

    homepage = "https://github.com/karpetrosyan/anysqlite"
    pypi = "anysqlite/anysqlite-0.0.5.tar.gz"

    license("BSD-3-Clause")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("0.0.5", sha256="9dfcf87baf6b93426ad1d9118088c41dbf24ef01b445eea4a5d486bac2755cce")

        depends_on("py-hatchling", type="build")
        depends_on("py-hatch-fancy-pypi-readme", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.8:")
            depends_on("py-anyio@3.4.1:")
