# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The help of each command is a page of a manual: what for, an example, defaults, exit codes."""

from __future__ import annotations

import argparse
import re
from typing import List, Tuple

import documents
import pytest

PARSER = documents.command_parser()
COMMANDS = dict(documents.every_command(PARSER))
#: As many columns as a page has.
WIDTH = 100


def text_of(parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    return parser.format_help()


def examples(parser: argparse.ArgumentParser) -> List[str]:
    text = f"{parser.description or ''}\n{parser.epilog or ''}"
    return re.findall(r"^  (.*\bspack .*)$", text, re.MULTILINE)


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_help(words: Tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    parser = COMMANDS.get(words, PARSER)
    text = text_of(parser, monkeypatch)
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert "exit codes: 0 done or in step; 1 error; 2 wrong usage; 3" in text
    if words:
        purpose, empty, *rest = (parser.description or "").splitlines()
        assert re.fullmatch(r"[A-Z].*\.", purpose) and not empty and rest, purpose
    assert examples(parser), "has no example"


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_examples_are_parsed(words: Tuple[str, ...]) -> None:
    """Each by the real parser, and one of them is of the command itself."""
    called = []
    for line in examples(COMMANDS.get(words, PARSER)):
        for call in documents.calls("help", line, whole=True):
            given = list(call.words)
            PARSER.parse_args(given)
            called.append(documents.reached(PARSER, given)[0])
    assert any(one[: len(words)] == words for one in called)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_options_tell_their_defaults(words: Tuple[str, ...]) -> None:
    silent = [
        action.option_strings or action.dest
        for action in COMMANDS[words]._actions
        if action.nargs != 0 and action.default not in (None, [], argparse.SUPPRESS)
        and "default" not in (action.help or "")
    ]  # fmt: skip
    assert silent == []
    nameless = [one.dest for one in COMMANDS[words]._actions if one.nargs != 0 and not one.help]
    assert [name for name in nameless if not name.startswith("pyvarium_")] == []
