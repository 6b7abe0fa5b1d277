# SPDX-License-Identifier: Apache-2.0
"""Terminal constants; most are in the .pxd."""

# Beyond what a C enum holds: Python only.
EXTPROC = 0o200000
TCGETS2 = 0x802C542A
TIOCGPTN = 0x80045430
TIOCGDEV = 0x80045432
TIOCGPKT = 0x80045438
TIOCGPTLCK = 0x80045439
TIOCGEXCL = 0x80045440
