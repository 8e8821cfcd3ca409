"""Pooled batches: traces of similar length are batched together.

A batch takes as many network steps as its longest trace, so computation after the end of shorter traces is
wasted. Therefore several batches of one task and size can be sampled at once as a pool, sorted by length and
split again. Each trace is still used once, but batches differ more from each other, and training needs more
steps; `nar.data.microbatching` does not have this cost.
"""

import dataclasses

import numpy as np

from nar.data.padding import join, reorder
from nar.data.task import Task
from nar.traces import TraceBatch

_ORDER = 0x6F72646572
"""Key of the random generator for the order of the batches of a pool ("order")."""


@dataclasses.dataclass(frozen=True)
class Pool:
    """Traces of several consecutive batches, sorted by length; a single batch stays unsorted.

    Attributes:
      index: index of the pool in its stream.
      traces: raw traces.
    """

    index: int
    traces: TraceBatch


def draw_pool(task: Task, size: int, index: int, num_batches: int, batch_size: int, seed: int) -> Pool:
    """Samples pool `index` of a task and size: the traces of `num_batches` consecutive steps of that size."""
    task_steps = [task.task_step(size, index * num_batches + offset) for offset in range(num_batches)]
    traces = join([task.draw(size, seed, task_step * batch_size, batch_size) for task_step in task_steps])
    if num_batches == 1:
        return Pool(index, traces)
    return Pool(index, reorder(traces, np.argsort(traces.lengths, kind="stable")))


def batch_rows(stream_step: int, num_batches: int, batch_size: int) -> slice:
    """Rows of the pool that form the batch of this step.

    The batches of a pool are used in random order, since otherwise each pool would start with short traces.
    The order is the same for all seeds: seeds trained together share the number of network steps, so they
    should get their long traces at the same step.
    """
    pool, position = divmod(stream_step, num_batches)
    key = np.array([_ORDER, pool], np.uint64)
    order = np.random.Generator(np.random.Philox(key=key)).permutation(num_batches)
    start = int(order[position]) * batch_size
    return slice(start, start + batch_size)
