# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from typing import Tuple

import pytest

from pyvarium.configuration import with_entry, without_entries

ENTRY = "- path: /ours\n  when: |-\n    # ours\n    True\n"


def is_ours(entry: str) -> bool:
    return "ours" in entry


@pytest.mark.parametrize(
    ("keys", "before", "after"),
    [
        (
            ("include",),
            "",
            "include:\n  - path: /ours\n    when: |-\n      # ours\n      True\n",
        ),
        (
            ("include",),
            "# mine\n",
            "# mine\ninclude:\n  - path: /ours\n    when: |-\n      # ours\n      True\n",
        ),
        (
            ("include",),
            "# mine\ninclude:   # first\n\n# other\n- path: '/other'  # where\n\n- /last\n# end\n",
            "# mine\ninclude:   # first\n"
            "- path: /ours\n  when: |-\n    # ours\n    True\n"
            "\n# other\n- path: '/other'  # where\n\n- /last\n# end\n",
        ),
        (
            ("include",),
            "include::\r\n      - /other\r\n",
            "include::\r\n"
            "      - path: /ours\n        when: |-\n          # ours\n          True\n"
            "      - /other\r\n",
        ),
        (
            ("include",),
            "'include':\n- - nested\n",
            "'include':\n- path: /ours\n  when: |-\n    # ours\n    True\n- - nested\n",
        ),
        (
            ("spack", "include"),
            "# mine\nspack:\n  # roots\n  specs: [a]\n  view: true\n",
            "# mine\nspack:\n"
            "  include:\n    - path: /ours\n      when: |-\n        # ours\n        True\n"
            "  # roots\n  specs: [a]\n  view: true\n",
        ),
        (
            ("spack", "include"),
            "spack:\n    modules:\n        include:\n        - no\n    include:\n    - yes\n",
            "spack:\n    modules:\n        include:\n        - no\n    include:\n"
            "    - path: /ours\n      when: |-\n        # ours\n        True\n    - yes\n",
        ),
    ],
    ids=["nothing", "comment", "comments", "carriage-returns", "quoted", "deeper", "deeper-list"],
)
def test_an_entry_comes_and_goes(keys: Tuple[str, ...], before: str, after: str) -> None:
    assert with_entry(before, keys, ENTRY) == after
    assert without_entries(after, keys, is_ours) == before
    assert without_entries(before, keys, is_ours) == before


@pytest.mark.parametrize(
    ("keys", "before", "after"),
    [
        (("include",), "include: []  # none\n", "include:  # none\n  - /ours\n"),
        (("include",), "x: 1", "x: 1\ninclude:\n  - /ours\n"),
    ],
    ids=["empty-list", "no-newline"],
)
def test_what_cannot_be_restored_to_the_byte(
    keys: Tuple[str, ...], before: str, after: str
) -> None:
    assert with_entry(before, keys, "- /ours\n") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'include:\n- /a\n- path: /ours\n  when: "long\n\n    and folded"\n\n# of b\n- /b\n',
            "include:\n- /a\n\n# of b\n- /b\n",
        ),
        ("include:\n- /ours\n- /ours/too\nx: 1\n", "x: 1\n"),
        ("include: [/ours]\n", "include: [/ours]\n"),
        ("include:\n", "include:\n"),
        ("", ""),
    ],
    ids=["rewritten", "all-are-ours", "one-line", "no-entry", "nothing"],
)
def test_entries_are_taken_out(before: str, after: str) -> None:
    assert without_entries(before, ("include",), is_ours) == after


def test_a_mapping_is_changed_alike() -> None:
    text = "pyvarium:\n  auto-sync: ours\n  other: 1\n"
    assert without_entries(text, ("pyvarium",), is_ours) == "pyvarium:\n  other: 1\n"
    assert with_entry("", ("pyvarium",), "auto-sync: ours\n") == "pyvarium:\n  auto-sync: ours\n"


def test_a_list_may_stand_as_far_out_as_its_key() -> None:
    text = "pyvarium:\n  ours:\n  - '/a'\n  # why\n  - '/b'\n\n  other: 1\n"
    assert without_entries(text, ("pyvarium",), is_ours) == "pyvarium:\n\n  other: 1\n"
