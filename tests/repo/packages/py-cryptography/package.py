# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack.package import *


class PyCryptography(PythonPackage):
    """The wheel of a project that builtin compiles: that takes Rust, and crates from elsewhere."""

    homepage = "https://github.com/pyca/cryptography"

    version(
        "45.0.5",
        sha256="460f8c39ba66af7db0545a8c6f2eabcbc5a5528fc1cf6c3fa9a1e44cec33385e",
        url="https://files.pythonhosted.org/packages/b9/cf/"
        "84210c447c06104e6be9122661159ad4ce7a8190011669afceeaea150524/cryptography-45.0.5-"
        "cp37-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        expand=False,
    )

    requires("platform=linux target=x86_64:")

    depends_on("py-cffi@1.14:", type=("build", "run"))
