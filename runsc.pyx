# SPDX-License-Identifier: Apache-2.0
"""The command: argv in, exit status out. Imports only the command that is asked for, since daemons start us many times."""

import posix
import sys

from oci.errors import OWN_FAILURE, RunscError
from oci.flags import parse
from oci.log import Log


def main(list argv):
    """Runs one command; ends the process with its status, or 128 if we failed ourselves."""
    log = Log()
    try:
        common, name, options, arguments = parse(argv[1:])
        log = Log(common["log"], common["debug"])
        if name in ("create", "run", "exec", "do"):
            from oci.debuglog import open_debug_log
            log.debug_fd = open_debug_log(common, name, arguments)
        status = command(name)(common, options, arguments, log)
    except RunscError as error:
        log.error(str(error))
        status = OWN_FAILURE
    except OSError as error:
        log.error(f"{error.filename + ': ' if isinstance(error.filename, str) else ''}{(error.strerror or str(error)).lower()}")
        status = OWN_FAILURE
    except KeyboardInterrupt:
        status = 130
    except Exception as error:
        sys.__excepthook__(*sys.exc_info())
        log.error(f"internal error: {type(error).__name__}: {error}")
        status = OWN_FAILURE
    posix._exit(status)


cdef command(str name):
    """The run() of a command's module."""
    return __import__("oci.commands." + name, None, None, ["run"]).run
