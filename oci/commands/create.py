# SPDX-License-Identifier: Apache-2.0
"""create: everything but the program, which waits for `start`."""

from kernel.boot import timeline
from oci.cradle import Cradle


def run(common, options, arguments, log):
    """Leaves a sandbox whose first program waits; its pid is in the pid file."""
    with Cradle(common, log.debug_fd) as cradle:
        from oci.bundle import bundle_directory, read_config  # while the sentry imports the kernel
        from oci.container import Making
        from oci.pidfile import write_pid_file

        bundle = bundle_directory(options["bundle"])
        making = Making(common, log, cradle, arguments[0], bundle, read_config(bundle))
    making.make(options["console-socket"], keeps_terminal=False)
    try:
        write_pid_file(options["pid-file"], making.birth.pid)
    except OSError:
        making.undo()
        raise
    timeline.mark("command: done")
    timeline.tell(log.debug_fd)
    return 0
