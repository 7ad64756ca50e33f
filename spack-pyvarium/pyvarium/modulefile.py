# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What a module file of an environment says: its name, its values, and how each language quotes
them. Pure; the text around the values stands in ``templates/modules``.

The quoting is as careful as it is because a module file is a program.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple

from .errors import PyvariumError
from .variables import HIDING, Action, Change

#: Of modules with one family, one at a time is loaded.
FAMILY = "pyvarium"
DEFAULT_NAME = "pyvarium/{environment}"

_MARK = "spack-pyvarium: module file of "
#: In one of the first two lines: in Tcl the first is what tells a module file.
_MARKED = re.compile(rb"\A(?:#%Module[^\n]*\n## |-- )" + _MARK.encode() + rb'(".*")\n')
_SYSTEM = re.compile(
    r"(/usr|/usr/local)?(/(bin|sbin|include|man|share/man|share/aclocal"
    r"|(lib|lib64|share)(/pkgconfig)?))?/?\Z"
)
_TOKEN = re.compile(r"\{(\w+)(?::(\d+))?\}")
_NAME_PART = re.compile(r"[A-Za-z0-9_+=@~%,-][A-Za-z0-9_.+=@~%,-]*\Z")


class Language(str, enum.Enum):
    """What a module file is written in."""

    TCL = "tcl"  # Read by Environment Modules and by Lmod.
    LUA = "lua"  # Read by Lmod.

    @property
    def kind(self) -> str:
        """What Spack's ``modules.yaml`` calls it."""
        return {Language.TCL: "tcl", Language.LUA: "lmod"}[self]

    @property
    def suffix(self) -> str:
        return {Language.TCL: "", Language.LUA: ".lua"}[self]

    @property
    def template(self) -> str:
        """The name of our template."""
        return f"modules/pyvarium.{self.value}"


@dataclass(frozen=True)
class Described:
    """An environment as its module file tells of it; ``changes`` are those of Spack."""

    path: Path
    environment: str
    python: Optional[str]
    backend: Optional[str]
    mode: str
    spack: str
    #: The file name and the digest of each lock.
    locks: Tuple[Tuple[str, str], ...]
    #: What Spack provides and what stands in ``.venv``, by name and version.
    provided: Tuple[Tuple[str, str], ...]
    installed: Tuple[Tuple[str, str], ...]
    changes: Tuple[Change, ...]

    @property
    def venv(self) -> Path:
        return self.path / ".venv"

    @property
    def tokens(self) -> Dict[str, str]:
        """What may stand in braces in the template of a name, also in Spack's own words."""
        locks = "\n".join(digest for _, digest in self.locks)
        digest = hashlib.sha256(locks.encode()).hexdigest()
        python = self.python or "none"
        found = (self.environment, digest[:7], python, self.environment, digest[:7], digest)
        return dict(zip(_TOKENS, found))


_TOKENS = ("environment", "digest", "python", "name", "version", "hash")
#: In place of a token's value: any, so that the name is a pattern of file names. No path has it.
ANY = "\0"
#: Those of which one environment has several in the course of time.
PASSING = frozenset({"digest", "python", "version", "hash"})


def module_name(template: str, tokens: Mapping[str, str]) -> str:
    """The name of a module; raises PyvariumError for a template that makes none.

    What cannot stand in a name becomes ``_``, so that no environment's name leaves the directory.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in tokens:
            known = ", ".join(f"{{{one}}}" for one in tokens)
            raise PyvariumError(f"module name {template!r}: has no {match[0]}; use {known}")
        length = int(match[2]) if match[2] else (7 if match[1] == "hash" else None)
        if tokens[match[1]] == ANY:
            return "*"
        text = re.sub(r"[^A-Za-z0-9_.+-]", "_", tokens[match[1]][:length])
        return re.sub(r"\A[.-]|\.lua\Z", "_", text)

    name = _TOKEN.sub(value, template)
    parts = name.replace("*", "_").split("/")
    if "*" in template or not all(map(_NAME_PART.match, parts)):
        raise PyvariumError(
            f"module name {template!r}: makes {name!r}; use letters, digits, '_', '-', '.',"
            " '+' and single slashes between"
        )
    return name


def check_name(template: str) -> None:
    """Raises PyvariumError for a template of names that makes none."""
    module_name(template, dict.fromkeys(_TOKENS, "x"))


def suits(template: str, tokens: Mapping[str, str]) -> bool:
    """Whether a projection of ``modules.yaml``, made for specs, names an environment too."""
    try:
        module_name(template, tokens)
    except PyvariumError:
        return False
    return {"name", "environment"} & {match[1] for match in _TOKEN.finditer(template)} != set()


def owner(data: bytes) -> Optional[str]:
    """The path of the environment that a module file of ours is for; None if it is not ours."""
    match = _MARKED.match(data)
    try:
        path = json.loads(match[1]) if match else None
    except ValueError:
        return None
    return path if isinstance(path, str) else None


def mark(path: Path) -> str:
    """The comment by which a module file is known to be ours: one line, of ASCII."""
    return _MARK + json.dumps(str(path))


def values(described: Described, name: str, language: Language) -> Dict[str, object]:
    """What a template is rendered with; raises PyvariumError for what no module file can say."""
    changes = tuple(_all_changes(described))
    for text in (described.environment, *(part for one in changes for part in _parts(one))):
        _check(text, language)
    _check_path(described.path)
    return {
        "mark": mark(described.path),
        "environment": described.environment,
        "path": str(described.path),
        "venv": str(described.venv),
        "name": name,
        "directory": name.rpartition("/")[0],
        "family": FAMILY,
        "whatis": [*_whatis(described)],
        "help": [*_help(described)],
        "extensions": _extensions(described),
        "python": str(described.venv / "bin" / "python"),
        "missing": f"{described.venv}: is missing or has no python; run 'spack pyvarium sync'",
        "hiding": [(one, _warning(one, name)) for one in HIDING],
        "changes": [
            {
                "action": one.action.value,
                "name": one.name,
                "value": one.value,
                "separator": one.separator,
            }
            for one in changes
        ],
        "manuals": [
            one.value
            for one in changes
            if one.name == "MANPATH" and one.action in (Action.PREPEND, Action.APPEND)
        ],
    }


def _all_changes(described: Described) -> Iterator[Change]:
    """Spack's changes, and then the venv's, whose directory comes to stand in front.

    What externals have in the system's directories is found as ever: to load it would put the
    system before other modules, and to unload it might take it from where it stood.
    """
    for change in described.changes:
        adds = change.action in (Action.PREPEND, Action.APPEND)
        if not (adds and _SYSTEM.match(change.value)):
            yield change
    yield Change("PATH", Action.PREPEND, str(described.venv / "bin"))
    yield Change("VIRTUAL_ENV", Action.SET, str(described.venv))
    yield Change("VIRTUAL_ENV_PROMPT", Action.SET, described.environment)


def _whatis(described: Described) -> Iterator[str]:
    python = f" on Python {described.python}" if described.python else ""
    yield f"Name: {described.environment}"
    yield f"Description: environment with {_count(described)}{python}"
    yield f"Path: {described.path}"
    for file, digest in described.locks:
        yield f"Lock: {file} {digest}"
    for label, found in _layers(described):
        yield f"{label}: {', '.join(found) or 'none'}"


def _help(described: Described) -> Iterator[str]:
    backend = f"{described.backend}, {described.mode}" if described.backend else "none"
    yield f"{described.environment}: {_count(described)}"
    yield ""
    yield f"  path        {described.path}"
    yield f"  python      {described.python or 'none'}"
    yield f"  installer   {backend}"
    yield f"  Spack       {described.spack}"
    for file, digest in described.locks:
        yield f"  {file:<11} {digest}"
    for label, found in _layers(described):
        yield ""
        yield f"{label}:"
        yield from (f"  {one}" for one in found or ["none"])


def _count(described: Described) -> str:
    provided, installed = len(described.provided), len(described.installed)
    return f"{provided} Python distributions of Spack's and {installed} of the package index's"


def _layers(described: Described) -> Iterator[Tuple[str, Sequence[str]]]:
    for label, found in (
        ("Provided by Spack", described.provided),
        ("Installed from the package index", described.installed),
    ):
        yield label, [f"{name}=={version}" for name, version in found]


def _extensions(described: Described) -> str:
    """What ``module spider NAME`` of Lmod finds the module by."""
    found = sorted({*described.provided, *described.installed})
    return ", ".join(f"{name}/{version}" for name, version in found)


def _warning(variable: str, name: str) -> str:
    return (
        f"Warning: {name}: {variable} is set and comes before what this module brings;"
        f" run: unset {variable}"
    )


def _parts(change: Change) -> Iterator[str]:
    yield from (change.name, change.value, change.separator)


def _check_path(path: Path) -> None:
    if ":" in str(path):
        raise PyvariumError(
            f"{path}: PATH separates directories by the colon in this one; "
            "move the environment to another directory"
        )


def _check(text: str, language: Language) -> None:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise PyvariumError(
            f"{text!r}: no module file can hold its control characters; give it another name"
        )
    if re.search(r"[\ud800-\udfff]", text):
        raise PyvariumError(f"{text!r}: is not UTF-8; give it another name")
    # Lmod makes Lua of Tcl, and escapes some of it not at all.
    if language is Language.TCL and (re.search(r'["\\]|\]=*\]', text) or text != text.strip(" ")):
        raise PyvariumError(
            f"{text!r}: Lmod would not read it in Tcl as it is; use --lang lua, or give it"
            " another name"
        )


def quote_tcl(text: str) -> str:
    """A word of Tcl that stands for the text, to be handed on.

    The Tcl in Lmod reads a file as Latin 1 in any locale, and hands on UTF-8.
    """
    word = quote_tcl_file(text)
    if text.isascii():
        return word
    read = f"[encoding convertfrom utf-8 [encoding convertto [encoding system] {word}]]"
    return f"[expr {{[info exists ::env(LMOD_VERSION_MAJOR)] ? {read} : {word}}}]"


def quote_tcl_file(text: str) -> str:
    """A word of Tcl (its rules 4, 7, 8 and 9) that stands for a file, to be looked for.

    Characters beyond ASCII stand as they are: a Tcl in any locale turns them into the same bytes.
    """
    escaped = re.sub(r'([\\"$\[\]{}])', r"\\\1", text)
    return '"' + re.sub(r"[\x00-\x1f\x7f]", _escaped_for_tcl, escaped) + '"'


def _escaped_for_tcl(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def quote_lua(text: str) -> str:
    """A literal of Lua, 5.1 and later, that stands for the text."""
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return '"' + re.sub(r"[\x00-\x1f\x7f]", _escaped_for_lua, escaped) + '"'


def _escaped_for_lua(match: re.Match[str]) -> str:
    return "\\n" if match[0] == "\n" else f"\\{ord(match[0]):03d}"


#: The filters that templates quote by.
FILTERS: Mapping[str, Callable[[str], str]] = {
    "tcl": quote_tcl,
    "tcl_file": quote_tcl_file,
    "lua": quote_lua,
}
