# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Packs as 'spack pyvarium pack' writes them, of a few files; also what nobody should unpack.

The python in them is this one, by a script of one line.
"""

import gzip
import hashlib
import io
import json
import shlex
import struct
import subprocess
import sys
import tarfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from pyvarium import root

RUNNER = Path(root(), "templates", "pack", "pyvarium-run")

RUN_IN_ENV = """\
#!/bin/sh
case $0 in /*) here=$0 ;; *) here=$PWD/$0 ;; esac
here=${here%/bin/run_in_env}
PATH=$here/python/bin:$PATH
PYVARIUM_PACK=$here
export PATH PYVARIUM_PACK
[ $# -gt 0 ] || exit 0
exec "$@"
"""

PYTHON = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n'

EMPTY_FRAME = b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"


@dataclass(frozen=True)
class Member:
    """A member of a tar; of a ``kind`` of tarfile's."""

    name: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    mode: int = 0o644
    headers: Dict[str, str] = field(default_factory=dict)
    size: Optional[int] = None  # Other than that of its data.

    def tarinfo(self) -> tarfile.TarInfo:
        info = tarfile.TarInfo(self.name)
        info.type, info.linkname, info.mode = self.kind, self.target, self.mode
        info.size = len(self.data) if self.size is None else self.size
        info.mtime, info.pax_headers = 1_700_000_000, dict(self.headers)
        return info


def link(name: str, target: str) -> Member:
    return Member(name, kind=tarfile.SYMTYPE, target=target, mode=0o777)


def directory(name: str) -> Member:
    return Member(name, kind=tarfile.DIRTYPE, mode=0o755)


def usual(**more: str) -> Tuple[Member, ...]:
    """What a pack has at least, and files named by their text."""
    return (
        Member("bin/pyvarium-run", RUNNER.read_bytes(), mode=0o755),
        Member("bin/run_in_env", RUN_IN_ENV.encode(), mode=0o755),
        Member("python/bin/python3.11", PYTHON.encode(), mode=0o755),
        link("python/bin/python3", "python3.11"),
        directory("lower"),
        *(Member(name, text.encode()) for name, text in more.items()),
    )


@dataclass(frozen=True)
class MadePack:
    """A pack before it is written; what differs from a sound one is set after ``made``."""

    members: Tuple[Member, ...]
    manifest: Dict[str, Any]
    raw_manifest: Optional[bytes] = None
    id: Optional[str] = None  # As in the header and in pyvarium/id.
    bytes: Optional[int] = None  # As in the header; 0: does not say.
    order: Tuple[str, ...] = ("id", "manifest", "rest")

    def but(self, **changes: Any) -> "MadePack":
        return replace(self, **changes)

    def hostile(self, *members: Member) -> "MadePack":
        """With more members, that the manifest does not have."""
        return replace(self, members=(*self.members, *members))

    @property
    def manifest_bytes(self) -> bytes:
        if self.raw_manifest is not None:
            return self.raw_manifest
        return (json.dumps(self.manifest, sort_keys=True) + "\n").encode()

    @property
    def content_id(self) -> str:
        return self.id or hashlib.sha256(self.manifest_bytes).hexdigest()

    def tar(self) -> bytes:
        parts: Dict[str, List[Member]] = {
            "id": [Member("pyvarium/id", f"{self.content_id}\n".encode())],
            "manifest": [Member("pyvarium/manifest.json", self.manifest_bytes)],
            "rest": list(self.members),
        }
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for part in self.order:
                for member in parts[part]:
                    archive.addfile(member.tarinfo(), io.BytesIO(member.data))
        return buffer.getvalue()

    def header(self, size: int) -> bytes:
        line = f"pyvarium-pack 1 {self.content_id}"
        if self.bytes != 0:
            line += f" {self.bytes or size + 65536}"
        return f"\n{line}\n".encode()

    def write(self, path: Path) -> Path:
        """Write it in the format that its name tells."""
        data = self.tar()
        header = self.header(len(data))
        if path.suffix == ".zst":
            frame = struct.pack("<II", 0x184D2A50, len(header)) + header
            path.write_bytes(EMPTY_FRAME + frame + zstd(data))
        else:
            packed = zlib.compressobj(1, zlib.DEFLATED, -15)
            body = packed.compress(data) + packed.flush()
            path.write_bytes(
                b"\x1f\x8b\x08\x10\0\0\0\0\x04\xff" + header + b"\0" + body
                + struct.pack("<II", zlib.crc32(data), len(data) % (1 << 32))
            )  # fmt: skip
            assert gzip.decompress(path.read_bytes()) == data
        return path


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def made(*members: Member, **manifest: Any) -> MadePack:
    """A sound pack of these members, or of the usual ones."""
    members = members or usual()
    files: Dict[str, Any] = {}
    for one in members:
        if one.kind == tarfile.SYMTYPE:
            files[one.name] = ["l", one.target]
        elif one.kind == tarfile.DIRTYPE:
            files[one.name] = ["d"]
        else:
            digest = hashlib.sha256(one.data).hexdigest()
            files[one.name] = ["f", len(one.data), digest, one.mode]
    return MadePack(
        members,
        {
            "format": 1,
            "architecture": "x86_64",
            "libc": "glibc 2.36",
            "python": "3.11",
            "lower": "full",
            "reference": None,
            "environment": "made",
            "created-by": "spack-pyvarium 0.1.0",
            "distributions": [],
            "variables": [],
            "data": [],
            "bundled": [],
            "files": files,
            **manifest,
        },
    )
