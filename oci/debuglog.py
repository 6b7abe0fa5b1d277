# SPDX-License-Identifier: Apache-2.0
"""Where the debug log goes: --debug-log is a file, a pattern, or a directory when it ends in a slash."""

import posix
import time


def open_debug_log(common, command, arguments):
    """A descriptor, or -1 for none. Without a file --debug writes to our stderr."""
    path = common["debug-log"]
    if not path:
        return posix.dup(2) if common["debug"] or common["strace"] or common["alsologtostderr"] else -1
    container_id = arguments[0].replace("/", "_") if arguments else ""
    if path[-1] == "/":
        path += "runsc.log.%TIMESTAMP%.%COMMAND%.txt"
    for word, value in (("%COMMAND%", command), ("%ID%", container_id), ("%TIMESTAMP%", time.strftime("%Y%m%d-%H%M%S"))):
        path = path.replace(word, value)
    try:
        return posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_CLOEXEC, 0o644)
    except OSError:
        return -1
