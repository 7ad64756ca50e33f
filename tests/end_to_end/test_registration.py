# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The ways into a Spack and out again, and what goes wrong on them.

Every Spack here starts without knowing of us. Its code is the clone of the prepared host; no test
may leave a trace in it, nor in a system's Python.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest
from spacks import TOP, Done, Spack, environ_for, finish, write

from pyvarium import __version__
from pyvarium.errors import PyvariumError
from pyvarium.host import Host, borrow, prepare

RELEASES = ("v1.1.0", "develop")
SYSTEM_PYTHON = "/usr/bin/python3"
PYENV = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))

#: A user's own includes, whose every byte is to stay.
INCLUDES = """\
# Of our group.
include:

  # The shared one.
  - path: "{directory}/shared"   # was moved in 2024
    optional: true
  - '{directory}/own'
# The end.
"""

#: What Spack itself knows of us; nothing of ours is asked.
PROBE = """
import json, spack.cmd, spack.extensions, spack.hooks, spack.main, spack.repo
hooks = [module.__name__ for module in spack.hooks.post_install.hooks]
print(json.dumps({
    "commands": [name for name in spack.cmd.all_commands() if "pyvarium" in name],
    "hooks": [name for name in hooks if "pyvarium" in name],
    "namespaces": sorted(repository.namespace for repository in spack.repo.PATH.repos),
    "templates": spack.extensions.get_template_dirs(),
    "wrapped": hasattr(spack.main._invoke_command, "__wrapped__"),
}))
"""
#: The order of the repos, and which of them each recipe is taken from.
ORIGINS = """
import json, sys, spack.repo
path = spack.repo.PATH
origins = {name: path.repo_for_pkg(name).namespace for name in sys.argv[1:]}
print(json.dumps([[one.namespace for one in path.repos], origins]))
"""
NOTHING = {
    "commands": [],
    "hooks": [],
    "namespaces": ["builtin"],
    "templates": [],
    "wrapped": False,
}

SITE_CONFIG = """\
config:
  extensions:
  - {extension}
"""
SITE_INCLUDE = """\
include:
- path: {scope}
  optional: true
"""
EMPTY_LOCKFILE = json.dumps(
    {
        "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5},
        "roots": [],
        "concrete_specs": {},
    }
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "host" in metafunc.fixturenames:
        names = metafunc.config.getoption("spack", None) or RELEASES
        releases = dict.fromkeys(name.partition(":")[0] for name in names)
        metafunc.parametrize("host", releases, indirect=True, scope="session")


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Host:
    hosts = Path(os.path.abspath(request.config.getoption("hosts", TOP / ".cache" / "hosts")))
    release: str = request.param
    try:
        return prepare(hosts / release, release, source_cache=hosts / "sources")
    except PyvariumError as error:
        pytest.skip(f"no Spack {release} here: {error}")


@pytest.fixture
def spack(host: Host, tmp_path: Path) -> Iterator[Spack]:
    """A Spack that knows nothing of us, with configuration of its own, also the system's."""
    environ = environ_for(host, tmp_path)
    environ["SPACK_SYSTEM_CONFIG_PATH"] = str(tmp_path / "system")
    shutil.copytree(host.prefix / "config", tmp_path / "config")
    yield Spack(host.prefix.name, host, tmp_path, tmp_path / "store", environ)
    clone = host.prefix / "spack"
    status = ["git", "-C", str(clone), "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, text=True).stdout == ""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this project, in an inconvenient place."""
    path = tmp_path / "a \"clone\" of 'ours'"
    for name in ("spack-pyvarium", "hooks", "templates", "packages"):
        ignored = shutil.ignore_patterns("__pycache__", "libraries")
        shutil.copytree(TOP / name, path / name, symlinks=True, ignore=ignored)
    shutil.copy(TOP / "repo.yaml", path)
    return path


@pytest.fixture
def user(spack: Spack) -> Spack:
    """A Spack whose user has includes of their own."""
    spack.configure("include", INCLUDES.format(directory=spack.root))
    write(spack.root / "own" / "config.yaml", "config:\n  ccache: true\n")
    return spack


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries, as carried to a machine without an index; fails where there is none."""
    directory = tmp_path_factory.mktemp("wheels")
    run(sys.executable, "-m", "pip", "download", "--dest", directory, "packaging", "tomlkit")
    return directory


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", directory, TOP)
    return next(directory.glob("*.whl"))


def run(*command: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def fresh(spack: Spack, clone: Path, *arguments: object, code: int = 0) -> Done:
    """Run our command as one does who has the clone and nothing else."""
    extension = json.dumps(str(clone / "spack-pyvarium"))
    return spack("-c", f"config:extensions:[{extension}]", "pyvarium", *arguments, code=code)


def seen(spack: Spack) -> Dict[str, Any]:
    write(spack.root / "probe.py", PROBE)
    answer = spack("python", spack.root / "probe.py")
    assert answer.err == ""
    return dict(json.loads(answer.out))


def all_of(root: Path) -> Dict[str, Any]:
    """What Spack sees where all below a root is registered."""
    return {
        "commands": ["pyvarium"],
        "hooks": ["pyvarium_hooks.post_install"],
        "namespaces": ["builtin", "pyvarium"],
        "templates": [str(root / "spack-pyvarium" / "templates")],
        "wrapped": True,
    }


def status(spack: Spack, root: Path) -> Dict[str, Any]:
    """Our own answer, without what depends on the machine; it exits with 3 for a problem."""
    done = finish(spack.start("pyvarium", "setup", "--status", "--json"))
    answer: Dict[str, Any] = json.loads(done.out)
    assert (answer.pop("root"), answer.pop("python")) == (str(root), spack.environ["SPACK_PYTHON"])
    assert (answer.pop("ok"), done.code) == ((False, 3) if answer["problems"] else (True, 0))
    assert (answer.pop("version"), answer.pop("spack") != "") == (__version__, True)
    assert list(answer.pop("registrations")) == answer["scopes"]
    answer["libraries"] = all(answer["libraries"].values())
    return answer


def state(distribution: Optional[str] = None, **changes: Any) -> Dict[str, Any]:
    """The status of a Spack with everything registered, but for these changes."""
    return {
        "auto-sync-paths": None,
        "command": True,
        "distribution": distribution,
        "hook": True,
        "libraries": True,
        "log": None,
        "policy": "existing",
        "policy-forced": False,
        "policy-origin": "default",
        "problems": [],
        "quiet": False,
        "repository": True,
        "scopes": [],
        "templates": True,
        **changes,
    }


def with_a_site(spack: Spack) -> Spack:
    """The same Spack by links to its code, so that the scope ``site`` is the test's own."""
    prefix = spack.root / "borrowed"
    borrow(spack.host.prefix / "spack", prefix / "spack")
    borrowed = replace(spack, host=replace(spack.host, prefix=prefix))
    return borrowed.with_environ(PYTHONDONTWRITEBYTECODE="1")


def unharmed(spack: Spack) -> List[str]:
    """What commands that have nothing to do with us say; they must not fail."""
    commands = (("arch",), ("help",), ("help", "--all"), ("commands",), ("repo", "list"))
    return [line for command in commands for line in spack(*command).err.splitlines()]


def tree(*directories: Path) -> Dict[str, Any]:
    """Every path below some directories, and what is there; bytecode aside."""
    found: Dict[str, Any] = {}
    for directory in directories:
        found[str(directory)] = directory.is_dir()
        for path in sorted(directory.rglob("*")):
            if "__pycache__" not in path.parts:
                found[str(path)] = path.read_bytes() if path.is_file() else path.is_symlink()
    return found


def system_python() -> str:
    """The Python of the system, into which nobody may install."""
    program = "import pip, sys; assert sys.version_info >= (3, 9) and sys.prefix == '/usr'"
    if subprocess.run([SYSTEM_PYTHON, "-c", program], capture_output=True).returncode:
        pytest.skip(f"{SYSTEM_PYTHON} is too old, or has no pip")
    return SYSTEM_PYTHON


def bare(spack: Spack) -> Spack:
    """The same Spack on a Python that has nothing installed."""
    python = spack.root / "bare/bin/python"
    if not python.exists():
        run(sys.executable, "-m", "venv", "--without-pip", python.parents[1])
    return spack.with_environ(SPACK_PYTHON=str(python))


def needs_includes(spack: Spack) -> None:
    if spack.release.startswith("v0."):
        pytest.skip("before Spack 1.0 there is no include.yaml")


def one_line(done: Done) -> str:
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    return lines[0]


# Installed into the Python that runs Spack ------------------------------------------------------


@pytest.mark.usefixtures("thoroughly", "on_one_spack")
def test_pip_install_and_uninstall(spack: Spack, wheel: Path, tmp_path: Path) -> None:
    before = tree(spack.configuration)
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    spack = spack.with_environ(SPACK_PYTHON=str(python))
    run(python, "-m", "pip", "install", wheel)
    package = next((tmp_path / "venv").glob("lib/python3*/site-packages/pyvarium"))
    version = wheel.name.split("-")[1]

    assert seen(spack) == all_of(package / "share")
    assert status(spack, package / "share") == state(version)
    assert unharmed(spack) == []
    assert spack("pyvarium", "setup").out == (
        "Spack's Python has the distribution installed, which registers itself\n"
    )
    spack("pyvarium", "setup", "--auto-sync", "all")
    changed = state(version, policy="all", **{"policy-origin": "scope user"})
    assert status(spack, package / "share") == changed
    assert spack("pyvarium", "setup", "--remove").out.splitlines() == [
        f"{spack.configuration}/pyvarium.yaml: entry removed",
        f"left: remove it by {python} -m pip uninstall spack-pyvarium",
    ]
    assert tree(spack.configuration) == before

    run(python, "-m", "pip", "uninstall", "--yes", "spack-pyvarium")
    assert not package.exists()
    assert seen(spack) == NOTHING
    assert unharmed(spack) == []


@pytest.mark.usefixtures("thoroughly")
def test_distribution_on_pythonpath(spack: Spack, wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    run(sys.executable, "-m", "pip", "install", "--target", target, wheel)
    spack = spack.with_environ(PYTHONPATH=str(target))
    assert seen(spack) == all_of(target / "pyvarium/share")
    assert status(spack, target / "pyvarium/share") == state(wheel.name.split("-")[1])
    assert unharmed(spack) == []


@pytest.mark.usefixtures("thoroughly")
def test_distribution_beside_a_registered_clone(
    spack: Spack, clone: Path, wheel: Path, wheels: Path, tmp_path: Path
) -> None:
    """Twice is once; the scope that ranks higher decides which."""
    needs_includes(spack)
    fresh(spack, clone, "setup", "--libraries-from", wheels)
    target = tmp_path / "target"
    run(sys.executable, "-m", "pip", "install", "--target", target, wheel)
    spack = spack.with_environ(PYTHONPATH=str(target))
    assert seen(spack) in [all_of(clone), all_of(target / "pyvarium/share")]
    assert unharmed(spack) == []


# From a clone, by one command -------------------------------------------------------------------


@pytest.mark.usefixtures("thoroughly")
def test_setup_for_a_system_python(user: Spack, clone: Path, wheels: Path) -> None:
    needs_includes(user)
    spack = user.with_environ(SPACK_PYTHON=system_python())
    places = run(SYSTEM_PYTHON, "-c", "import sys; print(*sys.path[1:], sep=chr(10))").split()
    listing = {place: sorted(os.listdir(place)) for place in places if os.path.isdir(place)}
    before = tree(spack.configuration, spack.root / "system", clone)

    libraries = clone / "spack-pyvarium/libraries"
    include = spack.configuration / "include.yaml"
    done = fresh(spack, clone, "setup", "--libraries-from", wheels)
    assert done.out.splitlines() == [
        f"{libraries}: packaging, tomlkit installed",
        f"{include}: registered",
    ]
    assert seen(spack) == all_of(clone)
    assert status(spack, clone) == state(scopes=["user"])
    assert spack("config", "get", "config").out.count("ccache: true") == 1  # The user's include.
    assert unharmed(spack) == []

    off = {"policy": "off", "policy-origin": "SPACK_PYVARIUM"}
    assert status(spack.with_environ(SPACK_PYVARIUM="off"), clone) == state(scopes=["user"], **off)

    registered = tree(spack.configuration, spack.root / "system", clone)
    assert spack("pyvarium", "setup").out == "nothing to do\n"
    assert fresh(spack, clone, "setup").out == "nothing to do\n"
    assert tree(spack.configuration, spack.root / "system", clone) == registered

    assert spack("pyvarium", "setup", "--remove").out.splitlines() == [
        f"{include}: entry removed",
        f"{libraries}: removed",
    ]
    assert seen(spack) == NOTHING
    assert tree(spack.configuration, spack.root / "system", clone) == before
    now = {place: sorted(os.listdir(place)) for place in places if os.path.isdir(place)}
    assert now == listing


def test_setup_where_the_user_has_no_configuration(
    spack: Spack, clone: Path, wheels: Path
) -> None:
    """Spack 1.1 does not know a scope whose directory is missing."""
    needs_includes(spack)
    spack.configuration.rename(spack.root / "system")
    assert fresh(spack, clone, "setup", "--libraries-from", wheels).code == 0
    assert status(spack, clone) == state(scopes=["user"])
    spack("pyvarium", "setup", "--remove")
    assert not spack.configuration.exists()


@pytest.mark.parametrize("scope", ["user", "site", "system"])
def test_recipes_from_every_scope(
    request: pytest.FixtureRequest, spack: Spack, clone: Path, wheels: Path, scope: str
) -> None:
    """Also behind builtin, which comes first where the user's own ``repos.yaml`` names it."""
    if scope != "user":
        request.getfixturevalue("thoroughly")
    needs_includes(spack)
    spack = with_a_site(spack)
    places = [spack.root / name for name in ("config", "system", "borrowed/spack/etc")]
    before = tree(*places, clone)
    fresh(spack, clone, "setup", "--scope", scope, "--libraries-from", wheels)
    names = [path.name for path in clone.glob("packages/*")]
    script = spack.root / "origins.py"
    script.write_text(ORIGINS)
    origins = dict.fromkeys(names, "pyvarium")
    assert json.loads(spack("python", script, *names).out) == [["builtin", "pyvarium"], origins]
    assert status(spack, clone)["problems"] == []
    spack("pyvarium", "setup", "--remove", "--scope", scope)
    assert tree(*places, clone) == before


def test_setup_from_the_package_index(spack: Spack, clone: Path) -> None:
    needs_includes(spack)
    fresh(spack, clone, "setup", "--json")
    assert status(spack, clone) == state(scopes=["user"])


@pytest.mark.parametrize("source", ["index", "directory"])
def test_libraries_that_cannot_be_had(spack: Spack, clone: Path, source: str) -> None:
    needs_includes(spack)
    before = tree(spack.configuration, clone)
    environ = {key: value for key, value in spack.environ.items() if not key.startswith("PIP_")}
    offline = replace(spack, environ=environ).with_environ(
        PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0"
    )
    words = ["--libraries-from", spack.root / "none"] if source == "directory" else []
    done = fresh(offline, clone, "setup", *words, code=1)
    assert done.out == ""
    assert one_line(done).startswith(f"==> Error: {clone}/spack-pyvarium/libraries: the libraries")
    assert one_line(done).endswith("and add --libraries-from DIR")
    assert tree(spack.configuration, clone) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--scope", "nope"], "scope nope: is not known; use one of site, system, user"),
        (["--scope", "defaults"], "scope defaults: is Spack's own; use another --scope"),
        (["--scope", "command_line"], "scope command_line: is Spack's own; use another --scope"),
        (
            ["--scope", "system"],
            "{root}/system/include.yaml: cannot be written (File exists);"
            " move away what stands there",
        ),
        (
            ["--scope", "user"],
            "{root}/config/include.yaml: cannot be written (it is read-only); make it writable",
        ),
        (
            ["--scope", "env:{root}/env"],
            "{root}/env/spack.yaml: 'include' is not written with one entry a line; rewrite it so,"
            " or use another --scope",
        ),
        (
            ["--scope", "env:{root}/env", "--auto-sync", "all"],
            "{root}/env/spack.yaml: cannot hold auto-sync; use another --scope",
        ),
    ],
    ids=[
        *("unknown", "spacks-own", "no-file", "no-directory", "read-only", "one-line-list"),
        "environment",
    ],
)
def test_scopes_that_will_not_do(
    spack: Spack, clone: Path, wheels: Path, words: List[str], says: str
) -> None:
    needs_includes(spack)
    spack.configure("include", "include:\n- path: nowhere\n  optional: true\n")
    (spack.configuration / "include.yaml").chmod(0o444)
    write(spack.root / "env/spack.yaml", f"spack:\n  include: [{spack.root}/own]\n  specs: []\n")
    write(spack.root / "own/config.yaml", "config: {}\n")
    (spack.root / "system").symlink_to("nowhere")
    write(clone / "spack-pyvarium/libraries/packaging.py", "")
    write(clone / "spack-pyvarium/libraries/tomlkit.py", "")
    before = tree(spack.configuration, clone), (spack.root / "env/spack.yaml").read_bytes()
    chosen = [word.format(root=spack.root) for word in words]
    extension = json.dumps(str(clone / "spack-pyvarium"))
    done = spack(
        *("-c", f"config:extensions:[{extension}]", "-D", spack.root / "env"),
        *("pyvarium", "setup", *chosen),
        code=1,
    )
    message = re.sub(r" env:\S*,|, user:\S*", "", one_line(done))
    assert message == f"==> Error: {says.format(root=spack.root)}"
    after = tree(spack.configuration, clone), (spack.root / "env/spack.yaml").read_bytes()
    assert after == before


@pytest.mark.usefixtures("on_newest_spack")
def test_setup_in_an_environment(spack: Spack, clone: Path, wheels: Path) -> None:
    needs_includes(spack)
    manifest = spack.root / "env/spack.yaml"
    text = "# My own.\nspack:\n  # Roots.\n  specs: [zlib]   # why\n  view: false\n"
    write(manifest, text)
    extension = json.dumps(str(clone / "spack-pyvarium"))
    within = ("-D", manifest.parent)
    spack(
        *("-c", f"config:extensions:[{extension}]", *within),
        *("pyvarium", "setup", "--scope", f"env:{manifest.parent}", "--libraries-from", wheels),
    )
    assert seen(spack) == NOTHING
    answer = json.loads(spack(*within, "pyvarium", "setup", "--status", "--json").out)
    assert (answer["hook"], answer["scopes"]) == (True, [f"env:{manifest.parent}"])
    spack(*within, "pyvarium", "setup", "--remove")
    assert manifest.read_text() == text


def test_spack_keeps_the_entry_when_it_rewrites_the_file(
    spack: Spack, clone: Path, wheels: Path
) -> None:
    needs_includes(spack)
    fresh(spack, clone, "setup", "--libraries-from", wheels)
    before = (spack.configuration / "include.yaml").read_text()
    spack("config", "--scope", "user", "add", f"include:[{spack.root}/nowhere?]")
    write(spack.root / "nowhere?" / "config.yaml", "config: {}\n")
    assert (spack.configuration / "include.yaml").read_text() != before
    assert seen(spack) == all_of(clone)
    spack("pyvarium", "setup", "--remove")
    assert seen(spack) == NOTHING


# For a site, by hand ----------------------------------------------------------------------------


@pytest.mark.usefixtures("on_one_spack")
@pytest.mark.parametrize("missing", [True, False], ids=["without-libraries", "with-libraries"])
def test_command_for_everybody(
    request: pytest.FixtureRequest, spack: Spack, clone: Path, wheels: Path, missing: bool
) -> None:
    if not missing:
        request.getfixturevalue("thoroughly")
    extension = json.dumps(str(clone / "spack-pyvarium"))
    write(spack.root / "system/config.yaml", SITE_CONFIG.format(extension=extension))
    spack = bare(spack)
    if not missing:
        install = (sys.executable, "-m", "pip", "install", "--no-index", "--find-links", wheels)
        run(*install, "--target", clone / "spack-pyvarium/libraries", "packaging", "tomlkit")
    done = spack("pyvarium", "sync", code=1)
    assert one_line(done) == (
        "==> Error: packaging, tomlkit: missing for"
        f" {spack.environ['SPACK_PYTHON']}; run 'spack pyvarium setup', or install them there"
        if missing
        else "==> Error: no Spack environment is active; choose one: spack -e NAME pyvarium ...,"
        " spack -D DIR pyvarium ..., or 'spack env activate'"
    )
    expected = {**NOTHING, "commands": ["pyvarium"], "templates": all_of(clone)["templates"]}
    assert seen(spack) == expected
    problems = [
        "automatic sync: is not registered; run 'spack pyvarium setup'",
        *(["packaging, tomlkit: missing; run 'spack pyvarium setup'"] if missing else []),
    ]
    answer = state(hook=False, repository=False, libraries=not missing, problems=problems)
    assert status(spack, clone) == answer
    assert unharmed(spack) == []


@pytest.mark.usefixtures("thoroughly", "on_newest_spack")
def test_everything_for_everybody(spack: Spack, clone: Path, wheels: Path) -> None:
    """One command, which a user's own setup and removal do not touch."""
    needs_includes(spack)
    done = fresh(spack, clone, "setup", "--scope", "system", "--libraries-from", wheels)
    assert done.out.splitlines() == [
        f"{clone}/spack-pyvarium/libraries: packaging, tomlkit installed",
        f"{spack.root}/system/include.yaml: registered",
        f"{spack.root}/system/pyvarium.yaml: auto-sync set",
    ]
    site = state(scopes=["system"], policy="opted-in", **{"policy-origin": "scope system"})
    assert status(spack, clone) == site
    assert fresh(spack, clone, "setup", "--scope", "system").out == "nothing to do\n"

    spack("pyvarium", "setup", "--auto-sync", "existing")
    changed = {"policy": "existing", "policy-origin": "scope user"}
    assert status(spack, clone) == state(scopes=["system", "user"], **changed)
    assert seen(spack) == all_of(clone)
    spack("pyvarium", "setup", "--remove", "--scope", "user")
    assert status(spack, clone) == site
    spack("pyvarium", "setup", "--remove")
    assert not (spack.root / "system").exists()


def test_an_admin_who_shares_nothing_by_chance(spack: Spack, clone: Path, wheels: Path) -> None:
    """Spack refuses every command of whoever cannot read one file of its configuration."""
    needs_includes(spack)
    system = spack.root / "system"
    system.mkdir(mode=0o755)
    extension = json.dumps(str(clone / "spack-pyvarium"))
    process = spack.start(
        *("-c", f"config:extensions:[{extension}]", "pyvarium", "setup", "--scope", "system"),
        *("--libraries-from", wheels),
        preexec_fn=lambda: os.umask(0o077),
    )
    done = finish(process)
    assert (done.code, done.out.splitlines()[1:]) == (
        0,
        [f"{system}/include.yaml: registered", f"{system}/pyvarium.yaml: auto-sync set"],
    )
    readable = [*system.iterdir(), *(clone / "spack-pyvarium/libraries").rglob("*.py")]
    assert [oct(one.stat().st_mode & 0o777) for one in readable] == ["0o644"] * len(readable)


@pytest.mark.usefixtures("on_newest_spack")
def test_what_an_admin_forces(spack: Spack, clone: Path, wheels: Path) -> None:
    """And nobody undoes above it; removing takes it too."""
    needs_includes(spack)
    words = ("--scope", "system", "--auto-sync", "off", "--force", "--libraries-from", wheels)
    done = fresh(spack, clone, "setup", *words)
    assert done.out.splitlines()[1:] == [
        f"{spack.root}/system/include.yaml: registered",
        f"{spack.root}/system/pyvarium.yaml: auto-sync forced",
    ]
    spack("pyvarium", "config", "auto-sync", "all")
    forced = {"policy": "off", "policy-forced": True, "policy-origin": "scope system"}
    assert status(spack.with_environ(SPACK_PYVARIUM="all"), clone) == state(
        scopes=["system"], **forced
    )
    spack("pyvarium", "setup", "--remove")
    assert not (spack.root / "system").exists()


@pytest.mark.usefixtures("on_one_spack")
def test_problems(spack: Spack, clone: Path, wheels: Path) -> None:
    """What a monitoring script is told."""
    needs_includes(spack)
    fresh(spack, clone, "setup", "--scope", "system", "--libraries-from", wheels)
    include = spack.root / "system/include.yaml"
    write(spack.configuration / "include.yaml", include.read_text().replace("clone", "gone"))
    write(
        spack.configuration / "pyvarium.yaml",
        f"pyvarium:\n  log: {spack.root}/none/log\n  tools:\n    uv: {spack.root}/uv\n",
    )
    gone = str(clone).replace("clone", "gone")
    found = status(spack.with_environ(SPACK_PYVARIUM="nonsense"), clone)
    problems = [
        "SPACK_PYVARIUM: 'nonsense' is not a policy; use one of off, existing, all, opted-in",
        f"scope user: registers {gone}, which is gone; run 'spack pyvarium setup --scope user'"
        f" to name {clone}, or add --remove",
        f"{spack.root}/uv: cannot be run; mend tools.uv in scope user",
        f"{spack.root}/none/log: cannot be created in {spack.root}/none; make it writable, or"
        " mend log in scope user",
    ]
    assert found == state(
        scopes=["system", "user"],
        log=f"{spack.root}/none/log",
        policy=None,
        problems=problems,
        **{"policy-origin": None},
    )
    text = spack("pyvarium", "setup", "--status", code=3).out
    assert [line for line in text.splitlines() if line.startswith("problem: ")] == [
        f"problem: {one}" for one in problems[1:]
    ]


def test_include_without_a_hook(spack: Spack, clone: Path) -> None:
    """Command, recipes and templates without running anything of ours at the start."""
    needs_includes(spack)
    scope = json.dumps(str(clone / "spack-pyvarium/scope"))
    write(spack.root / "system/include.yaml", SITE_INCLUDE.format(scope=scope))
    assert seen(spack) == {**all_of(clone), "hooks": [], "wrapped": False}
    shutil.rmtree(clone)
    assert seen(spack) == NOTHING


# What goes wrong later --------------------------------------------------------------------------


@pytest.fixture
def registered(spack: Spack, clone: Path, wheels: Path) -> Spack:
    """A Spack with a clone registered in the user's scope."""
    needs_includes(spack)
    fresh(bare(spack), clone, "setup", "--libraries-from", wheels)
    return bare(spack)


@pytest.mark.usefixtures("thoroughly")
def test_removed_clone(registered: Spack, clone: Path) -> None:
    shutil.rmtree(clone)
    assert unharmed(registered) == []
    assert seen(registered) == NOTHING


@pytest.mark.parametrize(
    "name", ["spack-pyvarium/pyvarium/registration.py", "hooks/post_install.py"]
)
def test_broken_clone(registered: Spack, clone: Path, name: str) -> None:
    """As a merge leaves it that was not finished."""
    path = clone / name
    path.write_text("<<<<<<< HEAD\n" + path.read_text())
    done = registered("arch")
    assert one_line(done).startswith("==> Warning: pyvarium: ")
    assert "invalid syntax" in done.err
    assert path.name in done.err


def test_setup_again_after_the_clone_was_moved(registered: Spack, clone: Path) -> None:
    moved = clone.rename(clone.with_name("moved"))
    include = registered.configuration / "include.yaml"
    lines = len(include.read_text().splitlines())
    assert fresh(registered, moved, "setup").out == f"{include}: registered\n"
    assert len(include.read_text().splitlines()) == lines
    assert seen(registered) == all_of(moved)


def test_libraries_missing_at_the_end_of_a_command(registered: Spack, clone: Path) -> None:
    shutil.rmtree(clone / "spack-pyvarium/libraries")
    write(registered.root / "env/spack.yaml", "spack:\n  specs: []\n  view: false\n")
    write(registered.root / "env/spack.lock", EMPTY_LOCKFILE)
    done = registered("-D", registered.root / "env", "env", "status")
    assert one_line(done) == (
        "==> Warning: pyvarium: packaging, tomlkit: missing for"
        f" {registered.environ['SPACK_PYTHON']}; run 'spack pyvarium setup', or install them there"
    )


@pytest.mark.usefixtures("thoroughly")
@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8"])
def test_python_too_old(registered: Spack, clone: Path, version: str) -> None:
    pyenv = glob.glob(f"{PYENV}/versions/{version}.*/bin/python{version}")
    python = next(iter(pyenv), shutil.which(f"python{version}"))
    if python is None:
        pytest.skip(f"no Python {version} here")
    old = registered.with_environ(SPACK_PYTHON=python)
    assert unharmed(old) == []
    assert one_line(old("pyvarium", "sync", code=1)) == (
        f"==> Error: Python {version}: is too old; set SPACK_PYTHON to 3.9 or newer"
    )


@pytest.mark.usefixtures("on_one_spack")
def test_removal_of_what_may_not_be_written(registered: Spack, clone: Path) -> None:
    """What can be undone is undone; the rest is said."""
    fresh(registered, clone, "setup", "--scope", "system")
    include = registered.root / "system/include.yaml"
    include.chmod(0o444)
    done = registered("pyvarium", "setup", "--remove", code=1)
    assert (sorted(done.out.splitlines()), one_line(done)) == (
        [
            f"{registered.configuration}/include.yaml: entry removed",
            f"{registered.root}/system/pyvarium.yaml: entry removed",
        ],
        f"==> Error: {include}: cannot be removed (it is read-only); make it writable",
    )
    assert status(registered, clone) == state(scopes=["system"])
