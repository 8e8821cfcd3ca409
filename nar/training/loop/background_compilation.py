"""Programs of coming steps, compiled in threads while others are compiled, data drawn and steps taken.

Batches are made some steps ahead (`nar.data.prefetch`), so that the shapes of a run are known before they
are needed. Tracing a program keeps Python busy; compiling it, which takes longer, does not.
"""

import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

import jax

MOST_THREADS = 4
"""As many as batches are made ahead."""


class Compilable(Protocol):
    """A step that knows the programs that it runs."""

    def programs(
        self, state: Any, batch: Any, task: str, stream_key: str | None
    ) -> Mapping[Any, Callable[[], Any]]:
        """By what tells them apart, how to compile the programs of a step; arguments may be shapes."""
        ...


@dataclasses.dataclass(frozen=True)
class DeviceBatch:
    """A batch on its devices.

    Attributes:
      batch: arrays of jax.
      programs: of its step; each is done once it is compiled.
    """

    batch: Any
    programs: tuple[concurrent.futures.Future[Any], ...] = ()

    def wait(self) -> None:
        """Until all programs are compiled; an error in compiling is raised here."""
        for program in self.programs:
            program.result()


class BackgroundCompilation:
    """Compiles what the steps of a run need, each program once, from when a batch of its shape is seen."""

    def __init__(self, step: Compilable, state: Any) -> None:
        """Compiles nothing yet.

        Args:
          step: of training.
          state: shapes of it, with their places (`shapes_of`).
        """
        self._step = step
        self._state = state
        number = min(os.cpu_count() or 1, MOST_THREADS)
        self._pool = concurrent.futures.ThreadPoolExecutor(number, "nar-compile")
        self._programs: dict[Hashable, concurrent.futures.Future[Any]] = {}

    def __enter__(self) -> "BackgroundCompilation":
        return self

    def __exit__(self, *error: object) -> None:
        """What has not begun is left out."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def prepare(self, batch: Any, task: str, stream_key: str | None) -> DeviceBatch:
        """The batch with its programs; not to be called by two threads at once.

        Args:
          batch: arrays of jax.
          task: of the step.
          stream_key: key of the chunked stream, for a chunk.
        """
        programs = self._step.programs(self._state, shapes_of(batch), task, stream_key)
        for key, compile in programs.items():
            if key not in self._programs:
                self._programs[key] = self._pool.submit(compile)
        return DeviceBatch(batch, tuple(self._programs[key] for key in programs))


def shapes_of(tree: Any) -> Any:
    """Shapes, types and places of arrays of jax."""

    def shape_of(leaf: jax.Array) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)

    return jax.tree.map(shape_of, tree)
