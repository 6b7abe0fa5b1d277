# SPDX-License-Identifier: Apache-2.0
"""The bundle: a directory with config.json."""

import posix

from oci.errors import RunscError
from oci.state import read_file


def bundle_directory(name):
    """Absolute path of a bundle; "" is the current directory."""
    try:
        path = name if name[:1] == "/" else f"{posix.getcwd()}/{name}".rstrip("/")
        posix.stat(path)
    except OSError as error:
        raise RunscError(f"bundle {name or '.'}: {error.strerror.lower()}") from None
    return path.rstrip("/") or "/"


def read_config(bundle):
    """The bytes of config.json."""
    path = f"{bundle}/config.json"
    try:
        return read_file(path)
    except OSError as error:
        raise RunscError(f"{path}: {error.strerror.lower()}") from None
