# SPDX-License-Identifier: Apache-2.0
"""restore: not supported yet."""

from oci.commands.checkpoint import run

__all__ = ["run"]
