# SPDX-License-Identifier: Apache-2.0
"""checkpoint: exists in other runtimes and not here yet; it says so."""

from oci.errors import RunscError


def run(common, options, arguments, log):
    """Always an error."""
    raise RunscError("checkpoint and restore are not supported yet")
