# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Backends that are in the sdist itself and require nothing, in a venv that is made once."""

import ensurepip
import hashlib
import json
import os
import select
import subprocess
import sys
import venv as ordinary
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from fake_index import HOST, Index, tar
from made_projects import release
from pyvarium.build_hooks import (
    LARGEST_ANSWER,
    HooksError,
    Program,
    amend,
    ask,
    make_venv,
    parse_answer,
    recall,
    run_limited,
    with_answer,
)
from pyvarium.cache import Cache
from pyvarium.releases import Build, File, Release

PYPROJECT = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
URL = f"{HOST}/files/foo-1.0.tar.gz"
NOT_ASKED = "its build backend could not be asked what else it requires: "
Answer = Tuple[List[str], Tuple[str, ...]]

needs_pip = pytest.mark.skipif(
    Version(ensurepip.version()) < Version("23"), reason="pip has no pyproject_hooks yet"
)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As one is made for each backend, but with no more of pip than what calls backends."""
    path = tmp_path_factory.mktemp("hooks") / "venv"
    ordinary.create(path, symlinks=True)
    [library] = path.glob("lib/python*/site-packages")
    [wheel] = Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(("pip/_vendor/pyproject_hooks/", "pip/_vendor/tomli/")) or name in (
                "pip/__init__.py",
                "pip/_vendor/__init__.py",
            ):
                archive.extract(name, library)
    return path


Run = Callable[[Program], "subprocess.CompletedProcess[str]"]


def in_venv(venv: Path) -> Run:
    """Runs programs, and takes a venv that is there already for a new one."""

    def run(program: Program) -> "subprocess.CompletedProcess[str]":
        if "venv" in program.command:
            Path(program.command[-1]).symlink_to(venv)
            return done(program)
        return run_limited(program)

    return run


def done(program: Program, code: int = 0, error: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.CompletedProcess(program.command, code, "", error)


def never(program: Program) -> "subprocess.CompletedProcess[str]":
    raise AssertionError(program)


def sdist(backend: str, pyproject: str = PYPROJECT) -> bytes:
    return tar({"pyproject.toml": pyproject, "backend.py": backend})


def hook(*lines: str) -> str:
    """A backend with these lines as its hook."""
    inside = "".join(f"    {line}\n" for line in lines)
    return f"def get_requires_for_build_wheel(config_settings=None):\n{inside}"


def of(data: bytes, requires: Sequence[str] = (), **others: Any) -> Release:
    """The release whose sdist this is."""
    source = File("foo-1.0.tar.gz", URL, Version("1.0"), "1.0", hashlib.sha256(data).hexdigest())
    build = Build(tuple(map(Requirement, requires)), "backend")
    return replace(release("1.0"), source=source, build=build, **others)


def amended(
    one: Release, data: bytes, run: Run, cache: Optional[Cache] = None, **options: Any
) -> Release:
    fetcher = Index({URL: data}).fetcher(cache, offline=options.pop("offline", False))
    return amend("foo", one, fetcher, {}, run=run, **options)


BAZ = 'baz; python_version < "3"'


def added(one: Release) -> Answer:
    return [str(requirement) for requirement in one.build.requires], one.problems


@pytest.mark.programs
@needs_pip
@pytest.mark.parametrize(
    ("backend", "requires"),
    [
        (hook(f"return ['bar>=1', {BAZ!r}]"), ["bar>=1", BAZ]),
        ("", []),
        (hook("print('[\"rubbish\"]')", "return ['bar']"), ["bar"]),
        (hook("import os", "os.write(1, bytes(1 << 20))", "return ['bar']"), ["bar"]),
    ],
    ids=["adds", "no-hook", "prints", "prints-much"],
)
def test_what_backends_ask_for(venv: Path, backend: str, requires: List[str]) -> None:
    data = sdist(backend)
    assert added(amended(of(data), data, in_venv(venv))) == (requires, ())


@pytest.mark.programs
@needs_pip
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["import bar"], "it failed (\"ModuleNotFoundError: No module named 'bar'\")"),
        (["raise RuntimeError('of the test')"], "it failed ('RuntimeError: of the test')"),
        (["import os", "os._exit(1)"], "it failed ('no message')"),
        (
            ["open('large', 'wb').truncate(1 << 30)"],
            "it failed ('OSError: [Errno 27] File too large')",
        ),
        (["return {'bar': 1}"], "its answer is not a list of strings"),
        (["return ['bar', 1]"], "its answer is not a list of strings"),
        (["return ['bar'] * 201"], "its answer has more than 200 requirements"),
        (["return ['x' * (1 << 21)]"], f"its answer has more than {LARGEST_ANSWER} bytes"),
    ],
    ids=["imports", "raises", "exits", "large", "no-list", "no-strings", "many", "huge"],
)
def test_backends_that_say_nothing_of_use(venv: Path, lines: List[str], reason: str) -> None:
    data = sdist(hook(*lines))
    assert added(amended(of(data), data, in_venv(venv))) == ([], (NOT_ASKED + reason,))


@pytest.mark.programs
@needs_pip
def test_what_takes_too_long_is_stopped(venv: Path) -> None:
    data = sdist(hook("while True: pass"))
    found = amended(of(data), data, in_venv(venv), limit=0.5)
    assert added(found) == ([], (f"{NOT_ASKED}it was stopped after 0.5 s",))


@pytest.mark.programs
@needs_pip
def test_the_files_of_the_user_are_in_reach(venv: Path, tmp_path: Path) -> None:
    """No sandbox is claimed: apart is what is relative to the home directory, and no more."""
    mark = tmp_path / "mark"
    lines = (
        "import os, pathlib",
        "pathlib.Path('~/home').expanduser().touch()",
        f"pathlib.Path({str(mark)!r}).write_text(os.environ['HOME'])",
        "return []",
    )
    data = sdist(hook(*lines))
    assert added(amended(of(data), data, in_venv(venv))) == ([], ())
    assert not Path(mark.read_text()).exists()


def test_the_group_of_a_program_ends_with_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = f"import os\nfile = open({str(pipe)!r}, 'wb')\n" + (
        "if os.fork() == 0:\n    import time\n    time.sleep(600)\n    os._exit(0)\n"
        "file.write(b'ran')\n"
    )
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        command = [sys.executable, "-I", "-S", "-c", program]
        finished = run_limited(Program(command, {}, tmp_path, 60))
        said = b""
        while select.select([reader], [], [], 60)[0]:  # Its end is seen when no writer is left.
            part = os.read(reader, 10)
            if not part:
                break
            said += part
        else:
            said = b"still runs"
    finally:
        os.close(reader)
    assert (finished.returncode, said) == (0, b"ran")


@pytest.mark.programs
def test_a_program_runs_no_longer_than_it_may(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    with pytest.raises(subprocess.TimeoutExpired):
        run_limited(Program(command, {}, tmp_path, 0.2))


def test_what_a_program_says(tmp_path: Path) -> None:
    program = "import sys\nprint('out' * 50000)\nsys.stderr.buffer.write(b'\\xff')\nsys.exit(3)"
    finished = run_limited(Program([sys.executable, "-I", "-c", program], {}, tmp_path, 60))
    assert (finished.returncode, len(finished.stdout), finished.stderr) == (3, 65536, "\ufffd")


BAR = json.dumps(["bar>=1"]).encode()


def answers(data: bytes, programs: Optional[List[Program]] = None) -> Run:
    """Stands for all programs: a venv of a pip that is new enough, and this answer."""

    def run(program: Program) -> "subprocess.CompletedProcess[str]":
        if programs is not None:
            programs.append(program)
        if "venv" in program.command:
            library = Path(program.command[-1], "lib", "python3.9", "site-packages")
            (library / "pip" / "_vendor" / "pyproject_hooks").mkdir(parents=True)
        elif "-c" in program.command:
            Path(program.command[4]).write_bytes(data)
        return done(program)

    return run


def test_programs_and_their_variables() -> None:
    programs: List[Program] = []
    data = sdist("")
    environ = {
        "HOME": "/home/me",
        "PATH": "/home/me/bin",
        "PYTHONPATH": "/home/me/lib",
        "LD_LIBRARY_PATH": "/site/python/lib",
        "SECRET": "secret",
        "PIP_INDEX_URL": "https://me:secret@index.example/simple",
        "PIP_TARGET": "/home/me/lib",
        "PIP_CERT": "/site/ca.pem",
        "https_proxy": "http://proxy.example",
    }
    amend(
        "foo", of(data, ["qux>=2"]), Index({URL: data}).fetcher(), environ,
        run=answers(BAR, programs),
    )  # fmt: skip
    directory = str(programs[0].directory)

    def plain(text: str) -> str:
        return text.replace(directory, "DIR").replace(sys.executable, "PYTHON")

    apart: Dict[str, str] = {
        "LD_LIBRARY_PATH": "/site/python/lib",
        "PATH": "DIR/venv/bin",
        "HOME": "DIR/home",
        "TMPDIR": "DIR/home",
        "LANG": "C.UTF-8",
    }
    pip = {
        **apart,
        "HOME": "/home/me",
        "PIP_CERT": "/site/ca.pem",
        "https_proxy": "http://proxy.example",
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "https://me:secret@index.example/simple",
    }
    assert [
        (
            [plain(word) for word in one.command if "\n" not in word],
            {key: plain(value) for key, value in one.environ.items()},
            plain(str(one.directory)),
            one.limit,
        )
        for one in programs
    ] == [
        ("PYTHON -I -m venv DIR/venv".split(), apart, "DIR", 600),
        (
            "DIR/venv/bin/python -I -m pip install --quiet --no-input --only-binary :all:"
            " -- qux>=2".split(),
            pip,
            "DIR",
            600,
        ),
        (
            "DIR/venv/bin/python -I -c DIR/answer.json DIR/sdist/foo-1.0 backend .".split(),
            apart,
            "DIR/sdist/foo-1.0",
            60,
        ),
    ]
    assert not Path(directory).exists()


@needs_pip
@pytest.mark.programs
def test_a_venv_is_one_that_can_ask(tmp_path: Path) -> None:
    make_venv(Build(), tmp_path, {}, run_limited)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "backend.py").write_text(hook("return ['bar']"))
    found = ask(Build(backend="backend"), tmp_path, tmp_path, {}, run_limited, 60)
    assert found == ("bar",)


def test_an_older_pip_needs_the_library(tmp_path: Path) -> None:
    programs: List[Program] = []

    def run(program: Program) -> "subprocess.CompletedProcess[str]":
        programs.append(program)
        return done(program)

    make_venv(Build(), tmp_path, {}, run)
    assert programs[-1].command[-2:] == ["--", "pyproject-hooks>=1"]


def test_an_answer_is_cached(tmp_path: Path) -> None:
    data = sdist("")
    cache = Cache(tmp_path)
    said: List[str] = []
    first = amended(of(data), data, answers(BAR), cache, report=said.append)
    again = amended(of(data), b"", never, cache, report=said.append, offline=True)
    assert (added(first), again) == ((["bar>=1"], ()), first)
    assert said == ["foo 1.0: code of foo runs (--hooks)"]


def test_what_was_asked_before_is_recalled(tmp_path: Path) -> None:
    data = sdist("")
    cache = Cache(tmp_path)
    lost = "what its build backend asks for is not known; ask it again by --hooks"
    assert added(recall(of(data), cache)) == ([], (lost,))
    amended(of(data), data, answers(BAR), cache)
    assert added(recall(of(data), cache)) == (["bar>=1"], ())


def test_a_failure_is_not_cached(tmp_path: Path) -> None:
    data = sdist("")
    cache = Cache(tmp_path)
    amended(of(data), data, answers(b"{}"), cache)
    assert added(amended(of(data), data, answers(BAR), cache)) == (["bar>=1"], ())


def fails(word: str, error: str) -> Run:
    """Stands for all programs, of which one fails."""

    def run(program: Program) -> "subprocess.CompletedProcess[str]":
        return done(program, int(word in program.command), error)

    return run


def stopped(program: Program) -> "subprocess.CompletedProcess[str]":
    raise subprocess.TimeoutExpired(program.command, program.limit)


def absent(program: Program) -> "subprocess.CompletedProcess[str]":
    raise FileNotFoundError(2, "No such file or directory", "python")


GOOD = sdist("")
OTHER_BYTES = tar({"pyproject.toml": PYPROJECT, "more": ""})
OUTSIDE = tar({"pyproject.toml": PYPROJECT, "../../x": ""})
PYTHON = "{}.{}.{}".format(*sys.version_info)


@pytest.mark.parametrize(
    ("one", "data", "run", "reason"),
    [
        (
            of(GOOD, requires_python=SpecifierSet("<3")),
            GOOD,
            never,
            f"it does not run on Python {PYTHON}, which runs this command",
        ),
        (
            replace(of(GOOD), build=Build(known=False)),
            GOOD,
            never,
            "which one that is could not be read",
        ),
        (of(GOOD), OTHER_BYTES, never, "its sdist has another sha256 than the index says"),
        (of(OUTSIDE), OUTSIDE, never, "it has a member that would be outside of its directory"),
        (
            of(GOOD),
            GOOD,
            fails("venv", "Error: no ensurepip"),
            "the venv for it failed ('Error: no ensurepip')",
        ),
        (of(GOOD), GOOD, stopped, "the venv for it was stopped after 600 s"),
        (
            of(GOOD),
            GOOD,
            fails("pip", "ERROR: no qux\nmore"),
            "installing what it requires failed ('ERROR: no qux')",
        ),
        (of(GOOD), GOOD, fails("-c", "a\nlast " + "x" * 80), f"it failed ('last {'x' * 72}...')"),
        (of(GOOD), GOOD, done, "it gave no answer"),
        (of(GOOD), GOOD, absent, "[Errno 2] No such file or directory: 'python'"),
    ],
    ids=[
        *(
            "python",
            "unread",
            "digest",
            "outside",
            "no-venv",
            "stopped",
            "no-requirement",
            "fails",
        ),
        *("no-answer", "absent"),
    ],
)
def test_failures_are_problems(one: Release, data: bytes, run: Run, reason: str) -> None:
    assert amended(one, data, run) == replace(one, problems=(NOT_ASKED + reason,))


def test_without_a_digest_nothing_runs() -> None:
    one = of(GOOD)
    one = replace(one, source=replace(one.source, sha256=None))
    reason = "the index tells no sha256 of its sdist"
    assert added(amended(one, GOOD, never)) == ([], (NOT_ASKED + reason,))


def test_offline_nothing_runs() -> None:
    reason = f"{URL}: is not in the cache; run this once without --offline"
    assert added(amended(of(GOOD), GOOD, never, offline=True)) == ([], (NOT_ASKED + reason,))


@pytest.mark.parametrize(
    ("pyproject", "reason"),
    [
        ("[build-system", "pyproject.toml: is not valid TOML"),
        ("[build-system]\nbackend-path = 1\n", "it: build-system.backend-path is not a list"),
    ],
    ids=["no-toml", "no-list"],
)
def test_a_pyproject_that_cannot_be_used(pyproject: str, reason: str) -> None:
    data = sdist("", pyproject)
    (problem,) = amended(of(data), data, answers(BAR)).problems
    assert problem.startswith(NOT_ASKED + reason)


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (lambda path: os.mkfifo(path), "its answer is no file"),
        (lambda path: path.symlink_to("/dev/zero"), "it gave no answer"),
        (lambda path: path.mkdir(), "it gave no answer"),
        (lambda path: path.write_bytes(b"\xff"), "its answer cannot be read"),
        (lambda path: path.write_bytes(b"[" * 100_000), "its answer cannot be read"),
    ],
    ids=["pipe", "link", "directory", "rubbish", "nested"],
)
def test_what_stands_for_an_answer(
    tmp_path: Path, put: Callable[[Path], None], reason: str
) -> None:
    def run(program: Program) -> "subprocess.CompletedProcess[str]":
        put(Path(program.command[4]))
        return done(program)

    with pytest.raises(HooksError) as caught:
        ask(Build(), tmp_path, tmp_path, {}, run, 60)
    assert str(caught.value) == reason


def test_what_is_added_to_a_build() -> None:
    before = release("1.0", build=["Hatchling>=1"], known=False, problems=("old",))
    after = with_answer(before, parse_answer(b'["hatchling>=2", "bar", "bar", "not one!"]'))
    problem = "its build backend asks for more: 'not one!' is not a requirement and was left out"
    build = Build((Requirement("Hatchling>=1"), Requirement("bar")), before.build.backend)
    assert after == replace(before, build=build, problems=("old", problem))
