# SPDX-License-Identifier: Apache-2.0
"""bash -i in a pseudo-terminal: ctrl-c, ctrl-z, fg, bg, stty, window size. Arguments: the command to run there (default: bash -i)."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

PATIENCE_S = 40


class Terminal:
    """The master's end of a pseudo-terminal with a program on the other."""

    def __init__(self, command):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", HISTFILE="", PS1="ready> ", BASH_SILENCE_DEPRECATION_WARNING="1")
            os.execvp(command[0], command)
        self.resize(30, 100)
        self.seen = ""

    def expect(self, text, forbidden=None):
        """Reads until text was seen; what came before it is answered."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
                sys.exit(f"waited for {text!r} in vain; seen: {self.seen!r}")
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            if not data:
                sys.exit(f"ended before {text!r}; seen: {self.seen!r}")
            self.seen += data.decode("utf-8", "replace")
        before, _, self.seen = self.seen.partition(text)
        return before

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def say(self, text):
        os.write(self.master, text.encode())

    def do(self, line, answer, prompt="ready> "):
        """A line whose output holds the answer, then the prompt. Split the answer in the line, or the echo would be taken for it."""
        self.say(line + "\n")
        self.expect(answer)
        self.expect(prompt)
        print("ok:", answer)


def session(terminal):
    terminal.expect("ready> ")
    terminal.do("echo he''llo", "hello")
    terminal.do("tty | sed 's/pts.*/p''ts/'", "/dev/pts")
    terminal.do("stty size | sed 's/^/size '/", "size 30 100")
    terminal.say("sleep 100; echo not''reached\n")
    wait_for_foreground(terminal)
    terminal.say("\x03")
    terminal.expect("ready> ")
    terminal.do("echo stat''us $?", "status 130")
    terminal.say("sleep 100\n")
    wait_for_foreground(terminal)
    terminal.say("\x1a")
    terminal.expect("Stopped")
    terminal.expect("ready> ")
    terminal.do("jobs", "Stopped")
    terminal.do("bg; echo back''ground $?", "background 0")
    terminal.do("jobs", "Running")
    terminal.say("fg\n")
    terminal.expect("sleep 100")
    wait_for_foreground(terminal)
    terminal.say("\x03")
    terminal.expect("ready> ")
    terminal.do("echo inter''rupted $?", "interrupted 130")
    terminal.say("cat\n")
    wait_for_foreground(terminal)
    terminal.say("line one\n")
    terminal.expect("line one\r\nline one\r\n")
    terminal.say("half\x15whole\n")
    terminal.expect("\r\nwhole\r\n")
    terminal.say("\x04")
    terminal.expect("ready> ")
    terminal.say("cat > /dev/null\n")
    wait_for_foreground(terminal)
    terminal.say("\x1c")
    terminal.expect("Quit")
    terminal.expect("ready> ")
    terminal.do("(sleep 0.1; echo fin''ished) & wait", "finished")
    terminal.do("trap 'echo res''ized' WINCH; echo s''et", "set")
    terminal.resize(40, 120)
    time.sleep(1)  # bash runs the trap when it has read the next line
    terminal.say("\n")
    terminal.expect("resized")
    terminal.do("stty size | sed 's/^/size '/", "size 40 120")
    terminal.do("python3 -c 'import os; print(os.get_terminal_size().columns + 1)'", "121")
    terminal.say("exit 7\n")


def wait_for_foreground(terminal):
    """A moment for the program to be started and to own the terminal."""
    time.sleep(0.5)


terminal = Terminal(sys.argv[1:] or ["bash", "--norc", "--noprofile", "-i"])
session(terminal)
try:
    while os.read(terminal.master, 4096):
        pass
except OSError:
    print("hung up")
print("status", os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1]))
