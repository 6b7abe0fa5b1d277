# SPDX-License-Identifier: Apache-2.0
"""docker run -it and exec -it with a real pseudo-terminal in front, as a person would."""

import os
import pty
import select
import time

import pytest

pytestmark = pytest.mark.docker


class Typing:
    """A client of docker that sits at a terminal."""

    def __init__(self, docker, *words):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvpe("docker", ["docker", *words], docker.environment)
        self.seen = ""

    def expect(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready = select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, f"no {text!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.master, 4096).decode(errors="replace")
            except OSError:
                pytest.fail(f"ended before {text!r}: {self.seen!r}")
        self.seen = self.seen.partition(text)[2]

    def say(self, text):
        os.write(self.master, text.encode())

    def status(self):
        """Reads to the end."""
        try:
            while os.read(self.master, 4096):
                pass
        except OSError:
            pass
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def converse(shell):
    shell.expect("# ")
    shell.say("echo he''llo; tty\n")
    shell.expect("hello\r\n/dev/pts/")
    shell.say("sleep 100\n")
    time.sleep(0.5)
    shell.say("\x03")
    shell.expect("# ")
    shell.say("echo stat''us $?\n")
    shell.expect("status 130")
    shell.say("exit 6\n")
    assert shell.status() == 6


def test_run_with_a_terminal(docker):
    converse(Typing(docker, "run", "--rm", "-it", "--runtime=runsc", "small", "sh"))


def test_exec_with_a_terminal(docker):
    name = docker.start("--", "sleep", "1000")
    converse(Typing(docker, "exec", "-it", name, "sh"))
    assert docker("exec", name, "echo", "alive").stdout == "alive\n"


def test_attach_and_detach(docker):
    name = docker.start("-it", "--", "sh")
    shell = Typing(docker, "attach", name)
    shell.say("echo at''tached\n")
    shell.expect("attached\r\n")
    shell.say("\x10\x11")
    shell.status()
    assert docker("inspect", "-f", "{{.State.Status}}", name).stdout == "running\n"
