# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Pieces of TOML that a user may write, to generate files from, in any order."""

import sys
from typing import Any, Dict

import tomlkit
from hypothesis import reject
from hypothesis import strategies as st
from tomlkit.exceptions import TOMLKitError

if sys.version_info >= (3, 11):
    import tomllib


def loads(text: str) -> Dict[str, Any]:
    """What a generated text means; rejects pieces that do not go together, as a key twice."""
    try:
        return tomllib.loads(text) if sys.version_info >= (3, 11) else tomlkit.parse(text).unwrap()
    except (ValueError, TypeError, AttributeError, TOMLKitError):
        reject()


SPACE = st.sampled_from(
    ["", "\n", "\n\n", "# note\n", "\n# note = [\n\n", "  # indented\n", "\t\n"]
)
KEY = st.sampled_from(["a", "b-c", '"d e"', "'f.g'", "h.i", '"[x]"', "spack-x"])
SCALAR = st.sampled_from(
    ["1", "1.5e3", "true", "'#'", '"]"', '"\\u00e9\\""', "2020-01-01", "'''\n[tool.pyvarium]\n'''"]
    + ['"""\nspack = [\n"""', "[1, 2]", "[\n  'a', # c\n  \"b\",\n]", "{ x = 1, y = [2] }", "[]"]
)
PAIR = st.builds(
    lambda space, indent, key, gap, value, tail: f"{space}{indent}{key}{gap}={gap}{value}{tail}\n",
    SPACE,
    st.sampled_from(["", "  ", "\t"]),
    KEY,
    st.sampled_from(["", " ", "  "]),
    SCALAR,
    st.sampled_from(["", " # tail", "\t#", "   "]),
)
HEADER = st.sampled_from(
    ["project", "tool.x", "tool . y", 'tool."z z"', "build-system", "dependency-groups.sub"]
    + ["tool.pyvarium-x", "tool.x.deep.er", "x.tool.pyvarium", "y.dependency-groups"]
).map(lambda name: f"[{name}]") | st.sampled_from(["[[tool.many]]", "[[many]]"])
BODY = st.lists(PAIR, max_size=3).map("".join)
