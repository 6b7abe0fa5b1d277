# SPDX-License-Identifier: Apache-2.0
"""IPC namespace: the System V objects of a container (ipc_namespaces(7))."""


class IpcNamespace:
    """Tables of System V shared memory, semaphores and message queues, filled by their system calls."""

    def __init__(self):
        self.tables = {}

    def new(self):
        """For CLONE_NEWIPC: an empty one."""
        return IpcNamespace()
