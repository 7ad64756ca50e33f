# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Streams that are compressed by parts; the programs that read such files are the judges."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvarium import compression, pack_manifest
from pyvarium.compression import Gzip, Program
from pyvarium.errors import PyvariumError

HEADER = pack_manifest.gzip_header("0" * 64, 0)
#: Some compress well and some not at all, in more than two blocks.
DATA = b"".join(
    random.Random(0).randbytes(1000 * number) + bytes(5000 * number) for number in range(25)
)


def gzipped(parts: List[bytes], workers: int) -> bytes:
    file = io.BytesIO()
    file.write(HEADER)
    sink = Gzip(file, workers)
    for part in parts:
        sink.write(part)
    sink.close()
    return file.getvalue()


@settings(max_examples=25)
@given(
    parts=st.lists(st.binary(max_size=60) | st.binary(max_size=3).map(lambda one: one * 30)),
    block=st.integers(1, 100),
    window=st.integers(1, 50),
)
def test_any_bytes_in_any_blocks(parts: List[bytes], block: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compression, "_BLOCK", block)
        patch.setattr(compression, "_WINDOW", window)
        one, three = gzipped(parts, 1), gzipped(parts, 3)
    assert one == three
    assert gzip.decompress(one) == b"".join(parts)


def test_gzip_reads_it(tmp_path: Path) -> None:
    data = gzipped([DATA[:7], DATA[7:]], 2)
    assert data == gzipped([DATA], 4)
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    assert subprocess.check_output(["gzip", "-dc", path]) == DATA
    assert subprocess.run(["gzip", "-t", path]).returncode == 0


def test_nothing_is_something_to_gzip() -> None:
    assert gzip.decompress(gzipped([], 2)) == b""


def tar() -> bytes:
    """A tar archive with one file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("a")
        member.size = 10
        archive.addfile(member, io.BytesIO(DATA[:10]))
    return file.getvalue()


TAR = tar()


def zstd_of(path: Path, workers: int) -> bytes:
    with open(path, "wb") as file:
        file.write(pack_manifest.zstd_header("0" * 64, 0))
        file.flush()
        sink = compression.zstd(file, workers)
        for at in range(0, len(DATA), 99_999):
            sink.write(DATA[at : at + 99_999])
        sink.close()
    return path.read_bytes()


def test_zstd_reads_it(tmp_path: Path) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("no zstd here")
    path = tmp_path / "a.zst"
    assert zstd_of(path, 1) == zstd_of(tmp_path / "b.zst", 4)
    assert subprocess.check_output(["zstd", "-qdc", path]) == DATA
    assert subprocess.run(["zstd", "-qt", path]).returncode == 0


def test_no_zstd_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if compression._zstandard() or compression._standard_zstd():
        pytest.skip("this python has a library for it")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PyvariumError) as error:
        compression.zstd(io.BytesIO(), 1)
    assert str(error.value) == (
        "zstd: there is no program of this name, nor the library zstandard; install one, or name"
        " a file that ends in .tar.gz"
    )


def test_no_squashfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(PyvariumError, match=r"^mksquashfs: there is no program of this name; "):
        compression.squashfs(tmp_path / "a.sqfs", 1, 0)


def test_squashfs_is_the_same_at_any_time(tmp_path: Path) -> None:
    if shutil.which("mksquashfs") is None:
        pytest.skip("no mksquashfs here")
    found = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}.sqfs"
        sink = compression.squashfs(path, workers, workers)
        sink.write(TAR)
        sink.close()
        with path.open("r+b") as file:
            before = file.read()
            compression.set_root_time(file, 1)
            file.seek(0)
            found.append(file.read())
        # Nothing else was of another time.
        assert sum(a != b for a, b in zip(before, found[-1])) == workers - 1
    assert found[0] == found[1]


@pytest.mark.parametrize("size", [0, 10, 1 << 22])
def test_a_program_that_fails_is_told(size: int, tmp_path: Path) -> None:
    """Whether it reads what is written or not."""
    script = "import sys\nprint('no\\n room', file=sys.stderr)\nsys.exit(3)"
    command = [sys.executable, "-ISc", script]
    with open(tmp_path / "out", "wb") as file:
        sink = Program(command, file)
        with pytest.raises(PyvariumError, match=r": failed \(no room\); mend that$"):
            sink.write(bytes(size))
            sink.close()
        sink.discard()


def test_a_program_that_is_given_up_ends(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file:
        sink = Program(["cat"], file)
        sink.write(b"text")
        sink.discard()
        assert sink._process.returncode is not None


def test_a_full_disk(tmp_path: Path) -> None:
    with open("/dev/full", "wb", buffering=0) as file:
        sink = Gzip(file, 2)
        with pytest.raises(OSError, match="No space left"):
            sink.write(DATA)
            sink.close()
        sink.discard()
    if shutil.which("zstd") is None:
        return
    with open("/dev/full", "wb", buffering=0) as file:
        program = compression.zstd(file, 1)
        with pytest.raises((OSError, PyvariumError), match="No space left"):
            program.write(DATA)
            program.close()
        program.discard()
