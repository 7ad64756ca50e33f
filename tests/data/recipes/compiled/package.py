# Copyright Spack Project Developers. See COPYRIGHT file for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyFastFoo(PythonPackage):
    """A foo."""

    # pyvarium: begin
    # Made by 'spack pyvarium recipe create fast-foo'. What stands between the marks is made anew
    #   by 'spack pyvarium recipe update fast-foo'.

    homepage = "https://foo.org"
    pypi = "fast-foo/fast_foo-3.1.tar.gz"

    license("MIT")

    version("3.1", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
    version("3.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
    version("2.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

    depends_on("c", type="build")
    depends_on("cxx", when="@3:", type="build")
    # FIXME: no metadata names the libraries that it links, such as BLAS, HDF5 or MPI. Add them
    #   below the mark at the end.

    with default_args(type="build"):
        depends_on("ninja", when="@3.1:")
        depends_on("py-cython@3.0.11:", when="@3:")
        depends_on("py-cython@0.29:2", when="@:2")
        depends_on("py-meson-python@0.15:", when="@3:")
        depends_on("py-setuptools", when="@:2")

    with default_args(type=("build", "run")):
        depends_on("python@3.11:", when="@3.1:")
        depends_on("python@3.10:", when="@3.0")
        depends_on("python@3.8:", when="@:2")
        depends_on("py-numpy@1.26:2", when="@3:")
        depends_on("py-numpy@1.20:", when="@:2")

    # pyvarium: end
