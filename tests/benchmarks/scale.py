#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""How sync, check and verify grow with what Spack provides, beside other tools: scale.py [SIZE...]

A view of so many distributions, with metadata, entry points and requirements, and a lockfile of
nodes as long as Spack's; then, each a process of its own and in turns: our commands where nothing
has changed, pip's and uv's on the same ``.venv``, and the sync of Pyvarium 0.2.0 in a ``.venv`` of
its kind with as many distributions, with a Pipenv that does nothing. With --spack also ``spack
find`` and ``spack pyvarium sync --check`` on the same environment, its specs being in a database
of Spack's. Last, ``check`` of lockfiles of --nodes, on a machine without the view. The growth is
the exponent between the two largest sizes, of processor time less that of the smallest.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import layer
import measuring
from measuring import PROCESSOR, PYTHON, TOP, Row, in_turns, row, say, write

RECORDED = TOP / "tests" / "recorded" / "environment" / "spack.lock"
SIZES, QUICK_SIZES = [10, 100, 500, 2000, 5000], [10, 100, 500]
NODES = [100, 2000, 10000]
PYVARIUM: List[Any] = [PYTHON, "-m", "pyvarium"]
OLD = "Pyvarium 0.2.0 sync"
BESIDE = {
    "sync": ("pip list", "uv pip list", OLD),
    "check": ("pip list", "uv pip list", OLD),
    "verify": ("pip check", "uv pip check"),
    "spack sync --check": ("spack find",),
}
#: At most so many times as long, and so many ms, MB and powers of the size.
BARS = {("spack sync --check", "spack find"): 1.15}
LIMITS = {("sync", 5000): 1000, ("check", 5000): 1000, ("check by digest", 10000): 300}
MEMORY, GROWTH = 200, 1.1


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("sizes", nargs="*", type=int, metavar="SIZE")
    parser.add_argument("--nodes", nargs="*", type=int)
    parser.add_argument("--uv", type=Path, help="the program uv")
    parser.add_argument("--pyvarium", type=Path, help="the program of Pyvarium 0.2.0")
    parser.add_argument("--spack", type=Path, help="the command of a Spack, without us")
    parser.add_argument("--only", default="", metavar="REGEX", help="only commands of such a name")
    parser.add_argument("--runs", type=int, help="of each kind (default: 9, of large ones less)")
    arguments = parser.parse_args()
    most = arguments.runs or (3 if arguments.quick else 9)
    sizes = arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES)
    nodes = NODES if arguments.nodes is None else arguments.nodes
    rows: List[Row] = []
    with tempfile.TemporaryDirectory(prefix="scale.") as directory:
        measuring.run_as_installed(Path(directory, "bytecode"))
        for size in sizes:
            root = Path(directory, str(size))
            runs = most if size < 2000 else max(3, most // (size // 1000))
            rows += measured(root, size, runs, arguments)
            shutil.rmtree(root)
        for count in nodes:
            path = measuring.apart(locked_only, Path(directory, f"nodes{count}"), count)
            found = in_turns({"check by digest": [*PYVARIUM, "check", path]}, most)
            rows += measuring.rows(count, "nodes", found)
            rows += limited(count, "nodes", found)
        rows += growth(rows)
        programs: Dict[str, List[Any]] = {"pip": [PYTHON, "-m", "pip", "--version"]}
        for name in ("uv", "spack"):
            if getattr(arguments, name):
                programs[name] = [getattr(arguments, name), "--version"]
        write(arguments.json, rows, programs)


def measured(root: Path, size: int, runs: int, arguments: Any) -> List[Row]:
    uv, spack = arguments.uv, arguments.spack
    path = measuring.apart(large, root / "site", size)
    (path / "pyproject.toml").write_text("[tool.pyvarium]\nbackend = 'uv'\n")
    python = path / ".venv" / "bin" / "python"
    commands: Dict[str, List[Any]] = {
        name: [*PYVARIUM, name, path] for name in ("sync", "check", "verify")
    }
    commands["pip list"] = [PYTHON, "-m", "pip", "--python", python, "list"]
    commands["pip check"] = [PYTHON, "-m", "pip", "--python", python, "check"]
    if uv:
        commands["uv pip list"] = [uv, "pip", "list", "--python", python]
        commands["uv pip check"] = [uv, "pip", "check", "--python", python]
    if spack:
        own = measuring.apart(with_database, root, path, spack)
        command = ["env", *own, spack, "-D", path]
        extension = f"config:extensions:[{TOP / 'spack-pyvarium'}]"
        commands["spack find"] = [*command, "find"]
        commands["spack sync --check"] = [*command[:-2], "-c", extension, *command[-2:]]
        commands["spack sync --check"] += ["pyvarium", "sync", "--check"]
    for _ in range(2):  # The second finds nothing to do.
        in_turns({"sync": commands["sync"]}, 0)
    chosen = {name: one for name, one in commands.items() if re.search(arguments.only, name)}
    if arguments.pyvarium and re.search(arguments.only, OLD):
        chosen[OLD] = as_before(root / "before", path, arguments.pyvarium)
    found = in_turns(chosen, runs)
    rows = measuring.rows(size, "distributions", found, BESIDE, BARS)
    return rows + limited(size, "distributions", found)


def limited(size: int, unit: str, found: Dict[str, List[measuring.Run]]) -> List[Row]:
    """What has a bar of its own, beside nothing: processor time and memory."""
    rows = []
    for name, runs in found.items():
        if (name, size) in LIMITS:
            one = row(name, size, unit, runs, bar=LIMITS[name, size])
            rows.append(one)
            memory = Row(name, size, unit, "MB", one.memory or 0, runs=len(runs), bar=MEMORY)
            rows.append(memory)
    return rows


def as_before(root: Path, path: Path, program: Path) -> List[Any]:
    """The sync of Pyvarium 0.2.0, whose venv is the view, and which asks pip what is in that.

    It resolves and installs by Pipenv then, which is left out; and it looks for a clone of Spack.
    """
    subprocess.run([PYTHON, "-m", "venv", root / ".venv"], check=True)
    [site] = (root / ".venv" / "lib").glob("python*/site-packages")
    for one in (path / ".spack-env" / "view").glob("lib/python*/site-packages/*.dist-info"):
        (site / one.name).symlink_to(one)
    (root / "spack" / "lib" / "spack" / "spack" / "hooks").mkdir(parents=True)
    (root / "spack" / "bin").mkdir()
    for name in ("spack", "pipenv", "pipx"):
        (root / "spack" / "bin" / name).write_text("#!/bin/sh\n")
        (root / "spack" / "bin" / name).chmod(0o755)
    environ = ["-u", "PYTHONPATH", f"PATH={root}/spack/bin{os.pathsep}{os.environ['PATH']}"]
    return ["env", *environ, program, "sync", "--path", root]


def large(root: Path, size: int) -> Path:
    """An environment of so many distributions, its lockfile as long as Spack's."""
    path = layer.provide(root, size).path
    lengthen(path / "spack.lock")
    return path


def lengthen(lockfile: Path) -> None:
    """Give each node what a recorded one has besides, so that it takes as long to read."""
    recorded = json.loads(RECORDED.read_text())["concrete_specs"]
    longest = max(recorded.values(), key=lambda one: len(json.dumps(one)))
    data = json.loads(lockfile.read_text())
    hashes = list(data["concrete_specs"])
    for number, node in enumerate(data["concrete_specs"].values()):
        node.update({key: one for key, one in longest.items() if key not in node})
        node["dependencies"] = [
            {
                "name": data["concrete_specs"][one]["name"],
                "hash": one,
                "parameters": {"deptypes": ["build", "run"], "virtuals": []},
            }
            for one in hashes[max(0, number - 9) : number]
        ]
    lockfile.write_text(json.dumps(data))


def locked_only(root: Path, count: int) -> Path:
    """An environment as it is committed: in step, and without its view."""
    nodes = {
        f"{number:032d}": {"name": f"py-p{number}", "version": "1", "hash": f"{number:032d}"}
        for number in range(count)
    }
    data = {
        "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6},
        "roots": [{"hash": one, "spec": "x"} for one in nodes],
        "concrete_specs": nodes,
    }
    root.mkdir()
    lockfile = root / "spack.lock"
    lockfile.write_text(json.dumps(data))
    lengthen(lockfile)
    (root / "spack.yaml").write_text("spack:\n  view: false\n")
    from pyvarium import pins, pyproject
    from pyvarium.model import Pin

    owned = [Pin(f"p{number}", "1") for number in range(count)]
    text = pyproject.with_pins("", pyproject.Owned(), owned, pins.digest(nodes), "")
    (root / "pyproject.toml").write_text(text)
    return root


def with_database(root: Path, path: Path, spack: Path) -> List[str]:
    """Tell a Spack that all nodes are installed; returns the variables by which it knows.

    One that is prepared as for the tests has its recipes beside it, else it clones them.
    """
    nodes = json.loads((path / "spack.lock").read_text())["concrete_specs"]
    store = root / "site" / "store"
    installs = {
        one: {
            "spec": node,
            "path": str(store / f"{node['name']}-{node['version']}-{one}"),
            "installed": True,
            "ref_count": 1,
            "explicit": True,
            "installation_time": 0.0,
            "deprecated_for": None,
        }
        for one, node in nodes.items()
    }
    database = {"database": {"version": "8", "installs": installs}}
    (store / ".spack-db").mkdir()
    (store / ".spack-db" / "index.json").write_text(json.dumps(database))
    scope = root / "scope"
    scope.mkdir()
    tree = {"root": str(store), "projections": {"all": "{name}-{version}-{hash}"}}
    (scope / "config.yaml").write_text(json.dumps({"config": {"install_tree": tree}}))
    repos = spack.absolute().parents[2] / "config" / "repos.yaml"
    if repos.exists():
        shutil.copy(repos, scope)
    roots = [f"{node['name']}@{node['version']}" for node in nodes.values()]
    (path / "spack.yaml").write_text(json.dumps({"spack": {"specs": roots, "view": True}}))
    data = json.loads((path / "spack.lock").read_text())
    for one, spec in zip(data["roots"], roots):
        one["spec"] = spec
    (path / "spack.lock").write_text(json.dumps(data))
    return [
        f"SPACK_PYTHON={PYTHON}",
        f"SPACK_SYSTEM_CONFIG_PATH={root / 'none'}",
        f"SPACK_USER_CACHE_PATH={root / 'cache'}",
        f"SPACK_USER_CONFIG_PATH={scope}",
    ]


def growth(rows: Sequence[Row]) -> List[Row]:
    """The exponents between the two largest sizes, of processor time above the smallest's."""
    series: Dict[Tuple[str, str], Dict[int, float]] = {}
    for one in rows:
        if one.measure == PROCESSOR:
            series.setdefault((one.what, one.unit), {})[one.size] = one.value
    found = []
    for (what, unit), points in series.items():
        if len(points) < 3:
            continue
        (_, first), *_, (before, low), (largest, high) = sorted(points.items())
        if low > first and high > first:
            exponent = math.log((high - first) / (low - first)) / math.log(largest / before)
            bar = GROWTH if what in ("sync", "check", "check by digest") else None
            found.append(Row(what, largest, unit, "power of size", round(exponent, 2), bar=bar))
            say(measuring.line(found[-1]))
    return found


if __name__ == "__main__":
    sys.path.insert(0, str(TOP / "spack-pyvarium"))
    main()
