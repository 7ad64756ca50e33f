# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack.package import *
from spack.pkg.pyvarium_tests.py_facets import Distributed


class PyTensors(Distributed):
    """A project whose release on the index depends on much that this one does not need."""

    homepage = "https://example.org/tensors"
    project = "tensors"
    requires = ("facets>=24",)

    version("2.9.0")

    depends_on("py-facets@24:", type=("build", "run"))
