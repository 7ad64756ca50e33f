# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""``spack pyvarium``: parse, call one function, print, return the exit code.

Spack imports this file for ``spack help`` too, and with any Python it supports (3.6): features are
imported in the handlers, so that a missing library breaks nothing but this command.
"""

import argparse
import gc
import inspect
import os
import sys

description = "keep pyproject.toml in step with the Python distributions Spack provides"
section = "environments"
level = "short"

EPILOG = """\
exit codes: 0 done or in step; 1 error; 2 wrong usage; 3 a check found differences.
Choose the environment as for any Spack command: spack -e NAME pyvarium ..., -D DIR, or activate it.
"""

EXAMPLES = """\
  spack pyvarium new my-env                    # an environment of two layers
  spack -D my-env pyvarium add numpy rich      # each from where it is better had
  eval "$(spack -D my-env pyvarium activate)"
  spack -D my-env pyvarium verify              # is everything as it should be?

"""

BACKENDS = ("uv", "poetry", "pdm", "pip")
#: What may change the files of the active environment.
COMMITTING = ("add", "remove", "install", "lock", "sync")
FORMATS = (
    *("requirements", "constraints", "pylock", "conda", "poncho", "cyclonedx"),
    *("packages", "renovate", "dependabot"),
)

#: Where this command runs without a registration, the core is beside it.
EXTENSION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def setup_parser(subparser):
    subparser.epilog = EXAMPLES + EPILOG
    subparser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = subparser.add_subparsers(metavar="SUBCOMMAND", dest="pyvarium_command")
    commands.required = True

    new = _add(commands, "new", create_environment)
    where = new.add_mutually_exclusive_group()
    where.add_argument("directory", nargs="?", metavar="DIR", help="directory (default: this one)")
    where.add_argument("--name", help="make it one of Spack's named environments")
    new.add_argument("--backend", choices=BACKENDS, help="what installs from the index (default:"
                     " what the project uses, what 'config backend' says, uv, pip)")  # fmt: skip
    new.add_argument(
        "--python",
        metavar="SPEC",
        help="such as 3.12 or python@3.12+optimizations; 'external': none that Spack would build",
    )
    new.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="pyproject.toml, requirements.txt, Pipfile, environment.yml, Poncho's JSON, a script or"
        " notebook, a venv, or the directory of an environment of Pyvarium 0.2: take over what it"
        " asks for",
    )
    new.add_argument(
        "--on",
        metavar="ENV",
        help="name or directory of an environment, perhaps somebody else's and read-only: build"
        " on what it provides",
    )
    new.add_argument("--skip-install", action="store_true", help="only write the files")
    new.add_argument("--force", action="store_true", help="replace files; the former end in .bak")
    _add_jobs(new)
    new.add_argument("--json", action="store_true", help="print the answer as JSON")

    add = _add(commands, "add", add_requests)
    add.add_argument("requests", nargs="+", metavar="REQUEST", help="requirement or spec")
    add.add_argument(
        "--from", dest="source", choices=["spack", "pypi"], help="where to take them from"
    )
    add.add_argument("--dry-run", action="store_true", help="only say what would be done and why")
    _add_jobs(add)
    add.add_argument("--json", action="store_true", help="print the answer as JSON")

    remove = _add(commands, "remove", remove_names)
    remove.add_argument("names", nargs="+", metavar="NAME", help="project or spec")
    remove.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    _add_jobs(remove)
    remove.add_argument("--json", action="store_true", help="print the answer as JSON")

    install = _add(commands, "install", install_environment)
    _add_jobs(install)
    install.add_argument("--json", action="store_true", help="print the answer as JSON")

    lock = _add(commands, "lock", lock_environment)
    lock.add_argument("--check", action="store_true", help="write nothing; exit 3 if not locked")
    lock.add_argument("--json", action="store_true", help="print the answer as JSON")

    sync = _add(commands, "sync", sync_environment)
    sync.add_argument("--check", action="store_true", help="write nothing; exit 3 if out of step")
    sync.add_argument("--diff", action="store_true", help="write nothing; show the change")
    sync.add_argument(
        "--dry-run", action="store_true", help="write nothing; say what would change"
    )
    sync.add_argument("--json", action="store_true", help="print the answer as JSON")

    status = _add(commands, "status", show_status)
    form = status.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the answer as JSON")
    form.add_argument("--html", action="store_true", help="write a page for a browser")
    status.add_argument(
        "-o", "--output", metavar="FILE|-", help="file for the page (default: '-', stdout)"
    )

    verify = _add(commands, "verify", verify_environment)
    verify.add_argument(
        "venv", nargs="?", metavar="VENV", help="a venv made by hand (default: the environment)"
    )
    verify.add_argument("--fix", action="store_true", help="repair what can be repaired")
    verify.add_argument("--json", action="store_true", help="print the answer as JSON")

    _add_analyze(commands)
    _add_pack(commands)
    activate = _add(commands, "activate", print_activation)
    shells = activate.add_mutually_exclusive_group()
    for shell, text in (
        ("sh", "sh, bash and zsh (default)"),
        ("csh", "csh and tcsh"),
        ("fish", "fish"),
    ):
        shells.add_argument(
            "--" + shell,
            dest="shell",
            action="store_const",
            const=shell,
            default="sh",
            help="print the line for " + text,
        )

    _add_export(commands)
    _add_recipes(commands)
    _add_kernels(commands)
    _add_run(commands)
    modulegen = _add(commands, "modulegen", generate_modules)
    modulegen.add_argument(
        "environments",
        nargs="*",
        metavar="ENV",
        help="name or directory of an environment (default: the active one)",
    )
    modulegen.add_argument(
        "--lang",
        choices=["tcl", "lua"],
        help="write only this (default: what modules.yaml enables, or else both)",
    )
    modulegen.add_argument(
        "--module-set",
        default="default",
        metavar="NAME",
        help="which set of modules.yaml (default: 'default')",
    )
    modulegen.add_argument(
        "-o",
        "--output",
        metavar="DIR|-",
        help="directory to write to (default: the root in modules.yaml), or '-' to print it",
    )
    modulegen.add_argument(
        "--name",
        metavar="TEMPLATE",
        help="name of the module, such as 'site/{environment}/{digest}'",
    )
    for option, text in (
        ("--check", "write nothing; exit 3 if a module file is out of step"),
        ("--diff", "write nothing; show the change"),
        ("--dry-run", "write nothing; say what would change"),
        ("--remove", "remove the module files of the environments"),
        ("--force", "also replace a file that this command did not write"),
        ("--json", "print the answer as JSON"),
    ):
        modulegen.add_argument(option, action="store_true", help=text)

    config = _add(commands, "config", configure)
    config.add_argument("key", nargs="?", metavar="KEY", help="setting (default: show all)")
    config.add_argument("values", nargs="*", metavar="VALUE", help="set it to this")
    config.add_argument("--unset", action="store_true", help="remove the setting")
    config.add_argument("--scope", help="scope to show or change (default to change: user)")
    config.add_argument(
        "--force", action="store_true", help="so that no higher scope, project or user changes it"
    )
    config.add_argument("--json", action="store_true", help="print the answer as JSON")

    setup = _add(commands, "setup", set_up)
    action = setup.add_mutually_exclusive_group()
    action.add_argument("--status", action="store_true", help="show how this Spack is set up")
    action.add_argument("--remove", action="store_true", help="undo everything that setup wrote")
    setup.add_argument(
        "--scope", help="configuration scope to register in (default: user; to remove: all)"
    )
    setup.add_argument(
        "--auto-sync",
        choices=["off", "existing", "all", "opted-in"],
        help="also set where automatic sync acts (default for site and system: opted-in)",
    )
    setup.add_argument(
        "--force",
        action="store_true",
        help="with --auto-sync: so that no higher scope, project or user changes it",
    )
    setup.add_argument(
        "--libraries-from",
        metavar="DIR",
        help="directory of wheels to take missing libraries from, without a package index",
    )
    setup.add_argument("--json", action="store_true", help="print the answer as JSON")
    _add_installations(setup)
    _add_completion(commands)


def _add_completion(commands):
    completion = _add(commands, "completion", print_completion)
    completion.add_argument("shell", choices=["bash", "zsh", "fish"], help="for which shell")


def _add_analyze(commands):
    analyze = _add(commands, "analyze", analyze_imports)
    analyze.add_argument("paths", nargs="+", metavar="SCRIPT|DIR|NOTEBOOK|-", help="'-': stdin")
    analyze.add_argument("-o", "--output", metavar="FILE|-", help="file to write (default: '-')")
    form = analyze.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        default="text",
        help="print the answer as JSON",
    )
    form.add_argument(
        "--format",
        choices=["text", "json", "poncho", "requirements"],
        help="'poncho': Poncho's JSON; 'requirements': as for pip",
    )
    analyze.add_argument(
        "--toplevel", action="store_true", help="only what runs when it is imported"
    )
    analyze.add_argument("--function", metavar="NAME", help="only what NAME or Class.NAME uses")
    analyze.add_argument(
        "--role",
        action="append",
        choices=["run", "test", "docs", "development", "vendored"],
        help="what is needed to do what: repeatable (default: run)",
    )
    for option, metavar, text in (
        ("--pkg-mapping", "IMPORT=NAME", "the project that an import comes from"),
        ("--extra-pkg", "NAME", "a requirement besides"),
    ):
        analyze.add_argument(option, action="append", default=[], metavar=metavar, help=text)


def _add_pack(commands):
    pack = _add(commands, "pack", pack_environment)
    pack.add_argument(
        "specification",
        nargs="?",
        metavar="SPEC.json|-",
        help="make the environment of what this asks for, in Poncho's words (default: the active"
        " one); '-': stdin",
    )
    pack.add_argument(
        "--environment",
        metavar="DIR",
        help="with SPEC.json: make it there and keep it (default: a temporary directory)",
    )
    _add_jobs(pack)
    pack.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="file to write; its end tells the format: .tar.zst, .tar.gz, .tgz, .sqfs, .squashfs",
    )
    pack.add_argument(
        "--lower",
        choices=["full", "reference"],
        default="full",
        help="full: all travels (default); reference: only .venv does, view and python are on every"
        " machine at their paths",
    )
    pack.add_argument(
        "--slim",
        action="store_true",
        help="without tests, headers, manuals and debugging information",
    )
    pack.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out what has such a name in the pack, as in '*/pandas/tests/*'; repeatable",
    )
    pack.add_argument(
        "--editable", action="store_true", help="also pack what is installed editable, as it is"
    )
    for option, text in (
        ("--force", "pack although 'verify' finds faults"),
        ("--dry-run", "write nothing; say what would be packed"),
        ("--json", "print the answer as JSON"),
    ):
        pack.add_argument(option, action="store_true", help=text)


def _add_export(commands):
    export = _add(commands, "export", export_environment)
    export.add_argument("format", choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    export.add_argument("-o", "--output", metavar="FILE|-", help="file to write (default: '-')")
    for option, text in (
        ("--group", "also what this dependency group has in the lock"),
        ("--extra", "also what this extra of the project has in the lock"),
    ):
        export.add_argument(option, action="append", default=[], metavar="NAME", help=text)
    hashes = export.add_mutually_exclusive_group()
    hashes.add_argument("--hashes", action="store_true", default=None, help="also in constraints")
    hashes.add_argument("--no-hashes", dest="hashes", action="store_false", help="none")
    for option, text in (
        ("--check", "write nothing; exit 3 if FILE is not as it would be"),
        ("--force", "replace a file of your own"),
        ("--json", "print what was done as JSON"),
    ):
        export.add_argument(option, action="store_true", help=text)


KERNELS = """Make environments kernels of Jupyter's, list and remove them.

A kernel starts with both layers of an environment from any Jupyter, without a shell:

  spack -D my-env pyvarium add ipykernel
  spack -D my-env pyvarium kernel install
"""


def _add_kernels(commands):
    words = _add(commands, "kernel", show_kernels, KERNELS).add_subparsers(
        metavar="WORD", dest="pyvarium_kernel"
    )
    words.required = True
    install = _add(words, "install", install_kernel)
    _add_place(install, "put it")
    install.add_argument("--name", help="its name (default: spack- and the environment's)")
    install.add_argument(
        "--display-name", metavar="TEXT", help="what Jupyter shows (default: Python (NAME))"
    )
    install.add_argument("--force", action="store_true", help="replace another kernel")
    remove = _add(words, "remove", remove_kernels)
    remove.add_argument(
        "names", nargs="*", metavar="NAME", help="default: all of the active environment"
    )
    _add_place(remove, "look")
    remove.add_argument("--force", action="store_true", help="also one that is not ours")
    for parser in (install, remove):
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    shown = _add(words, "list", show_kernels)
    _add_place(shown, "look")
    for parser in words.choices.values():
        parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _add_run(commands):
    run = _add(commands, "run", run_command)
    run.add_argument(
        "-e",
        "--environment",
        metavar="FILE|ENV",
        help="a pack, or a name or directory of an environment (default: the active one)",
    )
    run.add_argument(
        "-u",
        "--unpack-to",
        metavar="DIR",
        help="where the environments of packs are kept (default: $PYVARIUM_CACHE, or"
        " pyvarium-<uid> in $TMPDIR or /tmp)",
    )
    run.add_argument(
        "-w",
        "--wait-for-lock",
        metavar="SECS",
        help="how long to wait for another start that unpacks it (default: 300)",
    )
    run.add_argument(
        "--clean",
        action="store_true",
        help="run nothing; remove what killed starts have left, and environments of packs",
    )
    run.add_argument(
        "--keep", metavar="N", help="with --clean: keep the N newest of them (default: 0)"
    )
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run")


def _add_place(parser, verb):
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--user", action="store_true", help=verb + " where Jupyter keeps your own (default)"
    )
    place.add_argument(
        "--prefix",
        metavar="PREFIX",
        help=verb + " in PREFIX/share/jupyter, such as that of the Python that runs Jupyter",
    )
    place.add_argument(
        "--sys-prefix",
        action="store_true",
        help=verb + " in the environment's .venv, for a Jupyter that is installed there",
    )


def _add_jobs(parser):
    parser.add_argument("-j", "--jobs", type=_jobs, metavar="N", help="processes for each build")


def _add_recipes(commands):
    recipe = _add(commands, "recipe", None, write_recipes.__doc__)
    words = recipe.add_subparsers(metavar="WORD", dest="pyvarium_recipe")
    words.required = True

    create = _add(words, "create", create_recipes)
    create.add_argument(
        "requests",
        nargs="*",
        metavar="REQUEST",
        help="requirement ('httpx[http2]>=0.27'), file of them (pyproject.toml, pylock.toml,"
        " requirements.txt), or an sdist",
    )
    create.add_argument(
        "-r",
        "--requirements",
        action="append",
        default=[],
        metavar="FILE",
        help="what a file asks for, repeatable",
    )
    create.add_argument(
        "--extras", action="append", default=[], metavar="EXTRA", help="of each, as variants"
    )
    create.add_argument(
        "--closure",
        choices=["missing", "outdated", "none"],
        default="missing",
        help="also make recipes for what they depend on where there is none (default), or none of"
        " that version, or for nothing else",
    )
    create.add_argument("--mirror", metavar="DIR", help="put the sdists into this source mirror")
    create.add_argument("--spec", action="store_true", help="then run 'spack spec' on them")

    update = _add(words, "update", update_recipes)
    update.add_argument("names", nargs="+", metavar="NAME", help="recipe or project")
    for parser in (create, update):
        parser.add_argument(
            "--repo",
            metavar="NAMESPACE|DIR",
            help="where they are written (default: 'config recipe.repo'); a directory becomes a"
            " repo",
        )
        parser.add_argument(
            "--versions",
            default="minor",
            metavar="WHICH",
            help="minor: the newest of each minor series (default), of a recipe of ours only newer"
            " ones; all; a number: so many of the newest; or a specifier as '>=2'",
        )
        parser.add_argument(
            "--hooks",
            action="store_true",
            help="also ask the build backend of each version what else it requires, and again at"
            " each update; this runs code of the projects, 60 s each at most, apart from your"
            " configuration but not from your files",
        )
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit 3 if it would"
        )
        parser.add_argument("--diff", action="store_true", help="write nothing; show the change")
        parser.add_argument(
            "--dry-run", action="store_true", help="write nothing; say what would be"
        )

    check = _add(words, "check", check_recipes)
    check.add_argument("names", nargs="+", metavar="NAME", help="recipe or project")

    score = _add(words, "score", score_recipes)
    score.add_argument("names", nargs="*", metavar="NAME", help="recipe (default: a sample)")
    score.add_argument("--every", type=_jobs, default=45, metavar="N", help="(default: 45)")
    score.add_argument("--offset", type=int, default=0, metavar="N", help="(default: 0)")
    for parser in words.choices.values():
        parser.add_argument("--offline", action="store_true", help="use only what is cached")
        parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _jobs(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("%r is no number from 1 on" % text)
    return int(text)


def _add_installations(setup):
    """What ``setup WORD PREFIX`` installs; without a word, setup registers."""
    words = setup.add_subparsers(
        title="install something to work with", metavar="WORD", dest="pyvarium_setup"
    )
    words.required = False  # Spack's default is another one than Python's.
    inherited = {"default": argparse.SUPPRESS}  # Else it would undo what stands before the word.
    for backend in BACKENDS:
        tool = _add(words, backend, set_up_backend, set_up_backend.__doc__.format(backend))
        tool.set_defaults(backend=backend)
        tool.add_argument(
            "--version", dest="tool_version", metavar="VERSION", help="default: the newest"
        )
        tool.add_argument("--scope", **inherited, help="scope to name it in (default: user)")
    spack = _add(words, "spack", set_up_spack)
    spack.add_argument("--release", help="release to clone, such as v1.1.0 or develop")
    for parser in words.choices.values():
        parser.add_argument("prefix", metavar="PREFIX", help="directory to make, or made before")
        parser.add_argument("--python", help="interpreter to use (default: the one of this Spack)")
        parser.add_argument("--json", action="store_true", **inherited, help="print it as JSON")


def _add(commands, name, handler, text=None):
    text = inspect.cleandoc(text or handler.__doc__)
    parser = commands.add_parser(
        name,
        help=text.splitlines()[0].rstrip("."),
        description=text,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(pyvarium_handler=handler)
    return parser


def pyvarium(parser, args):
    if sys.version_info < (3, 9):
        return _error(
            "Python %d.%d: is too old; set SPACK_PYTHON to 3.9 or newer" % sys.version_info[:2]
        )
    # What Spack has loaded stays as long as the process: to look for garbage in it takes time.
    gc.freeze()
    if EXTENSION not in sys.path:
        sys.path.append(EXTENSION)
    from pyvarium import registration
    from pyvarium.errors import PyvariumError

    registration.add_section()
    from spack.error import SpackError

    try:
        if args.pyvarium_command in COMMITTING:
            return _committing(args)
        return args.pyvarium_handler(args)
    except (PyvariumError, SpackError) as error:  # Spack itself would exit with what means 3 here.
        return _error(str(error))


def _committing(args):
    """Run a command that may change an environment, and commit that if 'git.commit' is set."""
    environment = _environment()
    from pyvarium import automatic, commits

    names = commits.SYNCED if args.pyvarium_command == "sync" else commits.FILES
    before = commits.contents(environment, names)
    code = args.pyvarium_handler(args)
    if code == 0:
        for line in automatic.committed(environment, before):
            _say(line)
    return code


def create_environment(args):
    """Create an environment with both halves, installed and locked.

    Writes spack.yaml and pyproject.toml, has Spack install the one and the backend the other, and
    makes .venv and the activate scripts. Where one half is there already, it gets the other. With
    --from, what is compiled is asked of Spack and the rest of the package index. With --on, it is
    a layer of your own on an environment that others share; nothing is written there:

      spack pyvarium new my-env --from requirements.txt
      spack pyvarium new my-env --on /site/environments/python-2026
    """
    from pathlib import Path

    _require_libraries()
    from pyvarium import creation, report, spack_api
    from pyvarium.model import Backend

    path = spack_api.named_directory(args.name) if args.name else Path(args.directory or ".")
    wish = creation.Wish(
        path=Path(os.path.abspath(path)),
        backend=Backend(args.backend) if args.backend else None,
        python=args.python,
        source=Path(args.source) if args.source else None,
        on=args.on,
        force=args.force,
    )
    created = creation.create(wish, _session(args), skip_install=args.skip_install)
    return _print(report.created(created, args.json))


def add_requests(args):
    """Add to an environment, from Spack or from the package index.

    What is compiled for this machine, or provided already, comes from Spack; the rest from the
    index by the backend. A request is a requirement ('pandas>=2') or a spec ('py-h5py+mpi'). One
    that contradicts a version that Spack provides is refused, with both ways out.

      spack -D my-env pyvarium add --dry-run numpy 'h5py>=3' rich
      spack -D my-env pyvarium add --from spack py-numpy@2.1
    """
    environment = _environment()
    from pyvarium import lifecycle, report
    from pyvarium.choice import Source

    forced = Source(args.source) if args.source else None
    chosen = lifecycle.plan_addition(environment, args.requests, forced)
    if not args.dry_run:
        for line in report.render_choices(chosen).splitlines():
            _say(line)
        lifecycle.add(environment, chosen, _session(args))
    return _print(report.added(environment, chosen, not args.dry_run, args.json))


def remove_names(args):
    """Remove from an environment, from spack.yaml or from the project's dependencies.

    What another spec needs stays installed, with a note. Something that is there only because
    another one needs it is not removed: the error names that one.

      spack -D my-env pyvarium remove rich py-h5py
    """
    environment = _environment()
    from pyvarium import lifecycle, report

    removal = lifecycle.plan_removal(environment, args.names)
    if not args.dry_run:
        lifecycle.remove(environment, removal, _session(args))
    return _print(report.removed(environment, removal, not args.dry_run, args.json))


def install_environment(args):
    """Install both halves, from spack.yaml and pyproject.toml to a working environment.

    Runs 'spack install', brings the project and .venv in step, and has the backend lock and
    install. What is there already is not done again. This is what a clone of a project needs:

      git clone https://example.org/analysis && spack -D analysis pyvarium install
    """
    environment = _environment()
    from pyvarium import lifecycle, report

    done = lifecycle.install(environment.path, _session(args))
    return _print(report.installed(environment.path, done, args.json))


def lock_environment(args):
    """Lock what comes from the index against what Spack provides.

    Brings the project in step with spack.lock, whose digest it holds, and has the backend lock.
    With --check it exits with 3 and says which file is not made from the others, as in continuous
    integration:

      spack -D my-env pyvarium lock --check
    """
    environment = _environment()
    from pyvarium import lifecycle, report

    difference = None
    if args.check:
        difference = lifecycle.lock_differs(environment, _session(args))
        backend = lifecycle.chosen_backend(environment)
    else:
        backend = lifecycle.lock(environment, _session(args))
    return _print(report.locked(environment, backend, difference, args.json))


def sync_environment(args):
    """Bring pyproject.toml in step with what Spack provides.

    Writes one exact pin for each Python distribution that Spack installed in the active
    environment into [dependency-groups] spack, and a constraints file for pip beside it. The rest
    of the file is kept to the byte. Creates the file where there is none. After a Spack command
    this happens by itself.

      spack -D my-env pyvarium sync --diff
      spack -D my-env pyvarium sync --check
    """
    environment = _environment()
    from pyvarium import commands, spack_api

    return _print(
        commands.sync(
            environment,
            spack_api.defaults(),
            check=args.check,
            diff=args.diff,
            dry_run=args.dry_run,
            as_json=args.json,
        )
    )


def show_status(args):
    """Show which distribution comes from where.

    Lists what the active environment provides with its spec, and what stands in .venv on top. As a
    page for a browser it also shows what is wrong; the page loads nothing and can be mailed.

      spack -D my-env pyvarium status
      spack -D my-env pyvarium status --html -o my-env.html
    """
    if args.output and not args.html:
        return _usage("status -o: takes --html")
    environment = _environment()
    from pyvarium import commands, spack_api

    if not args.html:
        return _print(commands.status(environment, as_json=args.json))
    from datetime import datetime, timezone

    defaults, now = spack_api.defaults(), datetime.now(timezone.utc)
    return _print(
        commands.status_page(environment, defaults, os.environ, now=now, output=args.output)
    )


def verify_environment(args):
    """Find what is wrong with an environment, and repair what can be.

    Each fault has a code: shadowed, two-dist-infos, missing-shim, modified, incompatible,
    conflicting, out-of-step, stale-view, stale-lock, stale-lower, wrong-python, pythonpath;
    detached for a venv that somebody made by hand on a python of Spack's. Nothing is downloaded or
    locked. Exits with 3 where a fault is left.

      spack -D my-env pyvarium verify
      spack -D my-env pyvarium verify --fix
      spack pyvarium verify ~/venvs/analysis
    """
    if args.venv:
        from pathlib import Path

        _require_libraries()
        from pyvarium import commands

        path = Path(os.path.abspath(args.venv))
        return _print(commands.verify_venv(path, os.environ, fix=args.fix, as_json=args.json))
    environment = _environment()
    from pyvarium import commands, spack_api

    answer = commands.verify(
        environment, spack_api.defaults(), os.environ, fix=args.fix, as_json=args.json
    )
    return _print(answer)


def export_environment(args):
    """Write both layers of an environment in the format of another tool.

      requirements  exact requirements for pip and uv, with the hashes that the lock has
      constraints   the same of all groups, without build tools; hashes only with --hashes
      pylock        pylock.toml (PEP 751); what Spack provides as its wheels without code
      conda         environment.yml: of conda-forge what Spack provides, of pip the rest
      poncho        Poncho's JSON
      cyclonedx     a bill of materials, with licences, of all specs and distributions
      packages      packages.yaml with what is installed in .venv as externals of Spack's
      renovate      a rule for Renovate to leave alone what Spack provides
      dependabot    the same for Dependabot

    What is on top is read from the lock of uv, Poetry or PDM, for this python and platform, or
    where there is none from .venv. A file that was not exported is replaced only by --force.

      spack -D my-env pyvarium export requirements -o requirements.txt
      spack -D my-env pyvarium export requirements -o requirements.txt --check
    """
    if args.output in (None, "-") and (args.check or args.json):
        return _usage("export: --check and --json are about a file; name it by '-o FILE'")
    environment = _environment()
    from pyvarium import commands, spack_api, spack_recipes
    from pyvarium.exports import Wish

    return _print(
        commands.export(
            environment,
            spack_api.defaults(),
            Wish(args.format, tuple(args.group), tuple(args.extra), args.hashes),
            spack_recipes.name_of,
            output=args.output,
            check=args.check,
            force=args.force,
            as_json=args.json,
        )
    )


def analyze_imports(args):
    """Say where what scripts import comes from: Spack, .venv, the index, or beside them.

      spack pyvarium analyze script.py notebook.ipynb
      spack pyvarium analyze --format requirements -o requirements.txt project/
      spack pyvarium new my-env --from script.py

    Local modules are followed, the block of a script (PEP 723) is read. Nothing is imported or run.
    What is not installed in the active environment has a guess for its project. What cannot be
    read is skipped; it is an error where nothing else is left. Of a project counts what it needs to
    run; --role asks for what its tests, its documentation or its development need.
    """
    from pathlib import Path

    _require_libraries()
    from pyvarium import analysis, findings, spack_api

    wish = analysis.Wish(
        paths=tuple(map(Path, args.paths)),
        toplevel=args.toplevel,
        function=args.function,
        mapping=analysis.parse_mapping(args.pkg_mapping),
        extra=tuple(args.extra_pkg),
        roles=analysis.parse_roles(args.role),
    )
    environment = spack_api.active_environment()
    directory = None if environment else analysis.chosen_directory(os.environ)
    installed = analysis.Installed()
    if environment:
        installed = analysis.installed_in(environment)
    elif directory:
        installed = analysis.read_installed(directory, os.environ)
    analyzed = analysis.analyze(wish, installed, sys.stdin.buffer.read)
    return _print(findings.written(analyzed, args.format, args.output))


def print_activation(args):
    """Print the line by which a shell activates the layered environment.

    Puts .venv and the view in front of PATH and takes PYTHONPATH away; 'deactivate' restores all.
    activate.sh, .fish and .csh beside pyproject.toml do the same and need no Spack.

      eval "$(spack -e NAME pyvarium activate)"
      spack -e NAME pyvarium activate --fish | source
    """
    environment = _environment()
    from pyvarium import commands
    from pyvarium.activation import Shell

    return _print(commands.activate(environment, Shell(args.shell)))


def run_command(args):
    """Run a command in an environment, or in a pack of one.

      spack -e NAME pyvarium run -- python analysis.py
      spack pyvarium run -e NAME.tar.zst -- python analysis.py

    With the variables that activating sets, and in place of this process: its exit code is the
    command's, 127 where there is no such command, 126 where it cannot be run. A pack is unpacked
    once on a machine; a changed one is another. Where there is no Spack, bin/pyvarium-run in the
    pack does the same.
    """
    from pathlib import Path

    if args.keep and not args.clean:
        return _usage("run --keep: takes --clean")
    from pyvarium import launch

    command = launch.plain(args.words)
    if args.clean == bool(command):
        return _usage("run: takes a command, or --clean without one")
    wish = launch.Wish(args.unpack_to, args.wait_for_lock, args.keep, args.clean)
    pack = Path(args.environment) if args.environment else None
    if args.clean or (pack is not None and launch.is_pack(pack)):
        return launch.replace_process(launch.runner(wish, pack, command), os.environ)
    _require_libraries()
    from pyvarium import spack_api

    if pack is None:
        environment = spack_api.require_environment()
    else:
        directory = spack_api.environment_directory(args.environment)
        if not directory.is_dir():
            return _error("%s: is neither a pack nor an environment" % args.environment)
        environment = spack_api.read_environment(directory)
    changes = spack_api.variable_changes(environment.path)
    code = launch.replace_process(command, launch.variables(environment, changes, os.environ))
    _say("Error: %s: %s" % (command[0], "not found" if code == 127 else "cannot be run"))
    return code


def install_kernel(args):
    """Make the environment a kernel of Jupyter's.

      spack -e NAME pyvarium kernel install --display-name "Analysis 2026"

    It starts from any Jupyter, though no shell has activated the environment: with both layers and
    the variables that 'spack env activate' would set, as they are now. Needs ipykernel in one of
    the layers. Writes nothing but the kernel.json.
    """
    environment = _environment()
    from pyvarium import kernel, report, spack_api

    change = kernel.plan(
        environment,
        spack_api.variable_changes(environment.path),
        _kernel_directory(args),
        args.name or kernel.default_name(environment),
        args.display_name,
        force=args.force,
    )
    written = False if args.dry_run else kernel.write(change)
    return _print(report.kernel_installed(change, written, args.json))


def remove_kernels(args):
    """Remove kernels that 'kernel install' has made.

    Those of the names, or all of the active environment. Another kernel is left alone.

      spack pyvarium kernel remove spack-my-env
    """
    _require_libraries()
    from pyvarium import kernel, report

    directory = _kernel_directory(args)
    names = args.names
    if not names:
        environment = _environment()
        there = kernel.installed([directory])
        names = [one.name for one in there if one.environment == environment.path]
    changes = [kernel.plan_removal(directory, name, force=args.force) for name in names]
    for change in () if args.dry_run else changes:
        kernel.write(change)
    return _print(report.kernels_removed(changes, not args.dry_run, args.json))


def show_kernels(args):
    """List the kernels of environments, and whether each still starts.

    Looks wherever Jupyter does (JUPYTER_PATH, your own, /usr/local/share/jupyter), and in the
    active environment. 'outdated': spack.yaml or spack.lock was changed since, install it again.

      spack pyvarium kernel list
    """
    _require_libraries()
    from pyvarium import kernel, report

    if args.user or args.prefix or args.sys_prefix:
        directories = [_kernel_directory(args)]
    else:
        directories = _kernel_directories()
    return _print(report.kernels(kernel.installed(directories), args.json))


def pack_environment(args):
    """Pack an environment, both layers and python, into one file for other machines.

      spack -e my-env pyvarium pack -o my-env.tar.zst
      mkdir my-env && tar -xf my-env.tar.zst -C my-env
      my-env/bin/run_in_env python -c 'import numpy'
      spack pyvarium pack package.json -o package.tar.gz

    It runs from any directory on any machine of the same architecture with a C library as new as
    this machine's, as it is: it may be moved, linked to and read-only. Libraries from outside of
    Spack come along, those of drivers and the C library do not.
    """
    if args.specification is not None:
        return _pack_specification(args)
    if args.environment is not None:
        return _usage("pack --environment: takes SPEC.json; choose another one by spack -D DIR")
    _check_output(args.output)
    return _pack(args, _environment())


def _pack_specification(args):
    if args.dry_run:
        return _usage(
            "pack SPEC.json: has no --dry-run; see 'new --from SPEC.json --skip-install'"
        )
    if args.lower == "reference" and not args.environment:
        return _usage("pack SPEC.json --lower reference: takes --environment, to refer to")
    from pathlib import Path

    _require_libraries()
    _check_output(args.output)
    from pyvarium import authoring, report, spack_api, specified

    kept = Path(os.path.abspath(args.environment)) if args.environment else None
    wish = specified.read_wish(args.specification, kept, sys.stdin.buffer.read)
    fetcher = authoring.fetcher(offline=False)

    def announce(created):
        for line in report.announced(created):
            _say(line)

    with specified.make(wish, _session(args), fetcher, os.environ, announce) as made:
        return _pack(args, spack_api.read_environment(made.path), made.extra)


def _check_output(output):
    """Refuse now what would be refused when much is done."""
    from pathlib import Path

    _require_libraries()
    from pyvarium import pack_file

    pack_file.format_of(Path(output))


def _pack(args, environment, extra=None):
    from pathlib import Path

    from pyvarium import pack, pack_file, report, spack_api, spack_elf

    path = Path(os.path.abspath(args.output))
    wish = pack.Wish(
        slim=args.slim,
        exclude=tuple(args.exclude),
        reference=args.lower == "reference",
        editable=args.editable,
        force=args.force,
    )
    planned = pack.plan(
        environment,
        spack_api.defaults(),
        spack_api.variable_changes(environment.path),
        wish,
        spack_elf.parse,
        extra or pack.Extra(),
    )
    written = None
    if not args.dry_run:
        workers = max(2, len(os.sched_getaffinity(0)))
        written = pack_file.write(
            path, planned.origin, planned.content, workers=workers, report=_say
        )
    return _print(report.packed(path, planned, pack.sizes(planned.content), written, args.json))


def write_recipes(args):
    """Write recipes of Spack's for projects on the package index, and look after them.

    A recipe has many versions, from the metadata of their wheels and the text of their sdists, of
    which nothing is run without --hooks. The index is that of PIP_INDEX_URL or UV_INDEX_URL, else
    PyPI.

      spack pyvarium recipe create 'cattrs>=23' --repo ./my-recipes
      spack pyvarium recipe check py-rich
    """


def create_recipes(args):
    """Create recipes for projects, and for what they depend on.

      spack pyvarium recipe create 'cattrs>=23' --repo ./my-recipes
      spack pyvarium recipe create -r requirements.txt --repo site --closure outdated

    Where there is a recipe, one is written that extends it by the versions that it lacks, or none.
    Nothing is written into builtin. What no metadata says, such as libraries in C, is a FIXME.
    """
    if not args.requests and not args.requirements:
        return _usage("recipe create: takes a request or -r FILE")
    from pathlib import Path

    _require_libraries()
    from pyvarium import authoring

    repo, plan = authoring.plan_creation(
        args.requests, args.requirements, args.extras, _recipe_wish(args), _say
    )
    if args.mirror and not (args.check or args.diff or args.dry_run):
        authoring.fill_mirror(plan, Path(args.mirror), args.offline, _say)
    code = _write_recipes(args, repo, plan)
    if args.spec and code == 0 and not (args.check or args.diff or args.dry_run):
        failed, said = authoring.concretize(repo, plan)
        sys.stderr.write(said)
        code = 1 if failed else 0
    return code


def update_recipes(args):
    """Write anew what stands between the marks of recipes that 'recipe create' has made.

    The versions that are there stay, newer ones are added, lines outside of the marks are kept.

      spack pyvarium recipe update --diff cattrs
    """
    _require_libraries()
    from pyvarium import authoring

    repo, plan = authoring.plan_update(args.names, _recipe_wish(args), _say)
    return _write_recipes(args, repo, plan)


def _recipe_wish(args):
    from pyvarium import authoring

    closure = getattr(args, "closure", "missing")
    return authoring.Wish(args.repo, args.versions, closure, args.offline, args.hooks)


def _write_recipes(args, repo, plan):
    """Write what is planned, have Spack look at it, and print the answer."""
    from pyvarium import authoring, report

    written = not (args.check or args.diff or args.dry_run)
    if written:
        authoring.write(repo, plan)
    answer = report.recipes(
        plan, written=written, check=args.check, diff=args.diff, as_json=args.json
    )
    sys.stdout.write(answer.text)
    sys.stdout.flush()  # The notes are read after it.
    for note in answer.notes:
        _say(note)
    if not written:
        return answer.code
    sound = authoring.audit(repo, plan, _say)
    if plan.recipes and not repo.configured:
        import shlex

        where = shlex.quote(str(repo.root))
        _say("Spack does not look into this repo yet; have it do so by: spack repo add %s" % where)
    return answer.code if sound else 1


def check_recipes(args):
    """Compare recipes, also hand-written ones, with the metadata of their versions.

    Finds what is missing, what is looser than upstream says, and what upstream does not ask for
    (any more), each with the versions and the requirement that show it. Exits with 3 if it finds
    something. Only what is needed to run is compared.

      spack pyvarium recipe check py-rich
    """
    _require_libraries()
    from pyvarium import authoring, report

    checked, notes = authoring.check(args.names, args.offline, _say)
    return _print(report.recipe_findings(checked, notes, args.json))


def score_recipes(args):
    """Measure how near recipes made of metadata come to those written by hand.

    For the recipes named, or for every n-th of all that name a project on the index: makes a
    recipe of the versions that each has, writes nothing, and counts the dependencies that both
    have, with which ranges, by version, python and platform.

      spack pyvarium recipe score py-rich py-black
      spack pyvarium recipe score --every 45
    """
    _require_libraries()
    from pyvarium import authoring, report

    scored = authoring.score(args.names, args.every, args.offset, args.offline, _say)
    return _print(report.recipe_scores(scored, args.json))


def generate_modules(args):
    """Write module files that load both layers of an environment, without Spack.

    In Tcl for Environment Modules and Lmod, in Lua for Lmod, into the roots of modules.yaml:

      spack pyvarium modulegen my-env ~/projects/analysis
      module use ~/spack/share/spack/modules/linux-debian12-x86_64
      module load pyvarium/my-env

    What is in the name comes from --name, the setting modules.name, or a projection for 'pyvarium'
    or 'all' in modules.yaml: {environment}, {digest} (of the locks), {python}. A site's own
    template is named in modules.yaml: modules:default:tcl:pyvarium:template.
    """
    from pathlib import Path

    printed = args.output == "-"
    if printed and (args.remove or args.check or args.diff or args.json or args.dry_run):
        return _usage("modulegen -o -: only prints a module file")
    if printed and (args.lang is None or len(args.environments) > 1):
        return _usage("modulegen -o -: prints one module file; name one environment and --lang")
    if args.remove and args.force:
        return _usage(
            "modulegen --remove: removes only what is its own; --force does not change it"
        )
    _require_libraries()
    from pyvarium import modulegen, report, spack_api, spack_modules
    from pyvarium.modulefile import Language

    directories = [spack_api.environment_directory(word) for word in args.environments]
    wish = modulegen.Wish(
        languages=(Language(args.lang),) if args.lang else (),
        output=Path(os.path.abspath(args.output)) if args.output and not printed else None,
        name=args.name,
        force=args.force or printed,
    )
    planned = []
    for path in directories or [spack_api.require_environment().path]:
        site = spack_modules.site(path, args.module_set)
        if args.remove:
            planned += modulegen.plan_removal(path, path.name, site, wish)
            continue
        environment = spack_api.read_environment(path)
        described = modulegen.describe(
            environment,
            spack_api.variable_changes(path),
            spack_api.version(),
            spack_api.defaults(),
        )
        planned += modulegen.plan(described, site, wish, spack_modules.renderer(path))
    if printed:
        return _print(report.Answer(planned[0].change.after.decode("utf-8")))
    modulegen.refuse_twins(planned)
    written = not (args.check or args.diff or args.dry_run)
    if written:
        modulegen.write(planned)
    return _print(
        report.module_files(
            planned, written=written, check=args.check, diff=args.diff, as_json=args.json
        )
    )


def configure(args):
    """Show the settings and where each comes from, or change one.

    A scope is one of Spack's configuration, or 'project': [tool.pyvarium] in the pyproject.toml of
    the active environment. The settings:

      auto-sync        where automatic sync acts: off, existing, all, opted-in;
                       in a project: true, false
      auto-sync-paths  only in environments below one of these paths, and below none with '!'
                       before it; parts may have * and ?, and Spack's variables as $user
      backend          what installs from the package index: uv, poetry, pdm, pip
      git.commit       true: commit the files of an environment after a sync that changed them
      git.push         true: and push them
      log              file to which automatic sync appends what it did, as lines of JSON
      mode             bound: what Spack provides comes from Spack alone; portable: the project
                       also installs where there is no Spack
      modules.name     name of the modules that modulegen writes
      quiet            true: automatic sync says only what has to be mended
      recipe.repo      namespace or directory of the repo that recipes are written to
      tools.uv ...     path of a backend's program (default: the one on PATH)

    Only auto-sync, backend and mode are for a project. What an admin forces (auto-sync,
    auto-sync-paths, log, quiet) holds for everybody above that scope.

      spack pyvarium config
      spack pyvarium config backend poetry
      spack pyvarium config --scope site --force auto-sync off
    """
    if args.unset and (args.key is None or args.values):
        return _usage("config --unset: takes a key and no value")
    if args.force and not (args.unset or args.values):
        return _usage("config --force: takes a key and a value, or --unset")
    from pyvarium import libraries

    libraries.require()
    from pyvarium import config, report

    if not args.values and not args.unset:
        found = config.shown(args.key, args.scope)
        return _print(report.settings(found, config.scope_names(), args.key, args.json))
    scope = args.scope or "user"
    change = config.with_value(scope, args.key, args.values or None, force=args.force)
    written = change.write()
    note = None if args.unset else config.overruling(scope, args.key)
    return _print(report.setting_changed(args.key, args.unset, change, written, note, args.json))


def set_up(args):
    """Register command, automatic sync, package repo and templates with this Spack.

    Writes one entry into include.yaml of a configuration scope, and installs the libraries beside
    the clone if Spack's Python lacks them. No file of Spack is changed. From a fresh clone:

      spack -c "config:extensions:[CLONE/spack-pyvarium]" pyvarium setup

    With a word, it installs what one works with and leaves the registration as it is:

      spack pyvarium setup uv PREFIX

    --status exits with 3 where something has to be mended, and says what.
    """
    if args.force and not args.auto_sync:
        return _usage("setup --force: takes --auto-sync")
    from pathlib import Path

    from pyvarium import report, setup
    from pyvarium.settings import Policy

    if args.status:
        return _print(report.setup_status(setup.state().as_json(), args.json))
    if args.remove:
        steps = setup.unregister(args.scope)
    else:
        policy = Policy(args.auto_sync) if args.auto_sync else None
        source = Path(args.libraries_from) if args.libraries_from else None
        steps = setup.register(args.scope or "user", policy, source, force=args.force)
    done = []
    for line in steps:  # Each is said when it is done: the next may fail.
        done.append(line)
        if not args.json:
            sys.stdout.write(line + "\n")
    if args.json:
        return _print(report.Answer(report.render_json({"done": done})))
    return _print(report.Answer("" if done else "nothing to do\n"))


def set_up_backend(args):
    """Install {0} into a directory of its own.

    Makes a venv with {0} from the package index in PREFIX, or finds that it is there, and names
    it in Spack's configuration, where later commands look for it. A newer version comes with
    --version; what else stands in PREFIX is not touched.

      spack pyvarium setup {0} ~/tools/{0}
    """
    from pathlib import Path

    from pyvarium import libraries

    if _registers(args):
        return _usage("setup %s: takes no option of the registration" % args.backend)
    libraries.require()
    from pyvarium import report, setup
    from pyvarium.model import Backend

    installation, change = setup.install_tool(
        Backend(args.backend),
        Path(args.prefix),
        args.scope or "user",
        version=args.tool_version,
        python=args.python,
        report=_say,
    )
    return _print(report.installation(args.backend, installation, change, args.json))


def set_up_spack(args):
    """Clone and prepare a Spack in a directory of its own.

    Brings matching recipes, and finds python, compilers and build tools of this machine. The Spack
    in PREFIX neither reads nor writes the configuration of others; PREFIX can be removed as a
    whole. Prints the path of its command.

      spack pyvarium setup spack ~/my-spack --release v1.1.0
    """
    from pathlib import Path

    from pyvarium import report, setup

    if _registers(args) or args.scope:
        return _usage("setup spack: takes no option of the registration")
    host, registered = setup.prepare_spack(Path(args.prefix), args.release, args.python, _say)
    if args.json:
        answer = {"spack": str(host.spack), "python": str(host.python), "registered": registered}
        return _print(report.Answer(report.render_json(answer)))
    return _print(report.Answer("%s\n" % host.spack))


def print_completion(args):
    """Print what completes this command in a shell, for its start-up file.

      source <(spack pyvarium completion bash)

    Words, options and their values, behind 'spack -e NAME' too; also the names of environments and
    of distributions, found by files. What Spack itself completes stays. Make it anew after an
    upgrade.
    """
    from pyvarium import completion, report, settings, spack_api

    parser = argparse.ArgumentParser()
    setup_parser(parser)
    special = {("config", "key"): tuple(settings.KINDS), ("remove", "names"): ()}
    text = completion.render(
        completion.Shell(args.shell),
        tuple(completion.describe(parser, special)),
        spack_api.environments_root(),
    )
    return _print(report.Answer(text))


def _kernel_directory(args):
    """Where to put kernels, or to look for them."""
    from pathlib import Path

    from pyvarium import kernel

    if args.prefix:
        return kernel.below(Path(args.prefix))
    if args.sys_prefix:
        return kernel.below(_environment().venv)
    return kernel.kernels_in(kernel.user_data(os.environ, _home(), sys.platform))


def _kernel_directories():
    """Wherever there may be kernels."""
    from pyvarium import kernel, spack_api

    environment = spack_api.active_environment()
    own = [] if environment is None else [kernel.below(environment.venv)]
    return [*own, *kernel.search_path(os.environ, _home(), sys.platform)]


def _home():
    from pathlib import Path

    return Path(os.path.realpath(os.path.expanduser("~")))  # As Jupyter finds it.


def _registers(args):
    """Whether there are options that are only for a setup without a word."""
    return args.status or args.remove or args.auto_sync or args.force or args.libraries_from


def _environment():
    """The active environment, and the libraries that the core is about to import."""
    _require_libraries()
    from pyvarium import spack_api

    return spack_api.require_environment()


def _require_libraries():
    from pyvarium import libraries

    libraries.require()


def _session(args):
    """What a command that starts Spack anew hands on to it."""
    from pyvarium import lifecycle

    options = []
    for option, values in (("-c", "config_vars"), ("-C", "config_scopes")):
        for value in getattr(args, values, None) or ():
            if isinstance(value, str):  # Spack 1.0 keeps a mark of the environment among them.
                options += [option, value]
    return lifecycle.Session(_say, options, args.jobs if "jobs" in args else None)


def _print(answer):
    for note in answer.notes:
        _say(note)
    sys.stdout.write(answer.text)
    return answer.code


def _say(line):
    sys.stderr.write("==> %s\n" % line)
    sys.stderr.flush()


def _error(message):
    _say("Error: %s" % message)
    return 1


def _usage(message):
    _say("Error: %s; see --help" % message)
    return 2
