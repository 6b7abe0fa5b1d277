# SPDX-License-Identifier: Apache-2.0
"""list: the containers under --root."""

import posix

from kernel.abi.json import dumps
from oci import state
from oci.errors import NoSuchContainer, RunscError

COLUMNS = (("ID", "id"), ("PID", "pid"), ("STATUS", "status"), ("BUNDLE", "bundle"), ("CREATED", "created"), ("OWNER", "owner"))


def run(common, options, arguments, log):
    """As a table, as JSON, or ids only."""
    if options["format"] not in ("table", "json"):
        raise RunscError(f'unknown format "{options["format"]}": table or json')
    rows = []
    for name in state.names(common["root"]):
        try:
            container = state.peek(common["root"], name)
            rows.append(container.public())
            container.close()
        except NoSuchContainer:
            pass
        except RunscError as error:
            log.warn(str(error))
    if options["quiet"]:
        text = "".join(row["id"] + "\n" for row in rows)
    elif options["format"] == "json":
        text = dumps(rows).decode() + "\n"
    else:
        text = table([[title for title, _ in COLUMNS], *([str(row[key]) for _, key in COLUMNS] for row in rows)])
    posix.write(1, text.encode("utf-8", "replace"))
    return 0


def table(rows):
    """Columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "".join("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows)
