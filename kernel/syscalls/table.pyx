# SPDX-License-Identifier: Apache-2.0
"""The system call table: one row a call, declared beside its handler.

A row is a Cython function (`define`) or a Python function (`@syscall`). From the rows come dispatch, strace output and docs/syscalls.md.
An unfinished call says so in its row, with the reason, and answers an error. What has no row is unknown: ENOSYS.
"""

from kernel.abi.errno cimport EBADF, ENOSYS, Errno
from kernel.syscalls import kinds as kinds_module

cdef list table = [None] * NR_SYSCALLS

cdef enum:
    PATH_MAX = 4096
    O_PATH = 0o10000000

cdef dict CODES = {getattr(kinds_module, name): code for code, name in enumerate(
    ("Int", "UInt", "Long", "ULong", "Size", "Fd", "Ptr", "Out", "Path", "OptPath", "OpenFile", "AnyFile"))}


cdef class Row:
    """One system call: how it is called, and how complete it is."""

    cdef long call(self, Task task) except? -1:
        """Run the handler: count, -errno, BLOCKED, ORDERED, or Errno raised."""
        if self.handler != NULL:
            return self.handler(task, task.args)
        if self.function is None:
            return -self.error
        result = self.function(task, *[convert(task, self.kinds[i], task.args[i]) for i in range(len(self.kinds))])
        return 0 if result is None else result

    def attempt(self, Task task, registers):
        """The call with these registers, by whoever is not the guest."""
        cdef Py_ssize_t i
        for i in range(min(len(registers), 6)):
            task.args[i] = <unsigned long> (<object> registers[i] & 0xffffffffffffffff)
        return self.call(task)

    def arguments_text(self, Task task):
        """The arguments as strace would show them, without touching guest memory."""
        shown = []
        for i in range(len(self.kinds)):
            kind = self.kinds[i]
            value = task.args[i]
            if kind in (0, 5, 10, 11):
                value = <int> task.args[i]
            shown.append(f"{self.names[i]}={value:#x}" if kind in (3, 6, 7, 8, 9) else f"{self.names[i]}={value}")
        return ", ".join(shown)


cdef object convert(Task task, int kind, unsigned long register):
    if kind == 0 or kind == 5:
        return <int> register
    if kind == 1:
        return <unsigned int> register
    if kind == 2:
        return <long> register
    if kind == 8 or kind == 9:
        if kind == 9 and register == 0:
            return None
        return task.copy_in_string(register, PATH_MAX - 1)
    if kind == 10 or kind == 11:
        file = task.files.get(<int> register)
        if kind == 10 and file.flags & O_PATH:
            raise Errno(EBADF)
        return file
    return register


cdef Row row_of(long number):
    """The row of a system call number; None if there is none."""
    return table[number] if 0 <= number < NR_SYSCALLS else None


def rows():
    """All rows in the order of their numbers."""
    return [row for row in table if row is not None]


def syscall(int number, str name=None, str partial=None):
    """Decorator: the function serves `number`. Its annotations are argument kinds; the first parameter is the task.

    partial: what is missing, for docs/syscalls.md. The function returns a count, None for 0, or raises Errno.
    """
    def declare(function):
        code = function.__code__
        parameters = code.co_varnames[1:code.co_argcount]
        kinds = tuple([code_of(function.__annotations__[parameter]) for parameter in parameters])
        add(number, name or function.__name__.removeprefix("sys_"), "partial" if partial else "full", partial, kinds, parameters, function)
        return function
    return declare


cdef int code_of(annotation) except -1:
    """Of a kind, or its name: Cython keeps annotations as text."""
    return CODES[getattr(kinds_module, annotation) if isinstance(annotation, str) else annotation]


def missing(int number, str name, str why, int error=ENOSYS):
    """Declare a call that nobody serves, and why; error is what it answers."""
    cdef Row row = add(number, name, "missing", why, (), (), None)
    row.error = error


cdef int define(int number, str signature, Handler handler, str partial=None) except -1:
    """Declare a Cython handler: define(3, "close(fd: Fd)", sys_close)."""
    name, _, parameters = signature.removesuffix(")").partition("(")
    pairs = [part.split(":") for part in parameters.split(", ") if part]
    kinds = tuple([CODES[getattr(kinds_module, pair[1].strip())] for pair in pairs])
    row = add(number, name, "partial" if partial else "full", partial, kinds, tuple([pair[0].strip() for pair in pairs]), None)
    row.handler = handler
    return 0


cdef Row add(int number, str name, str level, str why, tuple kinds, tuple names, function):
    cdef Row row = Row()
    if table[number] is not None:
        raise ValueError(f"system call {number} has two rows: {table[number].name} and {name}")
    row.number, row.name, row.level, row.why, row.kinds, row.names, row.function = number, name, level, why, kinds, names, function
    table[number] = row
    return row
