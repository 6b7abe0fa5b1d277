# SPDX-License-Identifier: Apache-2.0
"""spec: a config.json to start from."""

import posix

from kernel.abi.json import dumps
from oci.bundle import bundle_directory
from oci.defaults import default_spec
from oci.errors import RunscError
from oci.state import write_file


def run(common, options, arguments, log):
    """Writes it into the bundle; an existing one stays."""
    path = f"{bundle_directory(options['bundle'])}/config.json"
    spec = default_spec(arguments or ["sh"], options["cwd"], options["netns"])
    spec["process"]["terminal"] = not arguments
    if options["rootless"]:
        spec["linux"].pop("resources", None)
    try:
        write_file(path, dumps(spec, True) + b"\n", mode=0o644, flags=posix.O_CREAT | posix.O_EXCL)
    except FileExistsError:
        raise RunscError(f"{path}: file exists") from None
    return 0
