# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from pathlib import Path
from typing import Optional, Tuple

import pytest

from pyvarium.environment import read_environment
from pyvarium.errors import FileError


@pytest.mark.parametrize(
    ("manifest", "views"),
    [
        ("spack:\n  specs: []\n", (".spack-env/view",)),
        ("spack:\n  view: true  # yes\n", (".spack-env/view",)),
        ("spack:\n  view: false\n", None),
        ("spack:\n  view: 'other'\n", ("other",)),
        ("spack:\n  view: missing\n", None),
        ("spack:\n  view:\n    default:\n      root: .spack-env/view\n", (".spack-env/view",)),
        ("spack:\n  # view: false\n  specs: []\n", (".spack-env/view",)),
    ],
    ids=["default", "true", "false", "path", "missing", "mapping", "comment"],
)
def test_views(tmp_path: Path, manifest: str, views: Optional[Tuple[str, ...]]) -> None:
    (tmp_path / ".spack-env" / "view").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "spack.yaml").write_text(manifest)
    expected = None if views is None else tuple(tmp_path / view for view in views)
    assert read_environment(tmp_path).views == expected


def test_a_checkout_has_no_view(tmp_path: Path) -> None:
    (tmp_path / "spack.lock").touch()
    assert read_environment(tmp_path).views is None


def test_another_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        read_environment(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: has neither spack.yaml nor spack.lock; name the directory of an environment"
    )
