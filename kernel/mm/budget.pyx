# SPDX-License-Identifier: Apache-2.0
"""The budget: pages of this sandbox that outlive its address spaces, in tmpfs, memfds, shared anonymous and System V memory.

However many file systems and memfds there are, all of it together stays below seven eighths of the memory that guests see, so that a
sandbox without a cgroup can't fill the machine. What system calls allocate is counted at once. What guests touch through a mapping is
noticed when the memfd is counted again: by its own calls, or with all others when guests have been given more to map than there is room.
Absent: a bound for what they touch in old mappings and then unmap without asking for more. That takes a cgroup.
"""

import gc
import posix

from kernel.abi.errno cimport ENOMEM, Errno
from kernel.abi.mm cimport PAGE_SIZE

cdef extern from "<sys/stat.h>" nogil:
    struct stat_t "stat":
        long st_blocks

cdef extern from "<sys/syscall.h>" nogil:
    long syscall(long number, ...)
    enum:
        SYS_fstat                        # libc's fstat is newfstatat, which the kernel's own jail refuses

cdef enum:
    BLOCKS_PER_PAGE = 8
    GARBAGE = 20                         # objects that are worth a search for what guests have given back (a file system that is unmounted)

cdef long long limit = posix.sysconf("SC_PHYS_PAGES") // 8 * 7
cdef long long used = 0                  # pages: counted in memfds, and in the kernel's heap
cdef long long unseen = 0                # pages that guests may have touched since everything was counted
cdef dict memfds = {}                    # host descriptor -> pages counted


def set_memory(unsigned long count):
    """At boot: bytes of memory that guests see."""
    global limit
    limit = count // PAGE_SIZE // 8 * 7


def pages_in_use():
    """As last counted."""
    return used


cdef long long room() except -1:
    """Pages that may still be allocated."""
    if used >= limit and gc.get_count()[0] > GARBAGE:
        gc.collect()
    return max(limit - used, 0)


cdef int take(long long pages) except -1:
    """The kernel's heap holds so many more, or fewer."""
    global used
    used += pages
    return 0


cdef int adopt(int fd) except -1:
    """A new memfd, empty yet; ENOMEM when all is taken."""
    check()
    memfds[fd] = 0
    return 0


cdef int may_touch(long long size) except -1:
    """Guests are given so many more bytes to map; ENOMEM when all is taken."""
    global unseen
    unseen += max(size, 0) // PAGE_SIZE
    return check()


cdef int counted(int fd, long long pages) except -1:
    """Its owner has counted a memfd."""
    global used
    used += pages - <long long> memfds.get(fd, 0)
    memfds[fd] = pages
    return 0


cdef int leave(int fd) except -1:
    """The memfd is about to be closed."""
    global used
    used -= <long long> memfds.pop(fd, 0)
    return 0


cdef int check() except -1:
    """ENOMEM when it is exhausted, by what is known or by what a count shows."""
    if used + unseen > limit:
        recount()
        if room() == 0:
            raise Errno(ENOMEM)
    return 0


cdef int recount() except -1:
    """Count all memfds."""
    global unseen
    cdef stat_t attributes
    cdef int fd
    for fd in list(memfds):
        if syscall(SYS_fstat, fd, &attributes) == 0:
            counted(fd, attributes.st_blocks // BLOCKS_PER_PAGE)
    unseen = 0
    return 0
