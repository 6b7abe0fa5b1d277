# SPDX-License-Identifier: Apache-2.0
"""The state directory: atomic, locked, and removable whatever a crash left of it."""

import os
import threading
import time

import pytest

from oci import state
from oci.errors import NoSuchContainer, RunscError


def made(tmp_path, **values):
    container = state.create(str(tmp_path / "root"), "c")
    container.values = {"pid": 0, "status": "created", **values}
    container.save()
    return container


def test_saved_and_loaded(tmp_path):
    made(tmp_path, bundle="/b").close()
    again = state.load(str(tmp_path / "root"), "c")
    assert again.values["bundle"] == "/b"
    assert again.status() == "stopped"
    again.close()


def test_alive_is_pid_and_start_time(tmp_path):
    start = state.process_start(os.getpid())
    container = made(tmp_path, pid=os.getpid(), pidStart=start)
    assert container.is_alive()
    container.values["pidStart"] = start + 1
    assert not container.is_alive()
    container.close()


def test_an_id_is_taken_once(tmp_path):
    made(tmp_path).close()
    with pytest.raises(RunscError, match="exists"):
        state.create(str(tmp_path / "root"), "c")


@pytest.mark.parametrize("keep", range(0, 30, 3))
def test_a_cut_state_is_damaged_and_can_be_removed(tmp_path, keep):
    made(tmp_path).close()
    path = tmp_path / "root" / "c" / "state.json"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(state.DamagedState):
        state.load(str(tmp_path / "root"), "c")
    state.load_damaged(str(tmp_path / "root"), "c").remove()
    assert os.listdir(tmp_path / "root") == []


def test_a_missing_state_is_damaged_too(tmp_path):
    container = state.create(str(tmp_path / "root"), "c")
    container.close()
    with pytest.raises(state.DamagedState):
        state.peek(str(tmp_path / "root"), "c")


def test_readers_see_a_whole_state_while_it_is_replaced(tmp_path):
    container = made(tmp_path, bundle="x" * 100_000)
    stop = threading.Event()

    def rewrite():
        while not stop.is_set():
            container.save()

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(300):
            seen = state.peek(str(tmp_path / "root"), "c")
            assert len(seen.values["bundle"]) == 100_000
            seen.close()
    finally:
        stop.set()
        writer.join()


def test_the_lock_is_exclusive(tmp_path):
    container = made(tmp_path)
    entered = []

    def other():
        second = state.load(str(tmp_path / "root"), "c")
        entered.append(time.monotonic())
        second.close()

    thread = threading.Thread(target=other)
    thread.start()
    time.sleep(0.2)
    assert not entered
    container.close()
    thread.join(5)
    assert entered


def test_who_waits_for_the_lock_of_a_deleted_container_hears_so(tmp_path):
    container = made(tmp_path)
    result = []

    def other():
        try:
            state.load(str(tmp_path / "root"), "c")
        except NoSuchContainer:
            result.append("gone")

    thread = threading.Thread(target=other)
    thread.start()
    time.sleep(0.1)
    container.remove()
    thread.join(5)
    assert result == ["gone"]
