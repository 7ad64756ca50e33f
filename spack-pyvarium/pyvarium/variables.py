# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What an environment changes in the variables of a process, besides its layers. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Mapping, Tuple

#: With these the lower layer, or none of this, would come before the upper one.
HIDING = ("PYTHONPATH", "PYTHONHOME")


class Action(str, enum.Enum):
    """What happens to a variable."""

    SET = "set"
    UNSET = "unset"
    PREPEND = "prepend"
    APPEND = "append"
    REMOVE = "remove"


@dataclass(frozen=True)
class Change:
    """What happens to one variable; ``separator`` stands between the entries of a list."""

    name: str
    action: Action
    value: str = ""
    separator: str = ":"


def layered(changes: Iterable[Change], venv: Path) -> Tuple[Change, ...]:
    """What starts a process in both layers: the changes of the lower one, then the upper one's."""
    return (
        *changes,
        Change("VIRTUAL_ENV", Action.SET, str(venv)),
        Change("PATH", Action.PREPEND, str(venv / "bin")),
        *(Change(name, Action.UNSET) for name in HIDING),
    )


def apply(changes: Iterable[Change], environ: Mapping[str, str]) -> Dict[str, str]:
    """The variables after the changes, in their order. An entry of a list stands in it once."""
    after = dict(environ)
    for change in changes:
        if change.action is Action.UNSET:
            after.pop(change.name, None)
        elif change.action is Action.SET:
            after[change.name] = change.value
        else:
            entries = after.get(change.name, "").split(change.separator)
            kept = [entry for entry in entries if entry and entry != change.value]
            if change.action is Action.PREPEND:
                kept.insert(0, change.value)
            elif change.action is Action.APPEND:
                kept.append(change.value)
            if kept:
                after[change.name] = change.separator.join(kept)
            else:
                after.pop(change.name, None)
    return after
