# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Exact pins from provided distributions: planned, compared, rendered. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Container, Iterable, List, Tuple

from .model import Mode, Pin, PinDiff, Provided, Skipped

#: No extra, marker, URL or second clause; Version then refuses ``==1.*`` and ``===any``.
_PIN = re.compile(r"\s*(?P<name>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)\s*==(?P<version>[^;,]+)")

#: An installer must stay free to replace itself: a pin on it would break ``pip install -U pip``.
UNPINNED = frozenset({"pip"})
#: pip hands constraints on to isolated builds, which then cannot install their own build tools.
UNCONSTRAINED = frozenset({"pip", "setuptools", "wheel"})


def plan(
    provided: Iterable[Provided], mode: Mode = Mode.BOUND, absent: Container[str] = ()
) -> Tuple[Tuple[Pin, ...], Tuple[Skipped, ...]]:
    """One exact pin for each provided distribution but the installer, sorted by name.

    In portable mode none that no index can fulfil: local versions (PEP 440) are not on one, and
    what is ``absent`` from it the user has said. These are returned with the reason.
    """
    pins: List[Pin] = []
    skipped: List[Skipped] = []
    for one in sorted(provided, key=lambda one: one.name):
        if one.name in UNPINNED:
            continue
        if mode is Mode.PORTABLE and "+" in one.version:
            reason = f"{one.version} is a local version, which is on no index; not pinned"
            skipped.append(Skipped(one.name, reason))
        elif mode is Mode.PORTABLE and one.name in absent:
            skipped.append(Skipped(one.name, "is not on the index, as you said; not pinned"))
        else:
            pins.append(Pin(one.name, one.version))
    return tuple(pins), tuple(skipped)


def parse_pin(requirement: str) -> Pin:
    """Parse ``name==version``; raises ValueError for any other requirement."""
    from packaging.utils import canonicalize_name  # A check that finds nothing needs none.
    from packaging.version import Version

    match = _PIN.fullmatch(requirement)
    if match is None:
        raise ValueError(f"{requirement!r} is not an exact pin")
    return Pin(canonicalize_name(match["name"]), str(Version(match["version"])))


def compare(old: Iterable[Pin], new: Iterable[Pin]) -> PinDiff:
    """Tell how ``new`` differs from ``old``; falsy where it does not."""
    before = {pin.name: pin for pin in old}
    after = {pin.name: pin for pin in new}
    return PinDiff(
        added=tuple(after[name] for name in sorted(after.keys() - before.keys())),
        changed=tuple(
            (before[name], after[name])
            for name in sorted(before.keys() & after.keys())
            if before[name] != after[name]
        ),
        removed=tuple(before[name] for name in sorted(before.keys() - after.keys())),
    )


def digest(lines: Iterable[object]) -> str:
    """Identify a set of pins, or of DAG hashes, whatever their order.

    The digest of a lockfile follows its specs, not its bytes: another release of Spack writes the
    same specs in another form.
    """
    text = "\n".join(sorted(str(line) for line in lines))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def render_constraints(pins: Iterable[Pin]) -> str:
    """Render a constraints file for whoever runs pip or uv by hand."""
    lines = ["# What Spack provides here. Written by spack-pyvarium; changes are lost."]
    lines += [str(pin) for pin in sorted(pins) if pin.name not in UNCONSTRAINED]
    return "\n".join(lines) + "\n"
