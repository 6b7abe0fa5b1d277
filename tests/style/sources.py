# SPDX-License-Identifier: Apache-2.0
"""The files that the style tests look at: those that git tracks, or would track."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kernel", "fs", "net", "gofer", "oci")
SOURCE_SUFFIXES = {".py", ".pyi", ".pyx", ".pxd", ".c", ".h", ".S", ".ld", ".sh", ".spec", ".toml", ".txt", ".pml"}


@cache
def tracked() -> list[str]:
    """Paths relative to the root."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return sorted({name for name in names if (ROOT / name).is_file()})


def with_suffix(*suffixes: str) -> list[str]:
    """Tracked files with one of these suffixes."""
    return [name for name in tracked() if Path(name).suffix in suffixes]


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
