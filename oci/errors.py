# SPDX-License-Identifier: Apache-2.0
"""Errors of the commands. Their text reaches Docker, which matches words in it (see the exit statuses 125, 126 and 127)."""

OWN_FAILURE = 128


class RunscError(Exception):
    """A command failed; the message is for the user."""


class UsageError(RunscError):
    """The command line is wrong."""


class NoSuchContainer(RunscError):
    """There is no state for this id."""

    def __init__(self, container_id):
        super().__init__(f'container "{container_id}" does not exist')


class NotRunning(RunscError):
    """The container's program is gone."""

    def __init__(self, container_id):
        super().__init__(f'container "{container_id}": container not running')
