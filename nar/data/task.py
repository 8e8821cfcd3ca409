"""One algorithm as it is trained."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nar.algorithms import Algorithm
from nar.data.transforms import Transforms
from nar.specs import Spec
from nar.traces import TraceBatch, sample_traces, zero_traces


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One algorithm as it is trained.

    Attributes:
      algorithm: what is learned.
      sizes: problem sizes, taken in turn.
      problem_options: for every problem that is drawn.
      transforms: from traces to what the network sees.
      batch_size: traces of a batch; None for that of the stream.
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
        """What the network is built for."""
        return self.transforms.spec(self.algorithm)

    def size(self, turn: int) -> int:
        """The size of its turn of this number."""
        return self.sizes[turn % len(self.sizes)]

    def stream_key(self, turn: int) -> str:
        """What its turns with the same size are called together: `bfs/16`."""
        return f"{self.name}/{self.size(turn)}"

    def turn_within_lane(self, turn: int) -> int:
        """How many turns before this one had its size."""
        rounds, place = divmod(turn, len(self.sizes))
        size = self.sizes[place]
        return rounds * self.sizes.count(size) + self.sizes[:place].count(size)

    def turn(self, size: int, number: int) -> int:
        """Its turn before which it had this size so many times."""
        places = [place for place, other in enumerate(self.sizes) if other == size]
        rounds, place = divmod(number, len(places))
        return rounds * len(self.sizes) + places[place]

    def draw(self, size: int, seed: int, first: int, count: int) -> TraceBatch:
        """Traces `first` ... `first + count - 1` of the series of this size and seed, before transforms.

        They do not wait for numba, so that the first steps need not.
        """
        return sample_traces(
            self.name, size, count, seed, first=first, wait_for_compilation=False, **self.problem_options
        )

    def blank(self, size: int, count: int) -> TraceBatch:
        """Zeros in the shapes of so many traces of this size, before transforms."""
        return zero_traces(self.name, size, count, **self.problem_options)
