"""The memory that traces need at least, checked before any is allocated."""

import functools
import math
import os

from nar.specs import Spec, Stage

_MIN_STEPS = 2


def traces_bytes(spec: Spec, size: int, count: int, num_steps: int) -> int:
    """Bytes of the arrays of `count` traces of `num_steps` steps and `size` nodes."""
    return count * sum(
        (num_steps if probe.stage is Stage.HINT else 1) * math.prod(probe.shape(size)) * probe.dtype.itemsize
        for probe in spec.values()
    )


def check_memory(name: str, spec: Spec, size: int, count: int) -> None:
    """Raises ValueError if this machine has less memory than the shortest traces need.

    Args:
      name: name of the algorithm.
      spec: spec of the traces.
      size: number of nodes.
      count: number of traces.
    """
    needed = traces_bytes(spec, size, count, _MIN_STEPS)
    if needed > memory_size():
        raise ValueError(
            f"{name}: {count} traces of size {size} need at least {needed / 2**30:,.0f} GiB, and this "
            f"machine has {memory_size() / 2**30:,.0f}: choose a smaller size or fewer traces at a time"
        )


@functools.cache
def memory_size() -> float:
    """Memory of this machine in bytes; infinity if the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf
