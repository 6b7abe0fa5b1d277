# SPDX-License-Identifier: Apache-2.0
"""wait: for the end of a container or of one of its processes."""

import posix

from kernel.abi.json import dumps
from oci import state
from oci.control import Client
from oci.errors import NotRunning


def run(common, options, arguments, log):
    """Prints {"id", "exitStatus"} as gVisor does."""
    container = state.peek(common["root"], arguments[0])
    if not container.is_alive():
        raise NotRunning(container.id)
    client = Client(container.id, container.directory_fd)
    status = client.call("wait", pid=options["pid"] or options["rootpid"])["status"]
    posix.write(1, dumps({"id": container.id, "exitStatus": status}) + b"\n")
    return 0
