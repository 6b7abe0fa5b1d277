# SPDX-License-Identifier: Apache-2.0
"""What the commands promise to daemons, with a kernel that only pretends."""

import array
import json
import os
import pty
import signal
import socket
import subprocess
from pathlib import Path

import pytest


def wait_for(pid):
    """Status of a process that we inherit as its subreaper."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def subreaper():
    """containerd's shim is one: orphans become our children."""
    import ctypes

    libc = ctypes.CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)
    yield
    libc.prctl(36, 0, 0, 0, 0)


def test_run_gives_output_and_status(runtime):
    done = runtime("run", "--bundle", runtime.bundle("echo", "hello", "world"), "c")
    assert done.stdout == "hello world\n"
    runtime("run", "-bundle", runtime.bundle("exit", "42"), "c", status=42)
    assert os.listdir(runtime.root) == []


def test_stdin_reaches_the_program(runtime):
    command = runtime.argv("run", "--bundle", runtime.bundle("cat"), "c")
    done = subprocess.run(command, input=b"abc", capture_output=True, timeout=20, check=True)
    assert done.stdout == b"abc"


def test_life_of_a_container(runtime, tmp_path, subreaper):
    bundle = runtime.bundle("sleep")
    pid_file = tmp_path / "pid"
    runtime("create", "--bundle", bundle, f"--pid-file={pid_file}", "c")
    pid = int(pid_file.read_text())
    assert pid_file.read_text() == str(pid)
    assert runtime.status() == "created"
    assert runtime.state()["pid"] == pid
    runtime("start", "c")
    assert runtime.status() == "running"
    assert "not stopped" in runtime("delete", "c", status=128).stderr
    runtime("kill", "c", "15")
    assert wait_for(pid) == 143
    assert runtime.status() == "stopped"
    runtime("delete", "c")
    runtime("delete", "--force", "c")
    assert "does not exist" in runtime("delete", "c", status=128).stderr


@pytest.mark.parametrize("signal_name", ["9", "KILL", "SIGKILL", "sigkill"])
def test_kill_by_any_name(runtime, tmp_path, subreaper, signal_name):
    runtime("create", "--bundle", runtime.bundle("sleep"), "--pid-file", tmp_path / "pid", "c")
    runtime("start", "c")
    runtime("kill", "c", signal_name)
    assert wait_for(int((tmp_path / "pid").read_text())) == 137
    assert "container not running" in runtime("kill", "c", status=128).stderr
    runtime("kill", "--all", "c", "9")


def test_errors_reach_the_log(runtime):
    runtime("start", "nobody", status=128)
    line = json.loads(runtime.log.read_text().splitlines()[-1])
    assert line["level"] == "error"
    assert line["msg"] == 'container "nobody" does not exist'
    assert line["time"].endswith("Z")


def test_a_missing_program_leaves_no_state(runtime):
    done = runtime("create", "--bundle", runtime.bundle("nonexistent"), "c", status=128)
    assert "executable file not found in $PATH" in done.stderr
    assert os.listdir(runtime.root) == []


@pytest.mark.parametrize("program", ["crash", "vanish"])
def test_a_kernel_that_dies_at_birth_leaves_nothing(runtime, program):
    runtime("create", "--bundle", runtime.bundle(program), "c", status=128)
    assert os.listdir(runtime.root) == []


def test_missing_things_are_named(runtime):
    bundle = runtime.bundle("sleep")
    (bundle / "rootfs").rmdir()
    assert "rootfs: no such file or directory" in runtime("create", "--bundle", bundle, "c", status=128).stderr
    (bundle / "config.json").write_text("{")
    assert "config.json: line 1, column 2" in runtime("create", "--bundle", bundle, "c", status=128).stderr
    (bundle / "config.json").unlink()
    assert "config.json: no such file or directory" in runtime("create", "--bundle", bundle, "c", status=128).stderr
    assert "flag provided but not defined: -nope" in runtime("create", "-nope", "c", status=128).stderr
    assert not runtime.root.exists() or os.listdir(runtime.root) == []


def test_the_same_id_twice(runtime):
    runtime("create", "--bundle", runtime.bundle("sleep"), "c")
    assert "exists" in runtime("create", "--bundle", runtime.bundle("sleep"), "c", status=128).stderr
    assert runtime.status() == "created"


@pytest.mark.parametrize("bad", ["../x", "a/b", ".", "", "a b"])
def test_bad_ids(runtime, bad):
    assert "invalid container id" in runtime("create", "--bundle", runtime.bundle("sleep"), "--", bad, status=128).stderr


def test_exec(runtime, tmp_path):
    runtime("run", "--detach", "--bundle", runtime.bundle("sleep"), "c")
    assert runtime("exec", "c", "echo", "-n", "x").stdout == "-n x\n"
    runtime("exec", "--env", "A=B", "--cwd=/tmp", "--user", "1:2", "c", "exit", "7", status=7)
    assert "executable file not found" in runtime("exec", "c", "nope", status=128).stderr
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"args": ["exit", "3"], "cwd": "/"}))
    runtime("exec", "--process", process, "c", status=3)


def test_exec_detached_leaves_a_waiter(runtime, tmp_path, subreaper, eventually):
    runtime("run", "--detach", "--bundle", runtime.bundle("sleep"), "c")
    pid_file = tmp_path / "exec.pid"
    runtime("exec", "--detach", "--pid-file", pid_file, "c", "exit", "9")
    assert wait_for(int(pid_file.read_text())) == 9
    runtime("exec", "--detach", "--pid-file", pid_file, "c", "sleep")
    waiter = int(pid_file.read_text())
    os.kill(waiter, signal.SIGTERM)
    assert wait_for(waiter) == 143
    runtime("exec", "--detach", "--pid-file", pid_file, "c", "sleep")
    waiter = int(pid_file.read_text())
    os.kill(waiter, signal.SIGKILL)
    assert wait_for(waiter) == -9
    eventually(lambda: len(json.loads(runtime("ps", "--format", "json", "c").stdout)) == 1)
    runtime("exec", "--detach", "--pid-file", pid_file, "c", "sleep")
    runtime("kill", "c", "9")
    assert wait_for(int(pid_file.read_text())) == 137


def test_ps_prints_host_pids(runtime):
    runtime("run", "--detach", "--bundle", runtime.bundle("sleep"), "c")
    pids = json.loads(runtime("ps", "--format", "json", "c").stdout)
    assert len(pids) == 1
    assert b"runsc-sentry" in Path(f"/proc/{pids[0]}/cmdline").read_bytes()


def test_pause_and_resume(runtime):
    runtime("run", "--detach", "--bundle", runtime.bundle("sleep"), "c")
    runtime("pause", "c")
    assert runtime.status() == "paused"
    assert "is paused" in runtime("exec", "c", "exit", "0", status=128).stderr
    runtime("resume", "c")
    assert runtime.status() == "running"


def test_wait_prints_the_status(runtime):
    runtime("run", "--detach", "--bundle", runtime.bundle("sleep"), "c")
    waiting = runtime.start("wait", "c", stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.5)
    runtime("kill", "c", "9")
    assert json.loads(waiting.communicate(timeout=10)[0]) == {"id": "c", "exitStatus": 137}


def test_foreground_run_forwards_signals(runtime, eventually):
    running = runtime.start("run", "--bundle", runtime.bundle("sleep"), "c", stdin=subprocess.DEVNULL)
    eventually(lambda: (runtime.root / "c").exists() and runtime.status() == "running")
    running.send_signal(signal.SIGTERM)
    assert running.wait(10) == 143


def test_a_killed_foreground_run_takes_the_sandbox_with_it(runtime, eventually):
    running = runtime.start("run", "--bundle", runtime.bundle("sleep"), "c", stdin=subprocess.DEVNULL)
    eventually(lambda: (runtime.root / "c").exists() and runtime.status() == "running")
    running.kill()
    running.wait()
    eventually(lambda: runtime.status() == "stopped")


def receive_master(listener):
    connection, _ = listener.accept()
    fds = array.array("i")
    _, ancillary, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(4))
    fds.frombytes(ancillary[0][2])
    return fds[0]


def test_console_socket_gets_the_master(runtime, tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "console"))
    listener.listen()
    bundle = runtime.bundle("pty")
    config = json.loads((bundle / "config.json").read_text())
    config["process"].update(terminal=True, consoleSize={"height": 30, "width": 90})
    (bundle / "config.json").write_text(json.dumps(config))
    assert "console-socket" in runtime("create", "--bundle", bundle, "c", status=128).stderr
    runtime("create", "--bundle", bundle, "--console-socket", tmp_path / "console", "c")
    master = receive_master(listener)
    assert tuple(os.get_terminal_size(master)) == (90, 30)
    runtime("start", "c")
    assert os.read(master, 100) == b"tty=1\r\n"
    os.close(master)


def test_exec_with_a_terminal(runtime, tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "console"))
    listener.listen()
    runtime("run", "--detach", "--bundle", runtime.bundle("sleep"), "c")
    runtime("exec", "--tty", "--detach", "--console-socket", tmp_path / "console", "c", "pty")
    master = receive_master(listener)
    assert os.read(master, 100) == b"tty=1\r\n"
    os.close(master)


def test_do_relays_a_terminal(runtime):
    pid, master = pty.fork()
    if pid == 0:
        os.execve(runtime.argv()[0], runtime.argv("do", "pty"), os.environ)
    text = b""
    try:
        while part := os.read(master, 1000):
            text += part
    except OSError:
        pass
    assert b"tty=1" in text
    assert wait_for(pid) == 0


def test_do_passes_the_status(runtime):
    runtime("do", "exit", "5", status=5)
    assert runtime("do", "echo", "-x", "y").stdout == "-x y\n"


def hook(tmp_path, name, body):
    path = tmp_path / name
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return {"path": str(path), "args": [name]}


def test_hooks_run_in_order_with_the_state(runtime, tmp_path):
    note = tmp_path / "note"
    kinds = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    hooks = {kind: [hook(tmp_path, kind, f"echo {kind} $(cat) >> {note}\n")] for kind in kinds}
    runtime("run", "--bundle", runtime.bundle("sleep", hooks=hooks), "-d", "c")
    runtime("delete", "-f", "c")
    lines = [line.split(" ", 1) for line in note.read_text().splitlines()]
    assert [line[0] for line in lines] == list(kinds)
    assert json.loads(lines[0][1])["pid"] > 0
    assert json.loads(lines[4][1])["status"] == "running"
    assert json.loads(lines[5][1])["status"] == "stopped"


def test_prestart_hook_finds_the_network_namespace(runtime, tmp_path):
    script = f"pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/net > {tmp_path}/net\n"
    runtime("create", "--bundle", runtime.bundle("sleep", hooks={"prestart": [hook(tmp_path, "h", script)]}), "c")
    assert (tmp_path / "net").read_text().strip() not in ("", os.readlink("/proc/self/ns/net"))


def test_a_failing_hook_stops_the_creation(runtime, tmp_path):
    hooks = {"createRuntime": [hook(tmp_path, "bad", "echo why; exit 3\n")]}
    done = runtime("create", "--bundle", runtime.bundle("sleep", hooks=hooks), "c", status=128)
    assert "exit status 3: why" in done.stderr
    slow = hook(tmp_path, "slow", "exec sleep 30\n")
    slow["timeout"] = 1
    done = runtime("create", "--bundle", runtime.bundle("sleep", hooks={"prestart": [slow]}), "c", status=128)
    assert "still running after 1 s" in done.stderr


def test_a_hook_may_ask_for_the_state(runtime, tmp_path):
    command = " ".join(runtime.argv("state", "c"))
    hooks = {"prestart": [hook(tmp_path, "ask", f"{command} > {tmp_path}/answer\n")]}
    runtime("create", "--bundle", runtime.bundle("sleep", hooks=hooks), "c")
    assert json.loads((tmp_path / "answer").read_text())["status"] == "creating"


def test_help_knows_every_command(runtime):
    from oci.flags import COMMANDS

    text = runtime("help").stdout
    for name in COMMANDS:
        assert f"\n  {name} " in text
        assert runtime("help", name).stdout.startswith("Usage: runsc " + name)


def test_list_formats(runtime):
    assert runtime("list", "--format", "json").stdout == "[]\n"
    runtime("create", "--bundle", runtime.bundle("sleep"), "c")
    assert json.loads(runtime("list", "-f", "json").stdout)[0]["id"] == "c"
    assert runtime("list", "-q").stdout == "c\n"
    assert runtime("list").stdout.splitlines()[0].split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]


def test_spec_writes_a_config_that_we_accept(runtime, tmp_path):
    from oci.spec import parse_spec

    runtime("spec", "--bundle", tmp_path)
    spec = parse_spec((tmp_path / "config.json").read_bytes())
    assert spec.process.args == ["sh"]
    assert "file exists" in runtime("spec", "--bundle", tmp_path, status=128).stderr


def test_checkpoint_says_that_it_is_missing(runtime):
    assert "not supported" in runtime("checkpoint", "c", status=128).stderr


def test_a_caller_who_is_not_root(runtime, tmp_path):
    bundle = runtime.bundle("sleep")
    for path in (*tmp_path.parents, tmp_path, bundle):
        if str(path).startswith("/tmp/"):
            path.chmod(0o777)
    as_nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    runtime("run", "--bundle", bundle, "--detach", "c", **as_nobody)
    assert runtime("exec", "c", "echo", "hi", **as_nobody).stdout == "hi\n"
    assert runtime.state()["owner"] == "65534"
    runtime("kill", "c", "SIGKILL", **as_nobody)
    runtime("delete", "--force", "c", **as_nobody)
