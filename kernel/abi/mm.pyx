# SPDX-License-Identifier: Apache-2.0
"""Constants of memory calls; the declarations are in mm.pxd, here are those that do not fit into a C int."""

FUTEX_WAITERS = 0x80000000
# No call of the host: lock cmpxchg of a 32-bit guest word by the shim (address, expected, new); answers the old value.
HOST_CMPXCHG = 0xf0000001
NO_FD = 0xffffffffffffffff
