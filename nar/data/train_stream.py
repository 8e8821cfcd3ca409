"""The stream of training batches: a pure function of (tasks, turns, seed, step, process).

There is no state to save: to resume at a step is to ask for the batch of that step. Only where the weights of
tasks were changed in the course of a run must its turns be told.
"""

from collections.abc import Sequence

import numpy as np

from nar.data.chunked_stream import ChunkedStream, slice_chunk
from nar.data.microbatching import group_by_length
from nar.data.padding import bucket_length, pad_steps, take
from nar.data.pools import Pool, draw_pool, rows_of_turn
from nar.data.task import Task
from nar.data.task_schedule import TaskSchedule
from nar.traces import TraceBatch

_POSITIONS = 0x706F73
"""Second key word's tag of the stream of random positions ("pos")."""


class TrainingStream:
    """Endless training data: tasks in turn, and within a task its sizes in turn.

    Attributes:
      tasks: what is trained.
      task_schedule: whose turn it is.
      num_microbatches: gradient-accumulation steps for a batch of whole traces, or `AUTO_MICROBATCHES`.
      chunk_length: how many steps of the network are in a batch; 0 if traces are whole.
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
        pooled_batches: int = 1,
        num_microbatches: int = 1,
        task_schedule: TaskSchedule | None = None,
    ) -> None:
        """Draws nothing yet.

        Args:
          tasks: what is trained.
          batch_size: traces of a batch, over all processes, of tasks that do not say.
          seed: of all randomness.
          process: which of `num_processes` equal shares of each batch is made here.
          num_processes: how many shares there are.
          chunk_length: if not 0, batches are chunks of so many steps, and the next batch of the same task and
            size goes on with the traces of the last.
          pooled_batches: how many batches of a task and size are made of the same traces, sorted by length,
            so that few steps are computed for traces that have ended; chunks do not need it.
          num_microbatches: in how many parts a training step takes a batch (`nar.data.microbatching`).
          task_schedule: whose turn it is; by default round robin.

        Raises:
          ValueError: if there is no task, or a number is not valid.
        """
        if not tasks:
            raise ValueError("at least one task is needed")
        if num_processes < 1:
            raise ValueError(f"num_processes must be at least 1, got {num_processes}")
        if not 0 <= process < num_processes:
            raise ValueError(f"process must lie in 0 to {num_processes - 1}, got {process}")
        if not isinstance(chunk_length, int) or isinstance(chunk_length, bool) or chunk_length < 0:
            raise ValueError(f"chunk_length must be at least 1, or 0 for none, got {chunk_length!r}")
        if not isinstance(pooled_batches, int) or isinstance(pooled_batches, bool) or pooled_batches < 1:
            raise ValueError(f"pooled_batches must be an integer of at least 1, got {pooled_batches!r}")
        self.tasks = tuple(tasks)
        self.task_schedule = task_schedule or TaskSchedule([1.0] * len(tasks))
        self.chunk_length, self.num_microbatches = chunk_length, num_microbatches
        self._batch_size, self._seed = batch_size, seed
        self._process, self._num_processes = process, num_processes
        self._pooled_batches = pooled_batches
        self._pools: dict[str, Pool] = {}
        self._lanes: dict[str, ChunkedStream] = {}
        for size in map(self.batch_size_of, tasks):
            if size < 1 or size % num_processes:
                raise ValueError(
                    f"batch_size must be a positive multiple of the {num_processes} processes, got {size}"
                )

    @property
    def num_leading_axes(self) -> int:
        """How many axes arrays have before those of a `TraceBatch`."""
        return 0

    def batch_size_of(self, task: Task) -> int:
        """Traces of a batch of a task, over all processes."""
        return self._batch_size if task.batch_size is None else task.batch_size

    def num_examples(self, num_steps: int) -> int:
        """Traces, or chunks of them, in all batches of so many steps from the first."""
        numbers = self.task_schedule.numbers(num_steps)
        return sum(
            number * self.batch_size_of(task) for number, task in zip(numbers, self.tasks, strict=True)
        )

    def task(self, step: int) -> Task:
        """Whose turn it is."""
        return self.tasks[self.task_schedule(step).task]

    def stream_key(self, step: int) -> str | None:
        """Which lane the chunk of a step is of, or None if traces are whole."""
        index, number = self.task_schedule(step)
        return self.tasks[index].stream_key(number) if self.chunk_length else None

    def batch(self, step: int) -> TraceBatch:
        """This process's share of the batch of a step: a chunk, or traces padded to their bucket of steps.

        Not to be asked by two threads at once.
        """
        index, number = self.task_schedule(step)
        task = self.tasks[index]
        return self._chunk(task, number) if self.chunk_length else self._whole(task, number, step)

    def examples(self) -> dict[str, TraceBatch]:
        """Zeros in the shapes of a batch of each task, by its name, of two steps; nothing is drawn for it."""
        return {task.name: self._example(task, task.sizes[0]) for task in self.tasks}

    def chunk_examples(self) -> dict[str, TraceBatch]:
        """Zeros in the shapes of a chunk of each lane, by its name; none if traces are whole."""
        if not self.chunk_length:
            return {}
        return {
            task.stream_key(turn): self._example(task, task.size(turn))
            for task in self.tasks
            for turn in range(len(task.sizes))
        }

    def _example(self, task: Task, size: int) -> TraceBatch:
        batch_size = self.batch_size_of(task)
        traces = task.transforms.apply(task.algorithm, task.blank(size, batch_size))
        if self.chunk_length:
            traces = slice_chunk(traces, 0, self.chunk_length)
        return take(traces, self._rows(batch_size))

    def _whole(self, task: Task, turn: int, step: int) -> TraceBatch:
        batch_size = self.batch_size_of(task)
        pool, rows = self._pool(task, turn)
        traces = take(pool, rows)
        uniforms = self._uniforms(step, (batch_size, traces.inputs["pos"].shape[1]))
        # All processes make the whole batch, since its longest trace decides on the shape of every share.
        dealt = group_by_length(
            task.transforms.apply(task.algorithm, traces, uniforms), self.num_microbatches
        )
        return pad_steps(take(dealt, self._rows(batch_size)), bucket_length(pool.num_steps))

    def _pool(self, task: Task, turn: int) -> tuple[TraceBatch, slice]:
        """Raw traces of several batches, and which of them are in that of this turn."""
        stream_key, batch_size = task.stream_key(turn), self.batch_size_of(task)
        number = task.turn_within_lane(turn)
        pool_number = number // self._pooled_batches
        if stream_key not in self._pools or self._pools[stream_key].number != pool_number:
            self._pools[stream_key] = draw_pool(
                task, task.size(turn), pool_number, self._pooled_batches, batch_size, self._seed
            )
        return self._pools[stream_key].traces, rows_of_turn(number, self._pooled_batches, batch_size)

    def _chunk(self, task: Task, turn: int) -> TraceBatch:
        name, batch_size = task.stream_key(turn), self.batch_size_of(task)
        if name not in self._lanes:
            size = task.size(turn)
            self._lanes[name] = ChunkedStream(
                lambda first, count: self._series(task, size, first, count), batch_size, self.chunk_length
            )
        # All processes follow all rows, since which traces are in theirs depends on the others.
        return take(self._lanes[name].chunk(task.turn_within_lane(turn)), self._rows(batch_size))

    def _series(self, task: Task, size: int, first: int, count: int) -> TraceBatch:
        """Traces for a lane: each has its random positions by its own index."""
        traces = task.draw(size, self._seed, first, count)
        num_nodes = traces.inputs["pos"].shape[1]
        uniforms = np.stack([self._uniforms(index, (num_nodes,)) for index in range(first, first + count)])
        return task.transforms.apply(task.algorithm, traces, uniforms)

    def _rows(self, batch_size: int) -> slice:
        """Which rows of a batch are this process's share."""
        share = batch_size // self._num_processes
        return slice(self._process * share, (self._process + 1) * share)

    def _uniforms(self, index: int, shape: tuple[int, ...]) -> np.ndarray:
        key = np.array([self._seed % 2**64, (_POSITIONS << 40) + index], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).random(shape)
