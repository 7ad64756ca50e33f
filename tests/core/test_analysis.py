# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The samples under tests/data/imports each say in why.md why they are there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

from conftest import HERE, Site
from pyvarium import findings
from pyvarium.__main__ import main
from pyvarium.analysis import (
    Installed,
    Origin,
    Wish,
    analyze,
    as_project,
    parse_mapping,
    parse_roles,
    requirements,
    stdlib_names,
)
from pyvarium.errors import PyvariumError
from pyvarium.importables import Record
from pyvarium.imports import Host
from pyvarium.layout import Role
from pyvarium.model import Provided
from pyvarium.sources import read_project

SAMPLES = Path(__file__).parents[1] / "data" / "imports"
FEATURES: Dict[str, Dict[str, Any]] = {
    "statements": {},
    "optional": {},
    "conditional": {},
    "lazy": {},
    "typing": {},
    "dynamic": {},
    "toplevel": {"toplevel": True},
    "function": {"function": "Task.run"},
    "block": {},
    "local": {},
    "namespace": {},
    "notebook": {},
    "encoding": {},
}


def installed() -> Installed:
    """numpy of Spack's, and some projects in the venv whose metadata is not there to be read."""
    files = {
        "numpy-2.1.3": "numpy/__init__.py numpy/linalg/__init__.py",
        "scikit_learn-1.6.0": "sklearn/__init__.py sklearn/linear_model/__init__.py",
        "google_auth-2.0": "google/auth/__init__.py google/oauth2/__init__.py",
        "google_cloud_storage-3.0": "google/cloud/storage/__init__.py",
        "protobuf-5.0": "google/protobuf/__init__.py",
        "PyYAML-6.0": "yaml/__init__.py _yaml/__init__.py",
    }
    records = {
        name: Record(Path(f"{name}.dist-info"), "\n".join(["", *text.split()]).encode())
        for name, text in files.items()
    }
    path = records["numpy-2.1.3"].path
    numpy = Provided("numpy", "2.1.3", "py-numpy@2.1.3", "a" * 32, True, path)
    return Installed("3.12", tuple(records.values()), {path: numpy})


@pytest.mark.parametrize("feature", FEATURES)
def test_features(feature: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES / feature)
    script = Path("main.ipynb" if feature == "notebook" else "main.py")
    analysis = analyze(Wish((script,), **FEATURES[feature]), installed())
    found = json.loads(findings.render_json(analysis))
    for one in found["skipped"]:  # What a parser says differs between versions of Python.
        one["reason"] = one["reason"].split(" (line")[0].split(" for Python")[0]
    expected = Path("expected.json")
    if os.environ.get("WRITE_EXPECTED"):
        expected.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    assert found == json.loads(expected.read_text())


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.py", b'print "x"\n', "is not valid for Python"),
        ("a.py", b"import a\n\0", "is binary"),
        ("a.py", bytes(range(1, 256)), "is not valid for Python"),
        ("a.py", b"# coding: none-such\nimport a\n", "is not valid for Python"),
        ("a.py", b"x = " + b"(" * 9999, "is n"),
        ("a.py", b"import a\nx = " + b"-" * 99999 + b"1\n", "is nested too deeply"),
        ("a.py", b"x = 1\n" * 1500000, "is larger than 8 MiB"),
        ("a.ipynb", b"{", "is no notebook"),
        ("a.ipynb", b"[" * 99999, "is no notebook"),
        ("a.ipynb", b'{"cells": [{"cell_type": "code", "source": 3}]}', ""),
        (
            "a.ipynb",
            b'{"cells": [], "metadata": {"kernelspec": {"language": "R"}}}',
            "is a notebo",
        ),
        ("a.py", b"# /// script\n# dependencies = 1\n# ///\n", "has a block whose 'dependencies'"),
        ("a.py", b"# /// script\n# [\n# ///\n", "is not valid TOML"),
        ("a.py", None, "cannot be read (No such file or directory)"),
    ],
)
def test_what_cannot_be_read_is_skipped(
    tmp_path: Path, name: str, content: Any, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "good.py").write_text("import numpy\n")
    paths = (tmp_path / name, tmp_path / "good.py")
    analysis = analyze(Wish(paths), Installed())
    reasons = [one.reason[: len(reason)] for one in analysis.skipped]
    assert (requirements(analysis), reasons) == (("numpy",), [reason] if reason else [])


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "empty.py").write_bytes(b"")
    (tmp_path / "nothing").mkdir()
    names = ("pipe.py", "empty.py", "nothing")
    analysis = analyze(Wish(tuple(tmp_path / name for name in names)), Installed())
    reasons = sorted(one.reason for one in analysis.skipped)
    assert (analysis.files, reasons) == (1, ["has no Python in it", "is no regular file"])


def test_a_directory(tmp_path: Path) -> None:
    """What is in ``src`` is local; what a venv or a hidden directory has is not read."""
    for name, text in {
        "src/own/__init__.py": "import numpy\n",
        "scripts/run.py": "import own\nimport data\n",
        "data/values.py": "x = 1\n",
        ".hidden/a.py": "import hidden\n",
        "env/pyvenv.cfg": "",
        "env/lib/a.py": "import inside\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    analysis = analyze(Wish((tmp_path,)), Installed())
    origins = {one.name: one.origin for one in analysis.found}
    assert (origins, analysis.files) == (
        {"numpy": Origin.INDEX, "own": Origin.LOCAL, "data": Origin.LOCAL},
        3,
    )


def write(directory: Path, files: Dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


FLAT = {
    "own/__init__.py": "import needed\n",
    "own/tests/a.py": "import testing\nimport own\n",
    "own/test_own.py": "import testing\n",
    "docs/conf.py": "import docs_theme\n",
    "noxfile.py": "import building\nimport own\n",
    "manage.py": "import managing\n",
}
BEHIND = {"own/__init__.py": "", "own/a.py": "import needed\n", "tests/b.py": "import own.a\n"}


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({**FLAT, "pyproject.toml": ""}, ("managing", "needed")),
        (FLAT, ("building", "docs-theme", "managing", "needed")),
        ({"setup.cfg": "", "src/own/a.py": "import needed\n", "b.py": "import c\n"}, ("needed",)),
        (BEHIND, ("needed",)),
    ],
    ids=["project", "scripts", "src", "behind"],
)
def test_what_is_not_run_is_not_wanted(
    tmp_path: Path, files: Dict[str, str], wanted: Tuple[str, ...]
) -> None:
    analysis = analyze(Wish((write(tmp_path, files),)), Installed())
    assert requirements(analysis) == wanted
    roles = {one.needed_to for one in analysis.found if not one.wanted and one.project}
    assert roles <= {(Role.TEST,), (Role.DOCS,), (Role.DEVELOPMENT,)}


@pytest.mark.parametrize(
    ("roles", "wanted"),
    [
        (["test"], ("testing",)),
        (["docs"], ("docs-theme",)),
        (["development", "run"], ("building", "managing", "needed")),
    ],
)
def test_roles(tmp_path: Path, roles: List[str], wanted: Tuple[str, ...]) -> None:
    write(tmp_path, {**FLAT, "pyproject.toml": ""})
    wish = Wish((tmp_path,), roles=parse_roles(roles))
    assert requirements(analyze(wish, Installed())) == wanted


TRIED = "try:\n    {}\nexcept ImportError:\n    pass\n"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"own/__init__.py": "from . import a\n"}, ("needed",)),
        ({"own/__init__.py": TRIED.format("from . import a")}, ()),
        (
            {"own/__init__.py": TRIED.format("from . import b"), "own/b.py": "from . import a\n"},
            (),
        ),
        (
            {
                "own/__init__.py": TRIED.format("from . import a"),
                "own/b.py": "from . import a\n",
            },
            ("needed",),
        ),
        ({"own/__init__.py": "if TYPE_CHECKING:\n    from . import a\n"}, ()),
        ({"own/__init__.py": "def f():\n    from . import a\n"}, ("needed",)),
        ({"own/__init__.py": ""}, ("needed",)),
        ({"own/__init__.py": "", "own/a.py": "def f():\n    import x\n"}, ("x",)),
    ],
    ids=[
        "always",
        "tried",
        "deep",
        "other-way",
        "typing",
        "lazy",
        "by-user",
        "function",
    ],
)
def test_on_what_a_module_of_a_project_depends(
    tmp_path: Path, files: Dict[str, str], wanted: Tuple[str, ...]
) -> None:
    write(tmp_path, {"setup.cfg": "", "own/a.py": "import needed\n", **files})
    assert requirements(analyze(Wish((tmp_path,)), Installed())) == wanted


@pytest.mark.parametrize(
    ("source", "wanted", "role"),
    [
        ("x = 1\n", (), Role.VENDORED),
        ("from ._vendor import copy\n", ("needed",), Role.RUN),
        (TRIED.format("from ._vendor import copy"), (), None),
    ],
    ids=["unused", "used", "tried"],
)
def test_copies_of_other_projects(
    tmp_path: Path, source: str, wanted: Tuple[str, ...], role: Optional[Role]
) -> None:
    write(
        tmp_path,
        {
            "setup.cfg": "",
            "own/__init__.py": source,
            "own/_vendor/__init__.py": "",
            "own/_vendor/copy.py": "import needed\n",
        },
    )
    analysis = analyze(Wish((tmp_path,)), Installed())
    [found] = [one for one in analysis.found if one.project]
    assert (requirements(analysis), found.needed_to) == (wanted, (role,) if role else ())


def test_tests_that_are_named_are_wanted(tmp_path: Path) -> None:
    write(tmp_path, {**FLAT, "pyproject.toml": ""})
    paths = (tmp_path, tmp_path / "own" / "tests", tmp_path / "noxfile.py")
    found = requirements(analyze(Wish(paths), Installed()))
    assert found == ("building", "managing", "needed", "testing")


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("try:\n    import yaml\nexcept ImportError:\n    yaml = None\n", ("pyyaml",)),
        ("try:\n    import absent\nexcept ImportError:\n    import yaml\n", ("pyyaml",)),
        ("try:\n    import numpy\nexcept ImportError:\n    import yaml\n", ("numpy==2.1.3",)),
        ("try:\n    import json\nexcept ImportError:\n    import yaml\n", ()),
        ("try:\n    import a\nexcept ImportError:\n    import b\n", ()),
    ],
)
def test_what_is_optional_is_wanted_where_it_is_used(
    tmp_path: Path, source: str, wanted: Tuple[str, ...]
) -> None:
    script = tmp_path / "s.py"
    script.write_text(source)
    assert requirements(analyze(Wish((script,)), installed())) == wanted


@pytest.mark.parametrize("said", ["extend_path(__path__, __name__)", "declare_namespace('a')"])
def test_an_older_namespace_is_shared(tmp_path: Path, said: str) -> None:
    write(
        tmp_path,
        {
            "azure/__init__.py": f"{said}\n",
            "azure/own/__init__.py": "from azure.core import x\nfrom azure.own import y\n",
        },
    )
    found = analyze(Wish((tmp_path,)), Installed()).found
    assert {one.name: one.project for one in found if one.project} == {"azure.core": "azure-core"}


def test_cython(tmp_path: Path) -> None:
    write(tmp_path, {"a.pyx": "import numpy\ncimport libc\n", "b.py": "import a\n"})
    analysis = analyze(Wish((tmp_path,)), Installed())
    assert (requirements(analysis), analysis.files) == (("numpy",), 2)


def test_links_that_lead_nowhere_or_back(tmp_path: Path) -> None:
    (tmp_path / "circle.py").symlink_to("circle.py")
    (tmp_path / "lost.py").symlink_to("nowhere")
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "a.py").write_text("import numpy\n")
    analysis = analyze(Wish((tmp_path,)), Installed())
    reasons = sorted(one.reason for one in analysis.skipped)
    assert (requirements(analysis), reasons) == (
        ("numpy",),
        [
            "cannot be read (No such file or directory)",
            "cannot be read (Too many levels of symbolic links)",
        ],
    )


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.py"
    huge.write_bytes(b"import numpy\n")
    os.truncate(huge, 100_000_000)
    [skipped] = analyze(Wish((huge,)), Installed()).skipped
    assert skipped.reason == "is larger than 8 MiB"


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """As somebody who may not read everything, as root may."""
    root = os.geteuid() == 0
    stdlib_names(Host().version)  # The library of this Python may be root's alone.
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("closed", "mode", "named", "code", "skipped"),
    [
        ("a.py", 0, "a.py", 1, ["a.py"]),
        ("b/c.py", 0, "b", 0, ["b/c.py"]),
        ("b", 0, "b", 1, ["b"]),
        ("b", 0, "b/c.py", 1, ["b/c.py"]),
        ("b", 0o444, "b", 1, ["b/c.py", "b/d.py", "b/e"]),
        ("b", 0o111, "b", 1, ["b"]),
        ("b", 0o111, "b/c.py", 0, []),
        ("b/e", 0, "b", 0, ["b/e"]),
        ("b/pyproject.toml", 0, "b", 0, []),
        ("f.ipynb", 0, "f.ipynb", 1, ["f.ipynb"]),
    ],
)
def test_what_may_not_be_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    closed: str,
    mode: int,
    named: str,
    code: int,
    skipped: List[str],
) -> None:
    for name in ("SPACK_ENV", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    names = ("a.py", "b/c.py", "b/d.py", "b/e/f.py", "b/pyproject.toml", "f.ipynb")
    write(tmp_path, dict.fromkeys(names, ""))
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 65534 if os.geteuid() == 0 else -1, -1)
    monkeypatch.chdir(tmp_path)
    os.chmod(closed, mode)
    try:
        with as_nobody():
            done = main(["analyze", named])
    finally:
        os.chmod(closed, 0o700)
    said = sorted(capsys.readouterr().err.splitlines())
    assert (done, said) == (
        code,
        [f"Skipped: {one}: cannot be read (Permission denied)" for one in skipped],
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--environment", "b"],
            "error: b/pyvenv.cfg: cannot be read (Permission denied); name what you may read",
        ),
        (["-o", "b/out"], "error: b/out: cannot be read (Permission denied); make it readable"),
    ],
)
def test_places_that_may_not_be_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    arguments: List[str],
    said: str,
) -> None:
    write(tmp_path, {"a.py": "", "b/c.py": ""})
    for path in (tmp_path, tmp_path / "b"):
        os.chown(path, 65534 if os.geteuid() == 0 else -1, -1)
    monkeypatch.chdir(tmp_path)
    os.chmod("b", 0)
    try:
        with as_nobody():
            done = main(["analyze", *arguments, "a.py"])
    finally:
        os.chmod("b", 0o700)
    assert (done, capsys.readouterr().err) == (1, f"{said}\n")


def test_many_files_are_as_few(tmp_path: Path) -> None:
    for number in range(220):
        (tmp_path / f"m{number}.py").write_text(f"import a{number % 7}\nimport m{number // 2}\n")
    analysis = analyze(Wish((tmp_path,)), Installed())
    assert (analysis.files, requirements(analysis)) == (220, tuple(f"a{n}" for n in range(7)))


def test_layers(site: Site) -> None:
    """What the view has names its spec; what .venv has comes before it."""
    library = f"lib/python{HERE}/site-packages"
    site = Site(site.root / "here", HERE)
    site.install("py-unrecorded", "3")
    dag_hash = site.install("py-a-b", "1.0")
    site.add(dag_hash, f"{library}/a_b-1.0.dist-info/RECORD", "ab/__init__.py,,\nab/c.py,,\n")
    environment = site.finish()
    folder = environment.venv / library / "d-2.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: D\nVersion: 2\n\n")
    (folder / "RECORD").write_text("dd.cpython-311-x86_64-linux-gnu.so,,\n")
    script = site.root / "s.py"
    script.write_text("import ab.c\nimport dd\nimport unrecorded\n")
    from pyvarium.analysis import installed_in

    found = analyze(Wish((script,)), installed_in(environment)).found
    assert [(one.name, one.origin.value, one.project, one.version, one.spec) for one in found] == [
        ("ab", "spack", "a-b", "1.0", "py-a-b@1.0"),
        ("unrecorded", "spack", "unrecorded", "3", "py-unrecorded@3"),
        ("dd", "venv", "d", "2", None),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "out"),
    [
        (["--format", "requirements", "s.py"], 0, "requests\n"),
        (["--format", "requirements", "--pkg-mapping", "requests=Other", "s.py"], 0, "other\n"),
        (["--format", "requirements", "--extra-pkg", "x>=1", "s.py"], 0, "requests\nx>=1\n"),
        (["-o", "out.txt", "--format", "requirements", "s.py"], 0, "out.txt: written\n"),
        (["none.py"], 1, ""),
        (["--function", "none", "s.py"], 1, ""),
        (["--pkg-mapping", "a", "s.py"], 1, ""),
        (["-o", ".", "s.py"], 1, ""),
        (
            ["--format", "poncho", "s.py"],
            0,
            '{"conda": {"channels": ["conda-forge"], "dependencies":'
            f' ["python={HERE}", {{"pip": ["requests"]}}]}}, "spack": []}}',
        ),
    ],
)
def test_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    arguments: list,
    code: int,
    out: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SPACK_ENV", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    Path("s.py").write_text("import os, requests\n")
    done = main(["analyze", *arguments])
    captured = capsys.readouterr()
    text = captured.out
    text = json.dumps(json.loads(text)) if text.startswith("{") else text
    assert (done, text, len(captured.err.splitlines())) == (code, out, 1 if code else 0)


def test_stdin() -> None:
    analysis = analyze(Wish((Path("-"),)), Installed(), lambda: b"import numpy\n")
    assert findings.render_text(analysis) == (
        "not installed; its project, which the index may have:\n"
        "  numpy: numpy (a guess)  <stdin>:1\n"
        "1 file analyzed\n"
    )


def test_an_environment_from_a_script(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("import yaml\ntry:\n    import rich\nexcept ImportError:\n    pass\n")
    project = read_project(script, json.loads)
    assert (
        [str(one) for one in project.requirements],
        [str(one) for one in project.skipped],
    ) == (["pyyaml"], [f"{script}:3: rich is optional; add rich yourself"])
    with pytest.raises(PyvariumError, match="is no notebook; name another file"):
        script.with_suffix(".ipynb").write_text("")
        as_project(script.with_suffix(".ipynb"))


@pytest.mark.parametrize("text", ["", "a", "=b", "a-b=c", "a=b c", "a="])
def test_mappings_that_are_refused(text: str) -> None:
    with pytest.raises(PyvariumError, match="write IMPORT=NAME"):
        parse_mapping([text])


def test_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("raise SystemExit('imported')\nimport numpy\n")
    (tmp_path / "s.py").write_text("import loud\n")
    done = subprocess.run(
        [sys.executable, "-m", "pyvarium", "analyze", "--format", "requirements", "s.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
    )
    answer: Tuple[int, str, str] = (done.returncode, done.stdout, done.stderr)
    assert answer == (0, "numpy\n", "")
