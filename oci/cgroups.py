# SPDX-License-Identifier: Apache-2.0
"""The container's cgroup: made, limited, joined, removed. Version 1, version 2, and both at once (hybrid).

A limit that this host has no controller for is left out with a warning; so is the whole cgroup with --ignore-cgroups. Our own
processes (sandbox, gofer, zygote, pool threads) live in the container's cgroup, so the pids limit is raised by what they need; the
kernel inside counts the guest's exactly.
"""

import _thread
import posix

from oci.errors import RunscError
from oci.state import make_directories, read_file

OWN_TASKS = 16
UNLIMITED = (1 << 63) - 1
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "freezer", "devices")
PERIOD_US = 100_000


class Hierarchies:
    """Where cgroups are mounted on this host."""

    def __init__(self, mountinfo, own):
        self.controllers = {}  # version 1: controller -> (mount point, our own path)
        self.unified = None  # version 2: (mount point, our own path)
        paths = {}
        for line in own.splitlines():
            _, names, path = line.split(":", 2)
            for name in names.split(","):
                paths[name] = path
        for line in mountinfo.splitlines():
            self.add(line.split(" "), paths)

    def add(self, fields, paths):
        """One line of mountinfo."""
        kind = fields[fields.index("-") + 1]
        point, root = fields[4], fields[3]
        if kind == "cgroup2" and self.unified is None:
            self.unified = (point, relative(paths.get("", "/"), root))
        elif kind == "cgroup":
            for option in fields[-1].split(","):
                name = option if option in CONTROLLERS else "systemd" if option == "name=systemd" else None
                if name and name not in self.controllers:
                    self.controllers[name] = (point, relative(paths.get(name if name != "systemd" else "name=systemd", "/"), root))


def relative(path, root):
    """Our cgroup's path below the mount, which may itself show only a part of the hierarchy."""
    if root not in ("/", "") and (path + "/").startswith(root + "/"):
        path = path[len(root) :]
    return "/" if path.startswith("/..") else path or "/"


def host_hierarchies():
    """Hierarchies of this process."""
    return Hierarchies(
        read_file("/proc/self/mountinfo").decode("utf-8", "surrogateescape"),
        read_file("/proc/self/cgroup").decode("utf-8", "surrogateescape"),
    )


def expand_systemd(path):
    """system.slice:prefix:name -> /system.slice/prefix-name.scope, a-b.slice lies in a.slice."""
    parts = path.split(":")
    if len(parts) != 3:
        raise RunscError(f'cgroupsPath "{path}": expected slice:prefix:name')
    unit, prefix, name = parts
    stem = unit[:-6] if unit.endswith(".slice") else unit
    above, directories = "", []
    for word in stem.split("-") if stem else []:
        above = f"{above}-{word}" if above else word
        directories.append(above + ".slice")
    name = name if name.endswith(".slice") else f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
    return "/" + "/".join([*directories, name])


def cgroup_path(spec_path, container_id, is_systemd):
    """(path, is it absolute) as config.json means it; no path: one named by the container, below our own cgroup."""
    if is_systemd or spec_path.count(":") == 2:
        return expand_systemd(spec_path or f"system.slice:runsc:{container_id}"), True
    if ".." in spec_path.split("/"):
        raise RunscError(f'cgroupsPath "{spec_path}" leaves the hierarchy')
    return (spec_path, True) if spec_path[:1] == "/" else (spec_path or container_id, False)


def plan(hierarchies, path, is_absolute):
    """Directories to make: {controller or "unified": directory}."""
    places = dict(hierarchies.controllers)
    if hierarchies.unified is not None:
        places["unified"] = hierarchies.unified
    found = {}
    for name, (point, own) in places.items():
        base = "" if is_absolute else own.rstrip("/")
        found[name] = f"{point}{base}/{path.strip('/')}".rstrip("/")
    return found


class Cgroup:
    """The directories of one container, by controller."""

    def __init__(self, directories, warn=None, owned=()):
        self.directories = directories
        self.owned = list(owned)  # those that we made: only their processes may be killed
        self.warn = warn or (lambda text: None)

    def make(self):
        """Makes the directories; a controller that can't be had is dropped. RunscError if none can."""
        last, wanted = None, self.directories
        self.directories = {}
        for name, directory in wanted.items():
            try:
                if name == "unified":
                    enable_below(directory)
                if make_group(directory):
                    self.owned.append(name)
                if name == "cpuset":
                    inherit_cpuset(directory)
                self.directories[name] = directory
            except OSError as error:
                last = f"{directory}: {error.strerror.lower()}"
                self.warn(f"cgroup {last}")
        if wanted and not self.directories:
            raise RunscError(f"can't make a cgroup: {last}")

    def join(self, pid):
        """Moves a process into the container's cgroup."""
        for directory in unique(self.directories):
            try:
                write(f"{directory}/cgroup.procs", str(pid))
            except OSError as error:
                self.warn(f"{directory}/cgroup.procs: {error.strerror.lower()}")

    def start_joining(self, *pids):
        """join() for all of them in a thread, since the host makes the first one wait for a grace period; the answer waits for the end."""
        done = _thread.allocate_lock()
        done.acquire()

        def work():
            try:
                for pid in pids:
                    self.join(pid)
            finally:
                done.release()

        _thread.start_new_thread(work, ())
        return done.acquire

    def write(self, controller, name, value):
        """Sets one file; a missing controller or file is a warning only. False if it could not be set."""
        directory = self.directories.get(controller)
        try:
            if directory is None:
                raise FileNotFoundError(2, "no such controller")
            write(f"{directory}/{name}", value)
        except OSError as error:
            self.warn(f"{name}: {error.strerror.lower()}")
            return False
        return True

    def read(self, controller, name):
        """Text of one file, or "" ."""
        directory = self.directories.get(controller)
        if directory is None:
            return ""
        try:
            return read_file(f"{directory}/{name}").decode().strip()
        except OSError:
            return ""

    def limit(self, resources):
        """Applies the limits that are given."""
        if "memory" in self.directories:
            self.limit_memory(resources)
        elif resources.memory_limit is not None:
            self.write("unified", "memory.max", amount(resources.memory_limit))
            if resources.memory_swap is not None:
                self.write("unified", "memory.swap.max", swap_only(resources))
        if "memory" not in self.directories and resources.memory_reservation is not None:
            self.write("unified", "memory.low", amount(resources.memory_reservation))
        self.limit_cpu(resources)
        if resources.pids_limit is not None:
            limit = resources.pids_limit
            name = "pids" if "pids" in self.directories else "unified"
            self.write(name, "pids.max", "max" if limit <= 0 else str(limit + OWN_TASKS))
        self.limit_block_io(resources)
        for name, value in resources.unified.items():
            if "/" in name:
                raise RunscError(f'linux.resources.unified: "{name}" is no file name')
            self.write("unified", name, value)

    def bound_memory(self):
        """No limit was asked for: nine tenths of the machine, so that a guest's hunger ends in its own cgroup. Only where we made it."""
        for name, file in (("memory", "memory.limit_in_bytes"), ("unified", "memory.max")):
            if name in self.owned and self.read(name, file):
                self.write(name, file, str(posix.sysconf("SC_PHYS_PAGES") // 10 * 9 * posix.sysconf("SC_PAGE_SIZE")))
                return

    def limit_memory(self, resources):
        """Version 1: memory and memory+swap constrain each other, so their order depends on the old values."""
        limit, swap = resources.memory_limit, resources.memory_swap
        if limit is not None:
            new = str(min(limit, UNLIMITED) if limit > 0 else -1)
            both = str(min(swap, UNLIMITED) if swap > 0 else -1) if swap is not None else None
            old = self.read("memory", "memory.memsw.limit_in_bytes")
            grows = both is not None and old.isdigit() and (swap < 0 or swap > int(old))
            if grows:
                self.write("memory", "memory.memsw.limit_in_bytes", both)
            self.write("memory", "memory.limit_in_bytes", new)
            if both is not None and old and not grows:
                self.write("memory", "memory.memsw.limit_in_bytes", both)
        if resources.memory_reservation is not None:
            self.write("memory", "memory.soft_limit_in_bytes", str(resources.memory_reservation))

    def limit_cpu(self, resources):
        """Shares, quota, processors."""
        quota, period = resources.cpu_quota, resources.cpu_period
        if "cpu" in self.directories:
            if resources.cpu_shares:
                self.write("cpu", "cpu.shares", str(resources.cpu_shares))
            if period:
                self.write("cpu", "cpu.cfs_period_us", str(period))
            if quota:
                self.write("cpu", "cpu.cfs_quota_us", str(quota))
        else:
            if resources.cpu_shares:
                self.write("unified", "cpu.weight", str(cpu_weight(resources.cpu_shares)))
            if quota or period:
                self.write("unified", "cpu.max", f"{quota if quota and quota > 0 else 'max'} {period or PERIOD_US}")
        cpuset = "cpuset" if "cpuset" in self.directories else "unified"
        if resources.cpuset_cpus:
            self.write(cpuset, "cpuset.cpus", resources.cpuset_cpus)
        if resources.cpuset_mems:
            self.write(cpuset, "cpuset.mems", resources.cpuset_mems)

    def limit_block_io(self, resources):
        """Weight only."""
        if not resources.blkio_weight:
            return
        if "blkio" in self.directories:
            names = ("blkio.weight", "blkio.bfq.weight")
            present = [name for name in names if self.read("blkio", name)]
            self.write("blkio", present[0] if present else names[0], str(resources.blkio_weight))
        else:
            self.write("unified", "io.weight", f"default {1 + (resources.blkio_weight - 10) * 9999 // 990}")

    def pids(self):
        """Host pids of all processes in the directories that we made, their children included."""
        found = set()
        for directory in unique({name: self.directories[name] for name in self.owned if name in self.directories}):
            for below in (directory, *subdirectories(directory)):
                try:
                    found.update(int(word) for word in read_file(f"{below}/cgroup.procs").split())
                except OSError:
                    pass
        return found

    def stats(self):
        """Numbers for `events`: cpu_ns, memory bytes, limit, pids."""
        v1 = "cpuacct" in self.directories
        cpu = self.read("cpuacct", "cpuacct.usage") if v1 else usage_ns(self.read("unified", "cpu.stat"))
        if "memory" in self.directories:
            memory, limit = self.read("memory", "memory.usage_in_bytes"), self.read("memory", "memory.limit_in_bytes")
            failures = self.read("memory", "memory.failcnt")
        else:
            memory, limit, failures = self.read("unified", "memory.current"), self.read("unified", "memory.max"), "0"
        pids = self.read("pids" if "pids" in self.directories else "unified", "pids.current")
        return {"cpu_ns": number(cpu), "memory": number(memory), "limit": number(limit), "failures": number(failures), "pids": number(pids)}

    def remove(self):
        """Removes the directories; they must be empty of processes. True when all are gone."""
        return remove_directories(unique(self.directories))


def make_group(directory):
    """Makes a cgroup; false if it was there."""
    make_directories(directory.rpartition("/")[0], 0o755)
    try:
        posix.mkdir(directory, 0o755)
    except FileExistsError:
        return False
    return True


def remove_directories(directories):
    """Cgroups and those below them; false if one is left. Nobody looks below before the host has refused: mostly nothing is there."""
    is_gone = True
    for directory in directories:
        try:
            posix.rmdir(directory)
        except FileNotFoundError:
            pass
        except OSError:
            below = children(directory)
            is_gone = bool(below) and remove_directories(below) and remove_directories([directory]) and is_gone
    return is_gone


def unique(directories):
    """Controllers mounted together share a directory."""
    return list(dict.fromkeys(directories.values()))


def subdirectories(directory):
    """All directories below, parents first."""
    return [path for child in children(directory) for path in (child, *subdirectories(child))]


def children(directory):
    """The directories in it."""
    try:
        return [entry.path for entry in posix.scandir(directory) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def write(path, text):
    """One write, without creating the file."""
    fd = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        posix.write(fd, text.encode())
    finally:
        posix.close(fd)


def enable_below(directory):
    """Version 2: each parent, from the mount point down, must hand its controllers on."""
    parents = []
    parent = directory.rpartition("/")[0]
    while parent and not is_outside_cgroup2(parent):
        parents.append(parent)
        parent = parent.rpartition("/")[0]
    for parent in reversed(parents):
        make_directories(parent, 0o755)
        for name in read_file(f"{parent}/cgroup.controllers").decode().split():
            if name in ("cpu", "cpuset", "memory", "pids", "io"):
                try:
                    write(f"{parent}/cgroup.subtree_control", "+" + name)
                except OSError:
                    pass  # the parent holds processes, or we may not


def is_outside_cgroup2(path):
    """An existing directory that is no cgroup: we have climbed above the mount point."""
    try:
        posix.stat(path)
    except OSError:
        return False
    try:
        posix.stat(f"{path}/cgroup.controllers")
    except OSError:
        return True
    return False


def inherit_cpuset(directory):
    """Version 1: a new cpuset is empty and no process can enter it."""
    parent = directory.rpartition("/")[0]
    for name in ("cpuset.cpus", "cpuset.mems"):
        if read_file(f"{directory}/{name}").strip():
            continue
        if not read_file(f"{parent}/{name}").strip():
            inherit_cpuset(parent)
        write(f"{directory}/{name}", read_file(f"{parent}/{name}").decode())


def amount(limit):
    """A limit of version 1 in version 2's words."""
    return "max" if limit < 0 or limit >= UNLIMITED else str(limit)


def swap_only(resources):
    """Version 2 counts swap alone; config.json counts both."""
    if resources.memory_swap < 0 or resources.memory_limit is None or resources.memory_limit < 0:
        return "max"
    return str(max(0, resources.memory_swap - resources.memory_limit))


def cpu_weight(shares):
    """2..262144 shares to a weight of 1..10000."""
    return 1 + (min(max(shares, 2), 262144) - 2) * 9999 // 262142


def usage_ns(text):
    """usage_usec of cpu.stat, in ns."""
    for line in text.splitlines():
        if line.startswith("usage_usec "):
            return str(int(line.split()[1]) * 1000)
    return "0"


def number(text):
    """A number of a cgroup file; "max" is the largest."""
    return UNLIMITED if text == "max" else int(text) if text.isdigit() else 0
