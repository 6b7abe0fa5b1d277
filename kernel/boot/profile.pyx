# SPDX-License-Identifier: Apache-2.0
"""What kind of build this is, decided by the C compiler's flags: nothing at run time can make a release permissive."""

cdef extern from *:
    """
    #ifdef NDEBUG
    #define RUNSC_IS_RELEASE 1
    #else
    #define RUNSC_IS_RELEASE 0
    #endif
    """
    const int RUNSC_IS_RELEASE

IS_RELEASE = RUNSC_IS_RELEASE != 0
