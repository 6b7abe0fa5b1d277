# SPDX-License-Identifier: Apache-2.0
"""ps: the processes of a container.

--format json prints host pids: a daemon looks for them in the output of the host's ps. Each guest process has a host process, its stub.
"""

import posix
import time

from kernel.abi.json import dumps
from oci import state
from oci.control import Client
from oci.errors import NotRunning, RunscError


def run(common, options, arguments, log):
    """A table of the guest's view, or the host pids."""
    if options["format"] not in ("table", "json"):
        raise RunscError(f'unknown format "{options["format"]}": table or json')
    container = state.peek(common["root"], arguments[0])
    if not container.is_alive():
        raise NotRunning(container.id)
    client = Client(container.id, container.directory_fd)
    processes = client.call("ps")["processes"]
    if options["format"] == "json":
        text = dumps(host_pids(container.values["pid"], processes)).decode() + "\n"
    else:
        text = table(processes)
    posix.write(1, text.encode("utf-8", "replace"))
    return 0


def host_pids(sandbox_pid, processes):
    """Pids in our namespace of the stubs, which the sandbox knows by pids of its own one. Empty before the first program runs."""
    outside = {inner: outer for outer, inner in namespace_pids(sandbox_pid)}
    found = [outside[process["host_pid"]] for process in processes if process.get("host_pid") in outside]
    return found or [sandbox_pid]


def namespace_pids(sandbox_pid):
    """(host pid, pid inside) of all children of the sandbox process."""
    try:
        children = state.read_file(f"/proc/{sandbox_pid}/task/{sandbox_pid}/children").split()
    except OSError:
        children = []
    for word in children:
        try:
            status = state.read_file(f"/proc/{int(word)}/status")
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith(b"NSpid:"):
                yield int(word), int(line.split()[-1])


def table(processes):
    """The columns of gVisor's ps."""
    lines = ["UID       PID       PPID      C         TTY       STIME     TIME         CMD\n"]
    for process in processes:
        cpu_ms = process.get("cpu_ns", 0) // 10**6
        started = time.strftime("%H:%M", time.localtime(process.get("start_ns", 0) / 1e9))
        cells = (process.get("uid", 0), process.get("pid", 0), process.get("ppid", 0), 0, process.get("tty") or "?", started)
        lines.append("".join(str(cell).ljust(10) for cell in cells) + f"{cpu_ms}ms".ljust(13) + str(process.get("comm", "")) + "\n")
    return "".join(lines)
