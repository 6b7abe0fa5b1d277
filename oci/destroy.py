# SPDX-License-Identifier: Apache-2.0
"""The end of a container on the host: its processes, its cgroup, its poststop hooks, its state. Hot: imports nothing big.

Works from whatever state.json still says, so it also cleans up after a command, a gofer or a kernel that was killed at any moment.
"""

import _signal
import posix
import select

from oci import state
from oci.errors import RunscError

KILL_WAIT_MS = 10_000
GOFER_GRACE_MS = 2000  # what the sandbox sent before its end is still carried out
ROUNDS = 100


def end_process(pid, start, grace_ms=0):
    """Kills a process, if it is still the one that started then, and waits until it is gone. It may end by itself before."""
    if pid <= 0 or not start:
        return
    try:
        pidfd = posix.pidfd_open(pid)
    except OSError:
        return
    try:
        if state.process_start(pid) == start and not has_ended(pidfd, grace_ms):
            end_by_pidfd(pidfd)
    finally:
        posix.close(pidfd)


def has_ended(pidfd, wait_ms):
    """Is the process gone, now or within that time?"""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(wait_ms))


def end_by_pidfd(pidfd):
    """SIGKILL and the end of it."""
    try:
        _signal.pidfd_send_signal(pidfd, _signal.SIGKILL)
    except OSError:
        return
    has_ended(pidfd, KILL_WAIT_MS)


def end_members(cgroup):
    """Kills what is left in the cgroup."""
    for _ in range(ROUNDS):
        pids = cgroup.pids()
        if not pids:
            return
        pidfds = {}
        for pid in pids:
            try:
                pidfds[pid] = posix.pidfd_open(pid)
            except OSError:
                pass
        still = cgroup.pids()  # whoever is in it now is ours: the pidfd was opened before
        for pid, pidfd in pidfds.items():
            if pid in still:
                end_by_pidfd(pidfd)
            posix.close(pidfd)


def destroy(container, warn):
    """Removes everything; the container is locked. Its directory is gone afterwards."""
    values = container.values
    end_process(values.get("pid", 0), values.get("pidStart", 0))
    end_process(values.get("goferPid", 0), values.get("goferStart", 0), GOFER_GRACE_MS)
    remove_cgroup(values, warn)
    run_poststop(container, warn)
    container.remove()


def remove_cgroup(values, warn):
    """The cgroup, if there was one."""
    directories = values.get("cgroup")
    if type(directories) is not dict or not directories:
        return
    from oci.cgroups import Cgroup

    cgroup = Cgroup(directories, warn, values.get("cgroupOwned", ()))
    if cgroup.remove():
        return  # the rule: the host refuses to remove one that holds a process
    end_members(cgroup)
    if not cgroup.remove():
        warn("a cgroup of the container could not be removed")


def run_poststop(container, warn):
    """Their failure changes nothing."""
    try:
        config = state.read_file(state.CONFIG, container.directory_fd)
    except OSError:
        return
    if b'"poststop"' not in config:
        return
    from oci.hooks import run_hooks_leniently
    from oci.spec import parse_spec

    try:
        spec = parse_spec(config)
    except RunscError:
        return
    view = container.public()
    view.update(status="stopped", pid=0)
    run_hooks_leniently(spec, "poststop", view, warn)
