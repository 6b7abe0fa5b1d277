# SPDX-License-Identifier: Apache-2.0
"""Second script in the executable: the program itself."""

import sys

import runsc

runsc.main(sys.argv)
