# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The sync at the end of a Spack command, in the parent process, after the view is written.

Hooks alone would miss what was in the store already, came from an upstream or was removed; so the
truth is looked at whenever a command may have changed it, or a hook has left its mark.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import socket
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Iterator, Optional, Tuple

from . import __version__, commits, files, log, mark, pyproject, settings, spack_api
from .errors import PyvariumError
from .log import Result
from .model import Environment, PinDiff
from .settings import AUTO_SYNC_PATHS, GIT_COMMIT, GIT_PUSH, Policy
from .sync import plan, sync

NO_DIFFERENCE = PinDiff()


@dataclass(frozen=True)
class Outcome:
    """What a sync came to, and what to say of it; ``warnings`` are what the user has to mend."""

    result: Result
    message: str = ""
    lines: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    diff: PinDiff = NO_DIFFERENCE


def after_command(command: str) -> Iterator[str]:
    """Sync the active environment, after a command that may have changed what it provides.

    Yields the lines to say: one where a file changed, one for each fault. Raises PyvariumError,
    but the same one not again until something changes: the sync stays due, as for a file that is
    being edited, and no command in between need say so.
    """
    environment = spack_api.active_environment()
    if environment is None:
        return
    state = environment.state
    if environment.lockfile.exists():
        try:
            yield from _logged_sync(environment, command)
        except PyvariumError as error:
            if mark.reason(state) == str(error):
                return
            mark.leave(state, str(error))
            raise
    mark.remove(state)


def _logged_sync(environment: Environment, command: str) -> Iterator[str]:
    """Sync, log how that ended, and say what is to be said of both."""
    start = time.monotonic()
    try:
        outcome = _sync(environment)
    except Exception as error:
        _log(environment, command, Outcome(Result.FAILED, str(error)), time.monotonic() - start)
        raise
    if outcome is None:
        return
    fault = _log(environment, command, outcome, time.monotonic() - start)
    quiet = spack_api.quiet().value
    if not quiet:
        yield from outcome.lines
    yield from outcome.warnings
    if not quiet and outcome.result is not Result.LEFT_ALONE and _is_news(environment, fault):
        yield f"Warning: pyvarium: log {fault}; ask who has set it, or see 'setup --status'"


def _sync(environment: Environment) -> Optional[Outcome]:
    """Sync where the settings want it; None where they switch it off.

    A file is not even parsed where its content is not asked.
    """
    resolve = functools.partial(
        settings.resolve_policy,
        forced=spack_api.forced_policy(),
        variable=os.environ.get(settings.VARIABLE),
        configured=spack_api.configured_policy(),
    )
    policy = resolve(auto_sync=True)
    if policy.value is Policy.OFF:
        return None
    paths = spack_api.paths()
    if paths and not settings.covers(paths.value, os.path.realpath(environment.path)):
        return Outcome(Result.LEFT_ALONE, f"{AUTO_SYNC_PATHS} of {paths.origin}")
    left_alone = Outcome(Result.LEFT_ALONE, f"{policy.value.value} by {policy.origin}")
    data = files.read_optional(environment.pyproject)
    if policy.value is Policy.OPTED_IN and b"pyvarium" not in (data or b""):
        return left_alone
    owned = pyproject.Owned()
    if data is not None:
        owned = pyproject.owned(data.decode("utf-8", "replace"), str(environment.pyproject))
    policy = resolve(auto_sync=owned.auto_sync)
    if policy.value is Policy.OFF:
        return None
    if not settings.acts(policy.value, exists=data is not None, opted_in=owned.opted_in):
        if policy.value is Policy.EXISTING and data is None:
            return replace(left_alone, lines=tuple(_hint(environment)))
        return left_alone
    changes = sync(environment, spack_api.defaults(), thorough=False)
    faults = [str(one) for one in changes.skipped if one.fault]
    lines = [f"pyvarium: {changes.pyproject.path}: {changes}"] if changes else []
    warnings = [f"Warning: pyvarium: {one}" for one in faults]
    if changes.pyproject:
        for line in committed(environment, {commits.PYPROJECT: changes.pyproject.before}):
            (warnings if line.startswith("Warning: ") else lines).append(_ours(line))
    return Outcome(
        Result.CHANGED if changes else Result.IN_STEP,
        "; ".join([str(changes), *faults] if changes else faults),
        tuple(lines),
        tuple(warnings),
        changes.diff,
    )


def committed(environment: Environment, before: commits.Contents) -> Iterator[str]:
    """Commit what a sync has changed, if that is asked for; yields what there is to say."""
    if spack_api.switch(GIT_COMMIT).value:
        push = spack_api.switch(GIT_PUSH).value
        yield from commits.commit(environment, before, os.environ, push=push)


def _ours(line: str) -> str:
    warning = "Warning: " if line.startswith("Warning: ") else ""
    return f"{warning}pyvarium: {line[len(warning) :]}"


def _hint(environment: Environment) -> Iterator[str]:
    """Name the command, once, where there is no file to keep in step.

    Whoever has none has not asked for anything, so what would be wrong with it is not said.
    """
    hinted = environment.state / "hinted"
    if hinted.exists():
        return
    with contextlib.suppress(PyvariumError):
        if plan(environment, thorough=False).pins:
            missing = f"{environment.pyproject}: does not exist"
            yield f"pyvarium: {missing}; 'spack pyvarium sync' creates it"
            files.write_atomically(hinted, b"", expected=None)


def _log(
    environment: Environment, command: str, outcome: Outcome, seconds: float
) -> Optional[str]:
    """Log a sync, if that is asked for; returns why it could not be, if so."""
    file = spack_api.log()
    if file is None:
        return None
    entry = log.Entry(
        time=datetime.now(timezone.utc),
        host=socket.gethostname(),
        user=_user(),
        pid=os.getpid(),
        environment=environment.path,
        command=command,
        result=outcome.result,
        message=outcome.message,
        diff=outcome.diff,
        seconds=seconds,
        spack=spack_api.version(),
        pyvarium=__version__,
    )
    try:
        log.append(file.value, log.render(entry))
    except PyvariumError as failed:
        return str(failed)
    return None


def _user() -> str:
    """Who runs this, whatever the variables say."""
    with contextlib.suppress(KeyError):  # As in a container, where nobody has the number.
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def _is_news(environment: Environment, fault: Optional[str]) -> bool:
    """Whether to say that the log cannot be written: once, in an environment that remembers it."""
    said = environment.state / "log-fault"
    with contextlib.suppress(OSError):
        if fault is None:
            said.unlink()
        elif not said.is_file() or said.read_text(encoding="utf-8") != fault:
            said.write_text(fault, encoding="utf-8")
            return True
    return False
