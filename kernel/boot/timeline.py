# SPDX-License-Identifier: Apache-2.0
"""When a start did what, for the debug log. The command begins the list, and the gofer and the sentry go on with it;
each says at its end what it knows.
"""

import posix
from time import monotonic_ns

marks: list[tuple[int, str]] = []  # (ns, what has just been done)


def mark(what):
    """This is done now."""
    marks.append((monotonic_ns(), what))


def tell(fd):
    """To a debug log, or to nobody if it is -1."""
    if fd >= 0:
        posix.write(fd, text().encode() + b"\n")


def text():
    """One line: milliseconds since the first mark."""
    first = marks[0][0] if marks else 0
    return "start in ms: " + ", ".join([f"{(ns - first) / 1e6:.1f} {what}" for ns, what in marks])
