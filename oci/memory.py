# SPDX-License-Identifier: Apache-2.0
"""Where the memory of a sandbox is: the proportional share (PSS) of each kind of mapping, in the sentry, the gofer and the stubs.

Read from outside, from the host's smaps, so that asking changes nothing. A page that n processes share counts as 1/n in each, also when
the others belong to other sandboxes: what one more sandbox costs is less than what one costs alone.
"""

import posix

from oci import state
from oci.commands.ps import namespace_pids

CODE, CONSTANTS, DATA, OBJECTS, HEAP = "code", "constants, modules", "data of the program", "Python objects", "heap of C"
CONTEXTS, MEMFDS, STACK, GUEST, OTHER = "contexts and windows", "shared memory", "stack", "guest memory", "other"
PARTS = (CODE, CONSTANTS, DATA, OBJECTS, HEAP, CONTEXTS, MEMFDS, STACK, GUEST, OTHER)
WIDTH = 22


def report(container):
    """The table as text, in KiB."""
    pid, gofer = container.values["pid"], container.values["goferPid"]
    program = program_of(pid)
    columns = {
        "sentry": shares(pid, program),
        "gofer": shares(gofer, program),
        "stubs": summed([as_stub(shares(stub, program)) for stub, _ in namespace_pids(pid)]),
    }
    lines = ["KiB".ljust(WIDTH) + "".join(name.rjust(10) for name in (*columns, "all")) + "\n"]
    for part in (*PARTS, "all"):
        cells = [column.get(part, 0) if part != "all" else sum(column.values()) for column in columns.values()]
        if any(cells):
            lines.append(part.ljust(WIDTH) + "".join(str(cell).rjust(10) for cell in (*cells, sum(cells))) + "\n")
    return "".join(lines)


def program_of(pid):
    """The file that it runs, as smaps names it."""
    try:
        return posix.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def shares(pid, program):
    """{part: KiB} of one process; empty if it is gone."""
    found = {}
    for rights, name, share in mappings(pid):
        part = part_of(rights, name, program)
        found[part] = found.get(part, 0) + share
    return found


def as_stub(parts):
    """A stub has no Python: what is anonymous or a file's is the guest's."""
    kept = {part: parts[part] for part in (CONTEXTS, STACK) if part in parts}
    return {**kept, GUEST: sum(parts.values()) - sum(kept.values())}


def summed(columns):
    """The parts of several processes together."""
    return {part: sum(column.get(part, 0) for column in columns) for part in PARTS}


def part_of(rights, name, program):
    """What a mapping is."""
    if name == program or name.endswith(".so"):
        return CODE if "x" in rights else DATA if "w" in rights else CONSTANTS
    if name.startswith("/memfd:"):
        return CONTEXTS if name.startswith(("/memfd:contexts", "/memfd:page")) else MEMFDS
    special = {"": OBJECTS, "[heap]": HEAP, "[stack]": STACK}
    return special.get(name, OTHER)


def mappings(pid):
    """(rights, name, share in KiB) of each mapping."""
    try:
        text = state.read_file(f"/proc/{pid}/smaps").decode("utf-8", "replace")
    except OSError:
        return
    rights = name = ""
    for line in text.splitlines():
        fields = line.split(None, 5)
        if fields[0] == "Pss:":
            yield rights, name, int(fields[1])
        elif not fields[0].endswith(":"):
            rights, name = fields[1], fields[5] if len(fields) == 6 else ""
