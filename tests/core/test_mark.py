# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from pathlib import Path

from pyvarium import mark
from pyvarium.model import Environment


def test_a_mark_goes_without_a_trace(tmp_path: Path) -> None:
    environment = Environment(tmp_path, "any", None)
    (tmp_path / ".spack-env").mkdir()
    environment.pyproject.touch()
    mark.leave(environment.state, "why")
    seen = (mark.is_due(environment.state, "find"), mark.reason(environment.state))
    mark.remove(environment.state)
    assert seen == (True, "why")
    assert (mark.is_due(environment.state, "find"), mark.reason(environment.state)) == (False, "")
    assert not environment.state.exists()


def test_an_environment_without_the_file_is_not_written_to(tmp_path: Path) -> None:
    environment = Environment(tmp_path, "any", None)
    mark.leave(environment.state)
    assert list(tmp_path.iterdir()) == []
    assert mark.is_due(environment.state, "install")


def test_where_nothing_may_be_written(tmp_path: Path) -> None:
    environment = Environment(tmp_path, "any", None)
    environment.pyproject.touch()
    (tmp_path / ".spack-env").touch()  # In the way of the directory.
    mark.leave(environment.state)
    assert not mark.is_due(environment.state, "find")
