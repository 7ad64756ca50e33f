# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What ``new`` writes and refuses before Spack installs anything, by Spack's mock recipes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import spack.config
import spack.environment
from spack.main import SpackCommand

from pyvarium import creation, spack_api
from pyvarium.errors import PyvariumError

MANIFEST = """\
# What Spack installs in this environment; 'spack pyvarium add' chooses what belongs here.
spack:
  specs:
  - {}
  view: true
  concretizer:
    unify: true
"""


@pytest.fixture(autouse=True)
def recipes(mutable_mock_env_path: Any, mock_packages: Any) -> None:
    """Spack's mock recipes, and no named environment yet."""


def new(*words: object, code: int = 0) -> str:
    command = SpackCommand("pyvarium")
    out = command("new", "--skip-install", *map(str, words), fail_on_error=False)
    assert command.returncode == code, out
    return str(out)


def texts(path: Path) -> Dict[str, str]:
    return {one.name: one.read_text() for one in sorted(path.iterdir()) if one.is_file()}


def test_two_files(tmp_path: Path) -> None:
    path = tmp_path / "My Analysis"
    answer = json.loads(new(path, "--backend", "pdm", "--json"))
    assert (answer["backend"], answer["installed"]) == ("pdm", False)
    assert texts(path) == {
        "spack.yaml": MANIFEST.format("python"),
        "pyproject.toml": '[project]\nname = "my-analysis"\nversion = "0"\ndependencies = []\n'
        '\n[tool.pdm]\ndistribution = false\n\n[tool.pyvarium]\nbackend = "pdm"\n',
    }


def test_named(tmp_path: Path) -> None:
    out = new("--name", "mine", "--backend", "pip")
    assert spack.environment.exists("mine")
    assert out.endswith("created; install it by: spack -e mine pyvarium install\n")


@pytest.mark.parametrize(
    ("python", "spec"),
    [
        ("3.7", "python@3.7"),
        ("python@3.7", "python@3.7"),
        ("3.6:", '"python@3.6:"'),
        ("@=3.7.1", "python@=3.7.1"),
    ],
)
def test_python(python: str, spec: str, tmp_path: Path) -> None:
    new(tmp_path, "--python", python, "--backend", "pip")
    assert (tmp_path / "spack.yaml").read_text() == MANIFEST.format(spec)


def test_external_python(tmp_path: Path) -> None:
    words = (tmp_path, "--python", "external", "--backend", "pip")
    spack.config.set("packages:python", {"externals": []}, scope="site")
    assert new(*words, code=1) == (
        "==> Error: --python external: Spack's configuration names no external python; run"
        " 'spack external find python', or leave the choice to Spack\n"
    )
    assert texts(tmp_path) == {}
    externals = [{"spec": "python@3.7.3", "prefix": "/usr"}]
    spack.config.set("packages:python", {"externals": externals}, scope="site")
    new(*words)
    manifest = MANIFEST.format("python") + "  packages:\n    python:\n      buildable: false\n"
    assert (tmp_path / "spack.yaml").read_text() == manifest
    assert spack_api.roots(tmp_path) == ("python",)


def test_each_half_gets_the_other(tmp_path: Path) -> None:
    """What is there stays to the byte, and a project is asked what it needs of Spack."""
    project = '# mine\n[project]\nname = "mine"\nversion = "1"\ndependencies = ["rich"]\n'
    backend = '\n[tool.pyvarium]\nbackend = "uv"\n'
    manifest = "spack:\n  specs: [libelf]  # mine\n"
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (first / "pyproject.toml").write_text(project)
    (second / "spack.yaml").write_text(manifest)
    assert new(first, "--backend", "uv").startswith("rich: pypi rich (")
    new(second, "--backend", "uv")
    assert texts(first) == {
        "spack.yaml": MANIFEST.format("python"),
        "pyproject.toml": project + backend,
    }
    assert texts(second) == {
        "spack.yaml": manifest,
        "pyproject.toml": '[project]\nname = "second"\nversion = "0"\ndependencies = []\n'
        + backend,
    }


def test_force_keeps_what_was_there(tmp_path: Path) -> None:
    new(tmp_path, "--backend", "uv")
    (tmp_path / "uv.lock").write_text("locked")
    (tmp_path / "spack.lock").write_text("not read")
    (tmp_path / "pyproject.toml.bak").write_text("of before")
    before = texts(tmp_path)
    new(tmp_path, "--backend", "uv", "--force", "--python", "3.7")
    assert texts(tmp_path) == {
        "pyproject.toml": before["pyproject.toml"],
        "pyproject.toml.bak": "of before",
        "pyproject.toml.bak1": before["pyproject.toml"],
        "spack.lock.bak": "not read",
        "spack.yaml": MANIFEST.format("python@3.7"),
        "spack.yaml.bak": before["spack.yaml"],
        "uv.lock.bak": "locked",
    }


PROJECT = '[project]\nname = "x"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("present", "words", "error"),
    [
        (
            {"spack.yaml": "spack: {}\n", "pyproject.toml": PROJECT},
            [],
            "{}: is an environment already; run 'spack -D {} pyvarium install', or add --force to"
            " make it anew",
        ),
        (
            {"spack.yaml": "spack: {}\n"},
            ["--python", "3.7"],
            "{}/spack.yaml: is there already and chooses its python; leave out --python, or add"
            " --force to make it anew",
        ),
        (
            {"pyproject.toml": PROJECT, "r.txt": "rich\n"},
            ["--from", "{}/r.txt"],
            "{}/pyproject.toml: is there already; leave out --from, or add --force to start from"
            " {}/r.txt",
        ),
        (
            {"pyproject.toml": "[tool.black]\n"},
            [],
            "{}/pyproject.toml: has no [project] table, which uv needs; add one with name and"
            " version, or choose --backend poetry",
        ),
        (
            {},
            ["--python", "pypy"],
            "--python pypy: is no python; give a version such as 3.12, a spec such as"
            " python@3.12+optimizations, or 'external'",
        ),
        (
            {"r.toml": PROJECT + 'requires-python = "<2"\n'},
            ["--from", "{}/r.toml"],
            "{}/r.toml: asks for python <2, which Spack does not have; widen it, or choose one by"
            " --python",
        ),
    ],
    ids=["both", "python", "from", "no-project", "no-python", "no-such-python"],
)
def test_refused(present: Dict[str, str], words: List[str], error: str, tmp_path: Path) -> None:
    for name, text in present.items():
        (tmp_path / name).write_text(text)
    out = new(tmp_path, "--backend", "uv", *(one.format(tmp_path) for one in words), code=1)
    assert out == f"==> Error: {error.replace('{}', str(tmp_path))}\n"
    assert texts(tmp_path) == present


def test_on_another_environment(
    new_environment: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest includes it; a store that others own is an upstream, with one of its own."""
    lower = Path(new_environment(alpha="1").path)
    new(tmp_path / "plain", "--on", lower, "--backend", "uv")
    with monkeypatch.context() as readers:
        readers.setattr(os, "access", lambda *_, **__: False)
        new(tmp_path / "apart", "--on", lower, "--backend", "uv")
    key, file = spack_api.included_environment(lower)
    text = MANIFEST.replace("specs:\n  - {}\n", "specs: []\n")
    included = f"  {key}:\n  - {json.dumps(str(file))}\n"
    apart = (
        f"{included}  config:\n    install_tree:\n      root: ./.spack-store\n  upstreams:\n"
        f"    lower-1:\n      install_tree: {json.dumps(str(spack_api.store()))}\n"
    )
    for name, lines in (("plain", included), ("apart", apart)):
        manifest = (tmp_path / name / "spack.yaml").read_text()
        assert manifest == text.replace("spack:\n", f"spack:\n{lines}", 1)
        assert spack_api.roots(tmp_path / name) == ()


def test_on_nothing(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "spack.yaml").write_text("spack: {}\n")
    errors = {
        "nobody": "--on nobody: is no environment of Spack's, by its directory nor by its name;"
        " see 'spack env list'",
        str(bare): f"--on {bare}: is not concretized; run 'spack -D {bare} install', or have its"
        " owner",
    }
    for on, error in errors.items():
        out = new(tmp_path / "mine", "--on", on, "--backend", "uv", code=1)
        assert out == f"==> Error: {error}\n"
    out = new(tmp_path / "mine", "--on", "x", "--python", "3.7", "--backend", "uv", code=1)
    assert out == "==> Error: --on x: brings its python; leave out --python\n"
    out = new(bare, "--on", "x", "--backend", "uv", code=1)
    assert out == (
        f"==> Error: {bare}/spack.yaml: is there already; leave out --on, or add --force to make"
        " it anew\n"
    )


@pytest.mark.parametrize("spec", ["libelf@0.8:", "libelf ^zlib", "libelf%gcc", "mpileaks+debug"])
def test_every_spec_is_what_spack_reads(spec: str, tmp_path: Path) -> None:
    (tmp_path / "spack.yaml").write_text(creation.render_manifest([spec], False))
    [root] = spack_api.roots(tmp_path)
    assert spack.spec.Spec(root) == spack.spec.Spec(spec)


def test_change_manifest(tmp_path: Path) -> None:
    (tmp_path / "spack.yaml").write_text("spack:\n  specs:\n  # mine\n  - libelf@0.8.12\n")
    spack_api.change_manifest(tmp_path, add=["libdwarf"], change=["libelf@0.8.13"])
    assert spack_api.roots(tmp_path) == ("libelf@0.8.13", "libdwarf")
    assert "  # mine\n" in (tmp_path / "spack.yaml").read_text()
    spack_api.change_manifest(tmp_path, remove=["libelf"])
    assert spack_api.roots(tmp_path) == ("libdwarf",)
    with pytest.raises(PyvariumError, match=r"spack\.yaml: Cannot remove .*; change it by hand"):
        spack_api.change_manifest(tmp_path, remove=["libelf"])
