"""Training data: tasks, transforms, padding, micro-batches, chunks, windows, task schedule, streams.

Importing this package registers `Trace` and `TraceBatch` as pytrees.
"""

import jax

from nar.data.chunked_stream import ChunkedStream, slice_chunk
from nar.data.microbatching import AUTO_MICROBATCHES, count_microbatches, group_by_length
from nar.data.multi_seed_stream import MultiSeedStream, TraceStream
from nar.data.padding import bucket_length, pad_batch, pad_nodes, pad_steps, take
from nar.data.permutations import permute_nodes, random_permutations
from nar.data.prefetch import Stream, prefetch, prefetch_first_batch
from nar.data.task import Task
from nar.data.task_schedule import TaskSchedule
from nar.data.train_stream import TrainingStream
from nar.data.transforms import FIRST_SUFFIX, Transforms, random_positions
from nar.data.views import View, ViewedBatch
from nar.data.windows import Windows
from nar.traces import Trace, TraceBatch

__all__ = [
    "AUTO_MICROBATCHES",
    "FIRST_SUFFIX",
    "ChunkedStream",
    "MultiSeedStream",
    "Stream",
    "Task",
    "TaskSchedule",
    "TraceStream",
    "TrainingStream",
    "Transforms",
    "View",
    "Windows",
    "bucket_length",
    "count_microbatches",
    "group_by_length",
    "pad_batch",
    "pad_nodes",
    "pad_steps",
    "permute_nodes",
    "prefetch",
    "prefetch_first_batch",
    "random_permutations",
    "random_positions",
    "slice_chunk",
    "take",
]

jax.tree_util.register_dataclass(ViewedBatch, ["batch", "views"], [])
jax.tree_util.register_dataclass(Trace, ["inputs", "hints", "outputs"], ["nodes"])
jax.tree_util.register_dataclass(
    TraceBatch, ["inputs", "hints", "outputs", "lengths", "num_nodes", "offsets", "neighbors"], []
)
