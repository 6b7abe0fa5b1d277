# SPDX-License-Identifier: Apache-2.0
"""What sentry and gofer ask of the host while they serve a mixed job, as strace sees it: only calls that their filters list.

The processes are attached to once they are in their jails, so the calls before the filter closes are not seen.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from gofer import seccomp
from kernel.boot import filter as sentry

ALWAYS = {"mmap", "mprotect", "ioctl", "fcntl", "clone"}  # of the sentry: allowed in some shapes
CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed)")
JOB = """
sleep 2
mkdir /tmp/d /root/d; cd /root/d
echo one > a; cat a a > b; ln -s a c; mv b e; ls -l; stat a; rm e; wc -c < a
for i in 1 2 3; do (echo $i; sleep 0.1) | cat > /tmp/d/$i & done; wait
head -c 300000 /dev/zero > /tmp/d/big; head -c 300000 /dev/zero > big; cat big big | wc -c
kill -0 $$; ps > /dev/null; env | sort > sorted; tee x < sorted | wc; touch a; chmod 600 a 2>/dev/null
rm -r /tmp/d; echo DONE
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for strace"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
]


def process_named(start, deadline_s=30):
    """The pid of the process whose command line begins so."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(start):
                    return int(entry.name)
            except OSError:
                pass
        time.sleep(0.05)
    raise AssertionError(f"no process {start}")


def wait_for_filter(pid, deadline_s=20):
    """Until seccomp is in force."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.02)
    raise AssertionError("the filter never closed")


@pytest.fixture
def calls(runsc, runsc_flags, make_bundle, tmp_path):
    """{pid: names of the calls it made}, and the two pids, of one run of the job."""
    name = f"calls{os.getpid()}"
    bundle = make_bundle(["/bin/sh", "-c", JOB])
    command = [str(runsc), "--root", str(tmp_path / "state"), "--network=none", *runsc_flags, "run", "--bundle", str(bundle), name]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        pids = [process_named(f"runsc-{who} {name}".encode()) for who in ("sentry", "gofer")]
        for pid in pids:
            wait_for_filter(pid)
        trace = tmp_path / "trace"
        with subprocess.Popen(["strace", "-f", "-q", "-o", str(trace), "-p", f"{pids[0]},{pids[1]}"], stderr=subprocess.DEVNULL) as tracer:
            output, _ = running.communicate(timeout=60)
            tracer.wait(timeout=20)
    assert running.returncode == 0 and "DONE" in output, output
    made = {}
    for line in trace.read_text(errors="replace").splitlines():
        found = CALL.match(line)
        if found:
            made.setdefault(int(found[1]), set()).add(found[2])
    return made, *pids


def test_only_listed_calls(calls):
    made, sentry_pid, gofer_pid = calls
    of_gofer = made.pop(gofer_pid)
    of_sentry = set().union(*made.values())
    assert {"ppoll", "read"} & made[sentry_pid] and "recvmsg" in of_gofer, "the trace missed the job"
    listed = {name for _, name, _ in sentry.ALLOWED} | ALWAYS
    assert of_sentry <= listed, of_sentry - listed
    listed = {name for _, name, _ in seccomp.ALLOWED} | {name for _, name, _ in seccomp.ALLOWED_NOT_EXECUTABLE}
    assert of_gofer <= listed, of_gofer - listed


def test_release_refuses_to_be_permissive(runsc, tmp_path):
    """The executable has no sandbox without walls."""
    if "debug" in str(runsc) or runsc.read_bytes()[:2] == b"#!":
        pytest.skip("a development build")
    done = subprocess.run(
        [str(runsc), "--root", str(tmp_path), "--unconfined", "do", "/bin/true"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode != 0 and "development builds only" in done.stderr
