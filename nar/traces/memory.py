"""The memory that traces need at least, checked before any is allocated."""

import math

from nar.machine import memory_size
from nar.specs import Spec

_MIN_STEPS = 2


def traces_bytes(spec: Spec, size: int, count: int, num_steps: int) -> int:
    """Bytes of the arrays of `count` traces of `num_steps` steps and `size` nodes."""
    return count * sum(
        (num_steps if probe.stage.is_per_step else 1) * math.prod(probe.shape(size)) * probe.dtype.itemsize
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
