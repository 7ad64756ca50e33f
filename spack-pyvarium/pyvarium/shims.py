# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Render shims: wheels without code, by which installers know what Spack provides. Pure.

A shim has the core metadata, the entry points and the scripts of a provided distribution; its code
stays with Spack and is found through a path file. An installer that installs the shim, or finds it
installed, is content, and has Spack's version with Spack's requirements. Formats: binary
distribution format, recording installed projects, entry points and core metadata, all at
https://packaging.python.org/en/latest/specifications/.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import keyword
import os
import re
import shlex
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from .distributions import headers
from .markers import applies
from .model import Mode, Provided, Skipped

GENERATOR = "spack-pyvarium"
#: Of what is below; not our version, as equal input gives equal bytes under the next one too.
_FORMAT = 1
#: What refuses to uninstall a distribution (pip, uv) names this as who did install it.
INSTALLER = b"spack\n"

#: The name of a shim's wheel, in the text of a lock.
WHEEL_NAME = re.compile(r"[\w.]+-[\w.+!]+-0_[a-z0-9]{7}_[0-9a-f]{8}-py3-none-any\.whl")

_EPOCH = (1980, 1, 1, 0, 0, 0)  # The earliest that a zip can hold; equal input, equal bytes.
#: Headers that do not hold for a shim: it has no files of its own and fits the layer's python
#: only, whatever else a project supports. The description would be most of its size.
_DROPPED = frozenset(
    ("description", "description-content-type", "license-file", "requires-python")
)
#: What is there whatever a distribution says: of a header's name, of a name of a script.
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_RESERVED = re.compile(r"\.{1,2}|pythonw?[\d.]*|(de)?activate(\..*|_this\.py)?", re.IGNORECASE)
_REQUIRED_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_ENTRY_POINT = re.compile(
    r"\s*(?P<name>[\w.+-]+)\s*=\s*(?P<module>[\w.]+)\s*:\s*(?P<attribute>[\w.]+)\s*(\[.*)?"
)
_SCRIPT_SECTIONS = ("console_scripts", "gui_scripts")
#: The headers of ``*.egg-info`` are older than those of requirements.
_OLD_METADATA = re.compile(r"1\.\d|2\.0")


@dataclass(frozen=True)
class Script:
    """A script of a distribution that is not an entry point, without its first line."""

    name: str
    body: bytes


@dataclass(frozen=True)
class Source:
    """What is installed of a provided distribution, as far as a shim repeats it.

    ``metadata`` is the core metadata, ``requires`` the ``requires.txt`` of an ``*.egg-info``.
    """

    provided: Provided
    metadata: bytes
    entry_points: bytes = b""
    requires: bytes = b""
    scripts: Tuple[Script, ...] = ()


@dataclass(frozen=True)
class Shim:
    """A rendered shim: ``files`` are those of its ``*.dist-info``, but for what differs between a
    wheel and an installation. ``entry_points`` maps console scripts to ``module:attribute``, and
    ``path_lines`` are what the wheel brings for its code to be found."""

    name: str
    version: str
    build: str
    files: Mapping[str, bytes]
    entry_points: Mapping[str, str]
    scripts: Tuple[Script, ...]
    path_lines: str

    @property
    def stem(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}"

    @property
    def dist_info(self) -> str:
        return f"{self.stem}.dist-info"

    @property
    def path_file(self) -> str:
        """The name of the path file in the wheel, its own so that others can be uninstalled."""
        return f"_spack_{self.stem}.pth"

    @property
    def wheel(self) -> str:
        """The file name of the wheel. Its build tag follows its content: uv caches by name."""
        return f"{self.stem}-{self.build}-py3-none-any.whl"


def render(
    source: Source, versions: Mapping[str, str], path_lines: str
) -> Tuple[Shim, Tuple[Skipped, ...]]:
    """Render the shim of a distribution among all that are provided, by name and version.

    ``path_lines`` are the lines of a path file, relative to site-packages or absolute.

    A requirement that the provided version contradicts is widened, and returned with the reason:
    Spack has decided, and every resolver would refuse the whole environment for it.
    """
    provided = source.provided
    metadata, widened = _metadata(source, versions)
    files = {"METADATA": metadata}
    if source.entry_points:
        files["entry_points.txt"] = _entry_points(source.entry_points)
    content = hashlib.sha256(f"{_FORMAT}\0{provided.dag_hash}\0".encode())
    content.update(os.fsencode(path_lines))
    for name, data in sorted(files.items()):
        content.update(b"%b\0%d\0%b" % (name.encode(), len(data), data))
    for script in source.scripts:
        content.update(b"%b\0%d\0%b" % (script.name.encode(), len(script.body), script.body))
    build = f"0_{provided.dag_hash[:7]}_{content.hexdigest()[:8]}"
    files["WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: {GENERATOR} {_FORMAT}\nRoot-Is-Purelib: true\n"
        f"Tag: py3-none-any\nBuild: {build}\n"
    ).encode()
    shim = Shim(
        provided.name,
        provided.version,
        build,
        files,
        parse_console_scripts(source.entry_points),
        source.scripts,
        path_lines,
    )
    return shim, widened


def render_wheel(shim: Shim) -> bytes:
    """Render the wheel, for an installer; equal input gives equal bytes.

    It brings a path file of its own, so that its code is found also where the layer's is not: in
    a venv that a tool has made anew, or in the isolated environment of a build that requires it.
    """
    files = {shim.path_file: os.fsencode(shim.path_lines)}
    for script in shim.scripts:
        files[f"{shim.stem}.data/scripts/{script.name}"] = b"#!python\n" + script.body
    files.update({f"{shim.dist_info}/{name}": data for name, data in sorted(shim.files.items())})
    record = f"{shim.dist_info}/RECORD"
    files[record] = _record(files, record)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def render_installed(
    shim: Shim, mode: Mode, python: Path, direct_url: Optional[bytes]
) -> Dict[str, bytes]:
    """Render an installation, by paths relative to the venv's site-packages.

    ``python`` is the venv's interpreter and ``direct_url`` tells what Poetry's lock names as
    source, None for others. In portable mode there is no RECORD: what holds none cannot be
    uninstalled, and so cannot be replaced by what is on the index.
    """
    files = {f"{shim.dist_info}/{name}": data for name, data in shim.files.items()}
    files[f"{shim.dist_info}/INSTALLER"] = INSTALLER
    for name, target in shim.entry_points.items():
        files[f"../../../bin/{name}"] = render_script(python, target)
    for script in shim.scripts:
        files[f"../../../bin/{script.name}"] = render_shebang(python) + script.body
    if mode is Mode.BOUND:
        if direct_url is not None:
            files[f"{shim.dist_info}/direct_url.json"] = direct_url
        record = f"{shim.dist_info}/RECORD"
        files[record] = _record(files, record)
    return files


def render_script(python: Path, target: str) -> bytes:
    """Render a console script for ``module:attribute``."""
    module, _, attribute = target.partition(":")
    first = attribute.partition(".")[0]
    return (
        render_shebang(python)
        + (
            f"import sys\n\nfrom {module} import {first}\n\n"
            f'if __name__ == "__main__":\n    sys.exit({attribute}())\n'
        ).encode()
    )


def render_shebang(python: Path) -> bytes:
    """The first line of a script; for a path that Linux would not take as one, a way around.

    The kernel cuts such a line at 127 bytes (256 since 5.1) and splits it at blanks.
    """
    path = os.fsencode(python)
    if len(path) <= 124 and not re.search(rb"\s", path):
        return b"#!%b\n" % path
    # The second line is a command for the shell, and the start of a string for python.
    quoted = os.fsencode(shlex.quote(str(python)))
    return b"#!/bin/sh\n'''exec' %b \"$0\" \"$@\"\n' '''\n" % quoted


def is_script_name(name: str) -> bool:
    """Whether a script may have this name: a file name, and none of what a venv itself has."""
    return re.fullmatch(r"[\w.+-]+", name) is not None and not _RESERVED.fullmatch(name)


@functools.cache
def parse_console_scripts(entry_points: bytes) -> Mapping[str, str]:
    """Read console and GUI scripts from ``entry_points.txt``: name to ``module:attribute``.

    What is not an entry point by the specification is passed over, as the import system does, and
    what is no name for a script.
    """
    scripts: Dict[str, str] = {}
    for section, line in _entry_lines(entry_points):
        match = _ENTRY_POINT.fullmatch(line) if section in _SCRIPT_SECTIONS else None
        if match and is_script_name(match["name"]) and _is_importable(match):
            scripts[match["name"]] = f"{match['module']}:{match['attribute']}"
    return scripts


def _is_importable(entry_point: re.Match[str]) -> bool:
    """Whether python can import what an entry point names: a script is made of that."""
    parts = f"{entry_point['module']}.{entry_point['attribute']}".split(".")
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)


def _entry_points(data: bytes) -> bytes:
    """``entry_points.txt`` without the scripts that installers refuse, or should."""
    kept = parse_console_scripts(data)
    lines = []
    for section, line in _entry_lines(data):
        name = line.partition("=")[0].strip()
        if section not in _SCRIPT_SECTIONS or name[:1] in ("", "#", ";", "[") or name in kept:
            lines.append(f"{line}\n")
    return "".join(lines).encode()


def _entry_lines(entry_points: bytes) -> Iterator[Tuple[str, str]]:
    """The lines, each with the section that it stands in."""
    section = ""
    for line in entry_points.decode("utf-8", "replace").splitlines():
        if line.startswith("["):
            section = line.strip().strip("[]")
        yield section, line


def _metadata(source: Source, versions: Mapping[str, str]) -> Tuple[bytes, Tuple[Skipped, ...]]:
    """The headers that a shim keeps, with its canonical version and its requirements."""
    provided = source.provided
    found = [(key, value) for key, value in headers(source.metadata) if _HEADER.fullmatch(key)]
    names = {key.lower() for key, _ in found}
    if "metadata-version" not in names:
        found.insert(0, ("Metadata-Version", "1.0"))
    if "requires-dist" not in names:
        found += _egg_headers(source.requires)
    lines: List[str] = []
    widened: List[Skipped] = []
    for key, value in found:
        lower = key.lower()
        if lower in _DROPPED:
            continue
        if lower == "metadata-version" and _OLD_METADATA.fullmatch(value):
            value = "2.1"
        elif lower == "name" and canonicalize_name(value) != provided.name:
            continue  # The second one, or a header that only looks like one.
        elif lower == "version":
            value = provided.version
        elif lower == "requires-dist":
            value, reason = _requirement(value, versions)
            if reason:
                widened.append(Skipped(provided.name, reason))
            if not value:
                continue
        lines.append(f"{key}: {value}")
    return ("\n".join(lines) + "\n").encode(), tuple(widened)


def _requirement(text: str, versions: Mapping[str, str]) -> Tuple[str, str]:
    """A requirement as a shim has it, and why it differs; empty where it is left out."""
    match = _REQUIRED_NAME.match(text)
    version = versions.get(canonicalize_name(match[1])) if match else None
    if match and version is None and "@" not in text:
        return text, ""
    return _suited(text, version)


@functools.cache  # The same few are in the metadata of many.
def _suited(text: str, version: Optional[str]) -> Tuple[str, str]:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return "", f"requires {text!r}, which is no requirement; left out"
    if version is None:
        if requirement.url:
            return "", f"requires {text!r}, a file of the machine it was built on; left out"
        return text, ""
    if not requirement.url and requirement.specifier.contains(version, prereleases=True):
        return text, ""
    requirement.url, requirement.specifier = None, SpecifierSet()
    if not applies(requirement.marker, {"extra": ""}):
        return str(requirement), ""  # Nobody but who asks for the extra would have met it.
    reason = f"requires '{text}', but Spack provides {requirement.name} {version}; taken as it is"
    return str(requirement), reason


def _egg_headers(requires: bytes) -> Iterator[Tuple[str, str]]:
    """``requires.txt`` of setuptools: requirements, then those of ``[extra:marker]`` sections."""
    marker = ""
    for line in map(str.strip, requires.decode("utf-8", "replace").splitlines()):
        if line.startswith("["):
            extra, _, condition = line.strip("[]").partition(":")
            parts = [f"({condition})"] if condition else []
            if extra:
                yield "Provides-Extra", extra
                parts.append(f'extra == "{extra}"')
            marker = " and ".join(parts)
        elif line:
            yield "Requires-Dist", f"{line} ; {marker}" if marker else line


def is_recorded(name: str, data: bytes, record: bytes) -> bool:
    """Whether a RECORD says of a file that it has this content."""
    return _recorded(name, data).encode() in record.splitlines()


def _record(files: Mapping[str, bytes], record: str) -> bytes:
    lines = [_recorded(name, files[name]) for name in sorted(files)]
    return "".join(f"{line}\n" for line in (*lines, f"{record},,")).encode()


def _recorded(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"
