# SPDX-License-Identifier: Apache-2.0
"""features: what this runtime supports (OCI runtime specification, features.md)."""

import posix

from kernel.abi.json import dumps
from oci.commands.version import VERSION
from oci.names import CAPABILITIES, NAMESPACES
from oci.state import OCI_VERSION

HOOKS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
MOUNT_OPTIONS = [
    "bind",
    "rbind",
    "ro",
    "rw",
    "nosuid",
    "suid",
    "nodev",
    "dev",
    "noexec",
    "exec",
    "private",
    "rprivate",
    "size",
    "mode",
    "uid",
    "gid",
    "relatime",
    "noatime",
    "strictatime",
]


def run(common, options, arguments, log):
    """One JSON object."""
    linux = {
        "namespaces": sorted(NAMESPACES),
        "capabilities": list(CAPABILITIES),
        "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False, "rdma": False},
        "seccomp": {"enabled": False},
        "apparmor": {"enabled": False},
        "selinux": {"enabled": False},
        "intelRdt": {"enabled": False},
        "mountExtensions": {"idmap": {"enabled": False}},
    }
    view = {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": HOOKS,
        "mountOptions": MOUNT_OPTIONS,
        "linux": linux,
        "annotations": {"dev.runsc.version": VERSION, "dev.runsc.host": posix.uname().release, "dev.runsc.checkpoint": "false"},
        "potentiallyUnsafeConfigAnnotations": [],
    }
    posix.write(1, dumps(view, True) + b"\n")
    return 0
