"""Task: an algorithm with its problem sizes, problem options and transforms."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nar.algorithms import Algorithm
from nar.data.transforms import Transforms
from nar.specs import Spec
from nar.traces import TraceBatch, sample_traces, zero_traces


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A training task: one algorithm, and how its batches are generated.

    The steps of a task cycle through its sizes. A `task_step` counts the steps of the task; a `stream_step`
    counts its steps of one size, which form one stream (see `stream_key`).

    Attributes:
      algorithm: the algorithm to learn.
      sizes: problem sizes, used cyclically.
      problem_options: options of the problem sampler.
      transforms: transforms from raw traces to the traces that the network is trained on.
      batch_size: traces per batch; None for the batch size of the stream.
    """

    algorithm: Algorithm
    sizes: tuple[int, ...]
    problem_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    transforms: Transforms = Transforms()
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if not self.sizes:
            raise ValueError(f"{self.name}: at least one size is needed")
        for size in self.sizes:
            try:
                self.algorithm.problem.resolve_options(size, self.problem_options)
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}") from None

    @property
    def name(self) -> str:
        """Name of the algorithm."""
        return self.algorithm.name

    @property
    def spec(self) -> Spec:
        """Spec of the transformed traces, for which the network is built."""
        return self.transforms.spec(self.algorithm)

    def size(self, task_step: int) -> int:
        """Problem size of a step of the task."""
        return self.sizes[task_step % len(self.sizes)]

    def stream_key(self, task_step: int) -> str:
        """Key of the stream that a step belongs to, shared by all steps with the same size: `bfs/16`."""
        return f"{self.name}/{self.size(task_step)}"

    def stream_step(self, task_step: int) -> int:
        """Number of earlier steps of the task with the same size."""
        cycles, position = divmod(task_step, len(self.sizes))
        size = self.sizes[position]
        return cycles * self.sizes.count(size) + self.sizes[:position].count(size)

    def draw(self, size: int, seed: int, first: int, count: int) -> TraceBatch:
        """Raw traces `first` ... `first + count - 1` of the series of this size and seed, before transforms.

        Does not wait for numba to compile, so that the first training steps start early.
        """
        return sample_traces(
            self.name, size, count, seed, first=first, wait_for_compilation=False, **self.problem_options
        )

    def zero_traces(self, size: int, count: int) -> TraceBatch:
        """All-zero traces in the shapes of `count` raw traces of this size, before transforms."""
        return zero_traces(self.name, size, count, **self.problem_options)
