# SPDX-License-Identifier: Apache-2.0
"""Numbers of files and file systems, for Python code; see fs.pxd."""

# Cython hands the items of an enum to Python as int: those with bit 31 would be negative.
globals().update({name: value & 0xffffffff for name, value in list(globals().items()) if isinstance(value, int) and value < -0x1000})
