# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import subprocess
import sys
from pathlib import Path
from typing import Dict
from zipfile import ZipFile

from hypothesis import given
from hypothesis import strategies as st

from pyvarium.shims import render_wheel
from pyvarium.umbrella import directory, files, shim
from toml_texts import loads

WHEELS = {"pip": "pip-25.whl", "a-b": "a_b-1+x.whl", "a": "a-1!2.whl"}
ALWAYS = 'python_version >= "3"'


def test_a_project_of_all_but_the_installer() -> None:
    own = shim(WHEELS)
    rendered = files(WHEELS)
    assert sorted(rendered) == ["backend.py", "pyproject.toml", own.wheel]
    assert rendered[own.wheel] == render_wheel(own)
    assert loads(rendered["pyproject.toml"].decode()) == {
        "build-system": {"requires": [], "build-backend": "backend", "backend-path": ["."]},
        "tool": {
            "poetry": {
                "name": "spack-provided",
                "version": "0",
                "description": "Requires all that Spack provides.",
                "authors": [],
                "dependencies": {
                    "a": {"path": "../../wheels/a-1!2.whl", "markers": ALWAYS},
                    "a-b": {"path": "../../wheels/a_b-1+x.whl", "markers": ALWAYS},
                },
            }
        },
    }


def test_it_is_built_without_a_tool(tmp_path: Path) -> None:
    """As PEP 517 has it: in its directory, by a python that knows nothing of us."""
    project, built = tmp_path / "project", tmp_path / "built"
    built.mkdir()
    project.mkdir()
    for name, data in files(WHEELS).items():
        (project / name).write_bytes(data)
    program = f"import backend; print(backend.build_wheel({str(built)!r}), end='')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    own = shim(WHEELS)
    with ZipFile(built / done.stdout) as wheel:
        assert {
            f"{own.dist_info}/{name}": wheel.read(f"{own.dist_info}/{name}") for name in own.files
        } == {f"{own.dist_info}/{name}": data for name, data in own.files.items()}


WHEELS_OF = st.dictionaries(
    st.sampled_from(["a", "a-b", "c", "pip"]), st.sampled_from(["x-1.whl", "x-2.whl"])
)


@given(WHEELS_OF, WHEELS_OF)
def test_it_is_elsewhere_exactly_where_it_requires_something_else(
    one: Dict[str, str], other: Dict[str, str]
) -> None:
    same = {**one, "pip": ""} == {**other, "pip": ""}
    assert (directory(shim(one)) == directory(shim(other))) == same
    reversed_one = dict(reversed(list(one.items())))
    assert (files(one) == files(other), files(reversed_one)) == (same, files(one))
