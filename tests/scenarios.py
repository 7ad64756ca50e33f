# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""By what each session of a document is run: a table, of values only.

A scenario is somebody's shell on one Spack. Its steps are blocks, in the order in which they are
run; what a reader is expected to have done besides stands in ``before``, and what cannot be run to
the letter, such as the path of a site, in ``mapped`` and ``instead``. A block that stands in no
scenario fails a test of the core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Sequence, Tuple

from documents import Block

README, USERS, ADMINS, RECIPES = "README.md", "docs/users.md", "docs/admins.md", "docs/recipes.md"
REFERENCE, WORKFLOW, CLUSTERS = "docs/reference.md", "docs/workflow.md", "docs/clusters.md"

#: What documents call what a test has elsewhere; the names in braces are the runner's.
MAPPED: Mapping[str, str] = {
    "/home/me/.spack": "{configuration}",
    "/home/me": "{home}",
    "/path/to/spack-pyvarium": "{clone}",
    "/opt/spack-pyvarium": "{clone}",
    "/opt/spack": "{site}",
    "/opt/environments": "{home}/environments",
    "/site/environments": "{home}/environments",
    "/projects/team/env": "{home}/team-env",
}


@dataclass(frozen=True)
class Step:
    """A block, by its document and by what its first command begins with."""

    document: str
    first: str
    #: Lines of shell that run before it.
    before: str = ""
    #: What is run in the place of a command, by the command.
    instead: Mapping[str, str] = field(default_factory=dict)
    #: What commands exit with, where it is not 0.
    codes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """Blocks that are run one after another, in one shell."""

    name: str
    steps: Tuple[Step, ...]
    #: Recipes without code of their own, which stand for those that take long to build.
    stubs: Tuple[str, ...] = ()
    #: ``user``: registered in the scope of a user; ``fresh``: a clone of Spack that knows nothing.
    spack: str = "user"
    #: ``loopback``: what documents install; ``recipes``: what they make recipes of; ``real``: the
    #: machine's.
    index: str = "loopback"
    mapped: Mapping[str, str] = field(default_factory=dict)
    #: Programs without which it is skipped, by name.
    needs: Tuple[str, ...] = ()
    #: Whether it takes long, and is only run where all is asked for.
    thorough: bool = False


def block_of(step: Step, sessions: Sequence[Block]) -> Block:
    """The one block that a step names."""
    found = [
        one
        for one in sessions
        if one.document == step.document and f"{one.commands[0].text}\n".startswith(step.first)
    ]
    assert len(found) == 1, f"{step.document}: {len(found)} blocks begin with {step.first!r}"
    return found[0]


NUMPY = ("py-numpy@2.1.3", "py-mpi4py@4.0.1")
FITTING = (*NUMPY, "py-pyyaml@6.0.3", "py-scikit-learn@1.7.2")
FIT = """\
cat > fit.py <<'END'
import numpy
import sklearn
def settings():
    import yaml
END
"""

PIP = "~/venvs/analysis/bin/pip install --quiet -r requirements.txt"
USE = "module use ~/spack/share/spack/lmod/linux-debian12-x86_64/Core"
TOOLS = "spack -D tools add pyvarium-poetry pyvarium-uv"
TOOL = 'spack pyvarium config tools.poetry "$PWD/tools/.spack-env/view/bin/poetry"'
USED = 'spack pyvarium config tools.uv "$PWD/tools/.spack-env/view/bin/uv"'
CREATE = "spack pyvarium recipe create 'cyclopts>=5' --repo ./my-recipes"
REQUESTS = """\
echo 'cyclopts>=5' > requirements.txt
cat > pyproject.toml <<'END'
[project]
name = "mine"
version = "1"
dependencies = ["rich-rst"]
END
cat > pylock.toml <<'END'
lock-version = "1.0"
created-by = "me"
[[packages]]
name = "rich-rst"
version = "2.2.0"
END
mkdir dist our-project-1.0
cat > our-project-1.0/PKG-INFO <<'END'
Metadata-Version: 2.1
Name: our-project
Version: 1.0
END
cat > our-project-1.0/pyproject.toml <<'END'
[project]
name = "our-project"
version = "1.0"
END
tar -czf dist/our-project-1.0.tar.gz our-project-1.0
"""

TASK = './pyvarium-run -e work.tar.gz -u "$LOCAL" -- python3 analysis.py'
ARRAY = f"sbatch --array=1-64 --wrap '{TASK}'"
SEND = "job=$(sbatch --parsable --nodes=4 --nodelist='node[1-4]' send.sh)"
SENT = "sbatch --dependency=afterok:$job --nodelist='node[1-4]' --array=1-64 array.sh"

PROJECT = """\
mkdir -p src/mine && touch src/mine/__init__.py
cat > pyproject.toml <<'END'
[project]
name = "mine"
version = "1"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
END
"""
TORCH = "spack -D envs/cuda pyvarium add --from spack 'py-torch+cuda'"

ALL: Tuple[Scenario, ...] = (
    Scenario(
        "quickstart",
        (
            Step(
                README,
                "./quickstart",
                before='cd {clone}; export SPACK_ROOT="$HOST_SPACK"; unset SPACK_PYTHON',
            ),
        ),
        spack="fresh",
        index="real",
        thorough=True,
    ),
    Scenario(
        "into the Python that runs Spack",
        (
            Step(
                README,
                "/path/to/that/python",
                before='cp -r "$(dirname "$(dirname "$SPACK_PYTHON")")" {home}/python;'
                " export SPACK_PYTHON={home}/python/bin/python",
            ),
        ),
        spack="fresh",
        index="real",
        mapped={"/path/to/that/python": "{home}/python/bin/python"},
        thorough=True,
    ),
    Scenario(
        "a newcomer with README alone",
        (
            Step(README, 'spack -c "config:extensions'),
            Step(README, "spack pyvarium new my-env     "),
            Step(README, "spack -D my-env pyvarium verify"),
        ),
        stubs=NUMPY,
        spack="fresh",
        index="real",
    ),
    Scenario(
        "first environment",
        (
            Step(README, "spack pyvarium new my-env     "),
            Step(README, "spack -D my-env pyvarium verify"),
            Step(REFERENCE, "spack -D my-env pyvarium add ipykernel"),
            Step(
                REFERENCE,
                "spack -D my-env pyvarium analyze fit.py",
                before=f"spack -D my-env pyvarium add --from pypi pyyaml\n{FIT}",
            ),
            Step(
                REFERENCE,
                "spack pyvarium modulegen",
                before="spack pyvarium new projects/analysis\n. /etc/profile.d/lmod.sh",
                instead={USE: "module use ~/modules/lmod/*/Core"},
            ),
        ),
        stubs=FITTING,
        needs=("/etc/profile.d/lmod.sh",),
        thorough=True,
    ),
    Scenario(
        "choice",
        (
            Step(
                README,
                "spack -D my-env pyvarium add --dry-run",
                before="spack pyvarium new --skip-install my-env",
            ),
        ),
    ),
    Scenario(
        "Spack's own commands",
        (
            Step(
                README,
                "spack -D my-env add py-numpy",
                before="spack pyvarium new my-env",
            ),
            Step(REFERENCE, "spack -D my-env pyvarium export requirements"),
            Step(
                WORKFLOW,
                "python -m pyvarium check --by-digest",
                before='python() { env PYTHONPATH={extension} {python} "$@"; }',
            ),
            Step(WORKFLOW, "spack -D my-env pyvarium export requirements"),
            Step(WORKFLOW, "spack -D my-env pyvarium export renovate"),
        ),
        stubs=NUMPY,
    ),
    Scenario(
        "packs",
        (
            Step(
                CLUSTERS,
                "spack -D my-env pyvarium pack",
                before="export LOCAL={home}/local PYVARIUM_CACHE={home}/local\n"
                "spack pyvarium new my-env\nspack -D my-env pyvarium add numpy\n"
                "echo 'import numpy' | tee analysis.py > script.py",
            ),
            # Real jobs, on several nodes, are other tests.
            Step(CLUSTERS, "sbatch --array=1-64", instead={ARRAY: TASK}),
            Step(CLUSTERS, "job=$(sbatch", instead={SEND: "job=1", SENT: TASK}),
            Step(CLUSTERS, "./pyvarium-run -e work.tar.gz -- python script.py"),
            Step(REFERENCE, "spack -D my-env pyvarium run --"),
            Step(
                REFERENCE,
                "spack -D my-env pyvarium analyze --format poncho",
                before=f"spack -D my-env pyvarium add --from pypi pyyaml\n{FIT}",
            ),
        ),
        stubs=(*NUMPY, "py-pyyaml@6.0.3", "py-scikit-learn@1.7.2"),
        thorough=True,
    ),
    Scenario(
        "a user's guide",
        (
            Step(USERS, "spack pyvarium new my-env"),
            Step(USERS, "spack -D my-env pyvarium add --dry-run"),
            Step(USERS, "cd my-env"),
            Step(USERS, "spack -D my-env concretize --force", before="cd {home}"),
            Step(
                USERS,
                "spack -D analysis pyvarium install",
                before="mkdir analysis && cp my-env/spack.* my-env/pyproject.toml my-env/uv.lock"
                " analysis",
            ),
            Step(USERS, "spack -D my-env pyvarium analyze", before=FIT),
            Step(USERS, "spack -D my-env pyvarium add ipykernel"),
            Step(USERS, "spack pyvarium modulegen"),
            Step(USERS, "spack -D my-env pyvarium status"),
            Step(USERS, "source <("),
        ),
        stubs=FITTING,
        thorough=True,
    ),
    Scenario(
        "a venv made by hand",
        (
            Step(
                USERS,
                "/site/environments",
                before="spack pyvarium new --backend pip environments/python-2026\n"
                "spack -D environments/python-2026 pyvarium add numpy\n"
                "printf 'rich\\nxarray\\n' > requirements.txt",
                # The machine's python may have a numpy too, which pip would be content with.
                instead={PIP: f"{PIP} --ignore-installed"},
                codes={"spack pyvarium verify ~/venvs/analysis": 3},
            ),
            Step(USERS, "spack pyvarium new analysis --from"),
        ),
        stubs=NUMPY,
        thorough=True,
    ),
    Scenario(
        "exports",
        (
            Step(
                REFERENCE,
                "spack -D my-env pyvarium export requirements",
                before="spack pyvarium new my-env && spack -D my-env pyvarium add numpy rich",
            ),
            Step(
                WORKFLOW,
                "spack -D my-env pyvarium export requirements",
                before="rm -f requirements.txt",
            ),
            Step(
                WORKFLOW,
                "spack -D my-env pyvarium export renovate",
                before="mkdir -p .github",
            ),
        ),
        stubs=NUMPY,
        thorough=True,
    ),
    Scenario(
        "commits",
        (
            Step(
                WORKFLOW,
                "spack pyvarium config git.commit true",
                before="unset CI; git config --global user.name reader\n"
                "git config --global user.email reader@example.org\n"
                "spack pyvarium new my-env && spack -D my-env add py-numpy\n"
                "git init --quiet && printf '%s\\n' '*' '!my-env/' '!my-env/*' > .gitignore\n"
                "git add my-env/spack.yaml my-env/spack.lock my-env/pyproject.toml\n"
                "git commit --quiet --message begin",
            ),
        ),
        stubs=NUMPY,
        thorough=True,
    ),
    Scenario(
        "variants",
        (
            Step(
                WORKFLOW,
                "spack pyvarium new envs/cuda",
                before=PROJECT,
                instead={TORCH: TORCH.replace("'py-torch+cuda'", "py-numpy")},
            ),
        ),
        stubs=NUMPY,
        index="real",
        thorough=True,
    ),
    Scenario(
        "on another environment",
        (
            Step(
                REFERENCE,
                "spack pyvarium new my-env --on",
                before="spack pyvarium new --backend pip environments/python-2026\n"
                "spack -D environments/python-2026 pyvarium add numpy",
            ),
        ),
        stubs=(*NUMPY, "py-netcdf4@1.7.2"),
        thorough=True,
    ),
    Scenario(
        "a backend",
        (Step(REFERENCE, "spack pyvarium setup uv"),),
        index="real",
        thorough=True,
    ),
    Scenario(
        "programs from the package repo",
        (
            Step(
                REFERENCE,
                "spack -D tools add pyvarium-poetry",
                before="spack env create -d tools",
                # Poetry needs a Rust, which takes an hour: uv alone is installed.
                instead={TOOLS: TOOLS.replace("pyvarium-poetry ", ""), TOOL: USED},
            ),
        ),
        index="real",
        thorough=True,
    ),
    Scenario(
        "a site",
        (
            Step(ADMINS, 'spack -c "config:extensions'),
            Step(
                ADMINS,
                "spack pyvarium setup --status\n",
            ),
            Step(ADMINS, "spack pyvarium config --scope site auto-sync existing"),
            Step(REFERENCE, "spack pyvarium config --scope site auto-sync-paths"),
            Step(ADMINS, "spack pyvarium config --scope site --force auto-sync off"),
            Step(ADMINS, "spack pyvarium config --scope site quiet true"),
            Step(ADMINS, "mkdir -m 1777 /var/log"),
            Step(ADMINS, "cat /var/log", before="spack -D demo install"),
            Step(ADMINS, "spack pyvarium setup --status --json"),
            # What is external has no manifest, as the document says.
            Step(ADMINS, "spack verify manifest -a", codes={"spack verify manifest -a": 1}),
            Step(ADMINS, "spack -D demo pyvarium verify"),
            Step(
                ADMINS,
                "spack -D /opt/environments",
                before="spack pyvarium new --skip-install environments/python-2026",
            ),
            Step(
                ADMINS,
                "chgrp -R team",
                before="mkdir -p team-env",
                instead={"chgrp -R team /projects/team/env": "chgrp -R 64002 {home}/team-env"},
            ),
            Step(ADMINS, "git -C /opt/spack checkout"),
            Step(ADMINS, "git -C /opt/spack-pyvarium pull"),
            Step(ADMINS, "spack pyvarium setup --scope site --remove"),
        ),
        spack="fresh",
        index="real",
        mapped={"/var/log/spack-pyvarium": "{home}/log"},
        needs=("jq",),
        thorough=True,
    ),
    Scenario(
        "recipes",
        (
            Step(
                REFERENCE,
                "spack pyvarium recipe create 'cyclopts",
                before="spack mirror add --scope user made {home}/mirror",
                # The index of the tests has what is nowhere else: its sdists come by a mirror.
                instead={CREATE: f"{CREATE} --mirror {{home}}/mirror"},
            ),
            Step(
                RECIPES,
                f"{CREATE}\n",
                before="spack repo remove my_recipes && rm -r my-recipes",
            ),
            Step(RECIPES, "spack repo add /home/me"),
            Step(RECIPES, "spack pyvarium config recipe.repo"),
            Step(RECIPES, "spack pyvarium recipe create 'cyclopts[yaml]'", before=REQUESTS),
            Step(RECIPES, "spack pyvarium recipe create 'idna<3.5'"),
            Step(RECIPES, "spack pyvarium recipe update"),
            Step(
                RECIPES,
                f"{CREATE} --mirror",
                before="spack mirror remove --scope user made",
            ),
        ),
        index="recipes",
        thorough=True,
    ),
    Scenario(
        "recipes of what the world has",
        (
            Step(
                RECIPES,
                "spack pyvarium recipe check",
                codes={"spack pyvarium recipe check py-rich": 3},
            ),
            Step(RECIPES, "spack pyvarium recipe create 'matplotlib"),
            Step(
                RECIPES,
                "spack pyvarium recipe score",
                instead={
                    "spack pyvarium recipe score --every 45": "spack pyvarium recipe score"
                    " --every 1000"
                },
            ),
        ),
        index="real",
        thorough=True,
    ),
)
