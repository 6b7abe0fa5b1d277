# SPDX-License-Identifier: Apache-2.0
"""config.json: what is accepted, what each error says, and that nothing else is ever raised."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.defaults import default_spec
from oci.errors import RunscError
from oci.spec import SpecError, parse_process, parse_resources, parse_spec

DOCKER = {
    "ociVersion": "1.0.2-dev",
    "process": {
        "user": {"uid": 1000, "gid": 1000, "additionalGids": [10, 20]},
        "args": ["true"],
        "env": ["A=b"],
        "cwd": "/",
        "capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"]},
        "oomScoreAdj": 0,
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 1024}],
    },
    "root": {"path": "/var/lib/docker/overlay2/x/merged"},
    "hostname": "abc",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
        {"destination": "/etc/hosts", "type": "bind", "source": "/h", "options": ["rbind", "ro", "rprivate"]},
    ],
    "hooks": {"prestart": [{"path": "/proc/1/exe", "args": ["libnetwork-setkey"], "timeout": 3}]},
    "linux": {
        "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "cgroupsPath": "/docker/x",
        "namespaces": [{"type": "mount"}, {"type": "network", "path": "/proc/1/ns/net"}],
        "resources": {
            "memory": {"limit": 1 << 30, "swap": -1},
            "cpu": {"shares": 2, "quota": 50000},
            "pids": {"limit": 20},
            "blockIO": {"weight": 0},
            "devices": [{"allow": False, "access": "rwm"}],
        },
        "maskedPaths": ["/proc/kcore"],
        "unknown": {"x": 1},
    },
}


def read(value):
    return parse_spec(json.dumps(value).encode(), "F")


def test_what_docker_sends():
    spec = read(DOCKER)
    assert spec.process.args == ["true"]
    assert spec.process.additional_gids == [10, 20]
    assert spec.process.capabilities["bounding"] == 1 | 1 << 5
    assert spec.process.capabilities["effective"] == 0
    assert spec.process.rlimits == [(7, 1024, (1 << 64) - 1)]
    assert [mount.fstype for mount in spec.mounts] == ["proc", "bind"]
    assert [mount.readonly for mount in spec.mounts] == [False, True]
    assert spec.hooks["prestart"][0].timeout == 3
    assert spec.namespace_path("network") == "/proc/1/ns/net"
    assert spec.namespace_path("mount") == ""
    assert spec.namespace_path("user") is None
    assert (spec.resources.memory_limit, spec.resources.memory_swap, spec.resources.pids_limit) == (1 << 30, -1, 20)


def changed(path, value):
    spec = json.loads(json.dumps(DOCKER))
    *above, last = path
    place = spec
    for key in above:
        place = place[key]
    place[last] = value
    return spec


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["ociVersion"], None, "F: ociVersion: is missing"),
        (["ociVersion"], "2.0", 'F: ociVersion: "2.0" is not supported'),
        (["root"], None, "F: root.path: is missing"),
        (["process", "args"], "sh", "F: process.args: expected a list, found a string"),
        (["process", "args"], ["a", 1], r"F: process.args\[1\]: expected a string, found a whole number"),
        (["process", "args"], ["a\0b"], r"F: process.args\[0\]: holds a zero byte"),
        (["process", "cwd"], "x", "F: process.cwd: must be an absolute path"),
        (["process", "user", "uid"], -1, "F: process.user.uid: -1 is out of range"),
        (["process", "user", "uid"], 1.5, "F: process.user.uid: expected a whole number, found a number"),
        (["process", "user", "uid"], True, "F: process.user.uid: expected a whole number, found true or false"),
        (["process", "capabilities", "bounding"], ["CAP_X"], 'F: process.capabilities.bounding: unknown capability "CAP_X"'),
        (["process", "rlimits", 0, "type"], "RLIMIT_X", r'F: process.rlimits\[0\].type: unknown limit "RLIMIT_X"'),
        (["mounts", 1, "source"], None, r"F: mounts\[1\].source: is missing"),
        (["mounts", 0, "destination"], None, r"F: mounts\[0\].destination: is missing"),
        (["hooks", "prestart", 0, "path"], "x", r"F: hooks.prestart\[0\].path: must be an absolute path"),
        (["linux", "namespaces", 0, "type"], "x", r'F: linux.namespaces\[0\].type: unknown namespace "x"'),
        (["linux", "namespaces"], [{"type": "pid"}, {"type": "pid"}], "F: linux.namespaces: names a namespace twice"),
        (["linux", "resources", "pids", "limit"], "x", "F: linux.resources.pids.limit: expected a whole number, found a string"),
    ],
)
def test_errors_name_file_key_and_type(path, value, message):
    with pytest.raises(SpecError, match="^" + message):
        read(changed(path, value))


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([path for path in paths(DOCKER) if path]), ANYTHING)
def test_any_value_anywhere_is_accepted_or_refused_cleanly(path, value):
    try:
        read(changed(list(path), value))
    except RunscError as error:
        assert str(error).startswith("F")


@given(st.binary(max_size=100))
def test_random_bytes(data):
    for parse in (parse_spec, parse_process, parse_resources):
        try:
            parse(data)
        except RunscError:
            pass


def test_our_own_default_is_valid():
    assert read(default_spec(["sh"])).process.args == ["sh"]


def test_a_process_alone():
    assert parse_process(b'{"args": ["x"], "cwd": "/"}').args == ["x"]
    with pytest.raises(SpecError, match="must not be empty"):
        parse_process(b'{"cwd": "/"}')
