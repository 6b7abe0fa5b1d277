# SPDX-License-Identifier: Apache-2.0
"""do: a command in a sandbox of its own, on the host's files as they are; what it writes stays in memory and is lost at its end."""

import posix

from kernel.abi.json import dumps
from oci.commands.run import run_in_foreground
from oci.container import Making
from oci.cradle import Cradle
from oci.defaults import default_mounts, default_spec
from oci.errors import RunscError, UsageError
from oci.execprocess import user_numbers
from oci.names import CAPABILITIES, RLIMITS


def run(common, options, arguments, log):
    """The exit status is the command's."""
    for name in ("uid-map", "gid-map", "ip"):
        if options[name]:
            raise UsageError(f"do: --{name} is not supported")
    if options["force-overlay"]:
        common.values["overlay2"] = "root:memory"
    common.values["network"] = "none"
    common.values["ignore-cgroups"] = True  # no limits are asked for, and no cgroup must be left behind
    with Cradle(common, log.debug_fd, in_foreground=True) as cradle:
        root = absolute(options["root"])
        config = dumps(specification(root, options, arguments))
        name = f"runsc-do-{posix.getpid()}-{posix.urandom(4).hex()}"  # one that was killed leaves its state, and its pid comes again
        making = Making(common, log, cradle, name, root, config)
    making.protects_init = False  # the command behaves as outside, although it is process 1
    return run_in_foreground(making, "", "", log)


def absolute(path):
    """A path from the current directory on."""
    return path if path[:1] == "/" else f"{posix.getcwd()}/{path}"


def specification(root, options, arguments):
    """config.json of it, as an object."""
    spec = default_spec(arguments, working_directory(root, options["cwd"]))
    process = spec["process"]
    process["terminal"] = posix.isatty(0) and posix.isatty(1)
    process["env"] = [f"{name.decode('utf-8', 'replace')}={value.decode('utf-8', 'replace')}" for name, value in posix.environ.items()]
    process["capabilities"] = {kind: list(CAPABILITIES) for kind in ("bounding", "effective", "permitted")}
    process["rlimits"] = [{"type": name, "soft": 1024, "hard": 1 << 20} for name in RLIMITS if name == "RLIMIT_NOFILE"]
    process["noNewPrivileges"] = False
    if options["user"]:
        process["user"] = dict(zip(("uid", "gid"), user_numbers(options["user"]), strict=True))
    spec["root"] = {"path": root, "readonly": False}
    spec["hostname"] = posix.uname().nodename
    spec["mounts"] = default_mounts()
    spec["linux"] = {"namespaces": spec["linux"]["namespaces"]}
    return spec


def working_directory(root, wanted):
    """The current directory, if it is below the root; else the root."""
    path = wanted or posix.getcwd()
    if wanted and wanted[0] != "/":
        raise RunscError(f"--cwd {wanted}: must be an absolute path")
    if root == "/" or wanted:
        return path
    inside = path[len(root) :] if (path + "/").startswith(root.rstrip("/") + "/") else ""
    return inside or "/"
