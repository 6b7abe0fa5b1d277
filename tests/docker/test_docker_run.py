# SPDX-License-Identifier: Apache-2.0
"""docker run and what follows a container through its life."""

import time

import pytest

pytestmark = pytest.mark.docker

SERVE = "trap 'echo got usr1' USR1; trap 'echo got term; exit 5' TERM; echo ready; while :; do sleep 0.1; done"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 42"), 42),
        (("sh", "-c", "sh -c 'kill -9 $$'; exit $?"), 137),
        (("/missing",), 127),
        (("missing",), 127),
        (("/etc/passwd",), 126),
        (("/etc",), 126),
    ],
)
def test_exit_status(docker, command, status):
    docker.run("--", *command, status=status)


def test_what_a_failed_start_says(docker):
    assert "executable file not found" in docker.run("--", "missing", status=127).stderr
    assert "permission denied" in docker.run("--", "/etc/passwd", status=126).stderr.lower()


def test_output_goes_where_it_belongs(docker):
    done = docker.run("--", "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_it_is_our_kernel(docker):
    ours, runc = (docker.run("--", "cat", "/proc/version", runtime=runtime).stdout for runtime in ("runsc", "runc"))
    assert ours != runc


def test_stdin(docker):
    assert docker.run("-i", "--", "cat", stdin="one\ntwo\n").stdout == "one\ntwo\n"
    big = "0123456789abcde\n" * 50000
    assert docker.run("-i", "--", "wc", "-c", stdin=big).stdout == f"{len(big)}\n"


def test_terminal(docker):
    done = docker.run("-t", "--", "sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo terminal; exit 3", status=3)
    assert done.stdout.split() == ["/dev/pts/0", "terminal"]


def test_logs_of_a_detached_one(docker, eventually):
    name = docker.start("--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert docker("wait", name).stdout == "7\n"
    logs = docker("logs", name)
    assert (logs.stdout, logs.stderr) == ("out\n", "err\n")
    assert docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name).stdout == "exited 7\n"


def test_signals_and_stop(docker, eventually):
    name = docker.start("--", "sh", "-c", SERVE)
    assert eventually(lambda: "ready" in docker("logs", name).stdout)
    docker("kill", "-s", "USR1", name)
    assert eventually(lambda: "got usr1" in docker("logs", name).stdout)
    docker("stop", name)
    assert "got term" in docker("logs", name).stdout
    assert docker("inspect", "-f", "{{.State.ExitCode}}", name).stdout == "5\n"


def test_stop_kills_who_does_not_listen(docker):
    name = docker.start("--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    docker("stop", "-t", "1", name)
    assert docker("inspect", "-f", "{{.State.ExitCode}}", name).stdout == "137\n"


def test_kill(docker):
    name = docker.start("--", "sleep", "1000")
    docker("kill", name)
    assert docker("wait", name).stdout == "137\n"


def test_restart_keeps_files(docker):
    name = docker.start("--", "sh", "-c", "echo run >> /root/runs; cat /root/runs; exec sleep 1000")
    docker("restart", "-t", "0", name)
    docker("restart", "-t", "0", name)
    assert docker("exec", name, "cat", "/root/runs").stdout == "run\n" * 3
    docker("stop", "-t", "0", name)
    docker("start", name)
    assert docker("exec", name, "wc", "-l", "/root/runs").stdout == "4 /root/runs\n"


def test_pause(docker):
    name = docker.start("--", "sh", "-c", "while :; do echo tick; sleep 0.02; done")
    docker("pause", name)
    assert docker("inspect", "-f", "{{.State.Status}}", name).stdout == "paused\n"
    time.sleep(0.3)  # what it wrote before is on its way
    first = docker("logs", name).stdout
    docker("exec", name, "true", status=1)
    time.sleep(0.2)
    assert docker("logs", name).stdout == first
    docker("unpause", name)
    assert docker("exec", name, "echo", "on").stdout == "on\n"


def test_exec(docker):
    name = docker.start("-e", "OUTER=1", "-w", "/tmp", "--", "sleep", "1000")
    assert docker("exec", name, "sh", "-c", "pwd; echo $OUTER").stdout == "/tmp\n1\n"
    assert docker("exec", "-i", name, "cat", stdin="through\n").stdout == "through\n"
    done = docker("exec", "-u", "www", "-e", "A=b", "-w", "/usr", name, "sh", "-c", "id -u; id -g; echo $A; pwd; exit 9", status=9)
    assert done.stdout == "33\n44\nb\n/usr\n"
    assert docker("exec", "-t", name, "tty").stdout.startswith("/dev/pts/")
    docker("exec", name, "sh", "-c", "kill -9 $$", status=137)
    assert docker("exec", name, "missing", status=None).returncode in (126, 127)  # as the daemon's version has it
    docker("exec", name, "/etc/passwd", status=126)
    docker("exec", "-d", name, "sh", "-c", "echo done > /tmp/made")
    assert "sleep" in docker("exec", name, "ps").stdout


def test_many_execs_at_once(docker):
    name = docker.start("--", "sleep", "1000")
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i & done | sort -n | tail -1; wait"
    assert [docker("exec", name, "sh", "-c", script).stdout for _ in range(5)] == ["10\n"] * 5


def test_user_environment_and_directory(docker):
    script = "id -u; id -g; echo $A; pwd"
    assert docker.run("-u", "33:44", "-e", "A=b", "-w", "/tmp", "--", "sh", "-c", script).stdout == "33\n44\nb\n/tmp\n"
    assert docker.run("-u", "www", "--", "whoami").stdout == "www\n"
    assert docker.run("-h", "name", "--", "hostname").stdout == "name\n"
    assert docker.run("-w", "/made/anew", "--", "pwd").stdout == "/made/anew\n"


def test_limits(docker):
    assert docker.run("--ulimit", "nofile=123:456", "--", "sh", "-c", "ulimit -n; ulimit -Hn").stdout == "123\n456\n"
    done = docker.run("--pids-limit", "20", "--", "sh", "-c", "for i in 1 2 3; do sleep 0.1 & done; wait; echo started")
    assert done.stdout == "started\n"
    assert docker.run("-m", "64m", "--", "sh", "-c", "grep -c MemTotal /proc/meminfo").stdout == "1\n"
    assert docker.run("--cpus", "0.5", "--", "echo", "half").stdout == "half\n"


def test_pids_limit_holds(docker):
    bomb = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do sleep 1 & done; wait"
    assert "fork" in docker.run("--pids-limit", "20", "--", "sh", "-c", bomb, status=None).stderr


def test_out_of_memory(docker):
    """The guest's process is killed, or the container; the daemon hears of 137."""
    docker.run("-m", "48m", "--memory-swap", "48m", "--", "sh", "-c", "exec tail /dev/zero", status=137)


def test_top_shows_host_processes(docker):
    name = docker.start("--", "sh", "-c", "sleep 1000; true")
    rows = docker("top", name, "-o", "pid,comm").stdout.splitlines()[1:]
    pids = [int(row.split()[0]) for row in rows]
    assert len(pids) == 2
    for pid in pids:
        with open(f"/proc/{pid}/cgroup") as file:
            assert name in file.read()


def test_update_and_stats(docker):
    name = docker.start("-m", "64m", "--", "sleep", "1000")
    docker("update", "-m", "96m", "--memory-swap", "96m", name)
    fields = docker("stats", "--no-stream", "--format", "{{.MemUsage}}|{{.PIDs}}", name).stdout
    assert "96MiB" in fields
    assert int(fields.split("|")[1]) >= 1


def test_init(docker):
    assert docker.run("--init", "--", "sh", "-c", "exit 4", status=4).stdout == ""


def test_capabilities(docker):
    bounds = "grep CapEff /proc/self/status"
    flags = ([], ["--cap-drop=ALL"], ["--cap-drop=ALL", "--cap-add=NET_ADMIN"])
    default, none, one = (docker.run(*several, "--", "sh", "-c", bounds).stdout for several in flags)
    assert default == "CapEff:\t00000000a80425fb\n"
    assert none == "CapEff:\t0000000000000000\n"
    assert one == "CapEff:\t0000000000001000\n"


def test_remove_by_force_then_again(docker, eventually):
    name = docker.start("--", "sleep", "1000")
    docker("rm", "-f", name)
    assert name not in docker("ps", "-aq", "--no-trunc").stdout
    assert [docker.run("--", "true").stdout for _ in range(3)] == [""] * 3
