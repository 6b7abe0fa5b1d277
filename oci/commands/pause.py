# SPDX-License-Identifier: Apache-2.0
"""pause: all processes of a container stop."""

from oci.pausing import switch


def run(common, options, arguments, log):
    """Only a running container can be paused."""
    return switch(common["root"], arguments[0], "pause", ("running", "created"), "paused")
