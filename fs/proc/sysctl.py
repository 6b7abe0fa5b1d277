# SPDX-License-Identifier: Apache-2.0
"""/proc/sys: kernel parameters (proc(5), sysctl(8)).

Three kinds of entries: constants, values that are kept and can be written by root although nothing here depends on them, and those
that are connected to something (host name, pipe-max-size...). Writes of anything but whole numbers in range are EINVAL.
"""

import posix

import fs.pipe.pipe as pipe
from kernel.abi.errno import EINVAL, EPERM, Errno
from kernel.abi.task import CAP_SYS_ADMIN
from kernel.abi.version import KERNEL_RELEASE, KERNEL_VERSION

PID_MAX = 32768
INT_MAX = 0x7FFFFFFF
# name -> initial value; writable, kept
KERNEL_NUMBERS = {
    "pid_max": PID_MAX,
    "threads-max": 63704,
    "msgmax": 8192,
    "msgmnb": 16384,
    "msgmni": 32000,
    "shmmni": 4096,
    "shm_rmid_forced": 0,
    "randomize_va_space": 2,
    "panic": 0,
    "sched_child_runs_first": 0,
    "sched_rt_runtime_us": 950000,
    "sched_rt_period_us": 1000000,
    "dmesg_restrict": 0,
    "kptr_restrict": 0,
    "perf_event_paranoid": 2,
    "unprivileged_bpf_disabled": 2,
    "sysrq": 16,
    "core_uses_pid": 0,
    "core_pipe_limit": 0,
    "print-fatal-signals": 0,
    "unprivileged_userns_clone": 0,
    "hung_task_timeout_secs": 120,
    "panic_on_oops": 0,
    "auto_msgmni": 0,
    "sched_autogroup_enabled": 0,
    "tainted": 0,
    "numa_balancing": 0,
    "nmi_watchdog": 0,
    "watchdog": 0,
    "io_uring_disabled": 2,
}
VM_NUMBERS = {
    "overcommit_memory": 0,
    "overcommit_ratio": 50,
    "overcommit_kbytes": 0,
    "max_map_count": 65530,
    "swappiness": 60,
    "mmap_min_addr": 0x70000,  # of the platform systrap
    "dirty_ratio": 20,
    "dirty_background_ratio": 10,
    "dirty_expire_centisecs": 3000,
    "dirty_writeback_centisecs": 500,
    "min_free_kbytes": 67584,
    "nr_hugepages": 0,
    "nr_overcommit_hugepages": 0,
    "vfs_cache_pressure": 100,
    "panic_on_oom": 0,
    "oom_kill_allocating_task": 0,
    "oom_dump_tasks": 1,
    "page-cluster": 3,
    "zone_reclaim_mode": 0,
    "legacy_va_layout": 0,
    "drop_caches": 0,
    "admin_reserve_kbytes": 8192,
    "user_reserve_kbytes": 131072,
    "compact_memory": 0,
    "dirty_bytes": 0,
    "dirty_background_bytes": 0,
    "watermark_scale_factor": 10,
    "memfd_noexec": 0,
    "unprivileged_userfaultfd": 0,
}
FS_NUMBERS = {
    "nr_open": 1048576,
    "file-max": 9223372036854775807,
    "aio-max-nr": 65536,
    "aio-nr": 0,
    "lease-break-time": 45,
    "leases-enable": 1,
    "mount-max": 100000,
    "suid_dumpable": 0,
    "protected_symlinks": 1,
    "protected_hardlinks": 1,
    "protected_fifos": 1,
    "protected_regular": 2,
    "pipe-user-pages-soft": 16384,
    "pipe-user-pages-hard": 0,
    "dir-notify-enable": 1,
    "overflowuid": 65534,
    "overflowgid": 65534,
}
INOTIFY = {"max_queued_events": 16384, "max_user_instances": 128, "max_user_watches": 65536}
IPV4_NUMBERS = {
    "ip_forward": 0,
    "ip_default_ttl": 64,
    "tcp_syncookies": 1,
    "tcp_fin_timeout": 60,
    "tcp_keepalive_time": 7200,
    "tcp_keepalive_probes": 9,
    "tcp_keepalive_intvl": 75,
    "tcp_tw_reuse": 2,
    "tcp_sack": 1,
    "tcp_timestamps": 1,
    "tcp_window_scaling": 1,
    "tcp_max_syn_backlog": 512,
    "tcp_syn_retries": 6,
    "tcp_synack_retries": 5,
    "tcp_retries1": 3,
    "tcp_retries2": 15,
    "tcp_fastopen": 1,
    "tcp_moderate_rcvbuf": 1,
    "tcp_ecn": 2,
    "tcp_dsack": 1,
    "tcp_no_metrics_save": 0,
    "tcp_slow_start_after_idle": 1,
    "ip_unprivileged_port_start": 1024,
    "tcp_mtu_probing": 0,
    "ip_nonlocal_bind": 0,
    "tcp_max_tw_buckets": 16384,
    "tcp_recovery": 1,
    "icmp_echo_ignore_all": 0,
    "icmp_echo_ignore_broadcasts": 1,
}
IPV4_TEXTS = {
    "ip_local_port_range": "32768\t60999",
    "ping_group_range": "1\t0",
    "tcp_rmem": "4096\t131072\t6291456",
    "tcp_wmem": "4096\t16384\t4194304",
    "tcp_mem": "22905\t30541\t45810",
    "udp_mem": "45813\t61085\t91626",
    "tcp_congestion_control": "cubic",
    "ip_local_reserved_ports": "",
    "tcp_available_congestion_control": "cubic reno",
    "tcp_allowed_congestion_control": "cubic reno",
}
CORE_NUMBERS = {
    "somaxconn": 4096,
    "rmem_default": 212992,
    "rmem_max": 212992,
    "wmem_default": 212992,
    "wmem_max": 212992,
    "netdev_max_backlog": 1000,
    "optmem_max": 131072,
    "busy_poll": 0,
    "busy_read": 0,
    "dev_weight": 64,
}
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
INTERFACE_NUMBERS = {
    "forwarding": 0,
    "rp_filter": 0,
    "accept_redirects": 1,
    "accept_source_route": 0,
    "send_redirects": 1,
    "arp_ignore": 0,
    "arp_announce": 0,
    "log_martians": 0,
    "disable_ipv6": 0,
    "accept_ra": 1,
    "accept_dad": 1,
    "proxy_arp": 0,
}


class Sysctl:
    """The parameters of one sandbox."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.values = {}
        self.boot_id = uuid()

    def layout(self):
        """The tree for fs.proc.nodes.tree."""
        return {
            "kernel": {**self.numbers("kernel", KERNEL_NUMBERS), **self.kernel_entries()},
            "vm": self.numbers("vm", VM_NUMBERS),
            "fs": {
                **self.numbers("fs", FS_NUMBERS),
                "pipe-max-size": (pipe_max_size, set_pipe_max_size),
                "file-nr": self.file_nr,
                "inode-nr": b"1000\t100\n",
                "inode-state": b"1000\t100\t0\t0\t0\t0\t0\n",
                "dentry-state": b"1000\t500\t45\t0\t0\t0\n",
                "inotify": self.numbers("inotify", INOTIFY),
                "epoll": self.numbers("epoll", {"max_user_watches": 1000000}),
                "mqueue": self.numbers(
                    "mqueue", {"msg_default": 10, "msg_max": 10, "msgsize_default": 8192, "msgsize_max": 8192, "queues_max": 256}
                ),
                "binfmt_misc": {},
            },
            "net": self.net_entries(),
            "user": self.numbers("user", {f"max_{kind}_namespaces": 31852 for kind in NAMESPACES}),
            "debug": self.numbers("debug", {"exception-trace": 1}),
            "dev": {},
            "abi": self.numbers("abi", {"vsyscall32": 1}),
        }

    def kernel_entries(self):
        return {
            "ostype": b"Linux\n",
            "osrelease": KERNEL_RELEASE + b"\n",
            "version": KERNEL_VERSION + b"\n",
            "arch": b"x86_64\n",
            "hostname": (hostname, set_hostname),
            "domainname": (domainname, set_domainname),
            "cap_last_cap": b"40\n",
            "ngroups_max": b"65536\n",
            "overflowuid": b"65534\n",
            "overflowgid": b"65534\n",
            "shmmax": self.big("shmmax", 18446744073692774399),
            "shmall": self.big("shmall", 18446744073692774399),
            "core_pattern": self.text("core_pattern", "core"),
            "modprobe": self.text("modprobe", "/sbin/modprobe"),
            "sem": self.text("sem", "32000\t1024000000\t500\t32000"),
            "printk": self.text("printk", "4\t4\t1\t7"),
            "ns_last_pid": lambda task: f"{self.kernel.last_pid}\n",
            "random": {
                "boot_id": (self.boot_id + "\n").encode(),
                "uuid": lambda task: uuid() + "\n",
                "entropy_avail": b"256\n",
                "poolsize": b"256\n",
                "urandom_min_reseed_secs": b"60\n",
                "write_wakeup_threshold": b"256\n",
            },
            "yama": self.numbers("yama", {"ptrace_scope": 1}),
            "seccomp": {
                "actions_avail": b"kill_process kill_thread trap errno user_notif trace log allow\n",
                "actions_logged": b"kill_process kill_thread trap errno user_notif trace log\n",
            },
            "keys": self.numbers("keys", {"maxkeys": 200, "maxbytes": 20000, "root_maxkeys": 1000000, "root_maxbytes": 25000000}),
            "pty": {"max": b"4096\n", "nr": self.pty_nr, "reserve": b"1024\n"},
        }

    def net_entries(self):
        interfaces = {name: self.numbers(f"net-conf-{name}", INTERFACE_NUMBERS) for name in ("all", "default", "lo", "eth0")}
        return {
            "core": {**self.numbers("net-core", CORE_NUMBERS), "default_qdisc": b"fq_codel\n"},
            "ipv4": {
                **self.numbers("net-ipv4", IPV4_NUMBERS),
                **{name: self.text(f"net-ipv4-{name}", value) for name, value in IPV4_TEXTS.items()},
                "conf": interfaces,
            },
            "ipv6": {
                "conf": {name: self.numbers(f"net-conf6-{name}", INTERFACE_NUMBERS) for name in ("all", "default", "lo", "eth0")},
                **self.numbers("net-ipv6", {"bindv6only": 0, "ip_nonlocal_bind": 0}),
            },
            "unix": self.numbers("net-unix", {"max_dgram_qlen": 512}),
            "netfilter": self.numbers("net-netfilter", {"nf_conntrack_max": 262144}),
        }

    def numbers(self, where, initial):
        """Entries for a table of whole numbers."""
        return {name: self.number(f"{where}/{name}", value) for name, value in initial.items()}

    def number(self, key, initial):
        """One whole number."""
        self.values[key] = initial
        most = max(INT_MAX, initial)

        def store(task, data):
            self.values[key] = whole_number(data, -1 if most == INT_MAX else 0, most)

        return lambda task: f"{self.values[key]}\n", store

    def big(self, key, initial):
        """One unsigned long."""
        self.values[key] = initial

        def store(task, data):
            self.values[key] = whole_number(data, 0, 0xFFFFFFFFFFFFFFFF)

        return lambda task: f"{self.values[key]}\n", store

    def text(self, key, initial):
        """One line."""
        self.values[key] = initial

        def store(task, data):
            self.values[key] = data.split(b"\n")[0].decode("utf-8", "surrogateescape")[:127]

        return lambda task: (self.values[key] + "\n").encode("utf-8", "surrogateescape"), store

    def pty_nr(self, task):
        """Terminals that are open."""
        devpts = getattr(self.kernel.services, "devpts", None)
        return f"{0 if devpts is None else len(devpts.ttys)}\n"

    def file_nr(self, task):
        """Open, free, maximum."""
        tables = {other.files for other in self.kernel.tasks.values() if other.files is not None}
        return f"{sum(len(table.descriptors()) for table in tables)}\t0\t{self.values['fs/file-max']}\n"


def whole_number(data, least, most):
    """The number that was written; EINVAL."""
    try:
        value = int(data.split(b"\0")[0].strip(), 0)
    except ValueError:
        raise Errno(EINVAL) from None
    if not least <= value <= most:
        raise Errno(EINVAL)
    return value


def hostname(task):
    return task.uts.nodename + b"\n"


def set_hostname(task, data):
    task.uts.nodename = new_name(task, data)


def domainname(task):
    return task.uts.domainname + b"\n"


def set_domainname(task, data):
    task.uts.domainname = new_name(task, data)


def new_name(task, data):
    if not task.creds.capable(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    return data.split(b"\n")[0][:64]


def pipe_max_size(task):
    return f"{pipe.get_max_size()}\n"


def set_pipe_max_size(task, data):
    pipe.set_max_size(whole_number(data, 4096, 1 << 31))


def uuid():
    """A random UUID (RFC 4122, version 4)."""
    raw = bytearray(posix.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
