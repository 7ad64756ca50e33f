# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumArgcomplete(PythonPackage):
    """Completes the arguments of Python programs in bash and zsh."""

    homepage = "https://github.com/kislyuk/argcomplete"
    pypi = "argcomplete/argcomplete-3.7.0.tar.gz"

    license("Apache-2.0")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("3.7.0", sha256="afde224f753f874807b1dc1414e883ab8fe0cda9c04807b6047dcb8e1ac23913")
        version("3.6.3", sha256="62e8ed4fd6a45864acc8235409461b72c9a28ee785a2011cc5eb78318786c89c")

        depends_on("py-hatchling", type="build")
        depends_on("py-hatch-vcs", type="build")

        depends_on("python@3.8:", type=("build", "run"))
