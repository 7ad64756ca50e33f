# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import pathlib

from spack.package import *


class TinyTool(Package):
    """A tool in Python: not named ``py-*``, and yet it leaves the metadata of a distribution."""

    homepage = "https://example.org/tiny-tool"
    has_code = False

    version("3.1")

    extends("python")
    depends_on("py-tiny@1.0", type=("build", "run"))
    depends_on("py-built-with", type="build")

    def install(self, spec, prefix):
        metadata = pathlib.Path(python_purelib) / "Tiny.Tool-3.1.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text("Metadata-Version: 2.1\nName: Tiny.Tool\nVersion: 3.1.0\n")
