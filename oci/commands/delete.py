# SPDX-License-Identifier: Apache-2.0
"""delete: what a container left. --force ends it first, and is content if there is none."""

from oci import state
from oci.destroy import destroy
from oci.errors import NoSuchContainer, RunscError


def run(common, options, arguments, log):
    """Several ids are deleted one after the other; the first failure is the answer, after all were tried."""
    failure = None
    for container_id in arguments:
        try:
            delete(common["root"], container_id, options["force"], log)
        except RunscError as error:
            failure = failure or error
    if failure:
        raise failure
    return 0


def delete(root, container_id, is_forced, log):
    """One container."""
    if not is_forced:
        container = state.load(root, container_id)
        status = container.status()
        if status != "stopped":
            raise RunscError(f'cannot delete container "{container_id}" that is not stopped: {status}')
        destroy(container, log.warn)
        return
    try:
        destroy(state.load_damaged(root, container_id), log.warn)
    except NoSuchContainer:
        pass
