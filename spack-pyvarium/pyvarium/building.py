# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Build a layer as it was planned: make the venv, write and remove shims, each in one step.

Whatever is killed or fails halfway is found by the next plan, and made up for.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Dict, FrozenSet, Iterator, Optional, Sequence, Tuple

from . import files, shims, stamps
from .errors import FileError, PyvariumError
from .files import FileChange
from .layer import (
    NEW,
    OLD,
    Layer,
    LayerPlan,
    installed_files,
    is_shim,
    recorded_scripts,
    script_names,
)
from .model import Backend, Skipped
from .shims import Shim
from .stamps import Stamp, stamp

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
Written = Dict[str, Stamp]


def build(plan: LayerPlan, run: Optional[Runner] = None, *, since: int = 0) -> Tuple[Skipped, ...]:
    """Bring a layer in step; returns what went wrong without harm. Raises PyvariumError.

    ``since`` is when it was begun to plan this, by the file system.
    """
    written: Written = {}
    skipped = tuple(_build(plan, run or _run, written)) if plan else ()
    if plan.watched:
        stamps.leave(plan.layer.stamps, plan.watched, written, since)
    return skipped


def _build(plan: LayerPlan, run: Runner, written: Written) -> Iterator[Skipped]:
    layer = plan.layer
    try:
        with ThreadPoolExecutor(1) as pool:  # A python that starts, and the disk meanwhile.
            making = pool.submit(_make_venv, layer, run) if plan.make_venv else None
            layer.wheels.mkdir(parents=True, exist_ok=True)
            for change in filter(None, plan.archives):
                _write_archive(change, written)
            if making:
                making.result()
        for path in plan.stale:
            _remove(path, layer, plan.scripts)
        for shim in plan.missing:
            _install(shim, layer, written)
    except OSError as error:
        # Of two it is the target; none, as where a disk is full, is said by its directory.
        place = error.filename2 or error.filename or layer.environment.venv
        raise FileError(
            f"{place}: cannot be written ({error.strerror}); mend this and sync again"
        ) from None
    if layer.backend is Backend.PIP and not plan.foreign:
        yield from _bring_pip(layer, run)
    for file in plan.files:
        if file.write():
            written[str(file.path)] = stamp(file.path.stat())


def _make_venv(layer: Layer, run: Runner) -> None:
    """Make the venv, with nothing in it: uv leaves pip alone only in one made without it.

    What is in it until it is complete tells that it is ours, and not whole.
    """
    venv = layer.environment.venv
    target = os.path.realpath(venv) if venv.is_symlink() else str(venv)  # It takes no link.
    command = [str(layer.inventory.interpreter), "-E", "-s", "-m", "venv", "--without-pip"]
    command += [f"--prompt={layer.environment.name}", target]
    _clear(target)
    try:
        done = run(command)
        reason = _last_line(done) if done.returncode else None
    except OSError as error:
        reason = error.strerror
    if reason:
        raise PyvariumError(
            f"{venv}: cannot be made by {' '.join(command[:5])}"
            f" ({reason}); mend this python or choose another one"
        )
    with contextlib.suppress(FileExistsError):  # Since 3.13 python itself writes it.
        _write_new(f"{venv}/.gitignore", b"*\n", 0o666)
    os.unlink(f"{target}/{NEW}")


def _clear(venv: str) -> None:
    """Leave nothing in a directory, which is made, but what tells that a venv is begun there."""
    os.makedirs(venv, exist_ok=True)
    with open(f"{venv}/{NEW}", "wb"):
        pass
    for name in os.listdir(venv):
        path = f"{venv}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif name != NEW:
            os.unlink(path)


def _bring_pip(layer: Layer, run: Runner) -> Iterator[Skipped]:
    """Put the pip into the venv that python itself brings, where there is none."""
    names = {one.name for one in layer.inventory.provided}
    if "pip" in names or (layer.site_packages / "pip").is_dir():
        return
    done = run([str(layer.python), "-m", "ensurepip", "--default-pip"])
    if done.returncode:
        reason = (
            f"has no pip, nor does its python bring one ({_last_line(done)});"
            f" use 'pip --python {layer.environment.venv}', or add py-pip to the environment"
        )
        yield Skipped(str(layer.environment.venv), reason)


def _install(shim: Shim, layer: Layer, written: Written) -> None:
    """Install a shim in one step for whoever looks: its metadata appears complete."""
    target = f"{layer.site_packages}/{shim.dist_info}"
    temporary = f"{target}{NEW}"
    if os.path.lexists(temporary):
        _remove(Path(temporary), layer)
    os.mkdir(temporary)
    for name, data in installed_files(shim, layer).items():
        directory, _, base = name.rpartition("/")
        if directory == shim.dist_info:
            written[f"{target}/{base}"] = _write_new(f"{temporary}/{base}", data, 0o666)
        else:
            script = f"{layer.environment.venv}/bin/{base}"
            written[script] = _replace(script, f"{script}{NEW}", data, 0o777)
    if os.path.lexists(target):
        _remove(Path(target), layer, frozenset(script_names(shim)))
    written[target] = stamp(os.stat(temporary))
    os.rename(temporary, target)
    # What the wheel brings, where an installer has put it: the layer has one path file for all.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{layer.site_packages}/{shim.path_file}")


def _write_archive(change: FileChange, written: Written) -> None:
    """Write a wheel in one step, but without waiting for the disk: it can be made again."""
    path = str(change.path)
    temporary = f"{change.path.parent}/~{change.path.name}"
    written[path] = _replace(path, temporary, change.after or b"", 0o666)


def _replace(path: str, temporary: str, data: bytes, mode: int) -> Stamp:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    found = _write_new(temporary, data, mode)
    os.rename(temporary, path)
    return found


def _write_new(path: str, data: bytes, mode: int) -> Stamp:
    """Write a file that is not there yet; by the thousand, so with as little around as can be."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        while data:  # A disk that is getting full takes the beginning, and refuses the rest.
            data = data[os.write(descriptor, data) :]
        return stamp(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _remove(path: Path, layer: Layer, kept: FrozenSet[str] = frozenset()) -> None:
    """Remove a wheel, or an installed shim with those of its scripts that are still its own.

    The scripts that are ``kept`` another shim has too.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    if path.name.endswith((NEW, OLD)):  # Its scripts are gone already, or not its own yet.
        shutil.rmtree(path)
        return
    if is_shim(path):
        stem = path.name[: -len(".dist-info")]
        (layer.site_packages / f"_spack_{stem}.pth").unlink(missing_ok=True)
        for script in _own_scripts(path, layer):
            if script.name not in kept:
                script.unlink()
    old = path.with_name(path.name + OLD)  # Half of a shim would look like a user's installation.
    if old.exists():
        shutil.rmtree(old)
    path.rename(old)
    shutil.rmtree(old)


def _own_scripts(dist_info: Path, layer: Layer) -> Iterator[Path]:
    """The scripts that a shim has brought, whoever installed it, and nobody has replaced."""
    record = files.read_optional(dist_info / "RECORD") or b""
    entry_points = files.read_optional(dist_info / "entry_points.txt") or b""
    targets = shims.parse_console_scripts(entry_points)
    for name in {*targets, *recorded_scripts(record)}:
        script = layer.environment.venv / "bin" / name
        if not (script.is_file() and shims.is_script_name(name)):
            continue
        data = script.read_bytes()
        module = targets[name].partition(":")[0] if name in targets else None
        if (module and f"from {module} import".encode() in data) or shims.is_recorded(
            f"../../../bin/{name}", data, record
        ):
            yield script


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a python apart from whatever the caller's variables would make it import."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        command, env=own, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
