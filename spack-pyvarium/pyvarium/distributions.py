# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Find installed distributions in a directory and read what they say of themselves.

Only names and versions: nothing is imported, no code of a distribution runs. The database of
installed distributions is that of https://packaging.python.org/en/latest/specifications/.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Iterator, List, Tuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .errors import MetadataError
from .model import Distribution

#: A header of core metadata with the lines folded into it, which no name and no version may have.
_FIELD = re.compile(rb"^(Name|Version):(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
#: A project name as the specification of core metadata allows it.
_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)
_END_OF_HEADERS = re.compile(rb"(?:\A|\n)\r?\n")


def site_packages(prefix: Path) -> Tuple[Tuple[str, Path], ...]:
    """The ``("X.Y", directory)`` of each site-packages of python's below a prefix or view.

    Both ``lib`` and ``lib64``: a python may keep compiled modules apart (``sys.platlibdir``).
    """
    found: List[Tuple[str, Path]] = []
    for library in ("lib", "lib64"):
        if library == "lib64" and (prefix / "lib64").is_symlink():
            continue  # The same directory under its other name.
        for name in _names(prefix / library):
            version = re.fullmatch(r"python(\d+\.\d+)", name)
            directory = prefix / library / name / "site-packages"
            if version and directory.is_dir():
                found.append((version[1], directory))
    return tuple(found)


def metadata_paths(directory: Path) -> Iterator[Path]:
    """The ``*.dist-info`` and ``*.egg-info`` entries of one site-packages, sorted."""
    for name in _names(directory):
        if name.endswith((".dist-info", ".egg-info")):
            yield directory / name


def metadata_file(path: Path) -> Path:
    """The file with the core metadata. An ``*.egg-info`` of distutils is that file itself."""
    if path.name.endswith(".dist-info"):
        return path / "METADATA"
    return path if path.is_file() else path / "PKG-INFO"


def read_distribution(path: Path) -> Distribution:
    """Read name and version; raises MetadataError where they are missing or not usable.

    A name or a version that does not follow the specifications is refused here, so that no later
    stage can be made to write something else than a pin.
    """
    file = metadata_file(path)
    try:
        with open(file, "rb", buffering=0) as opened:  # By the thousand; Path takes twice as long.
            data = opened.read()
    except OSError as error:
        raise MetadataError(f"{file}: cannot be read ({error.strerror})") from None
    headers = _END_OF_HEADERS.split(data, maxsplit=1)[0]
    fields = {
        key.decode().lower(): value.decode("utf-8", "replace").strip()
        for key, value in reversed(_FIELD.findall(headers))  # The first of two wins.
    }
    for field in ("name", "version"):
        if not fields.get(field):
            raise MetadataError(f"{file}: has no {field.capitalize()}")
    if not _NAME.fullmatch(fields["name"]):
        raise MetadataError(f"{file}: {fields['name']!r} is not a valid project name")
    try:
        version = str(Version(fields["version"]))
    except InvalidVersion:
        raise MetadataError(f"{file}: {fields['version']!r} is not a PEP 440 version") from None
    return Distribution(canonicalize_name(fields["name"]), version, path)


def headers(metadata: bytes) -> Iterator[Tuple[str, str]]:
    """The headers of core metadata, those of several lines with their line ends."""
    text = metadata.decode("utf-8", "replace").replace("\r\n", "\n")
    key, value = "", ""
    for line in text.lstrip("\n").partition("\n\n")[0].split("\n"):
        if line[:1] in (" ", "\t"):
            value += f"\n{line}"
            continue
        if key:
            yield key, value
        key, _, value = (part.strip() for part in line.partition(":"))
    if key:
        yield key, value


def _names(directory: Path) -> List[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise MetadataError(
            f"{directory}: cannot be listed ({error.strerror}); mend its permissions"
        ) from None
