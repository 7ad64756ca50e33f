# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Inside a Spack, by ``spack unit-test --extension=pyvarium``, with the fixtures of its own tests.

Configuration, recipes, store and environments are Spack's mock ones; all code is real.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import spack.config
import spack.environment
import spack.hooks
import spack.main
import spack.store

import pyvarium
from pyvarium import registration

pytest_plugins = ["spack.test.conftest"]

EXTENSION = Path(pyvarium.root()) / "spack-pyvarium"
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"

#: Makes an environment of one spec that brings the distributions, by name.
NewEnvironment = Callable[..., "spack.environment.Environment"]


@pytest.fixture(autouse=True)
def no_real_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since 1.1 these lead from Spack's mock configuration to that of whoever runs the tests."""
    monkeypatch.delenv("SPACK_SYSTEM_CONFIG_PATH", raising=False)
    monkeypatch.delenv("SPACK_USER_CONFIG_PATH", raising=False)


@pytest.fixture(autouse=True)
def extension(no_real_scopes: None, mutable_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spack's mock configuration, in which our command and our section are known."""
    monkeypatch.setattr(spack.config, "SECTION_SCHEMAS", dict(spack.config.SECTION_SCHEMAS))
    registration.add_section()
    spack.config.set("config:extensions", [str(EXTENSION)], scope="site")


@pytest.fixture
def unregistered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Spack without our hook and end-of-command sync, even if it was started with them."""
    order = [name for name in spack.hooks._HookRunner.HOOK_ORDER if name != registration.HOOK]
    monkeypatch.setattr(spack.hooks._HookRunner, "HOOK_ORDER", order)
    invoke = spack.main._invoke_command
    monkeypatch.setattr(spack.main, "_invoke_command", getattr(invoke, "__wrapped__", invoke))
    monkeypatch.setattr(registration, "_said", set())
    monkeypatch.setattr(sys, "path", list(sys.path))
    _forget_hooks()
    yield
    _forget_hooks()


def _forget_hooks() -> None:
    for runner in (spack.hooks.post_install, spack.hooks.post_uninstall):
        runner.__dict__.pop("_hooks", None)


@pytest.fixture
def new_environment(
    tmp_path: Path, mutable_mock_env_path: Any, mock_packages: Any, temporary_store: Any
) -> NewEnvironment:
    """Environments whose one spec has distributions in its prefix, and in the view."""

    def make(view: Any = True, **distributions: str) -> spack.environment.Environment:
        environment = spack.environment.create_in_dir(tmp_path / "work", with_view=view)
        with environment:
            environment.add("libelf")
            environment.concretize()
            environment.write(regenerate=False)
            installed = [spec for spec in environment.all_specs() if not spec.external]
            for spec in reversed(installed):
                spack.store.STORE.layout.create_install_directory(spec)
                for name, version in distributions.items() if spec.name == "libelf" else ():
                    install(Path(spec.prefix), name, version)
                spack.store.STORE.db.add(spec, explicit=spec.name == "libelf")
            environment.regenerate_views()
        return environment

    return make


def install(prefix: Path, name: str, version: str) -> None:
    directory = prefix / "lib/python3.11/site-packages" / f"{name}-{version}.dist-info"
    directory.mkdir(parents=True)
    (directory / "METADATA").write_text(METADATA.format(name=name, version=version))
