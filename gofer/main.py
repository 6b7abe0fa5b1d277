# SPDX-License-Identifier: Apache-2.0
"""The gofer's life after its jail is closed: serve one client until it hangs up."""

from gofer import localfs
from gofer.extension import ExtendedServer
from gofer.fid import Tree


def serve(sock_fd: int, attaches: list[tuple[int, bool]]) -> None:
    """Serve the trees [(O_PATH descriptor, read-only)] over a connected stream socket. Returns at its end.

    The descriptors become ours. The working directory becomes /proc/self/fd, if the jail did not see to that.
    """
    localfs.use_proc()
    ExtendedServer(sock_fd, [Tree(fd, read_only) for fd, read_only in attaches]).serve()
