# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from pathlib import Path
from typing import Optional

import pytest

from pyvarium.errors import FileError, PyvariumError
from pyvarium.locks import Lock, parse_lock, path_of, read_lock
from pyvarium.model import Backend, Environment, Pin

SHIM = "a_b-1.0+x-0_abcdefg_0123abcd-py3-none-any.whl"
UV = f"""
version = 1
[[package]]
name = "analysis"
source = {{ virtual = "." }}
[[package]]
name = "a-b"
version = "1.0+x"
source = {{ registry = ".spack-env/pyvarium/wheels" }}
wheels = [{{ path = "{SHIM}" }}]
[[package]]
name = "a-b"
version = "2.0"
"""
POETRY = f"""
[[package]]
name = "A.B"
version = "1.0+x"
files = [{{ file = "{SHIM}", hash = "sha256:0" }}]
[package.source]
type = "file"
url = ".spack-env/pyvarium/wheels/{SHIM}"
[metadata]
lock-version = "2.1"
"""
PDM = f"""
[metadata]
groups = ["default"]
[[package]]
name = "a-b"
version = "1.0+x"
files = [{{ url = "file:///x%20y/wheels/{SHIM.replace("+", "%2B")}", hash = "sha256:0" }}]
"""


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        (UV, {"analysis": frozenset(), "a-b": frozenset(("1.0+x", "2.0"))}),
        (POETRY, {"a-b": frozenset(["1.0+x"])}),
        (PDM, {"a-b": frozenset(["1.0+x"])}),
    ],
    ids=["uv", "poetry", "pdm"],
)
def test_the_lock_of_each_backend(text: str, versions: object) -> None:
    lock = parse_lock(text, "x.lock")
    assert (lock.versions, lock.shims) == (versions, frozenset([SHIM]))
    assert lock.groups == (frozenset(["default"]) if "groups = " in text else None)
    assert (lock.holds(Pin("a-b", "1.0+x")), lock.holds(Pin("a-b", "1.0"))) == (True, False)
    assert lock.holds(Pin("c", "1")) is False
    assert (lock.stale_shims([SHIM]), lock.stale_shims([])) == ((), ("a-b",))


def test_an_empty_lock() -> None:
    assert parse_lock("", "x.lock") == Lock({}, frozenset())


@pytest.mark.parametrize(
    "text",
    [
        "[[package]]\nversion = '1'\n",
        "[[package]]\nname = 1\n",
        "[[package]]\nname = 'a'\nversion = 'x'\n",
        "[[package]]\nname = 'a'\nversion = 1\n",
        "[package]\nname = 'a'\n",
        "package = 1\n",
        "package = ['a']\n",
    ],
)
def test_what_is_no_lock(text: str) -> None:
    with pytest.raises(PyvariumError, match=r"^x.lock: is no lock \([^\n]*\); lock again$"):
        parse_lock(text, "x.lock")


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (Backend.UV, "uv.lock"),
        (Backend.POETRY, "poetry.lock"),
        (Backend.PDM, "pdm.lock"),
        (Backend.PIP, None),
        (None, None),
    ],
)
def test_where_a_backend_locks(
    tmp_path: Path, backend: Optional[Backend], name: Optional[str]
) -> None:
    environment = Environment(tmp_path, "x", ())
    assert path_of(environment, backend) == (tmp_path / name if name else None)
    assert read_lock(environment, backend) is None
    if name:
        (tmp_path / name).mkdir()
        with pytest.raises(FileError):
            read_lock(environment, backend)
