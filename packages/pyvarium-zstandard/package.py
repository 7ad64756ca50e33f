# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumZstandard(PythonPackage):
    """Zstandard compression.

    What cffi would add is a backend for other Pythons; zstd is compiled along.
    """

    homepage = "https://github.com/indygreg/python-zstandard"
    pypi = "zstandard/zstandard-0.25.0.tar.gz"

    license("BSD-3-Clause")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "0.25.0", sha256="7713e1179d162cf5c7906da876ec2ccb9c3a9dcbdffef0cc7f70c3667a205f0b"
        )

        depends_on("c", type="build")
        depends_on("py-packaging", type="build")
        depends_on("py-setuptools@77:", type="build")

        depends_on("python@3.9:", type=("build", "link", "run"))
