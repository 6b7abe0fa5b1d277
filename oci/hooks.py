# SPDX-License-Identifier: Apache-2.0
"""Hooks of config.json: host programs that get the container's state on stdin.

All run in the runtime's own namespaces, also createContainer and startContainer: there is no container on the host to run a program
in, the kernel inside does not run host programs.
"""

import _signal
import posix
import select
import time

from kernel.abi.json import dumps
from oci.errors import RunscError

OUTPUT_SHOWN = 1000
SIGKILL = 9


def run_hooks(spec, kind, state):
    """Runs the hooks of one kind in order; state is the object of the container. RunscError: one failed."""
    for hook in spec.hooks[kind]:
        run_hook(hook, kind, dumps(state))


def run_hooks_leniently(spec, kind, state, warn):
    """As run_hooks, for moments at which a failure changes nothing: poststart, poststop."""
    for hook in spec.hooks[kind]:
        try:
            run_hook(hook, kind, dumps(state))
        except RunscError as error:
            warn(str(error))


def run_hook(hook, kind, state):
    """One program; its output is shown if it fails."""
    input_read, input_write = posix.pipe2(posix.O_CLOEXEC)
    output_read, output_write = posix.pipe2(posix.O_CLOEXEC)
    pid = posix.fork()
    if pid == 0:
        execute(hook, input_read, output_write)
    posix.close(input_read)
    posix.close(output_write)
    try:
        give(input_write, state)
        text, is_late = collect(output_read, hook.timeout)
    finally:
        posix.close(output_read)
    if is_late:
        posix.kill(pid, SIGKILL)
    _, status = posix.waitpid(pid, 0)
    if is_late:
        raise RunscError(f"{kind} hook {hook.path}: still running after {hook.timeout} s")
    if status:
        code = posix.waitstatus_to_exitcode(status)
        raise RunscError(f"{kind} hook {hook.path}: exit status {code}: {text.decode('utf-8', 'replace').strip()}")


def execute(hook, stdin, output):
    """In the child: becomes the hook's program."""
    try:
        _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)  # Python ignores it, and that would be inherited
        posix.dup2(stdin, 0)
        posix.dup2(output, 1)
        posix.dup2(output, 2)
        environment = posix.environ if hook.env is None else dict(entry.partition("=")[::2] for entry in hook.env)
        posix.execve(hook.path, hook.args or [hook.path], environment)
    except OSError as error:
        posix.write(2, error.strerror.lower().encode())
    finally:
        posix._exit(127)


def give(fd, state):
    """Writes the state; a hook that does not read it is no error (the text is far below a pipe's size)."""
    try:
        posix.write(fd, state)
    except BrokenPipeError:
        pass
    finally:
        posix.close(fd)


def collect(fd, timeout):
    """(the last output, did time run out): reads until the hook has ended."""
    deadline = time.monotonic() + timeout if timeout else None
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    text = b""
    while True:
        left_ms = None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000))
        if not poll.poll(left_ms):
            return text, True
        data = posix.read(fd, 65536)
        if not data:
            return text, False
        text = (text + data)[-OUTPUT_SHOWN:]
