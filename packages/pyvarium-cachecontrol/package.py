# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumCachecontrol(PythonPackage):
    """Caching for requests.

    Builtin's is as new, but brings builtin's py-msgpack, beside which that of PDM cannot be.
    """

    homepage = "https://github.com/psf/cachecontrol"
    pypi = "cachecontrol/cachecontrol-0.14.2.tar.gz"

    license("Apache-2.0")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version(
            "0.14.2", sha256="7d47d19f866409b98ff6025b6a0fca8e4c791fb31abbd95f622093894ce903a2"
        )

        variant("filecache", default=False, description="Support a cache in files")

        depends_on("py-flit-core@3.2:3", type="build")

        with default_args(type=("build", "run")):
            depends_on("python@3.8:")
            depends_on("py-filelock@3.8:", when="+filecache")
            depends_on("py-requests@2.16:")
            depends_on("pyvarium-msgpack@0.5.2:1")
