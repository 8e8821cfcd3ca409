"""The training data of several seeds, side by side."""

from collections.abc import Sequence

import jax
import numpy as np

from nar.data.padding import pad_steps
from nar.data.task import Task
from nar.data.task_schedule import TaskSchedule
from nar.data.train_stream import TrainingStream
from nar.traces import TraceBatch


class MultiSeedStream:
    """The batches of several streams, stacked: arrays have an axis of replicas before all others.

    Replica k gets what the k-th stream alone would give, padded to the bucket of the longest.

    Attributes:
      tasks: what is trained, the same in all streams.
      task_schedule: whose turn it is, the same in all streams.
    """

    def __init__(self, streams: Sequence[TrainingStream]) -> None:
        """Of streams that differ in their seeds only."""
        self._streams = tuple(streams)
        self.tasks: tuple[Task, ...] = streams[0].tasks
        self.task_schedule: TaskSchedule = streams[0].task_schedule

    @property
    def num_leading_axes(self) -> int:
        """How many axes arrays have before those of a `TraceBatch`."""
        return 1

    @property
    def num_microbatches(self) -> int:
        """In how many parts a training step takes a batch, or `AUTO_MICROBATCHES`."""
        return self._streams[0].num_microbatches

    def batch_size_of(self, task: Task) -> int:
        """Traces of a batch of a task, of one replica, over all processes."""
        return self._streams[0].batch_size_of(task)

    def num_examples(self, num_steps: int) -> int:
        """Traces of one replica in all batches of so many steps from the first."""
        return self._streams[0].num_examples(num_steps)

    def task(self, step: int) -> Task:
        """Whose turn it is."""
        return self._streams[0].task(step)

    def stream_key(self, step: int) -> str | None:
        """Which lane the chunks of a step are of, or None if traces are whole."""
        return self._streams[0].stream_key(step)

    def batch(self, step: int) -> TraceBatch:
        """The batches of a step, stacked."""
        batches = [stream.batch(step) for stream in self._streams]
        longest = max(batch.num_steps for batch in batches)
        padded = [pad_steps(batch, longest) for batch in batches]
        return jax.tree.map(lambda *arrays: np.stack(arrays), *padded)

    def examples(self) -> dict[str, TraceBatch]:
        """Zeros in the shapes of a batch of each task, of one replica, by its name."""
        return self._streams[0].examples()

    def chunk_examples(self) -> dict[str, TraceBatch]:
        """Zeros in the shapes of a chunk of each lane, of one replica; none if traces are whole."""
        return self._streams[0].chunk_examples()


TraceStream = TrainingStream | MultiSeedStream
"""Of one seed, or of several."""
