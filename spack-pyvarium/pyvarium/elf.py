# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Change where an ELF file looks for libraries, as patches that leave its length and layout.

What is read of a file comes from a parser that the caller has (Spack's). ``DT_RPATH`` is written,
never ``DT_RUNPATH``: the loader looks there before ``LD_LIBRARY_PATH``, and what a file loads
inherits it (https://man7.org/linux/man-pages/man8/ld.so.8.html).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, Callable, Iterator, List, NamedTuple, Optional, Tuple

from .members import Patches

DT_NULL, DT_STRTAB, DT_STRSZ, DT_RPATH = 0, 5, 10, 15
PT_LOAD = 1
SHT_NOBITS, SHF_ALLOC = 8, 2
_PAGE = 4096


@dataclass(frozen=True)
class Kind:
    """For which machine a file is; only files of one kind can be loaded together."""

    bits: int
    little_endian: bool
    machine: int


@dataclass(frozen=True)
class Elf:
    """What the loader reads of an executable or a shared library."""

    kind: Kind
    program_headers: Tuple[int, int]
    """The offset of the first, and their number."""
    dynamic: Tuple[int, int]
    """Offset and length of the dynamic section."""
    needed: Tuple[str, ...] = ()
    soname: str = ""
    executable: bool = False
    interpreter: str = ""
    rpath: Optional[str] = None
    """None where there is neither DT_RPATH nor DT_RUNPATH."""
    is_runpath: bool = False
    rpath_entry: int = 0
    """The offset of the entry in the dynamic section."""
    rpath_string: int = 0

    @property
    def byte_order(self) -> str:
        return "<" if self.kind.little_endian else ">"


#: Reads an open file; None where it is no ELF file that is loaded; raises ValueError.
Parse = Callable[[BinaryIO], Optional[Elf]]


def rpath_patches(elf: Elf, file: BinaryIO, rpath: str) -> Optional[Patches]:
    """The patches by which a file has this DT_RPATH; None where there is no room for it."""
    new = rpath.encode()
    old = None if elf.rpath is None else elf.rpath.encode()
    if old is not None and len(new) <= old.rfind(b"/"):
        return _in_place(elf, old, new)
    patches = _in_padding(elf, file, new) if elf.kind.bits == 64 else None
    if patches is None and old is not None and len(new) <= len(old):
        return _in_place(elf, old, new)
    return patches


def _in_place(elf: Elf, old: bytes, new: bytes) -> Patches:
    """Overwrite the string, but for the end where it can be, which may name a symbol too.

    Linkers let a string stand for each that is an end of it; none of a symbol has a slash.
    """
    size = elf.kind.bits // 8
    tag = DT_RPATH.to_bytes(size, "little" if elf.kind.little_endian else "big")
    end = max(old.rfind(b"/") + 1, len(new) + 1)
    return ((elf.rpath_entry, tag), (elf.rpath_string, new + bytes(end - len(new))))


def _in_padding(elf: Elf, file: BinaryIO, new: bytes) -> Optional[Patches]:
    """Put the string behind the segment of the string table, where the page has nothing else.

    The entry takes the place of one of those that the linker has left spare (GNU ld: five). The
    segment and the table then end behind the string, as the loader reads them; the section of the
    strings does not, so that readelf shows the entry without its text.
    """
    order = elf.byte_order
    entries = list(_dynamic(elf, file))
    values = {tag: (offset, value) for offset, tag, value in entries}
    spare = [offset for offset, tag, _ in entries if tag == DT_NULL]
    # The last one ends the section.
    if len(spare) < 2 - (elf.rpath is not None) or DT_STRTAB not in values:
        return None
    table = values[DT_STRTAB][1]
    segments = sorted(_segments(elf, file))
    for index, (offset, address, size, memory, header) in enumerate(segments):
        if not address <= table < address + size or size != memory:
            continue
        start = offset + size
        limit = -(-start // _PAGE) * _PAGE
        if index + 1 < len(segments):
            limit = min(limit, segments[index + 1][0])
        if start + len(new) + 1 > limit:
            return None
        file.seek(start)
        if file.read(len(new) + 1) != bytes(len(new) + 1):
            return None  # Something else is there, or the end of the file.
        at = address + size - table
        entry = spare[0] if elf.rpath is None else elf.rpath_entry
        grown = size + len(new) + 1
        patches: List[Tuple[int, bytes]] = [
            (start, new + b"\0"),
            (header + 32, struct.pack(f"{order}QQ", grown, grown)),  # p_filesz, p_memsz
            (entry, struct.pack(f"{order}qQ", DT_RPATH, at)),
        ]
        if DT_STRSZ in values:
            patches.append((values[DT_STRSZ][0] + 8, struct.pack(f"{order}Q", at + len(new) + 1)))
        return tuple(sorted(patches))
    return None


def without_debugging(elf: Elf, file: BinaryIO) -> Optional[bytes]:
    """A file without the sections that debuggers alone read; None where it has none.

    All that is loaded stays where it is, and symbols stay for the traces of a crash. So do the
    headers of what is left out, as those of sections without content, since others refer to
    sections by number. A file whose other sections are in the way stays as it is.
    """
    file.seek(0)
    header = file.read(64)
    if elf.kind.bits != 64 or len(header) < 64:
        return None
    (table,) = struct.unpack_from(f"{elf.byte_order}Q", header, 40)  # e_shoff
    size, number, names_index = struct.unpack_from(f"{elf.byte_order}3H", header, 58)
    file.seek(table)
    data = file.read(size * number)
    if size != 64 or len(data) != size * number or names_index >= number:
        return None
    section = struct.Struct(f"{elf.byte_order}IIQQQQIIQQ")
    sections = [_Section(*fields) for fields in section.iter_unpack(data)]
    file.seek(sections[names_index].offset)
    names = file.read(sections[names_index].size)
    removed = {
        index
        for index, one in enumerate(sections)
        if names.startswith(b".debug_", one.name) and not one.flags & SHF_ALLOC
        if one.kind != SHT_NOBITS
    }
    start = min((sections[index].offset for index in removed), default=0)
    ends = [offset + length for offset, _, length, _, _ in _segments(elf, file)]
    ends += [
        one.offset + one.size for one in sections if one.kind != SHT_NOBITS and one.offset < start
    ]
    if not removed or max(ends, default=0) > start:
        return None
    file.seek(0)
    kept = bytearray(file.read(start))
    for index in sorted(range(number), key=lambda index: sections[index].offset):
        one = sections[index]
        if one.offset < start:
            continue
        if index in removed:
            one = one._replace(kind=SHT_NOBITS, flags=0, size=0)
        kept += bytes(-len(kept) % max(one.align, 1))
        sections[index] = one._replace(offset=len(kept))
        if one.kind != SHT_NOBITS:
            file.seek(one.offset)
            kept += file.read(one.size)
    kept += bytes(-len(kept) % 8)
    struct.pack_into(f"{elf.byte_order}Q", kept, 40, len(kept))
    return bytes(kept) + b"".join(section.pack(*one) for one in sections)


class _Section(NamedTuple):
    """The header of a section (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.sheader.html)."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


def _dynamic(elf: Elf, file: BinaryIO) -> Iterator[Tuple[int, int, int]]:
    """Offset, tag and value of the entries of the dynamic section."""
    start, length = elf.dynamic
    file.seek(start)
    data = file.read(length - length % 16)
    for index, (tag, value) in enumerate(struct.iter_unpack(f"{elf.byte_order}qQ", data)):
        yield start + 16 * index, tag, value


def _segments(elf: Elf, file: BinaryIO) -> Iterator[Tuple[int, int, int, int, int]]:
    """Offset, address, size in the file and in memory, and header, of what is loaded."""
    start, number = elf.program_headers
    file.seek(start)
    data = file.read(56 * number)
    headers = struct.iter_unpack(f"{elf.byte_order}IIQQQQQQ", data)
    for index, (kind, _, offset, address, _, size, memory, _) in enumerate(headers):
        if kind == PT_LOAD:
            yield offset, address, size, memory, start + 56 * index


def patched(data: bytes, patches: Patches, offset: int = 0) -> bytes:
    """A part of a file, which begins at ``offset``, after the patches."""
    changed = bytearray(data)
    for where, new in patches:
        begin, end = max(where, offset), min(where + len(new), offset + len(data))
        if begin < end:
            changed[begin - offset : end - offset] = new[begin - where : end - where]
    return bytes(changed)
