# SPDX-License-Identifier: Apache-2.0
# The seccomp listener: user notifications received, answered, and descriptors added while one waits.

from libc.stdint cimport uint32_t, uint64_t


cdef extern from "<linux/seccomp.h>" nogil:
    struct seccomp_data:
        int nr
        uint32_t arch
        uint64_t instruction_pointer
        uint64_t args[6]

    struct seccomp_notif:
        uint64_t id
        uint32_t pid
        uint32_t flags
        seccomp_data data


cdef class Listener:
    cdef readonly int fd
    cdef readonly unsigned long nr_lost  # answers to a bell that a signal had taken away
    cdef bint set_sync_wake_up(self, bint on) noexcept
    cdef bint receive(self, seccomp_notif *into) noexcept nogil
    cdef int answer(self, uint64_t id) noexcept nogil
    cdef int send(self, uint64_t id, uint32_t flags) noexcept nogil
    cdef int let_continue(self, uint64_t id) noexcept nogil
    cdef int add_descriptor(self, uint64_t id, int host_fd, int at, bint and_answer) noexcept nogil
