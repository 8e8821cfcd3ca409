"""From traces to batches that a network trains on: transforms, padding, turns, chunks, the stream.

`nar.batches.text` has batches of texts. Importing this room registers `Trace` and `TraceBatch` as pytrees.
"""

import jax

from nar.batches.lanes import Lane, chunk_of
from nar.batches.padding import bucket_length, pad_batch, pad_nodes, pad_steps, take
from nar.batches.parts import BY_SHAPE, deal, num_parts_of
from nar.batches.prefetch import Stream, drawing_first, prefetch
from nar.batches.replicas import ReplicatedStream, TraceStream
from nar.batches.stream import TrainingStream
from nar.batches.task import Task
from nar.batches.transforms import FIRST_SUFFIX, Transforms, cyclic_predecessors, random_positions
from nar.batches.turns import Turn, Turns, check_weights
from nar.traces import Trace, TraceBatch

__all__ = [
    "BY_SHAPE",
    "FIRST_SUFFIX",
    "Lane",
    "ReplicatedStream",
    "Stream",
    "Task",
    "TraceStream",
    "TrainingStream",
    "Transforms",
    "Turn",
    "Turns",
    "bucket_length",
    "check_weights",
    "chunk_of",
    "cyclic_predecessors",
    "deal",
    "drawing_first",
    "num_parts_of",
    "pad_batch",
    "pad_nodes",
    "pad_steps",
    "prefetch",
    "random_positions",
    "take",
]

jax.tree_util.register_dataclass(Trace, ["inputs", "hints", "outputs"], [])
jax.tree_util.register_dataclass(
    TraceBatch, ["inputs", "hints", "outputs", "lengths", "num_nodes", "offsets"], []
)
