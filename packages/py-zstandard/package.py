# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyZstandard(PythonPackage):
    """Zstandard compression.

    Not a subclass: builtin's names no compiler, and a setuptools that is too old for 0.25 at once
    with all else. What cffi would add is a backend for other Pythons; zstd is compiled along.
    """

    homepage = "https://github.com/indygreg/python-zstandard"
    pypi = "zstandard/zstandard-0.25.0.tar.gz"

    license("BSD-3-Clause")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "0.25.0", sha256="7713e1179d162cf5c7906da876ec2ccb9c3a9dcbdffef0cc7f70c3667a205f0b"
        )

        depends_on("py-packaging", when="@0.25:", type="build")
        depends_on("py-setuptools@77:", when="@0.25:", type="build")

    version("0.22.0", sha256="8226a33c542bcb54cd6bd0a366067b610b41713b64c9abec1bc4533d69f51e70")

    depends_on("c", type="build")
    depends_on("py-setuptools@:68", when="@0.22", type="build")

    with default_args(type=("build", "run")):
        depends_on("python@3.9:", when="@0.25:")
        depends_on("python@3.8:")
        depends_on("py-cffi@1.16:", when="@0.22")
