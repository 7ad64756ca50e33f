# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, Tuple

import pytest

from pyvarium.errors import FileError
from pyvarium.files import FileChange, locked, read_optional, share, write_atomically


def test_writes_and_keeps_the_mode(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o640)
    write_atomically(file, b"new", expected=b"old")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", 0o640)
    assert os.listdir(tmp_path) == ["file"]


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_atomically(tmp_path / "file", b"", expected=None)
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.fixture
def umask() -> Iterator[None]:
    """That of an admin who shares nothing by chance."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.parametrize(
    ("directory", "modes"), [(0o755, (0o755, 0o644)), (0o2750, (0o750, 0o640))]
)
def test_a_shared_file_has_the_readers_of_its_directory(
    umask: None, tmp_path: Path, directory: int, modes: Tuple[int, int]
) -> None:
    tmp_path.chmod(directory)
    path = tmp_path / "new" / "shared"
    assert FileChange(path, None, b"1", shared=True).write()
    found = tuple(one.stat().st_mode & 0o777 for one in (path.parent, path))
    FileChange(tmp_path / "own", None, b"1").write()
    assert (found, (tmp_path / "own").stat().st_mode & 0o777) == (modes, 0o600)


def test_shares_what_is_below_a_path(umask: None, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "tree" / "sub" / "file"
    path.parent.mkdir(parents=True)
    path.touch()
    (tmp_path / "other").touch()
    (path.parent / "link").symlink_to(tmp_path / "other")
    share(tmp_path / "tree", like=tmp_path)
    found = [one.stat().st_mode & 0o777 for one in (path, path.parent, tmp_path / "other")]
    assert found == [0o644, 0o755, 0o600]


def test_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    write_atomically(tmp_path / "link", b"new", expected=b"old")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"


def test_leaves_alone_what_another_program_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"edited")
    with pytest.raises(FileError) as caught:
        write_atomically(file, b"new", expected=b"old")
    assert str(caught.value) == f"{file}: was changed by another program meanwhile; try again"
    assert (file.read_bytes(), os.listdir(tmp_path)) == (b"edited", ["file"])


def test_keeps_the_group(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    others = [group for group in os.getgroups() if group != file.stat().st_gid]
    if os.geteuid() == 0:
        others.append(64002)
    if not others:
        pytest.skip("whoever runs this is in one group only")
    os.chown(file, -1, others[-1])
    file.chmod(0o660)
    write_atomically(file, b"new", expected=b"old")
    assert (file.stat().st_gid, stat.S_IMODE(file.stat().st_mode)) == (others[-1], 0o660)


def test_leaves_a_read_only_file_alone(tmp_path: Path) -> None:
    """Also for root, and although the directory would allow a replacement."""
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o444)
    with pytest.raises(FileError) as caught:
        write_atomically(file, b"new", expected=b"old")
    assert str(caught.value) == f"{file}: cannot be written (it is read-only); make it writable"


def test_bad_places(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(FileError, match=r"is a link to nothing; mend or remove it$"):
        read_optional(tmp_path / "link")
    with pytest.raises(FileError, match=r"\(Is a directory\); move away what stands there$"):
        read_optional(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"\(Not a directory\); move away what stands there$"):
        write_atomically(tmp_path / "file" / "below", b"", expected=None)
    assert read_optional(tmp_path / "no") is None


def test_makes_the_directory(tmp_path: Path) -> None:
    write_atomically(tmp_path / "some" / "where" / "file", b"new", expected=None)
    assert (tmp_path / "some" / "where" / "file").read_bytes() == b"new"


def test_a_change_may_remove_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    assert FileChange(file, b"old", b"old").write() is False
    assert FileChange(file, b"old", None).write() is True
    assert not file.exists()


def test_what_a_killed_writer_has_left_is_swept(tmp_path: Path) -> None:
    """Not what is young, of a process that runs, of another host, or of another file."""
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    host = os.uname().nodename
    names = {
        f".file.{host}.{dead.pid}.abcd_123": 1e9,
        f".file.{host}.{dead.pid}.abcd_124": time.time(),
        f".file.{host}.{os.getpid()}.abcd_123": 1e9,
        f".file.other.{dead.pid}.abcd_123": 1e9,
        f".file.x.{host}.{dead.pid}.abcd_123": 1e9,
        f".file.{host}.{dead.pid}.mine": 1e9,
    }
    for name, written in names.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (written, written))
    write_atomically(tmp_path / "file", b"new", expected=None)
    assert sorted(os.listdir(tmp_path)) == sorted(["file", *list(names)[1:]])


def test_an_interrupt_as_the_file_is_made_leaves_nothing(
    tmp_path: Path, interrupted_opening: None
) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new", expected=None)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_exclusive_and_dies_with_its_holder(tmp_path: Path) -> None:
    lock = tmp_path / "state" / "lock"
    program = (
        "import sys; from pathlib import Path; from pyvarium.files import FileChange, locked\n"
        f"with locked(Path({str(lock)!r})): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(FileError, match="is locked by another process"), locked(lock, 0.1):
            pass
        holder.kill()
    with locked(lock, 0.1):
        pass


KILLED = """\
import os, signal, sys
from pathlib import Path
from pyvarium import files

def die(frame, event, argument):
    # Dies at a line of its own choosing, which is what a kill during the write is.
    global left
    if event == "line" and frame.f_code.co_filename == files.__file__:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return die

file = Path(sys.argv[1])
for line in range(100):
    for found in file.parent.iterdir():
        found.unlink()  # Else there would be more lines each time.
    file.write_bytes(b"old" * 100000)
    child = os.fork()
    if not child:
        left = line
        sys.settrace(die)
        files.write_atomically(file, b"new" * 100000, expected=b"old" * 100000)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    content = file.read_bytes()
    whole = content in (b"old" * 100000, b"new" * 100000)
    print(os.WTERMSIG(status) or "done", content[:3].decode() if whole else "torn")
    if not status:
        break
"""


@pytest.mark.programs
def test_killed_at_any_line_of_the_write_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "file"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    killed = int(signal.SIGKILL)
    assert set(done.stdout.splitlines()) == {f"{killed} old", f"{killed} new", "done new"}
