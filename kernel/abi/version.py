# SPDX-License-Identifier: Apache-2.0
"""The version that guests see. 6.1 is what Debian 12's programs were built and tested against."""

KERNEL_RELEASE = b"6.1.0-runsc"
KERNEL_VERSION = b"#1 SMP PREEMPT_DYNAMIC runsc"
