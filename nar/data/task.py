"""Task: an algorithm with its problem sizes, problem options and transforms."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from nar.algorithms import Algorithm
from nar.data.mixture import Component, Mixture
from nar.data.transforms import Transforms
from nar.problems.scaling import Ranges
from nar.specs import Spec
from nar.traces import TraceBatch, sample_traces, zero_traces
from nar.traces.memory import check_memory


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A training task: one algorithm, and how its batches are generated.

    The steps of a task cycle through its sizes, or are divided among the components of a mixture, each of
    which has its own sizes. A `task_step` counts the steps of the task; a `stream_step` counts its steps of
    one component and size, which form one stream (see `stream_key`).

    Attributes:
      algorithm: the algorithm to learn.
      sizes: problem sizes, used cyclically.
      problem_options: options of the problem sampler.
      transforms: transforms from raw traces to the traces that the network is trained on.
      batch_size: traces per batch; None for the batch size of the stream.
      mixture: components with their own sizes and options, in place of `sizes` and `problem_options`.
    """

    algorithm: Algorithm
    sizes: tuple[int, ...]
    problem_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    transforms: Transforms = Transforms()
    batch_size: int | None = None
    mixture: Mixture | None = None

    def __post_init__(self) -> None:
        for component in self.components:
            label = f"{self.name}, component {component.name}" if component.name else self.name
            if not component.sizes:
                raise ValueError(f"{label}: at least one size is needed")
            for size in component.sizes:
                try:
                    self.algorithm.problem.resolve_options(size, component.problem_options)
                except ValueError as error:
                    raise ValueError(f"{label}: {error}") from None

    @property
    def name(self) -> str:
        """Name of the algorithm."""
        return self.algorithm.name

    def input_ranges(self, size: int) -> Ranges:
        """The numbers that training can draw, for a problem of any size: argument -> smallest and largest."""
        problem = self.algorithm.problem
        drawn = [
            problem.ranges(size, **problem.resolve_options(one.sizes[0], one.problem_options))
            for one in self.components
        ]
        names = [name for name in drawn[0] if all(name in ranges for ranges in drawn)]
        return {name: (min(r[name][0] for r in drawn), max(r[name][1] for r in drawn)) for name in names}

    @property
    def spec(self) -> Spec:
        """Spec of the transformed traces, for which the network is built."""
        return self.transforms.spec(self.algorithm)

    @functools.cached_property
    def components(self) -> tuple[Component, ...]:
        """The components of the mixture, or the only one."""
        return self.mixture.components if self.mixture else (Component(self.sizes, self.problem_options),)

    def scheduled(self, task_step: int) -> tuple[int, int]:
        """Index of the component of a step of the task, and the number of earlier steps of the component."""
        return self.mixture(task_step) if self.mixture else (0, task_step)

    def size(self, task_step: int) -> int:
        """Problem size of a step of the task."""
        index, step = self.scheduled(task_step)
        return self.components[index].size(step)

    def stream_key(self, task_step: int) -> str:
        """Key of the stream of a step: `bfs/16`, or `bfs/COMPONENT/16` in a mixture."""
        index, step = self.scheduled(task_step)
        return self.key_of(self.components[index], self.components[index].size(step))

    def key_of(self, component: Component, size: int) -> str:
        """Key of the stream of a component and size."""
        return "/".join([self.name, *([component.name] if component.name else []), str(size)])

    def stream_step(self, task_step: int) -> int:
        """Number of earlier steps of the task in the same stream."""
        index, step = self.scheduled(task_step)
        return self.components[index].stream_step(step)

    def draw(
        self, size: int, seed: int, first: int, count: int, component: Component | None = None
    ) -> TraceBatch:
        """Raw traces `first` ... `first + count - 1` of the series of this size and seed, before transforms.

        They have the problem options of a component, by default the first one. Does not wait for numba to
        compile, so that the first training steps start early.
        """
        options = (component or self.components[0]).problem_options
        return sample_traces(self.name, size, count, seed, first=first, wait_for_compilation=False, **options)

    def check_memory(self, batch_size: int) -> None:
        """Raises ValueError if this machine has too little memory for one batch of traces of any size."""
        for size in {size for component in self.components for size in component.sizes}:
            check_memory(self.name, self.spec, size, batch_size)

    def zero_traces(self, size: int, count: int, component: Component | None = None) -> TraceBatch:
        """All-zero traces in the shapes of `count` raw traces of this size, before transforms."""
        return zero_traces(self.name, size, count, **(component or self.components[0]).problem_options)
