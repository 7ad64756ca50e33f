# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""A real environment in a file, unpacked where nothing of its origin can be reached.

The origin is hidden by file systems mounted over it in a namespace of their own, which needs root.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import pytest
from installers import NEWEST, Installer
from spacks import NewEnvironment, Spack, apart, finish, write

#: What is asked in a pack: both layers, what is compiled of python, and the metadata of both.
QUESTION = """
import ctypes, hashlib, importlib.metadata, json, sqlite3, ssl, sys, sysconfig, zlib
import clicker, facets.deep, plain, webby
names = ("clicker", "facets", "plain", "webby")
print(json.dumps({
    "files": [one.__file__ for one in (clicker, facets.deep, plain, webby, zlib)],
    "prefix": [sys.prefix, sys.executable, sysconfig.get_paths()["purelib"]],
    "versions": {name: importlib.metadata.version(name) for name in names},
    "compiled": webby.__spec__.cached,
}))
"""
VERSIONS = {"clicker": "8.1.8", "facets": "25.3.0", "plain": "1.1", "webby": "2.0"}
#: Ends whoever loads it.
EVIL = "#include <stdlib.h>\n__attribute__((constructor)) static void evil(void) { abort(); }\n"
#: What a node has in any case.
SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
BARE = "sh env ls cat dirname readlink basename true".split()


@dataclass(frozen=True)
class Packed:
    """An environment of two layers, where it comes from, and its pack."""

    spack: Spack
    environment: Path
    file: Path
    #: The directories that must not be needed.
    origins: Tuple[Path, ...]

    def pack(self, *words: object, code: int = 0) -> str:
        done = self.spack("-D", self.environment, "pyvarium", "pack", *words, code=code)
        return done.out if code == 0 else done.err


@pytest.fixture(scope="module")
def packed(
    prepared: Spack,
    tmp_path_factory: pytest.TempPathFactory,
    index: object,
    request: pytest.FixtureRequest,
) -> Packed:
    root = tmp_path_factory.mktemp("origin")
    spack = apart(prepared, root)
    tools = Path(os.path.abspath(request.config.getoption("tools")))
    import installers

    uv = next(one for one in NEWEST if one.startswith("uv=="))
    try:
        python = installers.had(tools, uv, print)
    except installers.NoInstallerError as error:
        pytest.skip(str(error))
    spack.configure("pyvarium", f"pyvarium:\n  tools:\n    uv: {python.parent / 'uv'}\n")
    name, version = uv.split("==")
    url = index.url  # type: ignore[attr-defined]
    tool = Installer(name, version, python, installers.environ_for(root / "home", url))
    spack = spack.with_environ(**tool.environ)
    environment = NewEnvironment(root, prepared.recorded)(
        "py-clicker",
        pyproject='[project]\nname = "analysis"\nversion = "1"\ndependencies = ["webby"]\n',
    )
    spack("-D", environment.path, "pyvarium", "install")
    file = root / "files" / "work.tar.gz"
    made = Packed(spack, environment.path, file, (root, prepared.store, *_prefixes(environment)))
    made.pack("-o", file, "--slim")
    return made


def _prefixes(environment: object) -> Tuple[Path, ...]:
    """The prefix of the python below, as far as it can be hidden without hiding the machine's."""
    home = re.search(r"^home = (.*)$", (environment.path / ".venv/pyvenv.cfg").read_text(), re.M)  # type: ignore[attr-defined]
    assert home is not None
    prefix = Path(home[1]).parent
    return () if str(prefix) in ("/", "/usr", "/usr/local") else (prefix,)


def hidden(packed: Packed, command: Sequence[object], *before: str) -> List[str]:
    """A command that runs where the directories of the origin are empty."""
    lines = ["set -e", *before]
    lines += [f"mount -t tmpfs tmpfs {shlex.quote(str(one))}" for one in packed.origins]
    words = " ".join(shlex.quote(str(one)) for one in command)
    return ["unshare", "--mount", "sh", "-c", "\n".join([*lines, f"exec {words}"])]


@pytest.fixture
def masking() -> None:
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    if done.returncode:
        pytest.skip("only root can hide directories")


@pytest.fixture
def unpacked(packed: Packed, tmp_path: Path) -> Path:
    """Unpacked by tar alone, then moved; there is a blank in its path."""
    first, home = tmp_path / "first", tmp_path / "an other place"
    first.mkdir()
    subprocess.run(["tar", "-xf", packed.file, "-C", first], check=True)
    first.rename(home)
    return home


def out_of(command: Sequence[object], **environ: str) -> str:
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(one) for one in command], env={**own, **environ}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.usefixtures("masking")
def test_nothing_of_the_origin_is_needed(packed: Packed, unpacked: Path, tmp_path: Path) -> None:
    """Also through a link, on a read-only file system, and by a path relative to elsewhere."""
    link = tmp_path / "link"
    link.symlink_to(unpacked)
    mounted = tmp_path / "read-only"
    mounted.mkdir()
    here, there = shlex.quote(str(unpacked)), shlex.quote(str(mounted))
    mount = f"mount --bind {here} {there} && mount -o remount,bind,ro {there}"
    for home in (unpacked, link, mounted):
        run = [home / "bin" / "run_in_env"]
        ask = [*run, "python3", "-W", "error", "-c", QUESTION]
        answer = json.loads(out_of(hidden(packed, ask, mount)))
        assert answer["versions"] == VERSIONS
        own = (f"{home}/", f"{home.resolve()}/")
        assert all(one.startswith(own) for one in answer["files"] + answer["prefix"]), answer
        layers = [re.sub(r".*?/(python|lower)/.*", r"\1", one) for one in answer["files"]]
        assert layers == ["lower", "lower", "python", "python", "python"]
        for name, source in (("clicker", "store"), ("webby", "index")):
            assert out_of(hidden(packed, [*run, name], mount)).startswith(f"{source} {tmp_path}/")
    for name, source in (("python/bin/webby", "index"), ("lower/bin/clicker", "store")):
        # A script finds its python by itself, whatever is on PATH, and from wherever it is named.
        assert out_of(hidden(packed, [unpacked / name]), PATH=SYSTEM).startswith(f"{source} ")
        relative = [
            "sh",
            "-c",
            f"cd {shlex.quote(str(tmp_path))} && exec '{unpacked.name}/{name}'",
        ]
        assert out_of(hidden(packed, relative), PATH=SYSTEM).startswith(f"{source} ")


@pytest.mark.usefixtures("masking")
def test_what_was_compiled_stays_valid(packed: Packed, unpacked: Path) -> None:
    """Neither is it written anew, nor read in vain."""
    before = {path: path.stat().st_mtime_ns for path in unpacked.rglob("*.pyc")}
    run = [unpacked / "bin/run_in_env", "python3", "-v", "-c", "import facets, plain, json"]
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(hidden(packed, run), env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "code object from" in done.stderr  # What python says of what it has to compile...
    stale = re.findall(r"# code object from '(.*(?:facets|json).*)'", done.stderr)
    assert [one for one in stale if not one.endswith(".pyc")] == []  # ... and of what it reads.
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before


def test_no_path_of_the_origin_is_opened(packed: Packed, unpacked: Path, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    trace = tmp_path / "trace"
    for command in (("python3", "-c", QUESTION), ("webby",), ("clicker",)):
        run = ["strace", "-f", "-qq", "-e", "trace=%file", "-o", trace]
        out_of([*run, unpacked / "bin" / "run_in_env", *command])
        lines = trace.read_text().splitlines()
        assert len(lines) > 20
        # Where it runs, and what it was told by PATH, is not the pack's doing.
        opened = [one for one in lines if "ENOENT" not in one and "execve" not in one]
        used = [one for one in opened for path in packed.origins if f'"{path}/' in one]
        assert used == []


def test_no_variable_leads_to_other_libraries(unpacked: Path, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here")
    evil, source = tmp_path / "evil", tmp_path / "evil.c"
    evil.mkdir()
    source.write_text(EVIL)
    names = [path.name for path in (unpacked / "lib").glob("*.so*")]
    names += [path.name for path in (unpacked / "python/lib").glob("libpython*.so*")]
    assert names
    library = evil / names[0]
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    for name in names[1:]:
        os.link(library, evil / name)
    run = [unpacked / "bin" / "run_in_env", "python3", "-c", QUESTION]
    assert json.loads(out_of(run, LD_LIBRARY_PATH=str(evil)))["versions"] == VERSIONS


@pytest.mark.usefixtures("masking")
def test_a_machine_with_nothing(unpacked: Path, tmp_path: Path) -> None:
    """A root with the C library, sh and a few programs of coreutils."""
    root = tmp_path / "root"
    for program in BARE:
        path = shutil.which(program)
        assert path is not None
        _copy(Path(path), root)
    if not (root / "bin" / "sh").exists():  # Where /bin is a link.
        _copy(Path("/bin/sh"), root)
    for library in ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "libutil.so.1",
                    "librt.so.1", "libresolv.so.2"):  # fmt: skip
        for directory in ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64"):
            if Path(directory, library).exists():
                _copy(Path(directory, library), root)
    for name in ("tmp", "dev", "pack", "proc"):
        (root / name).mkdir()
    unpacked.rename(root / "pack" / "it")
    # The loader knows from /proc where a program is.
    script = f"mount -t proc proc '{root}/proc' && exec chroot '{root}' /pack/it/bin/run_in_env"
    run = ["unshare", "--mount", "sh", "-c", f'{script} "$@"', "sh"]
    answer = json.loads(out_of([*run, "python3", "-c", QUESTION], PATH=SYSTEM))
    assert answer["versions"] == VERSIONS
    assert all(one.startswith("/pack/it/") for one in answer["files"])
    assert out_of([*run, "webby"], PATH=SYSTEM).startswith("index /pack/it/")


def _copy(path: Path, root: Path) -> None:
    """Copy a program, or a library, with the libraries of its own, to where they are."""
    target = Path(f"{root}{path}")
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)
    said = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    for one in re.findall(r"(/\S+) \(0x", said):
        _copy(Path(one), root)


def test_the_same_bytes(packed: Packed, tmp_path: Path) -> None:
    """Whoever packs, whenever, in whichever order the file system tells of files."""
    again = tmp_path / "again.tar.gz"
    before = os.umask(0o077)
    try:
        packed.pack("-o", again, "--slim")
    finally:
        os.umask(before)
    assert again.read_bytes() == packed.file.read_bytes()


@pytest.mark.usefixtures("on_one_spack")
def test_formats(packed: Packed, tmp_path: Path) -> None:
    """The same content has the same id in each."""
    ids: Dict[str, str] = {}
    for ending in (".tar.gz", ".tar.zst", ".sqfs"):
        program = {".tar.zst": "zstd", ".sqfs": "mksquashfs"}.get(ending)
        if program is not None and shutil.which(program) is None:
            continue
        file = tmp_path / f"work{ending}"
        ids[ending] = json.loads(packed.pack("-o", file, "--slim", "--json"))["id"]
    assert len(set(ids.values())) == 1, ids
    if ".sqfs" in ids:
        command = ["unsquashfs", "-cat", tmp_path / "work.sqfs", "pyvarium/id"]
        assert out_of(command).strip() == ids[".sqfs"]


@pytest.mark.usefixtures("on_one_spack")
def test_reference(packed: Packed, tmp_path: Path) -> None:
    """The store stays where it is, and only the upper layer travels."""
    file, home = tmp_path / "upper.tar.gz", tmp_path / "upper"
    packed.pack("-o", file, "--lower", "reference")
    assert file.stat().st_size < packed.file.stat().st_size / 5
    home.mkdir()
    subprocess.run(["tar", "-xf", file, "-C", home], check=True)
    run = [home / "bin/run_in_env"]
    answer = json.loads(out_of([*run, "python3", "-c", QUESTION]))
    assert answer["versions"] == VERSIONS
    assert answer["files"][0].startswith(str(packed.environment))
    assert answer["files"][3].startswith(f"{home}/")
    assert out_of([*run, "webby"]).startswith("index ")
    done = subprocess.run(hidden(packed, [*run, "webby"]), capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is not on this machine" in done.stderr


@pytest.mark.usefixtures("on_one_spack")
def test_what_is_refused(packed: Packed, tmp_path: Path) -> None:
    """Each with what to do, and nothing is left behind."""
    file = tmp_path / "work.tar.gz"
    assert "no format ends so" in packed.pack("-o", tmp_path / "work.zip", code=1)
    said = packed.pack("-o", file, "--dry-run")
    assert "python/" in said and list(tmp_path.iterdir()) == []
    file.write_text("mine")
    packed.pack("-o", file, "--dry-run")
    assert file.read_text() == "mine"
    site = next(packed.environment.glob(".venv/lib/python3*/site-packages"))
    mine, editable = site / "mine.pth", tmp_path / "mine"
    write(editable / "mine.py", "SOURCE = 'mine'\n")
    write(mine, f"{editable}\n")
    try:
        assert "--editable" in packed.pack("-o", tmp_path / "e.tar.gz", code=1)
        packed.pack("-o", tmp_path / "e.tar.gz", "--editable", "--slim")
    finally:
        mine.unlink()
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "e.tar.gz", "-C", home], check=True)
    shutil.rmtree(editable)
    program = "import mine; print(mine.SOURCE)"
    assert out_of([home / "bin/run_in_env", "python3", "-c", program]) == "mine\n"
    copy = site / "facets-99.dist-info"
    write(copy / "METADATA", "Metadata-Version: 2.1\nName: facets\nVersion: 99\n")
    try:
        assert "facets" in packed.pack("-o", tmp_path / "f.tar.gz", code=1)
    finally:
        shutil.rmtree(copy)
    assert not (tmp_path / "f.tar.gz").exists()


@pytest.mark.usefixtures("on_one_spack")
def test_an_interrupt_leaves_nothing(packed: Packed, tmp_path: Path) -> None:
    file = tmp_path / "work.tar.gz"
    words = ("-D", packed.environment, "pyvarium", "pack", "-o", file)
    process = packed.spack.start(*words, preexec_fn=_heed)
    while process.poll() is None and not list(tmp_path.iterdir()):
        pass
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.code != 0
    assert list(tmp_path.iterdir()) == []


def _heed() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
