"""The machine: CPU cores that this process may use, by its affinity and its control groups, and memory."""

import functools
import math
import os
import pathlib
from collections.abc import Iterator

_SELF = pathlib.Path("/proc/self/cgroup")
_ROOT = pathlib.Path("/sys/fs/cgroup")


def count_cores() -> int:
    """The number of cores that this process may use, at least 1.

    A machine may have many more: batch systems restrict the affinity of a process, containers its CPU time.
    """
    if hasattr(os, "process_cpu_count"):  # Python 3.13, which also reads PYTHON_CPU_COUNT
        cores = os.process_cpu_count()  # pyright: ignore[reportAttributeAccessIssue]
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return min([cores or 1, *(math.ceil(quota) for quota in _quotas())])


@functools.cache
def memory_size() -> float:
    """Memory of this machine in bytes; infinity if the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf


def _quotas() -> Iterator[float]:
    """Yields the limits of CPU time, in cores, of the control groups of this process (Linux)."""
    try:
        lines = _SELF.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, read = _ROOT, _read_quota
        elif "cpu" in controllers.split(","):
            top, read = _ROOT / "cpu", _read_quota_of_version_1
        else:
            continue
        group = top / path.lstrip("/")
        # A container may not see its group under the path that it has outside.
        for folder in {top, group, *(parent for parent in group.parents if parent.is_relative_to(top))}:
            try:
                quota = read(folder)
            except (OSError, ValueError):
                continue
            if quota > 0:
                yield quota


def _read_quota(folder: pathlib.Path) -> float:
    """Cores by the files of a control group; 0 or less for no limit."""
    quota, period = (folder / "cpu.max").read_text().split()
    return 0 if quota == "max" else int(quota) / int(period)


def _read_quota_of_version_1(folder: pathlib.Path) -> float:
    quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    return quota / period
