# SPDX-License-Identifier: Apache-2.0
# The system call table.

from kernel.task.task cimport Task

ctypedef long (*Handler)(Task task, const unsigned long *args) except? -1

cdef enum:
    NR_SYSCALLS = 480

cdef class Row:
    cdef readonly int number
    cdef readonly str name
    cdef readonly str level              # "full", "partial", "missing"
    cdef readonly str why                # for partial and missing
    cdef readonly tuple kinds            # of the parameters after task
    cdef readonly tuple names
    cdef readonly object function        # Python handler, or None
    cdef readonly int error              # what a missing call answers
    cdef Handler handler                 # Cython handler, or NULL
    cdef long call(self, Task task) except? -1


cdef Row row_of(long number)
cdef int define(int number, str signature, Handler handler, str partial=*) except -1
