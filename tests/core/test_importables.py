# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import pytest

from pyvarium.importables import Record, owner


@pytest.mark.parametrize(
    ("records", "module", "expected"),
    [
        (("a/x.dist-info m.py", "a/y.dist-info m/__init__.py"), "m", ("m", "a/y.dist-info")),
        (("a/x.dist-info m.py", "b/y.dist-info m/__init__.py"), "m", ("m", "a/x.dist-info")),
        (("a/x.dist-info n/a.py", "a/y.dist-info n/b.py"), "n.b.c", ("n.b", "a/y.dist-info")),
        (("a/x.dist-info n/a.py", "a/y.dist-info n/b.py"), "n.c", None),
        (("a/x.dist-info m.py",), "n", None),
    ],
    ids=["package", "first-directory", "namespace", "nobody", "absent"],
)
def test_owner(records: Tuple[str, ...], module: str, expected: Optional[Tuple[str, str]]) -> None:
    split = [one.partition(" ") for one in records]
    given = [Record(Path(path), f"\n{file}\n".encode()) for path, _, file in split]
    found = owner(module, given)
    assert (found and (found[0], str(found[1].path))) == expected
