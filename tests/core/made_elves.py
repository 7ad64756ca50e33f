# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Small ELF files by the compiler of this machine, and a reader of what the loader reads."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import BinaryIO, Dict, List, Optional, Sequence

import pytest

from pyvarium.elf import DT_NULL, DT_RPATH, DT_STRTAB, PT_LOAD, Elf, Kind

DT_NEEDED, DT_SONAME, DT_RUNPATH = 1, 14, 29
PT_DYNAMIC, PT_INTERP = 2, 3
#: Loads a library, and prints what its function ``value`` returns; or calls its own.
PROGRAM = """
#include <dlfcn.h>
#include <stdio.h>
%s
int main(int number, char **words) {
    int (*value)(void);
    void *library = dlopen(words[1], RTLD_NOW);
    if (!library) { puts(dlerror()); return 1; }
    value = (int (*)(void)) dlsym(library, "value");
    printf("%%d\\n", value ? value() : -1);
    return 0;
}
"""


def parse(file: BinaryIO) -> Optional[Elf]:
    """As Spack's parser is used: None where it is none, ValueError where it is broken."""
    file.seek(0)
    data = file.read()
    if data[:4] != b"\x7fELF":
        return None
    try:
        return _parsed(data)
    except (struct.error, IndexError, KeyError):
        raise ValueError("it is broken") from None


def _parsed(data: bytes) -> Optional[Elf]:
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    word, kind = ("Q", Kind(64, order == "<", 0)) if wide else ("I", Kind(32, order == "<", 0))
    header = struct.unpack_from(f"{order}HHI{word}{word}{word}IHHHHHH", data, 16)
    kind = Kind(kind.bits, kind.little_endian, header[1])
    segments = []
    for index in range(header[9]):
        at = header[4] + index * header[8]
        if wide:
            one = struct.unpack_from(f"{order}IIQQQQ", data, at)
            segments.append((one[0], one[2], one[3], one[5]))
        else:
            one = struct.unpack_from(f"{order}IIIII", data, at)
            segments.append((one[0], one[1], one[2], one[4]))
    by_type = {one[0]: one for one in segments}
    if PT_DYNAMIC not in by_type:
        return None
    _, start, _, length = by_type[PT_DYNAMIC]
    size = struct.calcsize(f"{order}{word}{word}")
    tags: Dict[int, List[int]] = {}
    where: Dict[int, int] = {}
    for at in range(start, start + length, size):
        tag, value = struct.unpack_from(f"{order}{word}{word}", data, at)
        if tag == DT_NULL:
            break
        tags.setdefault(tag, []).append(value)
        where[tag] = at
    address = tags[DT_STRTAB][0]
    table = next(
        offset + address - begin
        for type_, offset, begin, length in segments
        if type_ == PT_LOAD and begin <= address < begin + length
    )

    def text(at: int) -> str:
        return data[at : data.index(b"\0", at)].decode()

    found = next((tag for tag in (DT_RUNPATH, DT_RPATH) if tag in tags), None)
    interpreter = text(by_type[PT_INTERP][1]) if PT_INTERP in by_type else ""
    rpath = {}
    if found is not None:
        at = table + tags[found][0]
        rpath = {
            "rpath": text(at),
            "is_runpath": found == DT_RUNPATH,
            "rpath_entry": where[found],
            "rpath_string": at,
        }
    return Elf(
        kind,
        (header[4], header[9]),
        by_type[PT_DYNAMIC][1::2],  # type: ignore[arg-type]
        tuple(text(table + one) for one in tags.get(DT_NEEDED, ())),
        text(table + tags[DT_SONAME][0]) if DT_SONAME in tags else "",
        bool(interpreter),
        interpreter,
        **rpath,  # type: ignore[arg-type]
    )


def read(path: Path) -> Elf:
    with open(path, "rb") as file:
        found = parse(file)
    assert found is not None
    return found


class Compiler:
    """Makes libraries whose one function returns a number, or the sum of that of others."""

    def __init__(self, scratch: Path) -> None:
        found = shutil.which("gcc")
        if found is None:
            pytest.skip("no gcc here")
        self._gcc = found
        self._scratch = scratch
        self._number = 0

    def library(
        self,
        path: Path,
        value: int = 0,
        needs: Sequence[Path] = (),
        rpath: Optional[str] = None,
        *,
        function: str = "value",
        soname: str = "",
        runpath: bool = True,
        options: Sequence[str] = (),
    ) -> Path:
        """A library; with others, its function adds those of them (``value_<name>``)."""
        calls = [f"value_{_word(one)}" for one in needs]
        text = "".join(f"int {one}(void);\n" for one in calls)
        total = " + ".join([str(value), *(f"{one}()" for one in calls)])
        names = dict.fromkeys([function, f"value_{_word(path)}"])
        text += "".join(f"int {one}(void) {{ return {total}; }}\n" for one in names)
        options = ["-shared", "-fPIC", "-nostdlib", *options]
        options += [f"-Wl,-soname,{soname or path.name}", "-Wl,-Bsymbolic"]
        return self._make(path, text, needs, rpath, runpath, options)

    def program(
        self,
        path: Path,
        needs: Sequence[Path] = (),
        rpath: Optional[str] = None,
        *,
        runpath: bool = True,
    ) -> Path:
        return self._make(path, PROGRAM % "", needs, rpath, runpath, ["-Wl,--no-as-needed"])

    def _make(
        self,
        path: Path,
        text: str,
        needs: Sequence[Path],
        rpath: Optional[str],
        runpath: bool,
        options: Sequence[str],
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._number += 1
        source = self._scratch / f"{self._number}.c"
        source.write_text(text)
        tags = "--enable-new-dtags" if runpath else "--disable-new-dtags"
        found = [] if rpath is None else [f"-Wl,-rpath,{rpath}", f"-Wl,{tags}"]
        command = [self._gcc, "-w", "-pipe", "-o", path, source, *options, *needs, *found]
        # What these need by themselves is not looked for.
        command.append("-Wl,--unresolved-symbols=ignore-in-shared-libs")
        subprocess.run(command, check=True)
        return path


def _word(path: Path) -> str:
    return path.name.partition(".")[0].replace("-", "_")


def said(program: Path, *words: object, **environ: str) -> str:
    done = subprocess.run(
        [str(program), *map(str, words)],
        env={"PATH": os.defpath, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout.strip()
