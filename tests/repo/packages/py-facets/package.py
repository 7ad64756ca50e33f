# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import base64
import hashlib
import json
import pathlib

from spack.package import *

MODULE = '''\
"""Code from the store."""

SOURCE = "store"


def main():
    print(SOURCE, __file__)
'''


class Distributed(PythonExtension, Package):
    """A Python project as pip leaves it when Spack runs it: code, scripts, and metadata that
    names a stage which is gone. It needs no sources, and no pip.
    """

    has_code = False
    #: The name in the metadata; folded to lower case and with underscores, that of the code.
    project = ""
    requires = ()
    scripts = {}
    entry_points = ""

    extends("python")

    @property
    def project_version(self):
        return str(self.spec.version)

    def install(self, spec, prefix):
        site = pathlib.Path(python_purelib)
        name = self.project.lower().replace("-", "_")
        code = {f"{name}/__init__.py": MODULE, f"{name}/deep/__init__.py": MODULE}
        write(site, code)
        python("-m", "compileall", "-q", str(site))

        metadata = f"{name}-{self.project_version}.dist-info"
        lines = [f"Name: {self.project}", f"Version: {self.project_version}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        url = {"dir_info": {}, "url": (pathlib.Path(self.stage.path) / "spack-src").as_uri()}
        files = {
            f"{metadata}/INSTALLER": "pip\n",
            f"{metadata}/METADATA": "\n".join(["Metadata-Version: 2.1", *lines, ""]),
            f"{metadata}/REQUESTED": "",
            f"{metadata}/WHEEL": "Wheel-Version: 1.0\nGenerator: setuptools (80.9.0)\n"
            "Root-Is-Purelib: true\nTag: py3-none-any\n",
            f"{metadata}/direct_url.json": json.dumps(url),
        }
        groups = self.entry_points
        if self.scripts:
            lines = [f"{script} = {target}\n" for script, target in self.scripts.items()]
            groups = "".join(["[console_scripts]\n", *lines, groups])
        if groups:
            files[f"{metadata}/entry_points.txt"] = groups
        write(site, files)

        for script, target in self.scripts.items():
            module, function = target.split(":")
            text = f"#!{python.path}\nimport sys\nfrom {module} import {function}\n"
            write(pathlib.Path(prefix), {f"bin/{script}": f"{text}sys.exit({function}())\n"})
            (pathlib.Path(prefix) / "bin" / script).chmod(0o755)
        found = [path for path in site.rglob("*") if path.is_file()]
        found += [pathlib.Path(prefix) / "bin" / script for script in self.scripts]
        record = f"{metadata}/RECORD"
        rows = [f"{relative(path, site)},{digest(path)}" for path in sorted(found)]
        write(site, {record: "\n".join([*rows, f"{record},,", ""])})


class PyFacets(Distributed):
    """A project that everybody depends on; the index of the tests has newer releases."""

    homepage = "https://example.org/facets"
    project = "facets"

    version("25.3.0")


def write(directory, texts):
    for name, text in texts.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def relative(path, site):
    return path.relative_to(site) if site in path.parents else f"../../../bin/{path.name}"


def digest(path):
    data = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(data)}"
