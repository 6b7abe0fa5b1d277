# SPDX-License-Identifier: Apache-2.0
"""The sys file system (sysfs(5)): the skeleton that programs look for: processors, empty classes and buses, huge page settings.

There are no devices to show. Nothing can be written.
"""

from fs.proc.nodes import tree
from fs.vfs.inode import FileSystem

SYSFS_MAGIC = 0x62656572
CLASSES = ("bdi", "block", "dmi", "graphics", "hwmon", "input", "mem", "misc", "net", "power_supply", "thermal", "tty", "vc")


class SysFileSystem(FileSystem):
    """One instance for a sandbox."""

    def __init__(self, kernel, source="sysfs"):
        FileSystem.__init__(self, "sysfs", source)
        self.made_ns = kernel.clock.realtime_ns()
        self.last_ino = 0
        self.root = tree(self, layout(kernel.machine))

    def new_ino(self):
        """The next inode number."""
        self.last_ino += 1
        return self.last_ino

    def statfs(self):
        return {"type": SYSFS_MAGIC, "bsize": 4096, "namelen": 255, "frsize": 4096}


def layout(machine):
    """Name -> content, as fs.proc.nodes.tree takes it."""
    return {
        "block": {},
        "bus": {"cpu": {"devices": {}, "drivers": {}}, "pci": {"devices": {}, "drivers": {}}},
        "class": {name: {} for name in CLASSES},
        "dev": {"block": {}, "char": {}},
        "devices": {"system": {"cpu": cpus(machine.nr_cpus), "node": nodes(machine)}, "virtual": {}},
        "firmware": {},
        "fs": {"cgroup": {}},
        "hypervisor": {},
        "kernel": {
            "mm": {"transparent_hugepage": transparent_hugepage(), "hugepages": {}},
            "notes": b"",
            "debug": {},
            "security": {},
            "uevent_seqnum": b"1\n",
        },
        "module": {},
        "power": {"state": b"\n"},
    }


def cpus(count):
    """devices/system/cpu: what get_nprocs(3) and lscpu(1) read."""
    everyone = f"0-{count - 1}\n".encode() if count > 1 else b"0\n"
    return {
        "online": everyone,
        "possible": everyone,
        "present": everyone,
        "offline": b"\n",
        "isolated": b"\n",
        "kernel_max": b"8191\n",
        "modalias": b"cpu:type:x86\n",
        "smt": {"active": b"0\n", "control": b"notsupported\n"},
        "vulnerabilities": {},
        **{f"cpu{number}": cpu(number, count) for number in range(count)},
    }


def cpu(number, count):
    """One processor: a core of its own in a single package."""
    own = f"{1 << number:x}\n".encode()
    everyone = f"{(1 << count) - 1:x}\n".encode()
    return {
        "online": b"1\n",
        "topology": {
            "core_id": f"{number}\n".encode(),
            "physical_package_id": b"0\n",
            "die_id": b"0\n",
            "thread_siblings": own,
            "core_cpus": own,
            "thread_siblings_list": f"{number}\n".encode(),
            "core_cpus_list": f"{number}\n".encode(),
            "core_siblings": everyone,
            "core_siblings_list": f"0-{count - 1}\n".encode() if count > 1 else b"0\n",
            "package_cpus": everyone,
            "package_cpus_list": f"0-{count - 1}\n".encode() if count > 1 else b"0\n",
        },
    }


def nodes(machine):
    """devices/system/node: one memory node with everything."""
    count = machine.nr_cpus
    everyone = f"0-{count - 1}\n".encode() if count > 1 else b"0\n"
    total = machine.mem_total >> 10
    return {
        "online": b"0\n",
        "possible": b"0\n",
        "has_cpu": b"0\n",
        "has_memory": b"0\n",
        "has_normal_memory": b"0\n",
        "node0": {
            "cpulist": everyone,
            "cpumap": f"{(1 << count) - 1:x}\n".encode(),
            "distance": b"10\n",
            "meminfo": f"Node 0 MemTotal:       {total} kB\nNode 0 MemFree:        {total} kB\n".encode(),
        },
    }


def transparent_hugepage():
    return {
        "enabled": b"always [madvise] never\n",
        "defrag": b"always defer defer+madvise [madvise] never\n",
        "hpage_pmd_size": b"2097152\n",
        "shmem_enabled": b"always within_size advise [never] deny force\n",
        "use_zero_page": b"1\n",
    }
