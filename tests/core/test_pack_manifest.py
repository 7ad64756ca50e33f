# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a pack says of itself; the header is read by sh as the runner does."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Callable, Dict, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium import pack_manifest
from pyvarium.pack_manifest import (
    Bundled,
    Data,
    Distribution,
    Origin,
    Part,
    Reference,
    gzip_header,
    identify,
    parse_header,
    parse_parts,
    render,
    zstd_header,
)
from pyvarium.variables import Action, Change

ORIGIN = Origin(
    "x86_64",
    "glibc 2.36",
    "3.11",
    "my-env",
    "spack-pyvarium 0",
    None,
    [Distribution("a", "1", "spack", "py-a@1"), Distribution("b", "2", "venv", None)],
    [Change("A", Action.PREPEND, "{pack}/é"), Change("B", Action.UNSET)],
    [Data("D", "data/d", "https://example.org/d", digest="0" * 64)],
)
FILES = {"bin/a": ("f", 1, "1" * 64, 0o755), "bin": ("d",), "bin/é": ("l", "a")}
PACK_ID = hashlib.sha256(b"").hexdigest()
READ = '{ read -r first; read -r mark format id size rest; } < "$1"; echo $mark $format $id $size'


def test_canonical() -> None:
    data = render(ORIGIN, FILES, [Bundled("lib/liba.so", "liba.so", "2" * 64)])
    assert json.loads(data) == {
        "format": 1,
        "architecture": "x86_64",
        "libc": "glibc 2.36",
        "python": "3.11",
        "lower": "full",
        "reference": None,
        "environment": "my-env",
        "created-by": "spack-pyvarium 0",
        "distributions": [
            {"name": "a", "version": "1", "layer": "spack", "spec": "py-a@1"},
            {"name": "b", "version": "2", "layer": "venv", "spec": None},
        ],
        "variables": [
            {"name": "A", "action": "prepend", "value": "{pack}/é", "separator": ":"},
            {"name": "B", "action": "unset", "value": "", "separator": ":"},
        ],
        "data": [
            {
                "variable": "D",
                "path": "data/d",
                "source": "https://example.org/d",
                "digest": "0" * 64,
            }
        ],
        "files": {"bin/a": ["f", 1, "1" * 64, 0o755], "bin": ["d"], "bin/é": ["l", "a"]},
        "bundled": [{"path": "lib/liba.so", "soname": "liba.so", "from-digest": "2" * 64}],
    }
    assert data.endswith(b"}\n") and data.count(b"\n") == 1 and data.isascii()
    assert identify(data) == hashlib.sha256(data).hexdigest()


@given(names=st.permutations(list(FILES)))
def test_the_same_for_any_order(names: Dict[str, object]) -> None:
    assert render(ORIGIN, {name: FILES[name] for name in names}, ()) == render(ORIGIN, FILES, ())


def test_reference() -> None:
    origin = Origin("a", "b", "c", "d", "e", Reference("/view", "/bin/python3"))
    manifest = json.loads(render(origin, {}, ()))
    assert (manifest["lower"], manifest["reference"]) == (
        "reference",
        {"view": "/view", "python": "/bin/python3"},
    )


@pytest.mark.parametrize("header", [gzip_header, zstd_header], ids=["gzip", "zstd"])
@pytest.mark.parametrize("size", [0, 1, 10**15])
def test_sh_reads_the_header(
    header: Callable[[str, int], bytes], size: int, tmp_path: Path
) -> None:
    path = tmp_path / "pack"
    path.write_bytes(header(PACK_ID, size) + b"\0\1\2\nmore\n")
    done = subprocess.run(["sh", "-c", READ, "sh", path], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"pyvarium-pack 1 {PACK_ID} {size}\n", "")
    assert parse_header(path.read_bytes()) == PACK_ID


@pytest.mark.parametrize("header", [gzip_header, zstd_header], ids=["gzip", "zstd"])
def test_a_header_has_one_length(header: Callable[[str, int], bytes]) -> None:
    """It is written before its content is known, and again at the end."""
    assert len(header("0" * 64, 0)) == len(header(PACK_ID, 10**15))


PARTS = (
    Part("", 300, 9, 10),
    Part("python/lib", 309, 1, 0),
    Part("pyvarium", 10**15, 10**15, 10**15),
)


def test_parts_in_the_header() -> None:
    header = zstd_header(PACK_ID, 7, PARTS)
    assert parse_parts(header + b"more\n") == PARTS
    assert parse_header(header) == PACK_ID
    nowhere = [Part(one.root) for one in PARTS]
    assert len(zstd_header("0" * 64, 0, nowhere)) == len(header)
    assert parse_parts(zstd_header(PACK_ID, 7)) == ()


@pytest.mark.parametrize(
    "parts",
    [
        [Part("a", 1, 0, 1)],
        [Part("a", 0, 1, 1)],
        [Part("a b", 1, 1, 1)],
        [Part(f"a{number}", number, 1, 1) for number in range(9)],
    ],
)
def test_parts_that_cannot_be(parts: Sequence[Part]) -> None:
    """It is then read as a whole."""
    assert parse_parts(zstd_header(PACK_ID, 7, parts)) == ()


def test_programs_skip_the_headers() -> None:
    packed = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = packed.compress(b"text") + packed.flush()
    end = zlib.crc32(b"text").to_bytes(4, "little") + (4).to_bytes(4, "little")
    assert gzip.decompress(gzip_header(PACK_ID, 4) + body + end) == b"text"
    zstd = shutil.which("zstd")
    if zstd is None:
        pytest.skip("no zstd here")
    frame = subprocess.run([zstd, "-qc"], input=b"text", stdout=subprocess.PIPE).stdout
    done = subprocess.run(
        [zstd, "-qdc"], input=zstd_header(PACK_ID, 4) + frame, stdout=subprocess.PIPE
    )
    assert (done.returncode, done.stdout) == (0, b"text")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"pyvarium-pack 2 " + b"0" * 64,
        b"pyvarium-pack 1 ",
        b"pyvarium-pack 1",
        b"pyvarium-pack 1 " + b"0" * 63,
        b"pyvarium-pack 1 " + b"\xff" * 64,
        b"pyvarium-pack 1 " + b"/" * 64,
    ],
)
def test_no_id(line: bytes) -> None:
    assert parse_header(b"\x1f\x8b\n" + line + b"\n") is None


@given(data=st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    parse_header(data)
    parse_header(b"\npyvarium-pack 1 " + data + b"\n")
    parse_parts(f"\npyvarium-pack 1 {PACK_ID}\nparts ".encode() + data + b"\n")


def test_a_header_without_a_size() -> None:
    assert parse_header(f"\npyvarium-pack 1 {PACK_ID}\n".encode()) == PACK_ID
    assert pack_manifest.line(PACK_ID, 7).split() == [
        b"pyvarium-pack",
        b"1",
        PACK_ID.encode(),
        b"7",
    ]
