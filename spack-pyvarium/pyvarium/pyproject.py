# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Read and change the keys we own in the text of ``pyproject.toml``, and nothing else.

The formats are those of PEP 518 (``[tool]``), PEP 621 (``[project]``) and PEP 735
(``[dependency-groups]``). The keys that the backends need are in ``backends``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from .errors import PyprojectError
from .model import Backend, Mode, Pin
from .pins import digest, parse_pin
from .toml_text import parse, table_at, value_at, with_strings, with_value, without

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

GROUP = ("dependency-groups", "spack")
TABLE = ("tool", "pyvarium")
LOCKFILE_DIGEST = (*TABLE, "lockfile-digest")
PINS_DIGEST = (*TABLE, "pins-digest")

_Choice = TypeVar("_Choice", Backend, Mode)
_COMMENT = "# Provided by Spack. Kept in step by 'spack pyvarium sync': put your own elsewhere."


@dataclass(frozen=True)
class Owned:
    """What stands under the keys we own, and the user's settings for us.

    ``pins`` is None where there is no group. The digests are those of the lockfile that the pins
    were made from and of the pins as they were written, None where they are missing. ``opted_in``
    tells whether there is a ``[tool.pyvarium]``, ``auto_sync`` is the user's switch in it, and
    ``backend`` and ``mode`` the user's choice, None where there is none. ``not_on_index`` are the
    projects of which the user says that no index has what Spack provides.
    """

    pins: Optional[Tuple[Pin, ...]] = None
    lockfile_digest: Optional[str] = None
    pins_digest: Optional[str] = None
    opted_in: bool = False
    auto_sync: bool = True
    backend: Optional[Backend] = None
    mode: Optional[Mode] = None
    not_on_index: Tuple[str, ...] = ()


def decode(data: bytes, subject: str) -> str:
    """The text of a file; raises PyprojectError."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PyprojectError(
            f"{subject}: is not UTF-8 at byte {error.start}; save it as UTF-8"
        ) from None


def owned(text: str, subject: str) -> Owned:
    """Read the keys we own; ``subject`` names the file in a PyprojectError."""
    data = parse(text, subject)
    group = table_at(data, GROUP[:-1], subject).get(GROUP[-1])
    table = table_at(data, TABLE, subject)
    pins_digest = _setting(table, PINS_DIGEST[-1], str, None, subject)
    return Owned(
        pins=None if group is None else _pins(group, pins_digest, subject),
        lockfile_digest=_setting(table, LOCKFILE_DIGEST[-1], str, None, subject),
        pins_digest=pins_digest,
        opted_in="pyvarium" in table_at(data, ("tool",), subject),
        auto_sync=_setting(table, "auto-sync", bool, True, subject),
        backend=_choice(table, "backend", Backend, subject),
        mode=_choice(table, "mode", Mode, subject),
        not_on_index=tuple(
            _normalized(str(name)) for name in _setting(table, "not-on-index", list, [], subject)
        ),
    )


def with_pins(
    text: str, old: Owned, pins: Sequence[Pin], lockfile_digest: str, subject: str
) -> str:
    """Return the text, which holds ``old``, with our keys set to sorted pins; the rest is kept.

    Comments among the pins are kept: those on a line of their own stay before the pin that they
    stand before, those behind a pin go with it. What this returns, it returns unchanged.
    """
    if old.pins != tuple(pins):
        lines = [str(pin) for pin in pins]
        text = with_strings(text, GROUP, lines, subject, same=_name_of, head=_COMMENT)
    if old.lockfile_digest != lockfile_digest:
        text = with_value(text, LOCKFILE_DIGEST, lockfile_digest, subject)
    if old.pins_digest != digest(pins):
        text = with_value(text, PINS_DIGEST, digest(pins), subject)
    return text


def with_setting(text: str, key: str, value: Optional[Union[str, bool]], subject: str) -> str:
    """Set a key of ``[tool.pyvarium]``, or remove it (None)."""
    if value is None:
        return without(text, (*TABLE, key), subject)
    return with_value(text, (*TABLE, key), value, subject)


def requires_python(text: str, subject: str) -> Optional[SpecifierSet]:
    """What the project says of the pythons it is for; None where it says nothing usable."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # A check needs none.

    try:
        return SpecifierSet(str(value_at(parse(text, subject), ("project", "requires-python"))))
    except InvalidSpecifier:
        return None


def python_bounds(python: str) -> str:
    """The ``requires-python`` of a project that is for one ``X.Y``.

    Spack's pins hold for that python, and a resolver that has to find a solution for every other
    one may fail.
    """
    major, minor = python.split(".")
    return f">={python},<{major}.{int(minor) + 1}"


def new_text(name: str, python: Optional[str]) -> str:
    """A minimal valid ``pyproject.toml`` for an environment whose python is ``X.Y``."""
    project = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "environment"
    lines = ["[project]", f'name = "{_normalized(project)}"', 'version = "0"']
    if python is not None:
        lines.append(f'requires-python = "{python_bounds(python)}"')
    return "\n".join([*lines, "dependencies = []", ""])


def _normalized(name: str) -> str:
    from packaging.utils import canonicalize_name  # Takes longer than a check by digest.

    return canonicalize_name(name)


def _setting(table: Mapping[str, Any], key: str, kind: type, default: Any, subject: str) -> Any:
    value = table.get(key, default)
    if value is not default and not isinstance(value, kind):
        raise PyprojectError(
            f"{subject}: tool.pyvarium.{key} is {value!r}; make it a {kind.__name__} or remove it"
        )
    return value


def _choice(
    table: Mapping[str, Any], key: str, kind: Type[_Choice], subject: str
) -> Optional[_Choice]:
    if key not in table:
        return None
    try:
        return kind(table[key])
    except ValueError:
        known = ", ".join(one.value for one in kind)
        name = ".".join((*TABLE, key))
        raise PyprojectError(f"{subject}: {name} is {table[key]!r}; use one of {known}") from None


def _pins(group: object, written: Optional[str], subject: str) -> Tuple[Pin, ...]:
    """The pins of the group; those that have the digest of what was ``written`` need no parser."""
    name = ".".join(GROUP)
    if not isinstance(group, list):
        raise PyprojectError(f"{subject}: {name} is not a list; rename it, Spack's pins go there")
    if written == digest(group):
        return tuple(Pin(*one.split("==")) for one in group)
    pins: List[Pin] = []
    for entry in group:
        try:
            pins.append(parse_pin(entry if isinstance(entry, str) else ""))
        except ValueError:
            shown = entry if isinstance(entry, str) else repr(entry)
            raise PyprojectError(
                f"{subject}: {name} holds {shown!r}, which is not a pin of Spack's;"
                " move it to another group"
            ) from None
    return tuple(pins)


def _name_of(pin: str) -> str:
    return parse_pin(pin).name
