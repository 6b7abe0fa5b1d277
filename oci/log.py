# SPDX-License-Identifier: Apache-2.0
"""The runtime's own messages: errors on stderr and, one JSON object a line, in the file that --log names.

Daemons read the last line of that file to say why a command failed. A log that can't be written is no reason to fail.
"""

import posix
import time

from kernel.abi.json import dumps


class Log:
    """Where messages go."""

    def __init__(self, path="", debug=False, debug_fd=-1):
        self.path, self.debug, self.debug_fd = path, debug, debug_fd

    def error(self, text):
        """The command failed."""
        posix.write(2, f"runsc: {text}\n".encode("utf-8", "replace"))
        self.append("error", text)

    def warn(self, text):
        """Something was left out; the command goes on."""
        self.append("warning", text)
        if self.debug_fd >= 0:
            posix.write(self.debug_fd, f"W {text}\n".encode("utf-8", "replace"))

    def append(self, level, text):
        """One line in the log file."""
        if not self.path:
            return
        line = dumps({"msg": text, "level": level, "time": timestamp()}) + b"\n"
        try:
            fd = posix.open(self.path, posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_CLOEXEC | posix.O_NONBLOCK, 0o644)
            posix.write(fd, line)
            posix.close(fd)
        except OSError:
            pass


def timestamp():
    """Now, RFC 3339 with nanoseconds."""
    now = time.time_ns()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{now % 10**9:09d}Z"
