# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Where module files are written, under which name, by which template, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import spack.config
import spack.environment
import spack.schema.modules
from test_command import pyvarium

from conftest import NewEnvironment


@pytest.fixture
def work(new_environment: NewEnvironment, tmp_path: Path) -> Path:
    """An environment with a venv, as far as a module file needs one."""
    environment = new_environment(tiny="1.0")
    path = Path(environment.path)
    (path / ".venv" / "bin").mkdir(parents=True)
    (path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    configure(roots={"tcl": str(tmp_path / "tcl"), "lmod": str(tmp_path / "lmod")})
    return path


def configure(**entries: Any) -> None:
    modules = spack.config.get("modules", scope="site") or {}
    default = {**modules.get("default", {}), **entries}
    spack.config.set("modules", {**modules, "default": default}, scope="site")


def modulegen(*words: object, code: int = 0) -> str:
    return pyvarium("modulegen", *map(str, words), code=code)


def written(top: Path) -> List[str]:
    """The module files below a directory, without the architecture."""
    found = (path.relative_to(top) for path in sorted(top.glob("**/*")) if path.is_file())
    return [
        "/".join(part for part in path.parts if not part.startswith("test-")) for path in found
    ]


def test_each_kind_has_its_root(work: Path, tmp_path: Path) -> None:
    modulegen(work)
    assert written(tmp_path / "tcl") == ["pyvarium/work"]
    assert written(tmp_path / "lmod") == ["Core/pyvarium/work.lua"]
    [tcl] = (tmp_path / "tcl").iterdir()
    [lmod] = (tmp_path / "lmod").iterdir()
    with spack.environment.Environment(str(work)) as environment:
        architecture = environment.concrete_roots()[0].architecture
        assert tcl.name == str(architecture)
        assert lmod.name.rpartition("-")[0] == tcl.name.rpartition("-")[0]


@pytest.mark.parametrize(
    ("rules", "words", "expected"),
    [
        ({"arch_folder": False}, [], ["lmod/Core/pyvarium/work.lua", "tcl/pyvarium/work"]),
        ({"arch_folder": False, "enable": ["lmod"]}, [], ["lmod/Core/pyvarium/work.lua"]),
        ({"enable": ["lmod"], "arch_folder": False}, ["--lang", "tcl"], ["tcl/pyvarium/work"]),
        ({}, ["--output", "OUT"], ["out/pyvarium/work", "out/pyvarium/work.lua"]),
    ],
)
def test_where(
    rules: Dict[str, Any], words: List[str], expected: List[str], work: Path, tmp_path: Path
) -> None:
    configure(**rules)
    modulegen(work, *(word.replace("OUT", str(tmp_path / "out")) for word in words))
    found = (written(tmp_path / one) for one in ("lmod", "out", "tcl"))
    assert [
        f"{one}/{path}" for one, paths in zip(("lmod", "out", "tcl"), found) for path in paths
    ] == expected


def test_a_flat_tree_in_lua(work: Path, tmp_path: Path) -> None:
    if "hierarchical" not in str(spack.schema.modules.properties):
        pytest.skip("this Spack has none")
    configure(arch_folder=False, lmod={"hierarchical": False})
    modulegen(work, "--lang", "lua")
    assert written(tmp_path / "lmod") == ["pyvarium/work.lua"]


@pytest.mark.parametrize(
    ("projections", "setting", "words", "expected"),
    [
        ({}, None, (), "pyvarium/work"),
        ({"all": "{name}/{version}-{compiler.name}"}, None, (), "pyvarium/work"),
        ({"all": "site/{name}"}, None, (), "site/work"),
        ({"all": "same"}, None, (), "pyvarium/work"),
        ({"all": "site/{name}", "pyvarium": "py/{name}"}, None, (), "py/work"),
        ({"pyvarium": "py/{name}"}, "ours/{environment}", (), "ours/work"),
        ({"pyvarium": "py/{name}"}, "ours/{environment}", ("--name", "x-{python}"), "x-3.11"),
    ],
)
def test_name(
    projections: Dict[str, str],
    setting: Any,
    words: Tuple[str, ...],
    expected: str,
    work: Path,
    tmp_path: Path,
) -> None:
    configure(arch_folder=False, tcl={"projections": projections})
    if setting is not None:
        pyvarium("config", "modules.name", setting)
    modulegen(work, "--lang", "tcl", *words)
    assert written(tmp_path / "tcl") == [expected]


def test_checked_changed_and_removed(work: Path, tmp_path: Path) -> None:
    configure(arch_folder=False, enable=["tcl"])
    file = tmp_path / "tcl/pyvarium/work"
    row = {
        "action": "created",
        "directory": str(tmp_path / "tcl"),
        "environment": str(work),
        "language": "tcl",
        "name": "pyvarium/work",
        "path": str(file),
    }
    assert json.loads(modulegen(work, "--check", "--json", code=3)) == {
        "modules": [row],
        "written": False,
    }
    assert modulegen(work, "--dry-run") == f"{file}: would be created\n"
    assert not file.exists()
    use = f"module use {tmp_path}/tcl; module load pyvarium/work"
    assert modulegen(work) == f"{file}: created; load it by: {use}\n"
    assert modulegen(work, "--check") == f"{file}: in step\n"
    text = file.read_text()
    assert modulegen(work, "--lang", "tcl", "-o", "-") == text
    file.write_text(text.replace("tiny==1.0", "tiny==0.9"))
    assert '+    puts stderr "  tiny==1.0"\n' in modulegen(work, "--diff")
    assert modulegen(work) == f"{file}: changed\n"
    assert file.read_text() == text
    assert modulegen(work, "--remove", "--dry-run") == f"{file}: would be removed\n"
    assert modulegen(work, "--remove") == f"{file}: removed\n"
    assert list((tmp_path / "tcl").iterdir()) == []
    assert modulegen(work, "--remove") == "nothing to do\n"


def test_another_digest_takes_the_place_of_the_former(work: Path, tmp_path: Path) -> None:
    configure(arch_folder=False, enable=["tcl"])
    name = ("--name", "{environment}/{digest}")
    modulegen(work, *name)
    [former] = written(tmp_path / "tcl")
    (work / "uv.lock").write_text("version = 1\n")
    (work / "pyproject.toml").write_text('[tool.pyvarium]\nbackend = "uv"\n')
    (tmp_path / "tcl/work/0000000").write_text("#%Module1.0\n")
    modulegen(work, *name)
    found = written(tmp_path / "tcl")
    assert (len(found), former in found, "work/0000000" in found) == (2, False, True)
    assert modulegen(work, "--remove", *name).endswith(": removed\n")
    assert written(tmp_path / "tcl") == ["work/0000000"]


def test_an_environment_that_is_gone(work: Path, tmp_path: Path) -> None:
    configure(arch_folder=False)
    modulegen(work)
    work.rename(tmp_path / "away")
    modulegen(work, "--remove")
    assert [written(tmp_path / one) for one in ("tcl", "lmod")] == [[], []]


def test_a_site_has_its_own_templates(work: Path, tmp_path: Path) -> None:
    """One of the same name in config:template_dirs, or another that modules.yaml names."""
    configure(enable=["tcl"])
    own = tmp_path / "templates"
    (own / "site").mkdir(parents=True)
    spack.config.set("config:template_dirs", [str(own)], scope="site")
    (own / "site/ours.tcl").write_text(
        '{% extends "modules/pyvarium.tcl" %}\n'
        "{% block footer %}setenv SITE {{ (name + ' [x]') | tcl }}{% endblock %}\n"
    )
    printed = ("--lang", "tcl", "-o", "-")
    plain = modulegen(work, *printed)
    configure(tcl={"pyvarium": {"template": "site/ours.tcl"}})
    assert modulegen(work, *printed) == f'{plain}setenv SITE "pyvarium/work \\[x\\]"\n'
    (own / "modules").mkdir()
    (own / "modules/pyvarium.tcl").write_text("#%Module1.0\n## {{ mark }}\n")
    configure(tcl={})
    assert (
        modulegen(work, *printed) == f'#%Module1.0\n## spack-pyvarium: module file of "{work}"\n'
    )
    (own / "modules/pyvarium.tcl").write_text("{% if %}\n")
    assert modulegen(work, *printed, code=1).startswith(
        "==> Error: template modules/pyvarium.tcl: "
    )
    configure(tcl={"pyvarium": {"template": "site/none.tcl"}})
    message = modulegen(work, *printed, code=1)
    assert message.startswith("==> Error: template site/none.tcl: is in none of ")
    assert str(own) in message


def test_what_is_refused(work: Path, tmp_path: Path) -> None:
    configure(arch_folder=False, enable=["tcl"])
    file = tmp_path / "tcl/pyvarium/work"

    def refused(*words: object) -> str:
        return modulegen(*words, code=1).replace("==> Error: ", "", 1)

    file.parent.mkdir(parents=True)
    file.write_text("#%Module1.0\nsetenv MINE 1\n")
    remedy = "use another --name, or remove it"
    foreign = f"{file}: is not written by this command; {remedy}\n"
    assert [refused(work), refused(work, "--remove")] == [foreign, foreign]
    assert file.read_text() == "#%Module1.0\nsetenv MINE 1\n"
    modulegen(work, "--force")
    file.write_text(file.read_text().replace(f'"{work}"', '"/other"', 1))
    other = f"{file}: is the module file of /other; {remedy}\n"
    assert [refused(work), refused(work, "--remove")] == [other, other]
    file.unlink()

    assert refused(work, "--name", "a b") == (
        "module name 'a b': makes 'a b'; use letters, digits, '_', '-', '.', '+' and single"
        " slashes between\n"
    )
    assert refused(work, "--name", "{compiler}").startswith(
        "module name '{compiler}': has no {compiler}; use {environment}, {digest}, "
    )
    assert refused(work, "--module-set", "none") == (
        "module set none: is not in modules.yaml; add it there\n"
    )
    twin = tmp_path / "twins" / "work"
    twin.parent.mkdir()
    twin.symlink_to(work)
    assert refused(work, twin) == (
        f"{file}: would be the module file of {work} and of {twin};"
        " write them apart, with --name\n"
    )
    assert not file.exists()
    (work / ".venv/bin/python").unlink()
    assert refused(work) == (
        f"{work}/.venv: does not exist or has no python; run 'spack pyvarium sync'\n"
    )


#: Stands for Lmod: says what the variables are set to.
LMOD = """
for _, name in ipairs{"whatis", "help", "extensions", "family", "prepend_path", "append_path"} do
   _G[name] = function() end
end
function mode() return "load" end
function isFile(path) print("file " .. path) return true end
function pushenv(name, value) print(name .. " " .. value) end
dofile(arg[1])
"""


def test_a_name_is_never_code(work: Path, tmp_path: Path) -> None:
    """One that says something in Lua; Lmod makes Lua of Tcl without escaping that."""
    hostile = work.rename(tmp_path / 'a"..os.exit(7).."\\]]--é $(exit 7)')
    message = modulegen(hostile, "--lang", "tcl", code=1)
    assert "Lmod would not read it in Tcl as it is; use --lang lua" in message
    if not shutil.which("lua"):
        pytest.skip("no lua here")
    file, program = tmp_path / "module.lua", tmp_path / "lmod.lua"
    file.write_text(modulegen(hostile, "--lang", "lua", "-o", "-"))
    program.write_text(LMOD)
    command = ["lua", str(program), str(file)]
    environ = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    venv = hostile / ".venv"
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            f"file {venv}/bin/python",
            f"VIRTUAL_ENV {venv}",
            f"VIRTUAL_ENV_PROMPT {hostile.name}",
        ],
    )


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "-"),
        ("-o", "-", "--lang", "lua", "--check"),
        ("-o", "-", "--lang", "lua", "/a", "/b"),
        ("--remove", "--force"),
    ],
    ids=" ".join,
)
def test_wrong_usage(words: Tuple[str, ...]) -> None:
    assert modulegen(*words, code=2).endswith("; see --help\n")
