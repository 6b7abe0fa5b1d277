# SPDX-License-Identifier: Apache-2.0
"""Where the platform says what it refused. One line each, to descriptor 2 unless `sink` is replaced."""

import posix


def to_stderr(line: str) -> None:
    posix.write(2, line.encode("utf-8", "backslashreplace") + b"\n")


sink = to_stderr


def log(line: str) -> None:
    """Never fails: a refusal is carried out whether or not anybody reads of it."""
    try:
        sink(line)
    except OSError:
        pass
