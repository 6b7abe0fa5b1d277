# SPDX-License-Identifier: Apache-2.0
"""IPC namespace: the System V objects of a container (ipc_namespaces(7))."""

# /proc/sysvipc/*
HEADERS = {
    "shm": "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
    "      atime      dtime      ctime                   rss                  swap\n",
    "sem": "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
    "msg": "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n",
}


class IpcNamespace:
    """Tables of System V shared memory, semaphores and message queues, filled by their system calls."""

    def __init__(self):
        self.tables = {}

    def new(self):
        """For CLONE_NEWIPC: an empty one."""
        return IpcNamespace()

    def listing(self, kind):
        """Text of /proc/sysvipc/KIND."""
        table = self.tables.get(kind)
        objects = sorted(table.objects.items()) if table is not None else ()
        return HEADERS[kind] + "".join(f"{item.key:10} {item.id:10}  {item.mode:4o} {item.figures()}\n" for _, item in objects)
