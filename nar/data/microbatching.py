"""Micro-batches: groups the traces of a batch by length, for gradient accumulation.

A micro-batch takes as many network steps as its longest trace. Grouping short and long traces separately
wastes fewer steps on traces that have ended, and micro-batches that fit into the caches of a CPU run faster.
The result is unchanged, since the gradients of all micro-batches are summed
(`nar.training.train_step.gradient_accumulation`).
"""

import numpy as np

from nar.data.padding import reorder
from nar.traces import TraceBatch

AUTO_MICROBATCHES = 0
"""Value of `num_microbatches` that chooses the number by the shape of the batch, for the caches of a CPU."""

MIN_NODE_PAIRS = 1800
"""Least node pairs (B * N**2) per automatic micro-batch: smaller operations are inefficient."""

MAX_MICROBATCHES = 32
"""Most automatic micro-batches. At n = 64 and batch size 32, each is a single trace."""


def count_microbatches(batch: TraceBatch, num_microbatches: int) -> int:
    """Number of micro-batches of a batch, with `AUTO_MICROBATCHES` resolved by its shape."""
    if num_microbatches != AUTO_MICROBATCHES:
        return num_microbatches
    batch_size, num_nodes = batch.inputs["pos"].shape
    number = 1
    while (
        2 * number <= MAX_MICROBATCHES
        and batch_size % (2 * number) == 0
        and batch_size // (2 * number) * num_nodes**2 >= MIN_NODE_PAIRS
    ):
        number *= 2
    return number


def group_by_length(batch: TraceBatch, num_microbatches: int) -> TraceBatch:
    """Reorders traces so that micro-batch p of P, rows p, p + P, ..., has the p-th shortest group of traces.

    Args:
      batch: whole traces, as numpy arrays.
      num_microbatches: P, or `AUTO_MICROBATCHES`; if it is 1, the order is unchanged.
    """
    return reorder(batch, order_by_length(batch, num_microbatches))


def order_by_length(batch: TraceBatch, num_microbatches: int) -> np.ndarray | slice:
    """The order of rows in `group_by_length`, which also holds for other views of the same traces."""
    num_microbatches = count_microbatches(batch, num_microbatches)
    if num_microbatches == 1:
        return slice(None)
    return np.argsort(batch.lengths, kind="stable").reshape(num_microbatches, -1).T.reshape(-1)
