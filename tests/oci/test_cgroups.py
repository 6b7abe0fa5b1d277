# SPDX-License-Identifier: Apache-2.0
"""Paths of cgroups on hosts of all three kinds, without touching one; limits in a directory that looks like one."""

import os

import pytest

from oci.cgroups import OWN_TASKS, Cgroup, Hierarchies, cgroup_path, cpu_weight, expand_systemd, plan
from oci.errors import RunscError
from oci.spec import parse_resources

V1 = """25 30 0:22 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro
26 25 0:23 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw
30 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup rw,cpu,cpuacct
31 25 0:28 /docker/me /sys/fs/cgroup/memory rw shared:16 - cgroup cgroup rw,memory
32 25 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
"""
V1_OWN = "4:memory:/docker/me/inner\n3:cpu,cpuacct:/a\n1:name=systemd:/s\n0::/u\n"
V2 = "26 25 0:23 / /sys/fs/cgroup rw shared:10 - cgroup2 cgroup2 rw\n"


def test_hybrid_host():
    hierarchies = Hierarchies(V1, V1_OWN)
    assert plan(hierarchies, "/docker/x", True) == {
        "cpu": "/sys/fs/cgroup/cpu,cpuacct/docker/x",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/docker/x",
        "memory": "/sys/fs/cgroup/memory/docker/x",
        "systemd": "/sys/fs/cgroup/systemd/docker/x",
        "unified": "/sys/fs/cgroup/unified/docker/x",
    }
    below = plan(hierarchies, "x", False)
    assert below["memory"] == "/sys/fs/cgroup/memory/inner/x"
    assert below["unified"] == "/sys/fs/cgroup/unified/u/x"


def test_version_2_host():
    assert plan(Hierarchies(V2, "0::/me\n"), "x", False) == {"unified": "/sys/fs/cgroup/me/x"}


def test_host_without_cgroups():
    assert plan(Hierarchies("", ""), "/x", True) == {}
    cgroup = Cgroup({})
    cgroup.make()
    cgroup.join(1)
    assert cgroup.remove()


def test_paths():
    assert cgroup_path("/docker/x", "c", False) == ("/docker/x", True)
    assert cgroup_path("", "c", False) == ("c", False)
    assert cgroup_path("user.slice:docker:abc", "c", False)[0] == "/user.slice/docker-abc.scope"
    assert expand_systemd("a-b.slice:p:n") == "/a.slice/a-b.slice/p-n.scope"
    with pytest.raises(RunscError, match="leaves the hierarchy"):
        cgroup_path("/a/../../b", "c", False)


def test_weights():
    assert (cpu_weight(2), cpu_weight(262144)) == (1, 10000)
    assert 1 <= cpu_weight(0) <= cpu_weight(10**9) <= 10000


def test_limits_of_version_2(tmp_path):
    names = ("memory.max", "memory.swap.max", "cpu.max", "cpu.weight", "pids.max", "cpuset.cpus")
    for name in names:
        (tmp_path / name).write_text("")
    resources = parse_resources(b'{"memory":{"limit":100,"swap":300},"cpu":{"shares":1024,"quota":5000,"cpus":"0"},"pids":{"limit":20}}')
    warnings = []
    Cgroup({"unified": str(tmp_path)}, warnings.append).limit(resources)
    texts = {name: (tmp_path / name).read_text() for name in names}
    assert texts == {
        "memory.max": "100",
        "memory.swap.max": "200",
        "cpu.max": "5000 100000",
        "cpu.weight": "39",
        "pids.max": str(20 + OWN_TASKS),
        "cpuset.cpus": "0",
    }
    assert warnings == []


def test_without_a_limit_nine_tenths_of_the_machine(tmp_path):
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name, file in (("memory", "memory.limit_in_bytes"), ("unified", "memory.max")):
        (tmp_path / file).write_text("max\n")
        Cgroup({name: str(tmp_path)}).bound_memory()
        assert (tmp_path / file).read_text() == "max\n", "not ours"
        Cgroup({name: str(tmp_path)}, owned=[name]).bound_memory()
        assert machine * 0.85 < int((tmp_path / file).read_text()) <= machine * 0.9
    (tmp_path / "memory.max").unlink()
    Cgroup({"unified": str(tmp_path)}, pytest.fail, owned=["unified"]).bound_memory()


def test_a_missing_controller_is_a_warning(tmp_path):
    warnings = []
    Cgroup({"unified": str(tmp_path)}, warnings.append).limit(parse_resources(b'{"memory":{"limit":100}}'))
    assert warnings == ["memory.max: no such file or directory"]
    assert os.listdir(tmp_path) == []


def test_only_our_own_directories_may_be_emptied(tmp_path):
    (tmp_path / "cgroup.procs").write_text("1\n")
    assert Cgroup({"memory": str(tmp_path)}).pids() == set()
    assert Cgroup({"memory": str(tmp_path)}, owned=["memory"]).pids() == {1}
