# SPDX-License-Identifier: Apache-2.0
"""resume: they go on."""

from oci.pausing import switch


def run(common, options, arguments, log):
    """Only a paused container can be resumed."""
    return switch(common["root"], arguments[0], "resume", ("paused",), "running")
