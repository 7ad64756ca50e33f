# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The layer, with a real venv of the python that runs the tests."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import venv as ordinary
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import pytest

from conftest import HERE, Site
from pyvarium import shims, umbrella
from pyvarium.errors import PyvariumError
from pyvarium.layer import NEW
from pyvarium.model import Environment, Skipped
from pyvarium.sync import plan, sync
from toml_texts import loads

SOURCES = Path(__file__).resolve().parents[2] / "spack-pyvarium"
METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"
MODULE = "import sys\ndef main():\n    print(sys.prefix, *sys.argv[1:])\n"
#: What importlib.metadata, and so every installer, sees in the venv itself.
SEEN = """
import importlib.metadata as metadata, sys
found = metadata.distributions(path=[path for path in sys.path if ".venv" in path])
print(*sorted(f"{one.metadata['Name']}=={one.version}" for one in found))
"""


def run(environment: Environment, *command: object) -> str:
    """What a command says, with the venv's python if it is options."""
    words = [str(word) for word in command]
    if words[0].startswith("-"):
        words.insert(0, str(environment.venv / "bin" / "python"))
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def seen(environment: Environment) -> List[str]:
    return run(environment, "-c", SEEN).split()


def bin_of(environment: Environment) -> List[str]:
    return sorted(os.listdir(environment.venv / "bin"))


def files_of(environment: Environment) -> Iterator[Tuple[str, Path]]:
    for directory, below, names in os.walk(environment.path):
        below[:] = [name for name in below if name not in ("view", "__pycache__")]
        for name in (*below, *names):
            path = Path(directory, name)
            if name != "stamps":  # Of no use but to save time.
                yield str(path.relative_to(environment.path)), path


def contents(environment: Environment) -> Dict[str, object]:
    """Everything that a sync is answerable for, by path."""
    return {
        name: os.readlink(path) if path.is_symlink() else path.is_dir() or path.read_bytes()
        for name, path in files_of(environment)
    }


def times(environment: Environment) -> Mapping[str, Tuple[int, int]]:
    state = (environment.state, environment.state / "lock")
    status = {name: path.lstat() for name, path in files_of(environment) if path not in state}
    return {name: (one.st_mtime_ns, one.st_ino) for name, one in status.items()}


def install_all(site: Site, link: str = "file") -> None:
    """A distribution of each kind, with scripts."""
    a = site.install("py-a", "1.0", METADATA.format("A", "1.0"), link=link)
    site.add(a, site.library / "a.py", MODULE)
    info = site.library / "a-1.0.dist-info"
    site.add(a, info / "entry_points.txt", "[console_scripts]\na-run = a:main\n")
    site.add(a, info / "RECORD", "../../../bin/a-run,,\n../../../bin/a-script,,\na.py,,\n")
    store = site.prefixes[a]
    site.add(a, "bin/a-run", f"#!{store}/bin/python3\nfrom a import main\n")
    site.add(a, "bin/a-script", f"#!{store}/bin/python3\nimport a\na.main()\n")
    b = site.install("py-b", "2", METADATA.format("b", "2"), kind="egg-info", link=link)
    site.add(b, site.library / "b-2.egg-info" / "requires.txt", "a>=1\n\n[x]\nc\n")
    site.add(b, site.library / "b.py", "import a\n")
    c = site.install("py-c", "3", None)
    site.add(c, site.library / "c-3.egg-info", "Metadata-Version: 1.0\nName: C\nVersion: 3\n")


def provide(site: Site, name: str = "a", version: str = "1") -> str:
    """A distribution with a module and a console script."""
    dag_hash = site.install(f"py-{name}", version)
    info = site.library / f"{name}-{version}.dist-info"
    site.add(dag_hash, info / "entry_points.txt", f"[console_scripts]\n{name}-run={name}:main\n")
    site.add(dag_hash, site.library / f"{name}.py", MODULE)
    return dag_hash


def with_mode(environment: Environment, mode: str) -> None:
    environment.pyproject.write_text(f'[tool.pyvarium]\nmode = "{mode}"\n')


def site_packages(environment: Environment) -> Path:
    return environment.venv / "lib" / f"python{HERE}" / "site-packages"


def install_into(environment: Environment, name: str, version: str) -> Path:
    """As a user's installer does: a module, a script and metadata with their RECORD."""
    directory = site_packages(environment)
    dist_info = directory / f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "VERSION = 'the copy'\n",
        f"../../../bin/{name}-own": "#!/bin/sh\n",
        f"{dist_info.name}/METADATA": METADATA.format(name, version),
        f"{dist_info.name}/WHEEL": "Wheel-Version: 1.0\nGenerator: other\n",
    }
    files[f"{dist_info.name}/RECORD"] = "".join(f"{path},,\n" for path in files)
    dist_info.mkdir(parents=True)
    for path, content in files.items():
        (directory / path).write_text(content)
    return dist_info


@pytest.mark.parametrize(
    ("folder", "link"),
    [("plain", "file"), ("a b " + "long" * 40, "directory")],
    ids=["file-links", "directory-links-awkward-path"],
)
def test_every_shim_is_seen_and_the_code_is_the_views(
    tmp_path: Path, folder: str, link: str
) -> None:
    site = Site(tmp_path / folder, HERE)
    site.add_python()
    install_all(site, link)
    environment = site.finish()
    changes = sync(environment)
    assert str(changes.layer) == "made, 3 shims written"
    assert seen(environment) == ["A==1.0", "C==3", "b==2"]
    program = "import importlib.metadata as m, b, a; print(*m.requires('b'), a.__file__)"
    assert run(environment, "-c", program) == (
        f'a>=1 c ; extra == "x" {site.view / site.library / "a.py"}'
    )
    for script in ("a-run", "a-script"):
        expected = f"{environment.venv} x y"
        assert run(environment, environment.venv / "bin" / script, "x", "y") == expected
    assert not plan(environment)


@pytest.mark.parametrize("thorough", [True, False])
def test_unchanged_is_not_written(venv_site: Site, thorough: bool) -> None:
    install_all(venv_site)
    environment = venv_site.finish()
    sync(environment)
    before = times(environment)
    again = sync(environment, thorough=thorough)
    assert (bool(again), str(again), times(environment)) == (False, "in step", before)


def test_what_is_found_thoroughly_and_what_by_name(venv_site: Site) -> None:
    provide(venv_site)
    environment = venv_site.finish()
    sync(environment)
    before = contents(environment)
    dist_info = site_packages(environment) / "a-1.dist-info"

    def found() -> Tuple[bool, bool]:
        return bool(plan(environment, thorough=False)), bool(plan(environment, thorough=True))

    (dist_info / "METADATA").write_text("changed\n")
    assert found() == (False, True)
    sync(environment)
    (environment.venv / "bin" / "a-run").unlink()
    assert found() == (False, True)
    sync(environment)
    shutil.rmtree(dist_info)
    assert found() == (True, True)
    sync(environment, thorough=False)
    next(environment.wheels.iterdir()).unlink()
    assert found() == (True, True)
    sync(environment, thorough=False)
    assert contents(environment) == before


def test_what_is_as_it_was_is_not_read_again(
    venv_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tells is the time of a file, also where somebody puts that back."""
    install_all(venv_site)
    environment = venv_site.finish()
    sync(environment)
    stamps = environment.state / "stamps"
    later = stamps.stat().st_mtime_ns + 10**9
    os.utime(stamps, ns=(later, later))
    with monkeypatch.context() as patch:
        patch.setattr(shims, "render", None)
        patch.setattr("pyvarium.provided.read_distribution", None)
        assert not plan(environment)

    store = next(environment.path.parent.glob("store/py-a-*"))
    metadata = venv_site.library / "a-1.0.dist-info" / "METADATA"
    installed = site_packages(environment) / "a-1.0.dist-info" / "METADATA"
    for path in (installed, store / "bin" / "a-script", store / metadata):
        status, content = path.stat(), path.read_bytes()
        path.write_bytes(content.replace(b"a", b"b"))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert plan(environment)
        path.write_bytes(content)
        assert not sync(environment)


def test_what_an_automatic_sync_has_added_is_read(venv_site: Site) -> None:
    """The stamps that are there are of what was compared before it."""
    provide(venv_site)
    environment = venv_site.finish()
    sync(environment)
    provide(venv_site, "b")
    venv_site.finish()
    sync(environment, thorough=False)
    metadata = venv_site.view / venv_site.library / "b-1.dist-info" / "METADATA"
    metadata.write_text(METADATA.format("b", "2"))
    assert str(plan(environment)) == "b==1 -> 2"


@pytest.mark.parametrize("name", ["a-2.dist-info", "gone-1.dist-info", "a-1.dist-info" + NEW])
def test_what_comes_beside_shims_is_found(venv_site: Site, name: str) -> None:
    """A copy of what is provided, a shim of what is not, and what a killed sync leaves."""
    provide(venv_site)
    environment = venv_site.finish()
    sync(environment)
    stamps = environment.state / "stamps"
    later = stamps.stat().st_mtime_ns + 10**9
    os.utime(stamps, ns=(later, later))
    directory = site_packages(environment)
    if name.startswith("gone"):
        shutil.copytree(directory / "a-1.dist-info", directory / name)
    else:
        (directory / name).mkdir()
        (directory / name / "METADATA").write_text(METADATA.format("A", "2"))
    assert plan(environment).layer is not None
    found = plan(environment).layer
    assert found and (found.stale or found.copies)


def test_a_venv_that_was_only_begun_is_made_anew(python_site: Site) -> None:
    provide(python_site)
    environment = python_site.finish()
    sync(environment)
    made = contents(environment)
    (environment.venv / NEW).touch()
    shutil.rmtree(environment.venv / "lib")
    (environment.venv / "bin" / "activate").unlink()
    assert (str(sync(environment).layer), contents(environment)) == ("made, 1 shims written", made)


def test_a_script_is_there_while_its_shim_is_replaced(venv_site: Site) -> None:
    """The new one is written first; then nothing is left of what a killed sync has begun."""
    provide(venv_site)
    environment = venv_site.finish()
    sync(environment)
    script = environment.venv / "bin" / "a-run"
    before = script.read_bytes()
    shutil.rmtree(venv_site.view / venv_site.library / "a-1.dist-info")
    provide(venv_site, "a", "2")
    environment = venv_site.finish()
    (site_packages(environment) / f"a-2.dist-info{NEW}").write_text("in the way")
    (script.parent / f"b{NEW}").touch()
    removed: List[str] = []
    real = os.unlink

    def unlink(path: Any, **others: Any) -> None:
        removed.append(os.path.basename(path))
        real(path, **others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        sync(environment)
    assert "a-run" not in removed and script.read_bytes() == before
    assert not [name for name in bin_of(environment) if name.endswith(NEW)]


def test_between_bound_and_portable(venv_site: Site) -> None:
    """Portable, nothing can be uninstalled but pip, and no wheel is needed."""
    provide(venv_site)
    provide(venv_site, "pip", "25")
    environment = venv_site.finish()
    with_mode(environment, "bound")
    sync(environment)
    bound = contents(environment)
    with_mode(environment, "portable")
    sync(environment)
    portable = contents(environment)
    records = f".venv/lib/python{HERE}/site-packages/{{}}.dist-info/RECORD"
    wheels = {name for name in bound if name.endswith(".whl")}
    assert bound.keys() - portable.keys() == {
        *wheels,
        records.format("a-1"),
    }
    assert len(wheels) == 2
    assert records.format("pip-25") in portable
    assert not plan(environment)
    with_mode(environment, "bound")
    sync(environment)
    assert contents(environment) == bound


def test_without_a_view_the_code_is_the_stores(python_site: Site) -> None:
    install_all(python_site)
    python = python_site.spec("python", f"{HERE}.0")
    python_site.prefixes[python] = python_site.root / "python"
    (python_site.root / "python").mkdir()
    (python_site.view / "bin").rename(python_site.root / "python" / "bin")
    environment = python_site.finish(view=False)
    sync(environment)
    assert seen(environment) == ["A==1.0", "C==3", "b==2"]
    expected = python_site.prefixes[python_site.roots[0]] / python_site.library / "a.py"
    assert run(environment, "-c", "import b, a; print(a.__file__)") == str(expected)


def test_a_view_outside_of_the_environment(tmp_path: Path) -> None:
    site = Site(tmp_path, HERE)
    site.add_python()
    provide(site)
    outside = tmp_path / "outside"
    site.view.rename(outside)
    environment = replace(site.finish(), views=(outside,))
    sync(environment)
    expected = outside / site.library / "a.py"
    assert run(environment, "-c", "import a; print(a.__file__)") == str(expected)


@pytest.mark.parametrize("there", [True, False], ids=["empty", "purged"])
def test_a_venv_on_another_disk(python_site: Site, there: bool) -> None:
    """It imports from the view whichever way it is called."""
    provide(python_site)
    environment = python_site.finish()
    disk = python_site.root / "disk" / "of" / "mine"
    if there:
        disk.mkdir(parents=True)
    environment.venv.symlink_to(disk)
    sync(environment)
    assert environment.venv.is_symlink()
    expected = str(python_site.view / python_site.library / "a.py")
    for python in (environment.venv / "bin" / "python", disk / "bin" / "python"):
        assert run(environment, python, "-c", "import a; print(a.__file__)") == expected
    assert not plan(environment)


def test_a_moved_environment(python_site: Site) -> None:
    provide(python_site)
    before = python_site.finish()
    sync(before)
    python_site.path.rename(python_site.root / "moved")
    python_site.path = python_site.root / "moved"
    python_site.view = python_site.path / ".spack-env" / "view"
    environment = python_site.finish()
    sync(environment)
    assert run(environment, environment.venv / "bin" / "a-run") == str(environment.venv)
    assert not plan(environment)


def test_what_is_not_provided_any_more_goes(python_site: Site) -> None:
    """With its scripts, whoever has installed it; nothing of a user's goes with it."""
    install_all(python_site)
    environment = python_site.finish()
    sync(environment)
    shim = site_packages(environment) / "a-1.0.dist-info"
    by_installer = site_packages(environment) / "_spack_a-1.0.pth"
    by_installer.write_text("/gone\n")
    install_into(environment, "own", "1")
    own = {name for name in contents(environment) if "own" in name}
    shutil.rmtree(python_site.view / python_site.library)
    (python_site.view / python_site.library).mkdir()
    python_site.nodes.clear()
    python_site.roots.clear()
    changes = sync(python_site.finish())
    assert str(changes.layer) == "6 removed"  # A shim and its wheel each.
    assert seen(environment) == ["own==1"]
    assert not shim.exists() and not by_installer.exists()
    assert [name for name in bin_of(environment) if name.startswith("a-")] == []
    assert {name for name in contents(environment) if "own" in name} == own
    assert os.listdir(environment.wheels) == []
    assert not plan(environment)


@pytest.mark.parametrize("mode", ["bound", "portable"])
def test_a_build_with_other_scripts(venv_site: Site, mode: str) -> None:
    dag_hash = provide(venv_site)
    environment = venv_site.finish()
    with_mode(environment, mode)
    sync(environment)
    venv_site.add(
        dag_hash,
        venv_site.library / "a-1.dist-info" / "entry_points.txt",
        "[console_scripts]\nother-run = a:main\n",
    )
    sync(environment)
    assert [name for name in bin_of(environment) if "-run" in name] == ["other-run"]


def test_a_copy_is_reported_and_stays(venv_site: Site) -> None:
    provide(venv_site)
    provide(venv_site, "pip", "25")
    environment = venv_site.finish()
    sync(environment)
    for name in ("a-1", "pip-25"):
        shutil.rmtree(site_packages(environment) / f"{name}.dist-info")
    copy, _ = install_into(environment, "a", "1"), install_into(environment, "pip", "26")
    before = contents(environment)
    changes = sync(environment)
    reason = "shadows Spack's a; run 'spack pyvarium verify --fix'"
    assert changes.skipped == (Skipped(str(copy), reason, fault=True),)
    after = contents(environment)
    after[".spack-env/pyvarium/layer.json"] = before[".spack-env/pyvarium/layer.json"]
    assert after == before
    for thorough in (True, False):
        again = plan(environment, thorough=thorough)
        assert (bool(again), again.skipped) == (False, changes.skipped)


def other_venv(path: Path) -> None:
    """A venv whose python is not the one that runs the tests."""
    ordinary.create(path, symlinks=True)
    for name in ("python", "python3", f"python{HERE}"):
        with_other = path / "bin" / name
        with_other.unlink(missing_ok=True)
        with_other.symlink_to("/bin/sh")


def test_a_venv_of_another_python_is_the_users(python_site: Site) -> None:
    provide(python_site)
    environment = python_site.finish()
    other_venv(environment.venv)
    before = {name: one for name, one in contents(environment).items() if ".venv" in name}
    changes = sync(environment)
    [fault] = changes.skipped
    assert fault == Skipped(
        str(environment.venv),
        f"is of another python than Spack's ({os.path.realpath(sys.executable)});"
        " remove it, and 'spack pyvarium sync' makes it anew",
        fault=True,
    )
    after = {name: one for name, one in contents(environment).items() if ".venv" in name}
    assert after == before
    assert not plan(environment)


def test_a_venv_of_ours_is_made_anew_for_another_python(python_site: Site) -> None:
    provide(python_site)
    environment = python_site.finish()
    sync(environment)
    before = contents(environment)
    other_venv(environment.venv)
    assert str(sync(environment).layer) == "made, 1 shims written"
    assert contents(environment) == before


def test_a_venv_that_a_tool_has_made_anew(python_site: Site) -> None:
    provide(python_site)
    environment = python_site.finish()
    sync(environment)
    shutil.rmtree(environment.venv)
    ordinary.create(environment.venv, symlinks=True)
    assert str(sync(environment, thorough=False).layer) == "1 shims written"
    assert seen(environment) == ["a==1"]


def interrupt(environment: Environment) -> None:
    """Leave what syncs leave that are killed at their worst."""
    directory = site_packages(environment)
    for name in ("a-1.dist-info.spack-new~", "gone-1.dist-info.spack-old~"):
        shutil.copytree(directory / "a-1.dist-info", directory / name)
    (directory / name / "WHEEL").unlink()
    shutil.rmtree(directory / "a-1.dist-info")
    (environment.venv / "bin" / "b-run").write_bytes(b"#!")
    [wheel] = environment.wheels.glob("a-*")
    (environment.wheels / f"~{wheel.name}").write_bytes(wheel.read_bytes()[:100])
    wheel.write_bytes(b"")
    for name in ("layer.json", "pip-constraints.txt"):
        (environment.state / name).write_text("{")
    (directory / "_spack_pyvarium.pth").write_text("")


def test_interrupted_writes_heal(venv_site: Site) -> None:
    provide(venv_site)
    provide(venv_site, "b")
    environment = venv_site.finish()
    sync(environment)
    before = contents(environment)
    interrupt(environment)
    sync(environment, thorough=False)
    assert contents(environment) == before
    assert not plan(environment)


def test_what_stands_where_a_shim_goes(venv_site: Site) -> None:
    """Left by an installation that was killed, or made by hand: no distribution, so no user's."""
    provide(venv_site)
    environment = venv_site.finish()
    sync(environment)
    before = contents(environment)
    shim = site_packages(environment) / "a-1.dist-info"
    shutil.rmtree(shim)
    shim.write_text("a file\n")
    sync(environment)
    assert contents(environment) == before
    shutil.rmtree(shim)
    elsewhere = venv_site.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    shim.symlink_to(elsewhere)
    sync(environment)
    assert contents(environment) == before
    assert os.listdir(elsewhere) == ["kept"]


HOSTILE = """[console_scripts]
.. = a:main
../../outside = a:main
python = a:main
python3 = a:main
activate = a:main
good = a:main
"""


def test_no_script_gets_out_of_its_place(python_site: Site) -> None:
    dag_hash = python_site.install("py-a", "1")
    info = python_site.library / "a-1.dist-info"
    python_site.add(dag_hash, python_site.library / "a.py", MODULE)
    python_site.add(dag_hash, info / "entry_points.txt", HOSTILE)
    names = ["../../../bin/python", "../../../bin/activate", "../../../bin/..", "../../../bin/x"]
    names += ["../../../../../bin/evil", "/bin/evil", "../../../bin/../../evil", "bin/evil"]
    python_site.add(dag_hash, info / "RECORD", "".join(f"{name},,\n" for name in names))
    for name in ("bin/python", "bin/activate", "bin/x", "../../bin/evil", "../evil"):
        python_site.add(dag_hash, name, "#!/usr/bin/env python3\nprint('x')\n")
    environment = python_site.finish()
    before = {name for name, _ in walk(python_site.root)}
    sync(environment)
    plain = python_site.root / "plain"
    ordinary.create(plain, symlinks=True)
    assert bin_of(environment) == sorted([*os.listdir(plain / "bin"), "good", "x"])
    assert run(environment, "-c", "import a; a.main()") == str(environment.venv)
    after = {name for name, _ in walk(python_site.root)}
    assert all(name.startswith(("my-env", "plain")) for name in after - before)
    assert not plan(environment)


def walk(root: Path) -> Iterator[Tuple[str, Path]]:
    for directory, _, names in os.walk(root):
        for name in names:
            yield os.path.relpath(f"{directory}/{name}", root), Path(directory, name)


def test_metadata_that_is_not_utf_8_and_a_huge_record(python_site: Site) -> None:
    dag_hash = python_site.install("py-a", "1", METADATA.format("a", "1") + "Author: \udce9\n")
    info = python_site.library / "a-1.dist-info"
    record = b"".join(b"a/%d.py,sha256=%d,1\n" % (n, n) for n in range(100_000))
    python_site.add(dag_hash, info / "RECORD", record + b"../../../bin/\xe9,,\n")
    python_site.add(dag_hash, info / "entry_points.txt", b"[console_scripts]\n\xe9 = a:b\n")
    environment = python_site.finish()
    sync(environment)
    assert seen(environment) == ["a==1"]
    assert not plan(environment)


def test_unreadable_metadata_is_one_line(venv_site: Site) -> None:
    venv_site.install("py-a", "1")
    entry_points = venv_site.view / venv_site.library / "a-1.dist-info" / "entry_points.txt"
    entry_points.symlink_to("/nowhere")
    with pytest.raises(PyvariumError) as caught:
        sync(venv_site.finish())
    assert str(caught.value) == (
        f"{entry_points}: cannot be read (No such file or directory);"
        " run 'spack install --overwrite' for py-a@1"
    )


def test_two_distributions_with_a_script_of_one_name(venv_site: Site) -> None:
    for name in ("a", "b"):
        dag_hash = venv_site.install(f"py-{name}", "1")
        info = venv_site.library / f"{name}-1.dist-info"
        text = f"[console_scripts]\nrun = {name}:main\n"
        venv_site.add(dag_hash, info / "entry_points.txt", text)
    environment = venv_site.finish()
    sync(environment)
    assert not plan(environment)


@pytest.mark.programs
def test_two_syncs_at_once(python_site: Site) -> None:
    for name in "abcdef":
        provide(python_site, name)
    environment = python_site.finish()
    command = [sys.executable, "-m", "pyvarium", "sync", str(environment.path)]
    environ = {**os.environ, "PYTHONPATH": str(SOURCES)}
    started = [
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    said = sorted((one.communicate()[0].decode(), one.returncode) for one in started)
    assert said[0] == (f"{environment.pyproject}: created with 6 pins\n", 0)
    assert said[1:] == [(f"{environment.pyproject}: in step\n", 0)] * 2
    assert not plan(environment)


def test_constraints_for_pip_in_a_path_with_blanks(tmp_path: Path) -> None:
    site = Site(tmp_path / "a b", HERE)
    site.add_python()
    site.add_venv()
    provide(site)
    environment = site.finish()
    sync(environment)
    [line] = (environment.state / "pip-constraints.txt").read_text().splitlines()
    [wheel] = environment.wheels.iterdir()
    assert line == f"a @ {wheel.as_uri()}"
    lines = (environment.venv / "pip.conf").read_text().splitlines()
    uri = (environment.state / "pip-constraints.txt").as_uri()
    assert lines[-2:] == ["[install]", f"constraint = {uri}"]


@pytest.mark.parametrize("name", ["a:b", "a\nb"])
def test_a_path_that_no_shell_can_hold(name: str, tmp_path: Path) -> None:
    """There is no layer then, but the pins are written."""
    site = Site(tmp_path / name, HERE)
    site.add_python()
    provide(site)
    environment = site.finish()
    done = sync(environment)
    reason = "cannot be made: no PATH can hold a colon or a line break; move the environment"
    assert done.skipped == (Skipped(str(environment.venv), reason, fault=True),)
    assert [str(pin) for pin in done.pins] == ["a==1"]
    assert not (environment.venv.exists() or plan(environment))


def refused(environment: Environment) -> str:
    with pytest.raises(PyvariumError) as caught:
        sync(environment)
    return str(caught.value)


def test_a_python_that_makes_no_venv(python_site: Site) -> None:
    provide(python_site)
    python = python_site.view / "bin" / "python3"
    python.unlink()
    python.write_text("#!/bin/sh\necho 'no module named venv' >&2\nexit 1\n")
    environment = python_site.finish()
    message = f"{environment.venv}: cannot be made by {python} -E -s -m venv ({{}}); "
    message += "mend this python or choose another one"
    python.chmod(0o755)
    assert refused(environment) == message.format("no module named venv")
    python.chmod(0o644)
    assert refused(environment) == message.format("Permission denied")


def test_bad_places(venv_site: Site) -> None:
    provide(venv_site)
    environment = venv_site.finish()
    environment.state.mkdir(parents=True)
    environment.wheels.touch()
    assert refused(environment).startswith(f"{environment.wheels}/a-1-0_")
    assert refused(environment).endswith(
        ": cannot be read (Not a directory); move away what stands there"
    )
    environment.wheels.unlink()
    sync(environment)
    script = environment.venv / "bin" / "a-run"
    script.unlink()
    (script / "of-a-user").mkdir(parents=True)
    message = f"{script}: cannot be written (Is a directory); mend this and sync again"
    assert refused(environment) in (
        message,
        message.replace("Is a directory", "Operation not permitted"),
    )


def test_no_space(venv_site: Site) -> None:
    """Nothing is left half under its name, and the next sync does the rest."""
    dag_hash = provide(venv_site)
    environment = venv_site.finish()
    sync(environment)
    shutil.rmtree(site_packages(environment) / "a-1.dist-info")
    text = METADATA.format("a", "1") + "Summary: " + "long" * 5000 + "\n"
    (venv_site.prefixes[dag_hash] / venv_site.library / "a-1.dist-info" / "METADATA").write_text(
        text
    )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        message = refused(environment)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert message == (
        f"{environment.venv}: cannot be written (File too large); mend this and sync again"
    )
    sync(environment)
    assert not plan(environment)
    metadata = site_packages(environment) / "a-1.dist-info" / "METADATA"
    assert metadata.read_text() == text


def test_a_venv_that_is_read_only() -> None:
    """Seen with the rights of another user than root."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        site = Site(Path(directory), HERE)
        python = site.view / "bin" / "python3"
        python.parent.mkdir()
        python.touch(mode=0o755)
        provide(site)
        environment = site.finish()
        site_packages(environment).mkdir(parents=True)
        (environment.venv / "bin").mkdir()
        (environment.venv / "bin" / "python").symlink_to(python)
        environment.state.mkdir(mode=0o777)
        for path in (environment.path, environment.state):
            path.chmod(0o777)
        root = os.getuid() == 0
        if root:
            os.seteuid(65534)
        try:
            message = refused(environment)
        finally:
            if root:
                os.seteuid(0)
        temporary = site_packages(environment) / "a-1.dist-info.spack-new~"
        assert message == (
            f"{temporary}: cannot be written (Permission denied); mend this and sync again"
        )


def test_the_keys_of_a_backend_are_for_these_wheels(venv_site: Site) -> None:
    provide(venv_site)
    environment = venv_site.finish()
    environment.pyproject.write_text("[tool.poetry]\n")
    sync(environment)
    groups: Any = loads(environment.pyproject.read_text())["tool"]["poetry"]["group"]
    wheel = environment.path / groups["spack"]["dependencies"]["a"]["path"]
    assert [wheel] == list(environment.wheels.iterdir())
    table = groups["spack-provided"]["dependencies"]["spack-provided"]
    project = environment.path / table["path"]
    required: Any = loads((project / "pyproject.toml").read_text())["tool"]["poetry"]
    assert (project / required["dependencies"]["a"]["path"]).resolve() == wheel.resolve()
    assert direct_urls(environment) == {
        "a": {"archive_info": {}, "url": wheel.as_uri()},
        "spack_provided": {"dir_info": {}, "url": project.as_uri()},
    }
    assert (environment.path / "poetry.toml").read_text() == "[virtualenvs]\nin-project = true\n"
    environment.pyproject.write_text("[tool.pyvarium]\nbackend = 'pdm'\n")
    sync(environment)
    assert (direct_urls(environment), list(project.parent.iterdir())) == ({}, [])
    assert [path.name for path in site_packages(environment).glob("*-info")] == ["a-1.dist-info"]
    assert not (environment.path / "poetry.toml").exists()


def direct_urls(environment: Environment) -> Dict[str, object]:
    return {
        path.parent.name.partition("-")[0]: json.loads(path.read_text())
        for path in site_packages(environment).glob("*/direct_url.json")
    }


def umbrellas(environment: Environment) -> List[str]:
    return sorted(os.listdir(environment.path / umbrella.DIRECTORY))


def test_the_umbrella_is_there_beside_a_venv_of_the_users(python_site: Site) -> None:
    """The file of the project names it, and Poetry could not lock without."""
    provide(python_site)
    environment = python_site.finish()
    environment.pyproject.write_text("[tool.poetry]\n")
    other_venv(environment.venv)
    sync(environment)
    [name] = umbrellas(environment)
    assert name in environment.pyproject.read_text()
    assert not plan(environment)


def test_the_umbrella_is_written_again(venv_site: Site) -> None:
    provide(venv_site)
    environment = venv_site.finish()
    environment.pyproject.write_text("[tool.poetry]\n")
    sync(environment)
    [name] = umbrellas(environment)
    file = environment.path / umbrella.DIRECTORY / name / "pyproject.toml"
    text = file.read_text()
    file.write_text("changed\n")
    assert not sync(environment, thorough=False).pyproject
    assert (file.read_text(), bool(plan(environment))) == (text, False)


def test_the_umbrella_is_of_what_is_provided_now(venv_site: Site) -> None:
    """That which is locked stays beside it, until there is a next one."""
    found = []
    for name in "abc":
        provide(venv_site, name)
        environment = venv_site.finish()
        if name == "a":
            environment.pyproject.write_text("[tool.poetry]\n")
        sync(environment, thorough=False)
        found.append(umbrellas(environment))
        assert not plan(environment)
        if name == "a":
            lock = f'[[package]]\nname = "spack-provided"\nversion = "0"\n# {found[0][0]}\n'
            (environment.path / "poetry.lock").write_text(lock)
        elif name == "b":
            (environment.path / "poetry.lock").write_text("")
    [[first], both, [third]] = found
    assert (len({first, *both, third}), first in both, third in both) == (3, True, False)
    assert third in environment.pyproject.read_text()


def test_pip_may_note_where_a_shim_comes_from(venv_site: Site) -> None:
    provide(venv_site)
    environment = venv_site.finish()
    settings = "[tool.pyvarium]\nbackend = '{}'\n"
    environment.pyproject.write_text(settings.format("pip"))
    (site_packages(environment) / "pip").mkdir()  # Else it is brought, which takes seconds.
    sync(environment)
    [wheel] = environment.wheels.iterdir()
    direct_url = site_packages(environment) / "a-1.dist-info" / "direct_url.json"
    for url, in_step in (
        (wheel.as_uri(), True),
        ("file:///elsewhere/a-1-py3-none-any.whl", False),
    ):
        direct_url.write_text(json.dumps({"archive_info": {}, "url": url}))
        assert bool(plan(environment)) != in_step
    sync(environment)
    direct_url.write_text(json.dumps({"archive_info": {}, "url": wheel.as_uri()}))
    environment.pyproject.write_text(settings.format("uv"))
    sync(environment)
    assert not direct_url.exists()


@pytest.mark.parametrize("mode", ["bound", "portable"])
def test_an_installer_may_leave_out_its_name(venv_site: Site, mode: str) -> None:
    """But not where that is what keeps others from uninstalling it."""
    provide(venv_site)
    environment = venv_site.finish()
    with_mode(environment, mode)
    sync(environment)
    (site_packages(environment) / "a-1.dist-info" / "INSTALLER").unlink()
    assert bool(plan(environment)) == (mode == "portable")
