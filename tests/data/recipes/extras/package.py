# Copyright Spack Project Developers. See COPYRIGHT file for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyFoo(PythonPackage):
    """A foo."""

    # pyvarium: begin
    # Made by 'spack pyvarium recipe create foo'. What stands between the marks is made anew by
    #   'spack pyvarium recipe update foo'.

    homepage = "https://foo.org"
    pypi = "foo/foo-2.0.tar.gz"

    license("MIT")

    version("2.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
    version("1.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

    variant("all", default=False, description="Add what the extra all requires", when="@2:")
    variant("web", default=False, description="Add what the extra web requires")

    with default_args(type="build"):
        depends_on("py-hatchling")

    with default_args(type=("build", "run")):
        depends_on("python@3.8:")
        depends_on("py-click@8:", when="@2:")
        depends_on("py-click@7:", when="@:1")

    with when("+all"), default_args(type=("build", "run")):
        depends_on("py-aiohttp@3.8:")
        depends_on("py-sqlalchemy@2:+asyncio")
        depends_on("py-uvloop", when="platform=darwin")
        depends_on("py-uvloop", when="platform=linux")

    with when("+web"), default_args(type=("build", "run")):
        depends_on("py-aiohttp@3.8:", when="@2:")
        depends_on("py-aiohttp", when="@:1")
        depends_on("py-uvloop", when="@2: platform=darwin")
        depends_on("py-uvloop", when="@2: platform=linux")

    # pyvarium: end
