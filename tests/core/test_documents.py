# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What the documents show is what the commands are: words, options, links, and no block that
nothing runs.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Tuple

import documents
import pytest
import scenarios
from documents import TOP, Block

from pyvarium import __main__ as by_files

PARSERS = {
    "spack pyvarium": documents.command_parser(),
    "python -m pyvarium": by_files.make_parser(),
}
SNIPPETS = [one for name in documents.NAMES for one in documents.snippets(name)]


@pytest.mark.parametrize("snippet", [one for one in SNIPPETS if one.whole], ids=str)
def test_a_command_of_a_session_is_parsed(snippet: documents.Snippet) -> None:
    try:
        PARSERS[snippet.program].parse_args(snippet.words)
    except SystemExit as error:
        assert error.code == 0, snippet  # By --help.


def test_what_the_text_mentions_is_there() -> None:
    """Its first word is a command, and its options are that command's."""
    wrong = []
    for one in SNIPPETS:
        top = PARSERS[one.program]
        words, parser = documents.reached(top, one.words)
        own = one.words[: one.words.index("--")] if "--" in one.words else one.words
        named = {word.partition("=")[0] for word in own if word.startswith("-") and word[1:]}
        known = documents.options(parser) | documents.options(top) | {"--help"}
        # Of 'setup' what stands before a further word counts too.
        for length in range(len(words)):
            known |= documents.options(documents.reached(top, words[:length])[1])
        first = one.words[:1]
        lost = bool(first) and not words and first[0] not in ("...", "WORD")
        if named - known or lost:
            wrong.append((str(one), sorted(named - known)))
    assert wrong == []


def rows_of_commands() -> Dict[Tuple[str, ...], FrozenSet[str]]:
    """The table of commands: its rows by the words of each, with the options that they name."""
    parser = PARSERS["spack pyvarium"]
    found: Dict[Tuple[str, ...], FrozenSet[str]] = {}
    for name in documents.NAMES:
        for first, *rest in documents.rows(name):
            calls = [one.split() for one in documents.code(first)]
            if not calls or calls[0][:2] != ["spack", "pyvarium"]:
                continue
            said = {word for text in documents.code(" ".join(rest)) for word in text.split()}
            named = frozenset(word for word in said if word.startswith("-"))
            words, _ = documents.reached(parser, calls[0][2:])
            assert words, first
            found[words] = found.get(words, frozenset()) | named
            for other in calls[1:]:  # In short: another last word.
                found[(*words[:-1], other[0])] = named
    return found


def test_the_table_has_every_command_and_no_other_option() -> None:
    parser = PARSERS["spack pyvarium"]
    rows = rows_of_commands()
    commands = {
        words: below
        for words, below in documents.every_command(parser)
        if words in rows or not documents.subparsers(below)
    }
    backends = {("setup", one) for one in ("uv", "poetry", "pdm", "pip")}
    assert {*commands} - {*rows} - backends == set()
    unknown = {words: named - documents.options(commands[words]) for words, named in rows.items()}
    assert {words: named for words, named in unknown.items() if named} == {}


def test_every_option_is_in_a_document() -> None:
    """In the table, or where the text shows it."""
    parser = PARSERS["spack pyvarium"]
    rows = rows_of_commands()
    missing = []
    for words, below in documents.every_command(parser):
        if words[0] == "setup" and words[1:] in (("poetry",), ("pdm",), ("pip",)):
            continue  # As uv.
        for action in below._actions:
            names = {*action.option_strings} - {"-h", "--help"}
            if names and not (names & rows.get(words, frozenset()) or _shown(names, words)):
                missing.append((*words, *sorted(names)))
    assert missing == []


def _shown(names: FrozenSet[str], words: Tuple[str, ...]) -> bool:
    parser = PARSERS["spack pyvarium"]
    called = [one for one in SNIPPETS if documents.reached(parser, one.words)[0] == words]
    return any(names & {*one.words} for one in called)


def test_every_session_is_run_by_a_scenario() -> None:
    """And no scenario names a block that is gone."""
    sessions = documents.sessions()
    taken = [scenarios.block_of(step, sessions) for one in scenarios.ALL for step in one.steps]
    assert sorted({_place(one) for one in sessions} - {_place(one) for one in taken}) == []
    for one in sessions:
        assert one.commands, f"{_place(one)}: shows no command"


def _place(block: Block) -> Tuple[str, int, str]:
    first = block.commands[0].text if block.commands else ""
    return (block.document, block.line, first)


@pytest.mark.parametrize("name", documents.NAMES)
def test_links_lead_somewhere(name: str) -> None:
    lost = []
    for link in documents.links(name):
        path, _, anchor = link.partition("#")
        if path.startswith("https://"):
            continue
        target = (TOP / name).parent / path if path else TOP / name
        if (
            not target.exists()
            or ":" in path
            or (anchor and anchor not in documents.anchors(str(target.resolve().relative_to(TOP))))
        ):
            lost.append(link)
    assert lost == []
