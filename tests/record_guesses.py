# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Record which import names belong to projects of other names: record_guesses.py MAPPING PACKAGES

MAPPING is the file of that name in the distribution of pipreqs (``pip download --no-deps
pipreqs==0.5.0``), which was made of the ``top_level.txt`` of the index's projects. Of it are taken
those for which PACKAGES, a clone of Spack's packages, has a recipe with a ``pypi`` attribute, but
for what the standard library has, what is called as its project, and namespaces of several.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Dict, Set

from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "spack-pyvarium"))

from pyvarium.guesses import NAMESPACES, RECORDED  # noqa: E402

HEADER = """\
# Import names and their projects, from the mapping of pipreqs 0.5.0, https://github.com/bndr/pipreqs
# Copyright Vadim Kravcenko, SPDX-License-Identifier: Apache-2.0
# Made by: python tests/record_guesses.py MAPPING PACKAGES
"""


def main(mapping: Path, packages: Path) -> None:
    known = recipes(packages / "repos" / "spack_repo" / "builtin" / "packages")
    found: Dict[str, str] = {}
    for line in mapping.read_text().splitlines():
        name, _, project = line.strip().partition(":")
        found[name] = canonicalize_name(project)
    namespaces = {one.partition(".")[0] for one in NAMESPACES}
    lines = [
        f"{name}={project}\n"
        for name, project in sorted(found.items())
        if project in known
        and canonicalize_name(name) != project
        and name not in sys.stdlib_module_names
        and name not in namespaces
    ]
    RECORDED.write_text("".join([HEADER, *lines]))
    print(f"{RECORDED}: {len(lines)} names")


def recipes(directory: Path) -> Set[str]:
    texts = (one.read_text() for one in directory.glob("*/package.py"))
    found = (re.search(r'^    pypi = "([^/"]+)/', text, re.MULTILINE) for text in texts)
    return {canonicalize_name(one[1]) for one in found if one}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
