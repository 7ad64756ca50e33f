# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import pathlib

from spack.package import *


class PyTiny(Package):
    """A Python extension that needs no sources and no build tools: its metadata is all of it."""

    homepage = "https://example.org/tiny"
    has_code = False

    version("2.0")
    version("1.0")

    extends("python")

    def install(self, spec, prefix):
        metadata = pathlib.Path(python_purelib) / f"tiny-{spec.version}.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.1\nName: Tiny\nVersion: {spec.version}\n")
