# SPDX-License-Identifier: Apache-2.0
"""events: resource use, from the container's cgroup."""

import posix
import time

from kernel.abi.json import dumps
from oci import state
from oci.cgroups import Cgroup
from oci.errors import NotRunning


def run(common, options, arguments, log):
    """Once with --stats, else every --interval until the container ends."""
    while True:
        container = state.peek(common["root"], arguments[0])
        if not container.is_alive():
            if options["stats"]:
                raise NotRunning(container.id)
            return 0
        posix.write(1, dumps(event(container, log)) + b"\n")
        container.close()
        if options["stats"]:
            return 0
        time.sleep(max(options["interval"], 10**7) / 1e9)


def event(container, log):
    """The object that runc's users know."""
    stats = Cgroup(container.values.get("cgroup") or {}, log.warn).stats()
    memory = {
        "usage": {"limit": stats["limit"], "usage": stats["memory"], "failcnt": stats["failures"]},
        "swap": {"limit": 0, "failcnt": 0},
        "kernel": {"limit": 0, "failcnt": 0},
        "kernelTCP": {"limit": 0, "failcnt": 0},
    }
    return {
        "type": "stats",
        "id": container.id,
        "data": {"cpu": {"usage": {"total": stats["cpu_ns"], "percpu": []}}, "memory": memory, "pids": {"current": stats["pids"]}},
    }
