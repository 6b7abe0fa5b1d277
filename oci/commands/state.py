# SPDX-License-Identifier: Apache-2.0
"""state: the container's state as JSON."""

import posix

from kernel.abi.json import dumps
from oci.state import peek


def run(common, options, arguments, log):
    """Prints the object of the OCI specification."""
    view = peek(common["root"], arguments[0]).public()
    posix.write(1, dumps(view, True) + b"\n")
    return 0
