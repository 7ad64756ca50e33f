# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a pack says of itself: its manifest, and the id that is the digest of that. Pure.

The id stands in the first bytes of a pack too, on a line of its own, where a shell can read it.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .variables import Change

FORMAT = 1
#: The two members that the manifest does not list.
MANIFEST, ID = "pyvarium/manifest.json", "pyvarium/id"
#: What stands in a value for the directory that the pack is in.
PACK = "{pack}"

#: An empty frame, for programs that go by the first bytes, and a frame that all skip.
_EMPTY_FRAME = struct.pack("<I", 0xFD2FB528) + b"\0\0\x01\0\0"
_SKIPPED = 0x184D2A50


@dataclass(frozen=True)
class Distribution:
    """A distribution in a pack, and the spec that it comes from."""

    name: str
    version: str
    layer: str
    spec: Optional[str]


@dataclass(frozen=True)
class Data:
    """A tree of data in a pack; ``variable`` names where it is."""

    variable: str
    path: str
    source: str
    digest: Optional[str] = None
    commit: Optional[str] = None


@dataclass(frozen=True)
class Bundled:
    """A library of elsewhere; the digest is of the file as it was."""

    path: str
    soname: str
    digest: str = ""


@dataclass(frozen=True)
class Reference:
    """Where a pack without the lower layer expects it, and python."""

    view: str
    python: str


@dataclass(frozen=True)
class Origin:
    """What a pack was made from, and for."""

    architecture: str
    libc: str
    python: str
    environment: str
    creator: str
    reference: Optional[Reference] = None
    distributions: Sequence[Distribution] = ()
    variables: Sequence[Change] = ()
    data: Sequence[Data] = ()


#: Of a file: "f", size, digest, mode; of a link: "l", target; of a directory: "d".
Entry = Sequence[Any]


def render(origin: Origin, files: Mapping[str, Entry], bundled: Sequence[Bundled]) -> bytes:
    """The canonical bytes of a manifest: the same for the same content."""
    reference = origin.reference
    manifest: Dict[str, Any] = {
        "format": FORMAT,
        "architecture": origin.architecture,
        "libc": origin.libc,
        "python": origin.python,
        "lower": "full" if reference is None else "reference",
        "reference": reference and {"view": reference.view, "python": reference.python},
        "environment": origin.environment,
        "created-by": origin.creator,
        "distributions": [
            {"name": one.name, "version": one.version, "layer": one.layer, "spec": one.spec}
            for one in origin.distributions
        ],
        "variables": [
            {
                "name": one.name,
                "action": one.action.value,
                "value": one.value,
                "separator": one.separator,
            }
            for one in origin.variables
        ],
        "data": [_data(one) for one in origin.data],
        "files": files,
        "bundled": [
            {"path": one.path, "soname": one.soname, "from-digest": one.digest} for one in bundled
        ],
    }
    return (json.dumps(manifest, sort_keys=True, separators=(",", ":")) + "\n").encode("ascii")


def _data(one: Data) -> Dict[str, str]:
    row = {"variable": one.variable, "path": one.path, "source": one.source}
    if one.digest is not None:
        row["digest"] = one.digest
    if one.commit is not None:
        row["commit"] = one.commit
    return row


def identify(manifest: bytes) -> str:
    """The id of a pack."""
    return hashlib.sha256(manifest).hexdigest()


@dataclass(frozen=True)
class Part:
    """What can be unpacked by itself: a frame of zstd, with the members below one directory.

    Of the frame, where in the file it begins and how long it is; and the size of the tar file in
    it; all in bytes.
    """

    root: str
    offset: int = 0
    length: int = 0
    size: int = 0


def line(pack_id: str, size: int) -> bytes:
    """What stands in the header; the second line of the file, always of one length.

    ``size`` is that of the tar file in it, so that whoever unpacks it knows before how much it is.
    """
    return f"\npyvarium-pack {FORMAT} {pack_id} {size:<16}\n".encode("ascii")


def gzip_header(pack_id: str, size: int) -> bytes:
    """The header of a gzip member, without a time, with the line as its comment (RFC 1952)."""
    return b"\x1f\x8b\x08\x10\0\0\0\0\0\xff" + line(pack_id, size) + b"\0"


def zstd_header(pack_id: str, size: int, parts: Sequence[Part] = ()) -> bytes:
    """What stands before the frames of the content (RFC 8878, 3.1).

    With a line more for the parts, whose length does not depend on where they are.
    """
    text = line(pack_id, size)
    words = [
        f"{one.offset:<16} {one.length:<16} {one.size:<16} {one.root or '.'}" for one in parts
    ]
    if words:
        text += f"parts {' '.join(words)}\n".encode("ascii")
    return _EMPTY_FRAME + struct.pack("<II", _SKIPPED, len(text)) + text


def parse_parts(data: bytes) -> Tuple[Part, ...]:
    """The parts that the first bytes of a pack name; none where it is to be read as a whole."""
    words = data.split(b"\n", 3)[2:3]
    found = _PARTS.fullmatch(words[0]) if words and parse_header(data) else None
    if found is None:
        return ()
    return tuple(
        Part("" if root == b"." else root.decode("ascii"), int(offset), int(length), int(size))
        for offset, length, size, root in _PART.findall(found[0])
    )


_PART = re.compile(rb" ([1-9]\d{0,15}) +([1-9]\d{0,15}) +(\d{1,16}) +([\w.+/-]+)")
_PARTS = re.compile(rb"parts(?:" + _PART.pattern + rb"){1,8}")


def parse_header(data: bytes) -> Optional[str]:
    """The id in the first bytes of a pack; None where there is none."""
    parts = data.split(b"\n", 2)
    if len(parts) < 3 or not parts[1].startswith(f"pyvarium-pack {FORMAT} ".encode()):
        return None
    pack_id = parts[1].split(b" ")[2].decode("ascii", "replace")
    return pack_id if re.fullmatch(r"[0-9a-f]{64}", pack_id) else None
