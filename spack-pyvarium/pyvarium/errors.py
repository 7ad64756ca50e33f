# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The errors that a user can mend. Each message is one line: subject, what is wrong, remedy."""

from __future__ import annotations


class PyvariumError(Exception):
    """Something the user can mend: ``<subject>: <what is wrong>; <what to do>``."""


class PyprojectError(PyvariumError):
    """``pyproject.toml`` cannot be read, or cannot be changed without touching the user's text."""


class LockfileError(PyvariumError):
    """``spack.lock`` is missing, malformed, or of a format that is not known here."""


class ProvidedError(PyvariumError):
    """The view or the store contradicts the lockfile, or itself."""


class StaleViewError(ProvidedError):
    """The view holds another environment than the lockfile."""


class MetadataError(PyvariumError):
    """The metadata of one distribution cannot be used."""


class FileError(PyvariumError):
    """A file or directory cannot be read, locked or written."""


class RecipeError(PyvariumError):
    """A recipe cannot be made, or cannot be changed without touching the user's text."""


def quoted(text: str) -> str:
    """A text of somebody else, short, in quotes, on one line and in ASCII, for a message."""
    return ascii(text if len(text) <= 80 else f"{text[:77]}...")
