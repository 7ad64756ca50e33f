# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack import spack_version_info
from spack.package import *


class PyvariumPoetry(PythonPackage):
    """Python packaging and dependency management."""

    homepage = "https://python-poetry.org/"
    pypi = "poetry/poetry-2.5.1.tar.gz"

    license("MIT")

    if spack_version_info >= (1, 1):  # What comes with older ones has too old dependencies.
        version("2.5.1", sha256="19fbd566efced512be58989a756aa1333cdc9b6aabb4fc84fd1ec9d29ee74874")
        version("2.4.3", sha256="f5687e723512332ffe2469f81624d8c9ecbe69c16eb84889decbd85ecfc282e7")
        version("2.3.4", sha256="b293572d366569360c79d7caa6980c9b404d2b89530ed451a5b4570d248de3af")
        version("2.2.1", sha256="bef9aa4bb00ce4c10b28b25e7bac724094802d6958190762c45df6c12749b37c")

        with default_args(type=("build", "run")):
            depends_on("python@3.10:3", when="@2.3:")
            depends_on("python@3.9:3")
            depends_on("py-build@1.2.1:1")
            depends_on("pyvarium-cachecontrol+filecache@0.14")
            depends_on("py-cleo@2.1:2")
            depends_on("pyvarium-dulwich@0.25:1", when="@2.3:")
            depends_on("pyvarium-dulwich@0.24", when="@2.2")
            depends_on("py-fastjsonschema@2.18:2")
            depends_on("pyvarium-findpython@0.6.2:0.8", when="@2.4:")
            depends_on("pyvarium-findpython@0.6.2:0.7", when="@:2.3")
            depends_on("py-importlib-metadata@4.4:", when="@2.2 ^python@:3.9")
            depends_on("pyvarium-installer@0.7:1", when="@2.4:")
            depends_on("pyvarium-installer@0.7", when="@:2.3")
            depends_on("pyvarium-keyring@25.1:25")
            depends_on("py-packaging@24.2:")
            depends_on("pyvarium-pbs-installer+download+install@2025.6.10:", when="@2.3:")
            depends_on("pyvarium-pbs-installer+download+install@2025.1.6:2025", when="@2.2")
            depends_on("pyvarium-pkginfo@1.12:1")
            depends_on("py-platformdirs@3:4")
            depends_on("pyvarium-poetry-core@2.5.0", when="@2.5.1")
            depends_on("pyvarium-poetry-core@2.4.0", when="@2.4.3")
            depends_on("pyvarium-poetry-core@2.3.2", when="@2.3.4")
            depends_on("pyvarium-poetry-core@2.2.1", when="@2.2.1")
            depends_on("py-pyproject-hooks@1")
            depends_on("py-requests@2.26:2")
            depends_on("py-requests-toolbelt@1")
            depends_on("py-shellingham@1.5:1")
            depends_on("py-tomli@2.0.1:2", when="^python@:3.10")
            depends_on("py-tomlkit@0.11.4:0")
            depends_on("py-trove-classifiers@2022.5.19:")
            depends_on("py-virtualenv@20.26.6:")
            depends_on("pyvarium-xattr@1", when="platform=darwin")
