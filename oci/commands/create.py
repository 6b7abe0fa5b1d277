# SPDX-License-Identifier: Apache-2.0
"""create: everything but the program, which waits for `start`."""

from oci.bundle import bundle_directory, read_config
from oci.container import Making
from oci.pidfile import write_pid_file


def run(common, options, arguments, log):
    """Leaves a sandbox whose first program waits; its pid is in the pid file."""
    bundle = bundle_directory(options["bundle"])
    making = Making(common, log, arguments[0], bundle, read_config(bundle))
    making.make(options["console-socket"], keeps_terminal=False)
    try:
        write_pid_file(options["pid-file"], making.birth.pid)
    except OSError:
        making.undo()
        raise
    return 0
