"""Batches ahead of training, made in a thread."""

import concurrent.futures
import contextlib
from collections.abc import Callable, Generator
from typing import Any, Protocol

from nar.data.task_schedule import TaskSchedule


class Named(Protocol):
    """What is trained in a step."""

    @property
    def name(self) -> str:
        """By which the network knows it."""
        ...


class Stream(Protocol):
    """Where batches come from."""

    @property
    def task_schedule(self) -> TaskSchedule:
        """Whose turn it is."""
        ...

    @property
    def num_leading_axes(self) -> int:
        """How many axes arrays have before those of a `TraceBatch`."""
        ...

    def task(self, step: int) -> Named:
        """What is trained in a step."""
        ...

    def stream_key(self, step: int) -> str | None:
        """Which lane the chunk of a step is of, or None if traces are whole."""
        ...

    def batch(self, step: int) -> Any:
        """The batch of a step."""
        ...


Made = Callable[[int, Any], Any]
"""(step, batch) -> what is made of the batch, in the same thread."""


def prefetch(
    stream: Stream, start: int, stop: int, depth: int = 4, then: Made = lambda step, batch: batch
) -> Generator[Any]:
    """Batches of the steps `start` ... `stop - 1`, made `depth` steps ahead in a thread.

    Those that were made before the weights of tasks changed are made anew. An exception in the thread is
    raised here, at the step whose batch it was.

    Args:
      stream: of batches.
      start: the first step.
      stop: the step behind the last.
      depth: how many steps ahead.
      then: what is made of each batch.

    Raises:
      ValueError: if `depth` is less than 1.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")

    def make(step: int) -> Any:
        return then(step, stream.batch(step))

    with concurrent.futures.ThreadPoolExecutor(1, "nar-batches") as pool:
        ahead: list[concurrent.futures.Future[Any]] = []
        changes = stream.task_schedule.changes
        try:
            for step in range(start, stop):
                if changes != stream.task_schedule.changes:
                    changes = stream.task_schedule.changes
                    concurrent.futures.wait([future for future in ahead if not future.cancel()])
                    ahead.clear()
                wanted = range(step + len(ahead), min(step + depth, stop))
                ahead += [pool.submit(make, later) for later in wanted]
                yield ahead.pop(0).result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def prefetch_first_batch(stream: Stream, then: Made = lambda step, batch: batch) -> Generator[None]:
    """Draws the first batch in a thread while something else is done, since samplers may be compiled for it.

    Meanwhile nobody else may ask for a batch. At the end the thread is waited for; an error in it is left to
    whoever asks for that batch.

    Args:
      stream: of batches.
      then: what is done with the batch.
    """
    with concurrent.futures.ThreadPoolExecutor(1, "nar-first-batch") as pool:
        pool.submit(lambda: then(0, stream.batch(0)))
        yield
