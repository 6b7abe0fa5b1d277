# SPDX-License-Identifier: Apache-2.0
"""SIGKILL of any of our processes at any moment leaves nothing that `delete --force` does not remove."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

GROUP = "runsc-crash-test"


def cgroups():
    return [path for path in Path("/sys/fs/cgroup").glob(f"*/{GROUP}/*/") if path.is_dir()]


def bundle_in_cgroup(runtime):
    bundle = runtime.bundle("sleep")
    config = json.loads((bundle / "config.json").read_text())
    config["linux"]["cgroupsPath"] = f"/{GROUP}/c"
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


@pytest.fixture(autouse=True)
def no_cgroup_stays():
    yield
    for path in Path("/sys/fs/cgroup").glob(f"*/{GROUP}"):
        path.rmdir()


@pytest.mark.parametrize("round_", range(12))
def test_a_command_killed_while_it_creates(runtime, round_, eventually):
    bundle = bundle_in_cgroup(runtime)
    mounts = Path("/proc/self/mountinfo").read_text()
    random.seed(round_)
    command = runtime.start(
        "create", "--bundle", bundle, "c", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(0.02 + random.random() * 0.2)
    command.kill()
    command.wait()
    runtime("delete", "--force", "c")
    eventually(lambda: not cgroups())
    assert not (runtime.root / "c").exists()
    assert Path("/proc/self/mountinfo").read_text() == mounts


@pytest.mark.parametrize("victim", ["pid", "goferPid"])
@pytest.mark.parametrize("moment", ["created", "running"])
def test_a_killed_process_of_the_sandbox(runtime, victim, moment, eventually):
    runtime("create", "--bundle", bundle_in_cgroup(runtime), "c")
    if moment == "running":
        runtime("start", "c")
    os.kill(json.loads((runtime.root / "c" / "state.json").read_text())[victim], signal.SIGKILL)
    eventually(lambda: runtime.status() == "stopped")
    assert "container not running" in runtime("exec", "c", "exit", "0", status=128).stderr
    runtime("delete", "c")
    assert not cgroups()


def test_a_sandbox_that_does_not_answer_is_killed(runtime, eventually):
    runtime("create", "--bundle", bundle_in_cgroup(runtime), "c")
    os.kill(runtime.state()["pid"], signal.SIGSTOP)
    runtime("kill", "c", "KILL")
    eventually(lambda: runtime.status() == "stopped")


def test_delete_force_of_a_cut_state(runtime):
    runtime("create", "--bundle", bundle_in_cgroup(runtime), "c")
    pid = runtime.state()["pid"]
    path = runtime.root / "c" / "state.json"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    assert "damaged" in runtime("state", "c", status=128).stderr
    assert "damaged" in runtime("delete", "c", status=128).stderr
    assert runtime("list", "-q").stdout == ""
    runtime("delete", "--force", "c")
    assert not (runtime.root / "c").exists()
    assert not is_running(pid)
    assert not cgroups()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
