# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What is read from others, as functions of bytes that must not fail whatever the bytes are.

A target may refuse its input by a PyvariumError; anything else that it raises is a fault of ours.
Each also asserts what has to hold of an answer: that nothing of the input becomes code, or a path
outside its place. They need no fuzzer: ``tests/core/test_fuzzed.py`` runs them on a few inputs.
"""

from __future__ import annotations

import ast
import gzip
import io
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Callable, Dict, List, Mapping

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from made_packs import Member, directory, link, made
from pyvarium import (
    activation,
    archives,
    classic,
    conda,
    configuration,
    core_metadata,
    datasets,
    declared,
    gathering,
    imports,
    index,
    kernel,
    layer,
    locked,
    lockfile,
    locks,
    modulefile,
    notebook,
    packs,
    pins,
    pyproject,
    recipe_text,
    relocation,
    requirements,
    sdists,
    setup_script,
    shims,
    sources,
    specification,
    toml_text,
    translation,
    unpacking,
    versions,
)
from pyvarium.distributions import read_distribution
from pyvarium.errors import PyvariumError
from pyvarium.imports import UnparsableError
from pyvarium.model import Backend, Distribution, Mode, Pin, Provided
from pyvarium.releases import File, Project, Release

Target = Callable[[bytes], None]
TARGETS: Dict[str, Target] = {}

#: Inputs to start from, by target: what is right, and what has been wrong.
SEEDS: Dict[str, List[bytes]] = {}


def target(*seeds: bytes) -> Callable[[Target], Target]:
    def register(function: Target) -> Target:
        TARGETS[function.__name__] = function
        SEEDS[function.__name__] = list(seeds)
        return function

    return register


def run(name: str, data: bytes) -> bool:
    """Run a target; whether it took the input."""
    try:
        TARGETS[name](data)
    except PyvariumError as error:
        message = str(error)
        assert message and "\n" not in message, f"a message of more than one line: {message!r}"
        return False
    return True


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def parts_of(data: bytes, count: int) -> List[bytes]:
    """So many inputs of one, separated by a line that says so."""
    parts = data.split(b"\n%%\n", count - 1)
    return parts + [b""] * (count - len(parts))


@target(
    b"[project]\nname = 'a'\n[tool.uv]\nindex = [{name = 'x'}]\n",
    b"[dependency-groups]\nspack = [\n  # one\n  'a==1', # two\n]\n[tool.pyvarium]\nmode='bound'",
    b'tool.pyvarium = {auto-sync = false}\r\n[[a.b]]\nc = """x\ny"""\n',
)
def toml(data: bytes) -> None:
    """A project's file: what is not ours stays, and what is written is what was meant."""
    text = text_of(data)
    before = toml_text.parse(text, "file")
    old = pyproject.owned(text, "file")
    wanted = (Pin("a", "1"), Pin("b-c", "2.0"))
    after = pyproject.with_pins(text, old, wanted, "sha256:0", "file")
    parsed = toml_text.parse(after, "file")
    assert parsed["dependency-groups"]["spack"] == ["a==1", "b-c==2.0"]
    assert _others(before) == _others(parsed)
    new = pyproject.owned(after, "file")
    assert pyproject.with_pins(after, new, wanted, "sha256:0", "file") == after


def _others(data: Mapping[str, object]) -> object:
    """All but our keys; the text of it, since a NaN is not equal to itself."""
    groups, tool = (data.get(key, {}) for key in ("dependency-groups", "tool"))
    assert isinstance(groups, dict) and isinstance(tool, dict)
    return repr(
        (
            {key: one for key, one in data.items() if key not in ("dependency-groups", "tool")},
            {key: one for key, one in groups.items() if key != "spack"},
            {key: one for key, one in tool.items() if key != "pyvarium"},
        )
    )


LOCKFILE = (
    b'{"_meta": {"file-type": "spack-lockfile", "lockfile-version": 6}, "roots": [{"hash": "a",'
    b' "spec": "x"}], "concrete_specs": {"a": {"name": "x", "version": "1", "hash": "a",'
    b' "external": {"path": "/usr"}, "dependencies": [{"name": "y", "hash": "a", "parameters":'
    b' {"deptypes": ["link"], "virtuals": []}}]}}}'
)


@target(LOCKFILE, LOCKFILE.replace(b'"roots"', b'"include_concrete": {"/x": {}}, "roots"'))
def spack_lock(data: bytes) -> None:
    found = lockfile.parse_lockfile(text_of(data))
    assert found.runtime() <= found.nodes.keys()


@target(
    b'[[package]]\nname = "a"\nversion = "1"\nsource = { url = "a-1-0_aaaaaaa_00000000-py3-none'
    b'-any.whl" }\n[metadata]\ngroups = ["default"]\n'
)
def backend_lock(data: bytes) -> None:
    locks.parse_lock(text_of(data), "lock").stale_shims(())


@target(
    b'[[package]]\nname = "a"\nversion = "1"\nsource = { editable = "." }\ndependencies = [{'
    b' name = "b", marker = "os_name == \'x\'" }]\n[[package]]\nname = "b"\nversion = "2"\n'
    b'source = { registry = "https://x.org/simple" }\nwheels = [{ url = "https://x.org/b-2-py3-none-any.whl",'
    b' hash = "sha256:00" }]\n',
    b'[[package]]\nname = "a"\nversion = "1"\ngroups = ["main"]\nfiles = [{ file = "a.whl", hash ='
    b' "sha256:00" }]\n[metadata]\nlock-version = "2.1"\n',
    b"lock-version = '1.0'\n[[packages]]\nname = 'a'\nversion = '1'\nmarker = 'x'\n",
)
def exported_lock(data: bytes) -> None:
    """A lock that is exported: what is in it is a name, a version and digests."""
    chosen = locked.Selection({"os_name": "posix", "python_version": "3.11"})
    for backend in Backend:
        try:
            found, _ = locked.parse_locked(text_of(data), "lock", backend, chosen)
        except PyvariumError:
            continue
        for one in found:
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.name), one
            assert one.version == str(Version(one.version)), one


METADATA = (
    b"Metadata-Version: 2.1\nName: A.b\nVersion: 1.0\nSummary: x\n y\nRequires-Dist: c>=1; extra"
    b" == 'x'\nRequires-Dist: d @ file:///tmp/d\nProvides-Extra: x\nRequires-Python: >=3.8\n"
    b"Project-URL: Homepage, https://x.org\nLicense: MIT\nClassifier: x\n\nDescription: y\n"
)


@target(
    METADATA
    + b"\n%%\n[console_scripts]\nrun = a.b:main\n../x = a:b\n[gui_scripts]\np = q:r [extra]\n"
    + b"\n%%\n[x:python_version<'3']\nb>=2\n\n%%\n../../../bin/run,,\n../../../bin/../x,,\na.py,,",
    METADATA + b"\n%%\n[console_scripts]\npython = a:b\nactivate = a:b\n; x\n# y\n",
)
def shim(data: bytes) -> None:
    """The metadata of what is provided: each path of a shim stays in its place."""
    metadata, entry_points, requires, record = parts_of(data, 4)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x-1.dist-info")
        path.mkdir()
        (path / "METADATA").write_bytes(metadata)
        found = read_distribution(path)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found.name), found.name
    assert found.version == str(Version(found.version))
    one = Provided(found.name, found.version, "py-x@1", "a" * 32, True, found.path)
    scripts = tuple(
        shims.Script(name, b"pass\n")
        for name in layer.recorded_scripts(record)
        if shims.is_script_name(name)
    )
    source = shims.Source(one, metadata, entry_points, requires, scripts)
    rendered, _ = shims.render(source, {found.name: found.version, "c": "2"}, "../x\n")
    with zipfile.ZipFile(io.BytesIO(shims.render_wheel(rendered))) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            assert name == os.path.normpath(name) and not name.startswith(("/", "..")), name
    for mode in Mode:
        installed = shims.render_installed(rendered, mode, Path("/v/bin/python"), b"{}")
        for name, content in installed.items():
            real = os.path.normpath(f"/v/lib/python3/site-packages/{name}")
            folder = (
                "/v/bin"
                if name.startswith("../")
                else f"/v/lib/python3/site-packages/{rendered.dist_info}"
            )
            assert os.path.dirname(real) == folder, name
            if name.startswith("../"):
                assert not re.fullmatch(
                    r"python[\d.]*|activate(_this)?(\..*)?", os.path.basename(real)
                )
                ast.parse(content)
    headers = rendered.files["METADATA"].decode()
    for line in headers.splitlines():
        if line.startswith("Requires-Dist: "):
            assert " @ file:" not in line or "\n" in headers


@target(METADATA)
def metadata(data: bytes) -> None:
    """What an index says of a release."""
    core_metadata.parse_metadata(data, "a-b", Version("1.0"))


@target(
    b"text/html\n%%\n<a href='a_b-1.0-py3-none-any.whl#sha256=00' data-requires-python='&gt;=3'"
    b" data-yanked='x' data-dist-info-metadata='true'>a_b-1.0-py3-none-any.whl</a>"
    b"<base href='//y/'><a href='a-b-1.0-1.tar.gz'>a-b-1.0-1.tar.gz</a>",
    b'application/json\n%%\n{"meta": {"api-version": "1.0"}, "files": [{"filename":'
    b' "a_b-1.0.tar.gz", "url": "../x", "hashes": {"sha256": "00"}, "yanked": true,'
    b' "requires-python": ">=3", "core-metadata": {}}]}',
)
def page(data: bytes) -> None:
    """The page of an index: no name of a file is a path, no URL has a user in it."""
    kind, body = parts_of(data, 2)
    found = index.parse_page(body, text_of(kind), "https://x.org/simple/a-b/", "a-b")
    for file in found.files:
        assert os.path.basename(file.name) == file.name and file.name[:1] not in (".", "-")
        assert file.url.startswith(("http://", "https://")) and "@" not in file.url.split("/")[2]
        assert file.url.isprintable() and " " not in file.url
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
    for problem in found.problems:
        assert "\n" not in problem


@target(b"a_b-1.0-py3-none-any.whl", b"a-b-1.0-1.tar.gz", b"A.B-1!2+x.zip")
def file_name(data: bytes) -> None:
    name = text_of(data)
    for split in (index.split_sdist_name, index._split_wheel_name):
        try:
            label, version = split(name, "a-b")
        except ValueError:
            continue
        assert label in name and version == Version(label)


def _archived(suffix: str) -> bytes:
    from fake_index import bzipped, tar, zipped

    files = {
        "PKG-INFO": METADATA.decode(),
        "pyproject.toml": "[build-system]\nrequires=['x']\n",
        "setup.py": "from setuptools import *\nsetup(setup_requires=['x'])",
        "x.egg-info/requires.txt": "[x]\ny",
    }
    made = {".tar.gz": tar, ".tar.bz2": bzipped, ".zip": zipped}[suffix](files)
    return suffix.encode() + b"\n%%\n" + made


@target(*map(_archived, (".tar.gz", ".tar.bz2", ".zip")))
def archive(data: bytes) -> None:
    """An sdist: read in memory, and unpacked into a directory, out of which nothing gets."""
    suffix, content = parts_of(data, 2)
    name = f"a-1{text_of(suffix) if suffix in (b'.tar.bz2', b'.zip') else '.tar.gz'}"
    with tempfile.TemporaryDirectory() as directory:
        inner = Path(directory, "outer", "inner")
        inner.mkdir(parents=True)
        try:
            top = unpacking.unpack(io.BytesIO(content), name, inner)
            assert top.parent == inner
        except PyvariumError:
            pass
        _all_inside(inner)
    sdists.describe(archives.read_archive(io.BytesIO(content), name, sdists.wanted))


def _tar(*members: Member) -> bytes:
    return b"".join(
        part
        for one in members
        for part in (one.tarinfo().tobuf(), one.data, bytes(-len(one.data) % 512))
    )


_ENTRY = Member("bin/run_in_env", b"#!/bin/sh\n", mode=0o755)
_PACK = made(_ENTRY, Member("data/a", b"A"), link("data/b", "a"), directory("lower"))


def _with_checksums(data: bytes) -> bytes:
    """A tar file as it is but for the checksums of its headers, which no chance finds."""
    found = bytearray(data)
    at = 0
    while at + 512 <= len(found):
        header = found[at : at + 512]
        header[148:156] = b" " * 8
        if header.strip(b"\0 "):
            found[at + 148 : at + 156] = b"%06o\0 " % sum(header)
        digits = bytes(header[124:135]).strip(b" \0")
        size = int(digits, 8) if re.fullmatch(rb"[0-7]{1,11}", digits) else 0
        at += 512 + size + -size % 512
    return bytes(found)


def _all_inside(top: Path) -> None:
    """All that was unpacked is files, directories and links that lead to what is below it."""
    outer = top.parent
    assert os.listdir(outer) == [top.name] and os.listdir(outer.parent) == [outer.name]
    for one in top.rglob("*"):
        assert Path(os.path.realpath(one)).is_relative_to(os.path.realpath(top)), one
        mode = one.lstat().st_mode
        assert stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode), one
        assert not mode & (stat.S_ISUID | stat.S_ISGID), one


@target(
    _PACK.tar(),
    _PACK.hostile(link("data/out", "/tmp"), Member("data/out/x", b"x")).tar(),
    _PACK.hostile(Member("../../x", b"x", headers={"path": "../x"})).tar(),
    made(_ENTRY, link("a", "b/.."), link("b", "a/../..")).tar(),
    _PACK.hostile(Member("data/x", kind=tarfile.LNKTYPE, target="bin/run_in_env")).tar(),
    b"gzip\n%%\n\x1f\x8b",
)
def pack(data: bytes) -> None:
    """A pack of anybody's: it is unpacked as its manifest says, or nothing of it is used."""
    kind, content = parts_of(data, 2)
    file = content if kind == b"gzip" else gzip.compress(_with_checksums(data), 0)
    with tempfile.TemporaryDirectory() as directory:
        inner = Path(directory, "outer", "inner")
        inner.mkdir(parents=True)
        with tempfile.NamedTemporaryFile(suffix=".tar.gz") as source:
            source.write(file)
            source.flush()
            found = None
            try:
                found = packs.unpack(Path(source.name), inner)
            finally:
                _all_inside(inner)
        assert found is not None
        there = {str(one.relative_to(inner)) for one in inner.rglob("*")}
        assert {*found.entries, packs.ID, packs.MANIFEST} <= there, there


@target(_PACK.manifest_bytes, b'{"format": 1, "architecture": "x", "files": {"a": ["l", "b"]}}')
def manifest(data: bytes) -> None:
    """What a pack says of itself: no name of it leads out of where it is unpacked."""
    for name in packs.parse_manifest(data).entries:
        assert name == os.path.normpath(name) and not name.startswith(("/", "../")), name
        assert name.isprintable() or not re.search(r"[\0-\x1f\x7f]", name), name


@target(
    _tar(Member("a/b", b"x"), link("a/c", "../a/b"), Member("a/d", kind=b"1", target="a/b")),
    _tar(link("a", "/tmp"), Member("a/x", b"x"), link("b/c", "../../x")),
    _tar(Member("/".join(["a"] * 40), headers={"path": "a/" * 1500 + "b"})),
)
def data_set(data: bytes) -> None:
    """An archive of data that a specification names, unpacked below a directory."""
    with tempfile.TemporaryDirectory() as directory:
        inner = Path(directory, "outer", "inner")
        inner.parent.mkdir()
        asked = specification.Download("A", "https://x.org/a", "tar")
        with tempfile.NamedTemporaryFile() as source:
            source.write(_with_checksums(data))
            source.flush()
            try:
                datasets._unpack(asked, Path(source.name), inner, 1 << 20)
            finally:
                if inner.exists():
                    _all_inside(inner)


@target(
    b'{"conda": {"channels": ["x"], "dependencies": ["python=3.11.7=h_0", {"pip": ["a==8"]}]}}',
    b'{"conda": {"packages": ["numpy=1"]}, "pip": ["a>=1"], "git": {"D": {"remote":'
    b' "https://x.org/a.git", "ref": "v1"}}, "http": {"M": {"type": "file", "url": "https://x.org/m",'
    b' "compression": "gzip", "sha256": "0"}}, "spack": ["py-numpy@1:"]}',
    b'{"git": {"D": {"remote": "ext::sh -c id", "ref": "--upload-pack=id", "commit": "0"}}}',
    b'{"conda": ["a"], "pinned": {"conda": {"a": "1"}}, "pip": ["-r x", "b @ file:///b"]}',
)
def poncho(data: bytes) -> None:
    """A specification of Poncho's: nothing of it is an option of git's, or a name of a path."""
    found = specification.parse_specification(text_of(data), "spec.json", _nothing)
    for name in found.variables:
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name != "PATH", name
    for repository in found.repositories:
        for value in (repository.remote, repository.ref, repository.commit):
            assert value is None or (not value.startswith("-") and value.isprintable()), value
        assert not re.match(r"[\w.+-]*::", repository.remote, re.ASCII), repository
    for download in found.downloads:
        assert download.url.startswith(("http:", "https:")) or ":" in download.url, download
        assert download.url.isprintable() and " " not in download.url, download
    for one in specification.parse_project(text_of(data), "spec.json", _nothing).requirements:
        Requirement(str(one))


def _wheel(*names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), METADATA)
    return written.getvalue()


@target(_wheel("a-1.dist-info/METADATA", "a/b.py", "a-1.data/purelib/c.py"), _wheel("a.py"))
def wheel(data: bytes) -> None:
    """A wheel of the index: its metadata, and names that can be imported."""
    _, names = gathering.read_wheel(io.BytesIO(data), "a-1-py3-none-any.whl")
    assert all(name.isidentifier() for name in names), names


@target(
    b"#!/store/a/bin/python3.11 -I\n# coding: utf-8\n'''x'''\nfrom __future__ import division\n",
    b"#!/bin/sh\n'''exec' /store/a/bin/python \"$0\" \"$@\"\n' '''\nimport x\n",
    b'{"argv": ["/store/a/bin/python", "-m", "x"]}',
    b'{"dir_info": {"editable": true}, "url": "file:///a%20b"}',
    b"prefix=/store/a\nlibs=-L/store/a/lib -I/store/a/include\n",
    b'a.py,sha256=x,1\n../../../bin/b,,\n"c,d",,\n',
    b"/store/a\nimport x\n# y\n../x\n",
)
def relocated(data: bytes) -> None:
    """A file that goes into a pack: what was Python is so still."""
    text = data.decode("utf-8", "surrogateescape")
    origins = relocation.Origins((("/store/a", "lower"),), lambda _: True)
    script = relocation.with_first_line("python/bin/x", data)
    if script is not None and _is_python(data):
        assert _is_python(script), script
    relocation.with_interpreter(data, origins)
    assert "/store/a/" not in re.findall(
        r"(?:^|(?<=[ =\n]))/store/a/",
        relocation.with_package_config("lib/pkgconfig/x.pc", text, origins),
    )
    relocation.with_cmake("lib/cmake/x.cmake", text, origins)
    relocation.with_build_variables(text, origins)
    relocation.with_kernel(data, origins)
    relocation.is_local_url(data)
    for line, is_path in relocation.path_lines(text):
        assert not is_path or os.path.realpath(f"/x/{line}")
    assert os.path.realpath(relocation.editable_directory(data) or "/")
    relocation.with_record("lib/x.dist-info/RECORD", data, {"lib/a.py": (1, "0" * 64)}, bool)


NESTED = b"[" * 5000


@target(
    b'{"url": "https://u:p@x.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "0"}}',
    b'{"metadata": {"spack-pyvarium": {"environment": "/x", "digest": "0"}}, "argv": ["/x/py"]}',
    b'{"metadata": {"spack-pyvarium": {"environment": "/", "digest": ""}}, "argv": ["\\u0000"]}',
    NESTED,
)
def venv_json(data: bytes) -> None:
    """What lies in a venv, or among the kernels, of anybody's."""
    with tempfile.TemporaryDirectory() as directory:
        for name in (layer.RECORD, "direct_url.json"):
            path = Path(directory, name)
            path.write_bytes(data)
        layer.Record(Path(directory)).known()
        classic._request(Distribution("a", "1", Path(directory)), [])
        kernel._parse(path, data)


def _is_python(data: bytes) -> bool:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(data, "x", "exec", ast.PyCF_ONLY_AST)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


@target(
    b"from setuptools import setup, Extension\nA = ['x']\nsetup(setup_requires=A + ['y'],"
    b" ext_modules=[Extension('a', sources=['a.c'])])\n",
    b"print 'of Python 2'\nsetup(setup_requires=['x'])\n",
)
def setup_py(data: bytes) -> None:
    setup_script.parse_script(text_of(data))


def _nothing(path: Path) -> str:
    raise sources.SourceError(f"{path}: does not exist; mend what names it")


@target(
    b"a>=1 \\\n --hash=sha256:00\n-e .\n-r other\n# x\nb @ https://x.org/b.whl ; extra == 'x'\n",
    b"a>=1 \\\n --hash=sha256:00\n-e .\n# x\nb @ https://x.org/b.whl ; extra == 'x'\n",
)
def requirements_txt(data: bytes) -> None:
    lines = text_of(data).splitlines()
    found = requirements.parse_lines(lines, Path("requirements.txt"), _nothing)
    for one in found.requirements:
        Requirement(str(one))


@target(
    b"name: x\nchannels: [defaults]\ndependencies:\n- python=3.11\n- numpy>=1.2=*_0\n"
    b"- pip:\n  - a==1\n"
)
def environment_yml(data: bytes) -> None:
    import json

    try:
        loaded = json.loads(data)
    except (ValueError, RecursionError):
        loaded = {"dependencies": text_of(data).splitlines()}
    if conda.is_environment(loaded):
        for one in conda.parse_environment(loaded, Path("environment.yml"), _nothing).requirements:
            Requirement(str(one))


@target(
    b"[[source]]\nurl='x'\n[packages]\na='*'\nb={version='>=1', extras=['x'], markers='x'}\n",
    b"[tool.poetry.dependencies]\npython='^3.9'\na={version='^1.2', optional=true}\nb=[{git='x'}]",
    b"[project]\ndependencies=['a']\n[dependency-groups]\nx=[{include-group='x'}]\n",
    b"[[packages]]\nname='a'\nversion='1'\nmarker='x'\n",
)
def project_files(data: bytes) -> None:
    loaded = toml_text.parse(text_of(data), "file")
    for parse in (declared.parse_pyproject, declared.parse_pipfile, declared.parse_pylock):
        try:
            found = parse(loaded, "file")
        except PyvariumError:
            continue
        for one in found.requirements:
            Requirement(str(one))


@target(
    b"import a.b as c\ntry:\n  from x import *\nexcept ImportError: pass\n", b"def f(): import a"
)
def python_source(data: bytes) -> None:
    """A script that is analyzed: reading only what can hold imports finds what all of it has."""
    try:
        whole = imports.parse(data, whole=True)
    except UnparsableError:
        whole = None
    try:
        part = imports.parse(data)
    except UnparsableError:
        assert whole is None
        return
    if whole is not None:
        assert _imported(part) == _imported(whole)


def _imported(tree: ast.AST) -> List[str]:
    kinds = (ast.Import, ast.ImportFrom)
    return sorted(ast.dump(one) for one in ast.walk(tree) if isinstance(one, kinds))


@target(
    b'{"nbformat": 4, "metadata": {"language_info": {"name": "python"}}, "cells": [{"cell_type":'
    b' "code", "source": ["%pip install a\\n", "import b"]}]}'
)
def ipynb(data: bytes) -> None:
    try:
        notebook.parse_notebook(data)
    except UnparsableError as error:
        assert "\n" not in str(error)


@target(b">=1.0,<2", b"==1.*,!=1.2.3", b"~=1.4.2", b"===x", b"<1!0", b">1.5.post1")
def specifier(data: bytes) -> None:
    """A range becomes text that stands in a string of a recipe."""
    try:
        parsed = SpecifierSet(text_of(data))
    except InvalidSpecifier:
        return
    labels = ("1.0", "1.2.3", "2.0", "main")
    for text in (
        versions.constraint(parsed, labels).text,
        translation.version_range(parsed, None),
    ):
        assert text is None or re.fullmatch(r"[\w.:,=+-]*", text), text


@target(b"a==1", b" A.b == 1.0.0+x")
def pin(data: bytes) -> None:
    try:
        found = pins.parse_pin(text_of(data))
    except ValueError:
        return
    assert pins.parse_pin(str(found)) == found


@target(
    METADATA + b"\n%%\nhttps://x.org/a_b-1.0.tar.gz\n%%\n[build-system]\nrequires = ['x>=1']\n",
    METADATA.replace(b"x\n y", b"x\"\"\"\\'''").replace(b"MIT", b"'+exit()+'")
    + b"\n%%\nhttps://x/'",
)
def recipe(data: bytes) -> None:
    """What an index says becomes a recipe, which Spack runs: nothing of it is code there."""
    metadata, url, build = parts_of(data, 3)
    version = Version("1.0")
    found = core_metadata.parse_metadata(metadata, "a-b", version)
    names = {"pyproject.toml": text_of(build)}
    sdist = sdists.describe(archives.Archive(tuple(names), names))
    try:
        address = index._download_url(text_of(url), "https://x.org/simple/a-b/")
    except ValueError:
        address = "https://x.org/a_b-1.0.tar.gz"
    release = Release(
        version,
        File("a_b-1.0.tar.gz", address, version, "1.0", "0" * 64),
        found.requires,
        found.requires_python,
        found.extras,
        found.license,
        found.summary,
        found.homepage,
        build=sdist.build,
        problems=(*found.problems, *sdist.problems),
    )
    project = Project("a-b", (release,))
    rendered = recipe_text.render(translation.describe(project, found.extras))
    tree = ast.parse(rendered)
    calls = {one.func for one in ast.walk(tree) if isinstance(one, ast.Call)}
    assert all(isinstance(one, ast.Name) and one.id in _DIRECTIVES for one in calls), rendered
    kinds = {type(one) for one in ast.walk(tree) if isinstance(one, ast.stmt)}
    allowed = {ast.Expr, ast.ImportFrom, ast.ClassDef, ast.Assign, ast.With, ast.Pass}
    assert kinds <= allowed, rendered


_DIRECTIVES = frozenset("version depends_on variant license when conflicts default_args".split())


@target(b"/home/a b/c'd", b"/x/$(id)`id`!x*", b"/x\n/y")
def shell(data: bytes) -> None:
    """A path in a script that is sourced: it ends where its quotes do."""
    import shlex

    text = os.fsdecode(data)
    if "\0" in text or not text.startswith("/"):
        return
    path = Path(text)
    line = activation.render_source(activation.Shell.SH, path)
    assert shlex.split(line) == [".", str(path)]
    for kind in activation.Shell:
        activation.render(kind, path / ".venv", [path / "bin"], path.name)
        activation.render_source(kind, path)


@target(b"{name}/{version}", b"$(id)[exec id]", b"]]--\n%%\n")
def module_text(data: bytes) -> None:
    """A text in a module file: in Tcl nothing of it is a command, in Lua it ends where it does."""
    text = text_of(data)
    for quote in (modulefile.quote_tcl, modulefile.quote_tcl_file, modulefile.quote_lua):
        quoted = quote(text)
        assert quoted
    tcl = modulefile.quote_tcl(text)
    if tcl.startswith('"'):
        bare = re.sub(r"\\.", "", tcl[1:-1], flags=re.DOTALL)
        assert not re.search(r'[\[\]$"]', bare), tcl
    try:
        modulefile.check_name(text)
    except PyvariumError:
        return
    name = modulefile.module_name(text, {})
    assert not name.startswith("/") and ".." not in name.split("/"), name


@target(b"config:\n  extensions:\n  - /x\n", b"include: [a, b]\n", b"{}")
def spack_yaml(data: bytes) -> None:
    """A scope of Spack's: what is there stays."""
    text = text_of(data)
    added = configuration.with_entry(text, ("config", "extensions"), "/entry")
    assert "/entry" in added


def corpus(name: str, directory: Path) -> None:
    """Write the inputs to start from."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for number, seed in enumerate(SEEDS[name]):
        (directory / f"seed-{number}").write_bytes(seed)
