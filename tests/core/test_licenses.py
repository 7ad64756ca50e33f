# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from typing import List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvarium.licenses import license_of, parse_expression

OSI = "License :: OSI Approved :: "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", "MIT"),
        ("Apache-2.0 OR MIT", "Apache-2.0 OR MIT"),
        ("apache-2.0 or (mit  and BSD-3-Clause)", "apache-2.0 OR (mit AND BSD-3-Clause)"),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", "GPL-3.0-or-later WITH GCC-exception-3.1"),
        ("GPL-2.0+", "GPL-2.0+"),
        ("LicenseRef-Mine", "LicenseRef-Mine"),
        ("((MIT))", "((MIT))"),
        ("", None),
        ("MIT License", None),
        ("MIT OR", None),
        ("OR MIT", None),
        ("(MIT", None),
        ("MIT)", None),
        (")MIT(", None),
        ("()", None),
        ("MIT (Apache-2.0)", None),
        ('MIT", x="', None),
        ("MIT\n\nimport os", None),
        ("MIT; rm", None),
        ("\u24c2IT", None),
        ("a OR " * 200 + "b", None),
    ],
)
def test_expressions(text: str, expected: Optional[str]) -> None:
    assert parse_expression(text) == expected


@pytest.mark.parametrize(
    ("expression", "free", "classifiers", "expected"),
    [
        ("MIT", "BSD", [f"{OSI}Apache Software License"], "MIT"),
        ("not one!", "MIT", [], "MIT"),
        ("", "BSD-3-Clause", [f"{OSI}BSD License"], "BSD-3-Clause"),
        ("", "3-Clause BSD License", [], "BSD-3-Clause"),
        ("", "Apache License, Version 2.0", [], "Apache-2.0"),
        ("", "mit", [], "MIT"),
        ("", "MIT License\n\nCopyright (c) ...\n" + "text " * 50, [], None),
        ("", "GPLv3+", [], "GPL-3.0-or-later"),
        ("", "GPL-2.0", [], "GPL-2.0-only"),
        ("", "MIT OR Apache-2.0", [], "MIT OR Apache-2.0"),
        ("", "Dual License", [], None),
        ("", "BSD", [f"{OSI}BSD License"], None),
        ("", "", [f"{OSI}MIT License"], "MIT"),
        ("", "", [OSI[:-4], f"{OSI}MIT License"], "MIT"),
        ("", "", [f"{OSI}MIT License", f"{OSI}Apache Software License"], None),
        ("", "", ["Programming Language :: Python", f"{OSI}ISC License (ISCL)"], "ISC"),
        ("", "", ["License :: Other/Proprietary License"], None),
        ("", "", ['License :: OSI Approved :: MIT License", x="'], None),
        ("", "", [], None),
    ],
)
def test_licenses(
    expression: str, free: str, classifiers: List[str], expected: Optional[str]
) -> None:
    assert license_of(expression, free, classifiers) == expected


@given(st.text(st.sampled_from("()ORANDWITHmit-2.0+ \"'\n\\"), max_size=30))
def test_no_expression_has_another_character(text: str) -> None:
    found = parse_expression(text)
    if found is not None:
        assert not set(found) - set("()ORANDWITHmitornwh-2.0+ ")
        assert parse_expression(found) == found
