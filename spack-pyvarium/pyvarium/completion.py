# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Render what completes ``spack pyvarium`` in a shell, from the parser of the command.

Spack's own files of completion know only its own commands, and none behind ``-e NAME``. The shell
starts no Spack, which takes half a second: environments and distributions are found by their
files. How each shell goes about it stands in ``templates/completion``.
"""

from __future__ import annotations

import argparse
import enum
import re
import shlex
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import root


class Shell(str, enum.Enum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class Kind(str, enum.Enum):
    """What a word may be, as the shell is to look for it."""

    FLAG = "flag"  # An option without a value.
    TEXT = "text"  # Anything; there is nothing to propose.
    CHOICE = "choice"
    FILE = "file"
    DIRECTORY = "directory"
    ENVIRONMENT = "environment"
    DISTRIBUTION = "distribution"


#: By what the help calls the values.
_KINDS: Mapping[str, Kind] = {
    "DIR": Kind.DIRECTORY,
    "DIR|-": Kind.DIRECTORY,
    "ENV": Kind.ENVIRONMENT,
    "FILE": Kind.FILE,
    "FILE|-": Kind.FILE,
    "NAMESPACE|DIR": Kind.DIRECTORY,
    "PREFIX": Kind.DIRECTORY,
    "SCRIPT|DIR|NOTEBOOK|-": Kind.FILE,
}
_LONGEST = 72


@dataclass(frozen=True)
class Argument:
    """An option, or what stands without one where ``names`` is empty."""

    names: Tuple[str, ...]
    kind: Kind
    choices: Tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Command:
    """A command by its words behind ``pyvarium``; the words that may follow, with their help."""

    words: Tuple[str, ...]
    below: Tuple[Tuple[str, str], ...]
    arguments: Tuple[Argument, ...]

    @property
    def key(self) -> str:
        return " ".join(self.words)

    @property
    def options(self) -> Tuple[Argument, ...]:
        return tuple(one for one in self.arguments if one.names)

    @property
    def positional(self) -> Tuple[Argument, ...]:
        return tuple(one for one in self.arguments if not one.names)


def describe(
    parser: argparse.ArgumentParser,
    special: Mapping[Tuple[str, ...], Sequence[str]],
    words: Tuple[str, ...] = (),
) -> Iterator[Command]:
    """List a command and all below it. ``special`` has the choices that the parser leaves open,
    by the words and the name of the argument; none mean the distributions of the environment.
    """
    below: List[Tuple[str, str]] = []
    parsers: List[Tuple[str, argparse.ArgumentParser]] = []
    arguments = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {one.dest: one.help or "" for one in action._choices_actions}
            below += [(name, _short(texts.get(name, ""))) for name in action.choices]
            parsers += action.choices.items()
        elif action.help != argparse.SUPPRESS:
            arguments.append(_argument(action, special.get((*words, action.dest))))
    yield Command(words, tuple(below), tuple(arguments))
    for name, one in parsers:
        yield from describe(one, special, (*words, name))


def _argument(action: argparse.Action, special: Optional[Sequence[str]]) -> Argument:
    names, text = tuple(action.option_strings), _short(action.help or "")
    if action.nargs == 0:
        return Argument(names, Kind.FLAG, (), text)
    if special is not None:
        kind = Kind.CHOICE if special else Kind.DISTRIBUTION
        return Argument(names, kind, tuple(special), text)
    if action.choices is not None:
        return Argument(names, Kind.CHOICE, tuple(map(str, action.choices)), text)
    kind = _KINDS.get(str(action.metavar), Kind.TEXT)
    return Argument(names, kind, (), text)


def _short(text: str) -> str:
    """The first words of a help text, on one line."""
    text = " ".join(text.replace("%%", "%").split())
    text = re.split(r"; | \(default|\. ", text)[0]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def render(shell: Shell, commands: Sequence[Command], environments: Path) -> str:
    """The script, for a shell to read; ``environments`` is where Spack keeps the named ones."""
    quote = _QUOTES[shell]
    template = Path(
        root(), "spack-pyvarium", "templates", "completion", f"completion.{shell.value}"
    )
    values = {
        "environments": quote(str(environments)),
        "table": "\n".join(_TABLES[shell](commands, quote)),
    }
    return _Template(template.read_text(encoding="utf-8")).substitute(values)


class _Template(string.Template):
    """With a delimiter that no shell has behind a letter."""

    delimiter = "@@"


_Quote = Callable[[str], str]


def _in_bash(commands: Sequence[Command], quote: _Quote) -> Iterator[str]:
    """Branches of a ``case``: of a command, and of an option of it by what takes a value."""
    for one in commands:
        names = " ".join(name for option in one.options for name in option.names)
        below = " ".join(name for name, _ in one.below)
        yield f"    {quote(one.key)})"
        yield f"        below={quote(below)}"
        yield f"        options={quote(names)}"
        for argument in one.positional[:1]:
            yield f"        kind={argument.kind.value}"
            if argument.choices:
                yield f"        choices={quote(' '.join(argument.choices))}"
        valued = [option for option in one.options if option.kind is not Kind.FLAG]
        if valued:
            yield '        case "$2" in'
        for option in valued:
            names = "|".join(option.names)
            choices = f" choices={quote(' '.join(option.choices))}" if option.choices else ""
            yield f"        {names}) value={option.kind.value}{choices} ;;"
        if valued:
            yield "        esac"
        yield "        ;;"


def _in_zsh(commands: Sequence[Command], quote: _Quote) -> Iterator[str]:
    """The same with the help of each, as ``_describe`` takes it."""

    def described(name: str, text: str) -> str:
        return quote(f"{name.replace(':', chr(92) + ':')}:{text}")

    for one in commands:
        below = " ".join(described(*word) for word in one.below)
        options = " ".join(
            described(name, option.help) for option in one.options for name in option.names
        )
        yield f"    {quote(one.key)})"
        yield f"        below=({below})"
        yield f"        options=({options})"
        for argument in one.positional[:1]:
            yield f"        kind={argument.kind.value}"
            yield f"        choices=({' '.join(map(quote, argument.choices))})"
        valued = [option for option in one.options if option.kind is not Kind.FLAG]
        if valued:
            yield '        case "$2" in'
        for option in valued:
            choices = f" choices=({' '.join(map(quote, option.choices))})"
            yield f"        {'|'.join(option.names)}) value={option.kind.value}{choices} ;;"
        if valued:
            yield "        esac"
        yield "        ;;"


def _in_fish(commands: Sequence[Command], quote: _Quote) -> Iterator[str]:
    """One ``complete`` for each word and option, under the condition of its command."""
    keys = " ".join(quote(one.key) for one in commands if one.key)
    yield f"set -g __pyvarium_commands {keys}"
    for one in commands:
        start = f"complete -c spack -n {quote(f'__pyvarium_at {quote(one.key)}')}"
        for name, text in one.below:
            yield f"{start} -f -a {quote(name)} -d {quote(text)}"
        for argument in one.positional[:1]:
            yield f"{start} {_values_in_fish(argument, quote)}"
        for option in one.options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            )
            values = "" if option.kind is Kind.FLAG else f" -r {_values_in_fish(option, quote)}"
            yield f"{start} {names} -d {quote(option.help)}{values}"


def _values_in_fish(argument: Argument, quote: _Quote) -> str:
    if argument.kind is Kind.CHOICE:
        return f"-f -a {quote(' '.join(argument.choices))}"
    return {
        Kind.FILE: "-F",
        Kind.DIRECTORY: "-f -a '(__fish_complete_directories)'",
        Kind.ENVIRONMENT: "-f -a '(__pyvarium_environments; __fish_complete_directories)'",
        Kind.DISTRIBUTION: "-f -a '(__pyvarium_distributions)'",
    }.get(argument.kind, "-f")


def _quote_in_fish(text: str) -> str:
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"


_QUOTES: Mapping[Shell, _Quote] = {
    Shell.BASH: shlex.quote,
    Shell.ZSH: shlex.quote,
    Shell.FISH: _quote_in_fish,
}
_TABLES: Mapping[Shell, Callable[[Sequence[Command], _Quote], Iterator[str]]] = {
    Shell.BASH: _in_bash,
    Shell.ZSH: _in_zsh,
    Shell.FISH: _in_fish,
}
