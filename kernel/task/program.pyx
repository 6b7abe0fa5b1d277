# SPDX-License-Identifier: Apache-2.0
"""execve(2) as a system call: arguments from the guest, the file, the loader; then kernel.task.execve.

Arrays and strings lie close together, so guest memory is fetched up to the end of a page and what follows is looked for there first.
"""

from libc.string cimport memchr, memcpy

from kernel.abi.errno cimport E2BIG, EFAULT, ENAMETOOLONG, Errno
from kernel.task.task cimport Task

from fs.vfs.operations import open_exec
from kernel.loader.load import load
from kernel.task.execve import execute

cdef enum:
    MAX_ARG_STRLEN = 131072
    PAGE = 4096
    AT_FDCWD = -100
    WORD = 8


cdef class Fetched:
    """The part of a page that was read last."""

    cdef Task task
    cdef char bytes_read[PAGE]
    cdef unsigned long start
    cdef unsigned long length

    cdef int fetch(self, unsigned long address) except -1:
        """Everything from address to the end of its page; EFAULT."""
        cdef long got = self.task.mm.space.read(address, self.bytes_read, PAGE - (address & (PAGE - 1)))
        self.length = 0
        if got <= 0:
            raise Errno(EFAULT)
        self.start, self.length = address, got
        return 0

    cdef bint holds(self, unsigned long address, unsigned long count) noexcept:
        return address >= self.start and address - self.start < self.length and self.length - (address - self.start) >= count

    cdef unsigned long word(self, unsigned long address) except? 0:
        """A pointer."""
        cdef unsigned long value = 0
        if not self.holds(address, WORD):
            self.fetch(address)
            if self.length < WORD:
                self.task.get(address, &value, WORD)
                return value
        memcpy(&value, self.bytes_read + (address - self.start), WORD)
        return value

    cdef bytes string(self, unsigned long address):
        """Without its NUL; E2BIG if it is too long."""
        cdef const char *text
        cdef const char *end
        if not self.holds(address, 1):
            self.fetch(address)
        text = self.bytes_read + (address - self.start)
        end = <const char *> memchr(text, 0, self.length - (address - self.start))
        if end != NULL:
            return text[:end - text]
        try:
            return self.task.copy_in_string(address, MAX_ARG_STRLEN - 1)
        except Errno as error:
            raise Errno(E2BIG if (<Errno> error).number == ENAMETOOLONG else (<Errno> error).number) from None


def exec_path(Task task, int directory, bytes path, unsigned long argv, unsigned long envp, int flags):
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


cdef tuple read_strings(Task task, unsigned long address, long limit):
    """(the strings of a NULL-terminated array, their size with pointers). NULL is an empty array."""
    cdef Fetched pointers = Fetched(), texts = Fetched()
    cdef list strings = []
    cdef long size = 0
    cdef unsigned long pointer
    cdef bytes text
    pointers.task = texts.task = task
    while address:
        pointer = pointers.word(address)
        if not pointer:
            break
        text = texts.string(pointer)
        strings.append(text)
        size += len(text) + WORD + 1
        if size > limit:
            raise Errno(E2BIG)
        address += WORD
    return strings, size
