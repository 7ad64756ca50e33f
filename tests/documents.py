# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The documents of this project as values: their blocks, commands, tables and links.

What they show is parsed by the tests of the core, and run by those with a real Spack, in the order
that ``scenarios.py`` declares.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, Sequence, Tuple

TOP = Path(__file__).resolve().parents[1]
NAMES = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{one.name}" for one in TOP.glob("docs/*.md")),
)

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
#: What stands before a command: of a user, of root, and with the name of what is active.
_PROMPT = re.compile(r"^(?:\([\w.-]+\) )?[$#] (?P<command>.*)$")
_CODE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_OURS = re.compile(
    r"\b(?P<program>spack(?: -[eDcC] (?:\"[^\"]*\"|\S+))* pyvarium|python -m pyvarium)\b"
    r"(?P<words>.*)",
    re.S,
)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Command:
    """A command as a document shows it, with what it is said to print."""

    document: str
    line: int
    text: str
    shown: Tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Block:
    """A fenced block. One of the language ``console`` is a session in a shell."""

    document: str
    line: int
    language: str
    text: str

    @property
    def commands(self) -> Tuple[Command, ...]:
        found: List[Tuple[int, str, List[str]]] = []
        continued = False
        for number, line in enumerate(self.text.splitlines(), self.line):
            prompt = _PROMPT.match(line)
            if continued:
                at, text, shown = found[-1]
                found[-1] = (at, f"{text}\n{line}", shown)
                continued = line.endswith("\\")
            elif prompt:
                found.append((number, prompt["command"], []))
                continued = line.endswith("\\")
            elif found:
                found[-1][2].append(line)
        return tuple(Command(self.document, at, text, tuple(out)) for at, text, out in found)


@dataclass(frozen=True)
class Snippet:
    """A call of ours in a document: ``program`` is one of the two ways to it."""

    document: str
    program: str
    words: Tuple[str, ...]
    #: Whether it is a command of a session, and not a mention in the text.
    whole: bool

    def __str__(self) -> str:
        return f"{self.document}: {self.program} {shlex.join(self.words)}"


def read(name: str) -> str:
    return (TOP / name).read_text(encoding="utf-8")


def blocks(name: str) -> Tuple[Block, ...]:
    text = read(name)
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        body = re.sub(f"^{match['indent']}", "", match["text"], flags=re.M)
        found.append(Block(name, line, match["language"], body))
    return tuple(found)


def sessions() -> Tuple[Block, ...]:
    """The console blocks of all documents."""
    return tuple(one for name in NAMES for one in blocks(name) if one.language == "console")


def snippets(name: str) -> Iterator[Snippet]:
    """The calls of ours in sessions, and those that the text mentions."""
    for block in blocks(name):
        for command in block.commands if block.language == "console" else ():
            yield from calls(name, command.text, whole=True)
    for match in _CODE.finditer(prose(name)):
        yield from calls(name, match[1], whole=False)


def calls(name: str, text: str, whole: bool) -> Iterator[Snippet]:
    """Those in a line, also one in another's ``$(...)``."""
    for inner in re.findall(r"[$<]\(([^()]*)\)", text):
        yield from calls(name, inner, whole)
    text = re.sub(r"\"?[$<]\([^()]*\)\"?", "SUBSTITUTED", text)
    match = _OURS.search(text)
    if match:
        program = "spack pyvarium" if match["program"].startswith("spack") else match["program"]
        line = re.split(r" (?:[|;>]|&&) |; ", match["words"])[0]
        line = line if whole else line.rstrip("';")
        yield Snippet(name, program, tuple(shlex.split(line, comments=True)), whole)


def prose(name: str) -> str:
    """A document without its blocks."""
    return _FENCE.sub("", read(name))


def rows(name: str) -> Iterator[Tuple[str, ...]]:
    """The rows of all tables, as cells."""
    for line in prose(name).splitlines():
        if line.startswith("|") and not set(line) <= set("|- "):
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            yield tuple(cell.strip().replace("\\|", "|") for cell in cells)


def code(text: str) -> Tuple[str, ...]:
    """What stands in backquotes."""
    return tuple(_CODE.findall(text))


def links(name: str) -> Tuple[str, ...]:
    return tuple(_LINK.findall(prose(name)))


def anchors(name: str) -> Dict[str, str]:
    """The headings, by what links call them: as GitHub makes it of their words."""
    found: Dict[str, str] = {}
    for heading in re.findall(r"^#+ (.*)$", prose(name), re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        slug, number = plain, 0
        while slug in found:
            number += 1
            slug = f"{plain}-{number}"
        found[slug] = heading
    return found


def command_parser() -> argparse.ArgumentParser:
    """The parser of ``spack pyvarium``, as Spack would make it."""
    path = TOP / "spack-pyvarium/pyvarium/cmd/pyvarium.py"
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_file_location("pyvarium_command", path)
    )
    module.__spec__.loader.exec_module(module)
    parser = argparse.ArgumentParser(prog="spack pyvarium")
    module.setup_parser(parser)
    return parser


def subparsers(parser: argparse.ArgumentParser) -> Dict[str, argparse.ArgumentParser]:
    """The parsers of the words that may come next."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def every_command(
    parser: argparse.ArgumentParser, words: Tuple[str, ...] = ()
) -> Iterator[Tuple[Tuple[str, ...], argparse.ArgumentParser]]:
    """Each command by its words, with its parser."""
    if words:
        yield words, parser
    for word, below in subparsers(parser).items():
        yield from every_command(below, (*words, word))


def options(parser: argparse.ArgumentParser) -> FrozenSet[str]:
    """What a command may be told, but for ``--help``."""
    names = {name for action in parser._actions for name in action.option_strings}
    return frozenset(names - {"-h", "--help"})


def reached(
    parser: argparse.ArgumentParser, words: Sequence[str]
) -> Tuple[Tuple[str, ...], argparse.ArgumentParser]:
    """The command that some words call."""
    said: Tuple[str, ...] = ()
    for word in words:
        below = subparsers(parser)
        if word in below:
            said, parser = (*said, word), below[word]
        elif not word.startswith("-"):
            break
    return said, parser
