# SPDX-License-Identifier: Apache-2.0
"""Where the platform says what it refused. One line each, to descriptor 2 unless `sink` is replaced."""

import os
from collections.abc import Callable


def to_stderr(line: str) -> None:
    os.write(2, line.encode("utf-8", "backslashreplace") + b"\n")


sink: Callable[[str], None] = to_stderr


def log(line: str) -> None:
    """Never fails: a refusal is carried out whether or not anybody reads of it."""
    try:
        sink(line)
    except OSError:
        pass
