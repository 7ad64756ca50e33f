#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What running a command in a pack costs, and what it withstands, side by side with Poncho.

Takes a pack, and the program poncho_package_run of Poncho's source where that is to be compared.
Starts are measured in turns; processor time says more than wall-clock time on a busy machine.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "spack-pyvarium"), str(CHECKOUT / "tests" / "core")]

import measuring  # noqa: E402

from made_packs import RUNNER, made, usual  # noqa: E402

missed: List[str] = []
rows: List[measuring.Row] = []
Command = List[str]


def main() -> int:
    parser = measuring.parser(__doc__)
    parser.add_argument("pack", type=Path, help="as 'spack pyvarium pack' has made it")
    parser.add_argument("--poncho", type=Path, metavar="FILE", help="poncho_package_run")
    parser.add_argument(
        "--poncho-pack",
        type=Path,
        metavar="FILE",
        help="the same as .tar.gz, which Poncho's own packs are; for a herd",
    )
    parser.add_argument("--only", choices=["warm", "herd"], help="leave out the rest")
    parser.add_argument("--starts", type=int, default=200, help="warm ones (default: 200)")
    parser.add_argument("--herd", type=int, default=64, help="cold ones at once (default: 64)")
    parser.add_argument("--rounds", type=int, default=3, help="of herds (default: 3)")
    parser.add_argument("--kills", type=int, default=20, help="of unpackers (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments to kill at")
    arguments = parser.parse_args()
    pack = arguments.pack.resolve()
    poncho = arguments.poncho.resolve() if arguments.poncho else None
    other = arguments.poncho_pack.resolve() if arguments.poncho_pack else None
    with tempfile.TemporaryDirectory(prefix="run.") as directory:
        place = Path(directory)
        if arguments.only != "herd":
            warm(pack, poncho, place / "warm", 20 if arguments.quick else arguments.starts)
        if arguments.only != "warm":
            rounds = 1 if arguments.quick else arguments.rounds
            herds(pack, poncho, other, place / "herd", arguments.herd, rounds)
        measuring.write(arguments.json, rows)
        if arguments.only or arguments.quick:
            return close()
        changed(poncho, place / "changed")
        killed(pack, place / "killed", arguments.kills, random.Random(arguments.seed))
        codes_and_signals(pack, place / "codes")
        contracts(pack, poncho, place / "contracts")
    return close()


def close() -> int:
    print(f"missed: {', '.join(missed)}" if missed else "no bar was missed")
    return 3 if missed else 0


def ours(pack: Path, directory: Path, *words: str) -> Command:
    return ["/bin/sh", str(RUNNER), "-e", str(pack), "-u", str(directory), "--", *words]


def ponchos(program: Path, pack: Path, directory: Path, *words: str) -> Command:
    return ["/bin/bash", str(program), "-e", str(pack), "-u", str(directory), "--", *words]


def bar(name: str, met: bool, shown: str) -> None:
    print(f"  {name}: {shown}{'' if met else '   MISSED'}", flush=True)
    if not met:
        missed.append(name)


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command: Command) -> Tuple[float, float]:
    """Wall-clock and processor seconds of one start."""
    before, start = spent(), time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status = os.waitpid(process, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"error: {' '.join(command)}: ended with {status}")
    return wall, spent() - before


def warm(pack: Path, poncho: Optional[Path], place: Path, starts: int) -> None:
    place.mkdir()
    print(f"warm start of /bin/true, {starts} of each in turns (ms: median, least, processor)")
    kinds: Dict[str, Command] = {
        "bare": ["/bin/true"],
        "pyvarium-run": ours(pack, place / "ours", "/bin/true"),
    }
    timed(kinds["pyvarium-run"])
    (home,) = (one for one in (place / "ours").iterdir() if not one.name.startswith("."))
    kinds["run_in_env"] = [str(home / "bin" / "run_in_env"), "/bin/true"]
    if poncho is not None:
        kinds["Poncho"] = ponchos(poncho, pack, place / "poncho", "/bin/true")
        timed(kinds["Poncho"])
    os.chdir(place)  # Poncho writes into the directory that it is started in.
    taken: Dict[str, List[Tuple[float, float]]] = {kind: [] for kind in kinds}
    for _ in range(starts):
        for kind, command in kinds.items():
            taken[kind].append(timed(command))
    os.chdir("/")
    shown = {}
    for kind, pairs in taken.items():
        walls, processors = zip(*pairs)
        shown[kind] = (statistics.median(walls), min(walls), statistics.mean(processors))
        print(f"  {kind:<14}" + "".join(f"{1000 * one:8.2f}" for one in shown[kind]))
    over = [1000 * (a - b) for a, b in zip(shown["pyvarium-run"], shown["bare"])]
    rows.append(
        measuring.Row(
            what="pyvarium-run /bin/true, over /bin/true",
            size=1,
            unit="warm start",
            measure=measuring.PROCESSOR,
            value=round(over[2], 2),
            runs=starts,
            wall=round(over[0], 2),
            bar=3,
        )
    )
    bar(
        "overhead of a warm start, at most 3 ms",
        min(over[1:]) <= 3,
        f"median {over[0]:.2f}, least {over[1]:.2f}, processor {over[2]:.2f} ms",
    )
    strace = shutil.which("strace")
    if strace is not None:
        calls = "trace=fork,vfork,clone,clone3,flock,fcntl,mkdir,rename"
        done = subprocess.run(
            [strace, "-f", "-e", calls, *kinds["pyvarium-run"]], stderr=subprocess.PIPE, text=True
        )
        words = ("fork(", "clone", "flock(", "SETLK", "mkdir(", "rename(")
        lines = [one for one in done.stderr.splitlines() if any(word in one for word in words)]
        bar("no lock and no process", not lines, f"{len(lines)} such calls")


def herds(
    pack: Path, poncho: Optional[Path], other: Optional[Path], place: Path, size: int, rounds: int
) -> None:
    """Cold starts at once. What they unpack stays: ext4 looks for minutes at what was removed.

    For each file that it makes it passes over those (``recently_deleted`` of its ``ialloc.c``),
    which would take longer than all else.
    """
    place.mkdir()
    print(f"{size} cold starts at once in one directory (seconds: wall, processor)")
    log = logging_tar(place / "bin")
    kinds: Dict[str, Tuple[Callable[[Path], Command], str]] = {
        "flock": (lambda directory: ours(pack, directory, *ANSWER), "flock"),
        "lease": (lambda directory: ours(pack, directory, *ANSWER), "lease"),
    }
    if poncho is not None:
        program = poncho
        kinds["Poncho"] = (lambda directory: ponchos(program, pack, directory, *ANSWER), "")
        if other is not None:
            gz = other
            kinds["Poncho.gz"] = (lambda directory: ponchos(program, gz, directory, *ANSWER), "")
    taken: Dict[str, List[Tuple[float, float]]] = {kind: [] for kind in ("tar alone", *kinds)}
    for number in range(rounds):
        directory = place / f"tar{number}"
        directory.mkdir()
        tar = shutil.which("tar") or "tar"
        taken["tar alone"].append(timed([tar, "-xf", str(pack), "-C", str(directory)]))
        for kind, (command, lock) in kinds.items():
            environ = {**os.environ, "PYVARIUM_LOCK": lock, "PATH": with_first(place / "bin")}
            log.write_text("")
            directory = place / f"{kind}{number}"
            wall, processor, right = herd(command(directory), size, environ)
            taken[kind].append((wall, processor))
            unpacked = len(set(log.read_text().splitlines()))
            if (unpacked, right) != (1, size):
                print(f"  {kind}: {unpacked} unpacked, {right} of {size} right")
                if not kind.startswith("Poncho"):
                    missed.append(f"a herd with a {kind}")
    medians = {}
    for kind, pairs in taken.items():
        medians[kind] = [statistics.median(one) for one in zip(*pairs)]
        print(f"  {kind:<10}" + "".join(f"{one:8.2f}" for one in medians[kind]))
    floor = medians["tar alone"]
    for kind in ("flock", "lease"):
        for name in (name for name in medians if name.startswith("Poncho")):
            wall, processor = (a / b for a, b in zip(medians[kind], medians[name]))
            bar(f"{kind}, at most 0.5 of {name}", wall <= 0.5, f"{wall:.2f}, {processor:.2f}")
            rows.append(
                measuring.Row(
                    what=f"pyvarium-run with a {kind}",
                    size=size,
                    unit="cold starts",
                    measure="s",
                    value=round(medians[kind][0], 3),
                    runs=rounds,
                    beside=name,
                    other=round(medians[name][0], 3),
                    bar=0.5,
                )
            )
            above = (medians[kind][1] - floor[1]) / (medians[name][1] - floor[1])
            print(f"    processor time above that of tar: {above:.2f} of {name}'s")


ANSWER = ("sh", "-c", "command -v python3")


def with_first(directory: Path) -> str:
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


def logging_tar(directory: Path) -> Path:
    """Put a tar into a directory that adds a line to a file, which is returned.

    The line is the same for all the parts that one start unpacks.
    """
    directory.mkdir()
    log = directory / "log"
    program = directory / "tar"
    one = 'all=$*; one=$$; case $all in *" -C "*/.*) one=${all##*/.}; one=${one%%/*} ;; esac'
    program.write_text(
        f'#!/bin/sh\n{one}\n[ "$1" = --version ] || echo "$one" >> "{log}"\n'
        f'exec {shutil.which("tar")} "$@"\n'
    )
    program.chmod(0o755)
    return log


def herd(command: Command, size: int, environ: Dict[str, str]) -> Tuple[float, float, int]:
    with tempfile.TemporaryDirectory() as directory:
        before, start = spent(), time.perf_counter()
        processes = [
            subprocess.Popen(
                command, env=environ, cwd=directory, stdout=subprocess.PIPE, text=True
            )
            for _ in range(size)
        ]
        answers = [process.communicate()[0] for process in processes]
        taken = time.perf_counter() - start
    right = [
        answer
        for process, answer in zip(processes, answers)
        if process.returncode == 0 and answer.endswith("python/bin/python3\n")
    ]
    return taken, spent() - before, len(right)


def changed(poncho: Optional[Path], place: Path) -> None:
    place.mkdir()
    print("a pack that is another one now, under the same name and directory")
    pack = place / "made.tar.gz"
    read = ("sh", "-c", 'cat "$PYVARIUM_PACK/data/a"')
    answers: Dict[str, List[str]] = {"ours": [], "Poncho": []}
    for text in ("old", "new"):
        made(*usual(**{"data/a": text})).write(pack)
        commands = {"ours": ours(pack, place / "ours", *read)}
        if poncho is not None:
            commands["Poncho"] = ponchos(poncho, pack, place / "poncho", *read)
        for kind, command in commands.items():
            done = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, text=True)
            answers[kind].append(done.stdout)
    bar("never the old environment", answers["ours"] == ["old", "new"], str(answers["ours"]))
    if poncho is not None:
        print(f"  Poncho: {answers['Poncho']}")


def killed(pack: Path, place: Path, kills: int, moments: random.Random) -> None:
    place.mkdir()
    print(f"the unpacker is killed (-9) at {kills} random moments, alone or with all it started")
    whole = min(timed(ours(pack, place / f"whole{one}", "/bin/true"))[0] for one in range(3))
    for lock in ("flock", "lease"):
        environ = {**os.environ, "PYVARIUM_LOCK": lock}
        waits = []
        for number in range(kills):
            directory = place / f"{lock}{number}"
            process = subprocess.Popen(
                ours(pack, directory, "true"),
                env=environ,
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(moments.uniform(0, whole))
            if number % 2:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            start = time.perf_counter()
            done = subprocess.run(
                ours(pack, directory, *ANSWER), env=environ, stdout=subprocess.PIPE, text=True
            )
            waits.append(time.perf_counter() - start)
            process.wait()
            if done.returncode or not done.stdout.endswith("python/bin/python3\n"):
                missed.append(f"a start after a kill ({lock}, {number})")
            shutil.rmtree(directory, ignore_errors=True)
        print(
            f"  {lock}: the next start takes {statistics.median(waits):.2f} s, at most"
            f" {max(waits):.2f} s; unhindered {whole:.2f} s"
        )


def codes_and_signals(pack: Path, place: Path) -> None:
    place.mkdir()
    print("exit codes and signals")
    for words, code in (
        (("true",), 0),
        (("sh", "-c", "exit 42"), 42),
        (("sh", "-c", "kill -9 $$"), -9),
        (("no-such-program",), 127),
        (("/etc/passwd",), 126),
    ):
        done = subprocess.run(ours(pack, place / "ours", *words), stderr=subprocess.DEVNULL)
        bar(" ".join(words), done.returncode == code, str(done.returncode))
    program = 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.01; done'
    with subprocess.Popen(
        ours(pack, place / "ours", "sh", "-c", program), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        answer = process.stdout.read()
    bar("SIGTERM", (answer, process.returncode) == ("got it\n", 9), repr(answer))


def contracts(pack: Path, poncho: Optional[Path], place: Path) -> None:
    place.mkdir()
    print("the pack as it is, with what others start")
    question = ("python3", "-c", "import sys; print(sys.prefix)")
    if poncho is not None:
        done = subprocess.run(
            ponchos(poncho, pack, place / "poncho", *question),
            cwd=place,
            stdout=subprocess.PIPE,
            text=True,
        )
        bar("poncho_package_run", done.stdout == f"{place}/poncho/python\n", done.stdout.strip())
    # As TaskVine has it: the name does not tell the format; what is unpacked is moved and linked.
    (place / "input").symlink_to(pack)
    script = (
        "mkdir output && tar xf input -C output && output/bin/run_in_env"
        " && mkdir -p cache/one task && mv output cache/one/env && ln -s ../cache/one/env task/env"
        ' && cd task && env/bin/run_in_env "$@"'
    )
    done = subprocess.run(
        ["sh", "-c", script, "sh", *question], cwd=place, stdout=subprocess.PIPE, text=True
    )
    shown = done.stdout.strip()
    bar("TaskVine's sequence", shown.endswith("/env/python"), shown)


if __name__ == "__main__":
    sys.exit(main())
