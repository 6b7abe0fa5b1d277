# SPDX-License-Identifier: Apache-2.0
# Pages of this sandbox that are in no address space: functions on the one budget there is.

cdef long long room() except -1
cdef int take(long long pages) except -1
cdef int adopt(int fd) except -1
cdef int may_touch(long long size) except -1
cdef int counted(int fd, long long pages) except -1
cdef int leave(int fd) except -1
