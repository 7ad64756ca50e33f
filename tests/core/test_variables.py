# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What becomes of the variables of a process."""

from __future__ import annotations

from typing import Dict

import pytest

from pyvarium.variables import Action, Change, apply

LIST = {"LIST": "/a:/b"}


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (Change("LIST", Action.PREPEND, "/c"), LIST, {"LIST": "/c:/a:/b"}),
        (Change("LIST", Action.PREPEND, "/b"), LIST, {"LIST": "/b:/a"}),
        (Change("LIST", Action.APPEND, "/c"), LIST, {"LIST": "/a:/b:/c"}),
        (Change("LIST", Action.REMOVE, "/a"), LIST, {"LIST": "/b"}),
        (Change("LIST", Action.REMOVE, "/a"), {"LIST": "/a"}, {}),
        (Change("LIST", Action.REMOVE, "/a"), {}, {}),
        (Change("LIST", Action.PREPEND, "/c"), {}, {"LIST": "/c"}),
        (Change("FLAGS", Action.APPEND, "-b", " "), {"FLAGS": "-a"}, {"FLAGS": "-a -b"}),
        (Change("WORD", Action.SET, "new"), {"WORD": "old"}, {"WORD": "new"}),
        (Change("WORD", Action.UNSET), {"WORD": "old"}, {}),
        (Change("WORD", Action.UNSET), LIST, LIST),
    ],
)
def test_apply(change: Change, before: Dict[str, str], after: Dict[str, str]) -> None:
    assert apply([change], before) == after


def test_apply_in_order() -> None:
    changes = [Change("PATH", Action.PREPEND, "/view"), Change("PATH", Action.PREPEND, "/venv")]
    assert apply(changes, {"PATH": "/usr/bin"}) == {"PATH": "/venv:/view:/usr/bin"}
