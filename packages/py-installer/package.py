# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

try:
    from spack_repo.builtin.packages.py_installer.package import PyInstaller as Builtin
except ImportError:  # Spack 0.23
    from spack.pkg.builtin.py_installer import PyInstaller as Builtin

from spack.package import *


class PyInstaller(Builtin):
    """Installs wheels."""

    # What others get by default stays what builtin would give them.
    default = max(Builtin.versions)
    version(str(default), **{**Builtin.versions[default], "preferred": True})

    version("1.0.1", sha256="011d045df8b954ced7dde3a7e42ae4418da40ecda7990f2d11d5ed7c146fd98b")

    depends_on("python@3.10:", when="@1:", type=("build", "run"))
