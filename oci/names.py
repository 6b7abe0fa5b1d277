# SPDX-License-Identifier: Apache-2.0
"""Linux's numbers for the names that config.json and command lines use."""

SIGNALS = {
    name: number
    for number, name in enumerate(
        "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ "
        "VTALRM PROF WINCH IO PWR SYS".split(),
        1,
    )
}
SIGNALS.update({"IOT": 6, "CLD": 17, "POLL": 29, "RTMIN": 34, "RTMAX": 64})

CAPABILITIES = {
    "CAP_" + name: number
    for number, name in enumerate(
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST "
        "NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
        "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM "
        "BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE".split()
    )
}

RLIMITS = {
    "RLIMIT_" + name: number
    for number, name in enumerate(
        "CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME".split()
    )
}

NAMESPACES = {
    "pid": 0x20000000,
    "network": 0x40000000,
    "mount": 0x20000,
    "ipc": 0x8000000,
    "uts": 0x4000000,
    "user": 0x10000000,
    "cgroup": 0x2000000,
    "time": 0x80,
}


def signal_number(text):
    """The number of a signal given as 15, TERM or SIGTERM (any case), also RTMIN+3; None if there is none."""
    if text.isascii() and text.isdigit():
        return int(text) if 0 < int(text) <= 64 else None
    name = text.upper()
    name = name[3:] if name[:3] == "SIG" else name
    base, sign, offset = name.partition("+") if "+" in name else name.partition("-")
    number = SIGNALS.get(base)
    if number is None or not sign:
        return number
    if base not in ("RTMIN", "RTMAX") or not offset.isdigit():
        return None
    number += int(offset) if sign == "+" else -int(offset)
    return number if 34 <= number <= 64 else None
