"""Prefetching: a thread generates batches ahead of the training loop."""

import concurrent.futures
import contextlib
from collections.abc import Callable, Generator
from typing import Any, Protocol

from nar.data.task_schedule import TaskSchedule


class NamedTask(Protocol):
    """A task with a name."""

    @property
    def name(self) -> str:
        """Name of the task in the network."""
        ...


class Stream(Protocol):
    """A source of training batches by step."""

    @property
    def task_schedule(self) -> TaskSchedule:
        """The schedule that assigns steps to tasks."""
        ...

    @property
    def num_leading_axes(self) -> int:
        """Number of array axes before those of a `TraceBatch` (1 for several seeds)."""
        ...

    def task(self, step: int) -> NamedTask:
        """The task of a step."""
        ...

    def stream_key(self, step: int) -> str | None:
        """Key of the chunked stream that a step belongs to; None for whole traces."""
        ...

    def batch(self, step: int) -> Any:
        """The batch of a step."""
        ...


PrepareFn = Callable[[int, Any], Any]
"""(step, batch) -> prepared batch; called in the prefetching thread."""


def prefetch(
    stream: Stream, start: int, stop: int, depth: int = 4, prepare: PrepareFn = lambda step, batch: batch
) -> Generator[Any]:
    """Yields the batches of steps `start` ... `stop - 1`, which a thread generates `depth` steps ahead.

    Batches generated before a change of the task weights are discarded and generated again. An exception in
    the thread is raised here, at the step of the batch that failed.

    Args:
      stream: the stream of batches.
      start: first step.
      stop: end of the steps, exclusive.
      depth: number of batches to prefetch.
      prepare: applied to each batch in the thread, for example to copy it to devices.

    Raises:
      ValueError: if `depth` is less than 1.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")

    def make(step: int) -> Any:
        return prepare(step, stream.batch(step))

    with concurrent.futures.ThreadPoolExecutor(1, "nar-batches") as pool:
        pending: list[concurrent.futures.Future[Any]] = []
        version = stream.task_schedule.version
        try:
            for step in range(start, stop):
                if version != stream.task_schedule.version:
                    version = stream.task_schedule.version
                    concurrent.futures.wait([future for future in pending if not future.cancel()])
                    pending.clear()
                upcoming = range(step + len(pending), min(step + depth, stop))
                pending += [pool.submit(make, later) for later in upcoming]
                yield pending.pop(0).result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def prefetch_first_batch(stream: Stream, prepare: PrepareFn = lambda step, batch: batch) -> Generator[None]:
    """Generates the first batch in a thread while the block runs, so that samplers are compiled meanwhile.

    The block must not request batches. On exit, waits for the thread and drops its exceptions: they are
    raised when the batch is requested.

    Args:
      stream: the stream of batches.
      prepare: applied to the batch in the thread.
    """
    with concurrent.futures.ThreadPoolExecutor(1, "nar-first-batch") as pool:
        pool.submit(lambda: prepare(0, stream.batch(0)))
        yield
