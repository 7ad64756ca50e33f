# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

try:
    from spack_repo.builtin.packages.py_argcomplete.package import PyArgcomplete as Builtin
except ImportError:  # Spack 0.23
    from spack.pkg.builtin.py_argcomplete import PyArgcomplete as Builtin

from spack import spack_version_info
from spack.package import *


class PyArgcomplete(Builtin):
    """Completes the arguments of Python programs in bash and zsh."""

    # What others get by default stays what builtin would give them.
    default = max(Builtin.versions)
    version(str(default), **{**Builtin.versions[default], "preferred": True})

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("3.7.0", sha256="afde224f753f874807b1dc1414e883ab8fe0cda9c04807b6047dcb8e1ac23913")
        version("3.6.3", sha256="62e8ed4fd6a45864acc8235409461b72c9a28ee785a2011cc5eb78318786c89c")

        depends_on("python@3.8:", when="@3.1:", type=("build", "run"))
