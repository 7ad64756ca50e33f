# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from typing import Optional

import pytest

from pyvarium.errors import PyvariumError
from pyvarium.settings import Policy, Setting, acts, parse_policy, resolve

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
    forced: Optional[Setting],
    variable: Optional[str],
    auto_sync: bool,
    configured: Optional[Setting],
    expected: Setting,
) -> None:
    assert (
        resolve(forced=forced, variable=variable, auto_sync=auto_sync, configured=configured)
        == expected
    )


def test_yaml_may_read_off_as_a_boolean() -> None:
    assert parse_policy(False, "scope user").policy is Policy.OFF


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
