# SPDX-License-Identifier: Apache-2.0
"""UserBuffer: what File.read fills and File.write empties.

A cursor runs through the buffer, so a file kind calls put() or take() as often as it likes. Guest memory is hostile: every
byte is fetched once, by take(), and a file kind keeps the bytes, never the address.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from kernel.abi.errno cimport EFAULT, Errno
from kernel.platform.platform cimport Space
from kernel.task.task cimport Task

MAX_RW_COUNT = 0x7ffff000


cdef class UserBuffer:
    """Abstract: `count` bytes, of which `done` were moved."""

    cpdef Py_ssize_t left(self):
        """Bytes between the cursor and the end."""
        return self.count - self.done

    cpdef Py_ssize_t put(self, data) except -1:
        """Copy a bytes-like object out at the cursor, at most left() bytes. Returns how many.

        Errno(EFAULT) if not one byte could be copied; a shorter count if some could.
        """
        raise NotImplementedError

    cpdef bytes take(self, Py_ssize_t count):
        """Copy in up to count bytes at the cursor (fewer at the end of the buffer or before an unreadable page).

        Errno(EFAULT) if bytes were asked for and not one could be copied.
        """
        raise NotImplementedError

    cpdef give_back(self, Py_ssize_t count):
        """The last count bytes that take() gave were not used: the cursor goes back."""
        raise NotImplementedError


cdef class GuestBuffer(UserBuffer):
    """Guest memory of `task`: pieces are (address, length)."""

    def __init__(self, task, pieces):
        self.task = task
        self.pieces = []
        for address, length in pieces:
            length = min(length, MAX_RW_COUNT - self.count)
            if length > 0:
                self.pieces.append((address, length))
                self.count += length

    cpdef Py_ssize_t put(self, data) except -1:
        cdef Py_buffer view
        cdef Py_ssize_t length = len(data)
        if length == 0 or self.left() == 0:
            return 0
        if isinstance(data, bytes):
            return self.move(PyBytes_AS_STRING(data), length, True)
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self.move(<char *> view.buf, view.len, True)
        finally:
            PyBuffer_Release(&view)

    cpdef bytes take(self, Py_ssize_t count):
        cdef bytes data
        cdef Py_ssize_t got
        count = min(count, self.left())
        if count <= 0:
            return b""
        data = PyBytes_FromStringAndSize(NULL, count)
        got = self.move(PyBytes_AS_STRING(data), count, False)
        return data if got == count else data[:got]

    cdef Py_ssize_t move(self, char *memory, Py_ssize_t count, bint out) except -1:
        """Copy at the cursor, out of or into our memory, up to the end of the buffer or a bad page. EFAULT if nothing could be."""
        cdef Space space = None if (<Task> self.task).mm is None else (<Task> self.task).mm.space
        cdef Py_ssize_t total = 0, want
        cdef unsigned long address, length
        cdef long got
        while total < count and self.piece < len(self.pieces) and space is not None:
            address, length = <tuple> self.pieces[self.piece]
            address += self.offset
            want = min(<Py_ssize_t> length - self.offset, count - total)
            got = space.write(address, memory + total, want) if out else space.read(address, memory + total, want)
            if got <= 0:
                break
            total += got
            self.advance(got, length)
            if got < want:
                break
        if total == 0:
            raise Errno(EFAULT)
        return total

    cpdef give_back(self, Py_ssize_t count):
        cdef Py_ssize_t step
        while count > 0 and self.done > 0:
            if self.offset == 0:
                self.piece -= 1
                self.offset = self.pieces[self.piece][1]
            step = min(count, self.offset)
            self.offset -= step
            self.done -= step
            count -= step

    cdef void advance(self, Py_ssize_t got, Py_ssize_t length):
        self.offset += got
        self.done += got
        if self.offset == length:
            self.piece += 1
            self.offset = 0


cdef class KernelBuffer(UserBuffer):
    """Kernel memory: of `count` bytes to be filled by put(), or holding `data` for take()."""

    def __init__(self, Py_ssize_t count=0, data=b""):
        self.data = bytearray(data)
        self.count = len(data) or count

    cpdef Py_ssize_t put(self, data) except -1:
        view = memoryview(data).cast("B")[:self.left()]
        self.data += view
        self.done += len(view)
        return len(view)

    cpdef bytes take(self, Py_ssize_t count):
        part = bytes(self.data[self.done:self.done + min(count, self.left())])
        self.done += len(part)
        return part

    cpdef give_back(self, Py_ssize_t count):
        self.done -= min(count, self.done)
