# SPDX-License-Identifier: Apache-2.0
"""The process object of an exec: from --process, or the container's own one changed by options."""

from oci import state
from oci.container import process_args
from oci.errors import RunscError, UsageError
from oci.names import CAPABILITIES
from oci.spec import parse_process, parse_spec


def wanted_process(container, options, command):
    """ProcessArgs of what the command line asks for."""
    if options["preserve-fds"]:
        raise UsageError("--preserve-fds is not supported")
    if options["process"]:
        process = process_args(read_process(options["process"]))
        process.terminal = process.terminal or options["tty"]
        return process
    if not command:
        raise UsageError("exec needs a command, or --process")
    process = process_args(parse_spec(state.read_file(state.CONFIG, container.directory_fd)).process)
    process.argv = command
    process.envv = [*process.envv, *options["env"]]
    process.cwd = options["cwd"] or process.cwd
    if process.cwd[:1] != "/":
        raise UsageError(f"--cwd {process.cwd}: must be an absolute path")
    process.terminal, process.console_size = options["tty"], None
    process.no_new_privs = process.no_new_privs or options["no-new-privs"]
    if options["user"]:
        process.uid, process.gid = user_numbers(options["user"])
    process.additional_gids = [*process.additional_gids, *(whole_number(word, "additional-gids") for word in options["additional-gids"])]
    add_capabilities(process, options["cap"])
    return process


def read_process(path):
    """The Process that a file describes."""
    try:
        return parse_process(state.read_file(path), path)
    except OSError as error:
        raise RunscError(f"{path}: {error.strerror.lower()}") from None


def user_numbers(text):
    """UID or UID:GID."""
    uid, _, gid = text.partition(":")
    return whole_number(uid, "user"), whole_number(gid, "user") if gid else 0


def whole_number(text, option):
    """A number for an id."""
    if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 32:
        raise UsageError(f'--{option} "{text}": expected a number')
    return int(text)


def add_capabilities(process, names):
    """--cap adds to all sets but the ambient one."""
    for name in names:
        bit = CAPABILITIES.get(name.upper())
        if bit is None:
            raise UsageError(f'unknown capability "{name}"')
        for kind in ("effective", "permitted", "inheritable", "bounding"):
            process.capabilities[kind] |= 1 << bit
