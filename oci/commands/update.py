# SPDX-License-Identifier: Apache-2.0
"""update: new limits for a container."""

from kernel.abi.json import dumps
from oci import state
from oci.cgroups import Cgroup
from oci.errors import NotRunning, RunscError
from oci.spec import parse_resources

#   option                (object, key)
PLACES = {
    "memory": ("memory", "limit"),
    "memory-reservation": ("memory", "reservation"),
    "memory-swap": ("memory", "swap"),
    "cpu-shares": ("cpu", "shares"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-period": ("cpu", "period"),
    "cpuset-cpus": ("cpu", "cpus"),
    "cpuset-mems": ("cpu", "mems"),
    "pids-limit": ("pids", "limit"),
    "blkio-weight": ("blockIO", "weight"),
}
TEXTS = ("cpuset-cpus", "cpuset-mems")
SUFFIXES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def run(common, options, arguments, log):
    """From a file, stdin, or single options."""
    resources = wanted_resources(options)
    container = state.load(common["root"], arguments[0])
    if not container.is_alive():
        raise NotRunning(container.id)
    directories = container.values.get("cgroup")
    if not directories:
        raise RunscError(f'container "{container.id}" has no cgroup')
    failures = []
    Cgroup(directories, failures.append).limit(resources)
    if failures:
        raise RunscError("; ".join(failures))
    return 0


def wanted_resources(options):
    """Resources from --resources, or from the options."""
    path = options["resources"]
    if path:
        try:
            text = state.read_file("/proc/self/fd/0" if path == "-" else path)
        except OSError as error:
            raise RunscError(f"{path}: {error.strerror.lower()}") from None
        return parse_resources(text, path)
    wanted = {}
    for name, (group, key) in PLACES.items():
        if options[name]:
            wanted.setdefault(group, {})[key] = options[name] if name in TEXTS else size(name, options[name])
    return parse_resources(dumps(wanted), "options")


def size(name, text):
    """A number, perhaps with k, m or g."""
    factor = SUFFIXES.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.lstrip("-").isdigit():
        raise RunscError(f'--{name} "{text}": expected a number')
    return int(digits) * factor
