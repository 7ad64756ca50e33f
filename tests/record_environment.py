# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Record a real environment for machines without Spack: python record_environment.py ENVIRONMENT

Copies manifest, lockfile and what python's site-packages in the view tell of distributions into
``recorded/``: metadata and entry points, no code. Links stay links, made relative; paths of the
recording machine are replaced.
"""

import json
import os
import re
import shutil
import sys
from pathlib import Path

RECORDED = Path(__file__).resolve().parent / "recorded"
KEPT = ("METADATA", "PKG-INFO", "entry_points.txt", "direct_url.json")


def main(source: Path) -> None:
    shutil.rmtree(RECORDED, ignore_errors=True)
    target = RECORDED / "environment"
    target.mkdir(parents=True)
    (RECORDED / "store").mkdir()
    lockfile = json.loads((source / "spack.lock").read_text())
    for node in lockfile["concrete_specs"].values():
        if "external" in node:
            node["external"]["path"] = "/usr"
            node["external"].pop("extra_attributes", None)
    lockfile["spack"].pop("commit", None)
    (target / "spack.lock").write_text(json.dumps(lockfile, indent=1, sort_keys=True) + "\n")
    shutil.copy(source / "spack.yaml", target)
    view = source / ".spack-env" / "view"
    for file in sorted(view.glob("lib/python*/site-packages/*-info/*")):
        if file.name not in KEPT:
            continue
        real = file.resolve()
        library = file.relative_to(view)
        prefix = Path(str(real)[: -len(str(library)) - 1])
        copy = RECORDED / "store" / prefix.name / library
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(
            r"file:///[^\"]*/spack-stage-", "file:///stage/spack-stage-", real.read_text()
        )
        copy.write_text(text)
        marker = RECORDED / "store" / prefix.name / ".spack"
        marker.mkdir(exist_ok=True)
        (marker / "spec.json").write_text(
            json.dumps({"spec": {"nodes": [{"hash": prefix.name[-32:]}]}}) + "\n"
        )
        link = target / ".spack-env" / "view" / library
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(copy, link.parent))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
