# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Site
from pyvarium.__main__ import main


def test_the_commands_and_their_exit_codes(site: Site, capsys: pytest.CaptureFixture) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    directory = str(environment.path)
    path = environment.pyproject
    ran = [
        (main([command, directory]), *capsys.readouterr())
        for command in ("check", "sync", "check", "status")
    ]
    assert ran == [
        (3, f"{path}: would be changed: created with 1 pin\n", ""),
        (0, f"{path}: created with 1 pin\n", ""),
        (0, f"{path}: in step\n", ""),
        (
            0,
            "DISTRIBUTION  VERSION  LAYER  SPEC    HASH     WHY\n"
            f"a             1        spack  py-a@1  {site.roots[0][:7]}  direct\n",
            "",
        ),
    ]


def test_json_is_alone_on_stdout(site: Site, capsys: pytest.CaptureFixture) -> None:
    site.install("py-a", "1")
    site.spec("py-external", "1", external="/usr")
    environment = site.finish()
    code = main(["check", "--json", str(environment.path)])
    captured = capsys.readouterr()
    assert (code, json.loads(captured.out)) == (
        3,
        {
            "added": {"a": "1"},
            "backend": None,
            "changed": {},
            "checked-by": "view",
            "created": True,
            "in-step": False,
            "layer": None,
            "mode": "bound",
            "pins": {"a": "1"},
            "pyproject": str(environment.pyproject),
            "removed": {},
            "skipped": [
                {
                    "subject": "py-external@1",
                    "reason": "is external (/usr), which views leave out",
                    "fault": False,
                }
            ],
            "written": False,
        },
    )
    assert captured.err.splitlines() == [
        "Skipped: py-external@1: is external (/usr), which views leave out"
    ]


def test_a_checkout_is_checked_by_digest(site: Site, capsys: pytest.CaptureFixture) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    main(["sync", str(environment.path)])
    checkout = site.root / "checkout"
    checkout.mkdir()
    for name in ("spack.lock", "pyproject.toml"):
        (checkout / name).write_bytes((environment.path / name).read_bytes())
    capsys.readouterr()
    assert (main(["check", str(checkout)]), capsys.readouterr().out) == (
        0,
        f"{checkout / 'pyproject.toml'}: in step (by digest: no view here)\n",
    )
    (checkout / "pyproject.toml").write_text("")
    assert (main(["check", str(checkout)]), capsys.readouterr().out) == (
        3,
        f"{checkout / 'pyproject.toml'}: is not made from this spack.lock"
        " (by digest: no view here)\n",
    )


EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "analysis"


def test_the_example_is_in_step(capsys: pytest.CaptureFixture) -> None:
    files = [str(EXAMPLE / name) for name in ("spack.lock", "pyproject.toml")]
    said = f"{EXAMPLE / 'pyproject.toml'}: in step (by digest: no view here)\n"
    assert (main(["check", *files]), capsys.readouterr().out) == (0, said)


def test_several_are_checked_whatever_is_wrong_with_one(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    main(["sync", str(environment.path)])
    (environment.pyproject).write_text(environment.pyproject.read_text().replace("a==1", "a==2"))
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "pyproject.toml").write_text("")
    (broken / "spack.lock").write_text("")
    ordinary = tmp_path / "library" / "pyproject.toml"
    ordinary.parent.mkdir()
    ordinary.write_text("")
    capsys.readouterr()
    files = [str(EXAMPLE / "spack.lock"), str(environment.pyproject), str(ordinary)]
    code = main(["check", "--by-digest", *files])
    assert (code, capsys.readouterr().out.splitlines()[1:]) == (
        3,
        [f"{environment.pyproject}: has other pins than the last sync wrote (by digest)"],
    )
    assert main(["check", "--by-digest", "--github", *files, str(broken)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("::")[2].partition(",")[0] for line in lines[1:]] == [
        f"error file={environment.pyproject}::{environment.pyproject}: has other pins than the"
        " last sync wrote (by digest)",
        f"error file={broken / 'pyproject.toml'}::error: {broken / 'spack.lock'}: is not a Spack"
        " lockfile; run 'spack concretize --force' to write it anew",
    ]
    with pytest.raises(SystemExit) as error:
        main(["check", "--json", *files])
    assert error.value.code == 2


def test_nothing_of_ours_is_nothing_to_check(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    assert (main(["check", str(tmp_path / "pyproject.toml")]), *capsys.readouterr()) == (0, "", "")


def test_a_fault_is_an_error_after_the_rest_is_done(
    site: Site, capsys: pytest.CaptureFixture
) -> None:
    site.install("py-bad", "1", 'Name: bad\nVersion: 1", "evil\n')
    site.install("py-good", "1")
    environment = site.finish()
    code = main(["sync", str(environment.path)])
    captured = capsys.readouterr()
    assert (code, captured.out) == (1, f"{environment.pyproject}: created with 1 pin\n")
    assert captured.err.startswith("Error: py-bad@1: ")


def test_an_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert (main(["check", str(tmp_path)]), *capsys.readouterr()) == (
        1,
        "",
        f"error: {tmp_path}: has neither spack.yaml nor spack.lock;"
        " name the directory of an environment\n",
    )


def test_it_never_imports_spack(site: Site) -> None:
    site.install("py-a", "1")
    environment = site.finish()
    program = (
        "import sys; from pyvarium.__main__ import main; main(sys.argv[1:]);"
        "sys.exit(any(name.split('.')[0] == 'spack' for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "sync", str(environment.path)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
