"""From traces to batches that a network trains on: transforms, padding, the stream, prefetching.

`nar.batches.text` has batches of texts. Importing this room registers `Trace` and `TraceBatch` as pytrees.
"""

import jax

from nar.batches.padding import bucket_length, pad_batch, pad_nodes, pad_steps, take
from nar.batches.stream import Task, TrainingStream, prefetch
from nar.batches.transforms import FIRST_SUFFIX, Transforms, cyclic_predecessors, random_positions
from nar.traces import Trace, TraceBatch

__all__ = [
    "FIRST_SUFFIX",
    "Task",
    "TrainingStream",
    "Transforms",
    "bucket_length",
    "cyclic_predecessors",
    "pad_batch",
    "pad_nodes",
    "pad_steps",
    "prefetch",
    "random_positions",
    "take",
]

jax.tree_util.register_dataclass(Trace, ["inputs", "hints", "outputs"], [])
jax.tree_util.register_dataclass(TraceBatch, ["inputs", "hints", "outputs", "lengths", "num_nodes"], [])
