# SPDX-License-Identifier: Apache-2.0
"""Mount options of tmpfs (tmpfs(5)): the data string of mount(2) as a dict, and back for /proc/mounts."""

import posix

from kernel.abi.errno import EINVAL, Errno

PAGE = 4096
SUFFIXES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
# Accepted, and of no consequence here.
IGNORED = {"huge", "mpol", "inode32", "inode64", "noswap", "swap"}

total_memory = posix.sysconf("SC_PHYS_PAGES") * PAGE


def set_total_memory(count):
    """The bytes that size=50% refers to, and half of which is the default size, if that is not the host's memory."""
    global total_memory
    total_memory = count


def default_pages():
    """The size of an instance that was given none."""
    return total_memory // PAGE // 2


def parse_options(text):
    """Keys among pages, nr_inodes, mode, uid, gid; EINVAL for what tmpfs doesn't know."""
    parsed = {}
    for option in filter(None, text.split(",")):
        name, _, value = option.partition("=")
        if name in IGNORED:
            continue
        try:
            key, number = parse_option(name, value)
        except (ValueError, KeyError):
            raise Errno(EINVAL) from None
        parsed[key] = number
    return parsed


def parse_option(name, value):
    if name == "size":
        return "pages", -(-parse_size(value) // PAGE)
    if name in ("nr_blocks", "nr_inodes"):
        return {"nr_blocks": "pages"}.get(name, name), parse_size(value)
    if name == "mode":
        return name, int(value, 8) & 0o7777
    if name in ("uid", "gid"):
        number = int(value)
        if not 0 <= number < 0xFFFFFFFF:
            raise ValueError
        return name, number
    raise KeyError(name)


def parse_size(value):
    """A number with k, m, g..., or a percentage of the memory."""
    if value.endswith("%"):
        return total_memory * int(value[:-1]) // 100
    factor = SUFFIXES.get(value[-1:].lower())
    number = int(value[:-1]) * factor if factor else int(value, 0)
    if not 0 <= number < 1 << 63:
        raise ValueError
    return number


def shown_options(options):
    """As in /proc/mounts, with a leading comma."""
    shown = ""
    if options.get("pages"):
        shown += f",size={options['pages'] * PAGE >> 10}k"
    if options.get("nr_inodes"):
        shown += f",nr_inodes={options['nr_inodes']}"
    if options.get("mode", 0o1777) != 0o1777:
        shown += f",mode={options['mode']:o}"
    for name in ("uid", "gid"):
        if options.get(name):
            shown += f",{name}={options[name]}"
    return shown
