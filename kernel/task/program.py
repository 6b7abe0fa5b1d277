# SPDX-License-Identifier: Apache-2.0
"""execve(2) as a system call: arguments from the guest, the file, the loader; then kernel.task.execve."""

from fs.vfs.operations import open_exec
from kernel.abi.errno import E2BIG, Errno
from kernel.loader.load import load
from kernel.task.execve import execute

MAX_ARG_STRLEN = 131072
CHUNK = 4096
AT_FDCWD = -100


def exec_path(task, directory, path, argv, envp, flags):
    """Replace the program; ORDERED, or Errno."""
    limit = argument_limit(task)
    arguments, size = read_strings(task, argv, limit)
    environment, _ = read_strings(task, envp, limit - size)
    file = open_exec(task, directory, path, flags)
    if not path or (directory != AT_FDCWD and not path.startswith(b"/")):
        path = b"/dev/fd/%d" % directory + (b"/" + path if path else b"")
    return execute(task, load_image(task, path, file, arguments, environment))


def load_image(task, path, file, argv, envp):
    """The loader with this sandbox's platform; takes the reference of file."""
    return load(task, lambda name: open_exec(task, AT_FDCWD, name), path, file, argv, envp, task.kernel.limits)


def argument_limit(task):
    """Bytes that strings and pointers may take: a quarter of the stack limit, at least 128 KiB, at most 6 MiB."""
    return max(min(task.group.limits.soft(3) // 4, 6 << 20), 131072)


def read_strings(task, address, limit):
    """(the strings of a NULL-terminated array, their size with pointers). NULL is an empty array."""
    strings, size = [], 0
    while address:
        for pointer in read_pointers(task, address):
            if not pointer:
                return strings, size
            try:
                strings.append(task.copy_in_string(pointer, MAX_ARG_STRLEN - 1))
            except Errno as error:
                raise Errno(E2BIG if error.number == 36 else error.number) from None
            size += len(strings[-1]) + 9
            if size > limit:
                raise Errno(E2BIG)
            address += 8
    return strings, size


def read_pointers(task, address):
    """The pointers up to the end of the page; at least one, or EFAULT."""
    length = max((CHUNK - address % CHUNK) // 8 * 8, 8)
    data = task.copy_in_some(address, length)
    if len(data) < 8:
        data = task.copy_in(address, 8)
    return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data) - 7, 8)]
