# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from __future__ import annotations

from typing import Optional, Tuple

import pytest
from packaging.utils import canonicalize_name

from pyvarium.analysis import stdlib_names
from pyvarium.guesses import RECORDED, guess


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("numpy.linalg", ("numpy", "numpy")),
        ("odd_name", ("odd_name", "odd-name")),
        ("PIL.Image", ("PIL", "pillow")),
        ("cv2", ("cv2", "opencv-python")),
        ("google.cloud.storage.blob", ("google.cloud.storage", "google-cloud-storage")),
        ("google.protobuf", ("google.protobuf", "protobuf")),
        ("google.cloud", None),
        ("urllib2", None),
        ("größe", None),
    ],
)
def test_guess(module: str, expected: Optional[Tuple[str, str]]) -> None:
    assert guess(module) == expected


def test_what_is_recorded_tells_what_could_not_be_guessed() -> None:
    lines = [line for line in RECORDED.read_text().splitlines() if not line.startswith("#")]
    pairs = [line.split("=") for line in lines]
    assert pairs == sorted(pairs)
    assert {name for name, _ in pairs}.isdisjoint(stdlib_names((3, 12)))
    useless = [
        name for name, project in pairs if canonicalize_name(name) == canonicalize_name(project)
    ]
    assert (useless, [one for _, one in pairs if canonicalize_name(one) != one]) == ([], [])
