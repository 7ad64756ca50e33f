# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The commands as functions from an environment to an answer, for ``spack`` and ``python -m``.

Each imports what it alone needs: to import all of it takes longer than most checks.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Mapping, Optional, Tuple

from . import report
from .errors import FileError, PyvariumError, StaleViewError
from .files import FileChange, read_optional
from .model import Environment, Inventory, Mode, Skipped
from .report import Answer
from .settings import Defaults

if TYPE_CHECKING:
    from .activation import Shell
    from .exports import Contents, Wish


def sync(
    environment: Environment,
    defaults: Optional[Defaults] = None,
    *,
    check: bool,
    diff: bool,
    dry_run: bool,
    as_json: bool,
    by_digest: bool = False,
) -> Answer:
    """Sync, or with any of the first three only show what a sync would do.

    A check ``by_digest`` looks at no view, as one where there is none.
    """
    if check and (by_digest or environment.views is None):
        return _check_by_digest(environment, as_json)
    from .sync import plan
    from .sync import sync as write_plan

    written = not (check or diff or dry_run)
    changes = (write_plan if written else plan)(environment, defaults)
    faults = [one for one in changes.skipped if one.fault]
    notes = report.skipped_notes(changes.skipped)
    if as_json:
        text = report.render_json(report.plan_as_json(changes, written))
    elif diff:
        text = changes.unified_diff()
    else:
        would = "" if written or not changes else "would be changed: "
        text = f"{changes.pyproject.path}: {would}{changes}\n"
    code = report.DIFFERS if check and changes else report.OK
    return Answer(text, notes, report.ERROR if faults else code)


def verify(
    environment: Environment,
    defaults: Optional[Defaults] = None,
    environ: Optional[Mapping[str, str]] = None,
    *,
    fix: bool = False,
    as_json: bool = False,
) -> Answer:
    """List what is wrong, after repairing what can be if that is asked for."""
    from . import verify as checks

    environ = environ or {}
    faults = checks.verify(environment, defaults, environ)
    fixed: Tuple[checks.Fault, ...] = ()
    if fix and faults:
        checks.fix(environment, defaults, faults)
        remaining = checks.verify(environment, defaults, environ)
        fixed = tuple(one for one in faults if one not in remaining)
        faults = remaining
    if as_json:
        text = report.render_json(report.faults_as_json(faults, fixed))
    else:
        text = report.render_faults(faults, fixed) or f"{environment.path}: no fault\n"
    return Answer(text, (), report.DIFFERS if faults else report.OK)


def export(
    environment: Environment,
    defaults: Optional[Defaults],
    wish: Wish,
    recipe_of: Optional[Callable[[str], Optional[str]]] = None,
    *,
    output: Optional[str] = None,
    check: bool = False,
    force: bool = False,
    as_json: bool = False,
) -> Answer:
    """Write both layers in the format of another tool, or print it."""
    from . import exports

    contents = exports.read_contents(environment, defaults, wish)
    path = None if output in (None, "-") else Path(str(output))
    directory = Path(os.path.abspath(path)).parent if path else environment.path
    text, skipped = _exported(contents, wish, directory, recipe_of)
    notes = report.skipped_notes((*contents.skipped, *skipped))
    if path is None:
        return Answer(text, notes)
    # To a configuration of a bot one adds one's own.
    sure = wish.format not in ("dependabot", "renovate")
    if check:
        change = FileChange(path, read_optional(path), text.encode("utf-8"))
    else:
        change = exports.change(path, text, force=force, sure=sure)
        change.write()
    return report.exported(
        contents, change, (*contents.skipped, *skipped), check=check, as_json=as_json
    )


def _exported(
    contents: Contents,
    wish: Wish,
    directory: Path,
    recipe_of: Optional[Callable[[str], Optional[str]]],
) -> Tuple[str, Tuple[Skipped, ...]]:
    """The text of an export that will lie in a directory, and what is not in it."""
    from . import bom, exports, updaters

    names = [one.name for one in contents.provided]
    if wish.format == "requirements":
        # Whoever has no Spack can do nothing with the hashes of its wheels.
        hashes = contents.mode is Mode.PORTABLE if wish.hashes is None else wish.hashes
        return exports.render_requirements(contents, hashes=hashes), ()
    if wish.format == "constraints":
        return exports.render_constraints(contents, hashes=bool(wish.hashes)), ()
    if wish.format == "pylock":
        contents = exports.with_urls(contents, exports.index_files(contents.environment))
        return exports.render_pylock(contents, directory)
    if wish.format == "conda":
        return exports.render_conda(contents)
    if wish.format == "poncho":
        return exports.render_poncho(contents), ()
    if wish.format == "cyclonedx":
        return bom.render_cyclonedx(contents), ()
    if wish.format == "renovate":
        return updaters.render_renovate(names), ()
    if wish.format == "dependabot":
        below = updaters.directory_of(contents.environment.path)
        return updaters.render_dependabot(names, contents.backend, below), ()
    if recipe_of is None:
        raise PyvariumError(
            f"export {wish.format}: needs Spack's recipes; run 'spack pyvarium export'"
        )
    return exports.render_packages(contents, recipe_of)


def verify_venv(path: Path, environ: Mapping[str, str], *, fix: bool, as_json: bool) -> Answer:
    """List what is wrong with a venv that somebody made by hand."""
    from . import classic

    if fix:
        raise FileError(f"{path}: is no environment, and is not changed; leave out --fix")
    faults = classic.verify(classic.read_venv(path, environ))
    if as_json:
        text = report.render_json(report.faults_as_json(faults, ()))
    else:
        text = report.render_faults(faults, ()) or f"{path}: no fault\n"
    return Answer(text, (), report.DIFFERS if faults else report.OK)


def activate(environment: Environment, shell: Shell) -> Answer:
    """The line to evaluate in a shell."""
    from .activation import render_source

    file = environment.path / shell.file
    if not file.exists():
        raise FileError(f"{file}: does not exist; run 'spack pyvarium sync'")
    return Answer(render_source(shell, file) + "\n")


def status(environment: Environment, *, as_json: bool) -> Answer:
    """List what Spack provides, and what stands in the environment's ``.venv`` on top of it."""
    from .layer import installed_distributions
    from .lockfile import read_lockfile
    from .provided import provided_distributions

    inventory = provided_distributions(environment, read_lockfile(environment.lockfile))
    upper, unread = installed_distributions(environment)
    notes = [*report.skipped_notes(inventory.skipped), *(f"Error: {error}" for error in unread)]
    if as_json:
        return Answer(report.render_json(report.status_as_json(inventory, upper)))
    return Answer(report.render_status(inventory, upper), tuple(notes))


def status_page(
    environment: Environment,
    defaults: Optional[Defaults],
    environ: Mapping[str, str],
    *,
    now: datetime,
    output: Optional[str],
) -> Answer:
    """Write a page of the environment to a file, or to stdout for ``-`` and None.

    What is wrong is shown on it, also where that is too much to look any further.
    """
    from . import page
    from . import verify as checks
    from .layer import installed_distributions
    from .lockfile import read_lockfile
    from .provided import provided_distributions
    from .sync import plan

    inventory = Inventory((), (), None)
    facts: Dict[str, Optional[str]] = {}
    faults: Tuple[checks.Fault, ...] = ()
    error: Optional[str] = None
    try:
        faults = checks.verify(environment, defaults, environ)
        inventory = provided_distributions(environment, read_lockfile(environment.lockfile))
        planned = plan(environment, defaults)
        facts = {
            "Backend": planned.backend.value if planned.backend else None,
            "Mode": planned.mode.value,
        }
    except StaleViewError:
        pass  # It is among the faults.
    except PyvariumError as raised:
        error = str(raised)
    facts = {
        "Python": inventory.python,
        **facts,
        "Lockfile": hashlib.sha256(read_optional(environment.lockfile) or b"").hexdigest()[:12],
        "As of": f"{now:%Y-%m-%d %H:%M} UTC",
    }
    upper, unread = installed_distributions(environment)
    described = page.describe(environment, inventory, upper, faults, facts, error)
    notes = tuple(f"Error: {one}" for one in unread)
    return replace(report.to_file(Answer(page.render(described)), output), notes=notes)


def _check_by_digest(environment: Environment, as_json: bool) -> Answer:
    from .digests import stale_by_digest

    difference = stale_by_digest(environment)
    if as_json:
        answer = {
            "checked-by": "digest",
            "difference": difference,
            "in-step": difference is None,
            "pyproject": str(environment.pyproject),
        }
        text = report.render_json(answer)
    else:
        how = "by digest: no view here" if environment.views is None else "by digest"
        text = f"{environment.pyproject}: {difference or 'in step'} ({how})\n"
    return Answer(text, (), report.DIFFERS if difference else report.OK)
