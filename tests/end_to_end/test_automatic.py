# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The sync that nobody asked for: after whatever Spack does, the file says what python finds."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Callable, Dict, List, Optional

import pytest
from spacks import (
    PYPROJECT,
    NewEnvironment,
    Spack,
    fill,
    finish,
    heed_interrupts,
    wait_for_reader,
    write,
)

#: A table header that does not end.
MALFORMED = "[project\n"


def test_install_from_source(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-six@1.15.0", "py-ply@3.11")
    first = spack("-D", environment.path, "install")
    text, modified = environment.text, environment.pyproject.stat().st_mtime_ns
    second = spack("-D", environment.path, "install")
    assert first.said == [environment.says("ply==3.11 added, six==1.15.0 added")]
    assert environment.pins == environment.importable == {"ply": "3.11", "six": "1.15.0"}
    assert text.startswith(PYPROJECT)
    assert (second.said, environment.pyproject.stat().st_mtime_ns) == ([], modified)


def test_install_of_what_the_store_has(spack: Spack, new_environment: NewEnvironment) -> None:
    spack("-D", new_environment("tiny-tool", name="other").path, "install")
    environment = new_environment("tiny-tool")
    done = spack("-D", environment.path, "install")
    assert done.said == [environment.says("tiny==1.0 added, tiny-tool==3.1.0 added")]
    assert environment.pins == environment.importable == {"tiny": "1.0", "tiny-tool": "3.1.0"}


@pytest.mark.usefixtures("on_newest_spack")
def test_install_from_build_cache(spack: Spack, new_environment: NewEnvironment) -> None:
    built = new_environment("py-six@1.15.0", name="built")
    mirror = spack.root / "mirror"
    spack.configure(
        "mirrors", f"mirrors:\n  local:\n    url: file://{mirror}\n    signed: false\n"
    )
    spack("-D", built.path, "install")
    spack("-D", built.path, "buildcache", "push", "--unsigned", "local")
    (spack.configuration / "upstreams.yaml").unlink()
    environment = new_environment("py-six@1.15.0")
    fresh = f"config:install_tree:root:{spack.root / 'fresh'}"
    done = spack(
        "-c", fresh, "-D", environment.path, "install", "--cache-only", "--no-check-signature"
    )
    assert done.said == [environment.says("six==1.15.0 added")]
    assert environment.pins == environment.importable == {"six": "1.15.0"}


def test_install_from_upstream(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-idna@3.4", "py-six@1.16.0")
    done = spack("-D", environment.path, "install")
    assert done.said == [environment.says("idna==3.4 added, six==1.16.0 added")]
    assert environment.pins == environment.importable == {"idna": "3.4", "six": "1.16.0"}


def test_fake_install(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0")
    done = spack("-D", environment.path, "install", "--fake")
    answer = json.loads(spack("-D", environment.path, "pyvarium", "sync", "--json").out)
    assert (done.said, environment.text) == ([], PYPROJECT)
    assert answer["skipped"] == [
        {
            "subject": "py-tiny@1.0",
            "reason": "leaves no *.dist-info or *.egg-info",
            "fault": False,
        }
    ]


def test_failing_install(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-failing")
    done = spack("-D", environment.path, "install", code=1)
    assert done.said == [environment.says("tiny==1.0 added")]
    assert environment.pins == environment.importable == {"tiny": "1.0"}


def test_uninstall(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0", "py-six@1.16.0")
    spack("-D", environment.path, "install")
    done = spack("-D", environment.path, "uninstall", "-y", "py-tiny")
    assert done.said == [environment.says("tiny==1.0 removed")]
    assert environment.pins == environment.importable == {"six": "1.16.0"}


def test_remove(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0", "py-six@1.16.0")
    spack("-D", environment.path, "install")
    commands = (["remove", "py-tiny"], ["concretize"], ["install"])
    said = [spack("-D", environment.path, *command).said for command in commands]
    assert said == [[], [environment.says("tiny==1.0 removed")], []]
    assert environment.pins == environment.importable == {"six": "1.16.0"}


@pytest.mark.usefixtures("on_newest_spack")
def test_gc(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0", "py-six@1.16.0")
    spack("-D", environment.path, "install")
    off = spack.with_environ(SPACK_PYVARIUM="off")
    off("-D", environment.path, "remove", "py-tiny")
    off("-D", environment.path, "concretize")
    done = spack("-D", environment.path, "gc", "-y")
    assert done.said == [environment.says("tiny==1.0 removed")]
    assert environment.pins == environment.importable == {"six": "1.16.0"}


def test_view_regenerate(spack: Spack, new_environment: NewEnvironment) -> None:
    """In an environment that is activated in a shell."""
    environment = new_environment("py-tiny@1.0")
    spack.with_environ(SPACK_PYVARIUM="off")("-D", environment.path, "install")
    assert environment.text == PYPROJECT
    activated = spack.with_environ(SPACK_ENV=str(environment.path))
    done = activated("env", "view", "regenerate")
    assert done.said == [environment.says("tiny==1.0 added")]
    assert environment.pins == environment.importable == {"tiny": "1.0"}


@pytest.mark.usefixtures("thoroughly")
def test_develop(spack: Spack, new_environment: NewEnvironment) -> None:
    """Spack leaves a view as it is when a spec is built again: then python finds no metadata."""
    environment = new_environment("py-tiny@1.0")
    source = spack.root / "source"
    project = '[project]\nname = "local"\nversion = "{}"\n[tool.setuptools]\npackages = []\n'
    write(source / "pyproject.toml", project.format("1.0"))
    commands = (
        ["add", "py-local@1.0"],
        ["develop", "--no-clone", "--path", source, "py-local@1.0"],
    )
    for command in (*commands, ["concretize", "--force"]):
        spack("-D", environment.path, *command)
    first = spack("-D", environment.path, "install")
    write(source / "pyproject.toml", project.format("1.1"))
    rebuilt = spack("-D", environment.path, "install")
    rebuilt_pins = environment.pins
    [library] = environment.view.glob("lib/python*/site-packages")
    spack("-D", environment.path, "env", "view", "disable")
    spack("-D", environment.path, "env", "view", "enable")
    assert first.said == [environment.says("local==1.0 added, tiny==1.0 added")]
    assert rebuilt.said == [
        environment.says("local==1.0 removed"),
        f"==> Warning: pyvarium: py-local@1.0: {library}/local-1.0.dist-info/METADATA: cannot be"
        " read (No such file or directory);"
        " run 'spack env view disable' and 'spack env view enable'",
    ]
    assert rebuilt_pins == {"tiny": "1.0"}
    assert environment.pins == environment.importable == {"local": "1.1", "tiny": "1.0"}


def test_two_installs_at_once(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("tiny-tool", "py-six@1.16.0")
    running = [spack.start("-D", environment.path, "install") for _ in range(2)]
    done = [finish(process) for process in running]
    assert [one.code for one in done] == [0, 0]
    assert [line for one in done for line in one.said] == [
        environment.says("six==1.16.0 added, tiny==1.0 added, tiny-tool==3.1.0 added")
    ]
    expected = {"six": "1.16.0", "tiny": "1.0", "tiny-tool": "3.1.0"}
    assert environment.pins == environment.importable == expected


def test_sandboxed_install(spack: Spack, new_environment: NewEnvironment) -> None:
    if spack.release != "develop" or spack.installer == "old":
        pytest.skip(f"Spack {spack.name} has no sandbox")
    environment = new_environment("py-tiny@1.0")
    temporary = spack.root / "tmp"  # A build may write to the directory of temporary files.
    temporary.mkdir()
    spack = spack.with_environ(TMPDIR=str(temporary))
    options = ("-c", "config:sandbox:enable:true", "-c", "config:sandbox:allow_read:[/]")
    done = finish(spack.start(*options, "-D", environment.path, "install"))
    if "Landlock sandboxing is unavailable" in done.err:
        pytest.skip(done.err.strip())
    assert (done.code, done.said) == (0, [environment.says("tiny==1.0 added")])
    assert environment.pins == environment.importable == {"tiny": "1.0"}


@pytest.mark.usefixtures("on_one_spack")
def test_read_only(spack: Spack, new_environment: NewEnvironment) -> None:
    """Said once; the sync stays due, and is made up for by the next command."""
    environment = new_environment("py-tiny@1.0")
    environment.pyproject.chmod(0o444)
    done = spack("-D", environment.path, "install")
    later = spack("-D", environment.path, "find")
    text = environment.text
    environment.pyproject.chmod(0o644)
    mended = spack("-D", environment.path, "find")
    message = "cannot be written (it is read-only); make it writable"
    assert done.said == [environment.says(message, warning=True)]
    assert (later.said, text) == ([], PYPROJECT)
    assert mended.said == [environment.says("tiny==1.0 added")]


def test_malformed(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0", pyproject=MALFORMED)
    done = spack("-D", environment.path, "install")
    said = [re.sub(r"\(.*\)", "(...)", line) for line in done.said]  # Each parser's own words.
    assert said == [environment.says("is not valid TOML (...); mend it", warning=True)]
    assert environment.text == MALFORMED


@pytest.mark.usefixtures("thoroughly", "on_one_spack")
def test_full_disk(
    spack: Spack, new_environment: NewEnvironment, small_disk: Callable[[Path], None]
) -> None:
    disk = spack.root / "disk"
    disk.mkdir()
    small_disk(disk)
    environment = new_environment("py-tiny@1.0", name="disk/work")
    off = spack.with_environ(SPACK_PYVARIUM="off")
    off("-D", environment.path, "install")
    fill(environment.path / "filler")
    commands = (["install"], ["env", "view", "regenerate"])
    outcomes = [finish(off.start("-D", environment.path, *command)) for command in commands]
    done = [finish(spack.start("-D", environment.path, *command)) for command in commands]
    message = "cannot be written (No space left on device); make room on the file system"
    assert [one.code for one in done] == [one.code for one in outcomes]
    assert [one.said for one in done] == [[environment.says(message, warning=True)]] * 2
    assert environment.text == PYPROJECT


CREATES = "does not exist; 'spack pyvarium sync' creates it"
ADDED = "tiny==1.0 added"
OPTED_IN = "[tool.pyvarium]\n"


@pytest.mark.usefixtures("on_one_spack")
@pytest.mark.parametrize(
    ("policy", "pyproject", "messages", "pins"),
    [
        pytest.param("existing", None, [CREATES], None, id="existing-none"),
        pytest.param("existing", PYPROJECT, [ADDED], {"tiny": "1.0"}, id="existing"),
        pytest.param("all", None, ["created with 1 pin"], {"tiny": "1.0"}, id="all"),
        pytest.param("opted-in", PYPROJECT, [], None, id="opted-in-not"),
        pytest.param("opted-in", OPTED_IN, [ADDED], {"tiny": "1.0"}, id="opted-in"),
    ],
)
def test_policy(
    spack: Spack,
    new_environment: NewEnvironment,
    policy: str,
    pyproject: Optional[str],
    messages: List[str],
    pins: Optional[Dict[str, str]],
) -> None:
    environment = new_environment("py-tiny@1.0", pyproject=pyproject)
    spack.configure("pyvarium", f"pyvarium:\n  auto-sync: {policy}\n")
    first = spack("-D", environment.path, "install")
    again = spack("-D", environment.path, "install", "--overwrite", "-y", "py-tiny@1.0")
    assert [first.said, again.said] == [[environment.says(one) for one in messages], []]
    assert (environment.pins, environment.pyproject.exists()) == (pins, bool(pyproject or pins))


SWITCHED_OFF = f"{PYPROJECT}\n[tool.pyvarium]\nauto-sync = false\n"


@pytest.mark.parametrize(
    ("variable", "configured", "pyproject"),
    [
        pytest.param("off", "existing", PYPROJECT, id="variable"),
        pytest.param("", "off", PYPROJECT, id="configuration"),
        pytest.param("", "existing", SWITCHED_OFF, id="project"),
        pytest.param("", "off", MALFORMED, id="malformed"),
        pytest.param("", "opted-in", MALFORMED, id="malformed-and-not-opted-in"),
    ],
)
def test_off(
    spack: Spack, new_environment: NewEnvironment, variable: str, configured: str, pyproject: str
) -> None:
    environment = new_environment("py-tiny@1.0", pyproject=pyproject)
    spack.configure("pyvarium", f"pyvarium:\n  auto-sync: {configured}\n")
    done = spack.with_environ(SPACK_PYVARIUM=variable)("-D", environment.path, "install")
    assert (done.said, environment.text) == ([], pyproject)


def test_off_by_admin(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-tiny@1.0")
    system = spack.root / "system"
    write(system / "pyvarium.yaml", "pyvarium:\n  auto-sync:: off\n")
    spack = spack.with_environ(SPACK_SYSTEM_CONFIG_PATH=str(system), SPACK_PYVARIUM="all")
    done = spack("-D", environment.path, "install")
    assert (done.said, environment.text) == ([], PYPROJECT)


ADMINISTRATION = """\
pyvarium:
  auto-sync:: existing
  auto-sync-paths:: ['{path}']
  log: {root}/$user.jsonl
  quiet:: {quiet}
"""


@pytest.mark.usefixtures("on_newest_spack")
def test_what_an_admin_decides(spack: Spack, new_environment: NewEnvironment) -> None:
    """Where it acts and what it says, in spite of the user; and what is logged of it."""
    environment = new_environment("py-tiny@1.0")
    system = spack.root / "system"
    spack.configure(
        "pyvarium", "pyvarium:\n  auto-sync: off\n  auto-sync-paths: [/]\n  quiet: false\n"
    )
    spack = spack.with_environ(SPACK_SYSTEM_CONFIG_PATH=str(system), SPACK_PYVARIUM="off")
    found = []
    for path, quiet, command in (
        ("/nowhere", "false", "install"),
        (f"{spack.root.parent}/*/work", "true", "concretize"),
        (str(spack.root), "false", "concretize"),
    ):
        environment.pyproject.write_text(PYPROJECT)
        text = ADMINISTRATION.format(path=path, root=spack.root, quiet=quiet)
        write(system / "pyvarium.yaml", text)
        done = spack("-D", environment.path, command)
        found.append((done.said, environment.pins))
    assert found == [
        ([], None),
        ([], {"tiny": "1.0"}),
        ([environment.says(ADDED)], {"tiny": "1.0"}),
    ]
    (log,) = spack.root.glob("*.jsonl")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(one["command"], one["result"], one["added"]) for one in entries] == [
        ("install", "left-alone", {}),
        ("concretize", "changed", {"tiny": "1.0"}),
        ("concretize", "changed", {"tiny": "1.0"}),
    ]
    assert {one["environment"] for one in entries} == {str(environment.path)}
    assert {one["user"] for one in entries} == {log.stem}


def test_interrupted_install(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-waiting")
    process = spack.start("-D", environment.path, "install", preexec_fn=heed_interrupts)
    assert any("py-waiting" in line and "install" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert (done.code, done.said) == (2, [environment.says("tiny==1.0 added")])
    assert environment.pins == environment.importable == {"tiny": "1.0"}


@pytest.mark.usefixtures("thoroughly", "on_newest_spack")
def test_killed_while_installing(spack: Spack, new_environment: NewEnvironment) -> None:
    environment = new_environment("py-six@1.16.0")
    spack("-D", environment.path, "install")
    new_environment("py-six@1.16.0", "py-waiting", pyproject=None)
    process = spack.start("-D", environment.path, "install", start_new_session=True)
    assert any("py-waiting" in line and "install" in line for line in process.stdout)
    os.killpg(process.pid, signal.SIGKILL)
    killed = finish(process)
    spack("-D", environment.path, "find")
    after_kill = (environment.pins, environment.importable)
    new_environment("py-six@1.16.0", "py-tiny@1.0", pyproject=None)
    done = spack("-D", environment.path, "install")
    assert killed.code == -signal.SIGKILL
    assert after_kill == ({"six": "1.16.0"}, {"six": "1.16.0"})
    assert done.said == [environment.says("tiny==1.0 added")]
    assert environment.pins == environment.importable == {"six": "1.16.0", "tiny": "1.0"}


@pytest.mark.parametrize("spec", ["py-tiny@1.0", "py-six@1.16.0"], ids=["built", "in-store"])
def test_killed_before_sync(spack: Spack, new_environment: NewEnvironment, spec: str) -> None:
    """Whoever reads a pipe waits for its writer: here the sync, after the view is written."""
    environment = new_environment(spec, pyproject=None)
    os.mkfifo(environment.pyproject)
    process = spack.start("-D", environment.path, "install", start_new_session=True)
    wait_for_reader(environment.pyproject, process)
    os.killpg(process.pid, signal.SIGKILL)
    killed = finish(process)
    environment.pyproject.unlink()
    write(environment.pyproject, PYPROJECT)
    done = spack("-D", environment.path, "find")
    [(project, version)] = environment.importable.items()
    assert killed.code == -signal.SIGKILL
    assert done.said == [environment.says(f"{project}=={version} added")]
    assert environment.pins == environment.importable
