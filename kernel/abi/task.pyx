# SPDX-License-Identifier: Apache-2.0
"""Processes: clone, wait, limits, capabilities, prctl, scheduling (uapi/linux headers of those names)."""

# Beyond what a C enum holds: Python only.
__WCLONE = 0x80000000
CLONE_IO = 0x80000000
CLONE_CLEAR_SIGHAND = 0x100000000
CLONE_INTO_CGROUP = 0x200000000
