# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack.package import *
from spack.pkg.pyvarium_tests.py_facets import Distributed


class PyClicker(Distributed):
    """A project with a console script and an entry point; its name is not normalized."""

    homepage = "https://example.org/clicker"
    project = "Clicker"
    requires = ("facets>=24",)
    scripts = {"clicker": "clicker:main"}
    entry_points = "\n[clicker.plugins]\ndeep = clicker.deep\n"

    version("8.1.8")

    depends_on("py-facets@24:", type=("build", "run"))
