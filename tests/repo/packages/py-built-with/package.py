# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import pathlib

from spack.package import *


class PyBuiltWith(Package):
    """A Python extension that others need only to be built."""

    homepage = "https://example.org/built-with"
    has_code = False

    version("1.0")

    extends("python")

    def install(self, spec, prefix):
        metadata = pathlib.Path(python_purelib) / "built_with-1.0.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text("Metadata-Version: 2.1\nName: built-with\nVersion: 1.0\n")
