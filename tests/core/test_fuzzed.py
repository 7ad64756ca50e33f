# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The targets of ``tests/fuzz`` on the inputs that they start from, changed at random a little."""

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "fuzz"))

import targets

#: What has once raised something else than a PyvariumError, or broken an assertion of its target.
CRASHES = [
    (
        "spack_lock",
        b'{"_meta": {"lockfile-version": 4}, "roots": [], "concrete_specs": {"a": {"name": "x",'
        b' "versions": []}}}',
    ),
    ("shim", b"Name: a\nVersion: 1\n\n%%\n[gui_scripts]\np = a: 2.1\nq = a:class\n"),
    ("shim", b"Name: a\nVersion: 1\n\n%%\n[console_scripts]\nactivated = a:b\n"),
]


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds(name: str) -> None:
    """None of them fails, and not all are refused."""
    taken = [targets.run(name, seed) for seed in targets.SEEDS[name]]
    assert True in taken


@pytest.mark.parametrize("name", targets.TARGETS)
@settings(max_examples=settings.default.max_examples // 5)
@given(data=st.data())
def test_target(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from([b"", *targets.SEEDS[name]]))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(seed)))
        end = start + data.draw(st.integers(0, 8))
        seed = seed[:start] + data.draw(st.binary(max_size=8)) + seed[end:]
    targets.run(name, seed)


@pytest.mark.parametrize(("name", "data"), CRASHES)
def test_crash(name: str, data: bytes) -> None:
    targets.run(name, data)
