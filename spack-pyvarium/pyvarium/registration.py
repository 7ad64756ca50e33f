# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""Put the hook and the end-of-command sync into a Spack that is starting up.

Spack loads this in every command, so it imports nothing that Spack has not imported already, and
no failure in it reaches Spack. It is written for every Python that Spack supports (3.6), since it
is this module that must say so where Python is too old for the rest.

There are two ways here: the entry point ``spack.config`` of the installed distribution calls
``scope`` (``spack.config.config_paths_from_entry_points``), and an entry of ``include.yaml``
imports this module in its ``when`` (``spack.config.OptionalInclude``) and calls ``register``.
"""

import atexit
import functools
import importlib
import os
import sys
import types

from pyvarium import root

HOOKS = "pyvarium_hooks"
HOOK = HOOKS + ".post_install"
OLDEST_PYTHON = (3, 9)

#: The warnings of this process.
_said = set()

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
                "auto-sync": {
                    "anyOf": [  # By this form 'spack config add' knows what it is given.
                        {"type": "string", "enum": ["off", "existing", "all", "opted-in"]},
                        {"type": "boolean", "enum": [False]},
                    ]
                },
                "auto-sync-paths": {"type": "array", "items": {"type": "string"}},
                "backend": {"anyOf": [{"type": "string", "enum": ["uv", "poetry", "pdm", "pip"]}]},
                "git": {
                    "type": "object",
                    "default": {},
                    "additionalProperties": False,
                    "properties": {"commit": {"type": "boolean"}, "push": {"type": "boolean"}},
                },
                "log": {"type": "string"},
                "mode": {"anyOf": [{"type": "string", "enum": ["bound", "portable"]}]},
                "modules": {
                    "type": "object",
                    "default": {},
                    "additionalProperties": False,
                    "properties": {"name": {"type": "string"}},
                },
                "quiet": {"type": "boolean"},
                "recipe": {
                    "type": "object",
                    "default": {},
                    "additionalProperties": False,
                    "properties": {"repo": {"type": "string"}},
                },
                "tools": {
                    "type": "object",
                    "default": {},
                    "additionalProperties": False,
                    "properties": {
                        name: {"type": "string"} for name in ("uv", "poetry", "pdm", "pip")
                    },
                },
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
            text = " ".join(text.split())
            if text not in _said:  # As when each spec or the end of the process finds the same.
                _said.add(text)
                sys.stderr.write("==> Warning: pyvarium: %s\n" % text)
            return None

    return wrapper


@guarded
def scope():
    """Register, and return the path of a configuration scope with extension and package repo."""
    import spack

    register()
    name = "scope" if spack.spack_version_info >= (1,) else "scope-0.23"  # There repos is a list.
    return os.path.join(root(), "spack-pyvarium", name)


def add_section():
    """Teach the running Spack our section of its configuration."""
    import spack.config
    import spack.schema

    spack.config.SECTION_SCHEMAS.setdefault("pyvarium", SCHEMA)
    spack.schema.pyvarium = types.SimpleNamespace(schema=SCHEMA)  # For 'spack config add'.


def is_registered():
    """Whether hook and end-of-command sync are in place in the running Spack."""
    import spack.hooks

    return HOOK in spack.hooks._HookRunner.HOOK_ORDER


@guarded
def register():
    """Add hook, configuration section and end-of-command sync to the running Spack, once."""
    if sys.version_info < OLDEST_PYTHON:
        return  # The command says what is wrong; a warning in every command would not help.
    import spack.hooks

    add_section()
    order = spack.hooks._HookRunner.HOOK_ORDER
    if is_registered():
        return
    _make_importable()
    importlib.import_module(HOOK)  # If it is broken, then here: else it would fail each install.
    last = "spack.hooks.autopush"
    order.insert(order.index(last) if last in order else len(order), HOOK)
    for runner in (spack.hooks.post_install, spack.hooks.post_uninstall):
        runner.__dict__.pop("_hooks", None)
    _wrap_commands()
    atexit.register(_at_exit, os.getpid())


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
        name = getattr(command, "__name__", "")
        _before(name)
        try:
            return invoke(command, *args)
        finally:
            _after(name)

    main._invoke_command = invoke_then_sync


def _is_active():
    environment = sys.modules.get("spack.environment")
    return environment is not None and environment.active_environment() is not None


@guarded
def _before(command):
    """Mark that a sync is due: the command may be killed before it comes to that."""
    if not _is_active():
        return
    from pyvarium import mark

    if command in mark.CHANGING:
        from pyvarium import spack_api

        mark.leave(spack_api.active_state())


@guarded
def _after(command):
    if not _is_active():
        return
    from pyvarium import mark, spack_api

    if not mark.is_due(spack_api.active_state(), command):
        return
    from pyvarium import libraries

    libraries.require()
    from pyvarium import automatic

    for line in automatic.after_command(command):
        sys.stderr.write("==> %s\n" % line)


def _at_exit(pid):
    """What no command covered, as in a script run by Spack's Python; not in a forked child."""
    if os.getpid() == pid:
        _after("")
