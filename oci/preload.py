# SPDX-License-Identifier: Apache-2.0
"""Development builds only: imports all of the kernel before the jail closes.

In the executable every module is linked in and an import opens nothing; in a source tree it does, and a module that the kernel imports at
its first use would be out of reach.
"""

import posix
import sys

CHOSEN = ("kernel.platform.ptrace",)  # imported by whoever chose it, since its own imports are slow
SUFFIXES = (".py", ".cpython-311-x86_64-linux-gnu.so")


def preload_tree(packages, log_fd):
    """Imports each module of the packages once; one that is broken is left for whoever needs it, and named in the debug log."""
    if getattr(sys, "frozen", False):
        return
    top = __file__.rpartition("/oci/")[0]
    for package in packages:
        preload(f"{top}/{package.replace('.', '/')}", package, log_fd)


def preload(directory, package, log_fd):
    """One package and those inside it."""
    for entry in posix.scandir(directory):
        if entry.is_dir():
            if entry.name != "__pycache__" and f"{package}.{entry.name}" not in CHOSEN:
                preload(entry.path, f"{package}.{entry.name}", log_fd)
            continue
        for suffix in SUFFIXES:
            if entry.name.endswith(suffix) and entry.name != "__init__.py":
                preload_module(f"{package}.{entry.name[: -len(suffix)]}", log_fd)


def preload_module(name, log_fd):
    """One module."""
    if name in sys.modules:
        return
    try:
        __import__(name)
    except Exception as error:
        if log_fd >= 0:
            posix.write(log_fd, f"preload: {name}: {type(error).__name__}: {error}\n".encode())
