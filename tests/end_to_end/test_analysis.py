# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""From a script to an environment in which it runs, by the commands that the README names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Callable, List

from installers import NEWEST, Installer
from spacks import Environment, Spack, write


def test_from_a_script_to_its_environment(
    spack: Spack, installer_of: Callable[[str], Installer], tmp_path: Path
) -> None:
    uv = installer_of(next(one for one in NEWEST if one.startswith("uv==")))
    spack.configure("pyvarium", f"pyvarium:\n  tools:\n    uv: {uv.python.parent / 'uv'}\n")
    spack = spack.with_environ(**uv.environ)
    script = tmp_path / "fit.py"
    write(
        script,
        "import json\nimport tensors\nimport webby\n"
        "try:\n    import nonsuch\nexcept ImportError:\n    nonsuch = None\n"
        "print(json.dumps([tensors.SOURCE, webby.SOURCE, nonsuch]))\n",
    )

    # Before there is an environment the projects are guessed, and what is optional is left out.
    guessed = spack("pyvarium", "analyze", "--format", "requirements", script)
    assert guessed.out == "tensors\nwebby\n"

    environment = Environment(tmp_path / "fit")
    done = spack(
        "pyvarium", "new", environment.path, "--backend", "uv", "--from", script, "--json"
    )
    chosen = {one["request"]: one["source"] for one in json.loads(done.out)["choices"]}
    assert chosen == {"tensors": "spack", "webby": "pypi"}
    assert run(environment, script) == ["store", "index", None]

    # In it, each import is known by what is installed, and what another script needs is added.
    other = tmp_path / "other.py"
    write(other, "import json\nimport localized\nprint(json.dumps([localized.SOURCE]))\n")
    found = json.loads(
        spack("-D", environment.path, "pyvarium", "analyze", "--json", script, other).out
    )
    origins = {one["import"]: one["origin"] for one in found["imports"]}
    assert origins == {
        "json": "stdlib",
        "localized": "index",
        "nonsuch": "index",
        "tensors": "spack",
        "webby": "venv",
    }
    wanted = spack(
        "-D", environment.path, "pyvarium", "analyze", "--format", "requirements", other
    )
    spack("-D", environment.path, "pyvarium", "add", *wanted.out.split())
    assert run(environment, other) == ["store"]
    assert run(environment, script) == ["store", "index", None]

    # For Poncho all is asked of pip, and what Spack provides is told besides.
    poncho = json.loads(
        spack("-D", environment.path, "pyvarium", "analyze", "--format", "poncho", script).out
    )
    [python, asked] = poncho["conda"]["dependencies"]
    assert python.startswith("python=3.")
    assert [one.partition("==")[0] for one in asked["pip"]] == ["tensors", "webby"]
    assert [one.partition("@")[0] for one in poncho["spack"]] == ["py-tensors"]


def run(environment: Environment, script: Path) -> List[Any]:
    python = environment.path / ".venv" / "bin" / "python"
    done = subprocess.run([python, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
