# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The licence of a release as an SPDX expression, where its metadata tells one. Pure.

Nothing is guessed: that a project names two licences does not say whether both or either holds,
and "BSD License" is the name of several.
"""

from __future__ import annotations

import re
from typing import List, Mapping, Optional, Sequence

_TOKEN = re.compile(r"\s*(\(|\)|[A-Za-z0-9][A-Za-z0-9.-]*\+?)")
_OPERATORS = ("AND", "OR", "WITH")

#: The identifiers that projects write into the free ``License`` field.
_IDENTIFIERS = """
    0BSD AFL-2.1 AFL-3.0 AGPL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 Artistic-2.0
    BSD-2-Clause BSD-3-Clause BSD-3-Clause-LBNL BSL-1.0 CC-BY-4.0 CC0-1.0 CECILL-2.1 CECILL-B
    CECILL-C ECL-2.0 EPL-1.0 EPL-2.0 EUPL-1.2 GPL-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0
    GPL-3.0-only GPL-3.0-or-later HPND ISC LGPL-2.1 LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0
    LGPL-3.0-only LGPL-3.0-or-later MIT MIT-0 MIT-CMU MPL-1.1 MPL-2.0 NCSA OFL-1.1 PSF-2.0
    Python-2.0 Unlicense UPL-1.0 W3C WTFPL Zlib ZPL-2.1
""".split()
_BY_LOWER: Mapping[str, str] = {
    **{one.lower(): one for one in _IDENTIFIERS},
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "expat": "MIT",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "2-clause bsd": "BSD-2-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "3-clause bsd": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd3": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "iscl": "ISC",
    "gplv2": "GPL-2.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "lgplv3": "LGPL-3.0-only",
    "lgplv3+": "LGPL-3.0-or-later",
    "lgplv2.1+": "LGPL-2.1-or-later",
    "mpl 2.0": "MPL-2.0",
    "mozilla public license 2.0": "MPL-2.0",
    "psf": "PSF-2.0",
    "the unlicense": "Unlicense",
    "zpl 2.1": "ZPL-2.1",
}
#: What SPDX has renamed.
_CURRENT: Mapping[str, str] = {
    f"{family}-{version}": f"{family}-{version}-only"
    for family, version in zip(
        ("GPL", "GPL", "LGPL", "LGPL", "AGPL"), ("2.0", "3.0", "2.1", "3.0", "3.0")
    )
}

_OSI = "License :: OSI Approved :: "
#: The trove classifiers that name one licence.
_BY_CLASSIFIER: Mapping[str, str] = {
    "License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "License :: CeCILL-B Free Software License Agreement (CECILL-B)": "CECILL-B",
    "License :: CeCILL-C Free Software License Agreement (CECILL-C)": "CECILL-C",
    f"{_OSI}Apache Software License": "Apache-2.0",
    f"{_OSI}Blue Oak Model License (BlueOak-1.0.0)": "BlueOak-1.0.0",
    f"{_OSI}Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    f"{_OSI}CEA CNRS Inria Logiciel Libre License, version 2.1 (CeCILL-2.1)": "CECILL-2.1",
    f"{_OSI}Eclipse Public License 1.0 (EPL-1.0)": "EPL-1.0",
    f"{_OSI}Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    f"{_OSI}European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    f"{_OSI}GNU Affero General Public License v3": "AGPL-3.0-only",
    f"{_OSI}GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    f"{_OSI}GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    f"{_OSI}GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    f"{_OSI}GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    f"{_OSI}GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    f"{_OSI}GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    f"{_OSI}GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    f"{_OSI}GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    f"{_OSI}GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    f"{_OSI}Historical Permission Notice and Disclaimer (HPND)": "HPND",
    f"{_OSI}ISC License (ISCL)": "ISC",
    f"{_OSI}MIT License": "MIT",
    f"{_OSI}MIT No Attribution License (MIT-0)": "MIT-0",
    f"{_OSI}Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    f"{_OSI}Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    f"{_OSI}Python Software Foundation License": "PSF-2.0",
    f"{_OSI}SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
    f"{_OSI}The Unlicense (Unlicense)": "Unlicense",
    f"{_OSI}Universal Permissive License (UPL)": "UPL-1.0",
    f"{_OSI}University of Illinois/NCSA Open Source License": "NCSA",
    f"{_OSI}Zero-Clause BSD (0BSD)": "0BSD",
    f"{_OSI}zlib/libpng License": "Zlib",
}


def license_of(expression: str, free_text: str, classifiers: Sequence[str]) -> Optional[str]:
    """From ``License-Expression`` (PEP 639), ``License`` and ``Classifier``, the surest first."""
    stated = parse_expression(expression)
    if stated is not None:
        return stated
    known = _known(free_text)
    if known is not None:
        return known
    licenses = [one for one in classifiers if one.startswith("License :: ") and one != _OSI[:-4]]
    return _BY_CLASSIFIER.get(licenses[0]) if len(licenses) == 1 else None


def parse_expression(text: str) -> Optional[str]:
    """An SPDX expression in its usual spacing, None for what has not the form of one.

    Only the form is checked, not whether SPDX has such a licence.
    """
    tokens: List[str] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or len(tokens) > 100:
            return None
        tokens.append(match[1].upper() if match[1].upper() in _OPERATORS else match[1])
        position = match.end()
    depth = 0
    operand = False  # Whether the token before ends one.
    for token in tokens:
        if token == "(":
            if operand:
                return None
            depth += 1
        elif token == ")":
            depth -= 1
            if depth < 0 or not operand:
                return None
        elif operand != (token in _OPERATORS):
            return None
        else:
            operand = not operand
    if not tokens or depth or not operand:
        return None
    return " ".join(tokens).replace("( ", "(").replace(" )", ")")


def _known(text: str) -> Optional[str]:
    """A free text where it is an identifier, a name for one, or an expression of identifiers."""
    plain = " ".join(text.split())
    if len(plain) > 100:  # The whole text of a licence.
        return None
    found = _BY_LOWER.get(plain.lower().rstrip("."))
    if found is not None:
        return _CURRENT.get(found, found)
    expression = parse_expression(plain)
    words = expression.replace("(", " ").replace(")", " ").split() if expression else []
    names = [one for one in words if one not in _OPERATORS]
    return expression if names and all(one in _IDENTIFIERS for one in names) else None
