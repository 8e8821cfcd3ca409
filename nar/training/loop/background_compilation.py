"""Ahead-of-time compilation of the programs of coming steps, in background threads.

Batches are prefetched (`nar.data.prefetch`), so shapes are known some steps before they are needed. Tracing
holds Python's interpreter lock; compilation, which takes longer, does not.
"""

import concurrent.futures
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

import jax

from nar.machine import count_cores
from nar.training.loop.callback import Callback

MAX_THREADS = 4
"""Maximum number of threads: the number of prefetched batches."""


class Compilable(Protocol):
    """A training step whose programs can be compiled ahead of time."""

    def programs(
        self, state: Any, batch: Any, task: str, stream_key: str | None
    ) -> Mapping[Any, Callable[[], Any]]:
        """Functions that compile the programs of a step, by program key; arguments may be shapes."""
        ...


class BackgroundCompilation(Callback):
    """Compiles each program of a run once, as soon as a batch of its shape has been drawn.

    Without this callback, programs are compiled when they are first called. It is a context manager.
    """

    def __init__(self, step: Compilable, state: Any) -> None:
        """Starts no compilation yet.

        Args:
          step: the training step.
          state: shapes, types and shardings of the state (`shapes_of`).
        """
        self._step = step
        self._state = state
        num_threads = min(count_cores(), MAX_THREADS)
        self._pool = concurrent.futures.ThreadPoolExecutor(num_threads, "nar-compile")
        self._programs: dict[Hashable, concurrent.futures.Future[Any]] = {}

    def __enter__(self) -> "BackgroundCompilation":
        return self

    def __exit__(self, *error: object) -> None:
        """Cancels compilations that have not started."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def on_batch(self, batch: Any, task: str, stream_key: str | None) -> Callable[[], object]:
        """Starts the compilation of the step's programs, if they are new; must not be called concurrently.

        Returns:
          A function that waits until they are compiled, and raises any error of their compilation.
        """
        programs = self._step.programs(self._state, shapes_of(batch), task, stream_key)
        for key, compile in programs.items():
            if key not in self._programs:
                self._programs[key] = self._pool.submit(compile)
        futures = [self._programs[key] for key in programs]
        return lambda: [future.result() for future in futures]


def shapes_of(tree: Any) -> Any:
    """Shapes, types and shardings of a tree of JAX arrays."""

    def shape_of(leaf: jax.Array) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)

    return jax.tree.map(shape_of, tree)
