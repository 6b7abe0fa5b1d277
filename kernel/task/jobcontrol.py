# SPDX-License-Identifier: Apache-2.0
"""What terminals and pipes do to processes: signals from the kernel itself (tty(4), pipe(7))."""

from kernel.abi.signal import SIG_IGN
from kernel.signal.pending import kernel_info
from kernel.signal.send import send_to_group, send_to_pgrp


def signal_group(group, signo):
    """To a process."""
    send_to_group(group, kernel_info(signo))


def signal_pgrp(pgrp, signo):
    """To all processes of a group."""
    send_to_pgrp(pgrp, kernel_info(signo))


def ignores(task, signo):
    """Blocked or ignored: job control leaves such tasks alone."""
    return bool(task.blocked >> (signo - 1) & 1) or task.group.handlers.get(signo).handler == SIG_IGN
