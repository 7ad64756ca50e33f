# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Module files in the hands of Lmod and of Environment Modules, in shells that know no Spack.

One environment of each Spack serves them all. The name of the other is as awkward as Tcl allows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Tuple

import installers
import module_systems
import pytest
from index import Index
from installers import HOLDS, NEWEST, Installer, Layer, layered, put_back
from module_systems import ModuleSystem, NoModulesError
from spacks import Environment, NewEnvironment, Spack, apart, write

AWKWARD = "it's a $x [exit 7] {é"
AWKWARD_MODULE = "pyvarium/it_s_a__x__exit_7____"
ENV_VARS = """\
  env_vars:
    set: {STAGE: "with: $(exit 7)"}
    unset: [GONE]
    prepend_path: {STAGES: /opt/stage}
"""

#: Each of which reads its language, by the name of the module system.
LOADERS = (("environment-modules", "tcl"), ("lmod", "tcl"), ("lmod", "lua"))

#: What a user has in the shell before. An empty entry of MANPATH is the system's.
USERS = (
    "unset VIRTUAL_ENV MANPATH STAGE GONE",
    "export VIRTUAL_ENV=/a:b MANPATH=/opt/man VIRTUAL_ENV_PROMPT='x y' STAGE=s: GONE=here",
    "export VIRTUAL_ENV=/other MANPATH=/opt/man::; unset STAGE",
)


@dataclass(frozen=True)
class Stage:
    """Two environments with their module files, and where those are, by language."""

    spack: Spack
    one: Environment
    two: Environment
    answer: str
    roots: Mapping[str, Path]

    @property
    def loaded(self) -> Dict[str, str]:
        """What comes from where when the first is loaded."""
        venv = self.one.path / ".venv"
        return {
            "prefix": str(venv),
            "localized": self._file("localized"),
            "webby": self._file("webby"),
        }

    def _file(self, name: str) -> str:
        """The file that a module of Python's is, in one layer alone."""
        [found] = [
            path
            for layer in (self.one.view, self.one.path / ".venv")
            for file in (f"{name}.py", f"{name}/__init__.py")
            for path in layer.glob(f"lib/python3*/site-packages/{file}")
        ]
        return os.path.realpath(found)


#: Prints, in a loaded shell, what comes from where.
LOOK = """\
import importlib, json, os, sys
found = {one: os.path.realpath(importlib.import_module(one).__file__) for one in sys.argv[1:]}
print(json.dumps({"prefix": sys.prefix, **found}))
"""


@pytest.fixture(scope="module")
def uv(
    request: pytest.FixtureRequest,
    index: Index,
    tmp_path_factory: pytest.TempPathFactory,
    say: Callable[[str], None],
) -> Installer:
    """What installs the upper layer."""
    tools = Path(os.path.abspath(request.config.getoption("tools")))
    requirement = next(one for one in NEWEST if one.startswith("uv=="))
    try:
        python = installers.had(tools, requirement, say)
    except installers.NoInstallerError as error:
        pytest.skip(str(error))
    home = tmp_path_factory.mktemp("home")
    environ = installers.environ_for(home, index.url)
    return Installer("uv", requirement.partition("==")[2], python, environ)


@pytest.fixture(scope="module")
def stage(prepared: Spack, uv: Installer, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """What a site with a flat and a hierarchical tree gets by one command."""
    top = tmp_path_factory.mktemp("stage")
    spack = apart(prepared, top)
    spack.configure(
        "modules",
        f"modules:\n  default:\n    roots: {{tcl: {top}/tcl, lmod: {top}/lmod}}\n",
    )
    make = NewEnvironment(top, prepared.recorded)
    one = layered(make, spack, uv)
    uv(one, "uv sync --inexact")
    two = layered(make, spack, uv, specs=["py-clicker", "py-tiny@1.0"], name=AWKWARD)
    if prepared.release != "v0.23.1":  # Which knows no such section.
        manifest = one.path / "spack.yaml"
        manifest.write_text(manifest.read_text() + ENV_VARS)
    answer = spack("pyvarium", "modulegen", one.path, two.path, "--json").out
    found = json.loads(answer)["modules"]
    roots = {entry["language"]: Path(entry["directory"]) for entry in found}
    return Stage(spack, one, two, answer, roots)


@pytest.fixture(scope="module")
def systems(request: pytest.FixtureRequest) -> Callable[[str], ModuleSystem]:
    """Gets a module system by its name; skips where it cannot be had."""
    tools = Path(os.path.abspath(request.config.getoption("tools")))

    def get(name: str) -> ModuleSystem:
        try:
            return (
                module_systems.lmod()
                if name == "lmod"
                else module_systems.environment_modules(tools)
            )
        except NoModulesError as error:
            pytest.skip(str(error))

    return get


@pytest.fixture(params=LOADERS, ids="-".join)
def loader(
    request: pytest.FixtureRequest, systems: Callable[[str], ModuleSystem], stage: Stage
) -> ModuleSystem:
    """A module system, which begins with the tree of one language in use."""
    name, language = request.param
    return using(systems(name), stage, language)


def using(system: ModuleSystem, stage: Stage, language: str) -> ModuleSystem:
    use = f"module use {stage.roots[language]}"
    begin = {shell: f"{line}\n{use}" for shell, line in system.begin.items()}
    return replace(system, begin=begin, language=language)


def look(*names: str) -> str:
    return f"python -c '{LOOK}' {' '.join(names)}"


def test_where_they_are_written(stage: Stage) -> None:
    root, tcl, lua = stage.spack.root, stage.roots["tcl"], stage.roots["lua"]
    assert (tcl.parent, lua.parents[1], lua.name) == (root / "tcl", root / "lmod", "Core")
    assert json.loads(stage.answer) == {
        "modules": [
            {
                "action": "created",
                "directory": str(stage.roots[language]),
                "environment": str(environment.path),
                "language": language,
                "name": name,
                "path": f"{stage.roots[language] / name}{suffix}",
            }
            for environment, name in ((stage.one, "pyvarium/work"), (stage.two, AWKWARD_MODULE))
            for language, suffix in (("tcl", ""), ("lua", ".lua"))
        ],
        "written": True,
    }


def test_load_and_unload(loader: ModuleSystem, stage: Stage, tmp_path: Path) -> None:
    """Both layers are there, and then all is to the byte what it was, whatever that was."""
    script: List[str] = ["command -v spack"]
    for number, before in enumerate(USERS):
        script += [
            f"{before}\ndump before{number}\nmodule load pyvarium/work || exit",
            f"{look('localized', 'webby')} || exit",
            "command -v python clicker webby && clicker && webby || exit",
            f"dump loaded{number}\nmodule unload pyvarium/work || exit\ndump after{number}",
        ]
    done = loader("\n".join(script), home=tmp_path / "home")
    assert done.code == 0, done
    venv = stage.one.path / ".venv"
    programs = [str(venv / "bin" / name) for name in ("python", "clicker", "webby")]
    looks = [line for line in done.out.splitlines() if line.startswith("{")]
    assert [json.loads(line) for line in looks] == [stage.loaded] * len(USERS)
    assert [line for line in done.out.splitlines() if line.startswith("/")] == [
        *programs * len(USERS)
    ]
    for number in range(len(USERS)):
        assert done.variables(f"after{number}") == done.variables(f"before{number}")
        loaded = dict(one.decode().split("=", 1) for one in done.variables(f"loaded{number}"))
        assert loaded["VIRTUAL_ENV"] == str(venv)
        assert loaded["PATH"].split(":")[:2] == [f"{venv}/bin", f"{stage.one.view}/bin"]
        assert "" in loaded["MANPATH"].split(":") or "/opt/man" in loaded["MANPATH"].split(":")
        assert "PYTHONPATH" not in loaded
        if stage.spack.release != "v0.23.1":
            expected = {"STAGE": "with: $(exit 7)", "STAGES": "/opt/stage"}
            assert {name: loaded.get(name) for name in (*expected, "GONE")} == {
                **expected,
                "GONE": None,
            }


@pytest.mark.parametrize("names", [("pyvarium/one", "pyvarium/two"), ("one/1.0", "two/2.0")])
def test_one_at_a_time(
    names: Tuple[str, str], loader: ModuleSystem, stage: Stage, tmp_path: Path
) -> None:
    """Lmod replaces the one by the other, Environment Modules refuses; by swap both replace.

    Whatever a site has them named.
    """
    for language, root in stage.roots.items():
        suffix = ".lua" if language == "lua" else ""
        for name, written in zip(names, ("pyvarium/work", AWKWARD_MODULE)):
            target = tmp_path / language / f"{name}{suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(f"{root / written}{suffix}", target)
    one_name, two_name = names
    done = loader(
        f"""\
        module unuse $MODULEPATH
        module use {tmp_path}/{loader.language}
        export VIRTUAL_ENV=/other
        dump before
        module load {one_name}
        module load {two_name}
        echo $?
        dump second
        module load {one_name}
        module swap {one_name} {two_name} || exit
        {look("clicker")} || exit
        dump swapped
        module purge
        dump after""",
        home=tmp_path / "home",
    )
    one, two = str(stage.one.path / ".venv"), str(stage.two.path / ".venv")
    refuses = loader.name == "environment-modules"
    assert done.out.splitlines()[0] == ("1" if refuses else "0"), done
    said = "Module cannot be loaded due to a conflict" if refuses else two_name
    assert said in done.err

    def venvs(name: str) -> List[str]:
        variables = dict(entry.decode().split("=", 1) for entry in done.variables(name))
        ours = (f"{one}/bin", f"{two}/bin")
        return [
            variables["VIRTUAL_ENV"],
            *(entry for entry in variables["PATH"].split(":") if entry in ours),
        ]

    first = one if refuses else two
    assert [venvs("second"), venvs("swapped")] == [[first, f"{first}/bin"], [two, f"{two}/bin"]]
    assert json.loads(done.out.splitlines()[-1])["prefix"] == two
    assert done.variables("after") == done.variables("before")


def test_collections(loader: ModuleSystem, stage: Stage, tmp_path: Path) -> None:
    done = loader(
        f"""\
        dump before
        module load pyvarium/work && module save mine && module purge || exit
        module restore mine || exit
        {look("localized", "webby")} || exit
        module purge
        dump after""",
        home=tmp_path / "home",
    )
    looks = [line for line in done.out.splitlines() if line.startswith("{")]
    assert [json.loads(line) for line in looks] == [stage.loaded], done
    assert done.variables("after") == done.variables("before")


def test_what_is_told(loader: ModuleSystem, stage: Stage, tmp_path: Path) -> None:
    """Where it comes from, what hides it, and what is gone."""
    venv = stage.two.path / ".venv"
    away = stage.two.path / "away"
    venv.rename(away)
    try:
        done = loader(
            f"""\
            module help pyvarium/work > help 2>&1
            module whatis pyvarium/work > whatis 2>&1
            export PYTHONPATH=/elsewhere
            module load pyvarium/work
            module unload pyvarium/work
            echo $PYTHONPATH
            module load {AWKWARD_MODULE} 2> missing; echo $?
            dump failed""",
            home=tmp_path / "home",
        )
    finally:
        away.rename(venv)
    words = " ".join(done.err.split())
    assert (
        words.count(
            "Warning: pyvarium/work: PYTHONPATH is set and comes before what this module brings;"
            " run: unset PYTHONPATH"
        )
        == 1
    ), done
    assert done.out.splitlines() == ["/elsewhere", "1"]
    told = {
        name: " ".join((tmp_path / "home" / name).read_text().split())
        for name in ("help", "whatis", "missing")
    }
    for name in ("help", "whatis"):
        for word in (str(stage.one.path), "spack.lock sha256:", "uv.lock sha256:", "webby==2.0"):
            assert word in told[name], told
        assert "localized==1.0+site" in told[name], told
    missing = "is missing or has no python; run 'spack pyvarium sync'"
    assert missing in told["missing"]
    assert not any(b".venv/bin" in one for one in done.variables("failed"))


def test_read_only(loader: ModuleSystem, stage: Stage, tmp_path: Path) -> None:
    """Also for one who may write nowhere in it."""
    top = stage.spack.root
    reader = replace(loader, prefix=_read_only(top))
    done = reader(
        f"""\
        touch {top}/trace 2> touched
        module load pyvarium/work || exit
        {look("localized", "webby")} && clicker && webby""",
        home=tmp_path / "home",
    )
    assert done.code == 0, done
    assert "Read-only" in (tmp_path / "home" / "touched").read_text()
    assert json.loads(done.out.splitlines()[0]) == stage.loaded


def _read_only(top: Path) -> List[str]:
    """What runs a command where a tree is mounted read-only; also root cannot write then."""
    mount = f"mount --bind '{top}' '{top}' && mount -o remount,bind,ro '{top}'"
    for who in ([], ["--user", "--map-root-user"]):
        words = ["unshare", *who, "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
        if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
            return words
    pytest.skip("nobody here may mount a tree read-only")


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
@pytest.mark.parametrize("name", ["environment-modules", "lmod"])
def test_other_shells(
    name: str,
    shell: str,
    systems: Callable[[str], ModuleSystem],
    stage: Stage,
    tmp_path: Path,
) -> None:
    """With a plain name: not every quoting of a module system's holds for others in these."""
    if subprocess.run(["sh", "-c", f"command -v {shell}"], capture_output=True).returncode:
        pytest.skip(f"no {shell} here")
    done = using(systems(name), stage, "tcl")(
        "dump before\nmodule load pyvarium/work\nclicker\ndump loaded\n"
        "module unload pyvarium/work\ndump after",
        home=tmp_path / "home",
        shell=shell,
    )
    assert (done.code, done.out.split()[:1]) == (0, ["store"]), done
    assert done.variables("after") == done.variables("before")


@pytest.mark.usefixtures("on_one_spack")
def test_installers_in_a_loaded_shell(
    prepared: Spack,
    systems: Callable[[str], ModuleSystem],
    stage: Stage,
    uv: Installer,
    pip: Installer,
    tmp_path: Path,
) -> None:
    """An installer finds the venv by what the module sets, and keeps what is provided."""
    layer = Layer.of(stage.one, pip, prepared.store, stage.spack.store)
    with put_back(stage.one):
        done = using(systems("lmod"), stage, "lua")(
            f"""\
            module load pyvarium/work && cd {stage.one.path} || exit
            {uv.python.parent}/uv pip install --upgrade clicker rich-clicker || exit
            {pip.python} -m pip --python "$VIRTUAL_ENV/bin/python" install --upgrade cfacets""",
            home=tmp_path / "home",
            environ={**uv.environ, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home")},
        )
        assert done.code == 0, done
        assert layer.look() == HOLDS
        assert layer.upper == ("cfacets", "plain", "rich-clicker", "webby")


@pytest.mark.usefixtures("on_one_spack")
def test_spacks_own_modules_with_our_template(
    stage: Stage, systems: Callable[[str], ModuleSystem], tmp_path: Path
) -> None:
    """Chosen in modules.yaml: PYTHONPATH stays as it is, and a module tells its hash."""
    rules = "all: {autoload: none, template: modules/pyvarium-package.%s}"
    root = stage.spack.root
    stage.spack.configure(
        "modules",
        f"modules:\n  default:\n    enable: [tcl, lmod]\n    arch_folder: false\n"
        f"    roots: {{tcl: {tmp_path}/tcl, lmod: {tmp_path}/lmod}}\n"
        "    prefix_inspections: {'lib/python3.11/site-packages': [PYTHONPATH], bin: [PATH]}\n"
        f"    tcl: {{{rules % 'tcl'}, projections: {{all: '{{name}}/{{version}}'}}}}\n"
        f"    lmod: {{{rules % 'lua'}, projections: {{all: '{{name}}/{{version}}'}}}}\n",
    )
    try:
        for kind in ("tcl", "lmod"):
            stage.spack("module", kind, "refresh", "--yes-to-all", "py-tiny")
    finally:
        write(root / "config" / "modules.yaml", "modules: {}\n")
    [tcl] = (tmp_path / "tcl").glob("py-tiny/*")
    [lua] = (tmp_path / "lmod").glob("**/py-tiny/*.lua")
    for file in (tcl, lua):
        text = file.read_text()
        assert "PYTHONPATH" not in text
        assert "py-tiny@1.0/" in text
    for name, directory in (
        ("environment-modules", tmp_path / "tcl"),
        ("lmod", tmp_path / "tcl"),
        ("lmod", lua.parents[1]),
    ):
        done = systems(name)(
            f"module use {directory}\nexport PYTHONPATH=/mine\n"
            "module load py-tiny || exit\necho $PYTHONPATH",
            home=tmp_path / "home",
        )
        assert (done.code, done.out) == (0, "/mine\n"), done
