# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The log that many processes append to."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.errors import FileError
from pyvarium.log import Entry, Result, append, fault, render
from pyvarium.model import Pin, PinDiff

PROCESSES = 16
LINES = 25
DIFF = PinDiff(
    added=(Pin("a", "1"),), changed=((Pin("b", "1"), Pin("b", "2")),), removed=(Pin("c", "3"),)
)


def entry(**changes: Any) -> Entry:
    values: Dict[str, Any] = {
        "time": datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        "host": "login1",
        "user": "me",
        "pid": 42,
        "environment": Path("/work"),
        "command": "install",
        "result": Result.CHANGED,
        "message": "a==1 added",
        "diff": DIFF,
        "seconds": 0.12345,
        "spack": "1.1.0",
        "pyvarium": "0.1.0",
    }
    return Entry(**{**values, **changes})


def test_an_entry() -> None:
    assert json.loads(render(entry())) == {
        "time": "2026-03-01T10:00:00Z",
        "host": "login1",
        "user": "me",
        "pid": 42,
        "environment": "/work",
        "command": "install",
        "result": "changed",
        "message": "a==1 added",
        "added": {"a": "1"},
        "changed": {"b": ["1", "2"]},
        "removed": {"c": "3"},
        "seconds": 0.123,
        "spack": "1.1.0",
        "pyvarium": "0.1.0",
    }


@given(message=st.text(), path=st.binary().filter(lambda data: b"\0" not in data))
def test_an_entry_is_one_line(message: str, path: bytes) -> None:
    environment = Path("/", os.fsdecode(path))
    line = render(entry(message=message, environment=environment, command=""))
    answer = json.loads(line)
    assert (line.count(b"\n"), line.isascii()) == (1, True)
    assert (answer["message"], answer["environment"]) == (message or None, str(environment))
    assert answer["command"] is None


def write_lines(path: Path, number: int) -> None:
    for line in range(LINES):
        append(path, render(entry(pid=number, message=f"{line}" + "x" * (97 * line * number))))


def test_many_processes(tmp_path: Path) -> None:
    """Of lines from 300 bytes to 36 KB none is mixed with another, and none is lost."""
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_lines, args=(path, one)) for one in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    found: Dict[int, List[str]] = {}
    for line in path.read_text().splitlines():
        answer = json.loads(line)
        found.setdefault(answer["pid"], []).append(answer["message"].rstrip("x"))
    assert found == {one: [str(line) for line in range(LINES)] for one in range(PROCESSES)}


def hold(path: Path, ready: Any) -> None:
    import fcntl

    with path.open("ab") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        ready.send(None)
        signal.pause()


def test_nobody_waits_for_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    holder = context.Process(target=hold, args=(path, there))
    holder.start()
    here.recv()
    append(path, b"{}\n", timeout=0.0)
    holder.kill()
    holder.join()
    assert path.read_bytes() == b"{}\n"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("directory", "Is a directory"),
        ("link", "is a link"),
        ("pipe", "No such device or address"),
        ("no-directory", "No such file or directory"),
        ("no-regular-file", "is no file"),
    ],
)
def test_what_is_no_log(tmp_path: Path, kind: str, reason: str) -> None:
    path = tmp_path / "log.jsonl"
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "other")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "no-directory":
        path = tmp_path / "none" / "log.jsonl"
    else:
        path = Path(os.devnull)
    message = f"{path}: cannot be written ({reason})"
    with pytest.raises(FileError) as raised:
        append(path, b"{}\n")
    assert str(raised.value) == message
    expected = message if kind != "no-directory" else f"{path}: cannot be created in {path.parent}"
    assert fault(path) == expected
    assert [one.name for one in tmp_path.iterdir()] in ([], ["log.jsonl"])


def test_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert (fault(path), path.exists()) == (None, False)
    append(path, b"{}\n")
    assert (fault(path), path.read_bytes()) == (None, b"{}\n")


def test_no_room(tmp_path: Path) -> None:
    """Of a line that does not fit nothing is left. The kernel limits files for this process."""
    path = tmp_path / "log.jsonl"
    append(path, b"{}\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(FileError, match="File too large"):
            append(path, b"x" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == b"{}\n"
