# SPDX-License-Identifier: Apache-2.0
"""What pause and resume share: the kernel inside stops or lets go its tasks, the state file remembers."""

from oci import state
from oci.control import Client
from oci.errors import NotRunning, RunscError


def switch(root, container_id, operation, allowed, status_after):
    """Asks the sandbox, then writes the new status."""
    container = state.load(root, container_id)
    status = container.status()
    if status == "stopped":
        raise NotRunning(container_id)
    if status not in allowed:
        raise RunscError(f'cannot {operation} container "{container_id}": it is {status}')
    Client(container_id, container.directory_fd).call(operation)
    if operation == "pause":
        container.values["beforePause"] = status
    container.values["status"] = container.values.pop("beforePause", status_after) if operation == "resume" else status_after
    container.save()
    return 0
