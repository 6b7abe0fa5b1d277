# SPDX-License-Identifier: Apache-2.0
"""kill: a signal to the container's first process, to one, or to all."""

import _signal
import posix

from oci import state
from oci.control import Client
from oci.errors import NotRunning, RunscError
from oci.names import signal_number

SIGKILL = 9
SANDBOX_ANSWER_S = 3.0


def run(common, options, arguments, log):
    """The signal is TERM unless given, as 15, TERM or SIGTERM."""
    text = arguments[1] if len(arguments) > 1 else "TERM"
    number = signal_number(text)
    if number is None:
        raise RunscError(f'unknown signal "{text}"')
    container = state.peek(common["root"], arguments[0])
    if not container.is_alive():
        if options["all"]:
            return 0  # asked for by containerd after the end of a pod: nobody is left to get it
        raise NotRunning(container.id)
    try:
        client = Client(container.id, container.directory_fd, SANDBOX_ANSWER_S)
        client.call("kill", signal=number, all=options["all"], pid=options["pid"])
    except NotRunning:
        if number != SIGKILL or options["pid"]:
            raise
        kill_sandbox(container)
    return 0


def kill_sandbox(container):
    """The kernel does not answer: SIGKILL ends it, and its guests with it."""
    try:
        pidfd = posix.pidfd_open(container.values["pid"])
    except OSError:
        raise NotRunning(container.id) from None
    if not container.is_alive():
        raise NotRunning(container.id)
    _signal.pidfd_send_signal(pidfd, SIGKILL)
    posix.close(pidfd)
