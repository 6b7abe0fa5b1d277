# SPDX-License-Identifier: Apache-2.0
"""A dockerd of our own, with data and sockets in a tmpfs, without bridge and iptables; and the promise that nothing is left behind.

Images: `small` is static busybox, `debian` is a minbase Debian with what programs need, made once by debootstrap and kept in out/.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

PACKAGES = "python3,perl,gcc,g++,libc6-dev,make,git,procps,vim-tiny,less,bsdextrautils"
OURS = re.compile(rb"containerd-shim|runsc-(sentry|gofer) [0-9a-f]{64}")
APPLETS = (
    "sh cat chmod cp dd df echo env false grep head hostname id kill ln ls mkdir mount mv nproc ps pwd rm sed seq sleep sort stat stty "
    "sync tail tee test touch true tty ulimit uname wc whoami"
).split()
MAKE_DEBIAN = """
set -e
mount -t tmpfs -o size=4G tmpfs "$1"
debootstrap --variant=minbase --include="$3" bookworm "$1/root" "$4" > "$1/log" 2>&1 || { tail "$1/log" >&2; exit 1; }
cd "$1/root"
rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* usr/share/doc usr/share/man usr/share/locale
tar cf "$2" .
"""


def unsanitized():
    """Our environment without what the debug build loads into us: the daemon starts programs of the host, some of which hang with it."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


class Docker:
    """The daemon, and its client."""

    def __init__(self, directory, runsc):
        self.directory = directory
        self.environment = {**unsanitized(), "DOCKER_HOST": f"unix://{directory}/sock", "DOCKER_CONFIG": str(directory / "config")}
        self.log = open(directory / "log", "wb")
        command = [
            *"setpriv --pdeathsig TERM dockerd --iptables=false --bridge=none".split(),
            f"--add-runtime=runsc={runsc}",
            f"--pidfile={directory}/pid",
        ]
        command += [f"--data-root={directory}/data", f"--exec-root={directory}/exec", f"--host=unix://{directory}/sock"]
        self.daemon = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=unsanitized(), start_new_session=True)
        wait_until(lambda: self("version", status=None).returncode == 0 or self.daemon.poll() is not None, 60)

    def __call__(self, *words, status=0, stdin=None, timeout=60, text=True):
        """A command of the client; status None: any will do."""
        argv = ["docker", *map(str, words)]
        source = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(argv, capture_output=True, text=text, timeout=timeout, env=self.environment, **source)
        assert status is None or done.returncode == status, (argv, done.returncode, done.stdout, done.stderr)
        return done

    def run(self, *words, image="small", runtime="runsc", **options):
        """docker run --rm with options before "--" and the command after it."""
        split = words.index("--") if "--" in words else 0
        return self("run", "--rm", f"--runtime={runtime}", *words[:split], image, *words[split + ("--" in words) :], **options)

    def start(self, *words, image="small"):
        """A container in the background that the test's end removes; options, "--", command. Answers its id."""
        split = words.index("--")
        return self("run", "-d", "--runtime=runsc", *words[:split], image, *words[split + 1 :]).stdout.strip()

    def remove_containers(self):
        made = self("ps", "-aq").stdout.split()
        if made:
            self("rm", "-f", "-v", *made)

    def close(self):
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.daemon.pid, signal.SIGKILL)
            self.daemon.wait()
        self.log.close()


def wait_until(check, seconds=15):
    """Waits until check() is true; answers whether it became so."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="session")
def eventually():
    return wait_until


@pytest.fixture(scope="session")
def daemon(tmp_path_factory, runsc):
    """One for all tests."""
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("needs root and dockerd")
    before = traces()
    directory = tmp_path_factory.mktemp("docker")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6G", "tmpfs", str(directory)], check=True)
    docker = Docker(directory, runsc)
    try:
        if docker.daemon.poll() is not None:
            pytest.fail(f"dockerd does not start:\n{(directory / 'log').read_text()[-3000:]}")
        yield docker
    finally:
        docker.close()
        remained = wait_until(lambda: not (traces() - before), 10)
        for point in reversed(mounts_below(directory)):
            subprocess.run(["umount", "-l", point], check=False)
    assert remained, traces() - before


@pytest.fixture(scope="session")
def small(daemon, tmp_path_factory):
    """The image `small`."""
    archive = tmp_path_factory.mktemp("image") / "small.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "home"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(directory)
        tar.add("/bin/busybox", "bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name, text in (("passwd", b"root:x:0:0::/root:/bin/sh\nwww:x:33:44::/home:/bin/sh\n"), ("group", b"root:x:0:\nwww:x:44:\n")):
            (archive.parent / name).write_bytes(text)
            tar.add(archive.parent / name, f"etc/{name}")
    daemon("import", archive, "small")


@pytest.fixture(scope="session")
def debian(daemon, tmp_path_factory):
    """The image `debian`; made anew when the list of packages changed."""
    cached = Path(__file__).resolve().parents[2] / "out" / "images" / f"debian-{abs(hash_of(PACKAGES))}.tar"
    cached.parent.mkdir(parents=True, exist_ok=True)
    if not cached.exists():
        unfinished = cached.with_suffix(f".{os.getpid()}")
        mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
        words = [str(tmp_path_factory.mktemp("debootstrap")), str(unfinished), PACKAGES, mirror]
        command = ["unshare", "-m", "sh", "-c", MAKE_DEBIAN, "sh", *words]
        done = subprocess.run(command, env=unsanitized(), capture_output=True, text=True, timeout=600)
        if done.returncode:
            unfinished.unlink(missing_ok=True)
            pytest.fail(f"debootstrap: {done.stderr}", pytrace=False)
        unfinished.rename(cached)
    daemon("import", cached, "debian", timeout=200)


def hash_of(text):
    """The same number for the same text in every run."""
    return sum(byte * 131**index for index, byte in enumerate(text.encode())) % 10**12


@pytest.fixture
def docker(daemon, small):
    """The client; after the test its containers are removed, and nothing of them is left."""
    before = traces()
    yield daemon
    daemon.remove_containers()
    assert wait_until(lambda: not (traces() - before)), traces() - before


def traces():
    """What a container leaves on the host: processes, mounts, cgroups."""
    return processes() | cgroups() | set(mounts_of_containers())


def processes():
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if OURS.search((entry / "cmdline").read_bytes().replace(b"\0", b" ")):
                    found.add(f"process {entry.name}")
    return found


def cgroups():
    return {str(path) for pattern in ("docker/*/", "*/docker/*/") for path in Path("/sys/fs/cgroup").glob(pattern) if path.is_dir()}


def mounts_of_containers():
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if re.search(r"/merged|/mounts/shm|/netns/", line.split()[4])]


def mounts_below(directory):
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(str(directory))]
