# SPDX-License-Identifier: Apache-2.0
# Notices a kernel loop that burns its processor without a turn.

cdef unsigned long turns                 # of the loop
cdef long serving                        # number of the system call being served, or served last
cdef int caller                          # the task that made it
