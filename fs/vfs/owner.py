# SPDX-License-Identifier: Apache-2.0
"""Who an open file's SIGIO goes to (fcntl(2), F_SETOWN): a name that is resolved when it is needed."""

from kernel.abi.fs import F_OWNER_PGRP, F_OWNER_TID


class Owner:
    """A thread, process or process group by number; number 0 is nobody. Signals are sent with the rights of who set it."""

    def __init__(self, kind, number, signo, creds):
        self.kind = kind
        self.uid, self.euid = creds.uid, creds.euid
        self.number = number
        self.signo = signo  # F_SETSIG; 0: SIGIO

    def find(self, kernel):
        """The Task, ThreadGroup or ProcessGroup, or None if there is none."""
        if self.kind == F_OWNER_TID:
            return kernel.tasks.get(self.number)
        if self.kind == F_OWNER_PGRP:
            return kernel.pgrps.get(self.number)
        return kernel.groups.get(self.number)
