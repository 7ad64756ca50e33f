# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Render what a command found as text or JSON. Pure: nothing is printed here."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .errors import FileError
from .files import FileChange, read_optional
from .model import Backend, Distribution, Inventory, Provided, Skipped
from .settings import Setting, render

if TYPE_CHECKING:
    from .checking import Finding
    from .choice import Choice
    from .creation import Created
    from .exports import Contents
    from .kernel import Kernel
    from .lifecycle import Removal
    from .model import Environment
    from .modulegen import ModuleFile
    from .pack import Plan as PackPlan
    from .pack_file import Written
    from .recipes import Plan as RecipePlan
    from .scoring import Score, Scored

    # These need the libraries, which ``setup`` is there to bring.
    from .sync import Plan
    from .tools import Installation
    from .verify import Fault

#: What every command exits with; argparse itself uses 2 for wrong usage.
OK, ERROR, DIFFERS = 0, 1, 3


@dataclass(frozen=True)
class Answer:
    """What a command prints: ``text`` on stdout, ``notes`` on stderr, and its exit code."""

    text: str
    notes: Tuple[str, ...] = ()
    code: int = OK


def to_file(answer: Answer, output: Optional[str]) -> Answer:
    """The answer with its text in a file, if one is named that is not ``-``; raises FileError."""
    if output in (None, "-"):
        return answer
    path = Path(str(output))
    if os.path.exists(path) and not os.path.isfile(path):
        raise FileError(f"{path}: is no regular file; name another, or '-' for stdout")
    change = FileChange(path, read_optional(path), answer.text.encode("utf-8"))
    return replace(answer, text=f"{path}: {'written' if change.write() else 'is up to date'}\n")


def annotated(answer: Answer, file: Path, directory: Path) -> Answer:
    """Say what is wrong in the words by which GitHub shows it at a file.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    if answer.code == OK:
        return answer
    wrong = [*answer.text.splitlines(), *(one for one in answer.notes if "rror: " in one)]
    path = str(file)
    with contextlib.suppress(ValueError):
        path = str(Path(os.path.abspath(file)).relative_to(directory))
    escaped = _github(path).replace(":", "%3A").replace(",", "%2C")
    lines = [f"::error file={escaped}::{_github(one)}\n" for one in wrong]
    notes = tuple(one for one in answer.notes if one not in wrong)
    return Answer("".join(lines), notes, answer.code)


def _github(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def render_table(values: Mapping[str, Any]) -> str:
    """One ``key: value`` a line, for people."""
    width = max(map(len, values)) + 1
    return "".join(f"{key + ':':{width}} {_shown(value)}\n" for key, value in values.items())


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value)) or "none"
    return {None: "none", True: "yes", False: "no"}.get(value, str(value))


def setup_status(state: Mapping[str, Any], as_json: bool) -> Answer:
    """The answer of ``setup --status``, for people and for what watches a site."""
    problems = state["problems"]
    code = DIFFERS if problems else OK
    if as_json:
        return Answer(render_json(dict(state)), (), code)
    shown = {key: value for key, value in state.items() if key not in ("problems", "ok")}
    lines = "".join(f"problem: {one}\n" for one in problems) or "no problem\n"
    return Answer(render_table(shown) + lines, (), code)


def installation(backend: str, made: Installation, change: FileChange, as_json: bool) -> Answer:
    """The answer of ``setup`` for a backend, and where its program was named."""
    tool = made.tool
    if as_json:
        answer = {
            "backend": backend,
            "configuration": str(change.path),
            "installed": made.new,
            "path": str(tool.path),
            "version": tool.version,
        }
        return Answer(render_json(answer))
    lines = [
        f"{tool.path}: {backend} {tool.version} {'installed' if made.new else 'is there already'}"
    ]
    if change:
        lines.append(f"{change.path}: tools.{backend} set")
    return Answer("".join(f"{line}\n" for line in lines))


def settings(
    found: Mapping[str, Setting[Any]],
    scopes: Sequence[str],
    key: Optional[str],
    as_json: bool,
) -> Answer:
    """The answer of ``config``: one setting, or all and the scopes."""
    if as_json:
        values = {
            name: {"value": one.value, "origin": one.origin, "forced": one.forced}
            for name, one in found.items()
        }
        return Answer(render_json({"scopes": list(scopes), "settings": values}))
    if key is not None:
        return Answer(f"{render(found[key].value)} ({_origin(found[key])})\n")
    rows = [("SETTING", "VALUE", "ORIGIN")]
    rows += [(name, render(one.value), _origin(one)) for name, one in found.items()]
    return Answer(f"{_columns(rows)}scopes: {', '.join(scopes)}\n")


def _origin(one: Setting[Any]) -> str:
    return f"{one.origin}, forced" if one.forced else one.origin


def setting_changed(
    key: str,
    removed: bool,
    change: FileChange,
    written: bool,
    note: Optional[str],
    as_json: bool,
) -> Answer:
    """The answer of ``config`` where it changes a setting."""
    notes = (note,) if note else ()
    done = [f"{change.path}: {key} {'removed' if removed else 'set'}"] if written else []
    if as_json:
        return Answer(render_json({"done": done}), notes)
    return Answer("".join(f"{line}\n" for line in done) or "nothing to do\n", notes)


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def render_json(value: Dict[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def render_poncho(
    python: Optional[str],
    requirements: Sequence[str],
    specs: Sequence[str],
    made_by: Optional[str] = None,
) -> str:
    """Poncho's specification, which passes over what it does not know: so all is asked of pip.

    https://cctools.readthedocs.io/en/latest/poncho/ ; without the name and prefix of the machine.
    """
    value: Dict[str, Any] = {
        "conda": {
            "channels": ["conda-forge"],
            "dependencies": [
                f"python={python}" if python else "python",
                {"pip": list(requirements)},
            ],
        },
        "spack": list(specs),
    }
    return render_json({**value, "made-by": made_by} if made_by else value)


def plan_as_json(plan: Plan, written: bool) -> Dict[str, Any]:
    """The answer of ``sync`` and ``check``; ``written`` tells whether the files were changed."""
    return {
        "added": {pin.name: pin.version for pin in plan.diff.added},
        "changed": {old.name: [old.version, new.version] for old, new in plan.diff.changed},
        "checked-by": "view",
        "created": bool(plan.pyproject) and plan.pyproject.before is None,
        "backend": plan.backend.value if plan.backend else None,
        "in-step": not plan,
        "layer": str(plan.layer) if plan.layer is not None else None,
        "mode": plan.mode.value,
        "pins": {pin.name: pin.version for pin in plan.pins},
        "pyproject": str(plan.pyproject.path),
        "removed": {pin.name: pin.version for pin in plan.diff.removed},
        "skipped": skipped_as_json(plan.skipped),
        "written": written and bool(plan),
    }


def skipped_as_json(skipped: Iterable[Skipped]) -> List[Dict[str, Any]]:
    return [{"subject": one.subject, "reason": one.reason, "fault": one.fault} for one in skipped]


#: As many subjects of one reason are named one by one.
_NAMED = 5


def skipped_notes(skipped: Iterable[Skipped]) -> Tuple[str, ...]:
    """One line for each, but one for many that were passed over for the same reason."""
    by_reason: Dict[Tuple[bool, str], List[str]] = {}
    for one in skipped:
        by_reason.setdefault((one.fault, one.reason), []).append(one.subject)
    lines = []
    for (fault, reason), subjects in by_reason.items():
        word = "Error" if fault else "Skipped"
        if fault or len(subjects) <= _NAMED:
            lines += [f"{word}: {subject}: {reason}" for subject in subjects]
        else:
            first = ", ".join(subjects[:_NAMED])
            more = f"{len(subjects) - _NAMED} more (--json names all)"
            lines.append(f"{word}: {first} and {more}: each {reason}")
    return tuple(lines)


def status_as_json(inventory: Inventory, upper: Sequence[Distribution]) -> Dict[str, Any]:
    """The answer of ``status``: what comes from Spack, what from the venv on top of it."""
    return {
        "distributions": [
            *({**_row(one), "path": str(one.path)} for one in inventory.provided),
            *(
                {"name": one.name, "version": one.version, "layer": "venv", "path": str(one.path)}
                for one in upper
            ),
        ],
        "python": inventory.python,
        "skipped": skipped_as_json(inventory.skipped),
    }


def render_status(inventory: Inventory, upper: Sequence[Distribution]) -> str:
    """The same as a table for people."""
    rows = [("DISTRIBUTION", "VERSION", "LAYER", "SPEC", "HASH", "WHY")]
    for one in inventory.provided:
        why = "direct" if one.direct else "dependency"
        rows.append((one.name, one.version, "spack", one.spec, one.dag_hash[:7], why))
    rows += [(one.name, one.version, "venv", "", "", "") for one in upper]
    return _columns(rows)


def faults_as_json(faults: Sequence[Fault], fixed: Sequence[Fault]) -> Dict[str, Any]:
    """The answer of ``verify``."""
    return {
        "faults": [_fault(one) for one in faults],
        "fixed": [_fault(one) for one in fixed],
        "ok": not faults,
    }


def _fault(one: Fault) -> Dict[str, Any]:
    return {
        "code": one.code.value,
        "subject": one.subject,
        "reason": one.reason,
        "remedy": one.remedy,
    }


def render_faults(faults: Sequence[Fault], fixed: Sequence[Fault]) -> str:
    """One fault a line, first what was repaired."""
    lines = [f"fixed {one.code.value}: {one.subject}: {one.reason}\n" for one in fixed]
    lines += [f"{one.code.value}: {one}\n" for one in faults]
    return "".join(lines)


def created(environment: Created, as_json: bool) -> Answer:
    """The answer of ``new``."""
    notes = tuple(f"Skipped: {one}" for one in environment.skipped)
    if as_json:
        answer = {
            "path": str(environment.path),
            "backend": environment.backend.value,
            "choices": choices_as_json(environment.choices),
            "installed": environment.continuation is None,
            "skipped": skipped_as_json(environment.skipped),
        }
        return Answer(render_json(answer), notes)
    script = shlex.quote(str(environment.path / "activate.sh"))
    done = f"created; activate it by: . {script}"
    if environment.continuation is not None:
        done = f"created; install it by: {environment.continuation}"
    return Answer(f"{render_choices(environment.choices)}{environment.path}: {done}\n", notes)


def added(
    environment: Environment, chosen: Sequence[Choice], written: bool, as_json: bool
) -> Answer:
    """The answer of ``add``."""
    if as_json:
        return Answer(render_json({"choices": choices_as_json(chosen), "written": written}))
    if not written:
        return Answer(render_choices(chosen))
    specs = [one.spec for one in chosen if one.spec]
    projects = [str(one.requirement) for one in chosen if one.requirement is not None]
    return Answer(_changed_halves(environment, specs, projects, "added") or "nothing to do\n")


def removed(environment: Environment, removal: Removal, written: bool, as_json: bool) -> Answer:
    """The answer of ``remove``."""
    notes = tuple(f"Skipped: {one}" for one in removal.kept)
    if as_json:
        answer = {
            "kept": skipped_as_json(removal.kept),
            "projects": list(removal.projects),
            "specs": list(removal.specs),
            "written": written,
        }
        return Answer(render_json(answer), notes)
    done = "removed" if written else "would be removed"
    return Answer(_changed_halves(environment, removal.specs, removal.projects, done), notes)


def _changed_halves(
    environment: Environment, specs: Sequence[str], projects: Sequence[str], done: str
) -> str:
    lines = [f"{environment.path / 'spack.yaml'}: {spec} {done}\n" for spec in specs]
    lines += [f"{environment.pyproject}: {name} {done}\n" for name in projects]
    return "".join(lines)


def installed(path: Path, plan: Plan, as_json: bool) -> Answer:
    """The answer of ``install``."""
    if not as_json:
        return Answer(f"{path}: installed\n")
    answer = {
        "backend": plan.backend.value if plan.backend else None,
        "mode": plan.mode.value,
        "path": str(path),
        "pins": {pin.name: pin.version for pin in plan.pins},
        "skipped": skipped_as_json(plan.skipped),
    }
    return Answer(render_json(answer))


def locked(
    environment: Environment,
    backend: Optional[Backend],
    difference: Optional[str],
    as_json: bool,
) -> Answer:
    """The answer of ``lock``: ``difference`` says what is not locked as it is, if anything."""
    code = DIFFERS if difference else OK
    if as_json:
        answer = {
            "backend": backend.value if backend else None,
            "difference": difference,
            "locked": difference is None,
            "path": str(environment.path),
        }
        return Answer(render_json(answer), (), code)
    done = "in step; pip has no lock" if backend is Backend.PIP else "locked"
    return Answer(f"{difference or f'{environment.path}: {done}'}\n", (), code)


def kernel_installed(change: FileChange, written: bool, as_json: bool) -> Answer:
    """The answer of ``kernel install``."""
    name = change.path.parent.name
    if as_json:
        answer = {"name": name, "path": str(change.path), "written": written}
        return Answer(render_json(answer))
    would = "" if written else "would be " if change else "is there already, "
    return Answer(f"{change.path}: {would}installed\n")


def kernels_removed(changes: Sequence[FileChange], written: bool, as_json: bool) -> Answer:
    """The answer of ``kernel remove``."""
    paths = [str(change.path) for change in changes]
    if as_json:
        return Answer(render_json({"paths": paths, "written": written}))
    done = "removed" if written else "would be removed"
    return Answer("".join(f"{path}: {done}\n" for path in paths) or "nothing to do\n")


def kernels(found: Sequence[Kernel], as_json: bool) -> Answer:
    """The answer of ``kernel list``."""
    if as_json:
        rows = [
            {
                "directory": str(one.directory),
                "display-name": one.display_name,
                "environment": str(one.environment),
                "name": one.name,
                "state": one.state.value,
            }
            for one in found
        ]
        return Answer(render_json({"kernels": rows}))
    table = [("KERNEL", "STATE", "ENVIRONMENT", "DIRECTORY")]
    table += [
        (one.name, one.state.value, str(one.environment), str(one.directory)) for one in found
    ]
    return Answer(_columns(table) if found else "no kernel of ours\n")


def announced(environment: Created) -> Sequence[str]:
    """What an environment is made of, line by line."""
    lines = [f"{'Warning' if one.fault else 'Skipped'}: {one}" for one in environment.skipped]
    return [*lines, *render_choices(environment.choices).splitlines()]


def packed(
    path: Path,
    plan: PackPlan,
    sizes: Mapping[str, Tuple[int, int]],
    written: Optional[Written],
    as_json: bool,
) -> Answer:
    """What went into a pack, or would, by its directories."""
    notes = skipped_notes(plan.skipped)
    bundled = plan.content.bundled
    number, size = (sum(column) for column in zip(*sizes.values()))
    if as_json:
        return Answer(
            render_json(
                {
                    "bundled": [one.soname for one in bundled],
                    "directories": {
                        top: {"bytes": total, "files": count}
                        for top, (count, total) in sizes.items()
                    },
                    "bytes": size,
                    "files": number,
                    "id": written and written.pack_id,
                    "pack": str(path),
                    "pack-bytes": written and written.size,
                    "skipped": skipped_as_json(plan.skipped),
                    "written": written is not None,
                }
            )
        )
    rows = [
        (f"{top}/", f"{count} files", f"{total / 1e6:.1f} MB")
        for top, (count, total) in sizes.items()
    ]
    told = f"{number} files of {size / 1e6:.1f} MB, {len(bundled)} libraries from outside of Spack"
    if written is None:
        return Answer(f"{_columns(rows)}{path}: would hold {told}\n", notes)
    told = f"{written.size / 1e6:.1f} MB, {told}"
    return Answer(f"{_columns(rows)}{path}: {told}\nid {written.pack_id}\n", notes)


def exported(
    contents: Contents,
    change: FileChange,
    skipped: Sequence[Skipped],
    *,
    check: bool,
    as_json: bool,
) -> Answer:
    """The answer of an export to a file."""
    code = DIFFERS if check and change else OK
    if as_json:
        value = {
            "file": str(change.path),
            "in-step": not change,
            "origin": contents.origin,
            "provided": {one.name: one.version for one in contents.provided},
            "python": contents.python,
            "skipped": skipped_as_json(skipped),
            "upper": {one.name: one.version for one in contents.upper},
            "written": bool(change) and not check,
        }
        return Answer(render_json(value), (), code)
    said = "written"
    if check:
        said = "differs; export it again"
    text = f"{change.path}: {said if change else 'is up to date'}\n"
    return Answer(text, skipped_notes(skipped), code)


def module_files(
    planned: Sequence[ModuleFile], *, written: bool, check: bool, diff: bool, as_json: bool
) -> Answer:
    """The answer of ``modulegen``: what became of each file, and how the new ones are loaded."""
    code = DIFFERS if check and any(one.change for one in planned) else OK
    if as_json:
        rows = [
            {
                "action": one.action,
                "directory": str(one.directory),
                "environment": str(one.environment),
                "language": one.language.value,
                "name": one.name,
                "path": str(one.change.path),
            }
            for one in planned
        ]
        return Answer(render_json({"modules": rows, "written": written}), (), code)
    if diff:
        return Answer("".join(one.unified_diff() for one in planned), (), code)
    words = {"kept": "in step", "absent": "is not there"}
    lines = []
    for one in planned:
        would = "" if written or not one.change else "would be "
        lines.append(f"{one.change.path}: {would}{words.get(one.action, one.action)}\n")
        if written and one.action == "created":
            use = f"module use {shlex.quote(str(one.directory))}; module load {one.name}"
            lines[-1] = f"{one.change.path}: created; load it by: {use}\n"
    return Answer("".join(lines) or "nothing to do\n", (), code)


def recipes(plan: RecipePlan, *, written: bool, check: bool, diff: bool, as_json: bool) -> Answer:
    """The answer of ``recipe create`` and ``recipe update``; problems are notes."""
    code = ERROR if plan.refused else DIFFERS if check and plan else OK
    problems = (*plan.refused, *plan.problems)
    if as_json:
        rows = [
            {
                "action": one.action,
                "extends": one.recipe.repo,
                "name": one.recipe.name,
                "path": str(one.change.path),
                "project": one.recipe.project,
                "reason": one.reason,
                "versions": [version.label for version in one.recipe.versions],
            }
            for one in plan.recipes
        ]
        answer = {
            "enough": list(plan.enough),
            "problems": list(problems),
            "recipes": rows,
            "written": written,
        }
        return Answer(render_json(answer), (), code)
    if diff:
        text = "".join(one.unified_diff() for one in plan.recipes)
        return Answer(text, problems, code)
    words = {"kept": "in step"}
    lines = [f"{one}\n" for one in plan.enough]
    for one in plan.recipes:
        would = "" if written or not one.change else "would be "
        labels = [version.label for version in one.recipe.versions]
        has = f"{len(labels)} versions from {labels[-1]} to {labels[0]}"
        if len(labels) == 1:
            has = labels[0]
        lines.append(
            f"{one.change.path}: {would}{words.get(one.action, one.action)}"
            f" ({one.recipe.name}, {has}, {one.reason})\n"
        )
    return Answer("".join(lines) or "nothing to do\n", problems, code)


def recipe_findings(
    checked: Mapping[str, Sequence[Finding]], notes: Sequence[str], as_json: bool
) -> Answer:
    """The answer of ``recipe check``: by recipe what was found."""
    found = [one for findings in checked.values() for one in findings]
    code = DIFFERS if found else OK
    if as_json:
        rows = [{**asdict(one), "kind": one.kind.value} for one in found]
        return Answer(
            render_json({"checked": sorted(checked), "findings": rows}), tuple(notes), code
        )
    lines = [f"{one}\n" for one in found]
    lines += [f"{name}: as upstream says\n" for name, some in checked.items() if not some]
    return Answer("".join(lines), tuple(notes), code)


def recipe_scores(scored: Scored, as_json: bool) -> Answer:
    """The answer of ``recipe score``; what differs is in the JSON, one by one."""
    from . import scoring

    rows = scoring.rows(scored)
    languages = {
        "languages": [one.languages for one in scored.compared],
        "languages, if not refuted by the wheels": [one.evident for one in scored.compared],
        "compiled, by the wheels": [one.compiled for one in scored.compared],
        "compiled, by the wheels, by hand": [one.by_hand for one in scored.compared],
    }
    totals = {what: sum(some, scoring.Score()) for what, some in languages.items()}
    departures = [one for each in scored.compared for one in each.departures(scored.pythons)]
    kinds = {
        kind.value: sum(
            one.count for one in departures if one.kind == kind and one.counted and not one.build
        )
        for kind in scoring.Kind
    }
    systems = [one.build_system for one in scored.compared]
    counts = {
        "recipes drawn": len(scored.drawn),
        "recipes compared": len(scored.compared),
        "versions": sum(len(one.labels) for one in scored.compared),
        "PythonPackage": systems.count("PythonPackage"),
        "round trip cells": sum(one.cells for one in scored.compared),
        "round trip differences": sum(len(one.differences) for one in scored.compared),
    }
    if as_json:
        value = {
            "counts": counts,
            "departures": [{**asdict(one), "kind": one.kind.value} for one in departures],
            "languages": {what: _score_as_json(one) for what, one in totals.items()},
            "language_departures": [
                {"name": each.name, **asdict(one)}
                for each in scored.compared
                for one in each.tongues
            ],
            "left_out": list(scored.notes),
            "pythons": list(scored.pythons),
            "recipes": [one.name for one in scored.compared],
            "scores": {
                one.what: {
                    **_score_as_json(one.score),
                    "mean_name_f1": round(one.mean_name_f1, 4),
                    "mean_range_f1": round(one.mean_range_f1, 4),
                }
                for one in rows
            },
        }
        return Answer(render_json(value), scored.notes)
    lines: List[Sequence[str]] = [
        ("", "found", "hand", "P", "R", "F1", "range F1", "mean F1", "mean range F1")
    ]
    for row in rows:
        one = row.score
        means = (row.mean_name_f1, row.mean_range_f1)
        every = (one.precision, one.recall, one.name_f1, one.range_f1, *means)
        shown = (f"{share:.3f}" for share in every)
        lines.append((row.what, str(one.found), str(one.expected), *shown))
    for what, one in totals.items():
        shares = (one.precision, one.recall, one.name_f1)
        counted = (str(one.found), str(one.expected), *(f"{share:.3f}" for share in shares))
        lines.append((what, *counted, "", "", ""))
    table = _columns(lines) + render_table(
        {**{key: str(count) for key, count in counts.items()}, "by hand, to run": kinds}
    )
    return Answer(table, scored.notes)


def _score_as_json(one: Score) -> Dict[str, Any]:
    return {
        **asdict(one),
        "name_f1": round(one.name_f1, 4),
        "precision": round(one.precision, 4),
        "range_f1": round(one.range_f1, 4),
        "recall": round(one.recall, 4),
    }


def choices_as_json(chosen: Sequence[Choice]) -> List[Dict[str, Any]]:
    """Where each request is served from, the answer of ``add`` and a part of that of ``new``."""
    return [
        {
            "request": one.request,
            "source": one.source.value,
            "spec": one.spec,
            "requirement": None if one.requirement is None else str(one.requirement),
            "reason": one.reason,
        }
        for one in chosen
    ]


def render_choices(chosen: Sequence[Choice]) -> str:
    """The same for people, one request a line."""
    lines = []
    for one in chosen:
        served = [one.spec] if one.spec else []
        served += [str(one.requirement)] if one.requirement is not None else []
        lines.append(f"{one.request}: {one.source.value} {' and '.join(served)}".rstrip())
        lines[-1] += f" ({one.reason})\n"
    return "".join(lines)


def _row(one: Provided) -> Dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "layer": "spack",
        "spec": one.spec,
        "hash": one.dag_hash,
        "direct": one.direct,
    }
