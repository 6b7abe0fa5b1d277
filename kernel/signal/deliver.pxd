# SPDX-License-Identifier: Apache-2.0
# Delivering signals to a task on its way back to guest code.

from kernel.task.task cimport Task

cdef enum Delivery:
    GO_ON                                # resume (or attempt the call again if task.in_call still says so)
    STAY                                 # stopped or dead

cdef Delivery deliver(Task task) except? GO_ON
