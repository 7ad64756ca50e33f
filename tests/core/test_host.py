# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

from pyvarium.host import (
    RELEASES,
    HostError,
    Interpreter,
    nearest_release,
    prepare,
    render_configuration,
    render_wrapper,
)

PYTHON = Interpreter("/opt/bin/python3", "3.11.7", "/opt", "+bz2~tkinter", headers=True)

CONFIG = """\
config:
  install_tree:
    root: "/host/store"
  build_stage::
  - "/host/stage"
  test_stage: "/host/test"
  source_cache: "/sources"
  misc_cache: "/host/cache/misc"
  environments_root: "/host/environments"
"""

MODULES = """\
modules:
  default:
    roots:
      tcl: "/host/modules/tcl"
      lmod: "/host/modules/lmod"
"""

PACKAGES = """\
packages:
  all:
    target: [aarch64]
  python:
    buildable: false
    externals:
    - spec: "python@3.11.7+bz2~tkinter"
      prefix: "/opt"
"""

REPOS = """\
repos:
  builtin: "/host/packages/repos/spack_repo/builtin"
"""


def test_configuration_stays_below_the_prefix() -> None:
    inside = {"config.yaml": CONFIG, "modules.yaml": MODULES, "packages.yaml": PACKAGES}
    assert [
        render_configuration(Path("/host"), "/sources", PYTHON, "aarch64", recipes)
        for recipes in (None, "v2025.11.0")
    ] == [inside, {**inside, "repos.yaml": REPOS}]


def test_wrapper_sets_the_variables_and_hands_over_the_arguments(tmp_path: Path) -> None:
    spack = tmp_path / "it's spack"
    spack.write_text('#!/bin/sh\necho "$A" "${SPACK_DISABLE_LOCAL_CONFIG-unset}" "$@"\n')
    spack.chmod(0o755)
    wrapper = render_wrapper(spack, {"A": "x  $y"})
    shell = subprocess.run(
        ["/bin/sh", "-s", "find", "a  b"],
        input=wrapper,
        env={"SPACK_DISABLE_LOCAL_CONFIG": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (wrapper.splitlines()[0], shell.stdout) == ("#!/bin/sh", "x  $y unset find a  b\n")


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("0.22.5", "v0.23.1"),
        ("1.0.1 (5efd8ee)", "v1.0.2"),
        ("1.1.0", "v1.1.0"),
        ("1.10.0", "develop"),
        ("1.3.0.dev0 (5817ab9)", "develop"),
    ],
)
def test_a_borrowed_spack_is_treated_as_the_nearest_release(version: str, release: str) -> None:
    assert nearest_release(version) == release


def test_recipes_are_inside_before_spack_1_only() -> None:
    assert [release for release, recipes in RELEASES.items() if not recipes] == ["v0.23.1"]


def test_a_link_to_a_prepared_host_is_that_host(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    (hosts / "made").mkdir(parents=True)
    (tmp_path / "link").symlink_to(hosts)
    (hosts / "made/host.json").write_text(
        f'{{"origin": "v1.1.0", "python": "/opt/python", "runner": "/opt/python",'
        f' "source_cache": "{hosts / "sources"}"}}'
    )
    linked = tmp_path / "link"
    host = prepare(linked / "made", "v1.1.0", source_cache=linked / "sources")
    assert host.prefix == hosts / "made"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"release": "v9"},
            "Spack v9: is not known here; choose one of v0.23.1, v1.0.2, v1.1.0, develop",
            id="unknown-release",
        ),
        pytest.param(
            {"spack_root": Path("/nowhere")},
            "/nowhere: is not a Spack; give the directory that has bin/spack",
            id="no-spack",
        ),
        pytest.param(
            {"prefix": "a $b"},
            "{prefix}: has a character that Spack cannot handle; choose another path",
            id="substitution-in-the-path",
        ),
        pytest.param(
            {"prefix": "used"},
            "{prefix}: is there already, for something else; choose another path",
            id="used-directory",
        ),
        pytest.param(
            {"prefix": "made"},
            "{prefix}: was prepared with v1.0.2, /opt/python and /sources; "
            "choose another path or remove it",
            id="other-release-there",
        ),
        pytest.param(
            {"python": "/nowhere/python"},
            "/nowhere/python: No such file or directory; install it or name another",
            id="no-python",
        ),
    ],
)
def test_what_cannot_be_prepared(tmp_path: Path, arguments: Dict[str, Any], message: str) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used/file").touch()
    (tmp_path / "made").mkdir()
    (tmp_path / "made/host.json").write_text(
        '{"origin": "v1.0.2", "python": "/opt/python", "source_cache": "/sources"}'
    )
    prefix = tmp_path / arguments.get("prefix", "new")
    with pytest.raises(HostError) as raised:
        prepare(**{**arguments, "prefix": prefix})
    assert (str(raised.value), (tmp_path / "new").exists()) == (
        message.format(prefix=prefix),
        False,
    )


def test_a_prepared_host_is_returned_as_it_is(tmp_path: Path) -> None:
    record = (
        '{"origin": "develop", "python": "/opt/python", "source_cache": "/sources",'
        f' "runner": "{sys.executable}"}}'
    )
    (tmp_path / "host.json").write_text(record)
    host = prepare(tmp_path, "develop")
    assert (host.spack, host.python, host.environ) == (
        tmp_path / "bin/spack",
        Path(sys.executable),
        {
            "SPACK_PYTHON": sys.executable,
            "SPACK_SYSTEM_CONFIG_PATH": f"{tmp_path}/no-system-config",
            "SPACK_USER_CACHE_PATH": f"{tmp_path}/cache",
            "SPACK_USER_CONFIG_PATH": f"{tmp_path}/config",
        },
    )
