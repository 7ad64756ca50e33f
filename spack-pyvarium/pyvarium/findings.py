# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Render an analysis: for people, as JSON, as requirements and for Poncho."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import report
from .analysis import Analysis, Found, Origin, Sighting, requirements
from .report import ERROR, OK, Answer, to_file

#: How many of the places where something was seen are shown to people.
_PLACES = 3
_HEADINGS = {
    Origin.SPACK: "provided by Spack",
    Origin.VENV: "installed in the venv",
    Origin.INDEX: "not installed; its project, which the index may have",
    Origin.LOCAL: "local modules",
    Origin.STDLIB: "standard library",
    Origin.UNKNOWN: "unknown",
}


def answer(analysis: Analysis, form: str) -> Answer:
    """The answer of ``analyze``: an error only where nothing at all could be analyzed."""
    text = {
        "text": render_text,
        "json": render_json,
        "poncho": render_poncho,
        "requirements": render_requirements,
    }[form](analysis)
    notes = tuple(f"Skipped: {one}" for one in analysis.skipped)
    return Answer(text, notes, OK if analysis.files else ERROR)


def written(analysis: Analysis, form: str, output: Optional[str]) -> Answer:
    """The answer, with its text in a file if one is named that is not ``-``; raises FileError.

    Where nothing could be analyzed the file is left as it is.
    """
    found = answer(analysis, form)
    return to_file(found, output) if found.code == OK else replace(found, text="")


def render_text(analysis: Analysis) -> str:
    lines: List[str] = []
    for origin, heading in _HEADINGS.items():
        found = [one for one in analysis.found if one.origin is origin]
        if not found:
            continue
        lines.append(f"{heading}:")
        if origin is Origin.STDLIB:
            lines.append(f"  {', '.join(one.name for one in found)}")
            continue
        width = max(len(_title(one)) for one in found)
        lines += [f"  {_title(one):{width}}  {_places(one.sightings)}" for one in found]
    if analysis.requests:
        lines.append("asked for by name:")
        lines += [f"  {one.requirement}  {one.place}" for one in analysis.requests]
    if analysis.requires_python:
        lines.append(f"python: {analysis.requires_python}")
    count = f"{analysis.files} file{'' if analysis.files == 1 else 's'}"
    return "".join(f"{line}\n" for line in (*lines, f"{count} analyzed"))


def _title(one: Found) -> str:
    if one.origin in (Origin.SPACK, Origin.VENV):
        pin = f"{one.project}=={one.version}" if one.version else f"{one.project}"
        return f"{one.name}: {pin}" + (f" ({one.spec})" if one.spec else "")
    if one.origin is Origin.INDEX:
        return f"{one.name}: {one.project}" + (" (a guess)" if one.guessed else "")
    return one.name


def _places(sightings: Sequence[Sighting]) -> str:
    first = sorted(sightings, key=lambda one: not one.wanted)[:_PLACES]
    shown = [
        f"{one.place}" + ("" if one.labels == ("required",) else f" ({', '.join(one.labels)})")
        for one in first
    ]
    more = len(sightings) - _PLACES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def render_json(analysis: Analysis) -> str:
    """One line for each import that was found: of a large directory there are very many places."""
    value = {
        "files": analysis.files,
        "imports": [_found_as_json(one) for one in analysis.found],
        "python": analysis.python,
        "requests": [
            {"place": one.place, "requirement": one.requirement} for one in analysis.requests
        ],
        "requirements": list(requirements(analysis)),
        "requires-python": analysis.requires_python,
        "skipped": [{"reason": one.reason, "subject": one.subject} for one in analysis.skipped],
    }
    lines = ",\n".join(f'  "{key}": {_lines(one)}' for key, one in value.items())
    return f"{{\n{lines}\n}}\n"


def _lines(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n{}\n  ]".format(",\n".join(f"    {json.dumps(one)}" for one in value))


def _found_as_json(one: Found) -> Dict[str, Any]:
    """In the order of its keys, as sorting takes as long as all else of it."""
    return {
        "guessed": one.guessed,
        "import": one.name,
        "needed-to": [role.value for role in one.needed_to],
        "origin": one.origin.value,
        "project": one.project,
        "seen": [
            {"labels": seen.labels, "module": seen.module, "place": seen.place}
            for seen in one.sightings
        ],
        "spec": one.spec,
        "version": one.version,
        "wanted": one.wanted,
    }


def render_requirements(analysis: Analysis) -> str:
    return "".join(f"{one}\n" for one in requirements(analysis))


def render_poncho(analysis: Analysis) -> str:
    """Poncho's specification of what is wanted."""
    return report.render_poncho(analysis.python, requirements(analysis), _specs(analysis))


def _specs(analysis: Analysis) -> Tuple[str, ...]:
    return tuple(sorted({one.spec for one in analysis.found if one.spec and one.wanted}))
