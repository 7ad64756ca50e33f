# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import copy
from typing import Dict, List, Optional, Tuple

import pytest

from pyvarium.errors import PyvariumError
from pyvarium.model import Backend, Mode
from pyvarium.registration import SCHEMA
from pyvarium.settings import (
    KINDS,
    Kind,
    Policy,
    Setting,
    acts,
    covers,
    parse_policy,
    parse_switch,
    resolve_backend,
    resolve_mode,
    resolve_policy,
)

FORCED = Setting(Policy.OFF, "scope site")
CONFIGURED = Setting(Policy.ALL, "scope user")


@pytest.mark.parametrize(
    ("forced", "variable", "auto_sync", "configured", "expected"),
    [
        (FORCED, "all", True, CONFIGURED, FORCED),
        (None, "opted-in", False, CONFIGURED, Setting(Policy.OPTED_IN, "SPACK_PYVARIUM")),
        (None, None, False, CONFIGURED, Setting(Policy.OFF, "tool.pyvarium.auto-sync")),
        (None, "", True, CONFIGURED, CONFIGURED),
        (None, None, True, None, Setting(Policy.EXISTING, "default")),
    ],
    ids=["forced", "variable", "project", "configured", "default"],
)
def test_the_strongest_setting_wins(
    forced: Optional[Setting[Policy]],
    variable: Optional[str],
    auto_sync: bool,
    configured: Optional[Setting[Policy]],
    expected: Setting[Policy],
) -> None:
    chosen = resolve_policy(
        forced=forced, variable=variable, auto_sync=auto_sync, configured=configured
    )
    assert chosen == expected


@pytest.mark.parametrize(
    ("project", "configured", "mode", "backend"),
    [
        (
            True,
            True,
            (Mode.PORTABLE, "tool.pyvarium.mode"),
            (Backend.PDM, "tool.pyvarium.backend"),
        ),
        (False, True, (Mode.BOUND, "scope user"), (Backend.POETRY, "found")),
        (False, False, (Mode.BOUND, "default"), (Backend.POETRY, "found")),
    ],
    ids=["project", "configured", "default"],
)
def test_where_mode_and_backend_come_from(
    project: bool, configured: bool, mode: Tuple[Mode, str], backend: Tuple[Backend, str]
) -> None:
    own_mode, own_backend = (Mode.PORTABLE, Backend.PDM) if project else (None, None)
    modes, backends = (
        Setting[object](value, "scope user") if configured else None for value in ("bound", "uv")
    )
    assert (
        resolve_mode(own_mode, modes),
        resolve_backend(own_backend, backends, Backend.POETRY),
        resolve_backend(None, backends, None),
    ) == (
        Setting(*mode),
        Setting(*backend),
        Setting(Backend.UV, "scope user") if configured else None,
    )


def test_an_unknown_mode_is_an_error() -> None:
    with pytest.raises(PyvariumError) as caught:
        resolve_mode(None, Setting("fast", "scope user"))
    assert str(caught.value) == "scope user: 'fast' is not a mode; use one of bound, portable"


def test_spacks_schema_has_the_same_keys_and_values() -> None:
    forms: Dict[Kind, Dict[str, object]] = {
        Kind.NAME: {"type": "string"},
        Kind.PATH: {"type": "string"},
        Kind.PATHS: {"type": "array", "items": {"type": "string"}},
        Kind.SWITCH: {"type": "boolean"},
    }
    section = copy.deepcopy(SCHEMA)["properties"]["pyvarium"]["properties"]
    for table in ("git", "modules", "recipe", "tools"):
        keys = section.pop(table)["properties"]
        section.update({f"{table}.{key}": value for key, value in keys.items()})
    expected: Dict[str, object] = {}
    for key, kind in KINDS.items():
        if isinstance(kind, Kind):
            expected[key] = forms[kind]
        else:
            expected[key] = [one.value for one in kind]
            section[key] = section[key]["anyOf"][0]["enum"]
    assert section == expected


@pytest.mark.parametrize(
    ("patterns", "inside", "outside"),
    [
        ([], ["/", "/any/where"], []),
        (["/projects"], ["/projects", "/projects/a/b"], ["/project", "/projects2/a", "/", "/a"]),
        (["/projects/*/env"], ["/projects/a/env", "/projects/b/env/x"], ["/projects/a/b/env"]),
        (["/home/[ab]?/x"], ["/home/a1/x"], ["/home/c1/x", "/home/a/x"]),
        (["/a", "/b/"], ["/a/x", "/b/x"], ["/c"]),
        (["/"], ["/a", "/"], []),
        (["!/scratch"], ["/a"], ["/scratch", "/scratch/a"]),
        (["/a", "!/a/tmp"], ["/a/b"], ["/a/tmp/b", "/b"]),
    ],
    ids=["none", "prefix", "star", "set", "several", "root", "only-not", "but-not"],
)
def test_which_paths_are_covered(
    patterns: List[str], inside: List[str], outside: List[str]
) -> None:
    assert [covers(patterns, path) for path in inside] == [True] * len(inside)
    assert [covers(patterns, path) for path in outside] == [False] * len(outside)


@pytest.mark.parametrize(("value", "expected"), [(True, True), ("false", False), ("True", True)])
def test_a_switch(value: object, expected: bool) -> None:
    assert parse_switch(value, "scope site") == Setting(expected, "scope site")


def test_no_switch() -> None:
    with pytest.raises(PyvariumError, match="scope site: 'on' is no switch; use true or false"):
        parse_switch("on", "scope site")


def test_yaml_may_read_off_as_a_boolean() -> None:
    assert parse_policy(False, "scope user").value is Policy.OFF


def test_an_unknown_policy_is_an_error() -> None:
    with pytest.raises(PyvariumError) as caught:
        parse_policy("on", "SPACK_PYVARIUM")
    assert str(caught.value) == (
        "SPACK_PYVARIUM: 'on' is not a policy; use one of off, existing, all, opted-in"
    )


@pytest.mark.parametrize(
    ("policy", "absent", "present", "opted_in"),
    [
        (Policy.OFF, False, False, False),
        (Policy.EXISTING, False, True, True),
        (Policy.ALL, True, True, True),
        (Policy.OPTED_IN, False, False, True),
    ],
)
def test_where_a_policy_acts(policy: Policy, absent: bool, present: bool, opted_in: bool) -> None:
    assert (
        acts(policy, exists=False, opted_in=False),
        acts(policy, exists=True, opted_in=False),
        acts(policy, exists=True, opted_in=True),
    ) == (absent, present, opted_in)
