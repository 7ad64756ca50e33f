# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack.package import *
from spack.pkg.pyvarium_tests.py_facets import Distributed


class PyLocalized(Distributed):
    """A project with a local version, which is the distribution's and not the recipe's."""

    homepage = "https://example.org/localized"
    project = "localized"
    requires = ("facets>=24",)

    version("1.0")

    depends_on("py-facets@24:", type=("build", "run"))

    @property
    def project_version(self):
        return f"{self.spec.version}+site"
