# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Trees of files and links of this machine, and the members that they become."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Dict, Iterable, List, Tuple, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvarium.errors import FileError
from pyvarium.members import Gathered, Tree, gather, identity

#: A text is the content of a file, a path what a link leads to, None a directory.
Shape = Dict[str, Union[str, Path, None]]


def make(top: Path, shape: Shape) -> Path:
    for name, value in shape.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if value is None:
            path.mkdir(exist_ok=True)
        elif isinstance(value, Path):
            path.symlink_to(value)
        else:
            path.write_text(value)
    return top


def summary(gathered: Gathered) -> Tuple[Dict[str, str], Dict[str, str], List[str]]:
    files = {name: Path(one.path).read_text() for name, one in gathered.files.items()}
    return files, dict(gathered.links), sorted(gathered.directories)


STORE: Shape = {
    "a/lib/liba.so.1.2": "A",
    "a/lib/liba.so.1": Path("liba.so.1.2"),
    "a/lib/liba.so": Path("liba.so.1"),
    "a/share/deep/x": "X",
    "a/share/deep/y": "Y",
}


def test_a_view(tmp_path: Path) -> None:
    """A file stands where its own name is; directories of the store become directories."""
    store = make(tmp_path / "store", STORE)
    view = make(
        tmp_path / "view",
        {
            "lib/liba.so": store / "a/lib/liba.so",
            "lib/liba.so.1": store / "a/lib/liba.so.1",
            "lib/liba.so.1.2": store / "a/lib/liba.so.1.2",
            "lib64": Path("lib"),
            "share": store / "a/share",
            "twice": store / "a/share/deep",
        },
    )
    assert summary(gather([Tree(view, "lower")])) == (
        {"lower/lib/liba.so.1.2": "A", "lower/share/deep/x": "X", "lower/share/deep/y": "Y"},
        {
            "lower/lib/liba.so": "liba.so.1.2",
            "lower/lib/liba.so.1": "liba.so.1.2",
            "lower/lib64": "lib",
            "lower/twice": "share/deep",
        },
        ["lower", "lower/lib", "lower/share", "lower/share/deep"],
    )


def test_the_first_tree_is_kept(tmp_path: Path) -> None:
    first = make(tmp_path / "first", {"a/x": "1", "b": "1"})
    second = make(tmp_path / "second", {"a/x": "2", "a/y": "2", "b": "2", "c": first / "b"})
    files, links, _ = summary(gather([Tree(first, "top"), Tree(second, "top")]))
    assert files == {"top/a/x": "1", "top/a/y": "2", "top/b": "1"}
    assert links == {"top/c": "b"}


def test_links_from_one_tree_to_another(tmp_path: Path) -> None:
    lower = make(tmp_path / "lower", {"lib/a/x": "1", "lib/b": "2"})
    venv = make(tmp_path / "venv", {"a": lower / "lib/a", "b": lower / "lib/b"})
    files, links, _ = summary(gather([Tree(lower, "lower"), Tree(venv, "python")]))
    assert files == {"lower/lib/a/x": "1", "lower/lib/b": "2"}
    assert links == {"python/a": "../lower/lib/a", "python/b": "../lower/lib/b"}


def test_what_a_link_leads_out_to_comes_along(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", {"tree/x": "1", "file": "2"})
    venv = make(tmp_path / "venv", {"tree": outside / "tree", "file": outside / "file"})
    files, links, _ = summary(gather([Tree(venv, "python")]))
    assert (files, links) == ({"python/tree/x": "1", "python/file": "2"}, {})


def test_two_links_to_one_outside(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", {"tree/x": "1"})
    venv = make(tmp_path / "venv", {"a": outside / "tree", "b/c": outside / "tree"})
    files, links, _ = summary(gather([Tree(venv, "python")]))
    assert (files, links) == ({"python/a/x": "1"}, {"python/b/c": "../a"})


@pytest.mark.parametrize("target", [".", "..", "/", "loop", "../tree"])
def test_circles(target: str, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"x": "1"})
    (tree / "deep").mkdir()
    (tree / "deep" / "loop").symlink_to(target if target != "/" else tree)
    files, links, _ = summary(gather([Tree(tree, "top")]))
    assert files == {"top/x": "1"} and links == {}


def test_what_is_left_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make(
        tmp_path / "tree",
        {"nothing": Path("missing"), "circle": Path("circle"), "d/up": Path(".."), "x": "1"},
    )
    os.mkfifo(tree / "pipe")
    monkeypatch.chdir(tree)  # The path of a socket is short.
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        gathered = gather([Tree(tree, "top")])
    assert sorted(map(str, gathered.skipped)) == [
        f"{tree}/circle: is a link to nothing",
        f"{tree}/d/up: leads to a directory that it is in",
        f"{tree}/nothing: is a link to nothing",
        f"{tree}/pipe: is no regular file",
        f"{tree}/socket: is no regular file",
    ]
    assert list(gathered.files) == ["top/x"]


def test_a_link_to_a_pipe_is_told(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"link": Path("../pipe")})
    os.mkfifo(tmp_path / "pipe")
    assert list(map(str, gather([Tree(tree, "top")]).skipped)) == [
        f"{tree}/link: is no regular file"
    ]


def test_what_is_not_taken(tmp_path: Path) -> None:
    """By its name in the tree, also below links to directories."""
    outside = make(tmp_path / "outside", {"no": "1", "yes": "2"})
    tree = make(tmp_path / "tree", {"a/no": "3", "no": None, "no/x": "4", "out": outside})
    asked: List[str] = []

    def takes(name: str) -> bool:
        asked.append(name)
        return not name.endswith("no")

    files, _, _ = summary(gather([Tree(tree, "deep/top", takes)]))
    assert files == {"deep/top/out/yes": "2"}
    assert sorted(asked) == ["a", "a/no", "no", "out", "out/no", "out/yes"]


def test_hard_links(tmp_path: Path) -> None:
    """Each is a file; what leads to one of them leads to the first."""
    tree = make(tmp_path / "tree", {"a": "1", "link": Path("b")})
    os.link(tree / "a", tree / "b")
    files, links, _ = summary(gather([Tree(tree, "top")]))
    assert files == {"top/a": "1", "top/b": "1"}
    assert links == {"top/link": "a"}


def test_modes_and_times(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"a": "1", "b": "2"})
    (tree / "a").chmod(0o4511)
    (tree / "b").chmod(0o666)
    os.utime(tree / "a", (1.9, 1.9))
    files = gather([Tree(tree, "top")]).files
    assert (files["top/a"].mode, files["top/b"].mode) == (0o755, 0o644)
    assert files["top/a"].mtime == 1


def test_odd_names(tmp_path: Path) -> None:
    names = ["a b", "é", "'\"", "-x", "*", "\\", "a\nb", os.fsdecode(b"\xff"), "." * 3]
    tree = make(tmp_path / "tree", dict.fromkeys(names, "x"))
    assert sorted(gather([Tree(tree, "top")]).files) == sorted(f"top/{one}" for one in names)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can list all")
def test_what_cannot_be_listed(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir(mode=0)
    with pytest.raises(FileError, match="cannot be listed"):
        gather([Tree(tmp_path / "tree", "top")])


def test_a_tree_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"tree: cannot be listed \(No such file or directory\); "):
        gather([Tree(tmp_path / "tree", "top")])


def test_identity(tmp_path: Path) -> None:
    tree = make(tmp_path, {"a": "1", "b": Path("a"), "c": "1"})
    assert identity(str(tree / "a")) == identity(str(tree / "b")) != identity(str(tree / "c"))
    assert identity(str(tree / "missing")) is None


PLACES = [f"{tree}/{name}" for tree in ("one", "two", "out") for name in ("a", "b", "a/c", "b/d")]
ENTRIES = st.dictionaries(
    st.sampled_from(PLACES),
    st.one_of(
        st.sampled_from(["f", "d"]),
        st.sampled_from([".", "..", "../..", "a", "../a", "b/d", *(f"//{one}" for one in PLACES)]),
    ),
    max_size=9,
)


@settings(max_examples=40)
@given(entries=ENTRIES)
def test_any_trees(entries: Dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """It ends; no member is below a link; each link leads to the member that it led to here."""
    top = tmp_path_factory.mktemp("trees") / "deep"  # Links may lead above it.
    for tree in ("one", "two", "out"):
        (top / tree).mkdir(parents=True)
    for name, kind in sorted(entries.items()):
        path = top / name
        if not path.parent.is_dir() or path.parent.is_symlink() or os.path.lexists(path):
            continue
        if kind == "d":
            path.mkdir()
        elif kind == "f":
            path.write_text(name)
        else:
            path.symlink_to(str(top / kind[2:]) if kind.startswith("//") else kind)
    gathered = gather([Tree(top / "one", "first"), Tree(top / "two", "pack/second")])
    inside = {**gathered.files, **gathered.directories}
    for name in (*gathered.files, *gathered.links, *gathered.directories):
        assert not set(_above(name)) & {*gathered.links, *gathered.files}
        assert set(_above(name)) <= set(gathered.directories)
    for name, target in gathered.links.items():
        assert not os.path.isabs(target)
        assert os.path.normpath(os.path.join(os.path.dirname(name), target)) in inside
    for name in (*gathered.files, *gathered.links):
        tree, _, below = name.partition("/second/" if name.startswith("pack") else "/")
        here = top / {"first": "one", "pack": "two"}[tree] / below
        leads = os.path.normpath(
            os.path.join(os.path.dirname(name), gathered.links.get(name, os.path.basename(name)))
        )
        if leads in gathered.files:
            assert Path(gathered.files[leads].path).read_text() == here.read_text()


def _above(name: str) -> Iterable[str]:
    while os.path.dirname(name):
        name = os.path.dirname(name)
        yield name
