# Copyright Spack Project Developers. See COPYRIGHT file for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyFoo(PythonPackage):
    """Shows foos 'quickly'. And bars, in colors that are made for terminals of
    all kinds, old and new, and with care.
    """

    # pyvarium: begin
    # Made by 'spack pyvarium recipe create foo'. What stands between the marks is made anew by
    #   'spack pyvarium recipe update foo'.

    homepage = "https://foo.org"
    pypi = "foo/foo-2.1.0.tar.gz"

    license("MIT")

    version("2.1.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
    version("2.0.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
    version("1.10.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
    version(
        "1.9.0",
        sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        deprecated=True,
    )
    version(
        "1.8.0",
        sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        url="https://files.pythonhosted.org/packages/source/f/foo/Foo-1.8.0.zip",
    )

    with default_args(type="build"):
        depends_on("py-hatchling", when="@2:")
        depends_on("py-setuptools@61:", when="@1.9:1")
        depends_on("py-setuptools", when="@:1.8")

    with default_args(type=("build", "run")):
        depends_on("python@3.9:", when="@2:")
        depends_on("python@3.7:", when="@1.9:1")
        depends_on("python@3.6:", when="@:1.8")
        depends_on("py-importlib-metadata", when="^python@:3.7")
        depends_on("py-rich@13:14", when="@2.1:")
        depends_on("py-rich@13", when="@2.0")
        depends_on("py-rich@10:", when="@:1")
        depends_on("py-typing-extensions@4.2:", when="@2: ^python@:3.10")

    # pyvarium: end
