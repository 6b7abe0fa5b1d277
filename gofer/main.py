# SPDX-License-Identifier: Apache-2.0
"""The gofer's life after its jail is closed: serve one client until it hangs up."""

from gofer.extension import ExtendedServer
from gofer.fid import Tree


def serve(sock_fd: int, attaches: list[tuple[int, bool]]) -> None:
    """Serve the trees [(O_PATH descriptor, read-only)] over a connected stream socket. Returns at its end.

    The working directory must be /proc/self/fd by now (gofer.localfs.use_proc), and the umask 0.
    """
    ExtendedServer(sock_fd, [Tree(fd, read_only) for fd, read_only in attaches]).serve()
