# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Which specs of an environment become pins, and where they are looked for."""

from __future__ import annotations

import json

import pytest
from spacks import PYPROJECT, NewEnvironment, Spack, distributions


def test_kinds_of_specs(spack: Spack, new_environment: NewEnvironment) -> None:
    """A build dependency is neither pinned nor skipped: nobody would miss it."""
    environment = new_environment("py-external", "py-silent", "tiny-tool")
    spack("-D", environment.path, "install")
    answer = json.loads(spack("-D", environment.path, "pyvarium", "sync", "--json").out)
    assert environment.pins == environment.importable == {"tiny": "1.0", "tiny-tool": "3.1.0"}
    assert answer["skipped"] == [
        {
            "subject": "py-external@1.0",
            "reason": "is external (/usr), which views leave out",
            "fault": False,
        },
        {
            "subject": "py-silent@1.0",
            "reason": "leaves no *.dist-info or *.egg-info",
            "fault": False,
        },
    ]


def test_without_view(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("tiny-tool", view="false")
    done = spack("-D", environment.path, "install")
    assert done.said == [environment.says("tiny==1.0 added, tiny-tool==3.1.0 added")]
    assert environment.pins == {"tiny": "1.0", "tiny-tool": "3.1.0"}


def test_view_elsewhere(spack: Spack, new_environment: NewEnvironment) -> None:
    view = spack.root / "view"
    environment = new_environment("tiny-tool", view=str(view))
    done = spack("-D", environment.path, "install")
    assert done.said == [environment.says("tiny==1.0 added, tiny-tool==3.1.0 added")]
    assert environment.pins == distributions(view) == {"tiny": "1.0", "tiny-tool": "3.1.0"}


@pytest.mark.usefixtures("on_newest_spack")
def test_two_versions(spack: Spack, new_environment: NewEnvironment) -> None:
    """Said once by the command that brings it about, and by the command that asks for it."""
    environment = new_environment("py-tiny@1.0", "py-tiny@2.0", unify="false", view="false")
    installed = spack("-D", environment.path, "install")
    later = spack("-D", environment.path, "find")
    asked = spack("-D", environment.path, "pyvarium", "sync", code=1)
    lockfile = json.loads((environment.path / "spack.lock").read_text())
    roots = sorted(lockfile["roots"], key=lambda root: root["hash"])
    one, other = (f"{root['spec']}/{root['hash'][:7]}" for root in roots)
    message = (
        f"tiny: provided twice, by {one} and {other};"
        " set 'concretizer:unify:true' or remove one of them"
    )
    assert (installed.said, later.said) == ([f"==> Warning: pyvarium: {message}"], [])
    assert (asked.err, environment.text) == (f"==> Error: {message}\n", PYPROJECT)


def test_two_versions_in_a_view(spack: Spack, new_environment: NewEnvironment) -> None:
    """There is no such view, and we need not say what Spack says."""
    environment = new_environment("py-tiny@1.0", "py-tiny@2.0", unify="false")
    done = spack("-D", environment.path, "install", code=1)
    assert (done.said, environment.text) == ([], PYPROJECT)
