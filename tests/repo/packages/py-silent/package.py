# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import pathlib

from spack.package import *


class PySilent(Package):
    """A Python extension that leaves a module and no metadata."""

    homepage = "https://example.org/silent"
    has_code = False

    version("1.0")

    extends("python")

    def install(self, spec, prefix):
        module = pathlib.Path(python_purelib) / "silent.py"
        module.parent.mkdir(parents=True)
        module.write_text("")
