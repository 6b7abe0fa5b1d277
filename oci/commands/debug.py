# SPDX-License-Identifier: Apache-2.0
"""debug: a look into a sandbox for those who work on it."""

import posix

from oci import state
from oci.commands.ps import table
from oci.control import Client
from oci.errors import NotRunning, UsageError
from oci.memory import report


def run(common, options, arguments, log):
    """Stacks, processes, memory, or a signal to the sandbox process."""
    if not arguments:
        raise UsageError("debug needs an ID")
    container = state.peek(common["root"], arguments[0])
    if not container.is_alive():
        raise NotRunning(container.id)
    if options["signal"]:
        posix.kill(container.values["pid"], options["signal"])
        return 0
    if options["memory"]:
        posix.write(1, report(container).encode())
        return 0
    client = Client(container.id, container.directory_fd)
    if options["stacks"]:
        posix.write(1, str(client.call("stacks")["text"]).encode("utf-8", "replace"))
    if options["ps"]:
        posix.write(1, table(client.call("ps")["processes"]).encode("utf-8", "replace"))
    if not (options["stacks"] or options["ps"]):
        posix.write(1, b"sandbox pid %d, gofer pid %d\n" % (container.values["pid"], container.values["goferPid"]))
    return 0
