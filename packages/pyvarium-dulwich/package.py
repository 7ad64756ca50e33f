# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumDulwich(PythonPackage):
    """An implementation of Git in Python."""

    homepage = "https://www.dulwich.io"
    pypi = "dulwich/dulwich-1.2.21.tar.gz"

    license("Apache-2.0 OR GPL-2.0-or-later")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "1.2.21", sha256="5d3939f64883e6799614cab708ef4ee9ef415dd6dcad47527cdbb0eea43bf3a2"
        )
        version(
            "0.24.10", sha256="30e028979b6fa7220c913da9c786026611c10746c06496149742602b36a11f6b"
        )

        depends_on("py-setuptools@77:", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.10:", when="@1:")
            depends_on("python@3.9:")
            depends_on("py-typing-extensions@4.6:", when="^python@:3.11")
            depends_on("py-urllib3@2.2.2:")

    def setup_build_environment(self, env):
        # Parts of it also exist in Rust, as its wheels have them and its pure wheel has not.
        env.set("PURE", "1")
