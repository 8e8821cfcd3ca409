"""The stream of training batches: a pure function of (tasks, task schedule, seed, step, process).

There is no state to save: a resumed run requests the batch of its next step. Only the task schedule has a
state, if the sampling weights of tasks changed during the run.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from nar.data.chunked_stream import ChunkedStream, slice_chunk
from nar.data.microbatching import order_by_length
from nar.data.mixture import Component
from nar.data.padding import bucket_length, pad_steps, reorder, take
from nar.data.task import Task
from nar.data.task_schedule import TaskSchedule
from nar.data.views import (
    BATCH,
    View,
    ViewedBatch,
    batch_with_views,
    check_chunkable,
    check_chunkable_views,
    make_view,
)
from nar.data.windows import Windows
from nar.traces import TraceBatch

_POSITIONS = 0x706F73
"""Tag in the second word of the random key for random positions ("pos")."""

_WINDOWS = 0x77696E
"""The same for windows ("win")."""

_COMPONENT_BITS = 32
"""Bits of the index of a trace within the chunked stream of one component; the component's index follows."""


class TrainingStream:
    """Infinite stream of training batches: steps are scheduled to tasks; each task cycles through its sizes.

    Attributes:
      tasks: the tasks to train.
      task_schedule: the schedule that assigns steps to tasks.
      num_microbatches: gradient-accumulation steps for a batch of whole traces, or `AUTO_MICROBATCHES`.
      chunk_length: network steps per time chunk; 0 for whole traces.
      windows: distribution of windows of traces; None for whole traces.
      views: views that each batch has, by name.
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
        windows: Windows | None = None,
        views: Mapping[str, View] = MappingProxyType({}),
        num_traces: int = 0,
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
          windows: if given, batches are windows of traces.
          views: views that each batch has, by name.
          num_traces: if not 0, the number of different traces of each task and size, which are repeated in
            the same batches; random positions differ in each repetition.

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
        if chunk_length and windows:
            raise ValueError(
                f"chunk_length {chunk_length} and window_length {windows.length} cannot be combined"
            )
        if chunk_length or windows:
            check_chunkable_views(views)
        if num_traces and chunk_length:
            raise ValueError("a limited number of traces cannot be trained in time chunks")
        self.tasks = tuple(tasks)
        self.task_schedule = task_schedule or TaskSchedule([1.0] * len(tasks))
        self.chunk_length, self.num_microbatches = chunk_length, num_microbatches
        self.windows, self.views = windows, dict(views)
        self._batch_size, self._seed = batch_size, seed
        self._process, self._num_processes = process, num_processes
        self._num_traces = num_traces
        self._chunked_streams: dict[tuple[str, str], ChunkedStream] = {}
        for task in tasks:
            size = self.batch_size_of(task)
            if size < 1 or size % num_processes:
                raise ValueError(
                    f"batch_size must be a positive multiple of the {num_processes} processes, got {size}"
                )
            if num_traces % size:
                raise ValueError(f"num_traces must be a multiple of the batch size {size}, got {num_traces}")
            task.check_memory(size // num_processes)

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

    def __iter__(self) -> Iterator[Any]:
        """The batches of steps 0, 1, 2, ... without end."""
        return map(self.batch, itertools.count())

    def batch(self, step: int) -> Any:
        """This process's share of the batch of a step: a time chunk, windows, or padded whole traces.

        It is a `TraceBatch`, or a `ViewedBatch` if views were requested. Not thread-safe.
        """
        index, task_step = self.task_schedule(step)
        task = self.tasks[index]
        return self._chunk(task, task_step) if self.chunk_length else self._whole(task, task_step, step)

    def examples(self) -> dict[str, TraceBatch]:
        """All-zero batches of two steps in the shapes of each task's batches, by task name."""
        return {task.name: self._first_examples(task)[BATCH] for task in self.tasks}

    def viewed_examples(self) -> dict[str, Any]:
        """The batches of `examples` with their views."""
        return {task.name: batch_with_views(self._first_examples(task)) for task in self.tasks}

    def chunk_examples(self) -> dict[str, Any]:
        """All-zero chunks in the shapes of each chunked stream, by stream key; empty for whole traces."""
        if not self.chunk_length:
            return {}
        return {
            task.key_of(component, size): batch_with_views(self._examples(task, component, size))
            for task in self.tasks
            for component in task.components
            for size in component.sizes
        }

    def _first_examples(self, task: Task) -> dict[str, TraceBatch]:
        return self._examples(task, task.components[0], task.components[0].sizes[0])

    def _examples(self, task: Task, component: Component, size: int) -> dict[str, TraceBatch]:
        """All-zero traces and their views, by name."""
        batch_size = self.batch_size_of(task)
        traces = task.transforms.apply(task.algorithm, task.zero_traces(size, batch_size, component))
        views = self._with_views(task, traces, size, 0)
        if self.chunk_length or self.windows:
            for name, view in views.items():
                check_chunkable(name, view, traces)
        if self.chunk_length:
            views = {name: slice_chunk(view, 0, self.chunk_length) for name, view in views.items()}
        return {name: take(view, self._rows(batch_size)) for name, view in views.items()}

    def _with_views(self, task: Task, traces: TraceBatch, size: int, first: int) -> dict[str, TraceBatch]:
        """Traces `first`, `first + 1`, ... of a series, and their views, by name."""
        views = {
            name: make_view(name, view, task, traces, size, self._seed, first)
            for name, view in self.views.items()
        }
        return {BATCH: traces, **views}

    def _whole(self, task: Task, task_step: int, step: int) -> TraceBatch | ViewedBatch:
        index, component_step = task.scheduled(task_step)
        component, batch_size = task.components[index], self.batch_size_of(task)
        size, first = component.size(component_step), task_step * batch_size
        if self._num_traces:
            first = task.stream_step(task_step) * batch_size % self._num_traces
        traces = task.draw(size, self._seed, first, batch_size, component)
        uniforms = self._uniforms(_POSITIONS, step, (batch_size, traces.inputs["pos"].shape[1]))
        traces = task.transforms.apply(task.algorithm, traces, uniforms)
        views = self._with_views(task, traces, size, first)
        # Every process generates the whole batch, since its longest trace determines the shape of all.
        if self.windows:
            starts = self.windows.starts(traces.lengths, self._uniforms(_WINDOWS, step, (batch_size, 2)))
            for name, view in views.items():
                check_chunkable(name, view, traces)
                views[name] = take(self.windows.cut(view, starts), self._rows(batch_size))
            return batch_with_views(views)
        order = order_by_length(traces, self.num_microbatches)
        for name, view in views.items():
            share = take(reorder(view, order), self._rows(batch_size))
            views[name] = pad_steps(share, bucket_length(view.num_steps))
        return batch_with_views(views)

    def _chunk(self, task: Task, task_step: int) -> TraceBatch | ViewedBatch:
        number, rows = task.stream_step(task_step), self._rows(self.batch_size_of(task))
        # Every process tracks all rows, since the traces in its own rows depend on the others.
        streams = {name: self._chunked_stream(task, task_step, name) for name in (BATCH, *self.views)}
        return batch_with_views({name: take(stream.chunk(number), rows) for name, stream in streams.items()})

    def _chunked_stream(self, task: Task, task_step: int, view: str) -> ChunkedStream:
        """Chunks of a view: of the same traces for each view, since these have the same lengths."""
        key = (task.stream_key(task_step), view)
        if key not in self._chunked_streams:
            size, index = task.size(task_step), task.scheduled(task_step)[0]
            self._chunked_streams[key] = ChunkedStream(
                lambda first, count: self._series(task, index, size, view, first, count),
                self.batch_size_of(task),
                self.chunk_length,
            )
        return self._chunked_streams[key]

    def _series(self, task: Task, index: int, size: int, view: str, first: int, count: int) -> TraceBatch:
        """A view of traces of a chunked stream; the random positions of each trace depend on its index.

        Components of a mixture with equal sizes take their traces from distant parts of one series.
        """
        first += index << _COMPONENT_BITS
        traces = task.draw(size, self._seed, first, count, task.components[index])
        num_nodes = traces.inputs["pos"].shape[1]
        rows = range(first, first + count)
        uniforms = np.stack([self._uniforms(_POSITIONS, row, (num_nodes,)) for row in rows])
        traces = task.transforms.apply(task.algorithm, traces, uniforms)
        if view == BATCH:
            return traces
        result = make_view(view, self.views[view], task, traces, size, self._seed, first)
        check_chunkable(view, result, traces)
        return result

    def _rows(self, batch_size: int) -> slice:
        """Rows of a batch that are this process's share."""
        share = batch_size // self._num_processes
        return slice(self._process * share, (self._process + 1) * share)

    def _uniforms(self, tag: int, index: int, shape: tuple[int, ...]) -> np.ndarray:
        key = np.array([self._seed % 2**64, (tag << 40) + index], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).random(shape)
