"""The number of cores that a process may use."""

import os

import pytest

from nar import machine


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes files of control groups; all 16 cores of the machine are in the affinity of the process."""
    monkeypatch.setattr(machine, "_ROOT", tmp_path / "fs")
    monkeypatch.setattr(machine, "_SELF", tmp_path / "self")
    monkeypatch.setattr(os, "process_cpu_count", lambda: 16, raising=False)

    def write(lines, **files):
        (tmp_path / "self").write_text("".join(line + "\n" for line in lines))
        for name, text in files.items():
            path = tmp_path / "fs" / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_affinity(groups):
    assert machine.count_cores() == 16  # without control groups


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_affinity_of_older_pythons(groups, monkeypatch):
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert machine.count_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert machine.count_cores() == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.count_cores() == 1


@pytest.mark.parametrize(
    ("quota", "count"),
    [("max 100000", 16), ("150000 100000", 2), ("10000 100000", 1), ("9900000 100000", 16)],
)
def test_quota_of_a_group(groups, quota, count):
    groups(["0::/job"], job__cpu_dot_max=quota)
    assert machine.count_cores() == count


def test_the_least_quota_of_all_groups_counts(groups):
    groups(["0::/slice/job"], slice__cpu_dot_max="300000 100000", slice__job__cpu_dot_max="max 100000")
    assert machine.count_cores() == 3


def test_a_container_does_not_see_its_path(groups):
    groups(["0::/outside/of/the/container"], cpu_dot_max="200000 100000")
    assert machine.count_cores() == 2


@pytest.mark.parametrize(("quota", "count"), [("-1", 16), ("400000", 4)])
def test_quota_of_version_1(groups, quota, count):
    groups(
        ["4:memory:/job", "3:cpu,cpuacct:/job"],
        cpu__job__cpu_dot_cfs_quota_us=quota,
        cpu__job__cpu_dot_cfs_period_us="100000",
    )
    assert machine.count_cores() == count


def test_unreadable_files_are_no_limit(groups):
    groups(["0::/job", "3:cpu:/job"], job__cpu_dot_max="nonsense", cpu__cpu_dot_cfs_quota_us="")
    assert machine.count_cores() == 16
