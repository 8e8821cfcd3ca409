"""Which traces of a batch are together, where a training step takes it in parts, one after another.

A part takes as many steps of the network as its longest trace. With the short traces in one part and the long
ones in another, fewer steps are computed for traces that have ended; and a part that fits the caches of a CPU
is quicker. What is learned stays the same: the gradients of all parts are added
(`nar.training.train_step.gradient_accumulation`).
"""

import numpy as np

from nar.data.padding import reorder
from nar.traces import TraceBatch

AUTO_MICROBATCHES = 0
"""Instead of a number of parts: as many as suit the caches of a CPU."""

PAIRS = 1800
"""By shape, a part has no fewer pairs of nodes, or else its operations are too small to be quick."""

MAX_MICROBATCHES = 32
"""By shape, there are no more. At n = 64 and batch size 32 that is one trace in each."""


def count_microbatches(batch: TraceBatch, num_microbatches: int) -> int:
    """In how many parts a batch is taken: `num_microbatches`, or what `AUTO_MICROBATCHES` makes of it."""
    if num_microbatches != AUTO_MICROBATCHES:
        return num_microbatches
    batch_size, num_nodes = batch.inputs["pos"].shape
    found = 1
    while (
        2 * found <= MAX_MICROBATCHES
        and batch_size % (2 * found) == 0
        and batch_size // (2 * found) * num_nodes**2 >= PAIRS
    ):
        found *= 2
    return found


def group_by_length(batch: TraceBatch, num_microbatches: int) -> TraceBatch:
    """The traces in an order in which part p of P, which is the rows p, p + P, ..., has the p-th shortest.

    Args:
      batch: of whole traces, in numpy.
      num_microbatches: how many there are, or `AUTO_MICROBATCHES`; a single one stays as it is.
    """
    number = count_microbatches(batch, num_microbatches)
    if number == 1:
        return batch
    return reorder(batch, np.argsort(batch.lengths, kind="stable").reshape(number, -1).T.reshape(-1))
