# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Render an environment as one page for a browser: its two layers, and what is wrong with them.

The page needs nothing from elsewhere and no script; its frame and its looks stand in
``templates/status``. Names, versions and paths are other people's text: each is escaped, and the
page itself forbids whatever would be loaded or run.
"""

from __future__ import annotations

import csv
import html
import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import __version__, root
from .distributions import metadata_file
from .files import read_optional
from .model import Distribution, Environment, Inventory, Skipped
from .verify import Fault

#: From how many distributions on there is no room between two of them.
_DENSE = 60
#: How many characters the picture of a layer is wide, at least on a desk.
_WIDE = 100
#: What has no size that is known weighs as much, and nothing less.
_LEAST = 20_000
_UNITS = ("B", "kB", "MB", "GB", "TB")
#: What no page is to hold: control characters, and halves of what is no text.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: A command in a remedy.
_QUOTED = re.compile(r"&#x27;(.+?)&#x27;")


@dataclass(frozen=True)
class Row:
    """A distribution as the page shows it; ``spec`` and what follows only where Spack provides."""

    name: str
    version: str
    size: Optional[int]
    spec: str = ""
    dag_hash: str = ""
    direct: bool = False


@dataclass(frozen=True)
class Page:
    """What there is to show of an environment."""

    name: str
    path: str
    #: What is said of the environment as a whole, label and text.
    facts: Tuple[Tuple[str, str], ...]
    lower: Tuple[Row, ...]
    upper: Tuple[Row, ...]
    faults: Tuple[Fault, ...]
    skipped: Tuple[Skipped, ...] = ()
    #: Why it could not be looked at as a whole.
    error: Optional[str] = None


def describe(
    environment: Environment,
    inventory: Inventory,
    upper: Sequence[Distribution],
    faults: Sequence[Fault],
    facts: Mapping[str, Optional[str]],
    error: Optional[str] = None,
) -> Page:
    """Bring together what a page shows; sizes are read from the RECORD of each distribution."""
    lower = (
        Row(one.name, one.version, size(one.path), one.spec, one.dag_hash, one.direct)
        for one in inventory.provided
    )
    above = sorted((one.name, one.version, size(one.path)) for one in upper)
    return Page(
        environment.name,
        str(environment.path),
        tuple((label, text) for label, text in facts.items() if text),
        tuple(lower),
        tuple(Row(*one) for one in above),
        tuple(faults),
        inventory.skipped,
        error,
    )


def size(metadata: Path) -> Optional[int]:
    """The bytes of a distribution by its RECORD; None where there is none that says so."""
    record = metadata_file(metadata).parent / "RECORD"
    if not metadata.name.endswith(".dist-info"):
        return None
    text = (read_optional(record) or b"").replace(b"\0", b"").decode("utf-8", "replace")
    try:
        sizes = [row[2] for row in csv.reader(text.splitlines()) if len(row) == 3]
    except csv.Error:
        return None
    return sum(int(one) for one in sizes if one.isascii() and one.isdigit()) or None


def render(page: Page) -> str:
    """The page as a text of HTML."""
    template = Path(root(), "spack-pyvarium", "templates", "status", "status.html")
    values = {
        "title": escape(page.name),
        "path": escape(page.path),
        "facts": "".join(
            f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>"
            for label, text in page.facts
        ),
        "state": _state(page),
        "picture": _picture(page),
        "faults": _faults(page),
        "upper": _layer("upper", page.upper),
        "lower": _layer("lower", page.lower),
        "skipped": _skipped(page.skipped),
        "version": escape(__version__),
    }
    return _Template(template.read_text(encoding="utf-8")).substitute(values)


class _Template(string.Template):
    """With a delimiter that no style has before a name."""

    delimiter = "@@"


def escape(text: str) -> str:
    """Somebody's text as that of a page, with what cannot be shown marked."""
    return html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def shown_size(number: Optional[int]) -> str:
    """As people read it, such as ``1.2 MB``; empty where it is not known."""
    if number is None:
        return ""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.{1 if unit and value < 9.95 else 0}f} {_UNITS[unit]}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _sum(rows: Iterable[Row]) -> str:
    return shown_size(sum(one.size or 0 for one in rows) or None)


def _state(page: Page) -> str:
    if page.error:
        return '<p class="state bad">It cannot be looked at as a whole.</p>'
    if page.faults:
        count = _counted(len(page.faults), "fault")
        return f'<p class="state bad"><a href="#faults">{count}</a></p>'
    return '<p class="state good">Nothing is wrong.</p>'


def _picture(page: Page) -> str:
    """The two layers, each distribution as wide as it is large, the large ones by name."""
    layers = (
        ("upper", ".venv", "installed on top", page.upper),
        ("lower", "Spack", "provided", page.lower),
    )
    return "\n".join(_band(*one) for one in layers)


def _band(kind: str, name: str, what: str, rows: Sequence[Row]) -> str:
    # Roots, so that one that is very large leaves room for the others.
    weights = [max(one.size or 0, _LEAST) ** 0.5 for one in rows]
    total = sum(weights)
    cells = []
    for row, weight in sorted(zip(rows, weights), key=lambda one: (-one[1], one[0].name)):
        large = weight / total * _WIDE > len(row.name) + 1
        text = f"<span>{escape(row.name)}</span>" if large else ""
        told = escape(" ".join(filter(None, (row.name, row.version, shown_size(row.size)))))
        cells.append(f'<i style="flex-grow:{weight:.0f}" title="{told}">{text}</i>')
    strip = "".join(cells) or '<i class="nothing"><span>nothing yet</span></i>'
    dense = " dense" if len(rows) > _DENSE else ""
    said = ", ".join(filter(None, (f"{len(rows)} {what}", _sum(rows))))
    return (
        f'<a class="band {kind}" href="#{kind}"><b>{escape(name)}</b>'
        f'<span class="strip{dense}" aria-hidden="true">{strip}</span><em>{escape(said)}</em></a>'
    )


def _faults(page: Page) -> str:
    if not page.faults and not page.error:
        return ""
    items = []
    if page.error:
        items.append(f"<li><p><b>error</b> {_prose(page.error)}</p></li>")
    items += [
        f"<li><p><b>{escape(one.code.value)}</b> <code>{escape(one.subject)}</code>"
        f" {_prose(one.reason)}</p><p class=remedy>{_prose(one.remedy)}</p></li>"
        for one in page.faults
    ]
    return f'<section id="faults"><h2>What is wrong</h2><ul>{"".join(items)}</ul></section>'


def _prose(text: str) -> str:
    return _QUOTED.sub(r"<code>\1</code>", escape(text))


_TITLES: Dict[str, Tuple[str, str, str]] = {
    "upper": ("On top", "what stands in <code>.venv</code>", "Nothing is installed on top yet."),
    "lower": ("Below", "what Spack provides", "Spack provides no Python distribution here."),
}


def _layer(kind: str, rows: Sequence[Row]) -> str:
    title, text, nothing = _TITLES[kind]
    said = f", {_sum(rows)}" if _sum(rows) else ""
    heading = f"<h2>{title}</h2><p>{text}: {_counted(len(rows), 'distribution')}{said}</p>"
    if not rows:
        return (
            f'<section id="{kind}" class="{kind}">{heading}<p class=none>{nothing}</p></section>'
        )
    columns = ["Distribution", "Version", *(("Spec", "Why") if kind == "lower" else ()), "Size"]
    head = "".join(f"<th scope=col>{one}</th>" for one in columns)
    body = "\n".join(_cells(kind, row) for row in rows)
    return (
        f'<section id="{kind}" class="{kind}">{heading}<table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></section>"
    )


def _cells(kind: str, row: Row) -> str:
    cells: List[str] = [
        f"<th scope=row>{escape(row.name)}</th>",
        f"<td class=version>{escape(row.version)}</td>",
    ]
    if kind == "lower":
        dag_hash = f'<abbr title="/{escape(row.dag_hash)}">{escape(row.dag_hash[:7])}</abbr>'
        cells.append(f"<td class=spec>{escape(row.spec)} {dag_hash}</td>")
        cells.append(f"<td class=why>{'direct' if row.direct else 'dependency'}</td>")
    cells.append(f"<td class=size>{shown_size(row.size)}</td>")
    return f"<tr{' class=direct' if row.direct else ''}>{''.join(cells)}</tr>"


def _skipped(skipped: Sequence[Skipped]) -> str:
    items = "".join(_skipped_items(skipped))
    if not items:
        return ""
    return f'<section id="skipped"><h2>Passed over</h2><ul>{items}</ul></section>'


def _skipped_items(skipped: Sequence[Skipped]) -> Iterator[str]:
    for one in skipped:
        if not one.fault:  # Those are among the faults.
            yield f"<li><code>{escape(one.subject)}</code> {_prose(one.reason)}</li>"
