# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvarium import umbrella
from pyvarium.backends import WHEELS, detect, with_keys, with_poetry_settings
from pyvarium.errors import PyprojectError
from pyvarium.model import Backend, Mode, Pin, Skipped
from pyvarium.toml_text import value_at
from toml_texts import loads

PINS = (Pin("attrs", "25.3.0"), Pin("setuptools", "80.9.0"))
GROUP = '[dependency-groups]\nspack = ["attrs==25.3.0", "setuptools==80.9.0"]\n'


def wheels_of(pins: Iterable[Pin]) -> Dict[str, str]:
    return {pin.name: f"{pin.name}-{pin.version}-0_a-py3-none-any.whl" for pin in pins}


def keys_for(
    text: str,
    backend: Optional[Backend],
    *,
    mode: Mode = Mode.BOUND,
    pins: Sequence[Pin] = PINS,
    old: Sequence[Pin] = (),
) -> Tuple[str, Tuple[Skipped, ...]]:
    return with_keys(text, backend, mode, pins, old, wheels_of(pins), "x.toml")


UV = {
    "constraint-dependencies": ["attrs==25.3.0"],
    "default-groups": ["spack"],
    "index": [{"name": "spack", "url": f"./{WHEELS}", "format": "flat", "explicit": True}],
    "sources": {"attrs": {"index": "spack"}, "setuptools": {"index": "spack"}},
}
POETRY = {
    "group": {
        "spack": {
            "dependencies": {
                "attrs": {"path": f"{WHEELS}/attrs-25.3.0-0_a-py3-none-any.whl"},
                "setuptools": {"path": f"{WHEELS}/setuptools-80.9.0-0_a-py3-none-any.whl"},
            }
        },
        "spack-provided": {
            "dependencies": {
                "spack-provided": {"path": umbrella.directory(umbrella.shim(wheels_of(PINS)))}
            }
        },
    }
}
PDM = {
    "source": [
        {
            "type": "find_links",
            "name": "spack",
            "url": f"file:///${{PROJECT_ROOT}}/{WHEELS}",
            "include_packages": ["attrs", "setuptools"],
        }
    ]
}
PORTABLE_UV = {key: UV[key] for key in ("constraint-dependencies", "default-groups")}


@pytest.mark.parametrize(
    ("backend", "mode", "tool"),
    [
        (Backend.UV, Mode.BOUND, {"uv": UV}),
        (Backend.POETRY, Mode.BOUND, {"poetry": POETRY}),
        (Backend.PDM, Mode.BOUND, {"pdm": PDM}),
        (Backend.PIP, Mode.BOUND, None),
        (None, Mode.BOUND, None),
        (Backend.UV, Mode.PORTABLE, {"uv": PORTABLE_UV}),
        (Backend.POETRY, Mode.PORTABLE, None),
        (Backend.PDM, Mode.PORTABLE, None),
    ],
)
def test_keys_of_a_backend(
    backend: Optional[Backend], mode: Mode, tool: Optional[Dict[str, Any]]
) -> None:
    text, kept = keys_for(GROUP, backend, mode=mode)
    assert (loads(text).get("tool"), kept) == (tool, ())


def test_a_pin_without_a_shim_has_no_source() -> None:
    text, _ = with_keys("", Backend.UV, Mode.BOUND, PINS, (), {"attrs": "a.whl"}, "x.toml")
    assert loads(text)["tool"]["uv"]["sources"] == {"attrs": {"index": "spack"}}


@pytest.mark.parametrize(
    ("before", "dev", "after"),
    [
        (None, False, ["spack"]),
        (None, True, ["dev", "spack"]),
        ([], False, ["spack"]),
        (["spack"], True, ["dev", "spack"]),
        (["dev", "spack"], False, ["spack"]),
        (["docs"], True, ["docs", "spack"]),
        (["spack", "docs"], True, ["spack", "docs"]),
        ("all", True, "all"),
    ],
)
def test_default_groups_of_uv(before: object, dev: bool, after: object) -> None:
    text = "[dependency-groups]\ndev = []\n" if dev else ""
    text += "" if before is None else f"[tool.uv]\ndefault-groups = {before!r}\n"
    result, kept = keys_for(text, Backend.UV)
    assert (loads(result)["tool"]["uv"]["default-groups"], kept) == (after, ())


def test_default_groups_that_a_user_has_emptied() -> None:
    """To name no group but ours would say the same as the name that uv implies."""
    text = "[dependency-groups]\ndev = []\n[tool.uv]\ndefault-groups = []\n"
    result, kept = keys_for(text, Backend.UV)
    assert loads(result)["tool"]["uv"]["default-groups"] == []
    reason = "is empty, so that uv leaves out what Spack provides; name the groups that you want"
    assert kept == (Skipped("x.toml: tool.uv.default-groups", reason, fault=True),)


FOREIGN = {
    "index": (
        Backend.UV,
        "[[tool.uv.index]]\nname = 'spack'\nurl = 'https://own'\n\n"
        "[tool.uv.sources]\nown = { index = 'spack' }\n",
        "tool.uv.index",
        "has a 'spack' that is yours; give it another name",
    ),
    "source": (
        Backend.UV,
        "[tool.uv.sources]\nAttrs = [{ git = 'https://own' }]\n",
        "tool.uv.sources.attrs",
        "takes attrs from elsewhere than Spack; remove it",
    ),
    "constraint": (
        Backend.UV,
        "[tool.uv]\nconstraint-dependencies = ['Attrs<25']\n",
        "tool.uv.constraint-dependencies",
        "has 'Attrs<25', but Spack provides 25.3.0; remove it",
    ),
    "dependency": (
        Backend.POETRY,
        "[tool.poetry.group.spack.dependencies]\nattrs = '^25'\n",
        "tool.poetry.group.spack.dependencies.attrs",
        "takes attrs from elsewhere than Spack; remove it",
    ),
    "umbrella": (
        Backend.POETRY,
        "[tool.poetry.group.spack-provided.dependencies]\nspack-provided = '^1'\n",
        "tool.poetry.group.spack-provided.dependencies.spack-provided",
        "takes spack-provided from elsewhere than Spack; remove it",
    ),
    "pdm": (
        Backend.PDM,
        "[[tool.pdm.source]]\nname = 'spack'\nurl = 'https://own'\n",
        "tool.pdm.source",
        "has a 'spack' that is yours; give it another name",
    ),
}


@pytest.mark.parametrize(
    ("backend", "text", "key", "reason"), FOREIGN.values(), ids=FOREIGN.keys()
)
def test_what_is_the_users_is_kept_and_reported(
    backend: Backend, text: str, key: str, reason: str
) -> None:
    result, kept = keys_for(text, backend)
    assert kept == (Skipped(f"x.toml: {key}", reason, fault=True),)
    assert is_part(loads(text), loads(result))
    assert keys_for(result, backend, old=PINS) == (result, kept)
    assert loads(keys_for(result, None, old=PINS)[0]) == loads(text)


def is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    return part == whole or (isinstance(part, list) and all(one in whole for one in part))


def test_no_source_leads_to_an_index_of_the_users() -> None:
    _, text, _, _ = FOREIGN["index"]
    result, _ = keys_for(text, Backend.UV)
    assert loads(result)["tool"]["uv"]["sources"] == {"own": {"index": "spack"}}


def test_a_constraint_of_a_former_pin_goes() -> None:
    text, _ = keys_for("", Backend.UV)
    result, kept = keys_for(text, Backend.UV, pins=[Pin("attrs", "26.1.0")], old=PINS)
    assert value_at(loads(result), ("tool", "uv", "constraint-dependencies")) == ["attrs==26.1.0"]
    assert kept == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool]\nuv = 1\n", "tool.uv is not a table; make it one or remove it"),
        ("[tool.uv]\nsources = []\n", "tool.uv.sources is not a table; make it one or remove it"),
        (
            "[tool.uv]\nindex = [1]\n",
            "tool.uv.index is not an array of tables; make it one or remove it",
        ),
        (
            "[tool.pdm.source]\nname = 'x'\n",
            "tool.pdm.source is not an array of tables; make it one or remove it",
        ),
        (
            "[tool.uv]\ndefault-groups = 'dev'\n",
            "tool.uv.default-groups is not a list of strings; make it one or remove it",
        ),
        (
            "[tool.uv]\nconstraint-dependencies = [{ a = 1 }]\n",
            "tool.uv.constraint-dependencies is not a list of strings; make it one or remove it",
        ),
        (
            "[tool.poetry]\ngroup = 'x'\n",
            "tool.poetry.group is not a table; make it one or remove it",
        ),
    ],
)
def test_what_no_backend_could_read_is_an_error(text: str, message: str) -> None:
    for backend in (Backend.UV, Backend.PIP):
        with pytest.raises(PyprojectError) as caught:
            keys_for(text, backend)
        assert str(caught.value) == f"x.toml: {message}"


@pytest.mark.parametrize(
    ("text", "files", "backend"),
    [
        ("", [], None),
        ("", ["uv.lock"], Backend.UV),
        ("[tool.poetry]\n", ["pdm.lock"], Backend.PDM),
        ("[tool.poetry]\n", ["pdm.lock", "poetry.lock"], Backend.POETRY),
        ("[tool.pdm]\n", [], Backend.PDM),
        ("[tool.pdm]\n[tool.uv]\n", [], None),
        ("[tool.pdm]\n[tool.uv]\n", ["uv.lock"], Backend.UV),
        ("[build-system]\nbuild-backend = 'poetry.core.masonry.api'\n", [], Backend.POETRY),
        ("[build-system]\nbuild-backend = 'uv_build'\n", [], Backend.UV),
        ("[build-system]\nbuild-backend = 'pdm.backend'\n", [], Backend.PDM),
        ("[build-system]\nbuild-backend = 'pdm.backend'\n[tool.uv]\n", [], Backend.UV),
        ("[build-system]\nbuild-backend = 'hatchling.build'\n", ["requirements.txt"], None),
        ("build-system = 1\ntool = 1\n", [], None),
    ],
)
def test_detect(text: str, files: List[str], backend: Optional[Backend]) -> None:
    assert detect(loads(text), files) is backend


@pytest.mark.parametrize(
    ("before", "used", "after", "reason"),
    [
        ("", True, "[virtualenvs]\nin-project = true\n", None),
        ("[virtualenvs]\nin-project = true\n", True, None, None),
        ("[virtualenvs]\nin-project = true\n", False, "", None),
        ("[virtualenvs]\nin-project = true # mine\n", False, None, None),
        ("", False, None, None),
        (
            "[virtualenvs]\nin-project = false\n",
            True,
            None,
            "is False, so that Poetry does not use .venv; set it to true or remove it",
        ),
    ],
)
def test_poetry_settings(
    before: str, used: bool, after: Optional[str], reason: Optional[str]
) -> None:
    skipped = [Skipped("x.toml: virtualenvs.in-project", reason, True)] if reason else []
    expected = (before if after is None else after, skipped)
    assert with_poetry_settings(before, used, "x.toml") == expected


# Files of users of any of the backends, or of several.

#: What gets back to the byte.
PARTS = (
    "[project]\nname = 'x' # own\n",
    "[dependency-groups]\ndev = ['x']\n",
    "[tool.uv]\nmanaged = true # own\n\n# of what follows\n",
    "[[tool.uv.index]] # own\nname = 'own'\nurl = 'https://own'\n\n\n",
    "[tool.uv.sources]\n# own\nown = { git = 'x' }\n'A.b' = [{ path = 'x' }]\n",
    "[tool.poetry]\npackage-mode = false\n\n",
    "[tool.poetry.group.spack]\noptional = false\n",
    "[tool.poetry.group.spack.dependencies]\nown = '^1'\n",
    "[tool.poetry.group.spack-provided.dependencies]\nown = { path = 'own' }\n",
    "[[tool.pdm.source]]\nname = 'pypi'\nurl = 'https://own'\n",
    "[tool.pdm.dev-dependencies]\nx = [\n  'y', # own\n]\n",
    "\n\n# own\n",
)
#: What only means the same again: arrays that are shared get our layout, and without us are
#: removed where they say what uv takes for granted.
LISTS = (
    "[tool.uv]\nconstraint-dependencies = [\n'own<2', # own\n]\n",
    "[tool.uv]\ndefault-groups = ['dev', 'docs']\n",
)
PIN = st.builds(Pin, st.sampled_from(["a-b", "c", "d", "e", "f"]), st.sampled_from("123"))
PINS_OF = st.lists(PIN, unique_by=lambda pin: pin.name, min_size=1).map(
    lambda pins: tuple(sorted(pins))
)
STEPS = st.lists(
    st.tuples(st.sampled_from(Backend), st.sampled_from(Mode), PINS_OF), min_size=1, max_size=3
)


@settings(max_examples=settings().max_examples // 2)
@given(
    st.lists(st.sampled_from(PARTS), unique=True).map("".join),
    st.sampled_from(("", *LISTS)),
    st.booleans(),
    STEPS,
)
def test_a_switch_leaves_nothing_behind(
    parts: str, lists: str, crlf: bool, steps: List[Tuple[Backend, Mode, Tuple[Pin, ...]]]
) -> None:
    before = parts.replace("[tool.uv]\n", lists) if "[tool.uv]" in parts else parts + lists
    before = before.replace("\n", "\r\n") if crlf else before
    text, old = before, ()
    for backend, mode, pins in steps:
        text, kept = keys_for(text, backend, mode=mode, pins=pins, old=old)
        assert is_part(loads(before), loads(text))
        assert keys_for(text, backend, mode=mode, pins=pins, old=pins) == (text, kept)
        old = pins
    text, _ = keys_for(text, None, old=old)
    assert loads(text) == loads(before)
    assert lists or text == before
