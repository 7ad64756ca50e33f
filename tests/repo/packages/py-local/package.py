# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack.package import *


class PyLocal(PythonPackage):
    """A Python project that is only ever installed from a directory, by ``spack develop``."""

    homepage = "https://example.org/local"
    url = "https://example.org/local-1.0.tar.gz"

    version("1.0", sha256="0" * 64)

    depends_on("py-setuptools", type="build")
