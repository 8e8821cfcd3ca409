"""Which traces of a batch are together, where a training step takes it in parts, one after another.

A part takes as many steps of the network as its longest trace. With the short traces in one part and the long
ones in another, fewer steps are computed for traces that have ended; and a part that fits the caches of a CPU
is quicker. What is learned stays the same: the gradients of all parts are added (`nar.training.accumulate`).
"""

import numpy as np

from nar.batches.padding import reorder
from nar.traces import TraceBatch

BY_SHAPE = 0
"""Instead of a number of parts: as many as suit the caches of a CPU."""

PAIRS = 1800
"""By shape, a part has no fewer pairs of nodes, or else its operations are too small to be quick."""

MOST_PARTS = 32
"""By shape, there are no more. At n = 64 and batch size 32 that is one trace in each."""


def num_parts_of(batch: TraceBatch, num_parts: int) -> int:
    """In how many parts a batch is taken: `num_parts`, or what `BY_SHAPE` makes of it."""
    if num_parts != BY_SHAPE:
        return num_parts
    batch_size, num_nodes = batch.inputs["pos"].shape
    found = 1
    while (
        2 * found <= MOST_PARTS
        and batch_size % (2 * found) == 0
        and batch_size // (2 * found) * num_nodes**2 >= PAIRS
    ):
        found *= 2
    return found


def deal(batch: TraceBatch, num_parts: int) -> TraceBatch:
    """The traces in an order in which part p of P, which is the rows p, p + P, ..., has the p-th shortest.

    Args:
      batch: of whole traces, in numpy.
      num_parts: how many there are, or `BY_SHAPE`; a single one stays as it is.
    """
    number = num_parts_of(batch, num_parts)
    if number == 1:
        return batch
    return reorder(batch, np.argsort(batch.lengths, kind="stable").reshape(number, -1).T.reshape(-1))
