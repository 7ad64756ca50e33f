# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The sync on a real environment, recorded by ``tests/record_environment.py``."""

import shutil
from pathlib import Path

from pyvarium.commands import status
from pyvarium.environment import read_environment
from pyvarium.sync import plan, sync

RECORDED = Path(__file__).resolve().parent.parent / "recorded"


def test_a_recorded_environment(tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / "copy", symlinks=True)
    environment = read_environment(tmp_path / "copy" / "environment")
    changes = sync(environment)
    assert [str(pin) for pin in changes.pins] == [
        "idna==3.10",
        "markupsafe==3.0.2",
        "packaging==25.0",
        "six==1.17.0",
    ]
    assert not plan(environment)
    assert status(environment, as_json=False).text == (
        "DISTRIBUTION  VERSION  LAYER  SPEC                 HASH     WHY\n"
        "idna          3.10     spack  py-idna@3.10         qxvffyg  direct\n"
        "markupsafe    3.0.2    spack  py-markupsafe@3.0.2  i4hm7yu  direct\n"
        "packaging     25.0     spack  py-packaging@25.0    xlozrim  direct\n"
        "six           1.17.0   spack  py-six@1.17.0        amnzlpd  direct\n"
    )
