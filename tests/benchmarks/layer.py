#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Measure a layer from nothing beside ``uv pip install`` of as many wheels: layer.py --uv UV

In turns. The first takes a view of so many
provided distributions and makes .venv, shims and keys of it in a process of its own, as
``python -m pyvarium sync`` does. The second makes a new venv by uv and installs wheels into it
from a cache that is warm: as small as a shim, and of 20 modules each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List

import measuring
from measuring import TOP, Row, Run, write

sys.path[:0] = [str(TOP / "spack-pyvarium"), str(TOP / "tests" / "core")]

from conftest import Site  # noqa: E402
from pyvarium.model import Environment  # noqa: E402

MODULES = 20
LAYER = "layer from nothing"
SHIMS, CODE = "uv pip install, shims", f"uv pip install, {MODULES} modules each"
BESIDE = {LAYER: (SHIMS, CODE)}


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--uv", type=Path, required=True, help="the program uv")
    parser.add_argument("sizes", nargs="*", type=int, help="default: 10 100 300")
    parser.add_argument("--runs", type=int, help="of each kind (default: 9)")
    arguments = parser.parse_args()
    runs = arguments.runs or (3 if arguments.quick else 9)
    rows: List[Row] = []
    for size in arguments.sizes or ([10, 100] if arguments.quick else [10, 100, 300]):
        with tempfile.TemporaryDirectory(prefix="layer.") as directory:
            found = measure(Path(directory), arguments.uv.absolute(), size, runs)
            rows += measuring.rows(size, "distributions", found, BESIDE)
    write(arguments.json, rows, {"uv": [arguments.uv, "--version"]})


def measure(root: Path, uv: Path, size: int, runs: int) -> Dict[str, List[Run]]:
    environment = provide(root / "site", size)
    make_layer(environment)
    shims = environment.state / "wheels"
    kept = shutil.copytree(shims, root / "shims")
    wheels = with_code(kept, root / "wheels")
    names = root / "names.txt"
    names.write_text("".join(f"p{number}==1.{number}\n" for number in range(size)))
    kinds: Dict[str, Callable[[], None]] = {
        LAYER: lambda: make_layer(environment),
        SHIMS: lambda: install(uv, kept, names, root),
        CODE: lambda: install(uv, wheels, names, root),
    }
    found: Dict[str, List[Run]] = {kind: [] for kind in kinds}
    for number in range(runs + 1):
        for kind, make in kinds.items():
            if kind == LAYER:
                for path in (environment.venv, environment.state, environment.pyproject):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.rmtree(root / "venv", ignore_errors=True)
            run = measuring.timed(make)
            if number:  # The first warms the cache.
                found[kind].append(run)
    return found


def provide(root: Path, size: int) -> Environment:
    """A view of as many distributions, each with a script and requirements among them."""
    site = Site(root, f"{sys.version_info.major}.{sys.version_info.minor}")
    for number in range(size):
        required = "".join(
            f"Requires-Dist: p{one}>=1\n" for one in range(max(0, number - 5), number)
        )
        text = f"Metadata-Version: 2.1\nName: p{number}\nVersion: 1.{number}\n{required}\n"
        dag_hash = site.install(f"py-p{number}", f"1.{number}", text + "text " * 1000)
        folder = site.library / f"p{number}-1.{number}.dist-info"
        file = site.prefixes[dag_hash] / folder / "entry_points.txt"
        file.write_text(f"[console_scripts]\np{number} = p{number}:main\n")
        (site.view / folder / file.name).symlink_to(file)
    (site.view / "bin").mkdir()
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    (site.view / "bin" / "python3").symlink_to(python)
    return site.finish()


def make_layer(environment: Environment) -> None:
    environment.pyproject.write_text("[tool.pyvarium]\nbackend = 'uv'\n")
    pyvarium("sync", environment)


def pyvarium(command: str, environment: Environment) -> None:
    words = [sys.executable, "-m", "pyvarium", command, str(environment.path)]
    environ = {**os.environ, "PYTHONPATH": str(TOP / "spack-pyvarium")}
    subprocess.run(words, env=environ, check=True, stdout=subprocess.DEVNULL)


def install(uv: Path, wheels: Path, names: Path, root: Path) -> None:
    environ = {**os.environ, "UV_CACHE_DIR": str(root / "cache" / wheels.name)}
    python = ["--python", sys.executable]
    subprocess.run([uv, "venv", "--quiet", *python, root / "venv"], env=environ, check=True)
    words = ["--no-index", "--find-links", wheels, "--requirement", names]
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", root / "venv", *words],
        env=environ,
        check=True,
    )


def with_code(shims: Path, target: Path) -> Path:
    """The same wheels with modules in them, written and recorded as a build would."""
    import base64
    import hashlib
    import zipfile

    target.mkdir()
    for shim in shims.iterdir():
        with zipfile.ZipFile(shim) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        name = shim.name.partition("-")[0]
        files = {key: data for key, data in files.items() if not key.endswith(".pth")}
        files.update({f"{name}/m{one}.py": b"x = 1\n" * 200 for one in range(MODULES)})
        record = next(key for key in files if key.endswith("/RECORD"))
        lines = []
        for key, data in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{key},,\n" if key == record else f"{key},sha256={digest},{len(data)}\n")
        files[record] = "".join(lines).encode()
        with zipfile.ZipFile(target / shim.name, "w") as archive:
            for key, data in files.items():
                archive.writestr(key, data)
    return target


if __name__ == "__main__":
    main()
