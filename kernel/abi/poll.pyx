# SPDX-License-Identifier: Apache-2.0
"""Readiness and epoll constants; all but one are in the .pxd."""

# Beyond what a C enum holds: Python only.
EPOLLET = 0x80000000
