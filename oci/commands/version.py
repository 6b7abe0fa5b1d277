# SPDX-License-Identifier: Apache-2.0
"""--version, as runc and gVisor print it."""

import posix

from oci.state import OCI_VERSION

VERSION = "0.1.0"


def run(common, options, arguments, log):
    """Two lines."""
    posix.write(1, f"runsc version {VERSION}\nspec: {OCI_VERSION}\n".encode())
    return 0
