# SPDX-License-Identifier: Apache-2.0
"""What opening the device nodes of terminals leads to."""

from fs.devpts.files import SlaveFile
from kernel.abi.errno import ENXIO, Errno
from kernel.abi.fs import O_NOCTTY


def open_controlling_terminal(task, inode, flags):
    """/dev/tty: the terminal of the caller's session; ENXIO without one."""
    tty = task.group.pgrp.session.tty
    if tty is None:
        raise Errno(ENXIO)
    return SlaveFile(task, inode, tty, flags | O_NOCTTY)


def open_console(task, inode, flags):
    """/dev/console: the terminal that the container was given; ENXIO without one."""
    console = task.kernel.services.consoles.get(0)
    if console is None or not console.tty.master_open:
        raise Errno(ENXIO)
    return SlaveFile(task, inode, console.tty, flags | O_NOCTTY)


def open_ptmx(task, inode, flags):
    """/dev/ptmx: a new terminal's master."""
    return task.kernel.services.terminals().open_master(task, inode, flags)


def open_slave(task, number, flags):
    """/dev/pts/N, wherever its node is; ENXIO if there is no such terminal."""
    node = task.kernel.services.terminals().nodes.get(number)
    if node is None:
        raise Errno(ENXIO)
    return node.open(task, flags)
