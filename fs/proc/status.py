# SPDX-License-Identifier: Apache-2.0
"""/proc/[pid]/stat, status, statm, limits, io, sched and their like (proc(5)).

Resident memory is an estimate: the host knows it, and nobody inside can ask it. CPU time is the host's own figure for the process.
"""

from kernel.task import cputime

PAGE = 4096
TICK_NS = 10_000_000
RLIM_INFINITY = 0xFFFFFFFFFFFFFFFF
# kernel.task.task.TaskState in the letters of ps(1)
STATES = ("R (running)", "R (running)", "S (sleeping)", "R (running)", "T (stopped)", "Z (zombie)")
ASLEEP, ZOMBIE = STATES[2], STATES[5]
RT_MAX_PRIORITY = 100
PF_FORKNOEXEC = 0x40
PF_RANDOMIZE = 0x400000
LIMITS = (
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
)


def state_of(target):
    """State letter and word."""
    if target.task is None or (target.group.zombie and target.is_process):
        return ZOMBIE
    return ASLEEP if target.task.waits_natively() else STATES[int(target.task.state)]


def resident_pages(mm):
    """Pages that are probably in memory."""
    return 0 if mm is None else (mm.data_vm // 8 + mm.stack_vm + mm.exec_vm // 2) // PAGE


def stat(target):
    """52 fields on one line."""
    group, task, mm, session = target.group, target.task, target.mm, target.group.pgrp.session if target.group.pgrp else None
    tty = session.tty if session else None
    user, system = cpu_time(target)
    policy, realtime = (task.sched.policy, task.sched.priority) if task.sched else (0, 0)
    priority = -1 - realtime if policy in (1, 2) else 20 + task.nice
    ignored, caught = dispositions(group.handlers)
    task.take_mask()
    fields = [
        target.id,
        "(" + task.comm.decode("utf-8", "replace") + ")",
        state_of(target)[0],
        group.parent.pid if group.parent else 0,
        group.pgrp.pgid if group.pgrp else 0,
        session.sid if session else 0,
        tty.number_for_stat() if tty else 0,
        tty.foreground_pgid() if tty else -1,
        PF_RANDOMIZE | (0 if group.execed else PF_FORKNOEXEC),
        0,
        0,
        0,
        0,
        user // TICK_NS,
        system // TICK_NS,
        group.cutime_ns // TICK_NS,
        group.cstime_ns // TICK_NS,
        priority,
        task.nice,
        max(len(group.tasks), 1),
        0,
        started_ticks(target),
        mm.total_vm if mm else 0,
        resident_pages(mm),
        group.limits.soft(5) if group.limits else RLIM_INFINITY,
    ]
    fields += [mm.start_code, mm.end_code, mm.start_stack, 0, 0] if mm else [0] * 5
    fields += [low(task.pending.mask if task.pending else 0), low(task.blocked), low(ignored), low(caught), 0, 0, 0]
    fields += [task.exit_signal if target.is_process else -1, 0, realtime, policy, 0, 0, 0]
    fields += [mm.start_data, mm.end_data, mm.start_brk, mm.arg_start, mm.arg_end, mm.env_start, mm.env_end] if mm else [0] * 7
    fields.append(group.exit_status if group.zombie else 0)
    return " ".join(map(str, fields)) + "\n"


def cpu_time(target):
    """(user, system) ns; threads of one process are told apart by nobody, so each shows its share."""
    user, system = cputime.used(target.group)
    return (user, system) if target.is_process else (user // max(len(target.group.tasks), 1), system)


def low(mask):
    """The classic signals of a mask: all that stat shows."""
    return mask & 0x7FFFFFFF


def started_ticks(target):
    """When it was born, in ticks of the boot-time clock."""
    return (target.group.start_ns if target.is_process else target.task.start_ns) // TICK_NS


def dispositions(handlers):
    """(ignored, caught) masks."""
    ignored = caught = 0
    for signo, action in enumerate(handlers.actions if handlers is not None else ()):
        if action is not None and action.handler == 1:
            ignored |= 1 << (signo - 1)
        elif action is not None and action.handler:
            caught |= 1 << (signo - 1)
    return ignored, caught


def status(target):
    """The same for human readers, a field a line."""
    group, task = target.group, target.task
    creds = task.creds
    lines = [
        ("Name", escape(task.comm)),
        ("Umask", f"{task.fs.umask:04o}" if task.fs else None),
        ("State", state_of(target)),
        ("Tgid", group.pid),
        ("Ngid", 0),
        ("Pid", target.id),
        ("PPid", group.parent.pid if group.parent else 0),
        ("TracerPid", task.tracer.tid if task.tracer is not None else 0),
        ("Uid", f"{creds.uid}\t{creds.euid}\t{creds.suid}\t{creds.fsuid}"),
        ("Gid", f"{creds.gid}\t{creds.egid}\t{creds.sgid}\t{creds.fsgid}"),
        ("FDSize", 64 if task.files else 0),
        ("Groups", "".join(f"{gid} " for gid in sorted(creds.groups))),
        ("NStgid", group.pid),
        ("NSpid", target.id),
        ("NSpgid", group.pgrp.pgid if group.pgrp else 0),
        ("NSsid", group.pgrp.session.sid if group.pgrp else 0),
    ]
    lines += memory_lines(target.mm)
    lines += signal_lines(target)
    lines += [
        (name, f"{value:016x}")
        for name, value in (
            ("CapInh", creds.cap_inheritable),
            ("CapPrm", creds.cap_permitted),
            ("CapEff", creds.cap_effective),
            ("CapBnd", creds.cap_bounding),
            ("CapAmb", creds.cap_ambient),
        )
    ]
    affinity = task.sched.affinity if task.sched else target.kernel.machine.cpu_mask
    lines += [
        ("NoNewPrivs", int(task.no_new_privs)),
        ("Seccomp", 0 if task.seccomp is None else task.seccomp.mode),
        ("Seccomp_filters", len(task.seccomp or ())),
        ("Speculation_Store_Bypass", "thread vulnerable"),
        ("SpeculationIndirectBranch", "conditional enabled"),
        ("Cpus_allowed", f"{affinity:x}"),
        ("Cpus_allowed_list", cpu_list(affinity)),
        ("Mems_allowed", "1"),
        ("Mems_allowed_list", "0"),
        ("voluntary_ctxt_switches", 0),
        ("nonvoluntary_ctxt_switches", 0),
    ]
    return "".join(f"{name}:\t{value}\n" for name, value in lines if value is not None)


def memory_lines(mm):
    """Vm*; none for a process that has no memory any more."""
    if mm is None:
        return []
    resident = resident_pages(mm) * PAGE
    sizes = (
        ("VmPeak", max(mm.peak_vm, mm.total_vm)),
        ("VmSize", mm.total_vm),
        ("VmLck", mm.locked_vm),
        ("VmPin", 0),
        ("VmHWM", resident),
        ("VmRSS", resident),
        ("RssAnon", resident),
        ("RssFile", 0),
        ("RssShmem", 0),
        ("VmData", mm.data_vm),
        ("VmStk", mm.stack_vm),
        ("VmExe", max(mm.end_code - mm.start_code, 0)),
        ("VmLib", mm.exec_vm),
        ("VmPTE", len(mm.vmas) * 512),
        ("VmSwap", 0),
    )
    lines = [(name, f"{value >> 10:8d} kB") for name, value in sizes]
    return [*lines, ("HugetlbPages", "       0 kB"), ("CoreDumping", 0), ("THP_enabled", 1)]


def signal_lines(target):
    """Threads and the masks."""
    group, task = target.group, target.task
    ignored, caught = dispositions(group.handlers)
    task.take_mask()
    queued = (task.pending.count if task.pending else 0) + (group.pending.count if group.pending else 0)
    masks = (
        ("SigPnd", task.pending.mask if task.pending else 0),
        ("ShdPnd", group.pending.mask if group.pending else 0),
        ("SigBlk", task.blocked),
        ("SigIgn", ignored),
        ("SigCgt", caught),
    )
    limit = group.limits.soft(11) if group.limits else 0
    return [("Threads", max(len(group.tasks), 1)), ("SigQ", f"{queued}/{limit}")] + [(name, f"{value:016x}") for name, value in masks]


def statm(target):
    """Sizes in pages."""
    mm = target.mm
    if mm is None:
        return "0 0 0 0 0 0 0\n"
    text = max(mm.end_code - mm.start_code, 0) // PAGE
    return f"{mm.total_vm // PAGE} {resident_pages(mm)} 0 {text} 0 {(mm.data_vm + mm.stack_vm) // PAGE} 0\n"


def limits(target):
    """A table of soft and hard limits."""
    lines = [f"{'Limit':26}{'Soft Limit':21}{'Hard Limit':21}{'Units':10}\n"]
    for number, (name, unit) in enumerate(LIMITS):
        values = [limit_text(target.group.limits.soft(number)), limit_text(target.group.limits.hard(number))]
        lines.append(f"{name:25} {values[0]:20} {values[1]:20} {unit:10}\n")
    return "".join(lines)


def limit_text(value):
    return "unlimited" if value == RLIM_INFINITY else str(value)


def io(target):
    """Counters of I/O: not kept."""
    return "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"


def sched(target):
    """The head of what schedtop and others parse."""
    user, system = cpu_time(target)
    ns = user + system
    return (
        f"{target.task.comm.decode('utf-8', 'replace')} ({target.id}, #threads: {max(len(target.group.tasks), 1)})\n" + "-" * 67 + "\n"
        f"se.sum_exec_runtime                          : {ns // 10**6:14}.{ns % 10**6:06}\n"
        f"nr_switches                                  : {0:21}\n"
        f"policy                                       : {target.task.sched.policy if target.task.sched else 0:21}\n"
        f"prio                                         : {120 + target.task.nice:21}\n"
    )


def schedstat(target):
    """ns on the processor, ns waited, slices."""
    return f"{sum(cpu_time(target))} 0 0\n"


def cpu_list(mask):
    """A mask as ranges: 0-3,6."""
    ranges, number = [], 0
    while mask >> number:
        if mask >> number & 1:
            start = number
            while mask >> (number + 1) & 1:
                number += 1
            ranges.append(str(start) if start == number else f"{start}-{number}")
        number += 1
    return ",".join(ranges)


def escape(comm):
    """A task's name for status: newline and backslash escaped."""
    return comm.decode("utf-8", "replace").replace("\\", "\\\\").replace("\n", "\\n")
