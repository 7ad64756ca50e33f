# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import base64
import csv
import email
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from pyvarium.model import Mode, Provided, Skipped
from pyvarium.shims import (
    WHEEL_NAME,
    Script,
    Shim,
    Source,
    parse_console_scripts,
    render,
    render_installed,
    render_script,
    render_shebang,
    render_wheel,
)

METADATA = "Metadata-Version: 2.1\nName: A.b\nVersion: 1.0\n"
PYTHON = Path("/env/.venv/bin/python")


def source(
    metadata: str = METADATA,
    *,
    name: str = "a-b",
    version: str = "1.0",
    dag_hash: str = "abcdefghijklmnop",
    entry_points: str = "",
    requires: str = "",
    scripts: Sequence[Script] = (),
) -> Source:
    path = Path("/view/lib/python3.11/site-packages/a_b-1.0.dist-info")
    provided = Provided(name, version, f"py-{name}@{version}", dag_hash, True, path)
    return Source(
        provided,
        metadata.encode("utf-8", "surrogateescape"),
        entry_points.encode("utf-8", "surrogateescape"),
        requires.encode(),
        tuple(scripts),
    )


LINES = "/view/lib\n/view/lib64\n"


def shim_of(one: Source, versions: Optional[Mapping[str, str]] = None) -> Shim:
    return render(one, versions or {}, LINES)[0]


def metadata_of(one: Source) -> str:
    return shim_of(one).files["METADATA"].decode()


def is_recorded(files: Mapping[str, bytes], record: str) -> bool:
    """Whether a RECORD names every file, itself included, with its hash and its size."""
    rows = csv.reader(io.StringIO(files[record].decode()))
    expected = {record: ("", "")}
    for name, data in files.items():
        if name != record:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            expected[name] = (f"sha256={digest}", str(len(data)))
    return {name: (digest, size) for name, digest, size in rows} == expected


def unpacked(wheel: bytes) -> Dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheel() -> None:
    one = source(
        entry_points="[console_scripts]\nrun = a.b:main\n",
        scripts=[Script("tool.py", b"print(1)\n")],
    )
    shim, widened = render(one, {}, LINES)
    wheel = render_wheel(shim)
    files = unpacked(wheel)
    assert widened == ()
    assert is_recorded(files, "a_b-1.0.dist-info/RECORD")
    assert sorted(files) == [
        "_spack_a_b-1.0.pth",
        "a_b-1.0.data/scripts/tool.py",
        "a_b-1.0.dist-info/METADATA",
        "a_b-1.0.dist-info/RECORD",
        "a_b-1.0.dist-info/WHEEL",
        "a_b-1.0.dist-info/entry_points.txt",
    ]
    assert files["_spack_a_b-1.0.pth"].decode() == LINES
    assert files["a_b-1.0.data/scripts/tool.py"] == b"#!python\nprint(1)\n"
    assert email.message_from_bytes(files["a_b-1.0.dist-info/WHEEL"]).items() == [
        ("Wheel-Version", "1.0"),
        ("Generator", "spack-pyvarium 1"),
        ("Root-Is-Purelib", "true"),
        ("Tag", "py3-none-any"),
        ("Build", shim.build),
    ]
    assert render_wheel(shim_of(one)) == wheel


def test_the_name_of_a_wheel_follows_what_is_in_it() -> None:
    """uv takes a wheel of the same name for the same wheel."""
    others = [
        source(),
        source(dag_hash="other-hash"),
        source(METADATA + "Summary: other\n"),
        source(entry_points="[x]\ny = z\n"),
        source(scripts=[Script("x", b"")]),
        source(scripts=[Script("x", b"y")]),
        source(version="1.1"),
    ]
    names = [shim_of(one).wheel for one in others]
    names.append(render(source(), {}, "../view\n")[0].wheel)
    assert len(set(names)) == len(names)
    assert names[0] == shim_of(source(METADATA + "\nA description.\n")).wheel


@pytest.mark.parametrize(
    ("metadata", "after"),
    [
        (METADATA, METADATA),
        ("Name: A.b\nVersion: 1.0\n", METADATA),
        (METADATA.replace("2.1", "1.2"), METADATA),
        (METADATA.replace("2.1", "2.4"), METADATA.replace("2.1", "2.4")),
        (METADATA.replace("1.0", "01.0"), METADATA),
        (METADATA.replace("\n", "\r\n") + "\r\nText\r\n", METADATA),
        (METADATA + "Requires-Python: <3\nLicense-File: x\nDescription: x\n  y\n", METADATA),
        (METADATA + "Summary: x\n  y\n", METADATA + "Summary: x\n  y\n"),
        (METADATA + "Author: \udce9\n", METADATA + "Author: \ufffd\n"),
        (METADATA + "no header\nno header: x\n: x\n", METADATA),
        ("Name : other\n" + METADATA, METADATA),
        (METADATA + "Requires-Dist: c>=1\n", METADATA + "Requires-Dist: c>=1\n"),
    ],
    ids=["as-is", "no-format", "old", "new", "version", "crlf", "dropped", "folded", "latin"]
    + ["no-headers", "two-names", "requirement"],
)
def test_metadata(metadata: str, after: str) -> None:
    assert metadata_of(source(metadata)) == after


REQUIRES = "c>=1\n\n[dev]\nd\n\n[:python_version < '3']\ne\n\n[dev:os_name == 'x']\nf\n"


def test_requirements_of_an_egg_info() -> None:
    assert metadata_of(source(requires=REQUIRES)) == METADATA + (
        "Requires-Dist: c>=1\n"
        "Provides-Extra: dev\n"
        'Requires-Dist: d ; extra == "dev"\n'
        "Requires-Dist: e ; (python_version < '3')\n"
        "Provides-Extra: dev\n"
        "Requires-Dist: f ; (os_name == 'x') and extra == \"dev\"\n"
    )
    both = METADATA + "Requires-Dist: c>=1\n"
    assert metadata_of(source(both, requires=REQUIRES)) == both


@pytest.mark.parametrize(
    ("requirement", "after", "reason"),
    [
        ("c>=2", "c>=2", None),
        ("C>=3", "C", "requires 'C>=3', but Spack provides C 2.5; taken as it is"),
        ("c[x]<2", "c[x]", "requires 'c[x]<2', but Spack provides c 2.5; taken as it is"),
        ("c (<2)", "c", "requires 'c (<2)', but Spack provides c 2.5; taken as it is"),
        ("c<2; extra == 'x'", 'c; extra == "x"', None),
        ("c<2; python_version < '1'", 'c; python_version < "1"', None),
        ("c>=2.5rc1", "c>=2.5rc1", None),
        (
            "c @ file:///spack/stage/c.whl",
            "c",
            "requires 'c @ file:///spack/stage/c.whl', but Spack provides c 2.5; taken as it is",
        ),
        (
            "d @ file:///x",
            None,
            "requires 'd @ file:///x', a file of the machine it was built on; left out",
        ),
        ("d>=3", "d>=3", None),
        ("c>dev", None, "requires 'c>dev', which is no requirement; left out"),
        ("???", None, "requires '???', which is no requirement; left out"),
        (
            "c<2; os_name ~= 'x'",
            'c; os_name ~= "x"',
            "requires 'c<2; os_name ~= 'x'', but Spack provides c 2.5; taken as it is",
        ),
        (
            "c<2; 'x' in extras",
            'c; "x" in extras',
            "requires 'c<2; 'x' in extras', but Spack provides c 2.5; taken as it is",
        ),
    ],
)
def test_requirements(requirement: str, after: Optional[str], reason: Optional[str]) -> None:
    shim, widened = render(
        source(f"{METADATA}Requires-Dist: {requirement}\n"), {"c": "2.5"}, LINES
    )
    lines = [] if after is None else [f"Requires-Dist: {after}"]
    assert shim.files["METADATA"].decode().splitlines()[3:] == lines
    assert widened == ((Skipped("a-b", reason),) if reason else ())


@pytest.mark.parametrize(
    ("entry_points", "scripts"),
    [
        ("[console_scripts]\nrun = a.b:c.d\n", {"run": "a.b:c.d"}),
        ("[gui_scripts]\n run=a:b\n[other]\nx = a:b\n", {"run": "a:b"}),
        (
            "[console_scripts]\nrun = a : b [x, y]\nf++-3.1 = a:b\n",
            {"run": "a:b", "f++-3.1": "a:b"},
        ),
        ("[console_scripts]\n# run = a:b\n\nrun = a\nrun\na b = a:b\nx = a:b c\n", {}),
        ("[console_scripts]\n../x = a:b\n.. = a:b\n. = a:b\na/b = a:b\n/x = a:b\n", {}),
        (
            "[console_scripts]\npython = a:b\nPython3.11 = a:b\nactivate = a:b\nactivate.fish=a:b",
            {},
        ),
        (
            "[console_scripts]\npythonic = a:b\npip3.11 = a:b\n",
            {"pythonic": "a:b", "pip3.11": "a:b"},
        ),
        ("[console_scripts]\n\udce9 = a:b\nrun = a:b;import os\n", {}),
    ],
)
def test_console_scripts(entry_points: str, scripts: Mapping[str, str]) -> None:
    one = source(entry_points=entry_points)
    assert parse_console_scripts(one.entry_points) == scripts


def test_a_wheel_brings_no_script_that_would_do_harm() -> None:
    """Neither by us, nor by an installer that installs it."""
    text = "[x]\npython = a:b\n[console_scripts]\npython = a:b\nrun = a:b\n../x = a:b\n# end\n"
    shim = shim_of(source(entry_points=text))
    assert shim.files["entry_points.txt"] == (
        b"[x]\npython = a:b\n[console_scripts]\nrun = a:b\n# end\n"
    )


def test_an_installation() -> None:
    one = source(
        entry_points="[console_scripts]\nrun = a.b:main.sub\n", scripts=[Script("tool", b"pass\n")]
    )
    shim = shim_of(one)
    files = render_installed(shim, Mode.BOUND, PYTHON, None)
    info = "a_b-1.0.dist-info"
    assert is_recorded(files, f"{info}/RECORD")
    assert sorted(files) == [
        "../../../bin/run",
        "../../../bin/tool",
        f"{info}/INSTALLER",
        f"{info}/METADATA",
        f"{info}/RECORD",
        f"{info}/WHEEL",
        f"{info}/entry_points.txt",
    ]
    assert files["../../../bin/tool"] == b"#!/env/.venv/bin/python\npass\n"
    assert files["../../../bin/run"] == (
        b"#!/env/.venv/bin/python\nimport sys\n\nfrom a.b import main\n\n"
        b'if __name__ == "__main__":\n    sys.exit(main.sub())\n'
    )
    portable = render_installed(shim, Mode.PORTABLE, PYTHON, b"{}")
    assert portable.keys() == files.keys() - {f"{info}/RECORD"}
    of_poetry = render_installed(shim, Mode.BOUND, PYTHON, b"{}")
    assert of_poetry[f"{info}/direct_url.json"] == b"{}"
    assert is_recorded(of_poetry, f"{info}/RECORD")


@pytest.mark.parametrize(
    "folder",
    ["plain", "a b", "it's", 'a"b', "$HOME", "`x`", "a\tb", "é", "n" * 150, "a\\tb", "x'''y"],
    ids=["plain", "blank", "quote", "quotes", "dollar", "ticks", "tab", "utf-8", "long"]
    + ["backslash", "three-quotes"],
)
def test_a_script_finds_its_python(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    python = tmp_path / folder / "python"
    python.symlink_to(sys.executable)
    script = tmp_path / "script"
    script.write_bytes(render_shebang(python) + b"import sys\nprint(sys.argv[1:])\n")
    script.chmod(0o755)
    done = subprocess.run([script, "a b", "$x"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("['a b', '$x']\n", "")
    assert b"\0" not in render_script(python, "a:b")


# Whatever a distribution says of itself, its shim is a wheel that installers can read.

LINE = st.one_of(
    st.sampled_from(
        ["Requires-Dist: c<2", "Requires-Dist: d>=1; extra == 'x'", "Provides-Extra: x"]
        + ["Summary: x\n  y", "no header", "Classifier: A :: B", "Requires-Python: >=3"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8),
)
VERSION = st.sampled_from(["1.0", "1!2.0", "1.0+local.1", "1.0.dev0", "2.0rc1.post1"])


@given(
    st.sampled_from(["a", "a-b", "a1-b2-c3"]),
    VERSION,
    st.lists(LINE, max_size=4),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.lists(st.builds(Script, st.sampled_from(["x", "y-z.py", "f+"]), st.binary(max_size=9))),
)
def test_every_shim_is_a_wheel(
    name: str, version: str, lines: List[str], entry_points: str, scripts: List[Script]
) -> None:
    text = "\n".join([f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *lines])
    one = source(text, name=name, version=version, entry_points=entry_points, scripts=scripts)
    shim = shim_of(one, {"c": "3"})
    wheel = render_wheel(shim)
    assert render_wheel(shim_of(one, {"c": "3"})) == wheel
    assert parse_wheel_filename(shim.wheel)[:2] == (name, Version(version))
    assert WHEEL_NAME.fullmatch(shim.wheel)
    files = unpacked(wheel)
    assert is_recorded(files, f"{shim.dist_info}/RECORD")
    read = Metadata.from_email(files[f"{shim.dist_info}/METADATA"], validate=False)
    assert (read.name, read.version) == (name, Version(version))
    installed = render_installed(shim, Mode.BOUND, PYTHON, None)
    assert is_recorded(installed, f"{shim.dist_info}/RECORD")
    assert {path.rpartition("/")[0] for path in installed} <= {shim.dist_info, "../../../bin"}


def test_the_build_tag_shows_the_hash() -> None:
    build = parse_wheel_filename(shim_of(source()).wheel)[2]
    assert build and (build[0], build[1][:9]) == (0, "_abcdefg_")
