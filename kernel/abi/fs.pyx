# SPDX-License-Identifier: Apache-2.0
"""Numbers of files and file systems, for Python code; most are in fs.pxd."""

# Beyond what a C enum holds: Python only.
EPOLLET = 0x80000000
IN_ONESHOT = 0x80000000
STATX_RESERVED = 0x80000000
FS_IOC_GETFLAGS = 0x80086601
FIFREEZE = 0xc0045877
FITHAW = 0xc0045878
