# SPDX-License-Identifier: Apache-2.0
"""Descriptors 0, 1 and 2 of a process that the host side starts: the host's, or a terminal of ours whose other side is the host's."""

from fs.devpts.console import HostConsole
from fs.host.file import HostFile

O_RDONLY, O_WRONLY = 0, 1


def give(sandbox, task, process, fds, console_fd):
    """Fill the descriptor table."""
    if console_fd >= 0:
        console = HostConsole(sandbox.kernel, sandbox.terminals(), console_fd)
        sandbox.consoles[task.group.pid] = console
        if sandbox.init is None:
            sandbox.consoles[0] = console
            console.follow_window()
        if process.console_size:
            console.set_size(*process.console_size)
        file = console.open_slave(task)
        for fd in range(3):
            task.files.install_at(fd, file if fd == 0 else file.get())
        return
    for fd, (host_fd, flags) in enumerate(zip(fds, (O_RDONLY, O_WRONLY, O_WRONLY), strict=False)):
        task.files.install_at(fd, HostFile(sandbox.kernel, host_fd, flags))
