"""The stream of training batches: a pure function of (tasks, task schedule, seed, step, process).

There is no state to save: a resumed run requests the batch of its next step. Only the task schedule has a
state, if the sampling weights of tasks changed during the run.
"""

from collections.abc import Sequence

import numpy as np

from nar.data.chunked_stream import ChunkedStream, slice_chunk
from nar.data.microbatching import group_by_length
from nar.data.padding import bucket_length, pad_steps, take
from nar.data.task import Task
from nar.data.task_schedule import TaskSchedule
from nar.traces import TraceBatch

_POSITIONS = 0x706F73
"""Tag in the second word of the random key for random positions ("pos")."""


class TrainingStream:
    """Infinite stream of training batches: steps are scheduled to tasks; each task cycles through its sizes.

    Attributes:
      tasks: the tasks to train.
      task_schedule: the schedule that assigns steps to tasks.
      num_microbatches: gradient-accumulation steps for a batch of whole traces, or `AUTO_MICROBATCHES`.
      chunk_length: network steps per time chunk; 0 for whole traces.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        batch_size: int,
        seed: int,
        process: int = 0,
        num_processes: int = 1,
        *,
        chunk_length: int = 0,
        num_microbatches: int = 1,
        task_schedule: TaskSchedule | None = None,
    ) -> None:
        """Samples nothing yet.

        Args:
          tasks: the tasks to train.
          batch_size: traces per batch, over all processes, for tasks without a batch size.
          seed: seed of all randomness.
          process: index of this process, which generates one of `num_processes` equal shares of each batch.
          num_processes: number of processes.
          chunk_length: if not 0, batches are time chunks with this many network steps, and the next batch of
            the same task and size continues the traces of the last.
          num_microbatches: gradient-accumulation steps per batch (`nar.data.microbatching`).
          task_schedule: the schedule that assigns steps to tasks; by default round robin.

        Raises:
          ValueError: if there is no task, or a number is invalid.
        """
        if not tasks:
            raise ValueError("at least one task is needed")
        if num_processes < 1:
            raise ValueError(f"num_processes must be at least 1, got {num_processes}")
        if not 0 <= process < num_processes:
            raise ValueError(f"process must be from 0 to {num_processes - 1}, got {process}")
        if not isinstance(chunk_length, int) or isinstance(chunk_length, bool) or chunk_length < 0:
            raise ValueError(f"chunk_length must be at least 1, or 0 for none, got {chunk_length!r}")
        self.tasks = tuple(tasks)
        self.task_schedule = task_schedule or TaskSchedule([1.0] * len(tasks))
        self.chunk_length, self.num_microbatches = chunk_length, num_microbatches
        self._batch_size, self._seed = batch_size, seed
        self._process, self._num_processes = process, num_processes
        self._chunked_streams: dict[str, ChunkedStream] = {}
        for size in map(self.batch_size_of, tasks):
            if size < 1 or size % num_processes:
                raise ValueError(
                    f"batch_size must be a positive multiple of the {num_processes} processes, got {size}"
                )

    @property
    def num_leading_axes(self) -> int:
        """Number of array axes before those of a `TraceBatch`."""
        return 0

    def batch_size_of(self, task: Task) -> int:
        """Traces per batch of a task, over all processes."""
        return self._batch_size if task.batch_size is None else task.batch_size

    def num_examples(self, num_steps: int) -> int:
        """Traces, or time chunks of traces, in the first `num_steps` batches."""
        steps_per_task = self.task_schedule.steps_per_task(num_steps)
        return sum(
            count * self.batch_size_of(task) for count, task in zip(steps_per_task, self.tasks, strict=True)
        )

    def task(self, step: int) -> Task:
        """The task of a step."""
        return self.tasks[self.task_schedule(step).task]

    def stream_key(self, step: int) -> str | None:
        """Key of the chunked stream that a step belongs to; None for whole traces."""
        index, task_step = self.task_schedule(step)
        return self.tasks[index].stream_key(task_step) if self.chunk_length else None

    def batch(self, step: int) -> TraceBatch:
        """This process's share of the batch of a step: a time chunk, or traces padded to their length bucket.

        Not thread-safe.
        """
        index, task_step = self.task_schedule(step)
        task = self.tasks[index]
        return self._chunk(task, task_step) if self.chunk_length else self._whole(task, task_step, step)

    def examples(self) -> dict[str, TraceBatch]:
        """All-zero batches of two steps in the shapes of each task's batches, by task name."""
        return {task.name: self._example(task, task.sizes[0]) for task in self.tasks}

    def chunk_examples(self) -> dict[str, TraceBatch]:
        """All-zero chunks in the shapes of each chunked stream, by stream key; empty for whole traces."""
        if not self.chunk_length:
            return {}
        return {
            task.stream_key(task_step): self._example(task, task.size(task_step))
            for task in self.tasks
            for task_step in range(len(task.sizes))
        }

    def _example(self, task: Task, size: int) -> TraceBatch:
        batch_size = self.batch_size_of(task)
        traces = task.transforms.apply(task.algorithm, task.zero_traces(size, batch_size))
        if self.chunk_length:
            traces = slice_chunk(traces, 0, self.chunk_length)
        return take(traces, self._rows(batch_size))

    def _whole(self, task: Task, task_step: int, step: int) -> TraceBatch:
        batch_size = self.batch_size_of(task)
        traces = task.draw(task.size(task_step), self._seed, task_step * batch_size, batch_size)
        uniforms = self._uniforms(step, (batch_size, traces.inputs["pos"].shape[1]))
        # Every process generates the whole batch, since its longest trace determines the shape of all shares.
        grouped = group_by_length(
            task.transforms.apply(task.algorithm, traces, uniforms), self.num_microbatches
        )
        return pad_steps(take(grouped, self._rows(batch_size)), bucket_length(traces.num_steps))

    def _chunk(self, task: Task, task_step: int) -> TraceBatch:
        name, batch_size = task.stream_key(task_step), self.batch_size_of(task)
        if name not in self._chunked_streams:
            size = task.size(task_step)
            self._chunked_streams[name] = ChunkedStream(
                lambda first, count: self._series(task, size, first, count), batch_size, self.chunk_length
            )
        # Every process tracks all rows, since the traces in its own rows depend on the others.
        return take(self._chunked_streams[name].chunk(task.stream_step(task_step)), self._rows(batch_size))

    def _series(self, task: Task, size: int, first: int, count: int) -> TraceBatch:
        """Traces of a chunked stream; the random positions of each depend on its index."""
        traces = task.draw(size, self._seed, first, count)
        num_nodes = traces.inputs["pos"].shape[1]
        uniforms = np.stack([self._uniforms(index, (num_nodes,)) for index in range(first, first + count)])
        return task.transforms.apply(task.algorithm, traces, uniforms)

    def _rows(self, batch_size: int) -> slice:
        """Rows of a batch that are this process's share."""
        share = batch_size // self._num_processes
        return slice(self._process * share, (self._process + 1) * share)

    def _uniforms(self, index: int, shape: tuple[int, ...]) -> np.ndarray:
        key = np.array([self._seed % 2**64, (_POSITIONS << 40) + index], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).random(shape)
