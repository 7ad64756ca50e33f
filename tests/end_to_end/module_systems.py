# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Lmod and Environment Modules: found on the machine, and what they do in a shell.

Debian's packages of the two exclude each other. Where only Lmod is installed, the other is
unpacked beside the installers, without root.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

LMOD = Path("/usr/share/lmod/lmod")
#: Where distributions install the program of Environment Modules.
MODULECMD = (
    *("usr/lib/x86_64-linux-gnu/modulecmd.tcl", "usr/lib/modulecmd.tcl"),
    *("usr/lib/aarch64-linux-gnu/modulecmd.tcl", "usr/share/Modules/libexec/modulecmd.tcl"),
)
#: What the module systems keep for themselves, also when nothing is loaded.
_OWN = ("LOADEDMODULES=", "_LMFILES_=", "__MODULES_", "_ModuleTable", "__LMOD_REF_COUNT_")
_VARIABLE = ("_=", "SHLVL=", "BASH_FUNC_")


class NoModulesError(Exception):
    """A module system is not here and cannot be had."""


@dataclass(frozen=True)
class Shelled:
    """What a script in a shell has printed, and the variables where it wrote ``dump NAME``."""

    code: int
    out: str
    err: str
    dumps: Mapping[str, bytes]

    def variables(self, name: str) -> List[bytes]:
        """The variables of a dump, to the byte, but for those of the module system itself."""
        entries = self.dumps[name].split(b"\0")
        own = tuple(one.encode() for one in (*_OWN, *_VARIABLE))
        return sorted(one for one in entries if one and not one.startswith(own))


@dataclass(frozen=True)
class ModuleSystem:
    """A module system, by the line that begins it in a shell."""

    name: str
    begin: Mapping[str, str]
    #: The language of the module files that are in use.
    language: str = ""
    #: What the shell is run by.
    prefix: Sequence[str] = ()

    def __call__(
        self,
        script: str,
        *,
        home: Path,
        shell: str = "bash",
        environ: Optional[Mapping[str, str]] = None,
    ) -> Shelled:
        """Run a script in a shell of somebody who has set nothing."""
        own = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb"}
        home.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as directory:
            dump = f"env -0 > {shlex.quote(directory)}/"
            lines = [
                line.replace("dump ", dump) if line.startswith("dump ") else line
                for line in map(str.strip, script.splitlines())
            ]
            text = "\n".join([self.begin[shell], *lines])
            words = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "tcsh": ["-f"]}[shell]
            done = subprocess.run(
                [*self.prefix, shell, *words, "-c", text],
                env={**own, **(environ or {})},
                cwd=home,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=300,
            )
            dumps = {one.name: one.read_bytes() for one in Path(directory).iterdir()}
        return Shelled(done.returncode, done.stdout, done.stderr, dumps)


def lmod() -> ModuleSystem:
    """The installed Lmod; raises NoModulesError."""
    if not (LMOD / "init" / "bash").exists():
        raise NoModulesError("no Lmod here; install it, as by 'apt-get install lmod'")
    scripts = {"bash": "bash", "zsh": "zsh", "tcsh": "csh"}
    begin = {shell: f"source {LMOD}/init/{script}" for shell, script in scripts.items()}
    return ModuleSystem("lmod", begin)


def environment_modules(tools: Path) -> ModuleSystem:
    """Environment Modules, installed or unpacked into ``tools``; raises NoModulesError."""
    if not shutil.which("tclsh"):
        raise NoModulesError("no tclsh here; install it, as by 'apt-get install tcl'")
    unpacked = tools / "environment-modules"
    places = [root / path for root in (Path("/"), unpacked) for path in MODULECMD]
    program = next((one for one in places if one.exists()), None)
    if program is None:
        _unpack(unpacked)
        program = next((one for one in places if one.exists()), None)
    if program is None:
        raise NoModulesError(f"no Environment Modules in {unpacked}; remove it")
    start = f"tclsh {shlex.quote(str(program))}"
    begin: Dict[str, str] = {
        shell: f'eval "$({start} {shell} autoinit)"' for shell in ("bash", "zsh")
    }
    begin["tcsh"] = f"eval `{start} tcsh autoinit`"
    return ModuleSystem("environment-modules", begin)


def _unpack(target: Path) -> None:
    """Unpack Debian's package, as whole as somebody else may be looking for it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        try:
            for command in (
                ["apt-get", "download", "environment-modules"],
                ["sh", "-c", "dpkg -x environment-modules_*.deb root"],
            ):
                subprocess.run(command, cwd=directory, check=True, capture_output=True)
            Path(directory, "root").rename(target)
        except (OSError, subprocess.CalledProcessError) as error:
            if not target.exists():
                raise NoModulesError(
                    "no Environment Modules here; install them, as by"
                    f" 'apt-get install environment-modules' ({error})"
                ) from None
