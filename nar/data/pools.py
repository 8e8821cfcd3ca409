"""Traces of about the same length in a batch.

A batch takes as many steps of the network as its longest trace, and what is computed for shorter ones behind
their ends is in vain. So the batches of one task and size can be made several at a time: their traces are
sorted by length and dealt out anew. Each trace is in one batch, as before, but batches are less alike, and
more of them are needed to learn the same: `nar.data.microbatching` has no such price.
"""

import dataclasses

import numpy as np

from nar.data.padding import join, reorder
from nar.data.task import Task
from nar.traces import TraceBatch

_ORDER = 0x6F72646572
"""Key word of the order in which the batches of a pool are dealt."""


@dataclasses.dataclass(frozen=True)
class Pool:
    """The traces of some batches, sorted by length if there are several.

    Attributes:
      number: of the pool, in its task and size.
      traces: raw ones.
    """

    number: int
    traces: TraceBatch


def draw_pool(task: Task, size: int, number: int, num_batches: int, batch_size: int, seed: int) -> Pool:
    """The traces of the turns `number * num_batches` ... of a task with a size, `num_batches` of them."""
    turns = [task.turn(size, number * num_batches + index) for index in range(num_batches)]
    drawn = join([task.draw(size, seed, turn * batch_size, batch_size) for turn in turns])
    if num_batches == 1:  # a batch alone stays as it is
        return Pool(number, drawn)
    return Pool(number, reorder(drawn, np.argsort(drawn.lengths, kind="stable")))


def rows_of_turn(number: int, num_batches: int, batch_size: int) -> slice:
    """Which rows of its pool the batch with this number has.

    The batches of a pool come in an order of chance, or else each pool would begin with short traces. It is
    the same for all seeds, so that replicas, which share the steps of the longest, take long traces together.
    """
    pool, place = divmod(number, num_batches)
    key = np.array([_ORDER, pool], np.uint64)
    start = int(np.random.Generator(np.random.Philox(key=key)).permutation(num_batches)[place]) * batch_size
    return slice(start, start + batch_size)
