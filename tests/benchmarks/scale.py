#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""How sync, check and verify grow with what Spack provides, beside other tools: scale.py [SIZE...]

A view of so many distributions, with metadata, entry points and requirements, and a lockfile of
nodes as long as Spack's; then, each a process of its own and in turns: our commands where nothing
has changed, and pip's and uv's on the same ``.venv``. With --spack also ``spack find`` and ``spack
pyvarium sync --check`` on the same environment, its specs being in a database of Spack's. Last,
``check`` of lockfiles of --nodes, on a machine without the view. Medians of processor time and
wall-clock time, their spread (the quartiles), and peak memory; the growth is the exponent between
the two largest sizes, of processor time less that of the smallest.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import layer
from measuring import PYTHON, Cost, Row, in_turns, show, write

TOP = Path(__file__).resolve().parents[2]
RECORDED = TOP / "tests" / "recorded" / "environment" / "spack.lock"
SIZES = [10, 100, 500, 2000, 5000]
NODES = [100, 1000, 10000]
BESIDE = {
    "sync": "pip list",
    "check": "pip list",
    "verify": "pip check",
    "spack sync --check": "spack find",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, metavar="SIZE")
    parser.add_argument("--nodes", nargs="*", type=int, default=NODES)
    parser.add_argument("--uv", type=Path, help="the program uv")
    parser.add_argument("--spack", type=Path, help="the command of a Spack, without us")
    parser.add_argument("--only", default="", metavar="REGEX", help="only commands of such a name")
    parser.add_argument("--runs", type=int, default=9, help="of each kind (default: 9)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    arguments = parser.parse_args()
    rows: List[Row] = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="scale.") as directory:
            runs = arguments.runs if size < 2000 else max(5, arguments.runs // 2)
            rows += measured(Path(directory), size, runs, arguments)
    for count in arguments.nodes:
        with tempfile.TemporaryDirectory(prefix="scale.") as directory:
            path = locked_only(Path(directory), count)
            found = in_turns({"check by digest": [*PYVARIUM, "check", path]}, arguments.runs)
            rows += show("nodes", count, found, {})
    for name, exponent in growth(rows).items():
        print(f"growth of {name}: n^{exponent:.2f}")
    write(arguments.json, rows)


PYVARIUM: List[Any] = [PYTHON, "-m", "pyvarium"]


def measured(root: Path, size: int, runs: int, arguments: argparse.Namespace) -> List[Row]:
    uv, spack = arguments.uv, arguments.spack
    path = layer.provide(root / "site", size).path
    lengthen(path / "spack.lock")
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
        own = with_database(root, path)
        command = ["env", *own, spack, "-D", path]
        extension = f"config:extensions:[{TOP / 'spack-pyvarium'}]"
        commands["spack find"] = [*command, "find"]
        commands["spack sync --check"] = [*command[:-2], "-c", extension, *command[-2:]]
        commands["spack sync --check"] += ["pyvarium", "sync", "--check"]
    for _ in range(2):  # The second finds nothing to do.
        in_turns({"sync": commands["sync"]}, 0)
    chosen = {name: one for name, one in commands.items() if re.search(arguments.only, name)}
    beside = {name: one for name, one in BESIDE.items() if name in chosen and one in chosen}
    return show("distributions", size, in_turns(chosen, runs), beside)


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


def with_database(root: Path, path: Path) -> List[str]:
    """Tell a Spack that all nodes are installed; returns the variables by which it knows."""
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


def growth(rows: List[Row]) -> Dict[str, float]:
    """The exponent between the two largest sizes, above what the smallest costs."""
    found: Dict[str, List[Cost]] = {}
    for row in rows:
        found.setdefault(f"{row.what} ({row.unit})", []).append(row.cost)
    sizes: Dict[str, List[int]] = {}
    for row in rows:
        sizes.setdefault(f"{row.what} ({row.unit})", []).append(row.size)
    exponents = {}
    for name, costs in found.items():
        if len(costs) >= 3:
            first, before, last = costs[0].processor, costs[-2].processor, costs[-1].processor
            if before > first and last > first:
                steps = math.log(sizes[name][-1] / sizes[name][-2])
                exponents[name] = math.log((last - first) / (before - first)) / steps
    return exponents


if __name__ == "__main__":
    sys.path.insert(0, str(TOP / "spack-pyvarium"))
    os.environ["PYTHONPATH"] = str(TOP / "spack-pyvarium")
    main()
