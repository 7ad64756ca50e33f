# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read ELF files by Spack's own parser."""

from __future__ import annotations

from typing import Any, BinaryIO, Optional

import spack.util.elf

from .elf import Elf, Kind


def parse(file: BinaryIO) -> Optional[Elf]:
    """Read an open file; None where it is no ELF file that is loaded. Raises ValueError."""
    file.seek(0)
    if file.read(4) != spack.util.elf.ELF_CONSTANTS.MAGIC:
        return None
    file.seek(0)
    try:
        header = spack.util.elf.parse_elf(file, only_header=True)
        if header.elf_hdr.e_type not in _LOADED:
            return None
        file.seek(0)
        found = spack.util.elf.parse_elf(file, interpreter=True, dynamic_section=True)
    except spack.util.elf.ElfParsingError as error:
        raise ValueError(str(error)) from None
    return _elf(found) if found.has_pt_dynamic else None


_LOADED = (spack.util.elf.ELF_CONSTANTS.ET_EXEC, spack.util.elf.ELF_CONSTANTS.ET_DYN)


def _elf(found: Any) -> Elf:
    rpath = {}
    if found.has_rpath:
        rpath = {
            "rpath": found.dt_rpath_str.decode("utf-8", "surrogateescape"),
            "is_runpath": found.is_runpath,
            "rpath_entry": found.dt_rpath_offset,
            "rpath_string": found.pt_dynamic_strtab_offset + found.rpath_strtab_offset,
        }
    return Elf(
        kind=Kind(64 if found.is_64_bit else 32, found.is_little_endian, found.elf_hdr.e_machine),
        program_headers=(found.elf_hdr.e_phoff, found.elf_hdr.e_phnum),
        dynamic=(found.pt_dynamic_p_offset, found.pt_dynamic_p_filesz),
        needed=tuple(one.decode() for one in found.dt_needed_strs) if found.has_needed else (),
        soname=found.dt_soname_str.decode() if found.has_soname else "",
        executable=found.has_pt_interp,
        interpreter=found.pt_interp_str.decode() if found.has_pt_interp else "",
        **rpath,
    )
