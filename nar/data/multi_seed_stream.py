"""Training data of several seeds that are trained together."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from nar.data.padding import pad_steps
from nar.data.task import Task
from nar.data.task_schedule import TaskSchedule
from nar.data.train_stream import TrainingStream
from nar.data.views import map_views
from nar.traces import TraceBatch


class MultiSeedStream:
    """The stacked batches of several streams: arrays have a leading axis of seeds.

    Seed k gets the batches of the k-th stream, padded to the bucket of the longest.

    Attributes:
      tasks: the tasks, the same in all streams.
      task_schedule: the task schedule, the same in all streams.
    """

    def __init__(self, streams: Sequence[TrainingStream]) -> None:
        """Stacks streams that differ only in their seeds."""
        self._streams = tuple(streams)
        self.tasks: tuple[Task, ...] = streams[0].tasks
        self.task_schedule: TaskSchedule = streams[0].task_schedule

    @property
    def num_leading_axes(self) -> int:
        """Number of array axes before those of a `TraceBatch`: 1, the seeds."""
        return 1

    @property
    def num_microbatches(self) -> int:
        """Gradient-accumulation steps per batch, or `AUTO_MICROBATCHES`."""
        return self._streams[0].num_microbatches

    def batch_size_of(self, task: Task) -> int:
        """Traces per batch of a task, for one seed, over all processes."""
        return self._streams[0].batch_size_of(task)

    def num_examples(self, num_steps: int) -> int:
        """Traces in the first `num_steps` batches of one seed."""
        return self._streams[0].num_examples(num_steps)

    def task(self, step: int) -> Task:
        """The task of a step."""
        return self._streams[0].task(step)

    def stream_key(self, step: int) -> str | None:
        """Key of the chunked stream that a step belongs to; None for whole traces."""
        return self._streams[0].stream_key(step)

    def __iter__(self) -> Iterator[Any]:
        """The batches of steps 0, 1, 2, ... without end."""
        return map(self.batch, itertools.count())

    def batch(self, step: int) -> Any:
        """The stacked batches of a step."""
        return map_views(_stack, *(stream.batch(step) for stream in self._streams))

    def examples(self) -> dict[str, TraceBatch]:
        """All-zero example batches of one seed, by task name; see `TrainingStream.examples`."""
        return self._streams[0].examples()

    def viewed_examples(self) -> dict[str, Any]:
        """The batches of `examples` with their views."""
        return self._streams[0].viewed_examples()

    def chunk_examples(self) -> dict[str, Any]:
        """All-zero example chunks of one seed, by stream key; empty for whole traces."""
        return self._streams[0].chunk_examples()


def _stack(*batches: TraceBatch) -> TraceBatch:
    longest = max(batch.num_steps for batch in batches)
    padded = [pad_steps(batch, longest) for batch in batches]
    return jax.tree.map(lambda *arrays: np.stack(arrays), *padded)


TraceStream = TrainingStream | MultiSeedStream
"""A stream of trace batches, for one seed or several."""
