# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack.package import *


class PyExternal(Package):
    """A Python extension that Spack finds outside, as the configuration of the tests says."""

    homepage = "https://example.org/external"
    has_code = False

    version("1.0")

    extends("python")

