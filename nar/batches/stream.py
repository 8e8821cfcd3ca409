"""The stream of training batches: a pure function of (tasks, seed, step, process).

There is no state to save: to resume at a step is to ask for the batch of that step.
"""

import concurrent.futures
import dataclasses
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm
from nar.batches.padding import bucket_length, pad_steps, take
from nar.batches.transforms import Transforms
from nar.specs import Spec
from nar.traces import TraceBatch, sample_traces

_POSITIONS = 0x706F73
"""Second key word's tag of the stream of random positions ("pos")."""


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One algorithm as it is trained.

    Attributes:
      algorithm: what is learned.
      sizes: problem sizes, taken in turn.
      problem_options: for every problem that is drawn.
      transforms: from traces to what the network sees.
    """

    algorithm: Algorithm
    sizes: tuple[int, ...]
    problem_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    transforms: Transforms = Transforms()

    def __post_init__(self) -> None:
        if not self.sizes:
            raise ValueError(f"{self.name}: at least one size is needed")
        for size in self.sizes:
            try:
                self.algorithm.problem.check_request(size, self.problem_options)
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


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingStream:
    """Endless training data: tasks in turn, and within a task its sizes in turn.

    Attributes:
      tasks: what is trained, round robin.
      batch_size: traces of a batch, over all processes.
      seed: of all randomness.
      process: which of `num_processes` equal shares of each batch is made here.
      num_processes: how many shares there are.
    """

    tasks: Sequence[Task]
    batch_size: int
    seed: int
    process: int = 0
    num_processes: int = 1

    def __post_init__(self) -> None:
        if not self.tasks:
            raise ValueError("at least one task is needed")
        if self.num_processes < 1:
            raise ValueError(f"num_processes must be at least 1, got {self.num_processes}")
        if not 0 <= self.process < self.num_processes:
            raise ValueError(f"process must lie in 0 to {self.num_processes - 1}, got {self.process}")
        if self.batch_size < 1 or self.batch_size % self.num_processes:
            raise ValueError(
                f"batch_size must be a positive multiple of the {self.num_processes} processes, "
                f"got {self.batch_size}"
            )

    def task(self, step: int) -> Task:
        """Whose turn it is."""
        return self.tasks[step % len(self.tasks)]

    def batch(self, step: int) -> TraceBatch:
        """This process's share of the batch of a step, padded to its bucket of steps."""
        task = self.task(step)
        turn = step // len(self.tasks)
        size = task.sizes[turn % len(task.sizes)]
        traces = sample_traces(
            task.name, size, self.batch_size, self.seed, first=step * self.batch_size, **task.problem_options
        )
        # All processes make the whole batch, since its longest trace decides on the shape of every share.
        uniforms = self._uniforms(step, traces.inputs["pos"].shape[1])
        share = take(task.transforms.apply(task.algorithm, traces, uniforms), self._rows)
        return pad_steps(share, bucket_length(traces.num_steps))

    @property
    def _rows(self) -> slice:
        """Which rows of a batch are this process's share."""
        share = self.batch_size // self.num_processes
        return slice(self.process * share, (self.process + 1) * share)

    def _uniforms(self, step: int, num_nodes: int) -> np.ndarray:
        key = np.array([self.seed % 2**64, (_POSITIONS << 40) + step], np.uint64)
        random = np.random.Generator(np.random.Philox(key=key))
        return random.random((self.batch_size, num_nodes))


def prefetch(stream: TrainingStream, start: int, stop: int, depth: int = 4) -> Generator[TraceBatch]:
    """Batches of the steps `start` ... `stop - 1`, made `depth` steps ahead in a thread.

    An exception in the thread is raised here, at the step whose batch it was.

    Raises:
      ValueError: if `depth` is less than 1.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    with concurrent.futures.ThreadPoolExecutor(1, "nar-batches") as pool:
        ahead = [pool.submit(stream.batch, step) for step in range(start, min(start + depth, stop))]
        try:
            for step in range(start, stop):
                batch = ahead.pop(0).result()
                if step + depth < stop:
                    ahead.append(pool.submit(stream.batch, step + depth))
                yield batch
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
