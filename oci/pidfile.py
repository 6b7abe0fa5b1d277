# SPDX-License-Identifier: Apache-2.0
"""Pid files: decimal digits without a newline, replaced at once so that a waiting reader never sees half of one."""

import posix

from oci.state import write_file


def write_pid_file(path, pid):
    """Writes one; "" is none."""
    if not path:
        return
    directory, _, name = path.rpartition("/")
    new = f"{directory}/.{name}.new" if directory or path[0] == "/" else f".{name}.new"
    write_file(new, b"%d" % pid, mode=0o644)
    posix.rename(new, path)
