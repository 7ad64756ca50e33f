# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack.package import *


class PyFailing(Package):
    """A Python extension whose installation fails, after all that it needs was installed."""

    homepage = "https://example.org/failing"
    has_code = False

    version("1.0")

    extends("python")
    depends_on("py-tiny@1.0", type=("build", "run"))

    def install(self, spec, prefix):
        raise InstallError("this is what it is for")
