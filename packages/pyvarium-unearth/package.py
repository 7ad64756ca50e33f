# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumUnearth(PythonPackage):
    """Finds and downloads distributions on package indices."""

    homepage = "https://github.com/frostming/unearth"
    pypi = "unearth/unearth-0.18.3.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "0.18.3", sha256="14067cf1141c906f787d6d9d070cbcfdd443fd1058aecaa650ce9519aa10dbdc"
        )
        version(
            "0.17.5", sha256="a19e1c02e64b40518d088079c7416fc41b45a648b81a4128aac02597234ee6ba"
        )

        depends_on("py-pdm-backend", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.9:", when="@0.18:")
            depends_on("python@3.8:")
            depends_on("py-packaging@20:")
            depends_on("py-httpx@0.27:0")
