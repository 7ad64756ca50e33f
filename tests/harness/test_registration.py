# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from pathlib import Path

import pytest
import spack.hooks
import spack.main
from spack.main import SpackCommand

from conftest import EXTENSION, NewEnvironment
from pyvarium import registration


def test_register_twice_is_once(unregistered: None) -> None:
    before = list(spack.hooks._HookRunner.HOOK_ORDER)
    assert not registration.is_registered()
    registration.register()
    registration.register()
    at = before.index("spack.hooks.autopush")
    names = [module.__name__ for module in spack.hooks.post_install.hooks]
    assert names == [*before[:at], registration.HOOK, *before[at:]]
    assert not hasattr(spack.main._invoke_command.__wrapped__, "__wrapped__")


def test_scope_holds_the_extension(unregistered: None) -> None:
    assert registration.scope() == str(EXTENSION / "scope")
    assert registration.is_registered()


@pytest.mark.parametrize("fails", [False, True], ids=["done", "failed"])
def test_sync_after_a_command(
    unregistered: None,
    new_environment: NewEnvironment,
    capfd: pytest.CaptureFixture[str],
    fails: bool,
) -> None:
    registration.register()
    with new_environment(tiny="1.0") as environment:
        pyproject = Path(environment.path) / "pyproject.toml"
        pyproject.write_text("[project]\nname = 'mine'\n")
        words = ["no-such-spec-of-ours"] if fails else ["libelf"]
        SpackCommand("remove")(*words, fail_on_error=False)
        assert "tiny==1.0" in pyproject.read_text()


def test_a_command_that_changes_nothing(
    unregistered: None, new_environment: NewEnvironment
) -> None:
    registration.register()
    with new_environment(tiny="1.0") as environment:
        pyproject = Path(environment.path) / "pyproject.toml"
        pyproject.write_text("[project]\nname = 'mine'\n")
        SpackCommand("arch")()
        assert pyproject.read_text() == "[project]\nname = 'mine'\n"


def test_hook_leaves_a_mark(unregistered: None, new_environment: NewEnvironment) -> None:
    registration.register()
    with new_environment() as environment:
        (Path(environment.path) / "pyproject.toml").touch()
        mark = Path(environment.path) / ".spack-env" / "pyvarium" / "pending"
        before = mark.exists()
        spack.hooks.post_uninstall(environment.concrete_roots()[0])
        assert (before, mark.exists()) == (False, True)


def test_a_failure_is_one_warning(
    unregistered: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Spack's list of hooks is not promised to anybody."""
    monkeypatch.delattr(spack.hooks._HookRunner, "HOOK_ORDER")
    registration.register()
    registration.register()
    assert registration.scope() == str(EXTENSION / "scope")
    assert capfd.readouterr().err == (
        "==> Warning: pyvarium: AttributeError: type object '_HookRunner' has no attribute"
        " 'HOOK_ORDER'; set SPACK_PYVARIUM=off and report it\n"
    )
