# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Run a program of somebody else's in the foreground: what it says goes to stderr as it comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    source: Any,
    directory: Optional[Path] = None,
) -> int:
    """Run a program and return its exit code; ``source`` is what it reads. Raises OSError.

    An interrupt from the terminal reaches the program too, and it may have much to put in order:
    it is waited for, and then the KeyboardInterrupt goes on.
    """
    process = subprocess.Popen(
        command, env=environ, stdin=source, stdout=sys.stderr.fileno(), cwd=directory
    )
    interrupt: Optional[KeyboardInterrupt] = None
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt
    return code
