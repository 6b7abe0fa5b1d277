# SPDX-License-Identifier: Apache-2.0
"""UserBuffer: what File.read fills and File.write empties.

A cursor runs through the buffer, so a file kind calls put() or take() as often as it likes. Guest memory is hostile: every
byte is fetched once, by take(), and a file kind keeps the bytes, never the address.
"""

from kernel.abi.errno cimport EFAULT, Errno

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
        cdef Py_ssize_t total = 0, want, got
        view = memoryview(data).cast("B")
        while total < len(view) and self.piece < len(self.pieces):
            address, length = self.pieces[self.piece]
            want = min(<Py_ssize_t> length - self.offset, len(view) - total)
            got = self.task.copy_out_some(address + self.offset, view[total:total + want])
            total += got
            self.advance(got, length)
            if got < want:
                break
        if total == 0 and len(view) and self.left():
            raise Errno(EFAULT)
        return total

    cpdef bytes take(self, Py_ssize_t count):
        cdef Py_ssize_t total = 0, want
        parts = []
        count = min(count, self.left())
        while total < count:
            address, length = self.pieces[self.piece]
            want = min(<Py_ssize_t> length - self.offset, count - total)
            part = self.task.copy_in_some(address + self.offset, want)
            parts.append(part)
            total += len(part)
            self.advance(len(part), length)
            if len(part) < want:
                break
        if total == 0 and count:
            raise Errno(EFAULT)
        return parts[0] if len(parts) == 1 else b"".join(parts)

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
