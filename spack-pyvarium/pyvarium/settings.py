# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Where automatic sync acts: one policy out of four places. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional

from .errors import PyvariumError

#: The environment variable; it holds a policy.
VARIABLE = "SPACK_PYVARIUM"


class Policy(str, enum.Enum):
    """In which environments automatic sync acts."""

    OFF = "off"
    EXISTING = "existing"  # Those that have a pyproject.toml.
    ALL = "all"  # Every one; the file is created.
    OPTED_IN = "opted-in"  # Those whose pyproject.toml has a [tool.pyvarium].


@dataclass(frozen=True)
class Setting:
    """A policy and where it comes from, for the user to find it."""

    policy: Policy
    origin: str


def parse_policy(value: object, origin: str) -> Setting:
    """Parse a policy; YAML may have read ``off`` as a boolean. Raises PyvariumError."""
    if value is False:
        return Setting(Policy.OFF, origin)
    try:
        return Setting(Policy(value), origin)
    except ValueError:
        known = ", ".join(policy.value for policy in Policy)
        raise PyvariumError(f"{origin}: {value!r} is not a policy; use one of {known}") from None


def resolve(
    *,
    forced: Optional[Setting],
    variable: Optional[str],
    auto_sync: bool,
    configured: Optional[Setting],
) -> Setting:
    """Choose the strongest setting: forced by an admin, variable, project, Spack configuration."""
    if forced is not None:
        return forced
    if variable:
        return parse_policy(variable, VARIABLE)
    if not auto_sync:
        return Setting(Policy.OFF, "tool.pyvarium.auto-sync")
    return configured or Setting(Policy.EXISTING, "default")


def acts(policy: Policy, *, exists: bool, opted_in: bool) -> bool:
    """Whether a policy covers an environment whose ``pyproject.toml`` exists, or has opted in."""
    return {
        Policy.OFF: False,
        Policy.EXISTING: exists,
        Policy.ALL: True,
        Policy.OPTED_IN: opted_in,
    }[policy]
