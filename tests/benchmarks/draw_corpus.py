#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Draw the sdists by which the analysis of imports is measured: draw_corpus.py PACKAGES

The rule: every ninth of the sorted recipes in a clone of Spack's packages that have a ``pypi``
attribute; of each project the newest final release, if it has an sdist of at most 10 MiB, Python
3.11 can install it, and its metadata is static: core metadata 2.2 or newer in which Requires-Dist
is not dynamic, or ``[project]`` whose dependencies are not. What declares that it needs nothing
stays in. Writes ``corpus/sdists.txt``, and in ``corpus/wheels.txt`` the newest wheel of at most
50 MiB for CPython 3.11 on Linux x86_64 of each project that they need.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any, FrozenSet, Iterator, List, Optional, Tuple

from packaging.tags import Tag, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "spack-pyvarium"), str(Path(__file__).parent)]

from analyze import CORPUS, declared_in, unpack  # noqa: E402

from pyvarium.index import ACCEPT, parse_page, project_url  # noqa: E402
from pyvarium.releases import File  # noqa: E402

EVERY = 9
PYTHON = (3, 11)
LARGEST_SDIST = 10 << 20
LARGEST_WHEEL = 50 << 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", type=Path, help="a clone of Spack's packages")
    directory = parser.parse_args().packages / "repos" / "spack_repo" / "builtin" / "packages"
    sdists: List[str] = []
    needed = set()
    for name in dict.fromkeys(list(recipes(directory))[::EVERY]):
        drawn = draw(name)
        print(f"{name}: {drawn if isinstance(drawn, str) else drawn[0].name}", flush=True)
        if not isinstance(drawn, str):
            file, requirements = drawn
            sdists.append(f"{name} {file.url} {file.sha256}\n")
            needed |= requirements
    wheels = [f"{name}=={found.version}\n" for name in sorted(needed) if (found := wheel(name))]
    (CORPUS / "sdists.txt").write_text("".join(sdists))
    (CORPUS / "wheels.txt").write_text("".join(wheels))
    return 0


def recipes(directory: Path) -> Iterator[str]:
    for recipe in sorted(directory.glob("*/package.py")):
        found = re.search(r'^    pypi = "([^/"]+)/', recipe.read_text(), re.MULTILINE)
        if found:
            yield canonicalize_name(found[1])


def draw(name: str) -> Any:
    """The sdist of a project and what it declares, or the reason why it has none."""
    files = [
        one
        for one in page(name)
        if not one.is_wheel and one.yanked is None and not one.version.is_prerelease
    ]
    if not files:
        return "has no sdist"
    newest = max(files, key=lambda one: one.version)
    if not newest.requires_python.contains(".".join(map(str, PYTHON))):
        return "is not for Python 3.11"
    if size(newest) > LARGEST_SDIST:
        return "is too large"
    with urllib.request.urlopen(newest.url, timeout=60) as answer:
        data = answer.read()
    if hashlib.sha256(data).hexdigest() != newest.sha256:
        return "has another digest"
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / newest.name
        archive.write_bytes(data)
        declared = declared_in(unpack(archive, Path(directory) / "unpacked"))
    return "declares nothing statically" if declared is None else (newest, declared.needed)


def wheel(name: str) -> Optional[File]:
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(5, 40)]
    platforms += ["manylinux2014_x86_64", "manylinux1_x86_64", "manylinux2010_x86_64"]
    tags = {*cpython_tags(PYTHON, platforms=platforms), *_PURE}
    files = [
        one
        for one in page(name)
        if one.is_wheel
        and one.yanked is None
        and not one.version.is_prerelease
        and one.requires_python.contains(".".join(map(str, PYTHON)))
        and tags_of(one.name) & tags
    ]
    newest = max(files, key=lambda one: one.version, default=None)
    return newest if newest is not None and size(newest) <= LARGEST_WHEEL else None


def tags_of(name: str) -> FrozenSet[Tag]:
    try:
        return parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return frozenset()


_PURE = {Tag(f"py{version}", "none", "any") for version in ("3", "2", *range(30, 312))}


def page(name: str) -> Tuple[File, ...]:
    url = project_url("https://pypi.org/simple", name)
    request = urllib.request.Request(url, headers={"Accept": ACCEPT})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return parse_page(answer.read(), answer.headers["Content-Type"], url, name).files


def size(file: File) -> int:
    request = urllib.request.Request(file.url, method="HEAD")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.headers["Content-Length"])


if __name__ == "__main__":
    sys.exit(main())
