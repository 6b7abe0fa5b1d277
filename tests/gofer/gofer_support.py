# SPDX-License-Identifier: Apache-2.0
"""Gofers for tests, a forked process each over a socket pair, and short forms of reading and writing."""

import os
import signal
import socket
import traceback

from fs.gofer.connection import Connection
from fs.gofer.inode import GoferFileSystem
from kernel.mm.userbuffer import KernelBuffer
from kernel.task.creds import Creds

ROOT = Creds(0, 0)


def run_server(sock, attaches, is_jailed):
    """In the child: serve, then end."""
    from gofer import jail, main

    try:
        points = [(os.open(path, os.O_PATH), read_only) for path, read_only in attaches]
        if is_jailed:
            jail.enter(sock, points)
        main.serve(sock, points)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


class Gofers:
    """Starts gofers, and ends them with the test."""

    def __init__(self):
        self.pids = []

    def start(self, *attaches, is_jailed=False):
        """The client's end of a gofer's socket; attaches are (path, read_only)."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            run_server(theirs.detach(), attaches, is_jailed)
        theirs.close()
        self.pids.append(pid)
        ours.settimeout(10)
        return ours

    def mount(self, path, *, exclusive=True, read_only=False):
        """The path as a file system of the kernel."""
        sock = self.start((path, read_only))
        sock.settimeout(None)
        return GoferFileSystem(Connection(sock.detach()), b"0", exclusive=exclusive)

    def end(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.pids = []


def write(file, data, pos=0):
    """Write all of data."""
    return file.write(None, KernelBuffer(data=data), pos)


def read(file, count=1 << 20, pos=0):
    """Read up to count bytes."""
    buffer = KernelBuffer(count)
    got = file.read(None, buffer, pos)
    assert got == len(buffer.data)
    return bytes(buffer.data)
