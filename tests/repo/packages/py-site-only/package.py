# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack.package import *
from spack.pkg.pyvarium_tests.py_facets import Distributed


class PySiteOnly(Distributed):
    """A project that no index has."""

    homepage = "https://example.org/site-only"
    project = "site-only"
    requires = ("Clicker>=8",)

    version("0.4")

    depends_on("py-clicker@8:", type=("build", "run"))
