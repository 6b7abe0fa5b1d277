# SPDX-License-Identifier: Apache-2.0
"""Signal numbers, flags and codes (asm/signal.h, asm-generic/siginfo.h)."""

# Beyond what a C enum holds: Python only.
SA_RESETHAND = 0x80000000
SS_AUTODISARM = 0x80000000
