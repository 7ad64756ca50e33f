# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import json
import shutil
import sys
from pathlib import Path
from typing import Dict, Optional

import pytest
from packaging.pylock import Pylock

from conftest import HERE, Site
from pyvarium import exports
from pyvarium.__main__ import main
from pyvarium.commands import export
from pyvarium.errors import FileError, PyvariumError
from pyvarium.exports import Wish, read_contents
from pyvarium.locked import Locked
from pyvarium.model import Environment
from pyvarium.sync import sync
from pyvarium.toml_text import parse

LOCK = """
version = 1
[[package]]
name = "my-env"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "up" }, { name = "a" }]
[package.dev-dependencies]
test = [{ name = "setuptools" }]
spack = [{ name = "a" }]
[[package]]
name = "a"
version = "1"
source = { registry = ".spack-env/pyvarium/wheels" }
wheels = [{ path = "a-1-0_x_y-py3-none-any.whl" }]
[[package]]
name = "up"
version = "2"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files.example.org/up-2-py3-none-any.whl", hash = "sha256:bb" }]
[[package]]
name = "setuptools"
version = "3"
source = { registry = "https://pypi.org/simple" }
"""
PORTABLE = LOCK.replace(
    'source = { registry = ".spack-env/pyvarium/wheels" }\n'
    'wheels = [{ path = "a-1-0_x_y-py3-none-any.whl" }]',
    'source = { registry = "https://pypi.org/simple" }\n'
    'sdist = { url = "https://files.example.org/a-1.tar.gz", hash = "sha256:aa" }',
)


def made(site: Site, lock: Optional[str] = LOCK, mode: str = "bound") -> Environment:
    """An environment in step, of which a lock is."""
    site.install("py-a", "1")
    site.spec("python", f"{site.library.parent.name[6:]}.1")
    environment = site.finish()
    environment.pyproject.write_text(
        f"[tool.pyvarium]\nbackend = 'uv'\nmode = '{mode}'\n[project]\nname = 'my-env'\n"
        f"version = '0'\nrequires-python = '=={site.library.parent.name[6:]}.*'\n"
    )
    if lock is not None:
        (environment.path / "uv.lock").write_text(lock)
    sync(environment)
    return environment


def text_of(environment: Environment, form: str, *words: str) -> str:
    """What is exported, but for the comment."""
    path = environment.path / "export"
    assert main(["export", form, str(environment.path), "-o", str(path), "--force", *words]) == 0
    lines = path.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


@pytest.mark.parametrize(
    ("form", "words", "expected"),
    [
        ("requirements", (), "a==1\nup==2\n"),
        ("requirements", ("--group", "test"), "a==1\nsetuptools==3\nup==2\n"),
        ("constraints", (), "a==1\nup==2\n"),
        (
            "conda",
            (),
            'name: "my-env"\nchannels:\n- conda-forge\ndependencies:\n- python=3.11\n- a==1\n'
            "- pip\n- pip:\n  - up==2\n",
        ),
    ],
)
def test_what_is_exported(site: Site, form: str, words: Dict[str, str], expected: str) -> None:
    assert text_of(made(site), form, *words) == expected


def test_hashes_of_a_portable_project(site: Site) -> None:
    environment = made(site, PORTABLE, "portable")
    hashed = "a==1 \\\n    --hash=sha256:aa\nup==2 \\\n    --hash=sha256:bb\n"
    assert text_of(environment, "requirements") == hashed
    assert text_of(environment, "constraints", "--hashes") == hashed
    assert text_of(environment, "requirements", "--no-hashes") == "a==1\nup==2\n"


def test_hashes_of_a_bound_project_are_of_its_wheels(venv_site: Site) -> None:
    environment = made(venv_site)
    [wheel] = environment.wheels.iterdir()
    text = text_of(environment, "requirements", "--hashes")
    assert text.count("--hash") == 2
    shutil.rmtree(environment.wheels)
    with pytest.raises(PyvariumError, match="has no wheel for a; run 'spack pyvarium sync'"):
        export(environment, None, Wish("requirements", hashes=True))
    assert wheel.name.startswith("a-1-0_")


def test_pylock(venv_site: Site) -> None:
    environment = made(venv_site)
    [wheel] = environment.wheels.iterdir()
    read = Pylock.from_dict(parse(text_of(environment, "pylock"), "pylock.toml"))
    assert [(one.name, str(one.version), str(one.index)) for one in read.packages] == [
        ("a", "1", "None"),
        ("up", "2", "https://pypi.org/simple"),
    ]
    [shim], [file] = (one.wheels for one in read.packages)
    assert (shim.path, shim.size) == (
        f".spack-env/pyvarium/wheels/{wheel.name}",
        wheel.stat().st_size,
    )
    assert (file.url, dict(file.hashes)) == (
        "https://files.example.org/up-2-py3-none-any.whl",
        {"sha256": "bb"},
    )
    assert str(read.requires_python) == str(
        parse(environment.pyproject.read_text(), "")["project"]["requires-python"]
    ).replace(f"=={HERE}.*", f"<3.{int(HERE.split('.')[1]) + 1},>={HERE}")


def test_pylock_of_a_portable_project(site: Site) -> None:
    text = text_of(made(site, PORTABLE, "portable"), "pylock")
    read = Pylock.from_dict(parse(text, "pylock.toml"))
    assert read.packages[0].sdist.url == "https://files.example.org/a-1.tar.gz"


def test_urls_are_asked_of_the_index(site: Site) -> None:
    """A lock of Poetry's has file names alone; what the index has under other hashes is not it."""
    environment = made(site, None)
    (environment.path / "poetry.lock").write_text(
        '[[package]]\nname = "up"\nversion = "2"\ngroups = ["main"]\nfiles = [\n'
        '  { file = "up-2.tar.gz", hash = "sha256:aa" },\n'
        '  { file = "up-2-py3-none-any.whl", hash = "sha256:bb" },\n]\n'
    )
    environment.pyproject.write_text(environment.pyproject.read_text().replace("'uv'", "'poetry'"))
    contents = read_contents(environment, None, Wish("pylock"))
    found = exports.with_urls(contents, lambda _: {"sha256:bb": "https://example.org/up.whl"})
    assert [(one.hash, one.url) for one in found.upper[0].files] == [
        ("sha256:bb", "https://example.org/up.whl")
    ]
    none = exports.with_urls(contents, lambda _: {})
    assert none.upper == (Locked("up", "2"),)


def test_what_is_installed_stands_in_for_a_lock(venv_site: Site) -> None:
    environment = made(venv_site, None)
    library = environment.venv / venv_site.library
    for name in ("up", "local", "setuptools"):
        (library / f"{name}-2.dist-info").mkdir()
        (library / f"{name}-2.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 2\n")
    (library / "local-2.dist-info" / "direct_url.json").write_text("{}")
    contents = read_contents(environment, None, Wish("requirements"))
    assert (contents.origin, contents.upper) == (".venv", (Locked("up", "2"),))
    assert [one.subject for one in contents.skipped] == ["local"]
    (environment.path / "pylock.toml").write_text(
        'lock-version = "1.0"\n[[packages]]\nname = "up"\nversion = "2"\n[packages.sdist]\n'
        'url = "https://files.example.org/up-2.tar.gz"\nhashes = { sha256 = "aa" }\n'
    )
    [up] = read_contents(environment, None, Wish("requirements")).upper
    assert [file.hash for file in up.files] == ["sha256:aa"]
    with pytest.raises(PyvariumError, match="has no lock that knows groups"):
        read_contents(environment, None, Wish("requirements", groups=("test",)))


def test_a_checkout_has_pins_alone(site: Site, capsys: pytest.CaptureFixture) -> None:
    environment = made(site)
    whole = text_of(environment, "requirements")
    checkout = site.root / "checkout" / environment.name
    checkout.mkdir(parents=True)
    for name in ("spack.lock", "pyproject.toml", "uv.lock", "export"):
        shutil.copy(environment.path / name, checkout)
    capsys.readouterr()
    assert main(["export", "requirements", str(checkout)]) == 0
    assert capsys.readouterr().out.endswith(whole)
    command = ["export", "requirements", str(checkout), "-o", str(checkout / "export")]
    assert main([*command, "--check"]) == 0
    (checkout / "pyproject.toml").write_text("")
    assert main(command) == 1
    assert "has no pins of what Spack provides" in capsys.readouterr().err


def test_a_stale_lock_is_told(site: Site) -> None:
    environment = made(
        site, LOCK.replace('name = "a"\nversion = "1"', 'name = "a"\nversion = "2"')
    )
    contents = read_contents(environment, None, Wish("requirements"))
    assert [str(one) for one in contents.skipped] == []  # From no index: our own wheel.
    (environment.path / "uv.lock").write_text(
        PORTABLE.replace('name = "a"\nversion = "1"', 'name = "a"\nversion = "2"')
    )
    contents = read_contents(environment, None, Wish("requirements"))
    assert [str(one) for one in contents.skipped] == [
        "a: uv.lock has 2, but Spack provides 1; lock again"
    ]


def test_another_index_is_named(site: Site) -> None:
    other = LOCK.replace("https://pypi.org/simple", "https://user:word@example.org/simple")
    text = text_of(made(site, other), "requirements")
    assert text == "--index-url https://example.org/simple/\na==1\nup==2\n"
    mixed = other.replace(
        'name = "setuptools"\nversion = "3"\nsource = { registry = "https://user:word@example.org',
        'name = "setuptools"\nversion = "3"\nsource = { registry = "https://pypi.org',
    )
    (site.path / "uv.lock").write_text(mixed)
    text = text_of(site.finish(), "requirements", "--group", "test")
    assert text.startswith("--extra-index-url https://example.org/simple/\n")


def test_packages(venv_site: Site) -> None:
    environment = made(venv_site)
    library = environment.venv / venv_site.library
    for name in ("up", "unknown"):
        (library / f"{name}-2.dist-info").mkdir()
        (library / f"{name}-2.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 2\n")
    answer = export(environment, None, Wish("packages"), {"up": "py-up"}.get)
    assert answer.text.splitlines()[2:] == [
        "packages:",
        "  py-up:",
        "    externals:",
        "    - spec: py-up@2",
        f'      prefix: "{environment.venv}"',
    ]
    assert answer.notes == ("Skipped: unknown: has no recipe; left out",)
    with pytest.raises(PyvariumError, match="needs Spack's recipes"):
        export(environment, None, Wish("packages"))


def test_poncho(site: Site) -> None:
    assert json.loads(text_of(made(site), "poncho")) == {
        "conda": {
            "channels": ["conda-forge"],
            "dependencies": ["python=3.11", {"pip": ["a==1", "up==2"]}],
        },
        "made-by": "spack pyvarium export",
        "spack": ["py-a@1"],
    }


def test_no_file_of_somebody_is_replaced(site: Site, capsys: pytest.CaptureFixture) -> None:
    environment = made(site)
    path = environment.path / "requirements.txt"
    command = ["export", "requirements", str(environment.path), "-o", str(path)]
    path.write_text("mine\n")
    assert (main(command), path.read_text()) == (1, "mine\n")
    assert "is there already, with other content" in capsys.readouterr().err
    assert main([*command, "--check"]) == 3
    assert (main([*command, "--force"]), main(command)) == (0, 0)
    path.write_text(path.read_text().replace("up==2", "up==1"))
    assert (main([*command, "--check"]), main(command), main([*command, "--check"])) == (3, 0, 0)
    with pytest.raises(FileError, match="is no regular file"):
        exports.change(site.root, "", force=True)


def test_to_rules_one_may_have_added(site: Site) -> None:
    environment = made(site)
    path = environment.path / "renovate.json"
    command = ["export", "renovate", str(environment.path), "-o", str(path)]
    assert (main(command), main(command)) == (0, 0)
    path.write_text(path.read_text().replace("{", '{ "automerge": false,', 1))
    assert (main(command), main([*command, "--check"]), main([*command, "--force"])) == (1, 3, 0)


def test_the_answer_as_json(site: Site, capsys: pytest.CaptureFixture) -> None:
    environment = made(site)
    path = environment.path / "requirements.txt"
    command = ["export", "requirements", str(environment.path), "-o", str(path), "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(path),
        "in-step": False,
        "origin": "uv.lock",
        "provided": {"a": "1"},
        "python": "3.11",
        "skipped": [],
        "upper": {"up": "2"},
        "written": True,
    }
    for words in (["--json"], ["--check"]):
        with pytest.raises(SystemExit) as error:
            main(["export", "requirements", str(environment.path), *words])
        assert error.value.code == 2


def test_the_heading_has_neither_time_nor_path(site: Site) -> None:
    environment = made(site)
    answer = export(environment, None, Wish("requirements"))
    assert answer.text.splitlines()[:2] == [
        f"# my-env for Python 3.11 on {sys.platform}: what Spack provides, and uv.lock on top.",
        "# Made by 'spack pyvarium export requirements', which replaces it.",
    ]
    assert str(Path(environment.path)) not in answer.text
