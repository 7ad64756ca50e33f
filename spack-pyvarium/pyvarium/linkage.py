# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Find the libraries of a pack's ELF files as the loader does here, and where it will there.

What lies outside of the pack is taken along, but for the C library and drivers, which belong to
the machine that the pack runs on. A file without an RPATH of its own inherits that of what loads
it, and at last that of python (https://man7.org/linux/man-pages/man8/ld.so.8.html).
"""

from __future__ import annotations

import filecmp
import os
import re
from dataclasses import dataclass, field, replace
from typing import AbstractSet, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from .elf import Elf, Kind, Parse, rpath_patches
from .errors import PyvariumError
from .members import Gathered, Member, Patches, identity
from .model import Skipped

#: Where libraries of elsewhere are.
LIBRARIES = "lib"

#: The C library's own, of the machine: an executable's loader and they are of one version.
_GLIBC = re.compile(
    r"(ld-linux[\w-]*|ld64|libc|libm|libmvec|libpthread|libdl|librt|libutil|libresolv|libanl"
    r"|libnsl|libBrokenLocale|libc_malloc_debug|libthread_db|libnss_\w+)\.so\.[\d.]+"
)
#: Drivers, which are of one version with the machine's kernel.
_DRIVERS = re.compile(
    r"(libcuda|libnvidia-[\w-]+|libnvcuvid|libhsa-runtime64|libdrm\w*|libGL\w*|libEGL\w*|libOpenGL"
    r"|libgbm|libvulkan)\.so(\.[\d.]+)?"
)
#: Files that are none of these are looked at.
_NEVER_ELF = re.compile(
    r"\.(py|pyc|pyi|pyx|pxd|h|hpp|hxx|c|cc|cpp|f|f90|txt|md|rst|html|css|js|json|toml|cfg|ini|in"
    r"|yaml|yml|xml|csv|tsv|gz|bz2|xz|zip|whl|png|svg|jpg|gif|ico|pc|cmake|la|pem|ttf|dat|npy|npz"
    r"|pkl|parquet|feather|exe|dll|pyd|tmpl|tcl|msg|mo|po|tex|ipynb|a|o)\Z"
)
_LIBRARY = re.compile(r"\.so(\.|\Z)")


@dataclass(frozen=True)
class Site:
    """How this machine finds libraries: its cache of them (``ldconfig``), and the directories."""

    cache: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    directories: Tuple[str, ...] = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")


@dataclass(frozen=True)
class Bundled:
    """A library of elsewhere: the member, and its name for the loader."""

    member: str
    soname: str


@dataclass(frozen=True)
class Linked:
    """What has to be changed, and added, so that all files find their libraries in a pack."""

    patches: Mapping[str, Patches]
    files: Mapping[str, Member]
    links: Mapping[str, str]
    bundled: Tuple[Bundled, ...]
    skipped: Tuple[Skipped, ...]
    unpatched: Mapping[str, str]
    """The RPATH that a file should have and has no room for."""
    elves: Mapping[str, Elf] = field(default_factory=dict)
    """All files that were looked at."""


def parse_cache(text: str) -> Mapping[str, Tuple[str, ...]]:
    """Read what ``ldconfig -p`` prints: paths by the name of a library."""
    found: Dict[str, Tuple[str, ...]] = {}
    for name, path in re.findall(r"^\s+(\S+) \(.*\) => (.+)$", text, re.MULTILINE):
        found[name] = (*found.get(name, ()), path)
    return found


def is_of_machine(name: str) -> bool:
    """Whether a library is to be that of the machine which the pack runs on."""
    return bool(_GLIBC.fullmatch(name) or _DRIVERS.fullmatch(name))


@dataclass
class _File:
    """An ELF file of the pack, and where it is here."""

    member: str
    path: str
    elf: Elf
    #: What it needs of the pack: the members by the names that are needed, which may be links.
    libraries: Dict[str, str] = field(default_factory=dict)


def read_elf_files(
    gathered: Gathered, parse: Parse
) -> Tuple[Dict[str, Tuple[str, Elf]], List[Skipped]]:
    """The ELF files among members: the path of each here, and what the loader reads of it."""
    found: Dict[str, Tuple[str, Elf]] = {}
    skipped: List[Skipped] = []
    for name, member in gathered.files.items():
        if not member.path or member.size < 64 or _NEVER_ELF.search(name):
            continue
        if not (member.executable or _LIBRARY.search(name) or "." not in os.path.basename(name)):
            continue
        try:
            with open(member.path, "rb") as file:
                elf = parse(file)
        except ValueError as error:
            skipped.append(Skipped(member.path, f"is kept as it is: {error}"))
            continue
        except OSError as error:
            raise PyvariumError(
                f"{member.path}: cannot be read ({error.strerror}); make it readable"
            ) from None
        if elf is not None:
            found[name] = (member.path, elf)
    return found, skipped


def link(gathered: Gathered, parse: Parse, python: str, site: Site) -> Linked:
    """Find the libraries of all ELF files; ``python`` is the member that loads most of them.

    Raises PyvariumError.
    """
    read, skipped = read_elf_files(gathered, parse)
    files = {name: _File(name, path, elf) for name, (path, elf) in read.items()}
    identities = dict(gathered.identities)
    added: Dict[str, Member] = {}
    links: Dict[str, str] = {}
    bundled: Dict[str, Bundled] = {}
    kinds: Dict[str, Optional[Kind]] = {}
    if python not in files:
        raise PyvariumError(f"{python}: is no ELF executable; pack on Linux, with glibc")
    inherited = tuple(_own_directories(files[python])) if not files[python].elf.is_runpath else ()

    def kind_of(path: str) -> Optional[Kind]:
        if path not in kinds:
            try:
                with open(path, "rb") as file:
                    elf = parse(file)
                kinds[path] = elf.kind if elf else None
            except (OSError, ValueError):
                kinds[path] = None
        return kinds[path]

    def resolve(one: _File, name: str, passed_on: Iterable[str] = ()) -> Optional[str]:
        directories = [*_own_directories(one), *passed_on]
        if not one.elf.is_runpath:
            directories += inherited
        candidates = [os.path.join(directory, name) for directory in directories]
        candidates += site.cache.get(name, ())
        candidates += [os.path.join(directory, name) for directory in site.directories]
        for path in candidates:
            if os.path.isfile(path) and kind_of(path) == one.elf.kind:
                return path
        return None

    def bundle(path: str, name: str) -> str:
        number = 1
        member = f"{LIBRARIES}/{name}"
        while member in added:  # Another file of this name, for others.
            number += 1
            member = f"{LIBRARIES}/{number}/{name}"
        status = os.stat(path)
        added[member] = Member(member, path, status.st_size, int(status.st_mtime), True)
        identities[status.st_dev, status.st_ino] = member
        with open(path, "rb") as file:
            elf = parse(file)
        assert elf is not None  # Its kind is known.
        files[member] = _File(member, path, elf)
        waiting.append(files[member])
        bundled[member] = Bundled(member, elf.soname or name)
        return member

    def take(one: _File, name: str, path: str) -> None:
        known = identity(path)
        member = identities.get(known) if known else None
        if member is None and os.path.dirname(path) in _own_directories(one):
            member = _copy_in(gathered, path)
        if member is None:
            member = bundle(path, name)
        beside = os.path.join(os.path.dirname(member), name)
        if beside != member and not (beside in gathered or beside in added or beside in links):
            links[beside] = os.path.basename(member)
        one.libraries[beside] = member

    waiting = [files[name] for name in sorted(files)]
    missing: List[Tuple[_File, str]] = []
    found_more = True
    while found_more:
        found_more = bool(waiting)
        while waiting:
            one = waiting.pop(0)
            for name in one.elf.needed:
                if is_of_machine(name):
                    continue
                path = os.path.abspath(name) if "/" in name else resolve(one, name)
                if path is None:
                    missing.append((one, name))
                else:
                    take(one, name, path)
        # What loads a file passes its RPATH on to it; all that does is known now.
        before, missing = missing, []
        for one, name in before:
            path = resolve(one, name, _passed_on(one, files))
            if path is None:
                missing.append((one, name))
            else:
                take(one, name, path)
                found_more = True
    for one, name in missing:
        if not any(other.elf.soname == name for other in files.values()):
            skipped.append(Skipped(one.path, f"needs {name}, which is not here either"))
    everywhere = {LIBRARIES, *map(os.path.dirname, files[python].libraries)}
    patches: Dict[str, Patches] = {}
    unpatched: Dict[str, str] = {}
    for name in sorted(files):
        one = files[name]
        rpath = _rpath(one, files, gathered, everywhere, name == python)
        if rpath is None or (rpath == one.elf.rpath and not one.elf.is_runpath):
            continue
        with open(one.path, "rb") as opened:
            found = rpath_patches(one.elf, opened, rpath)
        if found is None:
            unpatched[name] = rpath
        else:
            patches[name] = found
    everything = tuple(bundled[name] for name in sorted(bundled))
    elves = {name: files[name].elf for name in sorted(files)}
    return Linked(patches, added, links, everything, tuple(skipped), unpatched, elves)


def _own_directories(one: _File) -> Iterator[str]:
    """Where a file itself says that its libraries are; from where it is, and really is, here."""
    for entry in (one.elf.rpath or "").split(":"):
        if "$ORIGIN" in entry or "${ORIGIN}" in entry:
            for path in dict.fromkeys((os.path.realpath(one.path), os.path.abspath(one.path))):
                yield os.path.normpath(_without_origin(entry, os.path.dirname(path)))
        elif entry.startswith("/"):
            yield os.path.normpath(entry)


def _passed_on(one: _File, files: Mapping[str, _File]) -> Iterator[str]:
    """Where what loads a file, at whatever remove, has the loader look for those it needs."""
    seen = {one.member}
    waiting = [] if one.elf.is_runpath else [one.member]
    while waiting:
        member = waiting.pop(0)
        for name in sorted(files):
            if name not in seen and member in files[name].libraries.values():
                seen.add(name)
                waiting.append(name)
                if not files[name].elf.is_runpath:
                    yield from _own_directories(files[name])


def _without_origin(entry: str, directory: str) -> str:
    return entry.replace("${ORIGIN}", directory).replace("$ORIGIN", directory)


def _copy_in(gathered: Gathered, path: str) -> Optional[str]:
    """The member that is a copy of a library, as a view may consist of copies."""
    name = os.path.basename(os.path.realpath(path))
    size = os.stat(path).st_size
    for member in gathered.files.values():
        if (member.size, os.path.basename(member.name)) == (size, name) and (
            filecmp.cmp(member.path, path, shallow=False)
        ):
            return member.name
    return None


def _rpath(
    one: _File,
    files: Mapping[str, _File],
    gathered: Gathered,
    everywhere: AbstractSet[str],
    is_python: bool,
) -> Optional[str]:
    """The RPATH that a file has to have in the pack; None for the one that it has, or none."""
    here = os.path.dirname(one.member)
    directories = [os.path.dirname(member) for member in one.libraries]
    if one.elf.rpath is None and not one.elf.executable:
        # It inherits ``everywhere`` of python, as of any other program that needs it.
        return None if everywhere >= set(directories) else _entries(here, directories)
    for entry in (one.elf.rpath or "").split(":"):
        if entry.startswith(("$ORIGIN", "${ORIGIN}")):
            # What it loads by itself at run time may be there.
            directory = os.path.normpath(_without_origin(entry, here or "."))
            if directory in gathered.directories:
                directories.append(directory)
    if is_python or (one.elf.executable and _reaches_libraries(one, files)):
        directories.append(LIBRARIES)
    if directories:
        return _entries(here, directories)
    return None if one.elf.rpath is None else "$ORIGIN"


def _entries(here: str, directories: Sequence[str]) -> str:
    relative = [
        os.path.relpath(directory, here or ".") for directory in dict.fromkeys(directories)
    ]
    return ":".join("$ORIGIN" if one == "." else f"$ORIGIN/{one}" for one in relative)


def _reaches_libraries(one: _File, files: Mapping[str, _File]) -> bool:
    """Whether an executable needs, at whatever remove, a library of elsewhere."""
    seen = set()
    waiting = [one]
    while waiting:
        for member in waiting.pop().libraries.values():
            if member.startswith(f"{LIBRARIES}/"):
                return True
            if member in files and member not in seen:
                seen.add(member)
                waiting.append(files[member])
    return False


def with_links(gathered: Gathered, linked: Linked) -> Gathered:
    """The members with what linking adds and changes."""
    files = {**gathered.files, **linked.files}
    for name, patches in linked.patches.items():
        files[name] = replace(files[name], patches=patches)
    directories = dict(gathered.directories)
    for name in (*linked.files, *linked.links):
        directories.setdefault(os.path.dirname(name), "")
    links = {**gathered.links, **linked.links}
    return replace(gathered, files=files, links=links, directories=directories)
