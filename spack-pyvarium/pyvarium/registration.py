# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Put the hook and the end-of-command sync into a Spack that is starting up.

Spack loads this in every command, so it imports nothing that Spack has not imported already, and
no failure in it reaches Spack. It is written for every Python that Spack supports (3.6), since it
is this module that must say so where Python is too old for the rest.

There are two ways here: the entry point ``spack.config`` of the installed distribution calls
``scope`` (``spack.config.config_paths_from_entry_points``), and an entry of ``include.yaml`` runs
this file in its ``when`` (``spack.config.OptionalInclude``) and calls ``register``.
"""

import atexit
import functools
import os
import sys
import types

HOOKS = "pyvarium_hooks"
HOOK = HOOKS + ".post_install"
OLDEST_PYTHON = (3, 9)

#: The section ``pyvarium`` of Spack's configuration: ``pyvarium.yaml`` in any scope.
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "spack-pyvarium configuration file schema",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "pyvarium": {
            "type": "object",
            "default": {},
            "additionalProperties": False,
            "properties": {
                "auto-sync": {"enum": ["off", "existing", "all", "opted-in", False]},
            },
        }
    },
}


def is_plain(error):
    """Whether an error is one of ours, whose message names the remedy."""
    return any(kind.__name__ == "PyvariumError" for kind in type(error).__mro__)


def guarded(function):
    """Turn any failure of a convenience into one warning, so that no Spack command fails of it."""

    @functools.wraps(function)
    def wrapper(*args):
        try:
            return function(*args)
        except Exception as error:
            text = str(error)
            if not is_plain(error):
                text = "%s: %s; set SPACK_PYVARIUM=off and report it" % (
                    type(error).__name__,
                    text,
                )
            sys.stderr.write("==> Warning: pyvarium: %s\n" % " ".join(text.split()))
            return None

    return wrapper


def root():
    """The directory that holds ``spack-pyvarium``, ``hooks``, ``templates`` and ``packages``.

    In a clone that is the top level; the installed distribution keeps a copy of it in ``share``.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    share = os.path.join(here, "share")
    return share if os.path.isdir(share) else os.path.dirname(os.path.dirname(here))


def scope():
    """Register, and return the path of a configuration scope with extension and package repo."""
    register()
    return os.path.join(root(), "spack-pyvarium", "scope")


def add_section():
    """Teach the running Spack our section of its configuration."""
    import spack.config

    spack.config.SECTION_SCHEMAS.setdefault("pyvarium", SCHEMA)


def is_registered():
    """Whether hook and end-of-command sync are in place in the running Spack."""
    import spack.hooks

    return HOOK in spack.hooks._HookRunner.HOOK_ORDER


@guarded
def register():
    """Add hook, configuration section and end-of-command sync to the running Spack, once.

    Returns True: as the condition of an include, it then also includes the scope.
    """
    if sys.version_info < OLDEST_PYTHON:
        return True  # The command says what is wrong; a warning in every command would not help.
    import spack.hooks

    add_section()
    order = spack.hooks._HookRunner.HOOK_ORDER
    if is_registered():
        return True
    _make_importable()
    last = "spack.hooks.autopush"
    order.insert(order.index(last) if last in order else len(order), HOOK)
    for runner in (spack.hooks.post_install, spack.hooks.post_uninstall):
        runner.__dict__.pop("_hooks", None)
    _wrap_commands()
    atexit.register(_at_exit, os.getpid())
    return True


def _make_importable():
    package = types.ModuleType(HOOKS)
    package.__path__ = [os.path.join(root(), "hooks")]
    sys.modules[HOOKS] = package
    parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if parent not in sys.path:
        sys.path.append(parent)


def _wrap_commands():
    """Run the sync after each command, also one that fails: specs may have been installed."""
    main = sys.modules.get("spack.main")
    invoke = getattr(main, "_invoke_command", None)
    if invoke is None:
        return  # Not the ``spack`` program; the hook and the end of the process are left.

    @functools.wraps(invoke)
    def invoke_then_sync(command, *args):
        try:
            return invoke(command, *args)
        finally:
            _after(getattr(command, "__name__", ""))

    main._invoke_command = invoke_then_sync


@guarded
def _after(command):
    environment = sys.modules.get("spack.environment")
    if environment is None or environment.active_environment() is None:
        return
    from pyvarium import libraries

    libraries.require()
    from pyvarium import automatic

    for line in automatic.after_command(command):
        sys.stderr.write("==> pyvarium: %s\n" % line)


def _at_exit(pid):
    """What no command covered, as in a script run by Spack's Python; not in a forked child."""
    if os.getpid() == pid:
        _after("")
