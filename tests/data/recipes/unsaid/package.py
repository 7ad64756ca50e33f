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
    pypi = "foo/foo-1.1.tar.gz"

    # FIXME: no metadata names the license as an SPDX expression.

    version("1.1", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
    version("1.0", sha256="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

    with default_args(type="build"):
        depends_on("py-hatchling")

    with default_args(type=("build", "run")):
        depends_on("python@3.8:")
        depends_on("py-due@1:")

    # The metadata says more than this recipe can:
    # - bar>=1; platform_release >= "5.4": no condition of Spack's says this
    # - quux @ https://example.org/quux.zip (@1.1:): names its own source, which a recipe cannot
    #     take
    # - baz>=1!2 (@1.1:): no range of Spack's says this
    # - uno===1.0-special (@1.1:): no range of Spack's says this
    # - py-pywin32 (@1.1:): is needed on Windows only, and there is no recipe for it

    # pyvarium: end
