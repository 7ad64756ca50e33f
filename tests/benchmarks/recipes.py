#!/usr/bin/env python3
# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What recipes made of metadata are worth, and what they cost: python recipes.py SPACK

One table. First how near they come to the hand-written ones of a sample that a rule draws: every
n-th of the sorted names of the recipes with a ``pypi`` attribute of which the index has a version.
Counted are dependencies over (version, python, platform): on the pythons of that Spack that are
not deprecated, on Linux and macOS, where both recipes can be built and with the variants that are
on by default. Not counted are python itself, what the base class brings, libraries that are only
linked, and extras that the hand-written recipe models in another way. Which compiled languages a
recipe asks for is compared with the hand-written one, and whether it asks for any with the wheels.
Where the wheels of a version have nothing compiled, a hand-written one that asks for a compiler is
wrong: such are named, and left out of a second row.

Then how long ``recipe create`` takes, start of Spack included, with nothing of the index cached
and then with all of it, and how many requests it makes. Needs the network, and a Spack that knows
the command. A busy machine is slower: the load is told.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

sys.path.append(str(Path(__file__).resolve().parent))  # Where it runs inside of Spack.

import measuring
from measuring import Row

#: Of pypi-to-spack-package: its published repo against builtin, on 27 other recipes.
PUBLISHED = ("pypi-to-spack-package, as published (*)", 0.985, 0.701, 0.819, 0.759)
#: What a score is to reach: the F1 of the names, and that of the ranges.
BARS = {"run": (0.93, 0.85), "build only": (0.97, 0.88)}
#: Projects that builtin lacks: pure, with an extension in C, and one of very many versions; the
#: seconds that the first and each further recipe may take.
SPEED = (
    ("structlog", 20, 10, 2),
    ("msgspec", 20, 10, 2),
    ("strawberry-graphql", 500, 60, None),
)
#: What the wheels of a version show.
WHEELS = {None: "no wheels", True: "wheels are compiled", False: "wheels are pure"}
CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = measuring.parser(__doc__)
    parser.add_argument("spack", help="the command of a Spack that is set up")
    parser.add_argument("--every", type=int, help="default: 45, some 55 recipes; quick: 450")
    parser.add_argument("--offset", type=int, default=0, help="default: 0; others to look into")
    parser.add_argument("--only", choices=("quality", "speed"))
    arguments = parser.parse_args()
    rows: List[Row] = []
    if arguments.only != "speed":
        every = arguments.every or (450 if arguments.quick else 45)
        sample = ["--every", str(every), "--offset", str(arguments.offset)]
        said = run(arguments.spack, "pyvarium", "recipe", "score", "--json", *sample)
        found = json.loads(said)
        print_quality(found, " ".join(sample))
        rows += quality(found)
    if arguments.only != "quality":
        rows += print_speed(arguments.spack)
    measuring.write(arguments.json, rows, {"spack": [arguments.spack, "--version"]})
    return 0


def quality(found: Dict[str, Any]) -> List[Row]:
    """How near the recipes come, as rows."""
    count = found["counts"]["recipes compared"]
    return [
        Row(f"recipes, {what}", count, "recipes", measure, round(one[key], 3))
        for what, one in found["scores"].items()
        for measure, key in (("F1 of names", "name_f1"), ("F1 of ranges", "range_f1"))
    ]


def print_quality(found: Dict[str, Any], sample: str) -> None:
    counts = found["counts"]
    print(
        f"{counts['recipes compared']} recipes of {counts['recipes drawn']} drawn ({sample}),"
        f" {counts['versions']} versions, python {', '.join(found['pythons'])}"
    )
    print(f"{'dependencies':50}      P      R     F1  ranges  (bars)        mean F1  ranges")
    rows = sorted(found["scores"].items(), key=lambda row: not row[0].startswith("run"))
    for what, one in rows:
        bars = "({:.2f}, {:.2f})".format(*BARS[what]) if what in BARS else ""
        print(
            f"{what:50}  {one['precision']:.3f}  {one['recall']:.3f}  {one['name_f1']:.3f}"
            f"   {one['range_f1']:.3f}  {bars:12}  {one['mean_name_f1']:7.3f}"
            f"   {one['mean_range_f1']:.3f}"
        )
    print("{:50}  {:.3f}  {:.3f}  {:.3f}   {:.3f}".format(*PUBLISHED))
    for what, one in found["languages"].items():
        bar = "(bar: recall 0.98)" if not what.endswith("by hand") else ""
        print(
            f"{what:50}  {one['precision']:.3f}  {one['recall']:.3f}  {one['name_f1']:.3f}  {bar}"
        )
    for name in sorted({one["name"] for one in found["language_departures"]}):
        some = [one for one in found["language_departures"] if one["name"] == name]
        shown = {
            (" ".join(one["ours"]) or "-", " ".join(one["theirs"]) or "-", WHEELS[one["compiled"]])
            for one in some
        }
        for ours, theirs, wheels in sorted(shown):
            print(f"  {name} ({len(some)}): ours {ours}, by hand {theirs}, {wheels}")
    print(f"base class: {counts['PythonPackage']} of {counts['recipes compared']} are as ours")
    print(
        f"round trip: {counts['round trip differences']} differences from the metadata in"
        f" {counts['round trip cells']} cells (bar: 0)"
    )
    print("(*) To run only, on 27 popular projects: another sample. It has no build dependencies.")


def print_speed(spack: str) -> List[Row]:
    rows: List[Row] = []
    load = os.getloadavg()[0]
    print(f"\nload {load:.1f} on {os.cpu_count()} processors")
    print(
        f"{'recipe create (s)':20} versions   first  bar   again  bar"
        "   requests  start  fetch cached describe"
    )
    with tempfile.TemporaryDirectory(prefix="recipes.") as directory:
        cache = Path(directory, "cache")
        copy_cache(spack, cache)
        start = seconds(spack, cache, "python", "-c", "pass")[0]
        for project, versions, first_bar, again_bar in SPEED:
            words = (__file__, "--inside", project, str(versions), directory)
            first, cold = seconds(spack, cache, "python", *words)
            again, warm = seconds(spack, cache, "python", *words)
            print(
                f"{project:20} {cold['versions']:8} {first:7.1f} {first_bar:4} {again:7.1f}"
                f" {again_bar or '':4} {cold['requests']:5} + {warm['requests']} {start:6.1f}"
                f" {cold['fetch']:6.1f} {warm['fetch']:6.1f} {warm['describe']:8.1f}",
                flush=True,
            )
            for what, took in (("nothing cached", first), ("all cached", again)):
                name, count = f"recipe create {project}, {what}", cold["versions"]
                rows.append(Row(name, count, "versions", "s of the clock", round(took, 2)))
    return rows


def copy_cache(spack: str, to: Path) -> None:
    """A cache as Spack has it, but with nothing of the index."""
    code = "import spack.caches; print(spack.caches.misc_cache_location())"
    location = run(spack, "python", "-c", code).strip()
    shutil.copytree(location, to, ignore=shutil.ignore_patterns("pyvarium"))


def seconds(spack: str, cache: Path, *words: str) -> Tuple[float, Dict[str, Any]]:
    begin = time.perf_counter()
    said = run(spack, "-c", f"config:misc_cache:{cache}", *words)
    took = time.perf_counter() - begin
    return took, json.loads(said.splitlines()[-1]) if said.strip() else {}


def inside(project: str, versions: str, directory: str) -> None:
    """Run the command in a Spack that is started already, and say what it did."""
    sys.path.insert(0, str(CHECKOUT / "spack-pyvarium"))
    import spack.main  # type: ignore[import-not-found]

    from pyvarium import libraries

    libraries.require()  # As the command does before it imports the others.
    from pyvarium import gathering, recipes, spack_repos

    counts = {"requests": 0}
    spent = {"fetch": 0.0, "describe": 0.0}
    open_url = spack_repos.open_url

    def counted(*arguments: Any) -> Any:
        counts["requests"] += 1
        return open_url(*arguments)

    def timed(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            result = function(*arguments, **options)
            spent[what] += time.perf_counter() - begin
            counts["versions"] = len(getattr(result, "versions", ()))
            return result

        return call

    spack_repos.open_url = counted
    gathering.fetch_project = timed("fetch", gathering.fetch_project)
    recipes.describe = timed("describe", recipes.describe)
    repo = str(Path(directory, "repo"))
    words = ("--closure", "none", "--dry-run", "--repo", repo, "--versions", versions)
    spack.main.SpackCommand("pyvarium")("recipe", "create", project, *words)
    print()
    print(json.dumps({**counts, **spent}))


def run(*words: str) -> str:
    environ = {**os.environ, "SPACK_PYVARIUM": "off"}
    done = subprocess.run(
        words, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: failed with {done.returncode}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:])
    else:
        sys.exit(main())
