# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The program in each pack that runs commands in it, under each shell that this machine has."""

import gzip
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List, Optional

import pytest

import made_packs
import pyvarium
from made_packs import IN_PARTS, PARTS, RUNNER, Member, made, usual
from test_packs import outside, tree  # noqa: F401  # A fixture.

pytestmark = pytest.mark.programs

SHELLS = [
    ["sh"],
    ["dash"],
    ["bash", "--posix"],
    ["busybox", "ash"],
    ["ksh"],
    ["mksh"],
    ["yash"],
    ["zsh", "--emulate", "sh"],
]
FOUND = [shell for shell in SHELLS if shutil.which(shell[0])]

#: What tar makes of them is what the manifest names, so that nobody can tell afterwards.
SEEN_BY_PYTHON_ALONE = {"deep", "long name", "links in a circle", "link twice", "twice"}
#: Those of the hostile packs that differ in what tar does.
QUICK = (
    "traversal",
    "absolute",
    "link out",
    "through a link",
    "hard link out",
    "device",
    "setuid",
    "another content",
    "another id",
    "bomb by itself",
    "manifest of 1 GB",
    "no manifest",
    "no JSON",
)

PACK = made(*usual(**{"data/a": "A"}))
OTHER = made(*usual(**{"data/a": "B"}))


@pytest.fixture(params=FOUND, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> List[str]:
    return list(request.param)


class Runner:
    """Runs it in a directory of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.cache = place / "cache"
        self.pack = PACK.write(place / "a.tar.gz")

    def command(self, *words: object, shell: Optional[List[str]] = None) -> List[str]:
        options = ["-e", str(self.pack), "-u", str(self.cache), "--"]
        return [*(shell or ["sh"]), str(RUNNER), *options, *map(str, words)]

    def run(
        self, *words: object, shell: Optional[List[str]] = None, **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        return self.start(self.command(*words, shell=shell), **environ)

    def start(self, words: List[str], **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words,
            env={**os.environ, **environ},
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def left(self) -> List[str]:
        """What is in the cache besides environments and the files of locks."""
        names = os.listdir(self.cache) if self.cache.exists() else []
        return [name for name in names if name.startswith(".") and not name.endswith(".lock")]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def zstd() -> None:
    if shutil.which("zstd") is None:
        pytest.skip("no zstd here")


READ = ["sh", "-c", 'echo "$PYVARIUM_PACK"; cat "$PYVARIUM_PACK/data/a"; exit 7']


@pytest.mark.parametrize("lock", ["flock", "lease"])
def test_a_pack_is_unpacked_once_and_a_changed_one_is_another(
    shell: List[str], lock: str, runner: Runner
) -> None:
    first = runner.run(*READ, shell=shell, PYVARIUM_LOCK=lock)
    key = Path(first.stdout.splitlines()[0]).name
    home = runner.cache / key
    assert (first.stdout, first.stderr, first.returncode) == (f"{home}\nA", "", 7)
    before = home.stat().st_mtime_ns
    again = runner.run(*READ, shell=shell, PYVARIUM_LOCK=lock)
    assert (again.stdout, again.returncode) == (first.stdout, 7)
    assert home.stat().st_mtime_ns == before
    OTHER.write(runner.pack)
    other = runner.run(*READ, shell=shell, PYVARIUM_LOCK=lock)
    assert other.stdout.endswith("\nB") and key not in other.stdout
    assert runner.left() == []
    if shell[0] != "yash":  # It cannot read what is no text, so that the key is of the whole file.
        assert key == PACK.content_id


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst"])
def test_python_unpacks_the_same(suffix: str, runner: Runner) -> None:
    if suffix == ".tar.zst" and shutil.which("zstd") is None:
        pytest.skip("no zstd here")
    runner.pack = PACK.write(runner.place / f"a{suffix}")
    assert runner.run("true").returncode == 0
    by_tar = tree(runner.cache / PACK.content_id)
    shutil.rmtree(runner.cache)
    core = Path(pyvarium.__file__).parents[1]
    words = runner.command("true")
    words[2:2] = ["--unpack-with", sys.executable, str(core)]
    assert runner.start(words).returncode == 0
    assert tree(runner.cache / PACK.content_id) == by_tar


@pytest.mark.usefixtures("zstd")
def test_parts_are_unpacked_to_where_they_belong(shell: List[str], runner: Runner) -> None:
    runner.pack = IN_PARTS.write(runner.place / "a.tar.gz")
    assert runner.run("true").returncode == 0
    (home,) = runner.cache.glob("[!.]*")
    whole = tree(home)
    shutil.rmtree(runner.cache)
    runner.pack = IN_PARTS.write_parts(runner.place / "a.tar.zst", *PARTS)
    tar = shutil.which("tar")
    log = runner.place / "log"
    program = runner.place / "tar"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{log}"\nexec {tar} "$@"\n')
    program.chmod(0o755)
    path = f"{runner.place}:{os.environ['PATH']}"
    done = runner.run(*READ, shell=shell, PATH=path)
    assert (done.stderr, done.returncode) == ("", 7)
    (home,) = runner.cache.glob("[!.]*")
    assert (tree(home), runner.left()) == (whole, [])
    if shell[0] != "yash":  # It cannot read what is no text.
        assert log.read_text().count("-xof -") == len(PARTS) + 2
    else:
        assert log.read_text().count("-xof") == 1


@pytest.mark.usefixtures("zstd")
@pytest.mark.parametrize("kind", sorted(made_packs.hostile_in_parts(Path("/outside"))))
@pytest.mark.parametrize("by", ["sh", "python"])
def test_hostile_parts_are_refused(
    by: str,
    kind: str,
    runner: Runner,
    outside: Path,  # noqa: F811
) -> None:
    write = made_packs.hostile_in_parts(outside)[kind]
    runner.pack = write(runner.place / "hostile.tar.zst")
    before = {name: what for name, what in tree(runner.place).items() if "cache" not in name}
    words = runner.command("echo", "ran")
    if by == "python":
        words[2:2] = ["--unpack-with", sys.executable, str(Path(pyvarium.__file__).parents[1])]
    done = runner.start(words)
    after = {name: what for name, what in tree(runner.place).items() if "cache" not in name}
    assert (after, runner.left()) == (before, [])
    if by == "python" and done.returncode == 0:
        assert done.stdout == "ran\n"  # It goes by the names of members alone.
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith("pyvarium-run: ")


@pytest.mark.parametrize("kind", sorted(made_packs.hostile(Path("/outside"))))
def test_hostile_packs_are_refused(
    kind: str,
    runner: Runner,
    outside: Path,  # noqa: F811
    request: pytest.FixtureRequest,
) -> None:
    thorough = request.config.getoption("--hypothesis-profile") == "thorough"
    if kind not in QUICK and not thorough:
        pytest.skip("only with --hypothesis-profile=thorough")
    runner.pack = made_packs.hostile(outside)[kind].write(runner.place / "hostile.tar.gz")
    before = {name: what for name, what in tree(runner.place).items() if "cache" not in name}
    done = runner.run("echo", "ran")
    after = {name: what for name, what in tree(runner.place).items() if "cache" not in name}
    assert (after, runner.left()) == (before, [])
    if kind in SEEN_BY_PYTHON_ALONE:
        assert done.returncode == 0
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith("pyvarium-run: ")
        assert not [name for name in os.listdir(runner.cache) if not name.startswith(".")]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "names no pack; use -e PACK, see --help"),
        (["-e"], 2, "-e: takes a value; see --help"),
        (["-e", "a.tar.gz"], 2, "has no command to run; see --help"),
        (["-e", "a.tar.gz", "-w", "x", "true"], 2, "is no number; see --help"),
        (["--unknown"], 2, "--unknown: is no option; see --help"),
        (["-e", "none", "true"], 1, "none: is no file; name the file of a pack"),
        (["-e", ".", "true"], 1, "is a directory, but no pack was unpacked into it"),
        (["-e", "empty", "true"], 1, "empty: cannot be unpacked; copy or pack it again"),
        (["-e", "text", "true"], 1, "text: cannot be unpacked; copy or pack it again"),
        (["-e", "a.tar.gz", "-u", "text", "true"], 1, "text: cannot be written to; choose"),
    ],
)
def test_errors_are_one_line_and_tell_what_to_do(
    words: List[str], code: int, message: str, runner: Runner
) -> None:
    (runner.place / "empty").touch()
    (runner.place / "text").write_text("no pack\nat all\n")
    done = runner.start(["sh", str(RUNNER), *words], PYVARIUM_CACHE=str(runner.cache))
    line = done.stderr.splitlines()[-1]
    assert (done.returncode, done.stdout) == (code, "")
    assert line.startswith("pyvarium-run: ") and message in line


def test_a_format_of_the_future_is_told(runner: Runner) -> None:
    data = runner.pack.read_bytes()
    runner.pack.write_bytes(data.replace(b"pyvarium-pack 1 ", b"pyvarium-pack 2 "))
    assert "is of format '2', not known here" in runner.run("true").stderr


def test_a_pack_that_was_packed_again_is_known_by_its_digest(runner: Runner) -> None:
    runner.pack = runner.place / "again.tgz"
    runner.pack.write_bytes(gzip.compress(PACK.tar()))
    done = runner.run(*READ)
    assert done.stdout.endswith("\nA") and PACK.content_id not in done.stdout
    assert runner.run(*READ).stdout == done.stdout


def test_a_directory_that_a_pack_was_unpacked_into_is_run_in(runner: Runner) -> None:
    runner.run("true")
    runner.pack = runner.cache / PACK.content_id
    assert runner.run(*READ).stdout == f"{runner.pack}\nA"


def test_zstd_without_the_program_is_told(runner: Runner) -> None:
    runner.pack = runner.place / "a.tar.zst"
    runner.pack.write_bytes(made_packs.EMPTY_FRAME + PACK.header(0) + b"rest")
    programs = runner.place / "bin"
    programs.mkdir()
    for name in ("flock", "head", "ls", "mkdir", "mv", "od", "rm", "stat", "tar", "tr", "uname"):
        (programs / name).symlink_to(shutil.which(name) or "/nowhere")
    done = runner.start(["/bin/sh", *runner.command("true")[1:]], PATH=str(programs))
    assert done.stderr == (
        f"pyvarium-run: {runner.pack}: there is no zstd to unpack it; install it, or pack it as"
        " .tar.gz\n"
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["sh", "-c", "exit 42"], 42),
        (["sh", "-c", "kill -9 $$"], -9),
        (["no-such-program"], 127),
        (["/"], 126),
    ],
)
def test_the_exit_code_is_that_of_the_command(words: List[str], code: int, runner: Runner) -> None:
    assert runner.run(*words).returncode == code


def test_words_variables_input_and_descriptors_reach_the_command(runner: Runner) -> None:
    reader, writer = os.pipe()
    words = ["sh", "-c", 'cat; printf "[%s]" "$@"; echo to 9 >&9', "x", "a b", "", "--", "-e", "*"]
    code = (
        "import os, subprocess, sys; os.dup2(int(sys.argv[1]), 9); os.set_inheritable(9, True);"
        "os.execvp(sys.argv[2], sys.argv[2:])"
    )
    start = [sys.executable, "-c", code, str(writer), *runner.command(*words)]
    done = subprocess.run(start, input="in", stdout=subprocess.PIPE, text=True, pass_fds=[writer])
    os.close(writer)
    assert done.stdout == "in[a b][][--][-e][*]"
    assert os.read(reader, 100) == b"to 9\n"
    os.close(reader)
    before = [f"{name}={value}" for name, value in os.environ.items()]
    after = runner.run("env").stdout.splitlines()
    names = {"PATH", "PYVARIUM_PACK", "_", "PWD", "OLDPWD", "SHLVL"}
    assert {line for line in set(after) ^ set(before) if line.split("=")[0] not in names} == set()


def test_a_signal_reaches_the_command(runner: Runner) -> None:
    program = 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.01; done'
    with subprocess.Popen(runner.command("sh", "-c", program), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"got it\n"
    assert process.returncode == 9


def test_a_warm_start_takes_no_lock_and_starts_nothing_else(runner: Runner) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here")
    runner.run("true")
    trace = runner.place / "trace"
    calls = "trace=fork,vfork,clone,clone3,flock,fcntl,mkdir,rename,execve,openat"
    done = runner.start(
        [strace, "-f", "-o", str(trace), "-e", calls, *runner.command("/bin/true")]
    )
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    lines = [line.split(" ", 1)[1].strip() for line in trace.read_text().splitlines()]
    unwanted = ("fork", "vfork", "clone", "flock", "mkdir", "rename")
    assert [line for line in lines if line.startswith(unwanted) or "SETLK" in line] == []
    assert len([line for line in lines if line.startswith("execve(") and "= 0" in line]) == 3
    assert [line for line in lines if "O_CREAT" in line and "/dev/null" not in line] == []


def test_the_default_directory_has_to_be_ours_alone(runner: Runner) -> None:
    words = ["sh", str(RUNNER), "-e", str(runner.pack), "--", "true"]
    mine = runner.place / f"pyvarium-{os.geteuid()}"
    environ = {"TMPDIR": str(runner.place), "PYVARIUM_CACHE": ""}

    def start() -> str:
        return runner.start(words, **environ).stderr

    assert start() == ""
    assert stat.S_IMODE(mine.stat().st_mode) == 0o700
    shutil.rmtree(mine / PACK.content_id)
    mine.chmod(0o755)
    assert "is not for you alone; chmod 700 it" in start()
    mine.rename(runner.place / "elsewhere")
    mine.symlink_to("elsewhere")
    assert "is a link, or not yours" in start()
    mine.unlink()
    mine.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(mine, 12345, -1)
        assert "is a link, or not yours" in start()


def test_what_somebody_else_has_put_where_all_can_is_not_run(runner: Runner) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    runner.run("true")
    home = runner.cache / PACK.content_id
    os.chown(home, 12345, -1)
    assert runner.run("echo", "ran").stdout == "ran\n"
    runner.cache.chmod(0o1777)
    done = runner.run("echo", "ran")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "belongs to somebody else, in a directory that all can write to" in done.stderr


def test_an_environment_that_lacks_a_part_is_made_again(runner: Runner) -> None:
    runner.run("true")
    (runner.cache / PACK.content_id / "bin" / "run_in_env").unlink()
    assert runner.run(*READ).returncode == 7
    assert runner.left() == []


def test_too_little_room_is_told_before_anything_is_written(runner: Runner) -> None:
    runner.pack = PACK.but(room=10**17).write(runner.place / "a.tar.gz")
    done = runner.run("true")
    assert f"{runner.cache}: has room for " in done.stderr and done.returncode == 1


@pytest.mark.parametrize("lock", ["flock", "lease"])
def test_a_herd_unpacks_once(lock: str, runner: Runner) -> None:
    log = runner.place / "log"
    programs = runner.place / "bin"
    programs.mkdir()
    (programs / "tar").write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || {{ echo one >> {log}; sleep 0.3; }}\n'
        f'exec {shutil.which("tar")} "$@"\n'
    )
    (programs / "tar").chmod(0o755)
    environ = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYVARIUM_LOCK": lock,
    }
    words = runner.command("cat", runner.cache / PACK.content_id / "data" / "a")
    herd = [
        subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(8)
    ]
    answers = [(*process.communicate(timeout=60), process.returncode) for process in herd]
    assert answers == [(b"A", b"", 0)] * 8
    assert (log.read_text(), runner.left()) == ("one\n", [])


def slow_start(runner: Runner, lock: str) -> "subprocess.Popen[bytes]":
    """A start that is stopped in the midst of unpacking; returns when it is."""
    programs = runner.place / "slow"
    programs.mkdir()
    (programs / "tar").write_text(
        f"#!/bin/sh\n[ $1 != --version ] || exit\ntouch {runner.place}/at-work\nexec sleep 60\n"
    )
    (programs / "tar").chmod(0o755)
    environ = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYVARIUM_LOCK": lock,
    }
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(
        runner.command("true"), env=environ, start_new_session=True, **quiet
    )
    deadline = time.monotonic() + 30
    while not (runner.place / "at-work").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("lock", ["flock", "lease"])
@pytest.mark.parametrize("all_of_it", [True, False], ids=["all", "holder"])
def test_a_killed_start_holds_up_nobody(lock: str, all_of_it: bool, runner: Runner) -> None:
    process = slow_start(runner, lock)
    if all_of_it:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    done = runner.run(*READ, PYVARIUM_LOCK=lock)
    with_rest = runner.left()
    if not all_of_it:
        os.killpg(process.pid, signal.SIGKILL)  # The tar that it has started.
    assert (done.stderr, done.returncode, with_rest) == ("", 7, [])


@pytest.mark.parametrize("lock", ["flock", "lease"])
def test_waiting_ends(lock: str, runner: Runner) -> None:
    process = slow_start(runner, lock)
    words = runner.command("true")
    words[2:2] = ["-w", "1"]
    done = runner.start(words, PYVARIUM_LOCK=lock)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert done.returncode == 1
    assert "another start still unpacks it after 1 s; try again, or choose a longer" in done.stderr


def test_an_old_lease_of_another_machine_is_taken_over(runner: Runner) -> None:
    lease = runner.cache / f".{PACK.content_id}.lease"
    lease.mkdir(parents=True)
    (lease / "owner").write_text("elsewhere.1 1\n")
    os.utime(lease, (1, 1))
    done = runner.run(*READ, PYVARIUM_LOCK="lease")
    assert (done.stderr, done.returncode, runner.left()) == ("", 7, [])


def test_clean_keeps_the_newest_and_what_is_in_use(runner: Runner) -> None:
    packs = [made(*usual(**{"data/a": text})) for text in "abc"]
    for number, pack in enumerate(packs):
        runner.pack = pack.write(runner.place / "a.tar.gz")
        assert runner.run("true").returncode == 0
        os.utime(runner.cache / pack.content_id, (number, number))
    dead = runner.cache / f".{packs[0].content_id}.host.1"
    dead.mkdir()
    (runner.cache / "other").mkdir()
    words = ["sh", str(RUNNER), "--clean", "--keep", "1", "-u", str(runner.cache)]
    done = runner.start(words)
    assert (done.stderr, done.returncode) == ("", 0)
    assert {name for name in os.listdir(runner.cache) if not name.endswith(".lock")} == {
        packs[2].content_id,
        "other",
    }
    assert runner.start([*words[:3], *words[5:]]).stdout == (
        f"{runner.cache / packs[2].content_id}: removed\n"
    )
    assert os.listdir(runner.cache) == ["other"]


def test_clean_removes_what_a_dead_start_has_left_beside_what_is_complete(runner: Runner) -> None:
    runner.run("true")
    lease = runner.cache / f".{PACK.content_id}.lease"
    lease.mkdir()
    (lease / "owner").write_text("elsewhere.1 1\n")
    os.utime(lease, (1, 1))
    words = ["sh", str(RUNNER), "--clean", "-u", str(runner.cache)]
    # There starts on one machine wait for each other, also those of other tests.
    done = runner.start(words, PYVARIUM_LOCK="lease", TMPDIR=str(runner.place))
    assert (done.stdout, done.stderr) == (f"{runner.cache / PACK.content_id}: removed\n", "")
    assert os.listdir(runner.cache) == []


def test_a_killed_release_holds_up_nobody(runner: Runner) -> None:
    """A lease is moved away before it is removed: what is left of it is in nobody's way."""
    program = f"""for last; do :; done
for owner in "$last/owner" "$last"/.*.lease/owner; do
    [ ! -e "$owner" ] || {{ {shutil.which("rm")} "$owner"; kill -9 $PPID; exit; }}
done
exec {shutil.which("rm")} "$@\""""
    runner.run("true", PYVARIUM_LOCK="lease", PATH=failing(runner, "rm", program))
    shutil.rmtree(runner.cache / PACK.content_id, ignore_errors=True)
    words = runner.command("true")
    words[2:2] = ["-w", "1"]
    done = runner.start(words, PYVARIUM_LOCK="lease", TMPDIR=str(runner.place))
    assert (done.stderr, done.returncode, runner.left()) == ("", 0, [])


@pytest.mark.parametrize("lock", ["flock", "lease"])
def test_what_a_dead_start_of_the_same_number_has_left_is_replaced(
    lock: str, runner: Runner
) -> None:
    """As in containers, where it is always the same."""
    host, key = os.uname().nodename, PACK.content_id
    left = f"{runner.cache}/.{key}.{host}.$$/{key}"
    if lock == "lease":
        host += f".{os.stat('/proc/self/ns/pid').st_ino}"
        left = f"{runner.cache}/.{key}.{host}.$$/{key} {runner.cache}/.{key}-{host}.$$"
    words = ["sh", "-c", f'mkdir -p {left} && exec "$@"', "sh", *runner.command(*READ)]
    done = runner.start(words, PYVARIUM_LOCK=lock)
    assert (done.stderr, done.returncode, runner.left()) == ("", 7, [])


def test_a_lock_that_cannot_be_made_is_done_without(shell: List[str], runner: Runner) -> None:
    """A shell may end where it cannot write, and says nothing."""
    (runner.cache / f".{PACK.content_id}.lock").parent.mkdir()
    os.symlink("/nowhere/lock", runner.cache / f".{PACK.content_id}.lock")
    done = runner.run(*READ, shell=shell, PYVARIUM_LOCK="flock")
    assert (done.stderr, done.returncode) == ("", 7)


def failing(runner: Runner, name: str, script: str) -> str:
    """A PATH on which a program is another one."""
    programs = runner.place / "failing"
    programs.mkdir()
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


def test_an_unpacking_that_is_killed_is_told(runner: Runner) -> None:
    words = runner.command("true")
    failing(runner, "python", "kill -9 $$")
    words[2:2] = ["--unpack-with", str(runner.place / "failing" / "python"), "/nowhere"]
    done = runner.start(words)
    said = f"pyvarium-run: {runner.pack}: was not unpacked, since that ended with 137; try again"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, said)
    assert runner.left() == []


def test_a_lease_that_cannot_be_taken_is_told(runner: Runner) -> None:
    program = f'case $* in *.lease) exit 1 ;; esac\nexec {shutil.which("mkdir")} "$@"'
    done = runner.run("true", PYVARIUM_LOCK="lease", PATH=failing(runner, "mkdir", program))
    said = f"pyvarium-run: {runner.cache}: cannot be written to; choose another --unpack-to\n"
    assert (done.returncode, done.stderr, runner.left()) == (1, said, [])


def test_its_version_is_that_of_the_package() -> None:
    done = subprocess.run(["sh", RUNNER, "--version"], capture_output=True, text=True)
    assert done.stdout == f"pyvarium-run {pyvarium.__version__}\n"


def test_help_is_told_on_stdout() -> None:
    done = subprocess.run(["sh", RUNNER, "--help"], capture_output=True, text=True)
    assert done.stdout.startswith("usage: pyvarium-run -e PACK") and done.returncode == 0


def test_a_squashfs_is_unpacked(runner: Runner) -> None:
    if not (shutil.which("mksquashfs") and shutil.which("unsquashfs")):
        pytest.skip("no squashfs-tools here")
    runner.run("true")
    home = runner.cache / PACK.content_id
    runner.pack = runner.place / "a.sqfs"
    quiet = ["-quiet", "-no-progress", "-all-root"]
    subprocess.run(["mksquashfs", str(home), str(runner.pack), *quiet], check=True)
    shutil.rmtree(runner.cache)
    assert runner.run(*READ).stdout == f"{home}\nA"
    assert runner.run(*READ).stdout == f"{home}\nA"


def test_members_have_the_times_of_the_pack(runner: Runner) -> None:
    """By it, python knows whether what it has compiled is that of the source."""
    runner.run("true")
    file = runner.cache / PACK.content_id / "data" / "a"
    assert file.stat().st_mtime == Member("a").tarinfo().mtime
