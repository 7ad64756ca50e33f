# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Packs as 'spack pyvarium pack' writes them, of a few files; also what nobody should unpack.

The python in them is this one, by a script of one line.
"""

import hashlib
import json
import os
import shlex
import struct
import subprocess
import sys
import tarfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

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

#: What Poncho's program calls instead.
ACTIVATE = """\
PYVARIUM_PACK=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
PATH=$PYVARIUM_PACK/python/bin:$PATH
export PATH PYVARIUM_PACK
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
        Member("bin/activate", ACTIVATE.encode()),
        Member("bin/conda-unpack", b"#!/bin/sh\n", mode=0o755),
        Member("python/bin/python3.11", PYTHON.encode(), mode=0o755),
        link("python/bin/python3", "python3.11"),
        directory("lower"),
        *(Member(name, text.encode()) for name, text in more.items()),
    )


@dataclass(frozen=True)
class MadePart:
    """Some members of a pack that are unpacked apart; the size may be another than theirs."""

    root: str
    names: Sequence[str]
    size: Optional[int] = None


@dataclass(frozen=True)
class MadePack:
    """A pack before it is written; what differs from a sound one is set after ``made``."""

    members: Tuple[Member, ...]
    manifest: Dict[str, Any]
    raw_manifest: Optional[bytes] = None
    id: Optional[str] = None  # As in the header and in pyvarium/id.
    room: Optional[int] = None  # As in the header; 0: does not say.
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
        return b"".join([*(tar_of(parts[part]) for part in self.order), bytes(1024)])

    def write_parts(self, path: Path, *parts: MadePart, room: Optional[int] = None) -> Path:
        """Write it as zstd, as parts that consist of the named members; the rest comes first."""
        told = [
            Member("pyvarium/manifest.json", self.manifest_bytes),
            Member("pyvarium/id", f"{self.content_id}\n".encode()),
        ]
        named = {name for one in parts for name in one.names}
        rest = [one for one in self.members if one.name not in named]
        tars = [(".", tar_of(rest), None)]
        for part in parts:
            found = [one for name in part.names for one in self.members if one.name == name]
            tars.append((part.root, tar_of(found), part.size))
        tars.append(("pyvarium", tar_of(told) + bytes(1024), None))
        frames = [zstd(data) for _, data, _ in tars]
        line = self.but(room=room).header(sum(len(data) for _, data, _ in tars)).decode("ascii")
        at = len(EMPTY_FRAME) + 8 + len(line) + 1000
        words = ["parts"]
        for (below, data, size), frame in zip(tars, frames):
            size = len(data) if size is None else size
            words += map(str, (at, len(frame), size, below))
            at += len(frame)
        line += " ".join(words).ljust(999) + "\n"
        text = line.encode("ascii")
        path.write_bytes(
            b"".join([EMPTY_FRAME, struct.pack("<II", 0x184D2A50, len(text)), text, *frames])
        )
        return path

    def header(self, size: int) -> bytes:
        line = f"pyvarium-pack 1 {self.content_id}"
        if self.room != 0:
            line += f" {self.room or size + 65536}"
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
        return path


def tar_of(members: Iterable[Member]) -> bytes:
    """These members without an end."""
    written = []
    for member in members:
        header = member.tarinfo().tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
        written += [header, member.data, bytes(-len(member.data) % 512)]
    return b"".join(written)


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
            "architecture": os.uname().machine,
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


def _with(*members: Member) -> MadePack:
    """A sound pack but for these members, that its manifest has too."""
    return made(*usual(), *members)


def _naming(**entries: Any) -> MadePack:
    """A pack whose manifest names something else than what is in it."""
    sound = made()
    return made(files={**sound.manifest["files"], **entries})


def _raw(manifest: bytes) -> MadePack:
    return made().but(raw_manifest=manifest)


def _special(kind: bytes) -> Member:
    return Member("data/special", kind=kind)


def hostile(outside: Path) -> Dict[str, MadePack]:
    """What nobody should unpack; it tries to write below a directory that is ``outside``."""
    up = f"../../../{outside.name}/written"
    victim = str(outside / "victim")
    deep = "/".join(["d"] * 600)
    sound = made()
    plain = Member("data/plain", b"plain")
    zeros = bytes(8 << 20)
    return {
        # Names.
        "traversal": _with(Member(up, b"x")),
        "traversal, not in the manifest": sound.hostile(Member(up, b"x")),
        "traversal behind a directory": _with(Member(f"data/../../{up}", b"x")),
        "traversal by the header of pax": sound.hostile(
            Member("data/a", b"x", headers={"path": up})
        ),
        "absolute": _with(Member(victim, b"x")),
        "absolute, not in the manifest": sound.hostile(Member(victim, b"x")),
        "dot": _with(Member("data/./a", b"x")),
        "empty part": _with(Member("data//a", b"x")),
        "line break": _with(Member("data/a\nb", b"x")),
        "escape": _with(Member("data/\x1b[31m", b"x")),
        "delete": _with(Member("data/\x7f", b"x")),
        "no UTF-8": sound.hostile(Member("data/\udcff", b"x")),
        "half a pair": _naming(**{"data/\ud800": ["f", 1, "0" * 64, 0o644]}),
        "long name": _with(Member("/".join(["long"] * 300), b"x")),
        "long part": _with(Member("data/" + "x" * 256, b"x")),
        "deep": _with(Member(deep, b"x")),
        "below a file": _with(Member("bin/run_in_env/x", b"x")),
        # Links.
        "link out": _with(link("data/out", up)),
        "absolute link": _with(link("data/out", victim)),
        "link to the root": _with(link("data/out", "/")),
        "link out, not in the manifest": sound.hostile(link("data/out", up)),
        "through a link": _with(link("data/out", str(outside)), Member("data/out/written", b"x")),
        "through a relative link": _with(
            link("data/out", f"../../../{outside.name}"), Member("data/out/written", b"x")
        ),
        "through a link, not in the manifest": sound.hostile(
            link("data/out", str(outside)), Member("data/out/written", b"x")
        ),
        "over a link": sound.hostile(link("data/out", victim), Member("data/out", b"x")),
        "out through another link": _with(
            link("lower/here", "."), link("out", f"lower/here/../../../{outside.name}/victim")
        ),
        "link to itself": _with(link("data/loop", "loop")),
        "links in a circle": _with(link("data/a", "b/x"), link("data/b", "a/x")),
        "directory of ours as a link": sound.hostile(link("pyvarium", str(outside))),
        "directory of ours as a link of the manifest": _with(link("pyvarium", str(outside))),
        "hard link out": sound.hostile(Member("data/hard", kind=tarfile.LNKTYPE, target=victim)),
        "hard link up": sound.hostile(Member("data/hard", kind=tarfile.LNKTYPE, target=up)),
        "hard link in it": sound.hostile(
            Member("data/hard", kind=tarfile.LNKTYPE, target="bin/run_in_env")
        ),
        "hard link instead of a file": _naming(
            **{"data/hard": ["f", len(RUN_IN_ENV), "0" * 64, 0o755]}
        ).hostile(Member("data/hard", kind=tarfile.LNKTYPE, target="bin/run_in_env")),
        "hard link through a link": sound.hostile(
            link("data/out", str(outside)),
            Member("data/hard", kind=tarfile.LNKTYPE, target="data/out/victim"),
            Member("data/hard", b"x"),
        ),
        # Kinds and permissions.
        "device": sound.hostile(_special(tarfile.CHRTYPE)),
        "block device": sound.hostile(_special(tarfile.BLKTYPE)),
        "pipe": sound.hostile(_special(tarfile.FIFOTYPE)),
        "pipe instead of a file": _naming(
            **{"data/special": ["f", 0, hashlib.sha256().hexdigest(), 0o644]}
        ).hostile(_special(tarfile.FIFOTYPE)),
        "unknown kind": sound.hostile(Member("data/special", kind=b"Z", data=b"")),
        "setuid": made(*usual(), plain).but(
            members=(*usual(), replace(plain, mode=0o4755)),
        ),
        "setuid in the manifest": _with(replace(plain, mode=0o4755)),
        "setgid in the manifest": _with(replace(plain, mode=0o2755)),
        "more permissions": made(*usual(), replace(plain, mode=0o400)).but(
            members=(*usual(), replace(plain, mode=0o6777)),
        ),
        "file as a directory": made(*usual(), plain).but(
            members=(*usual(), directory("data/plain"))
        ),
        "file as a link": made(*usual(), plain).but(members=(*usual(), link("data/plain", "b"))),
        "link as a file": made(*usual(), link("data/plain", "b")).but(members=(*usual(), plain)),
        "link elsewhere": made(*usual(), link("data/a", "b")).but(
            members=(*usual(), link("data/a", "c"))
        ),
        # Content.
        "another content": made(*usual(), plain).but(
            members=(*usual(), replace(plain, data=b"pla1n"))
        ),
        "shorter content": made(*usual(), plain).but(
            members=(*usual(), replace(plain, data=b"p"))
        ),
        "missing": made(*usual(), plain).but(members=usual()),
        "more than the manifest has": sound.hostile(plain),
        "twice": _with(plain).hostile(plain),
        "twice, with another content": _with(plain).hostile(replace(plain, data=b"other")),
        "link twice": _with(link("data/a", "b")).hostile(link("data/a", "b")),
        "another id": sound.but(id="0" * 64),
        "bomb, not in the manifest": sound.hostile(Member("data/bomb", zeros)).but(room=1 << 20),
        "bomb instead of a file": _with(plain).but(
            members=(*usual(), replace(plain, data=zeros)), room=1 << 20
        ),
        "bomb in the manifest": _naming(**{"data/bomb": ["f", 1 << 55, "0" * 64, 0o644]}).but(
            room=1 << 55
        ),
        "bomb by itself": _naming(**{"data/bomb": ["f", len(zeros), "0" * 64, 0o644]})
        .hostile(Member("data/bomb", zeros))
        .but(room=1 << 20),
        "large header": sound.hostile(Member("data/a", headers={"comment": "x" * (1 << 20)})),
        # The manifest.
        "manifest of 1 GB": sound.but(
            order=("id", "rest"),
            members=(*usual(), Member("pyvarium/manifest.json", b"{}", size=1 << 30)),
        ),
        "no manifest": sound.but(order=("id", "rest")),
        "two manifests": sound.hostile(Member("pyvarium/manifest.json", b"{}")),
        "no entry": made(Member("data/a", b"a")),
        "manifest in the manifest": _naming(
            **{"pyvarium/manifest.json": ["f", 1, "0" * 64, 0o644]}
        ),
        "no JSON": _raw(b"{"),
        "no mapping": _raw(b"[]"),
        "no files": _raw(b'{"format": 1, "architecture": "x86_64"}'),
        "nested": _raw(b'{"files": ' + b"[" * 100_000),
        "long number": _raw(b'{"format": ' + b"1" * 100_000 + b"}"),
        "negative size": _naming(**{"data/a": ["f", -1, "0" * 64, 0o644]}),
        "size of text": _naming(**{"data/a": ["f", "1", "0" * 64, 0o644]}),
        "digest of path": _naming(**{"data/a": ["f", 1, "../../a", 0o644]}),
        "unknown entry": _naming(**{"data/a": ["x"]}),
        "empty entry": _naming(**{"data/a": []}),
        "empty target": _naming(**{"data/a": ["l", ""]}),
        "another format": made(format=2),
    }


DEEP = ("deep/er/b", "deep/er/c")
IN_PARTS = made(
    *usual(**{name: name for name in ("data/a", *DEEP)}),
    directory("deep"),
    directory("deep/er"),
    link("data/l", "../deep"),
)
PARTS = (MadePart("data", ("data/a", "data/l")), MadePart("deep/er", ("deep/er", *DEEP)))


def hostile_in_parts(outside: Path) -> Dict[str, Callable[[Path], Path]]:
    """What nobody should unpack by parts, by how it is written; the manifest has all of it."""
    up = f"../../../{outside.name}"
    data, deep = MadePart("data", ("data/written",)), MadePart("deep/er", ("deep/er/written",))
    one, other = Member("data/written", b"x"), Member("deep/er/written", b"x")
    zeros = Member("data/written", bytes(8 << 20))

    def written(made_pack: MadePack, *parts: MadePart, **more: Any) -> Callable[[Path], Path]:
        return lambda path: made_pack.write_parts(path, *parts, **more)

    def renamed(before: str, after: str) -> Callable[[Path], Path]:
        def write(path: Path) -> Path:
            sound = IN_PARTS.write_parts(path, *PARTS).read_bytes()
            assert before.encode() in sound and len(before) == len(after)
            path.write_bytes(sound.replace(before.encode(), after.encode(), 1))
            return path

        return write

    return {
        "a link where a part is to be": written(_with(link("data", up), one), data),
        "a link above where a part is to be": written(_with(link("deep", up), other), deep),
        "a link as a part": written(_with(link("data", up)), MadePart("data", ("data",))),
        "a link in a part, then through it": written(
            _with(link("data/out", up), Member("data/out/written", b"x")),
            MadePart("data", ("data/out",)),
            MadePart("data/out", ("data/out/written",)),
        ),
        "a part above": renamed(" deep/er ", " ../../x "),
        "a part at the root": renamed(" deep/er ", " /tmp/xy "),
        "a part that is not in it": renamed(" deep/er ", " deep/ex "),
        "a part twice": renamed(" deep/er ", " data    "),
        "more bytes than a part says": written(
            _with(zeros), MadePart("data", ("data/written",), 512), room=16 << 20
        ),
        "more bytes than all say": written(_with(zeros), data, room=1 << 20),
    }
