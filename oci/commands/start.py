# SPDX-License-Identifier: Apache-2.0
"""start: runs the program of a created container."""

from oci import state
from oci.errors import NotRunning, RunscError


def run(common, options, arguments, log):
    """Only a created container can be started."""
    container = state.load(common["root"], arguments[0])
    status = container.status()
    if status == "stopped":
        raise NotRunning(container.id)
    if status != "created":
        raise RunscError(f'container "{container.id}" is {status}: only a created one can be started')
    start(container, log)
    return 0


def start(container, log):
    """Without hooks, which is the rule, config.json need not be parsed."""
    config = state.read_file(state.CONFIG, container.directory_fd)
    if b'"startContainer"' in config or b'"poststart"' in config:
        from oci.container import begin
        from oci.spec import parse_spec

        begin(container, parse_spec(config), log)
        return
    from oci.control import Client

    client = Client(container.id, container.directory_fd)
    client.call("start")
    container.values["status"] = "running"
    container.save()
