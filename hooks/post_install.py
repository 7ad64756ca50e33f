# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""The hook that Spack calls for each spec it installs or removes.

It runs in the process that builds, which may be forked, sandboxed or holding the database. So it
only leaves a mark in the active environment, which is brought in step when the command ends.
"""

from pyvarium.registration import guarded


@guarded
def _leave_mark(spec):
    if spec.external:
        return  # Nothing of it is in a view.
    from pyvarium import spack_api

    state = spack_api.active_state()
    if state is None:
        return  # Nothing to keep in step.
    from pyvarium import mark

    mark.leave(state)


def post_install(spec, explicit=None):
    _leave_mark(spec)


def post_uninstall(spec):
    _leave_mark(spec)
