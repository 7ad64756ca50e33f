# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Fetch the data that a specification names, each below a directory, and record what it was.

What is fetched is not trusted. Git runs without hooks, templates and transports that are programs,
and gets nothing of a specification as an option. An archive with a member or a link that would be
outside of its directory is refused, and what is too large is given up while it comes.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import re
import subprocess
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import (
    IO,
    Any,
    Callable,
    ContextManager,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from .cache import Cache
from .errors import PyvariumError, quoted
from .fetching import Fetcher, FetchError, OpenUrl
from .pack_file import TIME
from .pack_manifest import Data
from .project import without_password
from .specification import Download, Repository, Specification
from .tarball import ArchiveError

#: Where in a pack all data are.
FOLDER = "data"
#: Of one file, as it comes and unpacked; and how many members an archive may have.
LARGEST = 64 << 30
MOST_MEMBERS = 1_000_000
#: Seconds for one file or one command of git; either gives up much earlier where nothing comes.
DEADLINE = 6 * 3600.0
_CHUNK = 1 << 20
#: In bytes, as where a pack is unpacked.
_LONGEST_NAME = 1024

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
#: Names with these are refused where a pack is unpacked.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_ABBREVIATED = re.compile(r"[0-9a-f]{4,64}")
_TRANSPORTS = "http:https:ssh:git:file"
#: What would make git work elsewhere than it is told to.
_ELSEWHERE = tuple(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY", "COMMON_DIR", "NAMESPACE"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "TEMPLATE_DIR", "SHALLOW_FILE", "GRAFT_FILE", "PREFIX"),
    )
)
_SETTINGS = (
    *("core.hooksPath=/dev/null", "core.autocrlf=false", "core.symlinks=true"),
    *("advice.detachedHead=false", "gc.auto=0", "maintenance.auto=false"),
    *("protocol.ext.allow=never", "submodule.recurse=false"),
    *("http.lowSpeedLimit=1", "http.lowSpeedTime=60"),
)
_DECOMPRESSED: Mapping[str, Callable[[IO[bytes]], ContextManager[Any]]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}
_BROKEN = (
    *(OSError, EOFError, ValueError, OverflowError),
    *(tarfile.TarError, zlib.error, lzma.LZMAError),
)

Report = Callable[[str], None]


class DataError(PyvariumError):
    """The data of a specification cannot be had, or are not what they are said to be."""


def fetch(
    specification: Specification,
    directory: Path,
    *,
    subject: str,
    environ: Mapping[str, str],
    open_url: Optional[OpenUrl],
    report: Report,
) -> Tuple[Data, ...]:
    """Fetch all data, each into what is named as its variable in a directory; raises DataError.

    When it was fetched shows nowhere: the same data are the same bytes in a pack.
    """
    directory.mkdir(parents=True, exist_ok=True)
    found: List[Data] = []
    for repository in specification.repositories:
        report(f"{repository.variable}: fetching {without_password(repository.remote)}")
        key = f"{subject}: git.{repository.variable}"
        found.append(fetch_repository(repository, directory, key, environ))
        report(f"{repository.variable}: commit {found[-1].commit}")
    for download in specification.downloads:
        report(f"{download.variable}: fetching {without_password(download.url)}")
        key = f"{subject}: http.{download.variable}"
        found.append(fetch_download(download, directory, key, open_url))
        report(f"{download.variable}: sha256 {found[-1].digest}")
    for folder, _, files in os.walk(directory):
        for name in files:
            os.utime(os.path.join(folder, name), (TIME, TIME), follow_symlinks=False)
    return tuple(found)


def fetch_download(
    download: Download,
    directory: Path,
    subject: str,
    open_url: Optional[OpenUrl] = None,
    largest: int = LARGEST,
) -> Data:
    """Fetch a file, and unpack it where it is an archive; raises DataError, which has the key."""
    target = directory / download.variable
    shown = without_password(download.url)
    fetched = directory / f".{download.variable}"
    try:
        digest = _fetch(download.url, fetched, subject, open_url, largest)
        if download.sha256 not in (None, digest):
            raise DataError(
                f"{subject}.sha256: {shown} has {digest}; name the right one, or another url"
            )
        if download.kind == "file" and download.compression is None:
            fetched.rename(target)
        else:
            _unpack(download, fetched, target, largest)
    except ArchiveError as error:
        raise DataError(
            f"{subject}: {shown}: {error}; mend type and compression, or name another url"
        ) from None
    finally:
        fetched.unlink(missing_ok=True)
    return Data(download.variable, f"{FOLDER}/{download.variable}", shown, digest=digest)


def _fetch(url: str, path: Path, subject: str, open_url: Optional[OpenUrl], largest: int) -> str:
    """Write what a URL has into a new file; its sha256."""
    digest = hashlib.sha256()
    try:
        fetcher = Fetcher(Cache(None), url, open_url=open_url, deadline=DEADLINE)
        with fetcher.stream(fetcher.index, largest) as stream, path.open("xb") as file:
            for part in iter(lambda: stream.read(_CHUNK), b""):
                digest.update(part)
                file.write(part)
    except FetchError as error:  # Its remedy is one for an index.
        wrong = str(error).rpartition("; ")[0]
        raise DataError(f"{subject}.url: {wrong}; mend it, or try again later") from None
    except OSError as error:
        raise DataError(
            f"{subject}.url: cannot be stored ({error.strerror}); make room, or set TMPDIR"
        ) from None
    return digest.hexdigest()


def _unpack(download: Download, source: Path, target: Path, largest: int) -> None:
    """Unpack what was fetched; raises ArchiveError."""
    try:
        with source.open("rb") as file:
            if download.kind == "tar":
                _unpack_tar(file, target, largest)
            else:
                with _DECOMPRESSED[str(download.compression)](file) as plain:
                    _copy(plain, target, largest)
    except _BROKEN as error:
        said = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ArchiveError(f"it cannot be unpacked ({said})") from None


def _copy(source: IO[bytes], target: Path, largest: int) -> int:
    """Copy a stream of no known size into a new file; raises ArchiveError for one too large."""
    size = 0
    with target.open("xb") as file:
        for part in iter(lambda: source.read(_CHUNK), b""):
            size += len(part)
            if size > largest:
                raise ArchiveError(f"it has more than {LARGEST >> 30} GiB")
            file.write(part)
    return size


def _unpack_tar(file: IO[bytes], top: Path, largest: int) -> None:
    """Unpack a tar file into a new directory, compressed or not; raises ArchiveError.

    Not by ``extractall``, whose filters releases of Python before 2025 can be led around. Symbolic
    links are made last, so that nothing is written through one.
    """
    top.mkdir()
    links: Dict[Path, str] = {}
    with tarfile.open(fileobj=file) as archive:
        for count, member in enumerate(archive):
            if count >= MOST_MEMBERS:
                raise ArchiveError(f"it has more than {MOST_MEMBERS} members")
            path = top / _inside(member.name)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                path.unlink()  # Of two members with one name the last counts.
            links.pop(path, None)
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                largest -= _copy(content, path, largest)
                path.chmod(0o755 if member.mode & 0o100 else 0o644)
            elif member.islnk():
                os.link(top / _inside(member.linkname), path)
            elif member.issym():
                links[path] = member.linkname
            else:
                raise ArchiveError(f"its member {member.name!a} is no file, directory or link")
    for path, target in links.items():
        if _leads_out(path, target, top):
            raise ArchiveError(f"its link {os.path.relpath(path, top)!a} leads out of it")
        if os.path.lexists(path):
            raise ArchiveError(f"its member {os.path.relpath(path, top)!a} is there twice")
        path.symlink_to(target)


def _inside(name: str) -> str:
    """The name of a member, checked to be below where it is unpacked; raises ArchiveError."""
    if name.startswith("/") or ".." in name.split("/"):
        raise ArchiveError(f"its member {name!a} would be outside of it")
    if _CONTROLS.search(name):
        raise ArchiveError(f"its member {name!a} has control characters in its name")
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise ArchiveError(f"its member {quoted(name)} has a name of {len(name)} characters")
    return name


def _leads_out(path: Path, target: str, top: Path) -> bool:
    """Whether a link may lead out of a tree all of whose links are held to this.

    ``..`` is let stand only where it begins the target, so that it is of a real directory.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    climbs = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    depth = len(path.relative_to(top).parts) - 1
    return target.startswith("/") or climbs > depth or ".." in parts[climbs:]


def fetch_repository(
    repository: Repository, directory: Path, subject: str, environ: Mapping[str, str]
) -> Data:
    """Check out the files of a repository, without its history; raises DataError with the key."""
    target = directory / repository.variable
    with tempfile.TemporaryDirectory(dir=directory) as own:
        git = _Git(Path(own), repository, subject, environ)
        commit = git.fetch()
        if repository.commit not in (None, commit):
            raise DataError(
                f"{subject}.commit: {git.shown} has {commit} at"
                f" {repository.ref or 'its default branch'}; name the right one, or another ref"
            )
        target.mkdir()
        git.check_out(commit, target)
    _check(target, subject)
    path = f"{FOLDER}/{repository.variable}"
    return Data(repository.variable, path, git.shown, commit=commit)


@dataclass(frozen=True)
class _Git:
    """The commands on one repository, which is fetched into a directory of our own."""

    directory: Path
    repository: Repository
    subject: str
    environ: Mapping[str, str]

    @property
    def shown(self) -> str:
        return without_password(self.repository.remote)

    def fetch(self) -> str:
        """Fetch the commit that is asked for, alone where the server can do that."""
        self("init", "--quiet", "--bare", "--template=", ".")
        remote, ref = self.repository.remote, self.repository.ref or self.repository.commit
        known = self.refs()
        wanted = self.find(known, ref)
        if wanted is not None:
            options = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules")
            if self.run("fetch", *options, "--", remote, wanted).returncode:
                wanted_ref = next((name for name, one in known.items() if one == wanted), None)
                self.fetch_all([wanted_ref] if wanted_ref else [])
        else:
            self.fetch_all([])
        name = f"{wanted or ref}^{{commit}}"
        done = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        if done.returncode:
            raise DataError(
                f"{self.subject}.{'ref' if self.repository.ref else 'commit'}: {self.shown} has no"
                f" branch, tag or commit {ref}; mend it"
            )
        return done.stdout.strip()

    def refs(self) -> Dict[str, str]:
        """All that the remote has, by name."""
        lines = self("ls-remote", "--quiet", "--", self.repository.remote).splitlines()
        known = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
        if not known:
            raise DataError(f"{self.subject}.remote: {self.shown} is empty; name another")
        return known

    def find(self, known: Mapping[str, str], ref: Optional[str]) -> Optional[str]:
        """The object that is asked for; None where only the whole history can tell."""
        if ref is None:
            if "HEAD" not in known:
                raise DataError(f"{self.subject}: {self.shown} has no default branch; add a ref")
            return known["HEAD"]
        names = [f"refs/tags/{ref}", f"refs/heads/{ref}"]
        found = {known[name] for name in names if name in known}
        if len({known.get(f"{name}^{{}}", known[name]) for name in names if name in known}) > 1:
            raise DataError(
                f"{self.subject}.ref: {self.shown} has a branch and a tag {ref}; write"
                f" refs/heads/{ref} or refs/tags/{ref}"
            )
        if found:
            return min(found)
        if ref in known:
            return known[ref]
        if _COMMIT.fullmatch(ref):
            return ref
        if _ABBREVIATED.fullmatch(ref):
            return None
        raise DataError(
            f"{self.subject}.ref: {self.shown} has no branch, tag or commit {ref}; mend it"
        )

    def fetch_all(self, names: Sequence[str]) -> None:
        refspecs = [f"+{name}:{name}" for name in ("refs/heads/*", "refs/tags/*")]
        refspecs += [f"+{name}:{name}" for name in names if name.startswith("refs/")]
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--update-head-ok")
        self("fetch", *options, "--", self.repository.remote, *dict.fromkeys(refspecs))

    def check_out(self, commit: str, target: Path) -> None:
        # Filters of the user, as for large files, ask where the repository came from.
        origin = ("-c", f"remote.origin.url={self.repository.remote}")
        work_tree = f"--work-tree={target}"
        self("checkout", "--quiet", "--force", "--detach", commit, before=(*origin, work_tree))

    def __call__(self, *arguments: str, before: Sequence[str] = ()) -> str:
        """Run a command that has to succeed; what it prints."""
        done = self.run(*arguments, before=before)
        if done.returncode:
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            fatal = [line for line in said if line.startswith("fatal: ")]
            reason = without_password("".join((fatal or said or ["no reason given"])[:1]))
            raise DataError(
                f"{self.subject}.remote: 'git {arguments[0]}' of {self.shown} fails"
                f" ({reason.rstrip('.')}); mend it, or try again"
            )
        return done.stdout

    def run(self, *arguments: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        git_dir = self.directory if arguments[0] != "init" else None
        settings = [word for one in _SETTINGS for word in ("-c", one)]
        place = [f"--git-dir={git_dir}"] if git_dir else ["-C", str(self.directory)]
        command = ["git", *settings, *place, *before, *arguments]
        environ = {key: value for key, value in self.environ.items() if key not in _ELSEWHERE}
        environ.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
        environ.update(GIT_TERMINAL_PROMPT="0", GIT_ALLOW_PROTOCOL=_TRANSPORTS, LC_ALL="C")
        try:
            return subprocess.run(
                command,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=DEADLINE,
            )
        except subprocess.TimeoutExpired:
            raise DataError(f"{self.subject}: {self.shown} takes too long; try again") from None
        except OSError as error:
            raise DataError(
                f"git: cannot be run ({error.strerror}); install it, as {self.subject} needs it"
            ) from None


def _check(top: Path, subject: str) -> None:
    """Refuse what would be refused where a pack is to run; raises DataError."""
    for folder, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = Path(folder, name)
            wrong = None
            if path.is_symlink() and _leads_out(path, os.readlink(path), top):
                wrong = "its link {} leads out of the repository"
            elif _CONTROLS.search(name):
                wrong = "its file {} has control characters in its name"
            if wrong is not None:
                shown = ascii(os.path.relpath(path, top))
                raise DataError(f"{subject}: {wrong.format(shown)}; name a commit without it")
