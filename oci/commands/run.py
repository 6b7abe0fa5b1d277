# SPDX-License-Identifier: Apache-2.0
"""run: create, start, and (unless detached) wait for the end."""

import posix

from kernel.boot import timeline
from oci.cradle import Cradle


def run(common, options, arguments, log):
    """The exit status is the program's."""
    with Cradle(common, log.debug_fd, in_foreground=not options["detach"]) as cradle:
        from oci.bundle import bundle_directory, read_config  # while the sentry imports the kernel
        from oci.container import Making

        bundle = bundle_directory(options["bundle"])
        making = Making(common, log, cradle, arguments[0], bundle, read_config(bundle))
    making.wait_for_start = making.has_hooks("startContainer", "poststart")
    if options["detach"]:
        making.make(options["console-socket"], keeps_terminal=False)
        finish_start(making, options["pid-file"], log)
        return 0
    return run_in_foreground(making, options["console-socket"], options["pid-file"], log, options["keep"])


def finish_start(making, pid_file, log):
    """Pid file and start; a failure leaves nothing."""
    from oci.container import begin
    from oci.pidfile import write_pid_file

    try:
        write_pid_file(pid_file, making.birth.pid)
        if making.wait_for_start:
            begin(making.container, making.spec, log)
    except BaseException:
        making.undo()
        raise


def run_in_foreground(making, console_socket, pid_file, log, keeps_state=False):
    """Runs the container while we wait and forward signals; removes it afterwards."""
    from oci.destroy import destroy
    from oci.waiting import Foreground

    foreground = Foreground()
    making.dies_with_parent = True
    making.make(console_socket, keeps_terminal=True)
    finish_start(making, pid_file, log)
    container = making.container
    container.unlock()
    timeline.mark("command: started")
    status = foreground.wait_for_child(making.birth.pid, container, making.master)
    timeline.mark("command: sees the end")
    if not keeps_state:
        container.lock()
        destroy(container, log.warn)
        reap(making.birth.gofer_pid)
        timeline.mark("command: ended and deleted")
    timeline.tell(log.debug_fd)
    return status


def reap(gofer_pid):
    """The gofer is our child, too."""
    try:
        posix.waitpid(gofer_pid, 0)
    except ChildProcessError:
        pass
