# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
from typing import Dict, Set, Tuple

import pytest

from pyvarium.errors import PyvariumError
from pyvarium.locked import File, Locked, Selection, parse_locked
from pyvarium.markers import environment_of
from pyvarium.model import Backend, Skipped

HERE = {**environment_of("3.11"), "sys_platform": "linux"}
UV = """
version = 1
[[package]]
name = "mine"
version = "0"
source = { virtual = "." }
dependencies = [
    { name = "rich" },
    { name = "httpx", extra = ["http2"] },
    { name = "colorama", marker = "sys_platform == 'win32'" },
    { name = "local" },
]
[package.optional-dependencies]
plot = [{ name = "cycler" }]
[package.dev-dependencies]
test = [{ name = "two", version = "2", source = { registry = "https://pypi.org/simple" } }]
[[package]]
name = "colorama"
version = "0.4.6"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "cycler"
version = "0.12.1"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "h2"
version = "4.4.1"
source = { registry = "https://user:secret@example.org/simple" }
[[package]]
name = "httpx"
version = "0.28.1"
source = { registry = "https://pypi.org/simple" }
[package.optional-dependencies]
http2 = [{ name = "h2" }]
[[package]]
name = "local"
version = "1"
source = { directory = "../local" }
dependencies = [{ name = "rich" }]
[[package]]
name = "rich"
version = "15.0.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "rich" }]
sdist = { url = "https://files.example.org/rich-15.0.0.tar.gz", hash = "sha256:aa", size = 9 }
wheels = [
    { url = "https://files.example.org/rich-15.0.0-py3-none-any.whl", hash = "sha256:bb" },
    { url = "file:///opt/rich-15.0.0-py2-none-any.whl", hash = "sha256:cc" },
    { url = "https://files.example.org/rich-15.0.0-py4-none-any.whl" },
]
[[package]]
name = "two"
version = "1"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "two"
version = "2"
source = { registry = "https://pypi.org/simple" }
"""
POETRY = """
[[package]]
name = "Rich"
version = "15.0.0"
groups = ["main", "test"]
files = [{ file = "rich-15.0.0.tar.gz", hash = "sha256:aa" }]
[[package]]
name = "colorama"
version = "0.4.6"
groups = ["main", "test"]
markers = { main = "sys_platform == 'win32'", test = "python_version > '3'" }
[[package]]
name = "cycler"
version = "0.12.1"
optional = true
groups = ["main"]
markers = "extra == 'plot'"
[[package]]
name = "inner"
version = "1"
groups = ["main"]
[package.source]
type = "legacy"
url = "https://example.org/simple"
reference = "inner"
[[package]]
name = "local"
version = "1"
groups = ["main"]
[package.source]
type = "git"
url = "https://example.org/local.git"
[extras]
plot = ["cycler"]
[metadata]
lock-version = "2.1"
"""
PDM = """
[metadata]
groups = ["default", "plot", "test"]
[[package]]
name = "rich"
version = "15.0.0"
groups = ["default"]
files = [{ file = "rich-15.0.0.tar.gz", hash = "sha256:aa" }]
[[package]]
name = "colorama"
version = "0.4.6"
groups = ["default", "test"]
marker = "sys_platform == 'win32'"
[[package]]
name = "cycler"
version = "0.12.1"
groups = ["plot"]
[[package]]
name = "two"
version = "2"
groups = ["test"]
[[package]]
name = "local"
version = "1"
groups = ["default"]
git = "https://example.org/local.git"
"""
PYLOCK = """
lock-version = "1.0"
[[packages]]
name = "rich"
version = "15.0.0"
index = "https://pypi.org/simple"
[packages.sdist]
url = "https://files.example.org/rich-15.0.0.tar.gz"
size = 9
hashes = { sha256 = "aa" }
[[packages]]
name = "colorama"
version = "0.4.6"
marker = "sys_platform == 'win32'"
[[packages]]
name = "local"
[packages.directory]
path = "../local"
"""
TEXTS = {Backend.UV: UV, Backend.POETRY: POETRY, Backend.PDM: PDM, Backend.PIP: PYLOCK}


def names(backend: Backend, selection: Selection) -> Set[str]:
    found, _ = parse_locked(TEXTS[backend], "lock", backend, selection)
    return {f"{one.name}=={one.version}" for one in found}


MAIN = {"rich==15.0.0"}
HTTPX = {"httpx==0.28.1", "h2==4.4.1"}
INNER = {"inner==1"}


@pytest.mark.parametrize(
    ("backend", "selection", "expected"),
    [
        (Backend.UV, Selection(HERE), MAIN | HTTPX),
        (Backend.UV, Selection(HERE, ("test",)), MAIN | HTTPX | {"two==2"}),
        (Backend.UV, Selection(HERE, (), ("plot",)), MAIN | HTTPX | {"cycler==0.12.1"}),
        (
            Backend.UV,
            Selection({**HERE, "sys_platform": "win32"}, everything=True),
            MAIN | HTTPX | {"two==2", "cycler==0.12.1", "colorama==0.4.6"},
        ),
        (Backend.POETRY, Selection(HERE), MAIN | INNER),
        (Backend.POETRY, Selection(HERE, ("test",)), MAIN | INNER | {"colorama==0.4.6"}),
        (Backend.POETRY, Selection(HERE, (), ("plot",)), MAIN | INNER | {"cycler==0.12.1"}),
        (
            Backend.POETRY,
            Selection(HERE, everything=True),
            MAIN | INNER | {"cycler==0.12.1", "colorama==0.4.6"},
        ),
        (Backend.PDM, Selection(HERE), MAIN),
        (Backend.PDM, Selection(HERE, ("test",), ("plot",)), MAIN | {"two==2", "cycler==0.12.1"}),
        (Backend.PDM, Selection(HERE, everything=True), MAIN | {"two==2", "cycler==0.12.1"}),
        (Backend.PIP, Selection(HERE), MAIN),
    ],
)
def test_what_is_for_this_environment(
    backend: Backend, selection: Selection, expected: Set[str]
) -> None:
    assert names(backend, selection) == expected


@pytest.mark.parametrize("backend", list(TEXTS))
def test_what_is_from_no_index_is_told(backend: Backend) -> None:
    origin = {Backend.UV: "directory", Backend.PIP: "directory"}.get(backend, "git")
    _, skipped = parse_locked(TEXTS[backend], "lock", backend, Selection(HERE))
    assert skipped == (Skipped("local", f"comes from {origin}, which is no index"),)


SDIST = "rich-15.0.0.tar.gz"
AT = "https://files.example.org"


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (
            Backend.UV,
            (
                # A path of this machine is none that leads anywhere else.
                File("rich-15.0.0-py2-none-any.whl", "sha256:cc"),
                File(
                    "rich-15.0.0-py3-none-any.whl",
                    "sha256:bb",
                    f"{AT}/rich-15.0.0-py3-none-any.whl",
                ),
                File(SDIST, "sha256:aa", f"{AT}/{SDIST}", 9),
            ),
        ),
        (Backend.POETRY, (File(SDIST, "sha256:aa"),)),
        (Backend.PDM, (File(SDIST, "sha256:aa"),)),
        (Backend.PIP, (File(SDIST, "sha256:aa", f"{AT}/{SDIST}", 9),)),
    ],
)
def test_files(backend: Backend, expected: Tuple[File, ...]) -> None:
    found, _ = parse_locked(TEXTS[backend], "lock", backend, Selection(HERE))
    assert next(one.files for one in found if one.name == "rich") == expected


def test_an_index_without_who_logs_in() -> None:
    found, _ = parse_locked(UV, "uv.lock", Backend.UV, Selection(HERE))
    assert found[0] == Locked("h2", "4.4.1", "https://example.org/simple")


@pytest.mark.parametrize(
    ("backend", "text", "selection", "message"),
    [
        (Backend.UV, UV, Selection(HERE, ("docs",)), "lock: has no group 'docs'"),
        (Backend.UV, UV, Selection(HERE, (), ("x",)), "lock: has no extra 'x'"),
        (Backend.POETRY, POETRY, Selection(HERE, ("docs",)), "lock: has no group 'docs'"),
        (Backend.PDM, PDM, Selection(HERE, (), ("x",)), "lock: has no extra 'x'"),
        (Backend.UV, "version = 1\n", Selection(HERE), "lock: is no lock (KeyError('package'))"),
        (Backend.UV, UV.replace('"."', '"x"'), Selection(HERE), "has no entry for the project"),
        (Backend.UV, UV.replace('name = "rich"\nv', 'name = "x"\nv'), Selection(HERE), "'rich'"),
        (Backend.PDM, PDM.replace("15.0.0", "no", 1), Selection(HERE), "lock: is no lock"),
        (Backend.PDM, PDM.replace('"rich"', '"a\\nb"', 1), Selection(HERE), "lock: is no lock"),
        (Backend.PDM, 'package = ["x"]\n', Selection(HERE), "lock: is no lock"),
        (Backend.PIP, "packages = 1\n", Selection(HERE), "lock: is no lock"),
    ],
)
def test_what_is_refused(backend: Backend, text: str, selection: Selection, message: str) -> None:
    with pytest.raises(PyvariumError) as error:
        parse_locked(text, "lock", backend, selection)
    assert message in str(error.value)


@pytest.mark.parametrize("digest", ["sha256:AA", "aa", "sha256:aa --hash=b", "sha256:a\\na"])
def test_what_is_no_hash_is_left_out(digest: str) -> None:
    text = PDM.replace("sha256:aa", digest)
    found, _ = parse_locked(text, "pdm.lock", Backend.PDM, Selection(HERE))
    files: Dict[str, Tuple[File, ...]] = {one.name: one.files for one in found}
    assert files["rich"] == ()
