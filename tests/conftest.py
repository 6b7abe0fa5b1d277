# SPDX-License-Identifier: Apache-2.0
"""Fixtures shared by all tests: the executable under test, guest programs, and a sandbox to run them in.

Environment: RUNSC is the executable under test (default out/runsc); RUNSC_FLAGS are global flags put before every command
(such as `--platform=ptrace`). Guest programs are compiled once into out/guest and again when their source or a header
changed. A test that runs longer than its limit (120 s, or the marker `timeout(seconds)`) fails.
"""

import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"
GUEST_SOURCES = ROOT / "tests" / "guest"
TEST_LIMIT_S = 120
APPLETS = "sh cat echo env false head id kill ln ls mkdir mv ps rm sleep sort stat tee test touch true uname wc".split()
CAPABILITIES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
    SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP""".split()
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"}
SANITIZER_REPORTS = ("Sanitizer:", "runtime error:")  # of the debug build's kernel and gofer, which have our stderr
_serial = itertools.count(1)


def pytest_configure(config):
    for marker in (
        "soak: minutes long, only on request (-m soak)",
        "bench: measures instead of asserting, only on request (-m bench)",
        "docker: needs dockerd",
        "fuzz: feeds random input for a bounded time",
        "timeout(seconds): limit of one test instead of the default",
    ):
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Ends a test that hangs: the alarm interrupts any wait."""
    marker = item.get_closest_marker("timeout")
    limit_s = marker.args[0] if marker else TEST_LIMIT_S

    def fail(signo, frame):
        pytest.fail(f"still running after {limit_s} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(limit_s)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def runsc():
    """Path of the executable under test."""
    path = Path(os.environ.get("RUNSC", OUT / "runsc")).absolute()
    if not path.exists():
        pytest.fail(f"{path} does not exist: run build/package, or name another executable in RUNSC")
    return path


@pytest.fixture(scope="session")
def runsc_flags():
    """Global flags for every command of the executable under test."""
    return shlex.split(os.environ.get("RUNSC_FLAGS", ""))


@pytest.fixture(scope="session")
def guest():
    """guest("family/name") compiles tests/guest/family/name.c; answers the path of the static program."""
    return compile_guest


@pytest.fixture(scope="session")
def run_native():
    """run_native(program, *args, stdin=None, timeout=30, env=None) -> CompletedProcess with text output."""
    return native


@pytest.fixture
def make_bundle():
    """make_bundle(args, files={}, change=None) -> path of an OCI bundle with a small root file system; removed after the test.

    files maps paths in the root file system to host files that are copied there; change(spec) may edit config.json before it is written.
    """
    made = []

    def make(args, files=None, change=None):
        made.append(write_bundle(args, files or {}, change))
        return made[-1]

    yield make
    for bundle in made:
        shutil.rmtree(bundle, ignore_errors=True)


@pytest.fixture
def run_guest(runsc, runsc_flags, make_bundle):
    """run_guest(program, *args, stdin=None, timeout=60, env=None, flags=[], change=None) -> CompletedProcess with text output.

    The host's program is copied to /NAME of a fresh container (busybox in /bin, tmpfs on /tmp, no network but loopback) and run
    there as root. flags are global flags; change(spec) may edit config.json.
    """

    def run(program, *args, stdin=None, timeout=60, env=None, flags=(), change=None):
        inside = "/" + Path(program).name

        def edit(spec):
            spec["process"]["env"] += [f"{key}={value}" for key, value in (env or {}).items()]
            if change:
                change(spec)

        bundle = make_bundle([inside, *map(str, args)], {inside: program}, edit)
        state = OUT / "state" / bundle.name
        command = [str(runsc), "--root", str(state), "--network=none", *runsc_flags, *flags]
        try:
            done = communicate([*command, "run", "--bundle", str(bundle), bundle.name], stdin, timeout, None)
            assert not any(report in done.stderr for report in SANITIZER_REPORTS), done.stderr
            return done
        finally:
            if state.exists() and any(state.iterdir()):
                subprocess.run([*command, "delete", "--force", bundle.name], capture_output=True, timeout=30)
            shutil.rmtree(state, ignore_errors=True)

    return run


def native(program, *args, stdin=None, timeout=30, env=None):
    """Runs a program on the host in an empty directory of its own, as a guest would be."""
    scratch = OUT / "native" / f"{os.getpid()}-{next(_serial)}"
    scratch.mkdir(parents=True)
    try:
        return communicate([str(program), *map(str, args)], stdin, timeout, {**ENVIRONMENT, **(env or {})}, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def communicate(command, stdin, timeout, env, cwd=None):
    """subprocess.run in a process group of its own, all of which ends with it."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        env=env,
        cwd=cwd,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(stdin, timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            print(f"{shlex.join(command)}\nstdout: {output}\nstderr: {errors}")
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def compile_guest(name):
    """The static program of tests/guest/NAME.c, compiled if it is missing or older than its source and headers."""
    return compile_c(GUEST_SOURCES / f"{name}.c", OUT / "guest" / name)


def compile_c(source, program):
    """gcc -static into program; extra flags stand in a line `/* cflags: ... */` of the source."""
    inputs = [source, *source.parent.glob("*.h"), *GUEST_SOURCES.glob("*.h")]
    if program.exists() and program.stat().st_mtime > max(file.stat().st_mtime for file in inputs):
        return program
    extra = [line.split(":", 1)[1].rsplit("*/")[0] for line in source.read_text().splitlines() if line.startswith("/* cflags:")]
    program.parent.mkdir(parents=True, exist_ok=True)
    fresh = program.with_name(f".{program.name}.{os.getpid()}")
    command = ["gcc", "-O1", "-static", "-pthread", "-Wall", "-D_GNU_SOURCE", f"-I{GUEST_SOURCES}", "-o", str(fresh), str(source)]
    done = subprocess.run([*command, *shlex.split(" ".join(extra))], capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"{source} does not compile:\n{done.stderr}", pytrace=False)
    fresh.rename(program)
    return program


def write_bundle(args, files, change):
    """A new directory in out/bundles with config.json and rootfs."""
    bundle = OUT / "bundles" / f"t{os.getpid()}-{next(_serial)}"
    rootfs = bundle / "rootfs"
    make_rootfs(rootfs)
    for inside, file in files.items():
        target = rootfs / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    spec = minimal_spec(args)
    if change:
        change(spec)
    (bundle / "config.json").write_text(json.dumps(spec))
    return bundle


def make_rootfs(rootfs):
    """Mount points, /etc and busybox."""
    for directory in ("bin", "dev", "etc", "home", "mnt", "proc", "root", "sys", "tmp", "usr", "var/tmp"):
        (rootfs / directory).mkdir(parents=True)
    (rootfs / "tmp").chmod(0o1777)
    (rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    (rootfs / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    shutil.copy("/bin/busybox", rootfs / "bin/busybox")
    for applet in APPLETS:
        (rootfs / "bin" / applet).symlink_to("busybox")


def minimal_spec(args):
    """config.json of a container that runs args as root with all capabilities."""
    capabilities = ["CAP_" + name for name in CAPABILITIES]
    mounts = [
        ("/proc", "proc", "proc", []),
        ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        ("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        ("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
        ("/tmp", "tmpfs", "tmpfs", ["mode=1777"]),
    ]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": [f"{key}={value}" for key, value in ENVIRONMENT.items()],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "inheritable", "permitted"), capabilities),
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        },
        "root": {"path": "rootfs"},
        "hostname": "guest",
        "mounts": [{"destination": to, "type": kind, "source": source, "options": options} for to, kind, source, options in mounts],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }
