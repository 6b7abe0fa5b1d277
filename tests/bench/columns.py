# SPDX-License-Identifier: Apache-2.0
"""One way to run programs: natively, or in a container of a runtime. What was measured is kept as lists, by row.

Processor time is what the host spent, in the program and in all that ran it: the command and the container's processes run in
cgroups below one of ours, which the host keeps accounts of (cpuacct, or cpu.stat of version 2).
"""

import atexit
import itertools
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import conftest  # noqa: E402

LIMIT_S = 300
CGROUP = "runsc-bench"
_serial = itertools.count(1)
FEW_CAPABILITIES = ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]  # runc asks the host for each


class Meter:
    """The cgroup that counts: commands go into one below it, containers beside that."""

    def __init__(self):
        is_v1 = Path("/sys/fs/cgroup/cpuacct").exists()
        self.directory = Path("/sys/fs/cgroup", "cpuacct" if is_v1 else "", CGROUP)
        self.directory.joinpath("commands").mkdir(parents=True, exist_ok=True)
        atexit.register(self.remove)
        self.file = self.directory / ("cpuacct.usage" if is_v1 else "cpu.stat")

    def enter(self):
        """In a child, before its exec."""
        self.directory.joinpath("commands/cgroup.procs").write_text("0")

    def remove(self):
        """When nobody is in it any more."""
        for directory in (self.directory / "commands", self.directory):
            directory.rmdir()

    def used_ns(self):
        """By all that ever ran in it."""
        text = self.file.read_text()
        return int(text) if text.strip().isdigit() else 1000 * int(text.split()[1])


class Column:
    """A name, and the command of a runtime with its global flags, or None for native."""

    def __init__(self, name, command):
        self.name = name
        self.command = command
        self.values = {}  # row -> values; ns, bytes or a count
        self.cpu = {}  # row -> ns of processor time

    def add(self, row, value, cpu=None):
        """One more measurement."""
        self.values.setdefault(row, []).append(value)
        if cpu is not None:
            self.cpu.setdefault(row, []).append(cpu)

    def run(self, args):
        """(output, ns of processor time) of a program, run to its end with the host's files read-only."""
        if self.command is None:
            return checked(args)
        with bundle(args, host_root) as (directory, state, name):
            return checked([*self.command, "--root", state, "run", "--bundle", directory, name])


METER = Meter()


def host_root(spec):
    """The host's files as they are."""
    spec["root"] = {"path": "/", "readonly": True}


def small_root(spec):
    """busybox and little else, and rights that every host grants."""
    spec["process"]["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), FEW_CAPABILITIES)


@contextmanager
def bundle(args, change, files=None, is_counted=True):
    """(bundle, state directory, id) of a container, all three removed afterwards. Its processor time counts if it is alone."""

    def in_cgroup(spec):
        change(spec)
        spec["linux"]["cgroupsPath"] = f"/{CGROUP}/{next(_serial)}"

    directory = conftest.write_bundle(args, files or {}, in_cgroup if is_counted else change)
    state = ROOT / "out/state" / directory.name
    try:
        yield str(directory), str(state), directory.name
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def checked(command, keeps_output=True):
    """(output, ns of processor time). A sandbox that stays would keep a pipe open: then nothing is read."""
    output = subprocess.PIPE if keeps_output else subprocess.DEVNULL
    errors = None if keeps_output else subprocess.DEVNULL
    before = METER.used_ns()
    done = subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, text=True, timeout=LIMIT_S, preexec_fn=METER.enter
    )
    return done.stdout or "", METER.used_ns() - before
