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
    pypi = "foo/foo-1.0.tar.gz"

    license("MIT")

    version("1.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

    with default_args(type="build"):
        depends_on("py-hatchling")

    with default_args(type=("build", "run")):
        depends_on("python@3.8:")
        depends_on("py-async-timeout@4:5", when="^python@:3.11.2")
        depends_on("py-colorama", when="platform=darwin")
        depends_on("py-colorama", when="platform=windows")
        depends_on("py-greenlet@:0.4.16,0.4.18:", when="platform=linux target=aarch64:")
        depends_on("py-greenlet@:0.4.16,0.4.18:", when="target=x86_64:")

    # pyvarium: end
