# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import os
import time

from spack.package import *


class PyWaiting(Package):
    """A Python extension whose installation lasts until the Spack that runs it is gone."""

    homepage = "https://example.org/waiting"
    has_code = False

    version("1.0")

    extends("python")
    depends_on("py-tiny@1.0", type=("build", "run"))

    def install(self, spec, prefix):
        parent = os.getppid()
        for _ in range(600):
            if os.getppid() != parent:
                break
            time.sleep(0.1)
        raise InstallError("there is nobody left to install it for")
