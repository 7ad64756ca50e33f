# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import json
import lzma
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.errors import LockfileError
from pyvarium.lockfile import Lockfile, Node, parse_lockfile

STACK = Path(__file__).resolve().parent.parent / "data" / "stack.spack.lock.xz"


def dependency(version: int, dag_hash: str, types: List[str]) -> Dict[str, Any]:
    """As the readers of ``spack.spec`` expect it: specfile format 3 belongs to lockfile 4."""
    if version < 5:
        return {"name": "any", "hash": dag_hash, "type": types}
    return {
        "name": "any",
        "hash": dag_hash,
        "parameters": {"deptypes": types, "virtuals": []},
    }


def lockfile(version: int) -> Dict[str, Any]:
    return {
        "_meta": {"file-type": "spack-lockfile", "lockfile-version": version},
        "roots": [{"hash": "a", "spec": "py-a"}],
        "concrete_specs": {
            "a": {
                "name": "py-a",
                "version": "1",
                "dependencies": [
                    dependency(version, "b", ["build", "run"]),
                    dependency(version, "c", ["build"]),
                ],
            },
            "b": {"name": "py-b", "version": "2", "external": {"path": "/usr", "module": None}},
            "c": {"name": "py-c", "versions": ["3"]},
        },
    }


@pytest.mark.parametrize("version", range(4, 9))
def test_every_known_version(version: int) -> None:
    assert parse_lockfile(json.dumps(lockfile(version))) == Lockfile(
        roots=frozenset("a"),
        nodes={
            "a": Node("py-a", "1", None, ("b",)),
            "b": Node("py-b", "2", "/usr", ()),
            "c": Node("py-c", "3", None, ()),
        },
    )


def test_runtime_leaves_build_dependencies_out() -> None:
    assert parse_lockfile(json.dumps(lockfile(6))).runtime() == {"a", "b"}


def test_included_environments_count() -> None:
    inner = lockfile(6)
    data = {
        "_meta": inner.pop("_meta"),
        "roots": [],
        "concrete_specs": {},
        "include_concrete": {"/inner": inner},
    }
    found = parse_lockfile(json.dumps(data))
    assert (found.runtime(), found.included) == ({"a", "b"}, {"/inner": frozenset("a")})


def _refusal(text: str) -> str:
    try:
        parse_lockfile(text)
    except LockfileError as error:
        return str(error)
    return ""


def _has_version(text: str) -> bool:
    try:
        return "lockfile-version" in json.loads(text)["_meta"]
    except (ValueError, LookupError, TypeError):
        return False


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("other", ["", "}", "]", '"', ",", ":", "1", "{}", "\n", "\f"])
def test_what_is_no_json_is_refused(indent: Optional[int], other: str) -> None:
    """Wherever it is not, as Python's own parser has it for the whole."""
    text = json.dumps(lockfile(6), indent=indent)
    for number in range(len(text) + 1):
        changed = text[:number] + other + text[number + 1 :]
        refused = "is not a Spack lockfile" in _refusal(changed)
        assert refused != _has_version(changed), changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.lock: is not a Spack lockfile; run 'spack concretize --force' to write it anew"),
        ("[]", "x.lock: is not a Spack lockfile; run 'spack concretize --force' to write it anew"),
        (
            json.dumps({**lockfile(6), "_meta": {"lockfile-version": 9}}),
            "x.lock: lockfile version 9 is not among the known 4 to 8; update spack-pyvarium",
        ),
        (
            json.dumps({**lockfile(6), "_meta": {"lockfile-version": 3}}),
            "x.lock: lockfile version 3 is not among the known 4 to 8; run 'spack concretize'",
        ),
        (
            json.dumps({**lockfile(6), "roots": [{"hash": "z"}]}),
            "x.lock: names 'z', which it does not hold;"
            " run 'spack concretize --force' to write it anew",
        ),
        (
            json.dumps({**lockfile(6), "roots": 3}),
            "x.lock: is malformed (TypeError: 'int' object is not iterable);"
            " run 'spack concretize --force' to write it anew",
        ),
    ],
    ids=["empty", "list", "newer", "older", "dangling", "malformed"],
)
def test_bad_lockfile(text: str, message: str) -> None:
    with pytest.raises(LockfileError) as caught:
        parse_lockfile(text, "x.lock")
    assert str(caught.value) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "_meta lockfile-version roots concrete_specs hash spec name version external path"
                " dependencies parameters deptypes type include_concrete a".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.integers(4, 8))
def test_any_json_is_a_lockfile_or_an_error(data: Any, version: int) -> None:
    if isinstance(data, dict):
        data["_meta"] = {"lockfile-version": version}
    try:
        parse_lockfile(json.dumps(data))
    except LockfileError as error:
        assert "\n" not in str(error)


def test_a_real_stack() -> None:
    """Some 400 roots, concretized together by Spack 1.1, as Spack wrote it."""
    with lzma.open(STACK, "rt", encoding="utf-8") as file:
        lockfile = parse_lockfile(file.read())
    runtime = lockfile.runtime()
    assert (len(lockfile.roots), len(lockfile.nodes), len(runtime)) == (401, 611, 547)
    only_build = {node.name for key, node in lockfile.nodes.items() if key not in runtime}
    assert only_build > {"cmake", "gmake", "py-pip", "py-setuptools", "rust"}
